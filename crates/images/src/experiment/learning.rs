//! How an energy of images is learned.

use crate::model::ConvEnergy;
use crate::objective::{EnergyMatching, EnergyMatchingConfig};
use ebmotion::model::Leveled;
use ebmotion::train::EnergyObjective;
use ebmotion::train::objective::{
    Augmentation, Contrastive, ContrastiveConfig, Denoising, ImprovedConfig, ImprovedContrastive, Recovery,
    RecoveryConfig,
};
use ebmotion::{Error, Result};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

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
    /// The objective over an energy for every noise level.
    pub(super) fn over_levels(
        &self,
        energy: Leveled<ConvEnergy>,
    ) -> Result<Box<dyn EnergyObjective<Leveled<ConvEnergy>>>> {
        Ok(match self {
            Learning::Denoising { contrast } => Box::new(Denoising::new(energy).contrasted(*contrast)?),
            Learning::Recovery(chains) => Box::new(Recovery::new(energy, chains.clone())?),
            _ => return Err(mixed()),
        })
    }

    /// The objective over one energy of arrays of `shape` given one of the shape `context`; chains of those that have
    /// any are `moved` when they are resumed.
    pub(super) fn over(
        &self,
        energy: ConvEnergy,
        shape: &[usize],
        context: Option<&[usize]>,
        moved: Option<Arc<dyn Augmentation>>,
    ) -> Result<Box<dyn EnergyObjective<ConvEnergy>>> {
        Ok(match self {
            Learning::Contrastive(chains) => {
                let objective = Contrastive::new(energy, chains.clone(), shape, context)?;
                Box::new(match moved {
                    Some(moved) => objective.augmented(moved),
                    None => objective,
                })
            }
            Learning::Improved(chains) => {
                let objective = ImprovedContrastive::new(energy, chains.clone(), shape, context)?;
                Box::new(match moved {
                    Some(moved) => objective.augmented(moved),
                    None => objective,
                })
            }
            Learning::EnergyMatching(settings) => Box::new(EnergyMatching::new(energy, settings.clone())?),
            _ => return Err(mixed()),
        })
    }

    /// One energy for every noise level.
    pub(super) fn leveled(&self) -> bool {
        matches!(self, Learning::Denoising { .. } | Learning::Recovery(_))
    }

    /// The energy is one of pixels in `[0, 1]` as they are.
    pub(super) fn in_pixels(&self) -> bool {
        matches!(self, Learning::Contrastive(_) | Learning::Improved(_))
    }
}

fn mixed() -> Error {
    Error::data("energy to learn", "one of another kind than its objective", "both with noise levels, or both without")
}
