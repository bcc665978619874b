//! Chains on an NVIDIA GPU: one launch runs all steps of all chains.
//!
//! What is compiled for an energy is made here from its [`Program`](super::Program), on any machine; only `run`
//! (feature `cuda`) needs a GPU. `GPU.md` tells how to build for one.

mod source;
#[cfg(test)]
mod tests;

#[cfg(feature = "cudnn")]
pub mod conv;
#[cfg(feature = "cuda")]
mod run;

#[cfg(feature = "cuda")]
pub use run::{Gpu, GpuFinish, run};
pub use source::{Device, Job, Mode};
