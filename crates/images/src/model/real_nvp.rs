//! A normalizing flow of images by affine couplings (Dinh et al. 2017, "Density estimation using Real NVP", eq. 7 to
//! 9), whose scales and translations are perceptrons.
//!
//! Pixels are filled up with uniform noise to continuous numbers and taken through a logit (section 4.1), standardised,
//! and then half of the numbers scales and moves the other half, in turns, until all are standard normal. The density
//! is exact: the normal one of the result times the determinant of the way there.

use super::density::{fits, none_given};
use candle_core::{D, DType, Device, Tensor, Var};
use ebmotion::model::{Activation, Generative, Mlp, MlpConfig, Parameters};
use ebmotion::noise::Noise;
use ebmotion::{Error, Result};
use serde::{Deserialize, Serialize};
use std::f64::consts::{LN_2, TAU};

/// Levels of a pixel.
const LEVELS: f64 = 256.0;
/// Keeps the logit finite: pixels are taken into `(EDGE, 1 - EDGE)` before it.
const EDGE: f64 = 0.05;
/// Bound of a coupling's log scale, either way.
const LOG_SCALE: f64 = 2.0;
/// Least standard deviation by which a pixel is divided at the start. That of the noise within one level is about 0.02,
/// but divided by as little, the first bright pixel where all examples are dark would be a number of some hundreds.
const LEAST_STD: f64 = 0.2;

/// Size of a [`RealNvp`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RealNvpConfig {
    /// Couplings; each changes one half of the numbers. At least 1.
    pub couplings: usize,
    /// Widths of the hidden layers of each coupling's perceptron.
    pub hidden: Vec<usize>,
}

/// A density of images, and the way between them and standard normal numbers.
#[derive(Debug, Clone)]
pub struct RealNvp {
    shape: [usize; 3],
    parameters: Parameters,
    /// `(1, D)` each: the first step, `(x - mean) exp(-log_std)`.
    mean: Var,
    log_std: Var,
    couplings: Vec<Coupling>,
}

/// One half of the numbers scales and moves the other.
#[derive(Debug, Clone)]
struct Coupling {
    net: Mlp,
    /// The half that stays, then the half that changes, `(D,)`; and the order that undoes this one.
    order: Tensor,
    back: Tensor,
    stays: usize,
}

impl Coupling {
    /// The halves in turn, by three patterns: a chessboard, columns, rows.
    fn new(
        [channels, height, width]: [usize; 3],
        turn: usize,
        hidden: &[usize],
        noise: &mut Noise,
        dtype: DType,
    ) -> Result<Self> {
        let count = channels * height * width;
        let (row, column) = (|i: usize| i / width % height, |i: usize| i % width);
        let colour = |i: usize| match turn / 2 % 3 {
            0 => (row(i) + column(i) + i / (width * height)) % 2,
            1 => column(i) % 2,
            _ => row(i) % 2,
        };
        let mut order: Vec<u32> = (0..count as u32).collect();
        order.sort_by_key(|i| (colour(*i as usize) + turn) % 2);
        let mut back = vec![0u32; count];
        order.iter().enumerate().for_each(|(to, from)| back[*from as usize] = to as u32);
        let stays = count / 2;
        let config = MlpConfig {
            inputs: stays,
            context: 0,
            hidden: hidden.to_vec(),
            outputs: 2 * (count - stays),
            activation: Activation::Swish,
            positions: None,
            spectral_norm: false,
        };
        let net = Mlp::new(config, noise, dtype, &Device::Cpu)?;
        Ok(Self { net, order: Tensor::new(order, &Device::Cpu)?, back: Tensor::new(back, &Device::Cpu)?, stays })
    }

    /// Log scale and translation of the other half, `(B, D - stays)` each.
    fn act(&self, stays: &Tensor) -> Result<(Tensor, Tensor)> {
        let out = self.net.forward(stays, None)?;
        let width = out.dim(1)? / 2;
        let scale = ((out.narrow(1, 0, width)? * (1.0 / LOG_SCALE))?.tanh()? * LOG_SCALE)?;
        Ok((scale, out.narrow(1, width, width)?))
    }

    fn halves(&self, x: &Tensor) -> Result<(Tensor, Tensor)> {
        let x = x.contiguous()?.index_select(&self.order, 1)?;
        let rest = x.dim(1)? - self.stays;
        Ok((x.narrow(1, 0, self.stays)?.contiguous()?, x.narrow(1, self.stays, rest)?))
    }

    fn whole(&self, stays: &Tensor, changed: &Tensor) -> Result<Tensor> {
        Ok(Tensor::cat(&[stays, changed], 1)?.index_select(&self.back, 1)?)
    }

    /// Towards the normal numbers, and the log determinant `(B,)`.
    fn forward(&self, x: &Tensor) -> Result<(Tensor, Tensor)> {
        let (stays, other) = self.halves(x)?;
        let (scale, shift) = self.act(&stays)?;
        let changed = ((other * scale.exp()?)? + shift)?;
        Ok((self.whole(&stays, &changed)?, scale.sum(1)?))
    }

    fn inverse(&self, z: &Tensor) -> Result<Tensor> {
        let (stays, changed) = self.halves(z)?;
        let (scale, shift) = self.act(&stays)?;
        let other = ((changed - shift)? * scale.neg()?.exp()?)?;
        self.whole(&stays, &other)
    }
}

/// `x` in `[0, 1]` as `logit(EDGE + (1 - 2 EDGE) x)`, and the log determinant `(B,)`; `x` is `(B, D)`.
fn logit(x: &Tensor) -> Result<(Tensor, Tensor)> {
    let y = x.affine(1.0 - 2.0 * EDGE, EDGE)?;
    let (log, log_other) = (y.log()?, y.affine(-1.0, 1.0)?.log()?);
    let steep = ((&log + &log_other)?.neg()? + (1.0 - 2.0 * EDGE).ln())?;
    Ok(((log - log_other)?, steep.sum(1)?))
}

impl RealNvp {
    /// A fresh flow of images of `shape` `[C, H, W]`, at least 2 numbers in all; weights are drawn from `noise`, and
    /// the first step standardises the pixels of `examples` `(N, C, H, W)` in `[0, 1]` (as the layers of Kingma &
    /// Dhariwal 2018, "Glow", section 3.1, on their first batch).
    ///
    /// # Errors
    /// [`Error::Config`] for a size out of range; [`Error::Shape`] when the examples do not fit.
    pub fn new(
        shape: [usize; 3],
        config: &RealNvpConfig,
        examples: &Tensor,
        noise: &mut Noise,
        dtype: DType,
    ) -> Result<Self> {
        if config.couplings == 0 {
            return Err(Error::config("real_nvp.couplings", 0, "at least 1"));
        }
        let count: usize = shape.iter().product();
        if count < 2 {
            return Err(Error::config("shape of the images", format!("{shape:?}"), "at least 2 numbers"));
        }
        fits(examples, shape)?;
        let (u, _) = logit(&filled(&examples.to_dtype(dtype)?, noise)?)?;
        let mean = u.mean_keepdim(0)?;
        let variance = u.broadcast_sub(&mean)?.sqr()?.mean_keepdim(0)?;
        let log_std = (variance + LEAST_STD * LEAST_STD)?.log()?.affine(0.5, 0.0)?;
        let mut parameters = Parameters::default();
        let (mean, log_std) = (parameters.add("mean", &mean)?, parameters.add("log_std", &log_std)?);
        let mut couplings = Vec::new();
        for turn in 0..config.couplings {
            let coupling = Coupling::new(shape, turn, &config.hidden, noise, dtype)?;
            parameters.join(&format!("coupling{turn}"), coupling.net.parameters());
            couplings.push(coupling);
        }
        Ok(Self { shape, parameters, mean, log_std, couplings })
    }

    /// The normal numbers `(B, D)` of continuous pixels `x` `(B, C, H, W)` in `(0, 1)`, and the log determinant of the
    /// way there, `(B,)`.
    ///
    /// # Errors
    /// [`Error::Shape`] when the images do not fit.
    pub fn forward(&self, x: &Tensor) -> Result<(Tensor, Tensor)> {
        fits(x, self.shape)?;
        let (u, steep) = logit(&x.flatten_from(1)?)?;
        let mut z = u.broadcast_sub(self.mean.as_tensor())?.broadcast_mul(&self.log_std.neg()?.exp()?)?;
        let mut log_determinant = steep.broadcast_sub(&self.log_std.sum_all()?)?;
        for coupling in &self.couplings {
            let (next, by) = coupling.forward(&z)?;
            log_determinant = (log_determinant + by)?;
            z = next;
        }
        Ok((z, log_determinant))
    }

    /// The pixels `(B, C, H, W)` of normal numbers `z` `(B, D)`: undoes [`RealNvp::forward`], and draws images from
    /// normal draws. Detached. Beyond `[0, 1]` by at most a ninth of the range, as the logit's edge lets them.
    ///
    /// # Errors
    /// [`Error::Tensor`] for another number of columns.
    pub fn inverse(&self, z: &Tensor) -> Result<Tensor> {
        let mut u = z.detach();
        for coupling in self.couplings.iter().rev() {
            u = coupling.inverse(&u)?;
        }
        let u = u.broadcast_mul(&self.log_std.exp()?)?.broadcast_add(self.mean.as_tensor())?;
        let y = (u * 0.5)?.tanh()?.affine(0.5, 0.5)?;
        let x = y.affine(1.0 / (1.0 - 2.0 * EDGE), -EDGE / (1.0 - 2.0 * EDGE))?;
        let [channels, height, width] = self.shape;
        Ok(x.reshape((x.dim(0)?, channels, height, width))?.detach())
    }

    /// `ln p` of continuous pixels `(B, C, H, W)` in `(0, 1)`, `(B,)`, nats, as a graph in the weights.
    ///
    /// # Errors
    /// [`Error::Shape`] when the images do not fit.
    pub fn log_density(&self, x: &Tensor) -> Result<Tensor> {
        let (z, log_determinant) = self.forward(x)?;
        let constant = -0.5 * z.dim(1)? as f64 * TAU.ln();
        Ok(((z.sqr()?.sum(D::Minus1)?.affine(-0.5, constant))? + log_determinant)?)
    }
}

/// Levels `x` `(B, ..)` in `[0, 1]` filled up with uniform noise: `(255 x + u) / 256`, `(B, D)`.
fn filled(x: &Tensor, noise: &mut Noise) -> Result<Tensor> {
    let levels = (x.flatten_from(1)? * (LEVELS - 1.0))?.round()?;
    let within = noise.uniform(levels.shape(), levels.dtype(), &Device::Cpu)?.to_device(x.device())?;
    Ok(((levels + within)? * (1.0 / LEVELS))?)
}

impl Generative for RealNvp {
    fn name(&self) -> &'static str {
        "real_nvp"
    }

    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Bits per dimension of images of 256 levels: an upper bound of `-log2 P(x) / (C H W)`, since the noise that fills
    /// the levels is drawn once (Theis et al. 2016, "A note on the evaluation of generative models", section 3.1).
    fn loss(&self, x: &Tensor, context: Option<&Tensor>, noise: &mut Noise) -> Result<Tensor> {
        none_given(context)?;
        fits(x, self.shape)?;
        let log = self.log_density(&filled(x, noise)?.reshape(x.shape())?)?;
        let dimensions = self.shape.iter().product::<usize>() as f64;
        Ok(log.affine(-1.0 / (dimensions * LN_2), LEVELS.log2())?)
    }
}
