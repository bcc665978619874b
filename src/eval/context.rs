//! What all metrics share.

use super::bootstrap::ResamplingUnits;
use super::data::TestSet;
use super::result::MetricResult;
use ebmotion_engine::parallel;
use serde::{Deserialize, Serialize};

/// How the intervals are made; part of the report's protocol.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BootstrapSettings {
    /// Seed of the resamples, which are the same for all forecasters.
    pub seed: u64,
    /// Replicates of the scores, the segment energy distance and the Fréchet distances of single frames.
    pub replicates: usize,
    /// The single-frame Fréchet distances are resampled at every so many steps, and the mean over these steps stands
    /// for the mean over all.
    pub frame_stride: usize,
    /// Replicates of the window Fréchet distance, whose matrices are five times as large on a side.
    pub window_replicates: usize,
    /// As `frame_stride`, for the window Fréchet distance.
    pub window_stride: usize,
}

impl Default for BootstrapSettings {
    fn default() -> Self {
        Self { seed: 0, replicates: 200, frame_stride: 5, window_replicates: 100, window_stride: 10 }
    }
}

/// Settings of an evaluation.
#[derive(Debug, Clone, PartialEq)]
pub struct EvalOptions {
    /// The intervals.
    pub bootstrap: BootstrapSettings,
    /// At most so many segments a side enter an energy distance (chosen once, the same for all forecasters).
    pub max_segments: usize,
    /// Threads; 0 takes all of the machine. Results do not depend on it.
    pub threads: usize,
}

impl Default for EvalOptions {
    fn default() -> Self {
        Self { bootstrap: BootstrapSettings::default(), max_segments: 2000, threads: 0 }
    }
}

/// What all metrics share: the test set, the settings and the resamples.
pub(crate) struct EvalContext<'a> {
    pub(crate) test: &'a TestSet,
    pub(crate) options: EvalOptions,
    pub(crate) units: ResamplingUnits,
    pub(crate) reference_units: ResamplingUnits,
    /// `(replicates, episodes)`, the same for every forecaster and metric.
    pub(crate) weights: Vec<Vec<f64>>,
    pub(crate) reference_weights: Vec<Vec<f64>>,
}

impl EvalContext<'_> {
    pub(crate) fn threads(&self) -> usize {
        if self.options.threads == 0 { parallel::available() } else { self.options.threads }
    }

    /// Result of a metric whose per-step values, figure and replicates are known.
    pub(crate) fn result(mean: f64, per_step: Vec<f64>, replicates: &[f64]) -> MetricResult {
        MetricResult::new(mean, per_step, replicates.to_vec())
    }
}
