//! A convolutional classifier of images: the conventional network that energies are compared with, and the features in
//! which sets of images are.

use candle_core::{D, DType, Device, Tensor, Var};
use ebmotion::energy::{Evaluated, by_autograd};
use ebmotion::model::Parameters;
use ebmotion::noise::Noise;
use ebmotion::{Error, Result};
use serde::{Deserialize, Serialize};

/// Shape of a [`Classifier`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassifierConfig {
    /// Channels of an image.
    pub channels: usize,
    /// Rows of an image.
    pub height: usize,
    /// Columns of an image.
    pub width: usize,
    /// Number of classes, at least 2.
    pub classes: usize,
    /// `[channels that go out, side of the window]` of each convolution, at least one. All have stride 2:
    /// `ceil(size / 2)` pixels a side go out.
    pub convolutions: Vec<[usize; 2]>,
    /// Width of the fully connected layer behind them: the features.
    pub dense: usize,
}

impl ClassifierConfig {
    fn check(&self) -> Result<()> {
        let positive = [
            ("channels", self.channels),
            ("height", self.height),
            ("width", self.width),
            ("dense", self.dense),
            ("convolutions", self.convolutions.len()),
        ];
        for (key, value) in positive.into_iter().chain(self.convolutions.iter().flatten().map(|n| ("convolutions", *n)))
        {
            if value == 0 {
                return Err(Error::config(key, value, "at least 1"));
            }
        }
        match self.classes < 2 {
            true => Err(Error::config("classes", self.classes, "at least 2")),
            false => Ok(()),
        }
    }
}

/// Convolutions of stride 2, a fully connected layer, a rectifier behind each of them, and a linear map to one logit a
/// class.
///
/// A convolution is a choice of pixels and a matrix product: images lie pixel by pixel, so a choice copies whole rows,
/// and its gradient is a sum of rows.
#[derive(Debug, Clone)]
pub struct Classifier {
    config: ClassifierConfig,
    parameters: Parameters,
    convolutions: Vec<Convolution>,
    dense: (Var, Var),
    head: (Var, Var),
}

#[derive(Debug, Clone)]
struct Convolution {
    /// `(K C, O)`, and `(O,)`.
    weight: (Var, Var),
    /// `(P K,)`: for each pixel that goes out and each place of its window the pixel that comes in, or the one behind
    /// the last, which is 0.
    pixels: Tensor,
    /// Pixels that go out, and places of a window.
    out: usize,
    places: usize,
}

impl Classifier {
    /// A network with weights scaled for rectifiers (He et al. 2015) and biases 0.
    ///
    /// # Errors
    /// [`Error::Config`] for a size of 0 or fewer than two classes; [`Error::Tensor`].
    pub fn new(config: ClassifierConfig, noise: &mut Noise, dtype: DType) -> Result<Self> {
        config.check()?;
        let mut parameters = Parameters::default();
        let mut layer = |name: &str, inputs: usize, outputs: usize| -> Result<(Var, Var)> {
            let weight = (noise.normal((inputs, outputs), dtype, &Device::Cpu)? * (2.0 / inputs as f64).sqrt())?;
            let bias = Tensor::zeros(outputs, dtype, &Device::Cpu)?;
            Ok((parameters.add(format!("{name}.weight"), &weight)?, parameters.add(format!("{name}.bias"), &bias)?))
        };
        let (mut channels, mut size) = (config.channels, [config.height, config.width]);
        let mut convolutions = Vec::new();
        for (i, [outputs, side]) in config.convolutions.iter().enumerate() {
            let weight = layer(&format!("convolution{i}"), side * side * channels, *outputs)?;
            let out = size.map(|n| n.div_ceil(2));
            let pixels = Tensor::new(windows(size, out, *side), &Device::Cpu)?;
            convolutions.push(Convolution { weight, pixels, out: out[0] * out[1], places: side * side });
            (channels, size) = (*outputs, out);
        }
        let dense = layer("dense", channels * size[0] * size[1], config.dense)?;
        let head = layer("head", config.dense, config.classes)?;
        Ok(Self { config, parameters, convolutions, dense, head })
    }

    /// The shape.
    pub fn config(&self) -> &ClassifierConfig {
        &self.config
    }

    /// The trainable tensors.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Features `(B, F)` and logits `(B, classes)` of images `(B, C, H, W)` in `[0, 1]`; as a graph in the weights or
    /// not, in the images either way.
    fn forward(&self, x: &Tensor, graph: bool) -> Result<(Tensor, Tensor)> {
        let c = &self.config;
        let shape = [c.channels, c.height, c.width];
        if x.rank() != 4 || x.dims()[1..] != shape || x.dims()[0] == 0 {
            let expected = format!("(B, {}, {}, {})", c.channels, c.height, c.width);
            return Err(Error::Shape { what: "images", found: x.dims().to_vec(), expected });
        }
        let pick = |var: &Var| if graph { var.as_tensor().clone() } else { var.as_detached_tensor() };
        let linear = |x: &Tensor, (weight, bias): &(Var, Var)| -> Result<Tensor> {
            Ok(x.matmul(&pick(weight))?.broadcast_add(&pick(bias))?)
        };
        let rows = x.dim(0)?;
        // (pixels, B C), in [-1, 1].
        let mut h = x.affine(2.0, -1.0)?.permute((2, 3, 0, 1))?.reshape((c.height * c.width, rows * c.channels))?;
        for conv in &self.convolutions {
            let width = h.dim(1)?;
            let padded = Tensor::cat(&[&h, &Tensor::zeros((1, width), h.dtype(), &Device::Cpu)?], 0)?;
            let windows = padded.index_select(&conv.pixels, 0)?.reshape((conv.out, conv.places, rows, width / rows))?;
            let flat = windows.transpose(1, 2)?.reshape((conv.out * rows, conv.places * width / rows))?;
            h = linear(&flat, &conv.weight)?.relu()?.reshape((conv.out, ()))?;
        }
        let width = h.dim(1)? / rows;
        let flat = h.reshape((h.dim(0)?, rows, width))?.transpose(0, 1)?.reshape((rows, ()))?;
        let features = linear(&flat, &self.dense)?.relu()?;
        let logits = linear(&features, &self.head)?;
        Ok((features, logits))
    }

    /// Unnormalised log-probabilities of the classes, `(B, classes)`, of images `(B, C, H, W)` in `[0, 1]`; a graph in
    /// the images.
    ///
    /// # Errors
    /// [`Error::Shape`] when the images do not fit; [`Error::Tensor`].
    pub fn logits(&self, x: &Tensor) -> Result<Tensor> {
        Ok(self.forward(x, false)?.1)
    }

    /// What the last hidden layer says of images `(B, C, H, W)` in `[0, 1]`: `(B, dense)`, none below 0.
    ///
    /// # Errors
    /// As [`Classifier::logits`].
    pub fn features(&self, x: &Tensor) -> Result<Tensor> {
        Ok(self.forward(x, false)?.0)
    }

    /// Cross entropy in nats `(B,)` between `targets` `(B, classes)`, rows of probabilities, and what the network says;
    /// a graph in the weights.
    ///
    /// # Errors
    /// As [`Classifier::logits`].
    pub fn cross_entropy(&self, x: &Tensor, targets: &Tensor) -> Result<Tensor> {
        cross_entropy(&self.forward(x, true)?.1, targets)
    }

    /// Cross entropy in nats, and its gradient in the images. It is the energy of a batch of images given their labels,
    /// `-ln p(label | x)`.
    ///
    /// # Errors
    /// As [`Classifier::logits`].
    pub fn evaluate(&self, x: &Tensor, targets: &Tensor) -> Result<Evaluated> {
        by_autograd(|x| cross_entropy(&self.logits(x)?, targets), x)
    }
}

impl Classifier {
    /// `ln ((1 - p) / p)` of the labels' probabilities `p`, and its gradient in the images: what an attack climbs. It
    /// grows with the cross entropy and its gradient points the same way, but does not vanish where `1 - p` rounds to
    /// 0. `targets` are rows of zeros and a one.
    ///
    /// # Errors
    /// As [`Classifier::logits`].
    pub fn odds_against(&self, x: &Tensor, targets: &Tensor) -> Result<Evaluated> {
        by_autograd(
            |x| {
                let logits = self.logits(x)?;
                let label = (&logits * targets)?.sum(D::Minus1)?;
                let others = (logits - (targets * FAR)?)?;
                let top = others.max_keepdim(D::Minus1)?.detach();
                let total = others.broadcast_sub(&top)?.exp()?.sum(D::Minus1)?.log()?;
                Ok((total + (top.squeeze(D::Minus1)? - label)?)?)
            },
            x,
        )
    }
}

/// Taken from a logit that is not to count: its exponential is 0.
const FAR: f64 = 1e6;

/// `ln sum_k exp(logit_k) - sum_k target_k logit_k`, `(B,)`.
fn cross_entropy(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    if logits.dims() != targets.dims() {
        let expected = format!("{:?}, a row of probabilities an image", logits.dims());
        return Err(Error::Shape { what: "targets", found: targets.dims().to_vec(), expected });
    }
    // Without the largest logit no exponential overflows; its own gradient cancels out.
    let logits = logits.broadcast_sub(&logits.max_keepdim(D::Minus1)?.detach())?;
    let total = logits.exp()?.sum(D::Minus1)?.log()?;
    Ok((total - (logits * targets)?.sum(D::Minus1)?)?)
}

/// The pixels under each window of side `side` and stride 2, zeros around the image as evenly as they go.
fn windows([height, width]: [usize; 2], [rows, columns]: [usize; 2], side: usize) -> Vec<u32> {
    let before = |size: usize, out: usize| (2 * (out - 1) + side).saturating_sub(size) / 2;
    let (up, left) = (before(height, rows), before(width, columns));
    let mut all = Vec::with_capacity(rows * columns * side * side);
    for (row, column) in (0..rows).flat_map(|r| (0..columns).map(move |c| (r, c))) {
        for (y, x) in (0..side).flat_map(|y| (0..side).map(move |x| (y, x))) {
            let at = |start: usize, before: usize, size: usize| start.checked_sub(before).filter(|i| *i < size);
            let pixel = at(2 * row + y, up, height).zip(at(2 * column + x, left, width));
            all.push(pixel.map_or(height * width, |(y, x)| y * width + x) as u32);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small(dtype: DType) -> Result<Classifier> {
        let config = ClassifierConfig {
            channels: 2,
            height: 7,
            width: 6,
            classes: 3,
            convolutions: vec![[4, 5], [3, 3]],
            dense: 6,
        };
        Classifier::new(config, &mut Noise::new(5), dtype)
    }

    /// candle's convolution of the padded image is the same sum in another order.
    #[test]
    fn a_convolution_is_that_of_candle() -> Result<()> {
        let net = small(DType::F64)?;
        let x = Noise::new(1).uniform((3, 2, 7, 6), DType::F64, &Device::Cpu)?;
        let kernel = |i: usize, inputs: usize, side: usize| -> Result<Tensor> {
            let (weight, _) = &net.convolutions[i].weight;
            Ok(weight
                .as_detached_tensor()
                .t()?
                .reshape(((), side, side, inputs))?
                .permute((0, 3, 1, 2))?
                .contiguous()?)
        };
        // 7 -> 4 and 6 -> 3 with a side of 5 need 4 and 3 rows and columns of zeros, then 4 -> 2 and 3 -> 2 one and
        // two.
        let h = x.affine(2.0, -1.0)?.pad_with_zeros(2, 2, 2)?.pad_with_zeros(3, 1, 2)?;
        let h = h.conv2d(&kernel(0, 2, 5)?, 0, 2, 1, 1)?.relu()?;
        let h = h.pad_with_zeros(2, 0, 1)?.pad_with_zeros(3, 1, 1)?;
        let h = h.conv2d(&kernel(1, 4, 3)?, 0, 2, 1, 1)?.relu()?;
        let h = h.permute((0, 2, 3, 1))?.reshape((3, ()))?;
        let expected = h.matmul(&net.dense.0.as_detached_tensor())?.relu()?;
        let found = net.features(&x)?;
        assert_eq!(found.dims(), [3, 6]);
        assert!((found - expected)?.abs()?.max_all()?.to_scalar::<f64>()? < 1e-12);
        Ok(())
    }

    /// Central differences of step 1e-6 in f64; no rectifier has its corner within the step at this seed.
    #[test]
    fn the_gradient_in_the_image_is_that_of_finite_differences() -> Result<()> {
        let net = small(DType::F64)?;
        let x = Noise::new(2).uniform((2, 2, 7, 6), DType::F64, &Device::Cpu)?;
        let targets = Tensor::new(&[[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]], &Device::Cpu)?;
        let at = net.evaluate(&x, &targets)?;
        let gradient = at.grad.flatten_all()?.to_vec1::<f64>()?;
        let values = x.flatten_all()?.to_vec1::<f64>()?;
        for i in (0..values.len()).step_by(5) {
            let loss = |step: f64| -> Result<f64> {
                let mut moved = values.clone();
                moved[i] += step;
                let x = Tensor::from_vec(moved, x.shape(), &Device::Cpu)?;
                Ok(net.cross_entropy(&x, &targets)?.sum_all()?.to_scalar::<f64>()?)
            };
            let numeric = (loss(1e-6)? - loss(-1e-6)?) / 2e-6;
            assert!((numeric - gradient[i]).abs() < 1e-7, "{i}: {numeric} {}", gradient[i]);
        }
        Ok(())
    }

    /// Three logits far apart, where `1 - p` rounds to 0 in single precision; and the same gradient's direction as the
    /// cross entropy's where it does not.
    #[test]
    fn odds_have_a_gradient_where_the_network_is_sure() -> Result<()> {
        let net = small(DType::F32)?;
        let x = Noise::new(2).uniform((2, 2, 7, 6), DType::F32, &Device::Cpu)?;
        let targets = Tensor::new(&[[0f32, 1.0, 0.0], [1.0, 0.0, 0.0]], &Device::Cpu)?;
        let (odds, entropy) = (net.odds_against(&x, &targets)?, net.evaluate(&x, &targets)?);
        let sums = |t: &Tensor| -> Result<Vec<f32>> { Ok(t.flatten_from(1)?.sum(1)?.to_vec1()?) };
        let (dot, a, b) =
            (sums(&(&odds.grad * &entropy.grad)?)?, sums(&odds.grad.sqr()?)?, sums(&entropy.grad.sqr()?)?);
        let expected = entropy.energy.exp()?.affine(1.0, -1.0)?.log()?.to_vec1::<f32>()?;
        for row in 0..2 {
            assert!((dot[row] / (a[row] * b[row]).sqrt() - 1.0).abs() < 1e-5);
            assert!((odds.energy.to_vec1::<f32>()?[row] - expected[row]).abs() < 1e-4);
        }
        net.head.1.set(&Tensor::new(&[0f32, 500.0, 0.0], &Device::Cpu)?)?;
        let targets = Tensor::new(&[[0f32, 1.0, 0.0], [0.0, 1.0, 0.0]], &Device::Cpu)?;
        let sizes = |at: Evaluated| sums(&at.grad.sqr()?);
        assert!(sizes(net.odds_against(&x, &targets)?)?.iter().all(|s| *s > 1e-6));
        assert_eq!(sizes(net.evaluate(&x, &targets)?)?, [0.0, 0.0]);
        Ok(())
    }

    #[test]
    fn what_does_not_fit_is_refused() -> Result<()> {
        let net = small(DType::F32)?;
        let x = Tensor::zeros((1, 2, 6, 7), DType::F32, &Device::Cpu)?;
        assert!(matches!(net.logits(&x), Err(Error::Shape { what: "images", .. })));
        let x = x.reshape((1, 2, 7, 6))?;
        assert!(matches!(
            net.evaluate(&x, &Tensor::zeros((1, 2), DType::F32, &Device::Cpu)?),
            Err(Error::Shape { .. })
        ));
        let config = ClassifierConfig { classes: 1, ..net.config().clone() };
        assert!(Classifier::new(config, &mut Noise::new(0), DType::F32).is_err());
        Ok(())
    }
}
