//! Objectives: each one file.

mod contrastive;
mod denoising;
mod generative;
mod regression;

pub use contrastive::{Contrastive, ContrastiveConfig, Form};
pub use denoising::Denoising;
pub use generative::Fit;
pub use regression::Regression;
