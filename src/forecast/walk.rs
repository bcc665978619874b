//! The way down the noise levels by which the default model draws.

use crate::error::{Error, Result};
use crate::model::walk::{self, Stirring, WalkStop};
use serde::{Deserialize, Serialize};

/// The way down the noise levels.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Walk {
    /// Levels, at least 1; one more evaluation ends the walk.
    pub levels: usize,
    /// Noise angle at which it starts, above its end and below pi / 2, where all is noise. The walk starts from the
    /// sampled autoregression's own draw, so a lower start is a warm one.
    pub start: f64,
    /// Noise angle at which it ends, above 0: the last evaluation goes to the mean of the motions that what is left of
    /// the noise may stand for. The higher, the narrower are forecasts about each way of going on.
    pub end: f64,
    /// How strongly the energy is followed against the autoregression's, above 0: 1 as it was learned, more where it is
    /// too cautious, less where it is too sure of itself (see [`crate::model`]'s walk).
    pub guidance: f64,
    /// Scale of the noise that it starts from and draws on its way, above 0.
    pub temperature: f64,
    /// Share of the noise that is drawn anew from level to level, in `[0, 1]`: 0 for none (the probability flow), 1 for
    /// as much as the path's posterior has (ancestral sampling).
    pub churn: f64,
    /// Langevin steps at each level between the first and the last.
    pub corrections: usize,
    /// Their size in units of the level's noise variance, in `(0, 1]`.
    pub correction_step: f64,
}

impl Default for Walk {
    /// The walk of the default model, but for what that leaves to the data
    /// ([`RunConfig::for_data`](super::RunConfig::for_data)).
    fn default() -> Self {
        Self {
            levels: 4,
            start: walk::FROM,
            end: walk::TO,
            guidance: 1.0,
            temperature: 1.0,
            churn: 0.0,
            corrections: 0,
            correction_step: 0.1,
        }
    }
}

impl Walk {
    /// # Errors
    /// [`Error::Config`] for a value out of range.
    pub(super) fn check(self) -> Result<Self> {
        if !(self.temperature > 0.0 && self.temperature.is_finite()) {
            return Err(Error::config("model.temperature", self.temperature, "a positive number"));
        }
        if !(self.end > 0.0 && self.end < std::f64::consts::FRAC_PI_2) {
            return Err(Error::config("model.end", self.end, "an angle above 0 and below pi / 2"));
        }
        if !(self.start > self.end && self.start < std::f64::consts::FRAC_PI_2) {
            let expected = format!("an angle above the end, {}, and below pi / 2", self.end);
            return Err(Error::config("model.start", self.start, expected));
        }
        if !(self.guidance > 0.0 && self.guidance.is_finite()) {
            return Err(Error::config("model.guidance", self.guidance, "a positive number"));
        }
        if !(0.0..=1.0).contains(&self.churn) {
            return Err(Error::config("model.churn", self.churn, "0 to 1"));
        }
        if !(self.correction_step > 0.0 && self.correction_step <= 1.0) {
            return Err(Error::config("model.correction_step", self.correction_step, "above 0, at most 1"));
        }
        match self.levels {
            0 => Err(Error::config("model.levels", 0, "at least 1")),
            _ => Ok(self),
        }
    }

    /// Of each evaluation.
    pub(super) fn stops(self) -> Vec<WalkStop> {
        let Walk { levels, start, end, guidance, churn, corrections, correction_step: size, .. } = self;
        walk::circle((start, end), levels, guidance, Stirring { churn, corrections, size })
    }
}
