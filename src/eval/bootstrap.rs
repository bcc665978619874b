//! Bootstrap over episodes.
//!
//! Windows of one episode are alike, so the unit that is drawn with replacement is the episode (Efron and Tibshirani,
//! "An Introduction to the Bootstrap", 1993, section 8.6: resample the independent units). A replicate is a vector of
//! weights: how often each episode was drawn.

use crate::noise::Noise;

/// Blocks into which the windows are cut when they all belong to one episode.
const BLOCKS: usize = 10;

/// Windows by the unit that is resampled.
#[derive(Debug, Clone)]
pub(crate) struct ResamplingUnits {
    /// Unit of each window, `0 .. count`.
    pub of_window: Vec<usize>,
    pub count: usize,
    /// True where one episode was cut into blocks because there was nothing else to resample.
    pub blocks: bool,
}

impl ResamplingUnits {
    /// Episodes numbered in the order of their first window. A single episode is cut into up to ten runs of
    /// consecutive windows (they stand in order of time): an optimistic stand-in, but a number, and named as such.
    pub(crate) fn new(episode: &[usize]) -> Self {
        let mut numbers = std::collections::BTreeMap::new();
        let of_window: Vec<usize> = episode
            .iter()
            .map(|e| {
                let next = numbers.len();
                *numbers.entry(*e).or_insert(next)
            })
            .collect();
        if numbers.len() > 1 {
            return Self { of_window, count: numbers.len(), blocks: false };
        }
        let (n, count) = (episode.len(), BLOCKS.min(episode.len()));
        Self { of_window: (0..n).map(|i| i * count / n).collect(), count, blocks: true }
    }

    /// `(replicates, count)`: how often each unit is drawn in each replicate; always the same for the same seed.
    pub(crate) fn resample(&self, replicates: usize, noise: &mut Noise) -> Vec<Vec<f64>> {
        (0..replicates)
            .map(|_| {
                let mut weights = vec![0.0; self.count];
                for unit in noise.indices(self.count, self.count) {
                    weights[unit] += 1.0;
                }
                weights
            })
            .collect()
    }
}

/// 95 % interval of a metric: `point` plus the 2.5 % and 97.5 % quantiles of (replicate - mean of the replicates), and
/// never below 0, where no metric of this crate can be.
///
/// The usual percentile interval would be wrong for distances between distributions: a resample holds about 63 % of
/// the episodes, some several times, so its distance to anything is larger on average than the point estimate (the
/// estimator is biased upward in small samples, and resampling adds that bias once more). Centring the replicates
/// keeps their spread and drops the shift.
pub(crate) fn interval(point: f64, replicates: &[f64]) -> [f64; 2] {
    spread(replicates).map(|s| (point + s).max(0.0))
}

/// The 2.5 % and 97.5 % quantiles of (replicate - mean of the replicates); 0 where there are none.
pub(crate) fn spread(replicates: &[f64]) -> [f64; 2] {
    if replicates.is_empty() {
        return [0.0; 2];
    }
    let mean = replicates.iter().sum::<f64>() / replicates.len() as f64;
    let mut sorted: Vec<f64> = replicates.iter().map(|r| r - mean).collect();
    sorted.sort_by(f64::total_cmp);
    [0.025, 0.975].map(|q| quantile(&sorted, q))
}

/// Linear interpolation between order statistics (Hyndman and Fan, Am. Stat. 50, 1996, type 7).
pub(crate) fn quantile(sorted: &[f64], q: f64) -> f64 {
    let at = q * (sorted.len() - 1) as f64;
    let (below, part) = (at.floor() as usize, at.fract());
    let above = sorted[(below + 1).min(sorted.len() - 1)];
    sorted[below] + part * (above - sorted[below])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_has_the_spread_of_the_replicates_about_the_point() {
        let replicates: Vec<f64> = (0..=200).map(|i| 7.0 + f64::from(i) / 100.0).collect(); // uniform on 7 .. 9
        let [low, high] = interval(3.0, &replicates);
        assert!((low - 2.05).abs() < 1e-12 && (high - 3.95).abs() < 1e-12, "{low} {high}");
        assert_eq!(interval(0.1, &replicates)[0], 0.0);
    }

    #[test]
    fn resamples_draw_as_many_episodes_as_there_are() {
        let units = ResamplingUnits::new(&[9, 9, 4, 4, 4, 7]);
        assert_eq!((units.of_window.as_slice(), units.count, units.blocks), (&[0, 0, 1, 1, 1, 2][..], 3, false));
        let all = units.resample(50, &mut Noise::new(1));
        assert!(all.iter().all(|w| (w.iter().sum::<f64>() - 3.0).abs() < 1e-12));
        assert!(all.iter().any(|w| w != &all[0]));
        assert_eq!(all, units.resample(50, &mut Noise::new(1)));
    }

    #[test]
    fn one_episode_is_cut_into_blocks_of_neighbours() {
        let units = ResamplingUnits::new(&[3; 25]);
        assert_eq!((units.count, units.blocks), (10, true));
        assert!(units.of_window.windows(2).all(|p| p[1] == p[0] || p[1] == p[0] + 1));
        assert_eq!(ResamplingUnits::new(&[3, 3]).count, 2);
    }
}
