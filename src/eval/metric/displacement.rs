//! Displacement errors of the best of several samples.

use super::score::{average, distance, mean};
use super::{Kind, Metric, MetricSpec, PreparedMetric};
use crate::error::Result;
use crate::eval::context::EvalContext;
use crate::eval::data::Futures;
use crate::eval::result::MetricResult;

/// Average or final displacement error of the best of the first `best_of` samples.
#[derive(Clone, Copy)]
pub(super) struct Displacement {
    best_of: usize,
    final_only: bool,
    spec: &'static MetricSpec,
}

macro_rules! displacement {
    ($average:ident, $final:ident, $k:literal) => {
        pub(super) static $average: Displacement = Displacement {
            best_of: $k,
            final_only: false,
            spec: &MetricSpec {
                name: concat!("ade_best", $k),
                short: concat!("ADE", $k),
                title: concat!("Average displacement, best of ", $k),
                definition: concat!(
                    "distance to the truth over the square root of the number of channels, averaged over the steps, of \
                     the best of the first ",
                    $k,
                    " samples (of fewer where there are fewer); mean over windows; a step's value is that of the same \
                     sample"
                ),
                ..SPEC
            },
        };
        pub(super) static $final: Displacement = Displacement {
            best_of: $k,
            final_only: true,
            spec: &MetricSpec {
                name: concat!("fde_best", $k),
                short: concat!("FDE", $k),
                title: concat!("Final displacement, best of ", $k),
                definition: concat!(
                    "distance to the truth over the square root of the number of channels at the last step, of the \
                     sample that is best there among the first ",
                    $k,
                    " (of fewer where there are fewer); mean over windows; a step's value is the figure of a horizon \
                     that ends at that step"
                ),
                ..SPEC
            },
        };
    };
}

displacement!(ADE_1, FDE_1, 1);
displacement!(ADE_5, FDE_5, 5);
displacement!(ADE_20, FDE_20, 20);

/// What all of them share.
const SPEC: MetricSpec = MetricSpec {
    name: "",
    short: "",
    title: "",
    unit: "z",
    lower_is_better: true,
    kind: Kind::Score,
    source: "Gupta et al., Social GAN, CVPR 2018, section 4 (best of K samples, there 20)",
    definition: "",
};

impl Metric for Displacement {
    fn spec(&self) -> &'static MetricSpec {
        self.spec
    }

    fn prepare(&self, _: &EvalContext) -> Result<Box<dyn PreparedMetric>> {
        Ok(Box::new(*self))
    }
}

impl PreparedMetric for Displacement {
    fn score(&self, eval: &EvalContext, futures: &Futures) -> Result<MetricResult> {
        Ok(self.against(eval, &eval.test.truth, futures))
    }
}

impl Displacement {
    /// The error of futures against a `truth` of as many numbers a frame.
    pub(super) fn against(&self, eval: &EvalContext, truth: &[f32], futures: &Futures) -> MetricResult {
        let &Futures { samples, s, h, d, .. } = futures;
        let window = |i: usize, best: &mut [f64]| {
            let real = &truth[i * h * d..][..h * d];
            for j in 0..s.min(self.best_of) {
                let sample = &samples[(i * s + j) * h * d..][..h * d];
                let errors = sample.chunks_exact(d).zip(real.chunks_exact(d)).map(|(a, b)| distance(a, b));
                let errors: Vec<f64> = errors.collect();
                if self.final_only {
                    for (best, error) in best.iter_mut().zip(&errors) {
                        *best = if j == 0 { *error } else { best.min(*error) };
                    }
                } else if j == 0 || mean(&errors) < mean(best) {
                    best.copy_from_slice(&errors);
                }
            }
        };
        let finish = |steps: &mut [f64]| if self.final_only { steps[steps.len() - 1] } else { mean(steps) };
        average(eval, window, finish)
    }
}
