//! Whether chains go where a proposal points: always, or by Metropolis' rule.

use super::chain::{Summary, plain, summed};
use super::{ChainState, Proposal, RunInfo, StepInfo, Transition, fast};
use crate::energy::rows::{column, row_sum};
use crate::energy::{Energy, Evaluated};
use crate::error::{Error, Result};
use crate::noise::Noise;
use candle_core::{DType, Device, Tensor};

/// Goes wherever the proposal points: fast, and biased by the step size.
#[derive(Debug, Clone, Copy)]
pub struct Unadjusted<P>(pub P);

impl<P: Proposal> Transition for Unadjusted<P> {
    /// # Errors
    /// [`Error::NonFinite`] when an energy, a gradient or a position of the new state is not finite.
    fn step(&self, energy: &dyn Energy, from: &ChainState, noise: &mut Noise) -> Result<(ChainState, StepInfo)> {
        let (to, gradients) = self.0.advance(energy, from, noise)?;
        let info = StepInfo::new(from, &to, None, gradients)?;
        Summary { energy: info.energy, gradient_norm: info.gradient_norm }.check()?;
        if !info.moved.is_finite() {
            return Err(Error::NonFinite { what: "the chains' mean move".into(), value: info.moved, step: 0 });
        }
        Ok((to, info))
    }

    fn run_summed(
        &self,
        energy: &dyn Energy,
        from: &ChainState,
        steps: usize,
        noise: &mut Noise,
    ) -> Result<(ChainState, RunInfo)> {
        if let Some(walk) = self.0.walk(false, steps)?
            && let Some(done) = fast::run(&walk, energy, &from.x, Some(&from.at), noise)?
        {
            return Ok(done);
        }
        summed(self, energy, from, steps, noise)
    }

    fn run_from(
        &self,
        energy: &dyn Energy,
        x: &Tensor,
        steps: usize,
        noise: &mut Noise,
    ) -> Result<(ChainState, RunInfo)> {
        if let Some(walk) = self.0.walk(false, steps)?
            && let Some(done) = fast::run(&walk, energy, x, None, noise)?
        {
            return Ok(done);
        }
        summed(self, energy, &ChainState::start(energy, x)?, steps, noise)
    }
}

/// Accepts a proposal with probability `min(1, exp(E(from) - E(to)) q(from | to) / q(to | from))`, chain by chain, and
/// stays otherwise: exact for any step size (Metropolis et al., J. Chem. Phys. 21, 1953; Hastings, Biometrika 57,
/// 1970).
///
/// A proposal whose energy or gradient is not finite is rejected: its density counts as 0.
#[derive(Debug, Clone, Copy)]
pub struct Metropolis<P>(pub P);

impl<P: Proposal> Transition for Metropolis<P> {
    fn step(&self, energy: &dyn Energy, from: &ChainState, noise: &mut Noise) -> Result<(ChainState, StepInfo)> {
        let proposed = self.0.propose(energy, from, noise)?;
        let to = &proposed.to;
        let (before, after) = (plain(&from.at.energy)?, plain(&to.at.energy)?);
        let slopes = plain(&row_sum(&to.at.grad.sqr()?)?)?;
        let ratios = plain(&proposed.log_ratio)?;
        let mut acceptance = Vec::with_capacity(before.len());
        for (((before, after), slope), ratio) in before.iter().zip(&after).zip(&slopes).zip(&ratios) {
            let log_probability = before - after + ratio;
            let usable = after.is_finite() && slope.is_finite() && !log_probability.is_nan();
            acceptance.push(if usable { log_probability.min(0.0).exp() } else { 0.0 });
        }
        let uniforms = plain(&noise.uniform(before.len(), DType::F64, &Device::Cpu)?)?;
        let accepted: Vec<u8> = acceptance.iter().zip(&uniforms).map(|(p, u)| u8::from(u < p)).collect();
        let accepted = Tensor::new(accepted, from.x.device())?;
        let choose = |new: &Tensor, old: &Tensor| -> Result<Tensor> {
            Ok(column(&accepted, new)?.broadcast_as(new.shape())?.where_cond(new, old)?)
        };
        let next = ChainState {
            x: choose(&to.x, &from.x)?,
            at: Evaluated {
                energy: choose(&to.at.energy, &from.at.energy)?,
                grad: choose(&to.at.grad, &from.at.grad)?,
            },
        };
        let acceptance = Tensor::new(acceptance, &Device::Cpu)?;
        let info = StepInfo::new(from, &next, Some(acceptance), proposed.gradients)?;
        Ok((next, info))
    }

    fn run_summed(
        &self,
        energy: &dyn Energy,
        from: &ChainState,
        steps: usize,
        noise: &mut Noise,
    ) -> Result<(ChainState, RunInfo)> {
        if let Some(walk) = self.0.walk(true, steps)?
            && let Some(done) = fast::run(&walk, energy, &from.x, Some(&from.at), noise)?
        {
            return Ok(done);
        }
        summed(self, energy, from, steps, noise)
    }

    fn run_from(
        &self,
        energy: &dyn Energy,
        x: &Tensor,
        steps: usize,
        noise: &mut Noise,
    ) -> Result<(ChainState, RunInfo)> {
        if let Some(walk) = self.0.walk(true, steps)?
            && let Some(done) = fast::run(&walk, energy, x, None, noise)?
        {
            return Ok(done);
        }
        summed(self, energy, &ChainState::start(energy, x)?, steps, noise)
    }
}
