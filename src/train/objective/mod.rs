//! Objectives: each one file.

mod contrastive;
mod denoising;
mod regression;

pub use contrastive::{Contrastive, ContrastiveConfig, Form};
pub use denoising::Denoising;
pub use regression::Regression;
