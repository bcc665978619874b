//! Share of predicted values beyond the range of real motion.

use super::score::{average, mean};
use super::{Kind, Metric, MetricSpec, Prepared};
use crate::error::Result;
use crate::eval::data::Futures;
use crate::eval::evaluator::{Ground, MetricResult};

/// Part of the range by which it is widened at either end.
const MARGIN: f32 = 0.01;

pub(super) struct LimitViolations;

static SPEC: MetricSpec = MetricSpec {
    name: "limit_violations",
    short: "Limits",
    title: "Values beyond the seen range",
    unit: "share",
    lower_is_better: true,
    kind: Kind::Distance,
    source: "standard",
    definition: "share of the values of all samples, channels, windows and steps outside the channel's range in the real \
        windows for the floor and the contexts of the test windows, widened by 1 % of itself at either end; the floor is \
        the share of what really followed",
};

impl Metric for LimitViolations {
    fn spec(&self) -> &'static MetricSpec {
        &SPEC
    }

    fn prepare(&self, ground: &Ground) -> Result<Box<dyn Prepared>> {
        let (test, d) = (ground.test, ground.test.channels);
        let (mut low, mut high) = (vec![f32::INFINITY; d], vec![f32::NEG_INFINITY; d]);
        for frame in [&test.context, &test.reference.context, &test.reference.future].iter().flat_map(|m| m.chunks(d)) {
            for (c, v) in frame.iter().enumerate() {
                (low[c], high[c]) = (low[c].min(*v), high[c].max(*v));
            }
        }
        for (low, high) in low.iter_mut().zip(&mut high) {
            let margin = MARGIN * (*high - *low);
            (*low, *high) = (*low - margin, *high + margin);
        }
        Ok(Box::new(PreparedLimits { low, high }))
    }
}

/// `(D,)` each, z-scored.
struct PreparedLimits {
    low: Vec<f32>,
    high: Vec<f32>,
}

impl PreparedLimits {
    /// `samples` futures of each test window.
    fn share(&self, ground: &Ground, futures: &[f32], samples: usize) -> MetricResult {
        let (h, d) = (ground.test.horizon, ground.test.channels);
        let window = |i: usize, values: &mut [f64]| {
            for sample in futures[i * samples * h * d..][..samples * h * d].chunks_exact(h * d) {
                for (value, frame) in values.iter_mut().zip(sample.chunks_exact(d)) {
                    let beyond = |c: usize| u32::from(frame[c] < self.low[c] || frame[c] > self.high[c]);
                    *value += f64::from((0..d).map(beyond).sum::<u32>()) / (samples * d) as f64;
                }
            }
        };
        average(ground, window, |steps| mean(steps))
    }
}

impl Prepared for PreparedLimits {
    fn score(&self, ground: &Ground, futures: &Futures) -> Result<MetricResult> {
        Ok(self.share(ground, futures.samples, futures.s))
    }

    fn floor(&self, ground: &Ground) -> Result<Option<MetricResult>> {
        Ok(Some(self.share(ground, &ground.test.truth, 1)))
    }
}
