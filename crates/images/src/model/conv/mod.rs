//! Convolutional networks that are energies of images (Du & Mordatch 2019, appendix A.8).
//!
//! [`ConvEnergy`] is a [`Network`](ebmotion::model::Network): its value as tensor operations (`graph.rs`) is the
//! reference. For f32 on the CPU energies, input gradients, whole chains and weight gradients are computed by
//! [`ebmotion_engine::engine::conv`] (`plain.rs`), for f32 on a GPU, with the feature `cudnn`, by `engine::cuda::conv`
//! (`gpu.rs`); elsewhere, and where a loss of the input gradient is wanted, the gradient is written out as tensor
//! operations too (`gradient.rs`).

mod config;
mod energy;
#[cfg(feature = "cudnn")]
mod gpu;
mod gradient;
mod graph;
mod plain;

pub use config::{ConvConfig, StageConfig};
pub use energy::ConvEnergy;
#[cfg(feature = "cudnn")]
pub use gpu::OnGpu;
