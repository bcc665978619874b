//! Calibration: how often the truth lies inside the intervals of the samples.

use super::score::{average_of, mean};
use super::{Kind, Metric, MetricSpec, PreparedMetric};
use crate::error::Result;
use crate::eval::context::EvalContext;
use crate::eval::data::Futures;
use crate::eval::result::MetricResult;

const SOURCE: &str = "Gneiting, Balabdaoui and Raftery, J. R. Stat. Soc. B 69, 2007, section 3.1 (central intervals, \
    probability integral transform); ranks of an ensemble as Hamill, Mon. Weather Rev. 129, 2001";

/// Central intervals whose coverage is looked at.
const LEVELS: [f64; 9] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];

pub(super) struct CalibrationError;

static ERROR: MetricSpec = MetricSpec {
    name: "calibration_error",
    short: "Calib",
    title: "Calibration error",
    unit: "share",
    lower_is_better: true,
    kind: Kind::Score,
    source: SOURCE,
    definition: "mean over the levels 0.1, 0.2 .. 0.9 of the absolute difference between the level and the share of \
        true values inside the samples' central interval of that level, at each step over all windows and channels; \
        mean over steps. A truth above r of S samples and tied with e of them stands anywhere between r / (S + 1) and \
        (r + e + 1) / (S + 1) of their distribution, and counts with the part of that range inside the interval, so \
        that samples that are distributed as the truth have the expected coverage for any S; one sample has no \
        interval and covers nothing, which gives 0.5",
};

impl Metric for CalibrationError {
    fn spec(&self) -> &'static MetricSpec {
        &ERROR
    }

    fn prepare(&self, _: &EvalContext) -> Result<Box<dyn PreparedMetric>> {
        Ok(Box::new(CalibrationError))
    }
}

impl PreparedMetric for CalibrationError {
    fn score(&self, eval: &EvalContext, futures: &Futures) -> Result<MetricResult> {
        Ok(coverage(eval, futures, &LEVELS, |covered| {
            let gaps = covered.iter().zip(&LEVELS).map(|(covered, level)| (covered - level).abs());
            gaps.sum::<f64>() / LEVELS.len() as f64
        }))
    }
}

pub(super) struct Coverage90;

static COVERAGE: MetricSpec = MetricSpec {
    name: "coverage_90",
    short: "Cov90",
    title: "Coverage of the central 90 % interval",
    unit: "share",
    lower_is_better: false,
    kind: Kind::Description,
    source: SOURCE,
    definition: "share of true values inside the samples' central interval of 90 %, counted as in calibration_error, \
        over all windows, channels and steps: below 0.9 the samples are too sure or off, above it too wide",
};

impl Metric for Coverage90 {
    fn spec(&self) -> &'static MetricSpec {
        &COVERAGE
    }

    fn prepare(&self, _: &EvalContext) -> Result<Box<dyn PreparedMetric>> {
        Ok(Box::new(Coverage90))
    }
}

impl PreparedMetric for Coverage90 {
    fn score(&self, eval: &EvalContext, futures: &Futures) -> Result<MetricResult> {
        Ok(coverage(eval, futures, &[0.9], |covered| covered[0]))
    }
}

/// `step` makes a step's value of its coverage at each level, `(levels,)`; the figure is the mean of the steps.
fn coverage(eval: &EvalContext, futures: &Futures, levels: &[f64], step: impl Fn(&[f64]) -> f64) -> MetricResult {
    let &Futures { samples, s, h, d, .. } = futures;
    let window = |i: usize, values: &mut [f64]| {
        if s < 2 {
            return;
        }
        let (mut below, mut tied) = (vec![0_u32; d], vec![0_u32; d]);
        for (t, values) in values.chunks_exact_mut(levels.len()).enumerate() {
            let real = &eval.test.truth[(i * h + t) * d..][..d];
            below.fill(0);
            tied.fill(0);
            for j in 0..s {
                let sample = &samples[((i * s + j) * h + t) * d..][..d];
                for c in 0..d {
                    below[c] += u32::from(sample[c] < real[c]);
                    tied[c] += u32::from(sample[c] == real[c]);
                }
            }
            for (below, tied) in below.iter().zip(&tied) {
                for (value, level) in values.iter_mut().zip(levels) {
                    *value += inside(f64::from(*below), f64::from(*tied), s as f64, *level) / d as f64;
                }
            }
        }
    };
    average_of(eval, h * levels.len(), window, |means| {
        let steps: Vec<f64> = means.chunks_exact(levels.len()).map(&step).collect();
        (mean(&steps), steps)
    })
}

/// Part of a truth's range of ranks that lies inside the central interval of `level`.
fn inside(below: f64, tied: f64, samples: f64, level: f64) -> f64 {
    let range = [below / (samples + 1.0), (below + tied + 1.0) / (samples + 1.0)];
    let common = range[1].min(0.5 + level / 2.0) - range[0].max(0.5 - level / 2.0);
    common.max(0.0) / (range[1] - range[0])
}
