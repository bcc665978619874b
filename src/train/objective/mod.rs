//! Objectives: each one file.

mod chains;
mod contrastive;
mod cross_entropy;
mod denoising;
mod difference;
mod energy_matching;
mod generative;
mod improved_contrastive;
mod info_nce;
mod recovery;
mod regression;

pub use chains::{Augmentation, ContrastiveConfig, Form};
pub use contrastive::Contrastive;
pub use cross_entropy::CrossEntropy;
pub use denoising::Denoising;
pub use energy_matching::{Coupling, EnergyMatching, EnergyMatchingConfig};
pub use generative::GenerativeLoss;
pub use improved_contrastive::{ImprovedConfig, ImprovedContrastive};
pub use info_nce::{Around, InfoNce, InfoNceConfig};
pub use recovery::{Recovery, RecoveryConfig, Spacing};
pub use regression::Regression;
