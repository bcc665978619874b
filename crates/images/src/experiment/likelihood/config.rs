//! Settings of the experiment.

use ebmotion::{Error, Result};
use serde::{Deserialize, Serialize};
use std::f64::consts::FRAC_PI_2;

/// Settings of the experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LikelihoodConfig {
    /// Seed of everything.
    pub seed: u64,
    /// Noise level (angle) of the energy whose constant is bounded, above 0.
    pub at: f64,
    /// The first level after the standard normal, in `(at, pi / 2)`. Levels lie evenly in `ln tan t`.
    pub highest: f64,
    /// Levels; at least 2. The gap between the bounds falls about as its inverse.
    pub levels: usize,
    /// Chains of each direction; at least 2.
    pub chains: usize,
    /// Trajectories a level; at least 1.
    pub trajectories: usize,
    /// Leapfrog steps a trajectory; at least 1.
    pub leapfrogs: usize,
    /// Size of a leapfrog step at the first level, in units of the level's noise `sin t`; positive. Chains that are not
    /// used otherwise adapt it from level to level.
    pub step: f64,
    /// Acceptance that they aim at, in (0, 1).
    pub acceptance: f64,
    /// Trajectories at level `at` between the first direction's end and the second one's start.
    pub mixing: usize,
    /// Test images, or all where there are fewer; at least 1.
    pub images: usize,
    /// Images evaluated at once; at least 1.
    pub batch: usize,
    /// Least and greatest standard deviation of the Gaussian's numbers, evenly spaced in their logarithm; positive.
    pub check: [f64; 2],
}

impl Default for LikelihoodConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            at: 0.1,
            highest: 1.54,
            levels: 4000,
            chains: 10,
            trajectories: 1,
            leapfrogs: 5,
            step: 0.3,
            acceptance: 0.8,
            mixing: 50,
            images: 1000,
            batch: 100,
            check: [0.03, 3.0],
        }
    }
}

impl LikelihoodConfig {
    pub(super) fn validate(&self) -> Result<()> {
        let least = [
            ("levels", self.levels, 2),
            ("chains", self.chains, 2),
            ("trajectories", self.trajectories, 1),
            ("leapfrogs", self.leapfrogs, 1),
            ("images", self.images, 1),
            ("batch", self.batch, 1),
        ];
        if let Some((key, found, least)) = least.into_iter().find(|(_, found, least)| found < least) {
            return Err(Error::config(key, found, format!("at least {least}")));
        }
        if !(self.at > 0.0 && self.highest > self.at && self.highest < FRAC_PI_2) {
            let found = format!("{}, {}", self.at, self.highest);
            return Err(Error::config("at, highest", found, "0 < at < highest < pi / 2"));
        }
        for (key, value, most) in [
            ("step", self.step, f64::INFINITY),
            ("acceptance", self.acceptance, 1.0),
            ("check", self.check[0], f64::INFINITY),
            ("check", self.check[1], f64::INFINITY),
        ] {
            if !(value > 0.0 && value < most) {
                return Err(Error::config(key, value, format!("above 0 and below {most}")));
            }
        }
        Ok(())
    }
}
