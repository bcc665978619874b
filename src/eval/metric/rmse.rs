//! Root mean square error of the samples' mean.

use super::score::{average, mean};
use super::{Kind, Metric, MetricSpec, PreparedMetric};
use crate::error::Result;
use crate::eval::context::EvalContext;
use crate::eval::data::Futures;
use crate::eval::result::MetricResult;

pub(super) struct Rmse;

static SPEC: MetricSpec = MetricSpec {
    name: "rmse",
    short: "RMSE",
    title: "Root mean square error of the mean",
    unit: "z",
    lower_is_better: true,
    kind: Kind::Score,
    source: "standard",
    definition: "square root of the squared error of the mean over samples, averaged over windows, steps and channels; \
        a step's value averages over windows and channels only",
};

impl Metric for Rmse {
    fn spec(&self) -> &'static MetricSpec {
        &SPEC
    }

    fn prepare(&self, _: &EvalContext) -> Result<Box<dyn PreparedMetric>> {
        Ok(Box::new(Rmse))
    }
}

impl PreparedMetric for Rmse {
    fn score(&self, eval: &EvalContext, futures: &Futures) -> Result<MetricResult> {
        let &Futures { samples, s, h, d, .. } = futures;
        let window = |i: usize, values: &mut [f64]| {
            let mut centre = vec![0.0; h * d];
            for sample in samples[i * s * h * d..][..s * h * d].chunks_exact(h * d) {
                for (centre, v) in centre.iter_mut().zip(sample) {
                    *centre += f64::from(*v) / s as f64;
                }
            }
            let real = &eval.test.truth[i * h * d..][..h * d];
            for ((value, centre), real) in values.iter_mut().zip(centre.chunks_exact(d)).zip(real.chunks_exact(d)) {
                let squares = centre.iter().zip(real).map(|(c, r)| (c - f64::from(*r)).powi(2));
                *value = squares.sum::<f64>() / d as f64;
            }
        };
        let finish = |steps: &mut [f64]| {
            let all = mean(steps).sqrt();
            steps.iter_mut().for_each(|v| *v = v.sqrt());
            all
        };
        Ok(average(eval, window, finish))
    }
}
