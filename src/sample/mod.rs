//! Chains: ways of drawing from an energy.
//!
//! An algorithm is an assembly: a [`Proposal`] says where a chain may go, [`Unadjusted`] or [`Metropolis`] say whether
//! it goes there. `Unadjusted<Langevin>` is ULA, `Metropolis<Langevin>` MALA, `Metropolis<Leapfrog>` HMC. All chains of
//! a batch move at once and never talk to each other; with [`Noise`](crate::noise::Noise) counted by chain, row `b`
//! does not depend on the other rows.

pub mod accept;
pub mod adapt;
pub(crate) mod buffer;
mod chain;
mod column;
pub mod diagnose;
pub mod diffusion;
mod fast;
pub mod hmc;
pub mod langevin;
pub mod schedule;

pub use accept::{Metropolis, Unadjusted};
pub use chain::{ChainState, Place, Proposal, Proposed, RunInfo, StepInfo, Transition};
