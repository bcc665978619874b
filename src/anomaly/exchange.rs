//! Joints in each other's place.

use super::gaussian::{Gaussian, Moments, pairs};
use super::{CHUNK, Judge, mean_over_pieces, pieces};
use crate::error::Result;
use crate::forecast::WindowArray;

/// Added to the covariance of the frames, as a share of its mean variance.
const RIDGE: f64 = 1e-3;

/// Of each channel, how much likelier the window is with this channel and the best partner exchanged: by how much the
/// squared Mahalanobis distance of [`CHUNK`] frames falls, under a Gaussian; mean over overlapping pieces of the window. This
/// is twice the log likelihood ratio of "recorded in exchange" to "recorded as they are" (Neyman and Pearson 1933), for
/// the likeliest pair.
#[derive(Debug, Clone)]
pub(super) struct Exchange {
    /// Of the pieces of training windows.
    pub(super) moments: Moments,
    gaussian: Gaussian,
}

impl Exchange {
    /// Of training windows.
    pub(super) fn fit(windows: &WindowArray) -> Result<Self> {
        Self::new(windows.channels, Gaussian::moments(&rows(windows), CHUNK * windows.channels))
    }

    pub(super) fn new(channels: usize, moments: Moments) -> Result<Self> {
        Ok(Self { gaussian: Gaussian::new(channels, &moments.0, &moments.1, RIDGE)?, moments })
    }
}

fn rows(windows: &WindowArray) -> Vec<f64> {
    pieces(windows, CHUNK, CHUNK / 2).into_iter().map(f64::from).collect()
}

impl Judge for Exchange {
    fn name(&self) -> &'static str {
        "exchange"
    }

    fn by_channel(&self) -> bool {
        true
    }

    fn score(&self, windows: &WindowArray) -> Result<Vec<f64>> {
        let (n, d) = (windows.len(), windows.channels);
        if d == 1 {
            return Ok(vec![0.0; n]);
        }
        let count = pairs(d).count();
        let gains = mean_over_pieces(&self.gaussian.exchanged(&rows(windows)), n, count);
        let mut best = vec![f64::NEG_INFINITY; n * d];
        for (best, gains) in best.chunks_exact_mut(d).zip(gains.chunks_exact(count)) {
            for ((a, b), gain) in pairs(d).zip(gains) {
                best[a] = best[a].max(*gain);
                best[b] = best[b].max(*gain);
            }
        }
        Ok(best)
    }
}
