//! A joint that stands still although the others say that it should move.

use super::gaussian::Gaussian;
use super::{Judge, STILL, pieces};
use crate::error::Result;
use crate::forecast::WindowArray;

/// Added to a speed before its logarithm, z units a frame: far below what any sensor resolves.
const FLOOR: f64 = 1e-5;
/// Added to the covariance of log speeds, as a share of its mean variance.
const RIDGE: f64 = 1e-2;

/// Of each channel, how many standard deviations its log speed lies below what the log speeds of all other channels
/// make of it, under a Gaussian; the largest over stretches of [`STILL`] frames.
pub(super) struct Stillness(Gaussian);

impl Stillness {
    /// Mean and covariance of the log speeds of training windows.
    pub(super) fn moments(windows: &WindowArray) -> (Vec<f64>, Vec<f64>) {
        Gaussian::moments(&log_speeds(windows), windows.channels)
    }

    pub(super) fn new(channels: usize, (mean, covariance): &(Vec<f64>, Vec<f64>)) -> Result<Self> {
        Ok(Self(Gaussian::new(channels, mean, covariance, RIDGE)?))
    }
}

/// `(N, stretches, D)`: log of the mean step of every stretch.
fn log_speeds(windows: &WindowArray) -> Vec<f64> {
    let d = windows.channels;
    let mut speeds = Vec::new();
    for stretch in pieces(windows, STILL, 1).chunks_exact(STILL * d) {
        for c in 0..d {
            let path: f64 = (1..STILL).map(|t| f64::from((stretch[t * d + c] - stretch[(t - 1) * d + c]).abs())).sum();
            speeds.push((path / (STILL - 1) as f64 + FLOOR).ln());
        }
    }
    speeds
}

impl Judge for Stillness {
    fn name(&self) -> &'static str {
        "stillness"
    }

    fn by_channel(&self) -> bool {
        true
    }

    fn score(&self, windows: &WindowArray) -> Result<Vec<f64>> {
        let (n, d) = (windows.len(), windows.channels);
        let surprise = self.0.surprise(&log_speeds(windows));
        let mut scores = vec![f64::NEG_INFINITY; n * d];
        for (out, window) in scores.chunks_exact_mut(d).zip(surprise.chunks_exact(surprise.len() / n)) {
            window.chunks_exact(d).for_each(|row| out.iter_mut().zip(row).for_each(|(s, v)| *s = s.max(-v)));
        }
        Ok(scores)
    }
}
