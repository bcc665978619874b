//! Conditional variational autoencoder (Kingma & Welling 2014, "Auto-encoding variational Bayes", eq. 10; conditional:
//! Sohn et al. 2015, "Learning structured output representation using deep conditional generative models", eq. 3).

use super::density::{given, rows_of};
use super::{Activation, Generative, Generator, Mlp, MlpConfig, Parameters};
use crate::error::{Error, Result};
use crate::noise::Noise;
use candle_core::{D, DType, Device, Tensor};

/// Bound of the log variances, either way.
const LOG_VARIANCE: f64 = 8.0;

/// Encoder `(x, context) -> code` and decoder `(code, context) -> x`, both diagonal Gaussians; codes are standard
/// normal a priori.
#[derive(Debug, Clone)]
pub(crate) struct Cvae {
    encoder: Mlp,
    decoder: Mlp,
    parameters: Parameters,
    code: usize,
    width: usize,
    kl_weight: f64,
    free_nats: f64,
}

impl Cvae {
    /// Fresh networks with `hidden` layers for `x` of `width` numbers, contexts of `context` and codes of `code`
    /// numbers; `kl_weight` multiplies the divergence from the prior (1 is the evidence bound; Higgins et al. 2017,
    /// "beta-VAE", eq. 4), of which the first `free_nats` of each number of the code cost nothing (Kingma et al. 2016,
    /// "Improving variational inference with inverse autoregressive flow", eq. 15): without them codes were seen to
    /// collapse onto the prior.
    ///
    /// # Errors
    /// As [`Mlp::new`]; [`Error::Config`] when `code` is 0 or a weight negative.
    pub fn new(
        [width, context, code]: [usize; 3],
        hidden: &[usize],
        [kl_weight, free_nats]: [f64; 2],
        noise: &mut Noise,
    ) -> Result<Self> {
        for (key, value) in [("kl_weight", kl_weight), ("free_nats", free_nats)] {
            if value.is_nan() || value < 0.0 {
                return Err(Error::config(key, value, "at least 0"));
            }
        }
        let mut net = |inputs: usize, outputs: usize| {
            let (hidden, activation) = (hidden.to_vec(), Activation::Swish);
            let config =
                MlpConfig { inputs, context, hidden, outputs, activation, positions: None, spectral_norm: false };
            Mlp::new(config, noise, DType::F32, &Device::Cpu)
        };
        let (encoder, decoder) = (net(width, 2 * code)?, net(code, 2 * width)?);
        let mut parameters = Parameters::default();
        parameters.join("encoder", encoder.parameters());
        parameters.join("decoder", decoder.parameters());
        Ok(Self { encoder, decoder, parameters, code, width, kl_weight, free_nats })
    }

    /// Mean and log variance that a network gives.
    fn gaussian(net: &Mlp, x: &Tensor, context: &Tensor) -> Result<(Tensor, Tensor)> {
        let out = net.forward(x, Some(context))?;
        let width = out.dim(1)? / 2;
        let raw = out.narrow(1, width, width)?;
        let log_variance = ((raw * (1.0 / LOG_VARIANCE))?.tanh()? * LOG_VARIANCE)?;
        Ok((out.narrow(1, 0, width)?, log_variance))
    }
}

impl Generative for Cvae {
    fn name(&self) -> &'static str {
        "cvae"
    }

    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Negative evidence bound, nats, divided by the numbers of `x`.
    fn loss(&self, x: &Tensor, context: Option<&Tensor>, noise: &mut Noise) -> Result<Tensor> {
        let context = given(context)?;
        let x = x.flatten_from(1)?;
        let (mean, log_variance) = Self::gaussian(&self.encoder, &x, context)?;
        let eps = noise.normal((x.dim(0)?, self.code), DType::F32, x.device())?;
        let code = (&mean + ((&log_variance * 0.5)?.exp()? * eps)?)?;
        let (expected, spread) = Self::gaussian(&self.decoder, &code, context)?;
        let misfit =
            (((x - expected)?.sqr()? / spread.exp()?)? + &spread)?.affine(0.5, 0.5 * std::f64::consts::TAU.ln())?;
        let divergence = (((mean.sqr()? + log_variance.exp()?)? - &log_variance)? - 1.0)?;
        // Below the free nats the divergence, a mean over the batch, has no gradient.
        let divergence = (divergence.mean(0)? * 0.5)?.maximum(self.free_nats)?.sum_all()?;
        let bound = misfit.sum(D::Minus1)?.broadcast_add(&(divergence * self.kl_weight)?)?;
        Ok((bound * (1.0 / self.width as f64))?)
    }
}

impl Generator for Cvae {
    fn evaluations(&self) -> usize {
        1
    }

    fn count(&self) -> usize {
        self.parameters.count()
    }

    fn draw(&self, context: &Tensor, noise: &mut Noise) -> Result<Tensor> {
        let rows = rows_of(context)?;
        let code = noise.normal((rows, self.code), DType::F32, &Device::Cpu)?;
        let eps = noise.normal((rows, self.width), DType::F32, &Device::Cpu)?;
        let (mean, log_variance) = Self::gaussian(&self.decoder, &code, &context.detach())?;
        Ok((mean + ((log_variance * 0.5)?.exp()? * eps)?)?.detach())
    }
}
