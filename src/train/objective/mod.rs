//! Objectives: each one file.

mod denoising;
mod regression;

pub use denoising::Denoising;
pub use regression::Regression;
