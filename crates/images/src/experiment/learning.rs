//! How an energy of images is learned.

use ebmotion::train::objective::{ContrastiveConfig, EnergyMatchingConfig, ImprovedConfig, RecoveryConfig};
use serde::{Deserialize, Serialize};

/// How the energy is learned, which decides what it is an energy of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Learning {
    /// One energy for every noise level, by denoising score matching; standardised pixels, swish, no spectral norm.
    Denoising {
        /// Weight of the contrast between an image's own class and another, which makes energies of different classes
        /// comparable; see [`ebmotion::train::objective::Denoising::contrasted`].
        contrast: f64,
    },
    /// The same by recovery likelihood: each level by contrast with short chains from the next noisier one.
    Recovery(RecoveryConfig),
    /// One energy of pixels in `[0, 1]`, by contrast with chains: the paper's recipe.
    Contrastive(ContrastiveConfig),
    /// The same with gradients through the last step of each chain (Du et al. 2021).
    Improved(ImprovedConfig),
    /// One energy of standardised pixels whose gradient leads from noise to images; swish, no spectral norm.
    EnergyMatching(EnergyMatchingConfig),
}

impl Learning {
    /// One energy for every noise level.
    pub(super) fn leveled(&self) -> bool {
        matches!(self, Learning::Denoising { .. } | Learning::Recovery(_))
    }

    /// The energy is one of pixels in `[0, 1]` as they are.
    pub(super) fn in_pixels(&self) -> bool {
        matches!(self, Learning::Contrastive(_) | Learning::Improved(_))
    }
}
