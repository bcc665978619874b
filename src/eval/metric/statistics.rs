//! Distances between one number of real and of predicted motion: its jerk, and how often it rests.

use super::pooled::{Pooled, compare};
use super::score::mean;
use super::{Kind, Metric, MetricSpec, PreparedMetric};
use crate::error::Result;
use crate::eval::bootstrap::ResamplingUnits;
use crate::eval::context::EvalContext;
use crate::eval::data::{Futures, Motion};
use crate::eval::result::MetricResult;

/// Speed below which motion is at rest in `at_rest_error`: root mean square over channels of the velocity, each over
/// its standard deviation in training.
pub(crate) const REST_SPEED: f64 = 0.1;

/// A statistic's mean over predictions against its mean over real motion.
#[derive(Clone, Copy)]
pub(super) struct Statistic {
    spec: &'static MetricSpec,
    /// Of a window at a step, given the channels' velocity standard deviations.
    of: fn(&Motion, usize, isize, &[f64]) -> f64,
    /// Distance of a mean of real motion and one of predictions, given the real one of all steps.
    gap: fn(f64, f64, f64) -> f64,
}

pub(super) static JERK: Statistic = Statistic {
    spec: &MetricSpec {
        name: "jerk_ratio_error",
        short: "Jerk",
        title: "Jerk, logarithm of the ratio",
        unit: "ln",
        lower_is_better: true,
        kind: Kind::Distance,
        source: "jerk as a measure of smoothness: Flash and Hogan, J. Neurosci. 5, 1985",
        definition: "absolute natural logarithm of the mean jerk of the predictions over that of real motion. Jerk: \
            third difference of the frames, each channel over the standard deviation of its velocity in training, root \
            mean square over channels; the first three reach into the context; mean over windows, samples and steps (a \
            step's value: over windows and samples). A hundredth of the real mean jerk is added to both sides, so that \
            predictions without any have a finite figure, ln 101 = 4.6",
    },
    of: jerk,
    gap: |real, other, pooled| {
        let least = 0.01 * pooled + f64::MIN_POSITIVE;
        ((other + least) / (real + least)).ln().abs()
    },
};

pub(super) static REST: Statistic = Statistic {
    spec: &MetricSpec {
        name: "at_rest_error",
        short: "Rest",
        title: "Share of time at rest, difference",
        unit: "share",
        lower_is_better: true,
        kind: Kind::Distance,
        source: "standard",
        definition: "absolute difference of the shares of frame-to-frame steps at rest in predictions (all samples) \
            and in real motion. At rest: the root mean square over channels of the velocity, each channel's over its \
            standard deviation in training, is below 0.1; the first step starts at the last context frame",
    },
    of: |motion, i, t, std| f64::from(u8::from(speed(motion, i, t, std) < REST_SPEED)),
    gap: |real, other, _| (real - other).abs(),
};

fn jerk(motion: &Motion, i: usize, t: isize, std: &[f64]) -> f64 {
    let [a, b, c, d] = [t, t - 1, t - 2, t - 3].map(|t| motion.frame(i, t));
    let third = |k: usize| f64::from((a[k] - d[k]) - 3.0 * (b[k] - c[k])) / std[k];
    ((0..std.len()).map(|k| third(k).powi(2)).sum::<f64>() / std.len() as f64).sqrt()
}

fn speed(motion: &Motion, i: usize, t: isize, std: &[f64]) -> f64 {
    let (after, before) = (motion.frame(i, t), motion.frame(i, t - 1));
    let squares = (0..std.len()).map(|k| (f64::from(after[k] - before[k]) / std[k]).powi(2));
    (squares.sum::<f64>() / std.len() as f64).sqrt()
}

impl Statistic {
    /// Means of the statistic over `motions` of the same windows.
    fn pooled(&self, eval: &EvalContext, units: &ResamplingUnits, motions: &[Motion]) -> Pooled {
        Pooled::new(eval, units, eval.test.horizon, |i, values| {
            for motion in motions {
                for (t, value) in (0..).zip(values.iter_mut()) {
                    *value += (self.of)(motion, i, t, &eval.test.velocity_std) / motions.len() as f64;
                }
            }
        })
    }
}

impl Metric for Statistic {
    fn spec(&self) -> &'static MetricSpec {
        self.spec
    }

    fn prepare(&self, eval: &EvalContext) -> Result<Box<dyn PreparedMetric>> {
        let real = self.pooled(eval, &eval.units, &[eval.test.true_motion()]);
        Ok(Box::new(PreparedStatistic { statistic: *self, real }))
    }
}

struct PreparedStatistic {
    statistic: Statistic,
    real: Pooled,
}

impl PreparedStatistic {
    fn compare(&self, eval: &EvalContext, other: &Pooled, weights: &[Vec<f64>]) -> MetricResult {
        compare(eval, &self.real, (other, weights), |real, other| {
            let pooled = mean(real);
            let gap = |real, other| (self.statistic.gap)(real, other, pooled);
            (gap(pooled, mean(other)), real.iter().zip(other).map(|(real, other)| gap(*real, *other)).collect())
        })
    }
}

impl PreparedMetric for PreparedStatistic {
    fn score(&self, eval: &EvalContext, futures: &Futures) -> Result<MetricResult> {
        let motions: Vec<Motion> = (0..futures.s).map(|j| eval.test.samples(futures, j)).collect();
        let other = self.statistic.pooled(eval, &eval.units, &motions);
        Ok(self.compare(eval, &other, &eval.weights))
    }

    fn floor(&self, eval: &EvalContext) -> Result<Option<MetricResult>> {
        let other = self.statistic.pooled(eval, &eval.reference_units, &[eval.test.reference_motion()]);
        Ok(Some(self.compare(eval, &other, &eval.reference_weights)))
    }
}
