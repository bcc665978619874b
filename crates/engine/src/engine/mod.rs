//! The fast path: whole chains on plain numbers.
//!
//! An energy that can say itself as a [`Program`] (a sum of networks and analytic terms) is run here by [`run`]: the
//! batch is cut into tiles of chains, each worker runs all steps of its tile, without a barrier or an allocation
//! between steps. Where there are fewer tiles than cores, the cores share a tile layer by layer. The engine knows no
//! tensors; what it computes is what the samplers of `ebmotion` compute on the same energy with the same noise, to
//! rounding.

#![allow(unsafe_code)]

mod activation;
mod astray;
mod backprop;
mod chain;
#[doc(hidden)]
pub mod cholesky;
#[cfg(feature = "learning")]
pub mod conv;
pub mod cuda;
#[doc(hidden)]
pub mod estimate;
mod evaluate;
mod examples;
mod field;
mod gradient_factors;
mod guide;
mod layers;
mod leader;
mod learn;
mod linear;
mod matrix;
mod mlp;
mod moves;
mod packed;
mod peak;
mod plan;
mod program;
mod rollout;
mod rollout_parts;
mod small_batch;
mod spread;
mod team;
mod terms;
#[cfg(test)]
mod tests;
mod tile;
#[cfg(feature = "learning")]
mod whiten;

pub use crate::simd::Isa;
pub use chain::{ChainKind, ChainStart, Finish, run};
pub use evaluate::evaluate;
pub use examples::Examples;
pub use guide::{FrameTerm, Guide, Observed};
pub use layers::{Layer, Layers, Nonlinearity, Rows, Shared};
pub use learn::{WeightGradient, learn, learn_slopes};
pub use linear::Linear;
pub use moves::LangevinStep;
pub use packed::PackedMlp;
pub use peak::peak_gflops;
pub use plan::RunOptions;
pub use program::{Program, Term};
pub use rollout_parts::{Rollout, RolloutStop};
pub use tile::TileEnergy;
#[cfg(feature = "learning")]
pub use whiten::Whitener;
#[cfg(feature = "learning")]
#[doc(hidden)]
pub use whiten::{ITERATIONS, QUINTIC, RIDGE};
