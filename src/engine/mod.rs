//! The fast path: whole chains on plain numbers.
//!
//! An energy that can say itself as a [`Program`] (a sum of networks and analytic terms) is run here by [`run`]: the
//! batch is cut into tiles of chains, each worker runs all steps of its tile, without a barrier or an allocation
//! between steps. Where there are fewer tiles than cores, the cores share a tile layer by layer. The engine knows no
//! tensors; what it computes is what [`crate::sample`] computes on the same energy with the same noise, to rounding.

#![allow(unsafe_code)]

mod chain;
pub(crate) mod cholesky;
pub mod conv;
mod crew;
pub mod cuda;
mod evaluate;
mod examples;
mod field;
pub(crate) mod guide;
mod layers;
mod learn;
mod linear;
mod matrix;
mod mlp;
mod moves;
mod passes;
mod peak;
mod plan;
mod program;
mod rollout;
mod sides;
mod spread;
#[cfg(test)]
mod tests;
mod thin;
mod tile;
mod whiten;

pub use crate::simd::Level;
pub use chain::{Finish, Start, Walk, run};
pub use evaluate::evaluate;
pub use examples::Examples;
pub use guide::{FrameTerm, Guide, Observed};
pub use layers::{Activation, Layer, Layers, Rows, Shared};
pub use learn::{WeightGradient, learn, learn_slopes};
pub use linear::Linear;
pub use mlp::Packed;
pub use moves::LangevinStep;
pub use peak::peak_gflops;
pub use plan::Options;
pub use program::{Program, Term};
pub use rollout::{Rollout, Stop};
pub use tile::TileEnergy;
pub use whiten::Whitener;
pub(crate) use whiten::{ITERATIONS, QUINTIC, RIDGE};
