//! Variogram score: a proper score of how channels go together.

use super::score::{average, mean};
use super::{Kind, Metric, MetricSpec, PreparedMetric};
use crate::error::Result;
use crate::eval::context::EvalContext;
use crate::eval::data::Futures;
use crate::eval::result::MetricResult;

pub(super) struct VariogramScore;

static SPEC: MetricSpec = MetricSpec {
    name: "variogram_score",
    short: "Vario",
    title: "Variogram score of order 0.5",
    unit: "z",
    lower_is_better: true,
    kind: Kind::Score,
    source: "Scheuerer and Hamill, Mon. Weather Rev. 143, 2015 (order 0.5, equal weights)",
    definition: "of each pair of channels at each step, the squared difference between the square root of their \
        distance in truth and the samples' mean of that root; mean over pairs, windows and steps; 0 for a single \
        channel, which has no pair",
};

impl Metric for VariogramScore {
    fn spec(&self) -> &'static MetricSpec {
        &SPEC
    }

    fn prepare(&self, _: &EvalContext) -> Result<Box<dyn PreparedMetric>> {
        Ok(Box::new(VariogramScore))
    }
}

impl PreparedMetric for VariogramScore {
    fn score(&self, eval: &EvalContext, futures: &Futures) -> Result<MetricResult> {
        let &Futures { samples, s, h, d, .. } = futures;
        let pairs = d * (d - 1) / 2;
        let window = |i: usize, values: &mut [f64]| {
            let (mut expected, mut seen) = (vec![0.0; pairs], vec![0.0; pairs]);
            for (t, value) in values.iter_mut().enumerate() {
                expected.fill(0.0);
                seen.fill(0.0);
                for j in 0..s {
                    add_roots(&samples[((i * s + j) * h + t) * d..][..d], &mut expected);
                }
                add_roots(&eval.test.truth[(i * h + t) * d..][..d], &mut seen);
                let gap = |(seen, expected): (&f32, &f32)| f64::from(seen - expected / s as f32).powi(2);
                *value = seen.iter().zip(&expected).map(gap).sum::<f64>() / pairs.max(1) as f64;
            }
        };
        Ok(average(eval, window, |steps| mean(steps)))
    }
}

/// Adds `|x_a - x_b|^(1/2)` for all `b < a`, `(D (D - 1) / 2,)`.
fn add_roots(frame: &[f32], out: &mut [f32]) {
    let mut rest = out;
    for (a, x) in frame.iter().enumerate() {
        let (row, behind) = std::mem::take(&mut rest).split_at_mut(a);
        for (out, y) in row.iter_mut().zip(frame) {
            *out += (x - y).abs().sqrt();
        }
        rest = behind;
    }
}
