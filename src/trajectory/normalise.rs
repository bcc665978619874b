//! z-scores: every channel with mean 0 and standard deviation 1 over the training episodes.

use super::Frames;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// A channel whose standard deviation is below this share of its mean's size is constant.
const CONSTANT: f64 = 1e-9;

/// Means and standard deviations, `(D,)` each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normaliser {
    /// Means, in the channels' units; 0 for channels that wrap.
    pub mean: Vec<f64>,
    /// Standard deviations, in the channels' units; 1 for constant channels.
    pub std: Vec<f64>,
    /// Standard deviations of the frame-to-frame difference of the z-scored motion; 0 for constant channels.
    pub velocity_std: Vec<f64>,
}

impl Normaliser {
    /// Fits to some episodes. Of channels that wrap the wrapped values count.
    ///
    /// # Errors
    /// [`Error::Data`] when there are no frames.
    pub fn fit(frames: &Frames, episodes: &[usize]) -> Result<Self> {
        let d = frames.channels.len();
        let total: usize = episodes.iter().map(|e| frames.episodes[*e].time_secs.len()).sum();
        if total < 2 {
            return Err(Error::data("training frames", total, "at least 2"));
        }
        let rows = || episodes.iter().flat_map(|e| frames.episodes[*e].values.chunks_exact(d));
        let wrapped = |c: usize, v: f64| match frames.channels[c].period {
            Some(period) => v - period * (v / period).round(),
            None => v,
        };
        let (mut mean, mut std, mut velocity_std) = (vec![0.0; d], vec![1.0; d], vec![0.0; d]);
        for c in 0..d {
            let values = || rows().map(|row| wrapped(c, row[c]));
            if frames.channels[c].period.is_none() {
                mean[c] = values().sum::<f64>() / total as f64;
            }
            let spread = (values().map(|v| (v - mean[c]).powi(2)).sum::<f64>() / total as f64).sqrt();
            if spread > CONSTANT * mean[c].abs().max(1.0) {
                std[c] = spread;
            }
            let (mut sum, mut squares, mut count) = (0.0, 0.0, 0.0_f64);
            for e in episodes {
                let column: Vec<f64> = frames.episodes[*e].values.iter().skip(c).step_by(d).copied().collect();
                for pair in column.windows(2) {
                    let step = (pair[1] - pair[0]) / std[c];
                    sum += step;
                    squares += step * step;
                    count += 1.0;
                }
            }
            let count = count.max(1.0);
            velocity_std[c] = (squares / count - (sum / count).powi(2)).max(0.0).sqrt();
        }
        Ok(Self { mean, std, velocity_std })
    }

    /// Channels that never move in the training episodes.
    pub fn constant_channels(&self) -> Vec<usize> {
        (0..self.mean.len()).filter(|c| self.velocity_std[*c] == 0.0).collect()
    }

    /// z-scores `(T, D)` values in place.
    pub fn to_z(&self, values: &mut [f64]) {
        for row in values.chunks_exact_mut(self.mean.len()) {
            for (c, v) in row.iter_mut().enumerate() {
                *v = (*v - self.mean[c]) / self.std[c];
            }
        }
    }

    /// Undoes [`Normaliser::to_z`] in place.
    pub fn to_units(&self, values: &mut [f64]) {
        for row in values.chunks_exact_mut(self.mean.len()) {
            for (c, v) in row.iter_mut().enumerate() {
                *v = *v * self.std[c] + self.mean[c];
            }
        }
    }
}
