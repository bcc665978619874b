//! Continuous ranked probability score: a proper score of each channel by itself.

use super::score::{average, mean, sorted_column};
use super::{Kind, Metric, MetricSpec, PreparedMetric};
use crate::error::Result;
use crate::eval::context::EvalContext;
use crate::eval::data::Futures;
use crate::eval::result::MetricResult;

pub(super) struct Crps;

static SPEC: MetricSpec = MetricSpec {
    name: "crps",
    short: "CRPS",
    title: "Continuous ranked probability score",
    unit: "z",
    lower_is_better: true,
    kind: Kind::Score,
    source: "Gneiting and Raftery, J. Am. Stat. Assoc. 102, 2007, section 4.2, with the unbiased second term of Ferro, \
        Q. J. R. Meteorol. Soc. 140, 2014",
    definition: "of each channel at each step, the mean absolute error of the samples minus half the mean absolute \
        difference of two different samples; mean over channels, windows and steps; with one sample only the first \
        term",
};

impl Metric for Crps {
    fn spec(&self) -> &'static MetricSpec {
        &SPEC
    }

    fn prepare(&self, _: &EvalContext) -> Result<Box<dyn PreparedMetric>> {
        Ok(Box::new(Crps))
    }
}

impl PreparedMetric for Crps {
    fn score(&self, eval: &EvalContext, futures: &Futures) -> Result<MetricResult> {
        let &Futures { s, h, d, .. } = futures;
        let window = |i: usize, values: &mut [f64]| {
            let mut column = Vec::with_capacity(s);
            for (t, value) in values.iter_mut().enumerate() {
                let real = &eval.test.truth[(i * h + t) * d..][..d];
                for (c, real) in real.iter().enumerate() {
                    sorted_column(futures, i, t, c, &mut column);
                    *value += crps(&column, *real) / d as f64;
                }
            }
        };
        Ok(average(eval, window, |steps| mean(steps)))
    }
}

/// Of sorted samples. The difference of every unordered pair is in the sum once: the k-th of S samples is the larger of
/// k pairs and the smaller of S - 1 - k, so it counts 2 k - (S - 1) times.
fn crps(sorted: &[f32], real: f32) -> f64 {
    let s = sorted.len() as f64;
    let (mut miss, mut spread) = (0.0, 0.0);
    let mut times = 1.0 - s;
    for x in sorted {
        miss += f64::from((x - real).abs());
        spread += times * f64::from(*x);
        times += 2.0;
    }
    miss / s - spread / (s * (s - 1.0)).max(1.0)
}
