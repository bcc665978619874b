//! Average pairwise distance: how different the samples of a window are.

use super::score::{average, distance, mean};
use super::{Kind, Metric, MetricSpec, PreparedMetric};
use crate::error::Result;
use crate::eval::context::EvalContext;
use crate::eval::data::Futures;
use crate::eval::result::MetricResult;

pub(super) struct Apd;

static SPEC: MetricSpec = MetricSpec {
    name: "apd",
    short: "APD",
    title: "Average pairwise distance of samples",
    unit: "z",
    lower_is_better: false,
    kind: Kind::Description,
    source: "Yuan and Kitani, DLow, ECCV 2020, section 5 (there of whole trajectories, here step by step)",
    definition: "at each step, the mean distance between two different samples of a window over the square root of the \
        number of channels; mean over windows and steps; 0 with one sample",
};

impl Metric for Apd {
    fn spec(&self) -> &'static MetricSpec {
        &SPEC
    }

    fn prepare(&self, _: &EvalContext) -> Result<Box<dyn PreparedMetric>> {
        Ok(Box::new(Apd))
    }
}

impl PreparedMetric for Apd {
    fn score(&self, eval: &EvalContext, futures: &Futures) -> Result<MetricResult> {
        Ok(average(eval, |i, values| of_window(futures, i, values), |steps| mean(steps)))
    }
}

/// The distance in window `i` at each step.
pub(super) fn of_window(futures: &Futures, i: usize, values: &mut [f64]) {
    let &Futures { samples, s, h, d, .. } = futures;
    for (t, value) in values.iter_mut().enumerate() {
        let sample = |j: usize| &samples[((i * s + j) * h + t) * d..][..d];
        let sum: f64 = (1..s).flat_map(|j| (0..j).map(move |k| distance(sample(j), sample(k)))).sum();
        *value = sum / (s * s.saturating_sub(1) / 2).max(1) as f64;
    }
}
