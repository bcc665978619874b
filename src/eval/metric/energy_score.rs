//! Energy score: a proper score of sampled forecasts.

use super::score::{average, distance, mean};
use super::{Kind, Metric, MetricSpec, PreparedMetric};
use crate::error::Result;
use crate::eval::context::EvalContext;
use crate::eval::data::Futures;
use crate::eval::result::MetricResult;

pub(super) struct EnergyScore;

static SPEC: MetricSpec = MetricSpec {
    name: "energy_score",
    short: "E.score",
    title: "Energy score",
    unit: "z",
    lower_is_better: true,
    kind: Kind::Score,
    source: "Gneiting and Raftery, J. Am. Stat. Assoc. 102, 2007, eq. 21 (in its unbiased form)",
    definition: "at each step, the mean distance of the samples to the truth minus half the mean distance between two \
        different samples, distances divided by the square root of the number of channels; mean over windows and \
        steps; with one sample only the first term",
};

impl Metric for EnergyScore {
    fn spec(&self) -> &'static MetricSpec {
        &SPEC
    }

    fn prepare(&self, _: &EvalContext) -> Result<Box<dyn PreparedMetric>> {
        Ok(Box::new(EnergyScore))
    }
}

impl PreparedMetric for EnergyScore {
    fn score(&self, eval: &EvalContext, futures: &Futures) -> Result<MetricResult> {
        Ok(against(eval, &eval.test.truth, futures))
    }
}

/// The score of futures against a `truth` of as many numbers a frame.
pub(super) fn against(eval: &EvalContext, truth: &[f32], futures: &Futures) -> MetricResult {
    average(eval, |i, values| of_window(truth, futures, i, values), |steps| mean(steps))
}

/// The score of window `i` at each step.
pub(super) fn of_window(truth: &[f32], futures: &Futures, i: usize, values: &mut [f64]) {
    let &Futures { samples, s, h, d, .. } = futures;
    for (t, value) in values.iter_mut().enumerate() {
        let sample = |j: usize| &samples[((i * s + j) * h + t) * d..][..d];
        let real = &truth[(i * h + t) * d..][..d];
        let misses: f64 = (0..s).map(|j| distance(sample(j), real)).sum();
        let spreads: f64 = (1..s).flat_map(|j| (0..j).map(move |k| distance(sample(j), sample(k)))).sum();
        // Each unordered pair once: 1 / (2 S (S - 1)) over ordered pairs is 1 / (S (S - 1)) over these.
        let pairs = (s * s.saturating_sub(1)).max(1) as f64;
        *value = misses / s as f64 - spreads / pairs;
    }
}
