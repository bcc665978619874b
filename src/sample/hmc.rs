//! Hamiltonian Monte Carlo (Duane et al., Phys. Lett. B 195, 1987; Neal, "MCMC using Hamiltonian dynamics", 2011).

use super::{ChainState, Proposal, Proposed};
use crate::energy::Energy;
use crate::energy::rows::{column, row_sum};
use crate::error::{Error, Result};
use crate::noise::Noise;
use candle_core::Tensor;
use ebmotion_engine::engine::ChainKind;

/// A trajectory of the leapfrog integrator from a fresh standard normal momentum.
///
/// The mass is 1: stretched densities are sampled in coordinates in which they are round, see
/// [`crate::energy::affine`], which [`super::adapt::Warmup`] finds.
///
/// `Metropolis<Leapfrog>` is HMC, Hamiltonian Monte Carlo with a fixed number of leapfrog steps:
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ebmotion::energy::analytic::Gaussian;
/// use ebmotion::noise::Noise;
/// use ebmotion::sample::hmc::Leapfrog;
/// use ebmotion::sample::{ChainState, Metropolis, Transition};
///
/// let energy = Gaussian::from_covariance(&[1.0, -1.0], &[1.0, 0.5, 0.5, 1.0])?;
/// let hmc = Metropolis(Leapfrog { step: 0.4, leapfrogs: 4, jitter: 0.1 });
/// let start = ChainState::start(&energy, &Tensor::zeros((2000, 2), DType::F64, &Device::Cpu)?)?;
/// let mean = hmc.run(&energy, &start, 20, &mut Noise::new(1))?.x.mean(0)?.to_vec1::<f64>()?;
/// assert!((mean[0] - 1.0).abs() < 0.1 && (mean[1] + 1.0).abs() < 0.1);
/// # Ok::<(), ebmotion::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Leapfrog {
    /// Step size, positive.
    pub step: f64,
    /// Steps per trajectory, 1 or more.
    pub leapfrogs: usize,
    /// Each chain draws its step size per trajectory uniformly from `step * (1 - jitter)` to `step * (1 + jitter)`, so
    /// that no trajectory closes on itself again and again; 0 (none) or greater, below 1.
    pub jitter: f64,
}

impl Leapfrog {
    fn check(&self) -> Result<()> {
        if !(self.step.is_finite() && self.step > 0.0) {
            return Err(Error::config("hmc.step", self.step, "a positive number"));
        }
        if self.leapfrogs == 0 {
            return Err(Error::config("hmc.leapfrogs", 0, "1 or more"));
        }
        if !(0.0..1.0).contains(&self.jitter) {
            return Err(Error::config("hmc.jitter", self.jitter, "0 or greater, below 1"));
        }
        Ok(())
    }

    /// Follows Hamilton's equations for `leapfrogs` steps from `from` with `momentum`, `(B, *S)`; `step_sizes`
    /// broadcast against it. Returns the end and the momentum there.
    fn follow(
        &self,
        energy: &dyn Energy,
        from: &ChainState,
        momentum: &Tensor,
        step_sizes: &Tensor,
    ) -> Result<(ChainState, Tensor)> {
        let half = (step_sizes * 0.5)?;
        let mut state = from.clone();
        let mut momentum = (momentum - state.at.grad.broadcast_mul(&half)?)?;
        for left in (0..self.leapfrogs).rev() {
            let x = (&state.x + momentum.broadcast_mul(step_sizes)?)?;
            state = ChainState::at(energy, &x)?;
            // Two half kicks in a row are one whole kick.
            let kick = if left == 0 { &half } else { step_sizes };
            momentum = (momentum - state.at.grad.broadcast_mul(kick)?)?;
        }
        Ok((state, momentum))
    }
}

impl Proposal for Leapfrog {
    fn propose(&self, energy: &dyn Energy, from: &ChainState, noise: &mut Noise) -> Result<Proposed> {
        self.check()?;
        let (x, dtype, device) = (&from.x, from.x.dtype(), from.x.device());
        let momentum = noise.normal(x.shape(), dtype, device)?;
        let spread = noise.uniform(x.dim(0)?, dtype, device)?;
        let step_sizes = spread.affine(2.0 * self.jitter * self.step, self.step * (1.0 - self.jitter))?;
        let (to, end) = self.follow(energy, from, &momentum, &column(&step_sizes, x)?)?;
        let log_ratio = ((row_sum(&momentum.sqr()?)? - row_sum(&end.sqr()?)?)? * 0.5)?;
        Ok(Proposed { to, log_ratio, gradients: self.leapfrogs })
    }

    fn walk(&self, metropolis: bool, steps: usize) -> Result<Option<ChainKind>> {
        self.check()?;
        let Self { step, leapfrogs, jitter } = *self;
        Ok(metropolis.then_some(ChainKind::Hmc { step, leapfrogs, jitter, steps }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::energy::gumbel::Gumbel;
    use candle_core::{DType, Device};

    fn largest(t: Tensor) -> f64 {
        t.abs().unwrap().max_all().unwrap().to_scalar().unwrap()
    }

    fn start() -> (Gumbel, ChainState, Tensor) {
        let energy = Gumbel::new(&[0.0, 1.0, -1.0], &[1.0, 2.0, 0.7]).unwrap();
        let x = Noise::new(1).normal((4, 3), DType::F64, &Device::Cpu).unwrap();
        let momentum = Noise::new(2).normal((4, 3), DType::F64, &Device::Cpu).unwrap();
        let state = ChainState::start(&energy, &x).unwrap();
        (energy, state, momentum)
    }

    fn go(energy: &dyn Energy, from: &ChainState, p: &Tensor, step: f64, leapfrogs: usize) -> (ChainState, Tensor) {
        let sizes = Tensor::full(step, (4, 1), &Device::Cpu).unwrap();
        Leapfrog { step, leapfrogs, jitter: 0.0 }.follow(energy, from, p, &sizes).unwrap()
    }

    /// The integrator is reversible, so only rounding is left: 40 steps of some 1e-16 each, little amplified.
    #[test]
    fn a_trajectory_leads_back_with_the_momentum_turned() {
        let (energy, from, p) = start();
        let (there, end) = go(&energy, &from, &p, 0.1, 20);
        let (back, again) = go(&energy, &there, &end.neg().unwrap(), 0.1, 20);
        assert!(largest((&there.x - &from.x).unwrap()) > 0.5, "it went nowhere");
        assert!(largest((back.x - from.x).unwrap()) < 1e-12);
        assert!(largest((again + p).unwrap()) < 1e-12);
    }

    /// Error at a fixed time falls as step^2 (Neal 2011, section 2.3): by 4 for half the step, up to the next, even,
    /// order.
    #[test]
    fn the_integrator_is_of_second_order() {
        let (energy, from, p) = start();
        let (exact, _) = go(&energy, &from, &p, 1.0 / 4096.0, 4096);
        let error = |n: usize| largest((go(&energy, &from, &p, 1.0 / n as f64, n).0.x - &exact.x).unwrap());
        for n in [16, 32, 64] {
            let order = (error(n) / error(2 * n)).log2();
            assert!((order - 2.0).abs() < 0.05, "order {order} from {n} to {} steps", 2 * n);
        }
    }
}
