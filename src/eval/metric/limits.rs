//! Share of predicted values beyond the range of real motion.

use super::score::{average, mean};
use super::{Kind, Metric, MetricSpec, PreparedMetric};
use crate::error::Result;
use crate::eval::context::EvalContext;
use crate::eval::data::Futures;
use crate::eval::result::MetricResult;
use crate::forecast::Limits;

pub(super) struct LimitViolations;

static SPEC: MetricSpec = MetricSpec {
    name: "limit_violations",
    short: "Limits",
    title: "Values beyond the seen range",
    unit: "share",
    lower_is_better: true,
    kind: Kind::Distance,
    source: "standard",
    definition: "share of the values of all samples, channels, windows and steps outside the channel's range in the \
        real windows for the floor and the contexts of the test windows, widened by 1 % of itself at either end; the \
        floor is the share of what really followed",
};

impl Metric for LimitViolations {
    fn spec(&self) -> &'static MetricSpec {
        &SPEC
    }

    fn prepare(&self, eval: &EvalContext) -> Result<Box<dyn PreparedMetric>> {
        let (test, d) = (eval.test, eval.test.channels);
        let frames = [&test.context, &test.reference.context, &test.reference.future];
        Ok(Box::new(PreparedLimits(Limits::around(frames.into_iter().flat_map(|m| m.chunks(d)), d))))
    }
}

struct PreparedLimits(Limits);

impl PreparedLimits {
    /// `samples` futures of each test window.
    fn share(&self, eval: &EvalContext, futures: &[f32], samples: usize) -> MetricResult {
        let (h, d) = (eval.test.horizon, eval.test.channels);
        let window = |i: usize, values: &mut [f64]| {
            for sample in futures[i * samples * h * d..][..samples * h * d].chunks_exact(h * d) {
                for (value, frame) in values.iter_mut().zip(sample.chunks_exact(d)) {
                    let ranges = frame.iter().zip(self.0.by_channel());
                    let beyond = ranges.filter(|(v, [low, high])| *v < low || *v > high).count();
                    *value += beyond as f64 / (samples * d) as f64;
                }
            }
        };
        average(eval, window, |steps| mean(steps))
    }
}

impl PreparedMetric for PreparedLimits {
    fn score(&self, eval: &EvalContext, futures: &Futures) -> Result<MetricResult> {
        Ok(self.share(eval, futures.samples, futures.s))
    }

    fn floor(&self, eval: &EvalContext) -> Result<Option<MetricResult>> {
        Ok(Some(self.share(eval, &eval.test.truth, 1)))
    }
}
