//! Objectives: each one file.

mod chains;
mod contrastive;
mod denoising;
mod difference;
mod generative;
mod improved_contrastive;
mod recovery;
mod regression;

pub use chains::{Augmentation, ContrastiveConfig, Form};
pub use contrastive::{Contrastive, energy_score};
pub use denoising::Denoising;
pub use difference::CentralDifference;
pub use generative::GenerativeLoss;
pub use improved_contrastive::{ImprovedConfig, ImprovedContrastive};
pub use recovery::{Recovery, RecoveryConfig, Spacing};
pub use regression::Regression;
