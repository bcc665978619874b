//! Inception-v3 (Szegedy et al. 2016, "Rethinking the Inception architecture for computer vision"), evaluated: its last
//! hidden layer is where Fréchet inception distances are measured, its classes what inception scores are made of.
//!
//! Weights are the caller's, by the names of torchvision's state dictionary. Two networks go by these names:
//! torchvision's own with 1000 classes, and the one with 1008 classes that published distances are measured with
//! (ported from TensorFlow by the project pytorch-fid). The latter's mean pools leave out the zeros at the border, and
//! its last block has a maximum in place of a mean.

use candle_core::{D, DType, Device, Tensor};
use ebmotion::{Error, Result};

/// Side of the images that the network was made for.
const SIDE: usize = 299;
/// Smallest side at which every layer has something to see.
const SMALLEST: usize = 75;
/// Added to the variance in batch normalisation.
const EPSILON: f64 = 1e-3;
/// Classes of the network of published distances.
const FID_CLASSES: usize = 1008;

/// The network, batch normalisation folded into its convolutions.
#[derive(Debug, Clone)]
pub struct Inception {
    layers: Vec<Layer>,
    /// `(2048, classes)` and `(classes,)`.
    head: (Tensor, Tensor),
    border: Border,
}

/// What a mean pool does at the border.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Border {
    /// The zeros around the image count.
    Counted,
    /// They do not.
    LeftOut,
}

#[derive(Debug, Clone)]
enum Layer {
    /// A convolution, its bias, a rectifier.
    Convolution {
        /// `(O, I, rows, columns)`.
        weight: Tensor,
        /// `(O, 1, 1)`.
        bias: Tensor,
        stride: usize,
        /// Zeros around the image, above and below, left and right.
        zeros: [usize; 2],
    },
    /// Largest of 3 x 3 pixels, stride 2.
    Halve,
    /// Largest of 3 x 3 pixels, stride 1.
    Largest,
    /// Mean of 3 x 3 pixels, stride 1.
    Mean,
    /// Ways from one input whose outputs stand one behind the other.
    Ways(Vec<Vec<Layer>>),
}

/// Makes layers from named tensors.
struct Builder<'a> {
    get: &'a dyn Fn(&str) -> Result<Tensor>,
}

/// A way: name, channels, window, and how it moves: `Same` keeps the size, `Valid` has no zeros around.
type Step = (&'static str, usize, [usize; 2], Move);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Move {
    Same,
    Valid,
    ValidBy2,
}
use Move::{Same, Valid, ValidBy2};

impl Builder<'_> {
    fn tensor(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        let tensor = (self.get)(name)?.to_dtype(DType::F32)?;
        match tensor.dims() == shape {
            true => Ok(tensor),
            false => Err(Error::Shape {
                what: "weight of Inception-v3",
                found: tensor.dims().to_vec(),
                expected: format!("{shape:?} for `{name}`"),
            }),
        }
    }

    /// `gamma (w * x - mean) / sqrt(variance + epsilon) + beta` as one convolution and a bias.
    fn convolution(&self, block: &str, inputs: usize, (name, outputs, window, how): Step) -> Result<Layer> {
        let name = if block.is_empty() { name.to_string() } else { format!("{block}.{name}") };
        let part = |part: &str| self.tensor(&format!("{name}.bn.{part}"), &[outputs]);
        let scale = (part("weight")? / (part("running_var")? + EPSILON)?.sqrt()?)?;
        let bias = (part("bias")? - (part("running_mean")? * &scale)?)?.reshape((outputs, 1, 1))?;
        let weight = self.tensor(&format!("{name}.conv.weight"), &[outputs, inputs, window[0], window[1]])?;
        let weight = weight.broadcast_mul(&scale.reshape((outputs, 1, 1, 1))?)?;
        let stride = if how == ValidBy2 { 2 } else { 1 };
        let zeros = if how == Same { window.map(|n| n / 2) } else { [0, 0] };
        Ok(Layer::Convolution { weight, bias, stride, zeros })
    }

    fn way(&self, block: &str, mut inputs: usize, steps: &[Step]) -> Result<Vec<Layer>> {
        let mut layers = Vec::with_capacity(steps.len());
        for step in steps {
            layers.push(self.convolution(block, inputs, *step)?);
            inputs = step.1;
        }
        Ok(layers)
    }

    fn pooled(&self, block: &str, inputs: usize, pool: Layer, outputs: usize) -> Result<Vec<Layer>> {
        let convolution = self.convolution(block, inputs, ("branch_pool", outputs, [1, 1], Same))?;
        Ok(vec![pool, convolution])
    }

    /// Blocks of 35 x 35 pixels.
    fn a(&self, block: &str, inputs: usize, pooled: usize) -> Result<Layer> {
        Ok(Layer::Ways(vec![
            self.way(block, inputs, &[("branch1x1", 64, [1, 1], Same)])?,
            self.way(block, inputs, &[("branch5x5_1", 48, [1, 1], Same), ("branch5x5_2", 64, [5, 5], Same)])?,
            self.way(
                block,
                inputs,
                &[
                    ("branch3x3dbl_1", 64, [1, 1], Same),
                    ("branch3x3dbl_2", 96, [3, 3], Same),
                    ("branch3x3dbl_3", 96, [3, 3], Same),
                ],
            )?,
            self.pooled(block, inputs, Layer::Mean, pooled)?,
        ]))
    }

    /// From 35 x 35 to 17 x 17 pixels.
    fn b(&self, block: &str, inputs: usize) -> Result<Layer> {
        Ok(Layer::Ways(vec![
            self.way(block, inputs, &[("branch3x3", 384, [3, 3], ValidBy2)])?,
            self.way(
                block,
                inputs,
                &[
                    ("branch3x3dbl_1", 64, [1, 1], Same),
                    ("branch3x3dbl_2", 96, [3, 3], Same),
                    ("branch3x3dbl_3", 96, [3, 3], ValidBy2),
                ],
            )?,
            vec![Layer::Halve],
        ]))
    }

    /// Blocks of 17 x 17 pixels.
    fn c(&self, block: &str, inner: usize) -> Result<Layer> {
        let inputs = 768;
        Ok(Layer::Ways(vec![
            self.way(block, inputs, &[("branch1x1", 192, [1, 1], Same)])?,
            self.way(
                block,
                inputs,
                &[
                    ("branch7x7_1", inner, [1, 1], Same),
                    ("branch7x7_2", inner, [1, 7], Same),
                    ("branch7x7_3", 192, [7, 1], Same),
                ],
            )?,
            self.way(
                block,
                inputs,
                &[
                    ("branch7x7dbl_1", inner, [1, 1], Same),
                    ("branch7x7dbl_2", inner, [7, 1], Same),
                    ("branch7x7dbl_3", inner, [1, 7], Same),
                    ("branch7x7dbl_4", inner, [7, 1], Same),
                    ("branch7x7dbl_5", 192, [1, 7], Same),
                ],
            )?,
            self.pooled(block, inputs, Layer::Mean, 192)?,
        ]))
    }

    /// From 17 x 17 to 8 x 8 pixels.
    fn d(&self, block: &str) -> Result<Layer> {
        let inputs = 768;
        Ok(Layer::Ways(vec![
            self.way(block, inputs, &[("branch3x3_1", 192, [1, 1], Same), ("branch3x3_2", 320, [3, 3], ValidBy2)])?,
            self.way(
                block,
                inputs,
                &[
                    ("branch7x7x3_1", 192, [1, 1], Same),
                    ("branch7x7x3_2", 192, [1, 7], Same),
                    ("branch7x7x3_3", 192, [7, 1], Same),
                    ("branch7x7x3_4", 192, [3, 3], ValidBy2),
                ],
            )?,
            vec![Layer::Halve],
        ]))
    }

    /// Blocks of 8 x 8 pixels.
    fn e(&self, block: &str, inputs: usize, pool: Layer) -> Result<Layer> {
        let split = |names: [&'static str; 2]| -> Result<Layer> {
            let [flat, tall] = names;
            Ok(Layer::Ways(vec![
                self.way(block, 384, &[(flat, 384, [1, 3], Same)])?,
                self.way(block, 384, &[(tall, 384, [3, 1], Same)])?,
            ]))
        };
        let mut single = self.way(block, inputs, &[("branch3x3_1", 384, [1, 1], Same)])?;
        single.push(split(["branch3x3_2a", "branch3x3_2b"])?);
        let mut double =
            self.way(block, inputs, &[("branch3x3dbl_1", 448, [1, 1], Same), ("branch3x3dbl_2", 384, [3, 3], Same)])?;
        double.push(split(["branch3x3dbl_3a", "branch3x3dbl_3b"])?);
        Ok(Layer::Ways(vec![
            self.way(block, inputs, &[("branch1x1", 320, [1, 1], Same)])?,
            single,
            double,
            self.pooled(block, inputs, pool, 192)?,
        ]))
    }
}

impl Layer {
    fn apply(&self, x: &Tensor, border: Border) -> Result<Tensor> {
        match self {
            Layer::Convolution { weight, bias, stride, zeros: [rows, columns] } => {
                let out = match rows == columns {
                    true => x.conv2d(weight, *rows, *stride, 1, 1)?,
                    false => around(x, *rows, *columns)?.conv2d(weight, 0, *stride, 1, 1)?,
                };
                Ok(out.broadcast_add(bias)?.relu()?)
            }
            Layer::Halve => Ok(x.max_pool2d_with_stride(3, 2)?),
            // What comes in is rectified: zeros around it are never the largest.
            Layer::Largest => Ok(around(x, 1, 1)?.max_pool2d_with_stride(3, 1)?),
            Layer::Mean => {
                let mean = |x: &Tensor| around(x, 1, 1)?.avg_pool2d_with_stride(3, 1).map_err(Error::from);
                match border {
                    Border::Counted => mean(x),
                    Border::LeftOut => {
                        Ok(mean(x)?.broadcast_div(&mean(&x.narrow(0, 0, 1)?.narrow(1, 0, 1)?.ones_like()?)?)?)
                    }
                }
            }
            Layer::Ways(ways) => {
                let one = |way: &Vec<Layer>| through(way, x, border);
                Ok(Tensor::cat(&ways.iter().map(one).collect::<Result<Vec<_>>>()?, 1)?)
            }
        }
    }
}

fn through(layers: &[Layer], x: &Tensor, border: Border) -> Result<Tensor> {
    layers.iter().try_fold(x.clone(), |x, layer| layer.apply(&x, border))
}

fn around(x: &Tensor, rows: usize, columns: usize) -> Result<Tensor> {
    Ok(x.pad_with_zeros(2, rows, rows)?.pad_with_zeros(3, columns, columns)?)
}

impl Inception {
    /// Numbers of an image's features.
    pub const FEATURES: usize = 2048;

    /// The network of the tensors that `get` gives by torchvision's names. Which of the two it is is told by its number
    /// of classes.
    ///
    /// # Errors
    /// What `get` returns for a name it does not know; [`Error::Shape`] for a tensor of another shape.
    pub fn new(get: &dyn Fn(&str) -> Result<Tensor>) -> Result<Self> {
        let build = Builder { get };
        let classes = get("fc.weight")?.dims().first().copied().unwrap_or(0);
        let (border, last) = match classes {
            FID_CLASSES => (Border::LeftOut, Layer::Largest),
            _ => (Border::Counted, Layer::Mean),
        };
        let head = (
            build.tensor("fc.weight", &[classes, Self::FEATURES])?.t()?.contiguous()?,
            build.tensor("fc.bias", &[classes])?,
        );
        let three = [3, 3];
        let mut layers = build.way(
            "",
            3,
            &[
                ("Conv2d_1a_3x3", 32, three, ValidBy2),
                ("Conv2d_2a_3x3", 32, three, Valid),
                ("Conv2d_2b_3x3", 64, three, Same),
            ],
        )?;
        layers.push(Layer::Halve);
        layers.extend(build.way(
            "",
            64,
            &[("Conv2d_3b_1x1", 80, [1, 1], Valid), ("Conv2d_4a_3x3", 192, three, Valid)],
        )?);
        layers.extend([
            Layer::Halve,
            build.a("Mixed_5b", 192, 32)?,
            build.a("Mixed_5c", 256, 64)?,
            build.a("Mixed_5d", 288, 64)?,
            build.b("Mixed_6a", 288)?,
            build.c("Mixed_6b", 128)?,
            build.c("Mixed_6c", 160)?,
            build.c("Mixed_6d", 160)?,
            build.c("Mixed_6e", 192)?,
            build.d("Mixed_7a")?,
            build.e("Mixed_7b", 1280, Layer::Mean)?,
            build.e("Mixed_7c", 2048, last)?,
        ]);
        Ok(Self { layers, head, border })
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.head.1.elem_count()
    }

    /// True for the network that published distances are measured with, false for torchvision's own.
    pub fn of_published_distances(&self) -> bool {
        self.classes() == FID_CLASSES
    }

    /// Images `(B, 1 or 3, H, W)` as the network takes them, `(B, 3, 299, 299)`: grey ones with three equal channels,
    /// and bilinear interpolation between pixel centres without smoothing (`align_corners=False`, `antialias=False` in
    /// PyTorch), as pytorch-fid does it.
    ///
    /// # Errors
    /// [`Error::Shape`] for images of another number of channels; [`Error::Tensor`].
    pub fn resized(x: &Tensor) -> Result<Tensor> {
        let x = match x.dims() {
            [_, 3, _, _] => x.clone(),
            [_, 1, _, _] => x.repeat((1, 3, 1, 1))?,
            found => {
                let expected = "(B, 1 or 3, H, W)".into();
                return Err(Error::Shape { what: "images for Inception-v3", found: found.to_vec(), expected });
            }
        };
        Ok(x.upsample_bilinear2d(SIDE, SIDE, false)?)
    }

    /// Features `(B, 2048)` and logits `(B, classes)` of images `(B, 3, H, W)` in `[0, 1]`, of whatever size from 75 x
    /// 75: for figures that are to be compared, [`Inception::resized`] first. Both networks take `2 x - 1`, which is
    /// also what torchvision's normalisation and its `transform_input` come to together.
    ///
    /// # Errors
    /// [`Error::Shape`] when the images do not fit; [`Error::Tensor`].
    pub fn evaluate(&self, x: &Tensor) -> Result<(Tensor, Tensor)> {
        match x.dims() {
            [rows, 3, height, width] if *rows > 0 && *height >= SMALLEST && *width >= SMALLEST => {}
            found => {
                let expected = format!("(B, 3, H, W) with sides of at least {SMALLEST}");
                return Err(Error::Shape { what: "images for Inception-v3", found: found.to_vec(), expected });
            }
        }
        let x = x.to_device(&Device::Cpu)?.to_dtype(DType::F32)?.affine(2.0, -1.0)?;
        let features = through(&self.layers, &x, self.border)?.mean(D::Minus1)?.mean(D::Minus1)?;
        let logits = features.matmul(&self.head.0)?.broadcast_add(&self.head.1)?;
        Ok((features, logits))
    }
}
