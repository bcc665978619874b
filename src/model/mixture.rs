//! Mixture density network: a mixture of diagonal Gaussians whose parameters a network gives (Bishop 1994, "Mixture
//! density networks", eqs. 22 to 29, with a width per dimension).

use super::density::{given, rows_of};
use super::{Generative, Generator, Mlp, MlpConfig, Parameters};
use crate::error::{Error, Result};
use crate::noise::Noise;
use candle_core::{D, DType, Device, Tensor};
use candle_nn::ops::log_softmax;

/// Natural logarithms of the narrowest and the widest component, in the units of `x`.
const LOG_WIDTH: (f64, f64) = (-5.0, 3.0);

/// A network `context -> (weights, means, widths)`.
#[derive(Debug, Clone)]
pub(crate) struct MixtureDensity {
    net: Mlp,
    components: usize,
    width: usize,
}

/// Parameters of a mixture.
struct Parts {
    /// `(B, M)`: log weights.
    log_weight: Tensor,
    /// `(B, M, S)`.
    mean: Tensor,
    /// `(B, M, S)`.
    log_width: Tensor,
}

impl MixtureDensity {
    /// A fresh network from contexts of `config.inputs` numbers to a mixture of `components` Gaussians over `width`
    /// numbers; `config.outputs` is set.
    ///
    /// # Errors
    /// As [`Mlp::new`]; [`Error::Config`] when `components` is 0.
    pub fn new(mut config: MlpConfig, components: usize, width: usize, noise: &mut Noise) -> Result<Self> {
        if components == 0 {
            return Err(Error::config("components", components, "at least 1"));
        }
        config.outputs = components * (1 + 2 * width);
        Ok(Self { net: Mlp::new(config, noise, DType::F32, &Device::Cpu)?, components, width })
    }

    fn parts(&self, context: &Tensor) -> Result<Parts> {
        let (m, s, rows) = (self.components, self.width, rows_of(context)?);
        let out = self.net.forward(context, None)?;
        let (low, high) = LOG_WIDTH;
        // A smooth bound: a width of 0 would make the density infinite.
        let raw = out.narrow(1, m + m * s, m * s)?.reshape((rows, m, s))?;
        let log_width = candle_nn::ops::sigmoid(&((raw * (4.0 / (high - low)))? + sigmoid_at_zero())?)?;
        Ok(Parts {
            log_weight: log_softmax(&out.narrow(1, 0, m)?, D::Minus1)?,
            mean: out.narrow(1, m, m * s)?.reshape((rows, m, s))?,
            log_width: log_width.affine(high - low, low)?,
        })
    }
}

/// Where the bounded width of a fresh network is 1: `ln 1 = 0` lies at `-low / (high - low)` of the range.
fn sigmoid_at_zero() -> f64 {
    let (low, high) = LOG_WIDTH;
    let part = -low / (high - low);
    (part / (1.0 - part)).ln()
}

impl Generative for MixtureDensity {
    fn name(&self) -> &'static str {
        "mixture"
    }

    fn parameters(&self) -> &Parameters {
        self.net.parameters()
    }

    /// Negative log density, nats, divided by the numbers of `x`.
    fn loss(&self, x: &Tensor, context: Option<&Tensor>, _: &mut Noise) -> Result<Tensor> {
        let context = given(context)?;
        let Parts { log_weight, mean, log_width } = self.parts(context)?;
        let x = x.flatten_from(1)?.unsqueeze(1)?;
        let away = (x.broadcast_sub(&mean)? / log_width.exp()?)?;
        let quadratic = ((away.sqr()? * 0.5)? + &log_width)?.sum(D::Minus1)?;
        let constant = 0.5 * self.width as f64 * std::f64::consts::TAU.ln();
        let log_density = ((log_weight - quadratic)? - constant)?.log_sum_exp(D::Minus1)?;
        Ok((log_density * (-1.0 / self.width as f64))?)
    }
}

impl Generator for MixtureDensity {
    fn evaluations(&self) -> usize {
        1
    }

    fn count(&self) -> usize {
        self.net.parameters().count()
    }

    fn draw(&self, context: &Tensor, noise: &mut Noise) -> Result<Tensor> {
        let rows = rows_of(context)?;
        let Parts { log_weight, mean, log_width } = self.parts(&context.detach())?;
        let which = noise.uniform((rows, 1), DType::F32, &Device::Cpu)?.flatten_all()?.to_vec1::<f32>()?;
        let eps = noise.normal((rows, self.width), DType::F32, &Device::Cpu)?;
        let weights = log_weight.exp()?.to_vec2::<f32>()?;
        let mut chosen = Vec::with_capacity(rows);
        for (row, (weights, u)) in weights.iter().zip(which).enumerate() {
            let mut below = 0.0;
            let index = weights.iter().position(|w| {
                below += w;
                u < below
            });
            chosen.push((row * self.components + index.unwrap_or(self.components - 1)) as u32);
        }
        let chosen = Tensor::from_vec(chosen, rows, &Device::Cpu)?;
        let pick = |t: &Tensor| Ok::<_, Error>(t.reshape(((), self.width))?.index_select(&chosen, 0)?);
        Ok((pick(&mean)? + (eps * pick(&log_width)?.exp()?)?)?.detach())
    }
}
