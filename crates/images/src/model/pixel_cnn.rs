//! An autoregressive network of images (van den Oord et al. 2016, "Conditional image generation with PixelCNN
//! decoders"), with the output of Salimans et al. 2017 ("PixelCNN++", section 2): mixtures of discretised logistic
//! densities.
//!
//! Pixels follow each other row by row, `P(x) = prod_i P(x_i | x_1 .. x_(i-1))`, so the probability of an image is
//! exact and costs one evaluation. Two streams of features keep the order: one sees the rows above a pixel, the other
//! what stands left of it and the first stream. A masked convolution is a matrix product over shifted copies, which
//! only look up and left.

use super::density::{fits, none_given};
use candle_core::{D, DType, Device, Tensor, Var};
use ebmotion::model::{Generative, Parameters};
use ebmotion::noise::Noise;
use ebmotion::{Error, Result};
use serde::{Deserialize, Serialize};

/// Bounds of a density's log width, in units of half the range of a pixel.
const LOG_WIDTH: (f64, f64) = (-7.0, 2.0);
/// Rows or columns by which a copy is shifted: down by `.0` (so it looks up), right by `.1` (left, where negative: it
/// looks right).
type Shift = (usize, isize);
/// What the first layers see: two rows above; two pixels to the left.
const ABOVE: &[Shift] = &[(2, 1), (2, 0), (2, -1), (1, 1), (1, 0), (1, -1)];
const LEFT: &[Shift] = &[(0, 2), (0, 1)];
/// What the later ones see: the features of the first stream at the pixel's row are those of rows above it already.
const VERTICAL: &[Shift] = &[(1, 1), (1, 0), (1, -1), (0, 1), (0, 0), (0, -1)];
const HORIZONTAL: &[Shift] = &[(0, 1), (0, 0)];

/// Size of a [`PixelCnn`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PixelCnnConfig {
    /// Features of each stream; at least 1.
    pub width: usize,
    /// Layers after the first.
    pub layers: usize,
    /// Logistic densities in the mixture of a pixel; at least 1.
    pub mixture: usize,
    /// Levels of a number, 2 to 256: values `k / (levels - 1)`.
    pub levels: usize,
}

/// `P(x)` of images as a product over pixels, and over the channels of a pixel.
#[derive(Debug, Clone)]
pub struct PixelCnn {
    shape: [usize; 3],
    config: PixelCnnConfig,
    parameters: Parameters,
    above: Masked,
    left: Masked,
    layers: Vec<Layer>,
    out: Masked,
}

/// A masked convolution: shifted copies `(B, H, W, I)` side by side, times `(I copies, O)`.
#[derive(Debug, Clone)]
struct Masked {
    shifts: &'static [Shift],
    weight: Var,
    bias: Var,
}

/// A gated layer of both streams; the second one adds to what it got.
#[derive(Debug, Clone)]
struct Layer {
    vertical: Masked,
    horizontal: Masked,
    link: Masked,
    back: Masked,
}

impl Masked {
    fn new(
        parameters: &mut Parameters,
        name: &str,
        shifts: &'static [Shift],
        [inputs, outputs]: [usize; 2],
        noise: &mut Noise,
        dtype: DType,
    ) -> Result<Self> {
        let rows = inputs * shifts.len();
        let weight = (noise.normal((rows, outputs), dtype, &Device::Cpu)? * (1.0 / rows as f64).sqrt())?;
        let bias = Tensor::zeros(outputs, dtype, &Device::Cpu)?;
        Ok(Self {
            shifts,
            weight: parameters.add(format!("{name}.weight"), &weight)?,
            bias: parameters.add(format!("{name}.bias"), &bias)?,
        })
    }

    /// `(B, H, W, I)` to `(B, H, W, O)`.
    fn apply(&self, x: &Tensor) -> Result<Tensor> {
        let (batch, height, width, _) = x.dims4()?;
        let copies = self.shifts.iter().map(|shift| shifted(x, *shift)).collect::<Result<Vec<_>>>()?;
        let side_by_side = Tensor::cat(&copies, 3)?.flatten(0, 2)?;
        let out = side_by_side.matmul(self.weight.as_tensor())?.broadcast_add(self.bias.as_tensor())?;
        Ok(out.reshape((batch, height, width, self.bias.dim(0)?))?)
    }
}

/// `x` `(B, H, W, I)` moved, with zeros where nothing has come from.
fn shifted(x: &Tensor, (down, right): Shift) -> Result<Tensor> {
    let (_, height, width, _) = x.dims4()?;
    let (from_left, from_right) = (right.max(0).unsigned_abs(), right.min(0).unsigned_abs());
    // An image smaller than the shift is moved out of sight.
    if down >= height || from_left.max(from_right) >= width {
        return Ok(x.zeros_like()?);
    }
    let seen = x.narrow(1, 0, height - down)?.narrow(2, from_right, width - from_left.max(from_right))?;
    Ok(seen.pad_with_zeros(1, down, 0)?.pad_with_zeros(2, from_left, from_right)?)
}

/// `tanh(a) sigmoid(b)` of the two halves of the features (van den Oord et al. 2016, eq. 2).
fn gated(x: &Tensor) -> Result<Tensor> {
    let width = x.dim(D::Minus1)? / 2;
    let open = (x.narrow(D::Minus1, width, width)? * 0.5)?.tanh()?.affine(0.5, 0.5)?;
    Ok((x.narrow(D::Minus1, 0, width)?.tanh()? * open)?)
}

/// `ln sigmoid(x)`.
fn log_sigmoid(x: &Tensor) -> Result<Tensor> {
    Ok(((x - x.relu()?)? - (x.abs()?.neg()?.exp()? + 1.0)?.log()?)?)
}

impl PixelCnn {
    /// A fresh network of images of `shape` `[C, H, W]` with weights drawn from `noise`.
    ///
    /// # Errors
    /// [`Error::Config`] for a size out of range.
    pub fn new(shape: [usize; 3], config: PixelCnnConfig, noise: &mut Noise, dtype: DType) -> Result<Self> {
        for (key, value) in [("width", config.width), ("mixture", config.mixture), ("shape", shape.iter().product())] {
            if value == 0 {
                return Err(Error::config(format!("pixel_cnn.{key}"), 0, "at least 1"));
            }
        }
        if !(2..=256).contains(&config.levels) {
            return Err(Error::config("pixel_cnn.levels", config.levels, "2 to 256"));
        }
        let (channels, width) = (shape[0], config.width);
        let mut parameters = Parameters::default();
        let mut masked = |name: &str, shifts: &'static [Shift], sizes: [usize; 2]| {
            Masked::new(&mut parameters, name, shifts, sizes, noise, dtype)
        };
        // A plane of ones tells the image from the zeros around it.
        let above = masked("above", ABOVE, [channels + 1, width])?;
        let left = masked("left", LEFT, [channels + 1, width])?;
        let mut layers = Vec::new();
        for i in 0..config.layers {
            layers.push(Layer {
                vertical: masked(&format!("layer{i}.vertical"), VERTICAL, [width, 2 * width])?,
                horizontal: masked(&format!("layer{i}.horizontal"), HORIZONTAL, [width, 2 * width])?,
                link: masked(&format!("layer{i}.link"), &[(0, 0)], [2 * width, 2 * width])?,
                back: masked(&format!("layer{i}.back"), &[(0, 0)], [width, width])?,
            });
        }
        let links = channels * (channels - 1) / 2;
        let out = masked("out", &[(0, 0)], [width, config.mixture * (1 + 2 * channels + links)])?;
        Ok(Self { shape, config, parameters, above, left, layers, out })
    }

    /// Size.
    pub fn config(&self) -> &PixelCnnConfig {
        &self.config
    }

    /// What the densities of each pixel are made of, `(B, H, W, K (1 + 2 C + C (C - 1) / 2))`: a function of earlier
    /// pixels alone. `x` is `(B, C, H, W)` in `[-1, 1]`.
    fn features(&self, x: &Tensor) -> Result<Tensor> {
        let ones = x.narrow(1, 0, 1)?.ones_like()?;
        let x = Tensor::cat(&[x, &ones], 1)?.permute((0, 2, 3, 1))?.contiguous()?;
        let mut vertical = self.above.apply(&x)?;
        let mut horizontal = (self.left.apply(&x)? + &vertical)?;
        for layer in &self.layers {
            let before = layer.vertical.apply(&vertical)?;
            let side = (layer.horizontal.apply(&horizontal)? + layer.link.apply(&before)?)?;
            vertical = gated(&before)?;
            horizontal = (horizontal + layer.back.apply(&gated(&side)?)?)?;
        }
        self.out.apply(&horizontal.relu()?)
    }

    /// `ln P` of each pixel given those before it, `(B, H, W)`, nats; `x` is `(B, C, H, W)` in `[0, 1]` and is rounded
    /// to the nearest level.
    ///
    /// # Errors
    /// [`Error::Shape`] when the images do not fit.
    pub fn log_probabilities(&self, x: &Tensor) -> Result<Tensor> {
        fits(x, self.shape)?;
        let (channels, mixture) = (self.shape[0], self.config.mixture);
        let top = (self.config.levels - 1) as f64;
        let x = (x * top)?.round()?.clamp(0.0, top)?.affine(2.0 / top, -1.0)?;
        let out = self.features(&x)?;
        let part = |first: usize| Ok::<_, Error>(out.narrow(3, first * mixture, mixture)?.contiguous()?);
        let weights = part(0)?;
        let mut log = weights.broadcast_sub(&weights.log_sum_exp(3)?.unsqueeze(3)?)?;
        let values = (0..channels).map(|c| Ok(x.narrow(1, c, 1)?.squeeze(1)?.unsqueeze(3)?));
        let values = values.collect::<Result<Vec<_>>>()?;
        let mut link = 1 + 2 * channels;
        for c in 0..channels {
            let (mut mean, raw) = (part(1 + 2 * c)?, part(2 + 2 * c)?);
            // Each channel's mean moves with the channels before it (Salimans et al. 2017, section 2.2).
            for before in &values[..c] {
                mean = (mean + part(link)?.tanh()?.broadcast_mul(before)?)?;
                link += 1;
            }
            log = (log + self.log_level(&values[c], &mean, &raw)?)?;
        }
        Ok(log.log_sum_exp(3)?)
    }

    /// `ln P` of the level at `value` `(B, H, W, 1)` by logistic densities of `mean` and log width `raw` `(B, H, W,
    /// K)`. What lies beyond the ends belongs to the ends. With `a` and `b` the standardised upper and lower edge of
    /// the level, `sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b) (1 - exp(b - a))`, which has no cancellation.
    fn log_level(&self, value: &Tensor, mean: &Tensor, raw: &Tensor) -> Result<Tensor> {
        let half = 1.0 / (self.config.levels - 1) as f64;
        let (low, high) = LOG_WIDTH;
        let (centre, reach) = ((high + low) / 2.0, (high - low) / 2.0);
        let log_width = ((raw * (1.0 / reach))?.tanh()? * reach)?.affine(1.0, centre)?;
        let per_width = log_width.neg()?.exp()?;
        let from_mean = value.broadcast_sub(mean)?;
        let upper = log_sigmoid(&((&from_mean + half)? * &per_width)?)?;
        let lower = log_sigmoid(&((&from_mean - half)? * &per_width)?.neg()?)?;
        let between = ((per_width * (-2.0 * half))?.exp()?.affine(-1.0, 1.0))?.log()?;
        let dtype = value.dtype();
        let not_last = value.lt(1.0 - half)?.to_dtype(dtype)?;
        let not_first = value.gt(half - 1.0)?.to_dtype(dtype)?;
        let inner = (&not_last * &not_first)?;
        let ends = (upper.broadcast_mul(&not_last)? + lower.broadcast_mul(&not_first)?)?;
        Ok((ends + between.broadcast_mul(&inner)?)?)
    }
}

impl Generative for PixelCnn {
    fn name(&self) -> &'static str {
        "pixel_cnn"
    }

    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Bits per dimension: `-log2 P(x) / (C H W)`.
    fn loss(&self, x: &Tensor, context: Option<&Tensor>, _: &mut Noise) -> Result<Tensor> {
        none_given(context)?;
        let log = self.log_probabilities(x)?.sum(2)?.sum(1)?;
        let dimensions = self.shape.iter().product::<usize>() as f64;
        Ok((log * (-1.0 / (dimensions * std::f64::consts::LN_2)))?)
    }
}
