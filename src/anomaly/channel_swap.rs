//! Joints in each other's place.

use super::gaussian::{Gaussian, Moments, pairs};
use super::saved::{moments, saved_moments};
use super::score::{AnomalyScore, CHUNK, ScoreSpec, mean_over_pieces, pieces};
use crate::error::Result;
use crate::forecast::WindowArray;
use candle_core::Tensor;

const NAME: &str = "channel_swap";
/// Added to the covariance of the frames, as a share of its mean variance.
const RIDGE: f64 = 1e-4;

/// Of each channel, how much likelier the window is with this channel and the best partner exchanged: the log of the
/// ratio of squared Mahalanobis distances of [`CHUNK`] frames, means over overlapping pieces of the window, as recorded
/// and in exchange. Under a Gaussian whose covariance is known but for a factor, each window's own, this is the
/// generalised likelihood ratio of "recorded in exchange" to "recorded as they are", up to a constant: the likeliest
/// factor is the mean squared distance. So motion far from that of training is not taken for an exchange because it is
/// far.
#[derive(Debug, Clone)]
pub(super) struct ChannelSwap {
    /// Of the pieces of training windows.
    moments: Moments,
    gaussian: Gaussian,
}

pub(super) static SPEC: ScoreSpec = ScoreSpec {
    fit: |_, windows| Ok(Some(Box::new(ChannelSwap::fit(windows)?))),
    restore: |model, get| {
        let d = model.info().channels.len();
        Ok(Some(Box::new(ChannelSwap::new(d, saved_moments(get, NAME, CHUNK * d)?)?)))
    },
};

impl ChannelSwap {
    /// Of training windows.
    pub(super) fn fit(windows: &WindowArray) -> Result<Self> {
        Self::new(windows.channels, Gaussian::moments(&rows(windows), CHUNK * windows.channels))
    }

    fn new(channels: usize, moments: Moments) -> Result<Self> {
        Ok(Self { gaussian: Gaussian::new(channels, &moments.0, &moments.1, RIDGE)?, moments })
    }
}

fn rows(windows: &WindowArray) -> Vec<f64> {
    pieces(windows, CHUNK, CHUNK / 2).into_iter().map(f64::from).collect()
}

impl AnomalyScore for ChannelSwap {
    fn name(&self) -> &'static str {
        NAME
    }

    fn by_channel(&self) -> bool {
        true
    }

    fn score(&self, windows: &WindowArray) -> Result<Vec<f64>> {
        let (n, d) = (windows.len(), windows.channels);
        if d == 1 {
            return Ok(vec![0.0; n]);
        }
        let count = 1 + pairs(d).count();
        let distances = mean_over_pieces(&self.gaussian.exchanged(&rows(windows)), n, count);
        let mut best = vec![f64::NEG_INFINITY; n * d];
        for (best, distances) in best.chunks_exact_mut(d).zip(distances.chunks_exact(count)) {
            let log = |distance: f64| distance.max(f64::MIN_POSITIVE).ln();
            let recorded = log(distances[0]);
            for ((a, b), exchanged) in pairs(d).zip(&distances[1..]) {
                let gain = recorded - log(*exchanged);
                best[a] = best[a].max(gain);
                best[b] = best[b].max(gain);
            }
        }
        Ok(best)
    }

    fn state(&self) -> Result<Vec<(String, Tensor)>> {
        moments(NAME, &self.moments)
    }
}
