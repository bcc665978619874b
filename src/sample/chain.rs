//! What chains are, where they may go and how they are moved.

use crate::energy::rows::row_sum;
use crate::energy::{Energy, Evaluated};
use crate::error::{Error, Result};
use crate::noise::Noise;
use candle_core::{DType, Tensor};
use ebmotion_engine::engine::ChainKind;

/// All that the next step of a batch of chains needs.
#[derive(Debug, Clone)]
pub struct ChainState {
    /// Where the chains are, `(B, *S)`.
    pub x: Tensor,
    /// Energy and gradient there.
    pub at: Evaluated,
}

impl ChainState {
    /// Chains that start at `x`.
    ///
    /// # Errors
    /// [`Error::NonFinite`] at step 0 when an energy or gradient there is not finite, and whatever the energy returns.
    pub fn start(energy: &dyn Energy, x: &Tensor) -> Result<Self> {
        let state = Self::at(energy, x)?;
        state.summary()?.check()?;
        Ok(state)
    }

    /// The state at `x`, finite or not.
    ///
    /// # Errors
    /// Whatever the energy returns.
    pub fn at(energy: &dyn Energy, x: &Tensor) -> Result<Self> {
        let x = x.detach();
        let at = energy.evaluate(&x)?;
        Ok(Self { x, at: Evaluated { energy: at.energy.detach(), grad: at.grad.detach() } })
    }

    pub(super) fn summary(&self) -> Result<Summary> {
        Ok(Summary { energy: mean(&self.at.energy)?, gradient_norm: mean_norm(&self.at.grad)? })
    }
}

/// A place to go to, and how it may be accepted.
#[derive(Debug, Clone)]
pub struct Proposed {
    /// Where the chains would be.
    pub to: ChainState,
    /// `ln q(from | to) - ln q(to | from)`, `(B,)`; with momenta also the kinetic energy given up. Minus infinity where
    /// the way back is impossible.
    pub log_ratio: Tensor,
    /// Evaluations of the energy and its gradient.
    pub gradients: usize,
}

/// Where chains may go.
pub trait Proposal {
    /// Proposes a move for each chain, with the ratio that makes Metropolis' rule exact.
    ///
    /// # Errors
    /// [`Error::Config`] when the settings define no such ratio; whatever the energy returns.
    fn propose(&self, energy: &dyn Energy, from: &ChainState, noise: &mut Noise) -> Result<Proposed>;

    /// The same move without its ratio, and the evaluations it took. The default is the specification; an override is a
    /// cheaper way there, and may serve settings that define no ratio.
    ///
    /// # Errors
    /// As [`Proposal::propose`].
    fn advance(&self, energy: &dyn Energy, from: &ChainState, noise: &mut Noise) -> Result<(ChainState, usize)> {
        let proposed = self.propose(energy, from, noise)?;
        Ok((proposed.to, proposed.gradients))
    }

    /// Steps of this proposal as [`ebmotion_engine::engine`] makes them, with Metropolis' rule or without; `None`, the
    /// default, where it cannot.
    ///
    /// # Errors
    /// As [`Proposal::propose`].
    fn walk(&self, metropolis: bool, steps: usize) -> Result<Option<ChainKind>> {
        let _ = (metropolis, steps);
        Ok(None)
    }
}

/// What one step was like: means over the batch, for telemetry.
#[derive(Debug, Clone)]
pub struct StepInfo {
    /// Probability with which each chain's proposal was to be accepted, `(B,)` f64; `None` without an accept rule.
    pub acceptance: Option<Tensor>,
    /// Mean energy after the step, nats.
    pub energy: f64,
    /// Mean Euclidean norm of the gradient after the step.
    pub gradient_norm: f64,
    /// Mean Euclidean distance moved.
    pub moved: f64,
    /// Evaluations of the energy and its gradient, of the whole batch.
    pub gradients: usize,
}

impl StepInfo {
    pub(super) fn new(
        from: &ChainState,
        to: &ChainState,
        acceptance: Option<Tensor>,
        gradients: usize,
    ) -> Result<Self> {
        let Summary { energy, gradient_norm } = to.summary()?;
        let moved = mean_norm(&(&to.x - &from.x)?)?;
        Ok(Self { acceptance, energy, gradient_norm, moved, gradients })
    }

    /// Mean acceptance probability of the batch.
    ///
    /// # Errors
    /// [`Error::Tensor`] when the tensor library fails.
    pub fn mean_acceptance(&self) -> Result<Option<f64>> {
        self.acceptance.as_ref().map(mean).transpose()
    }
}

/// What the steps of a run were like: means over steps and batch.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct RunInfo {
    /// Probability with which proposals were accepted; `None` without an accept rule.
    pub acceptance: Option<f64>,
    /// Euclidean norm of the gradient after a step.
    pub gradient_norm: f64,
    /// Euclidean distance moved in a step.
    pub moved: f64,
    /// Evaluations of the energy and its gradient, of the whole batch.
    pub gradients: usize,
}

/// Place of a step in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Steps done before this one.
    pub step: usize,
    /// Steps of the whole run.
    pub of: usize,
}

impl Place {
    /// 0 at the first step, 1 at the last; 0 where there is only one.
    pub fn progress(&self) -> f64 {
        if self.of > 1 { self.step as f64 / (self.of - 1) as f64 } else { 0.0 }
    }
}

/// One way of moving chains.
pub trait Transition {
    /// Moves each chain once.
    ///
    /// # Errors
    /// [`Error::NonFinite`] when a chain without an accept rule diverges; whatever the energy or the settings return.
    fn step(&self, energy: &dyn Energy, from: &ChainState, noise: &mut Noise) -> Result<(ChainState, StepInfo)>;

    /// The step at one place of a run; only transitions that change along the way tell it from [`Transition::step`].
    ///
    /// # Errors
    /// As [`Transition::step`].
    fn step_at(
        &self,
        place: Place,
        energy: &dyn Energy,
        from: &ChainState,
        noise: &mut Noise,
    ) -> Result<(ChainState, StepInfo)> {
        let _ = place;
        self.step(energy, from, noise)
    }

    /// Makes `steps` steps.
    ///
    /// # Errors
    /// As [`Transition::step`]; [`Error::NonFinite`] carries the step, counted from 0.
    fn run(&self, energy: &dyn Energy, from: &ChainState, steps: usize, noise: &mut Noise) -> Result<ChainState> {
        Ok(self.run_summed(energy, from, steps, noise)?.0)
    }

    /// [`Transition::run`] that also tells what its steps were like on average. The default takes step by step; where
    /// energy and transition can be said to [`ebmotion_engine::engine`], whole chains run there.
    ///
    /// # Errors
    /// As [`Transition::run`].
    fn run_summed(
        &self,
        energy: &dyn Energy,
        from: &ChainState,
        steps: usize,
        noise: &mut Noise,
    ) -> Result<(ChainState, RunInfo)> {
        summed(self, energy, from, steps, noise)
    }

    /// [`Transition::run_summed`] of chains that start at `x`, whose energy and gradient are not known yet.
    ///
    /// # Errors
    /// As [`ChainState::start`] and [`Transition::run`].
    fn run_from(
        &self,
        energy: &dyn Energy,
        x: &Tensor,
        steps: usize,
        noise: &mut Noise,
    ) -> Result<(ChainState, RunInfo)> {
        self.run_summed(energy, &ChainState::start(energy, x)?, steps, noise)
    }

    /// [`Transition::run`] that shows each new state and what its step was like to `watch`.
    ///
    /// # Errors
    /// As [`Transition::run`], and whatever `watch` returns.
    fn run_watched(
        &self,
        energy: &dyn Energy,
        from: &ChainState,
        steps: usize,
        noise: &mut Noise,
        watch: &mut ChainWatch<'_>,
    ) -> Result<ChainState> {
        let mut state = from.clone();
        for step in 0..steps {
            let (next, info) = self
                .step_at(Place { step, of: steps }, energy, &state, noise)
                .map_err(|error| numbered(error, step as u64))?;
            watch(step, &next, &info)?;
            state = next;
        }
        Ok(state)
    }
}

/// A listener to a run: step counted from 0, state after it, what it was like.
pub(crate) type ChainWatch<'a> = dyn FnMut(usize, &ChainState, &StepInfo) -> Result<()> + 'a;

impl<T: Transition + ?Sized> Transition for &T {
    fn step(&self, energy: &dyn Energy, from: &ChainState, noise: &mut Noise) -> Result<(ChainState, StepInfo)> {
        (**self).step(energy, from, noise)
    }

    fn step_at(
        &self,
        place: Place,
        energy: &dyn Energy,
        from: &ChainState,
        noise: &mut Noise,
    ) -> Result<(ChainState, StepInfo)> {
        (**self).step_at(place, energy, from, noise)
    }

    fn run_summed(
        &self,
        energy: &dyn Energy,
        from: &ChainState,
        steps: usize,
        noise: &mut Noise,
    ) -> Result<(ChainState, RunInfo)> {
        (**self).run_summed(energy, from, steps, noise)
    }

    fn run_from(
        &self,
        energy: &dyn Energy,
        x: &Tensor,
        steps: usize,
        noise: &mut Noise,
    ) -> Result<(ChainState, RunInfo)> {
        (**self).run_from(energy, x, steps, noise)
    }
}

/// [`Transition::run_summed`] step by step.
pub(super) fn summed<T: Transition + ?Sized>(
    transition: &T,
    energy: &dyn Energy,
    from: &ChainState,
    steps: usize,
    noise: &mut Noise,
) -> Result<(ChainState, RunInfo)> {
    let mut sum = RunInfo::default();
    let end = transition.run_watched(energy, from, steps, noise, &mut |_, _, info| {
        if let Some(acceptance) = info.mean_acceptance()? {
            *sum.acceptance.get_or_insert(0.0) += acceptance / steps as f64;
        }
        sum.gradient_norm += info.gradient_norm / steps as f64;
        sum.moved += info.moved / steps as f64;
        sum.gradients += info.gradients;
        Ok(())
    })?;
    Ok((end, sum))
}

pub(super) struct Summary {
    pub(super) energy: f64,
    pub(super) gradient_norm: f64,
}

impl Summary {
    pub(super) fn check(&self) -> Result<()> {
        for (what, value) in [("the chains' mean energy", self.energy), ("the mean gradient norm", self.gradient_norm)]
        {
            if !value.is_finite() {
                return Err(Error::NonFinite { what: what.into(), value, step: 0 });
            }
        }
        Ok(())
    }
}

/// A step alone does not know its number; the run does.
pub(super) fn numbered(error: Error, at: u64) -> Error {
    match error {
        Error::NonFinite { what, value, .. } => Error::NonFinite { what, value, step: at },
        other => other,
    }
}

pub(super) fn mean(values: &Tensor) -> Result<f64> {
    Ok(values.to_dtype(DType::F64)?.mean_all()?.to_scalar()?)
}

pub(super) fn mean_norm(x: &Tensor) -> Result<f64> {
    mean(&row_sum(&x.sqr()?)?.sqrt()?)
}

/// A `(B,)` tensor as plain numbers.
pub(super) fn plain(values: &Tensor) -> Result<Vec<f64>> {
    Ok(values.to_dtype(DType::F64)?.to_vec1()?)
}
