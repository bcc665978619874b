//! Sharpness: how wide the samples' intervals are.

use super::score::{average, mean, sorted_column};
use super::{Kind, Metric, MetricSpec, PreparedMetric};
use crate::error::Result;
use crate::eval::context::EvalContext;
use crate::eval::data::Futures;
use crate::eval::result::MetricResult;

pub(super) struct Sharpness90;

static SPEC: MetricSpec = MetricSpec {
    name: "sharpness_90",
    short: "Sharp90",
    title: "Width of the central 90 % interval",
    unit: "z",
    lower_is_better: false,
    kind: Kind::Description,
    source: "Gneiting, Balabdaoui and Raftery, J. R. Stat. Soc. B 69, 2007, section 3.3; quantiles of type 6 of \
        Hyndman and Fan, Am. Stat. 50, 1996",
    definition: "width of the interval between the 5 % and the 95 % quantile of the samples (the k-th of S samples in \
        order is the quantile k / (S + 1), straight between two of them; with fewer than 19 samples from the least to \
        the largest); mean over channels, windows and steps; one sample has width 0. To be read beside coverage_90",
};

impl Metric for Sharpness90 {
    fn spec(&self) -> &'static MetricSpec {
        &SPEC
    }

    fn prepare(&self, _: &EvalContext) -> Result<Box<dyn PreparedMetric>> {
        Ok(Box::new(Sharpness90))
    }
}

impl PreparedMetric for Sharpness90 {
    fn score(&self, eval: &EvalContext, futures: &Futures) -> Result<MetricResult> {
        let &Futures { s, d, .. } = futures;
        let window = |i: usize, values: &mut [f64]| {
            let mut column = Vec::with_capacity(s);
            for (t, value) in values.iter_mut().enumerate() {
                for c in 0..d {
                    sorted_column(futures, i, t, c, &mut column);
                    *value += (quantile(&column, 0.95) - quantile(&column, 0.05)) / d as f64;
                }
            }
        };
        Ok(average(eval, window, |steps| mean(steps)))
    }
}

fn quantile(sorted: &[f32], q: f64) -> f64 {
    let last = sorted.len() - 1;
    let at = (q * (sorted.len() + 1) as f64 - 1.0).clamp(0.0, last as f64);
    let (low, part) = (at.floor() as usize, at.fract());
    let [low, high] = [low, (low + 1).min(last)].map(|k| f64::from(sorted[k]));
    low + part * (high - low)
}
