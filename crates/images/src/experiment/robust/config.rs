//! Settings of the experiment.

use crate::sample::{Attack, Norm};
use ebmotion::{Error, Result};
use serde::{Deserialize, Serialize};

/// Settings of the experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RobustConfig {
    /// Seed of the choice of images, of all attacks and chains.
    pub seed: u64,
    /// Images of the test set, drawn without repetition; 0 for all.
    pub images: usize,
    /// Noise levels (angles) at which the energy judges; their mean counts. Without meaning for an energy without
    /// levels.
    pub levels: Vec<f64>,
    /// Fixed draws of noise at each level through which an image is seen; 0 for none.
    pub draws: usize,
    /// Images of the training set on which a constant for each class is fitted; 0 for none.
    pub calibration: usize,
    /// Steps of the attack.
    pub steps: usize,
    /// Radii by the largest change of a pixel in `[0, 1]`, rising.
    pub linf: Vec<f64>,
    /// Radii by the root of the sum of squared changes, rising.
    pub l2: Vec<f64>,
    /// Langevin dynamics before the energy judges.
    pub purification: PurificationConfig,
}

/// Settings of the purification.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PurificationConfig {
    /// Langevin steps for each class; 0 for no purification.
    pub steps: usize,
    /// Their size: `x - step / 2 * gradient + sqrt(step) * noise`, pixels in `[0, 1]`.
    pub step: f64,
    /// Largest change of a pixel.
    pub radius: f64,
}

impl Default for RobustConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            images: 100,
            levels: vec![0.7, 1.0],
            draws: 4,
            calibration: 0,
            steps: 10,
            linf: vec![0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3],
            l2: vec![0.0, 0.5, 1.0, 1.5, 2.0, 3.0],
            purification: PurificationConfig { steps: 10, step: 0.002, radius: 0.1 },
        }
    }
}

impl RobustConfig {
    pub(super) fn check(&self) -> Result<()> {
        for (key, radii) in [("linf", &self.linf), ("l2", &self.l2)] {
            let rising = radii.windows(2).all(|pair| pair[0] < pair[1]);
            if !rising || radii.iter().any(|r| !(*r >= 0.0 && r.is_finite())) {
                return Err(Error::config(key, format!("{radii:?}"), "rising numbers from 0"));
            }
        }
        let p = &self.purification;
        if !(p.step > 0.0 && p.step.is_finite() && p.radius >= 0.0) {
            let found = format!("{}, {}", p.step, p.radius);
            return Err(Error::config("purification.step, radius", found, "a positive number, one not negative"));
        }
        Attack { norm: Norm::Linf, radius: 0.0, steps: self.steps }.check()
    }
}
