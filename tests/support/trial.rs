//! How well scores tell corrupted windows from normal ones.

use super::corruption::Corruption;
use ebmotion::Result;
use ebmotion::eval::metric::Detection;
use ebmotion::forecast::WindowArray;
use ebmotion::noise::Noise;

/// AUROC of one score on one corruption.
#[derive(Debug, Clone, PartialEq)]
pub struct TrialResult {
    /// Name of the score.
    pub score: &'static str,
    /// What was wrong.
    pub corruption: Corruption,
    /// Area under the ROC curve, corrupted windows being the positives.
    pub auroc: f64,
    /// 2.5 % and 97.5 % quantiles over episodes drawn with replacement.
    pub interval: [f64; 2],
}

/// Named scores of windows, `(N,)` each.
pub type Scorer<'a> = dyn Fn(&WindowArray) -> Result<Vec<(&'static str, Vec<f64>)>> + 'a;

/// Tries every score on every corruption of normal `windows`.
///
/// `episode` `(N,)` is the episode of each window, `zero` `(D,)` the z-score of a channel that reads 0. The intervals
/// are made of `replicates` resamples of the episodes, which are the independent units (Efron and Tibshirani, "An
/// Introduction to the Bootstrap", 1993, section 8.6). A window and its corruption are drawn together.
pub fn trial(
    scorer: &Scorer<'_>,
    windows: &WindowArray,
    episode: &[usize],
    zero: &[f32],
    replicates: usize,
    seed: u64,
) -> Result<Vec<TrialResult>> {
    let normal = scorer(windows)?;
    let mut units: std::collections::BTreeMap<usize, Vec<usize>> = std::collections::BTreeMap::new();
    episode.iter().enumerate().for_each(|(i, e)| units.entry(*e).or_default().push(i));
    let units: Vec<Vec<usize>> = units.into_values().collect();
    let noise = Noise::new(seed);
    let mut outcomes = Vec::new();
    for (label, corruption) in Corruption::ALL.into_iter().enumerate() {
        let corrupted = scorer(&corruption.apply(windows, zero, &mut noise.fork(label as u64))?)?;
        for ((score, good), (_, bad)) in normal.iter().zip(&corrupted) {
            let area = |drawn: &[usize]| {
                let scores: Vec<f64> = drawn.iter().map(|i| good[*i]).chain(drawn.iter().map(|i| bad[*i])).collect();
                let labels: Vec<bool> = (0..scores.len()).map(|i| i >= drawn.len()).collect();
                Ok(Detection::of(&labels, &scores)?.auroc)
            };
            let mut bootstrap = noise.fork(u64::MAX);
            let mut areas = (0..replicates)
                .map(|_| {
                    let drawn = bootstrap.indices(units.len(), units.len());
                    area(&drawn.iter().flat_map(|u| &units[*u]).copied().collect::<Vec<_>>())
                })
                .collect::<Result<Vec<f64>>>()?;
            areas.sort_by(f64::total_cmp);
            let all = area(&(0..good.len()).collect::<Vec<_>>())?;
            let at = |q: f64| areas.get((q * areas.len() as f64) as usize).copied().unwrap_or(all);
            outcomes.push(TrialResult { score, corruption, auroc: all, interval: [at(0.025), at(0.975)] });
        }
    }
    Ok(outcomes)
}
