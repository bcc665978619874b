//! How chains are to walk, where they start and where they end.

use crate::engine::moves::LangevinStep;

/// A way of moving chains.
#[derive(Debug, Clone, PartialEq)]
pub enum ChainKind {
    /// Unadjusted Langevin steps, each with its own settings: a schedule is written out.
    Langevin(Vec<LangevinStep>),
    /// Metropolis-adjusted Langevin steps.
    Mala {
        /// Every step's settings; its noise must be positive.
        step: LangevinStep,
        /// Steps.
        steps: usize,
    },
    /// Hamiltonian Monte Carlo with unit mass.
    Hmc {
        /// Step size.
        step: f64,
        /// Leapfrog steps a trajectory.
        leapfrogs: usize,
        /// Each trajectory's step size is uniform in `step * (1 -+ jitter)`.
        jitter: f64,
        /// Trajectories.
        steps: usize,
    },
}

impl ChainKind {
    /// Steps (trajectories).
    pub fn steps(&self) -> usize {
        match self {
            ChainKind::Langevin(steps) => steps.len(),
            ChainKind::Mala { steps, .. } | ChainKind::Hmc { steps, .. } => *steps,
        }
    }

    /// Evaluations of the energy and its gradient, for each chain.
    pub fn evaluations(&self) -> usize {
        match self {
            ChainKind::Hmc { leapfrogs, steps, .. } => leapfrogs * steps,
            _ => self.steps(),
        }
    }

    /// Draws of one step, in the order in which `ebmotion::sample` makes them.
    pub(super) fn draws(&self) -> usize {
        match self {
            ChainKind::Langevin(_) => 1,
            ChainKind::Mala { .. } => 2,
            ChainKind::Hmc { .. } => 3,
        }
    }
}

/// Where chains start.
#[derive(Debug, Clone, Copy)]
pub struct ChainStart<'a> {
    /// `(B, F)`.
    pub x: &'a [f32],
    /// Energy `(B,)` and gradient `(B, F)` there, where known.
    pub at: Option<(&'a [f32], &'a [f32])>,
}

/// Where chains ended, and what the walk was like.
#[derive(Debug, Clone, PartialEq)]
pub struct Finish {
    /// `(B, F)`.
    pub x: Vec<f32>,
    /// `(B,)`.
    pub energy: Vec<f32>,
    /// `(B, F)`.
    pub grad: Vec<f32>,
    /// Mean Euclidean distance that a chain moved in a step.
    pub moved: f64,
    /// Mean Euclidean norm of the gradient after a step.
    pub gradient_norm: f64,
    /// Mean acceptance probability; `None` without an accept rule.
    pub acceptance: Option<f64>,
}
