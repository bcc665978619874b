//! A joint that stands still although the others say that it should move.

use super::gaussian::{Gaussian, Moments};
use super::saved::{moments, numbers, saved_moments, vector};
use super::score::{AnomalyScore, STILL, ScoreSpec, pieces};
use super::score_distribution::ScoreDistribution;
use crate::error::Result;
use crate::forecast::WindowArray;
use candle_core::Tensor;

const NAME: &str = "stuck_channel";
/// The name of its quantiles.
const KEPT: &str = "stuck_channel.quantiles";

/// Added to a speed before its logarithm, z units a frame: far below what any sensor resolves.
const FLOOR: f64 = 1e-5;
/// Added to the covariance of deviates, as a share of its mean variance.
const RIDGE: f64 = 1e-2;
/// Quantiles that are kept of a channel's speeds.
const QUANTILES: usize = 512;

/// Of each channel, how many standard deviations stiller it stands than all other channels make of it; the largest over
/// stretches of [`STILL`] frames. Speeds become normal deviates by the channel's own distribution and those have a
/// Gaussian (a Gaussian copula; Nelsen, "An Introduction to Copulas", 2006, section 2.9), so a channel that often rests
/// is not strange when it does.
#[derive(Debug, Clone)]
pub(super) struct StuckChannel {
    /// Of each channel, quantiles of how slow it is.
    distributions: Vec<ScoreDistribution>,
    /// Of their normal deviates.
    moments: Moments,
    gaussian: Gaussian,
}

pub(super) static SPEC: ScoreSpec = ScoreSpec {
    fit: |_, windows| Ok(Some(Box::new(StuckChannel::fit(windows)?))),
    restore: |model, get| {
        let d = model.info().channels.len();
        let quantiles = numbers(get, KEPT, Some(QUANTILES * d))?;
        Ok(Some(Box::new(StuckChannel::new(d, &quantiles, saved_moments(get, NAME, d)?)?)))
    },
};

impl StuckChannel {
    /// Of training windows.
    pub(super) fn fit(windows: &WindowArray) -> Result<Self> {
        let d = windows.channels;
        let slowness = slowness(windows);
        let quantiles: Vec<f64> = (0..d)
            .flat_map(|c| {
                let mut own: Vec<f64> = slowness.iter().skip(c).step_by(d).copied().collect();
                own.sort_by(f64::total_cmp);
                (0..QUANTILES).map(move |q| own[q * (own.len() - 1) / (QUANTILES - 1)])
            })
            .collect();
        let deviates = deviates(&distributions(&quantiles), &slowness);
        Self::new(d, &quantiles, Gaussian::moments(&deviates, d))
    }

    /// From quantiles `(D, QUANTILES)` and the moments of normal deviates.
    fn new(channels: usize, quantiles: &[f64], moments: Moments) -> Result<Self> {
        let gaussian = Gaussian::new(channels, &moments.0, &moments.1, RIDGE)?;
        Ok(Self { distributions: distributions(quantiles), moments, gaussian })
    }
}

fn distributions(quantiles: &[f64]) -> Vec<ScoreDistribution> {
    quantiles.chunks_exact(QUANTILES).map(|q| ScoreDistribution::new(q.to_vec())).collect()
}

/// `(N, stretches, D)`: minus the log of the mean step of every stretch.
fn slowness(windows: &WindowArray) -> Vec<f64> {
    let d = windows.channels;
    let mut slowness = Vec::new();
    for stretch in pieces(windows, STILL, 1).chunks_exact(STILL * d) {
        for c in 0..d {
            let path: f64 = (1..STILL).map(|t| f64::from((stretch[t * d + c] - stretch[(t - 1) * d + c]).abs())).sum();
            slowness.push(-(path / (STILL - 1) as f64 + FLOOR).ln());
        }
    }
    slowness
}

fn deviates(distributions: &[ScoreDistribution], slowness: &[f64]) -> Vec<f64> {
    slowness.iter().zip(distributions.iter().cycle()).map(|(v, own)| own.deviate(*v)).collect()
}

impl AnomalyScore for StuckChannel {
    fn name(&self) -> &'static str {
        NAME
    }

    fn by_channel(&self) -> bool {
        true
    }

    fn score(&self, windows: &WindowArray) -> Result<Vec<f64>> {
        let (n, d) = (windows.len(), windows.channels);
        let surprise = self.gaussian.surprise(&deviates(&self.distributions, &slowness(windows)));
        let mut scores = vec![f64::NEG_INFINITY; n * d];
        for (out, window) in scores.chunks_exact_mut(d).zip(surprise.chunks_exact(surprise.len() / n)) {
            window.chunks_exact(d).for_each(|row| out.iter_mut().zip(row).for_each(|(s, v)| *s = s.max(*v)));
        }
        Ok(scores)
    }

    fn state(&self) -> Result<Vec<(String, Tensor)>> {
        let quantiles: Vec<f64> = self.distributions.iter().flat_map(ScoreDistribution::scores).copied().collect();
        let mut all = moments(NAME, &self.moments)?;
        all.push(vector(KEPT, &quantiles)?);
        Ok(all)
    }
}
