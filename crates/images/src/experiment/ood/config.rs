//! Settings of the experiment.

use crate::model::{PixelCnnConfig, RealNvpConfig};
use ebmotion::{Error, Result};
use serde::{Deserialize, Serialize};
use std::f64::consts::FRAC_PI_2;

/// A likelihood to compare with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OodBaseline {
    /// [`crate::model::PixelCnn`].
    PixelCnn,
    /// [`crate::model::RealNvp`].
    RealNvp,
}

impl OodBaseline {
    /// Name as in settings and files.
    pub fn name(self) -> &'static str {
        match self {
            OodBaseline::PixelCnn => "pixel_cnn",
            OodBaseline::RealNvp => "real_nvp",
        }
    }
}

/// How a baseline is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OodBaselineConfig<N> {
    /// Its size.
    pub network: N,
    /// Steps of Adam. At least 1.
    pub steps: u64,
    /// Images a step. At least 1.
    pub batch: usize,
    /// Adam's step size at the beginning; it falls along half a cosine. Positive.
    pub learning_rate: f64,
}

/// Settings of the experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OodConfig {
    /// Seed of everything.
    pub seed: u64,
    /// Images a set, or all where there are fewer. At least 2.
    pub images: usize,
    /// Noise level (angle, in `(0, pi / 2)`) at which the energy judges; 0 for the one of `levels` that best tells
    /// training images from damaged ones.
    pub at: f64,
    /// Noise levels tried, and shown in the table.
    pub levels: Vec<f64>,
    /// Draws of noise over which an image's score is averaged, the same draws for all images; 0: an energy judges the
    /// image without noise.
    pub draws: usize,
    /// Images evaluated at once. At least 1.
    pub batch: usize,
    /// Bootstrap replicates of the intervals; 0 for none.
    pub replicates: usize,
    /// Likelihoods to compare with.
    pub baselines: Vec<OodBaseline>,
    /// Training images that judge a baseline's weights while it learns, of those that it would else learn from. At
    /// least 1.
    pub validation: usize,
    /// The autoregressive network.
    pub pixel_cnn: OodBaselineConfig<PixelCnnConfig>,
    /// The flow.
    pub real_nvp: OodBaselineConfig<RealNvpConfig>,
    /// Images of each set in the picture. At least 1.
    pub shown: usize,
}

impl Default for OodConfig {
    fn default() -> Self {
        let network = PixelCnnConfig { width: 24, layers: 3, mixture: 5, levels: 256 };
        let pixel_cnn = OodBaselineConfig { network, steps: 800, batch: 16, learning_rate: 3e-3 };
        let network = RealNvpConfig { couplings: 6, hidden: vec![256, 256] };
        let real_nvp = OodBaselineConfig { network, steps: 4000, batch: 64, learning_rate: 1e-3 };
        Self {
            seed: 0,
            images: 2000,
            at: 0.0,
            levels: vec![0.05, 0.1, 0.2, 0.4, 0.8, 1.2],
            draws: 1,
            batch: 100,
            replicates: 200,
            baselines: vec![OodBaseline::PixelCnn, OodBaseline::RealNvp],
            validation: 200,
            pixel_cnn,
            real_nvp,
            shown: 10,
        }
    }
}

impl OodConfig {
    pub(super) fn validate(&self) -> Result<()> {
        let least = [
            ("images", self.images, 2),
            ("levels", self.levels.len(), 1),
            ("batch", self.batch, 1),
            ("validation", self.validation, 1),
            ("shown", self.shown, 1),
        ];
        if let Some((key, found, least)) = least.into_iter().find(|(_, found, least)| found < least) {
            return Err(Error::config(key, found, format!("at least {least}")));
        }
        if let Some(t) = self.levels.iter().find(|t| !(**t > 0.0 && **t < FRAC_PI_2)) {
            return Err(Error::config("levels", t, "above 0 and below pi / 2"));
        }
        if !(0.0..FRAC_PI_2).contains(&self.at) {
            return Err(Error::config("at", self.at, "0, or above it and below pi / 2"));
        }
        Ok(())
    }
}
