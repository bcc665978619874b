//! Langevin dynamics: downhill in the energy, with noise.

use super::{ChainState, Proposal, Proposed};
use crate::energy::Energy;
use crate::energy::rows::{row_sum, rows};
use crate::error::{Error, Result};
use crate::noise::Noise;
use candle_core::Tensor;
use ebmotion_engine::engine::{ChainKind, LangevinStep};

/// `x' = x - step * dE/dx + noise * n` with `n` standard normal.
///
/// With `step = lambda / 2` and `noise = sqrt(lambda)` ([`Langevin::calibrated`]) this is Eq. 1 of Du and Mordatch 2019
/// (arXiv 1903.08689) at temperature 1. Their image experiments take much smaller noise than that.
///
/// `Unadjusted<Langevin>` is ULA, the unadjusted Langevin algorithm: cheap, with a bias of the order of the step.
/// `Metropolis<Langevin>` is MALA, the Metropolis-adjusted one (Roberts and Tweedie, Bernoulli 2, 1996): exact.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ebmotion::energy::analytic::Diagonal;
/// use ebmotion::noise::Noise;
/// use ebmotion::sample::langevin::Langevin;
/// use ebmotion::sample::{Metropolis, Transition, Unadjusted};
///
/// let energy = Diagonal::isotropic(1, 3.0, 1.0)?;
/// let start = Tensor::zeros((2000, 1), DType::F32, &Device::Cpu)?;
///
/// let ula = Unadjusted(Langevin::calibrated(0.1));
/// let (end, _) = ula.run_from(&energy, &start, 200, &mut Noise::new(1))?;
/// assert!((end.x.mean_all()?.to_scalar::<f32>()? - 3.0).abs() < 0.1);
///
/// let mala = Metropolis(Langevin::calibrated(1.0));
/// let (end, info) = mala.run_from(&energy, &start, 50, &mut Noise::new(1))?;
/// assert!((end.x.mean_all()?.to_scalar::<f32>()? - 3.0).abs() < 0.1);
/// assert!(info.acceptance.is_some_and(|share| share > 0.8));
/// # Ok::<(), ebmotion::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Langevin {
    /// Multiplier of the gradient, finite and 0 or greater.
    pub step: f64,
    /// Standard deviation of the noise, finite and 0 or greater.
    pub noise: f64,
    /// Each element of the gradient is limited to plus or minus this before it is used.
    pub gradient_clip: Option<f64>,
    /// Each element of `x'` is limited to this interval.
    ///
    /// Under Metropolis' rule a move that would leave the box is rejected, so the chain draws from the density
    /// restricted to the box; it must start inside.
    pub bounds: Option<(f64, f64)>,
}

impl Langevin {
    /// Eq. 1 with step size `lambda`: temperature 1, no clip, no bounds.
    pub fn calibrated(lambda: f64) -> Self {
        Self { step: lambda / 2.0, noise: lambda.sqrt(), gradient_clip: None, bounds: None }
    }

    /// The step as the engine makes it.
    pub(super) fn plain(&self) -> Result<LangevinStep> {
        self.check()?;
        let bounds = self.bounds.map(|(lo, hi)| (lo as f32, hi as f32));
        let clip = self.gradient_clip.map(|clip| clip as f32);
        Ok(LangevinStep { step: self.step as f32, noise: self.noise as f32, clip, bounds })
    }

    fn check(&self) -> Result<()> {
        let amount = |key: &str, value: f64| match value.is_finite() && value >= 0.0 {
            true => Ok(()),
            false => Err(Error::config(key, value, "a finite number, 0 or greater")),
        };
        amount("langevin.step", self.step)?;
        amount("langevin.noise", self.noise)?;
        match (self.gradient_clip, self.bounds) {
            (Some(clip), _) if clip.is_nan() || clip <= 0.0 => {
                Err(Error::config("langevin.gradient_clip", clip, "a positive number"))
            }
            (_, Some((lo, hi))) if lo.is_nan() || hi.is_nan() || lo >= hi => {
                Err(Error::config("langevin.bounds", format!("{lo} to {hi}"), "lower < upper"))
            }
            _ => Ok(()),
        }
    }

    /// `step` times the gradient after clipping.
    fn drift(&self, grad: &Tensor) -> Result<Tensor> {
        let grad = match self.gradient_clip {
            Some(clip) => grad.clamp(-clip, clip)?,
            None => grad.clone(),
        };
        Ok((grad * self.step)?)
    }

    /// The new position before the box, the position in the box, and the standard normal noise used.
    fn draw(&self, from: &ChainState, noise: &mut Noise) -> Result<(Tensor, Tensor, Tensor)> {
        let n = noise.normal(from.x.shape(), from.x.dtype(), from.x.device())?;
        let free = ((&from.x - self.drift(&from.at.grad)?)? + (&n * self.noise)?)?;
        let boxed = match self.bounds {
            Some((lo, hi)) => free.clamp(lo, hi)?,
            None => free.clone(),
        };
        Ok((free, boxed, n))
    }
}

impl Proposal for Langevin {
    /// # Errors
    /// [`Error::Config`] for settings out of their ranges, and without noise: then no way leads back.
    fn propose(&self, energy: &dyn Energy, from: &ChainState, noise: &mut Noise) -> Result<Proposed> {
        self.check()?;
        if self.noise <= 0.0 {
            return Err(Error::config("langevin.noise", self.noise, "a positive number under an accept rule"));
        }
        let (free, boxed, n) = self.draw(from, noise)?;
        let to = ChainState::at(energy, &boxed)?;
        // The noise that would lead back: q is Gaussian around x - step * clipped gradient, whatever step and clip are.
        let back = (((&from.x - &to.x)? + self.drift(&to.at.grad)?)? * (1.0 / self.noise))?;
        let mut log_ratio = ((row_sum(&n.sqr()?)? - row_sum(&back.sqr()?)?)? * 0.5)?;
        if self.bounds.is_some() {
            // Outside the box the density is 0.
            let outside = rows(&free.ne(&to.x)?)?.max(1)?;
            let never = log_ratio.ones_like()?.affine(f64::NEG_INFINITY, 0.0)?;
            log_ratio = outside.where_cond(&never, &log_ratio)?;
        }
        Ok(Proposed { to, log_ratio, gradients: 1 })
    }

    /// Also without noise (gradient descent).
    fn advance(&self, energy: &dyn Energy, from: &ChainState, noise: &mut Noise) -> Result<(ChainState, usize)> {
        self.check()?;
        let (_, boxed, _) = self.draw(from, noise)?;
        Ok((ChainState::at(energy, &boxed)?, 1))
    }

    fn walk(&self, metropolis: bool, steps: usize) -> Result<Option<ChainKind>> {
        let step = self.plain()?;
        Ok(match metropolis {
            false => Some(ChainKind::Langevin(vec![step; steps])),
            true if self.noise > 0.0 => Some(ChainKind::Mala { step, steps }),
            true => None, // the tensors' way says what is wrong
        })
    }
}
