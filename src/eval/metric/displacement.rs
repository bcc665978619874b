//! Displacement errors of the best of several samples.

use super::score::{average, distance, mean};
use super::{BEST_OF, Kind, Metric, MetricSpec, Prepared};
use crate::error::Result;
use crate::eval::data::Futures;
use crate::eval::evaluator::{Ground, MetricResult};

const SOURCE: &str = "Gupta et al., Social GAN, CVPR 2018, section 4 (best of K = 20 samples)";

/// Average or final displacement error.
#[derive(Clone, Copy)]
pub(super) struct Displacement {
    final_only: bool,
}

pub(super) static ADE: Displacement = Displacement { final_only: false };
pub(super) static FDE: Displacement = Displacement { final_only: true };

static ADE_SPEC: MetricSpec = MetricSpec {
    name: "ade_best20",
    short: "ADE20",
    title: "Average displacement, best of 20",
    unit: "z",
    lower_is_better: true,
    kind: Kind::Score,
    source: SOURCE,
    definition: "distance to the truth over the square root of the number of channels, averaged over the steps, of the \
        best of the first 20 samples (of fewer where there are fewer); mean over windows; a step's value is that of \
        the same sample",
};

static FDE_SPEC: MetricSpec = MetricSpec {
    name: "fde_best20",
    short: "FDE20",
    title: "Final displacement, best of 20",
    unit: "z",
    lower_is_better: true,
    kind: Kind::Score,
    source: SOURCE,
    definition: "distance to the truth over the square root of the number of channels at the last step, of the sample \
        that is best there among the first 20; mean over windows; a step's value is the figure of a horizon that ends \
        at that step",
};

impl Metric for Displacement {
    fn spec(&self) -> &'static MetricSpec {
        if self.final_only { &FDE_SPEC } else { &ADE_SPEC }
    }

    fn prepare(&self, _: &Ground) -> Result<Box<dyn Prepared>> {
        Ok(Box::new(*self))
    }
}

impl Prepared for Displacement {
    fn score(&self, ground: &Ground, futures: &Futures) -> Result<MetricResult> {
        let &Futures { samples, s, h, d, .. } = futures;
        let window = |i: usize, best: &mut [f64]| {
            let real = &ground.test.truth[i * h * d..][..h * d];
            for j in 0..s.min(BEST_OF) {
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
        Ok(average(ground, window, finish))
    }
}
