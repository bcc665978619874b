//! Joints that do not go together: each channel's frames given those of all others.

use super::gaussian::Gaussian;
use super::{CHUNK, Judge, pieces};
use crate::error::Result;
use crate::forecast::WindowArray;

/// Added to the covariance of the frames, as a share of its mean variance.
const RIDGE: f64 = 1e-3;

/// Of each channel, the squared distance of [`CHUNK`] of its frames from what the same frames of all other channels
/// make of them, under a Gaussian; mean over overlapping pieces of the window.
pub(super) struct Coupling(Gaussian);

impl Coupling {
    /// Mean and covariance of the pieces of training windows.
    pub(super) fn moments(windows: &WindowArray) -> (Vec<f64>, Vec<f64>) {
        Gaussian::moments(&rows(windows), CHUNK * windows.channels)
    }

    pub(super) fn new(channels: usize, (mean, covariance): &(Vec<f64>, Vec<f64>)) -> Result<Self> {
        Ok(Self(Gaussian::new(channels, mean, covariance, RIDGE)?))
    }
}

fn rows(windows: &WindowArray) -> Vec<f64> {
    pieces(windows, CHUNK, CHUNK / 2).into_iter().map(f64::from).collect()
}

impl Judge for Coupling {
    fn name(&self) -> &'static str {
        "coupling"
    }

    fn by_channel(&self) -> bool {
        true
    }

    fn score(&self, windows: &WindowArray) -> Result<Vec<f64>> {
        Ok(super::mean_over_pieces(&self.0.given_others(&rows(windows)), windows.len(), windows.channels))
    }
}
