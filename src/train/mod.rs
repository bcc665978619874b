//! Learning a network from data: one trainer for every objective, every network and every shape of array.
//!
//! All randomness of step `k` comes from the run's noise forked by `k`, so a run's state is its tensors and its step
//! count.

mod archive;
mod batch;
mod checkpoint;
mod config;
mod divergence;
mod fused;
mod loss;
pub mod objective;
mod optimizer;
mod trainer;
mod whitening;

pub use archive::Archive;
pub use batch::{Batch, BatchSource};
pub use checkpoint::CheckpointPlan;
pub use config::TrainConfig;
pub use divergence::Divergence;
pub use loss::{EnergyObjective, Gradients, Loss, Objective};
pub use optimizer::{Adam, AdamConfig, Clip, Decay};
pub use trainer::{Outcome, train};
pub use whitening::Whitening;
