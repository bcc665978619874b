//! Paired comparisons: two forecasters scored on the same resamples of the same episodes.
//!
//! Intervals of two figures overlap when the episodes differ more from each other than the forecasters do. The
//! difference of two forecasters on one resample has the episodes' difficulty taken out (the paired bootstrap of Efron
//! and Tibshirani, "An Introduction to the Bootstrap", 1993, sections 8.6 and 16; Demsar, JMLR 7, 2006, on comparing
//! models over common data).

use super::bootstrap::spread;
use super::metric::{self, MetricSpec};
use super::result::{MetricResult, Results};
use crate::noise::Noise;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a paired comparison says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The interval of the gain lies above 0.
    Better,
    /// The interval holds 0.
    Tied,
    /// The interval lies below 0.
    Worse,
}

/// How much better one forecaster is than another by one metric.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Paired {
    /// The difference of the two figures in percent of the other's, above 0 where the first is better.
    pub gain_percent: f64,
    /// 95 % interval of the gain by the paired bootstrap.
    pub interval: [f64; 2],
    /// Whether the interval lies beside 0.
    pub verdict: Verdict,
}

/// By metric.
pub(crate) type Comparisons = BTreeMap<String, Paired>;

/// Compares `subject` with each of the other forecasters, by every metric whose resamples are known for both.
pub(crate) fn compare_with(subject: &str, forecasters: &BTreeMap<String, Results>) -> BTreeMap<String, Comparisons> {
    let Some(own) = forecasters.get(subject) else { return BTreeMap::new() };
    let others = forecasters.iter().filter(|(name, _)| *name != subject);
    let against = |results: &Results| -> Comparisons {
        let pair = |spec: &MetricSpec| {
            let paired = paired(own.get(spec.name)?, results.get(spec.name)?, spec.lower_is_better)?;
            Some((spec.name.to_string(), paired))
        };
        metric::judged().filter_map(pair).collect()
    };
    others.map(|(name, results)| (name.clone(), against(results))).collect()
}

/// `None` where resamples are missing or the other's figure is 0.
fn paired(own: &MetricResult, other: &MetricResult, lower_is_better: bool) -> Option<Paired> {
    if own.replicates.is_empty() || own.replicates.len() != other.replicates.len() || other.mean == 0.0 {
        return None;
    }
    let sign = if lower_is_better { 100.0 } else { -100.0 } / other.mean;
    let gain_percent = sign * (other.mean - own.mean);
    let gains: Vec<f64> = own.replicates.iter().zip(&other.replicates).map(|(a, b)| sign * (b - a)).collect();
    let interval = spread(&gains).map(|s| gain_percent + s);
    let verdict = match interval {
        [low, _] if low > 0.0 => Verdict::Better,
        [_, high] if high < 0.0 => Verdict::Worse,
        _ => Verdict::Tied,
    };
    Some(Paired { gain_percent, interval, verdict })
}

/// Joins the results of one forecaster trained with several seeds: figures are means over the seeds, and each resample
/// of the episodes also draws as many seeds with replacement, so that intervals hold both sources of chance.
pub(super) fn over_seeds(runs: &[Results], noise: &mut Noise) -> Results {
    let [first, rest @ ..] = runs else { return Results::new() };
    if rest.is_empty() {
        return first.clone();
    }
    let n = runs.len();
    let joined = |(name, one): (&String, &MetricResult)| {
        let all: Vec<&MetricResult> = runs.iter().filter_map(|run| run.get(name)).collect();
        let mean = |of: &dyn Fn(&MetricResult) -> f64| all.iter().map(|r| of(r)).sum::<f64>() / n as f64;
        let replicates = (0..one.replicates.len())
            .map(|i| noise.indices(n, n).into_iter().map(|s| all[s].replicates[i]).sum::<f64>() / n as f64)
            .collect();
        let per_step = (0..one.per_step.len()).map(|t| mean(&|r| r.per_step[t])).collect();
        let result = MetricResult::new(mean(&|r| r.mean), per_step, replicates);
        let by_seed = all.iter().map(|r| r.mean).collect();
        (name.clone(), MetricResult { by_seed, ..result })
    };
    first.iter().map(joined).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(mean: f64, replicates: Vec<f64>) -> MetricResult {
        MetricResult::new(mean, Vec::new(), replicates)
    }

    #[test]
    fn a_difference_common_to_all_resamples_is_seen_through_wide_intervals() {
        // Episodes move both figures by +-1, their difference by +-0.01 only.
        let wave = |i: usize, size: f64| size * (i as f64 * 0.7).sin();
        let other: Vec<f64> = (0..200).map(|i| 10.0 + wave(i, 1.0)).collect();
        let own: Vec<f64> = (0..200).map(|i| 9.9 + wave(i, 1.0) + wave(3 * i + 1, 0.01)).collect();
        let (a, b) = (result(9.9, own), result(10.0, other));
        assert!(a.interval[1] > b.interval[0], "the single intervals overlap");
        let pair = paired(&a, &b, true).unwrap();
        assert!((pair.gain_percent - 1.0).abs() < 1e-9);
        assert!(pair.interval[0] > 0.85 && pair.interval[1] < 1.15, "{:?}", pair.interval);
        assert_eq!(pair.verdict, Verdict::Better);
        let back = paired(&b, &a, true).unwrap();
        assert_eq!(back.verdict, Verdict::Worse);
        assert_eq!(paired(&b, &a, false).unwrap().verdict, Verdict::Better);
        let same = paired(&b, &b, true).unwrap();
        assert_eq!((same.gain_percent, same.interval, same.verdict), (0.0, [0.0; 2], Verdict::Tied));
        assert!(paired(&a, &result(10.0, Vec::new()), true).is_none(), "nothing to pair with");
    }

    #[test]
    fn seeds_widen_the_interval() {
        let run = |figure: f64| Results::from([("rmse".to_string(), result(figure, vec![figure; 400]))]);
        let joined = over_seeds(&[run(1.0), run(2.0), run(3.0)], &mut Noise::new(1));
        let rmse = &joined["rmse"];
        assert_eq!((rmse.mean, rmse.by_seed.as_slice()), (2.0, &[1.0, 2.0, 3.0][..]));
        // A mean of three draws from {1, 2, 3} has a standard deviation of sqrt(2 / 9) = 0.47.
        assert!(rmse.interval[0] < 1.4 && rmse.interval[1] > 2.6, "{:?}", rmse.interval);
        assert_eq!(over_seeds(&[run(1.0)], &mut Noise::new(1))["rmse"].interval, [1.0; 2]);
    }
}

#[cfg(test)]
mod example {
    use crate::eval::{MetricResult, Results, Verdict, compare_with};
    use std::collections::BTreeMap;

    #[test]
    fn a_gain_on_every_resample_is_better() {
        // A figure of each forecaster, over all episodes and on four resamples of them.
        let rmse =
            |mean, resampled| Results::from([("rmse".to_string(), MetricResult::new(mean, Vec::new(), resampled))]);
        let figures = BTreeMap::from([
            ("ebm".to_string(), rmse(0.9, vec![0.8, 1.0, 0.85, 0.95])),
            ("hold".to_string(), rmse(1.0, vec![0.9, 1.1, 0.95, 1.05])),
        ]);
        let pair = compare_with("ebm", &figures)["hold"]["rmse"];
        assert_eq!(pair.verdict, Verdict::Better); // by 0.1 on each resample
        assert!((pair.gain_percent - 10.0).abs() < 1e-9);
    }
}
