//! Scores forecasters against one test set, by every metric of the table.

use super::bootstrap::{Units, interval};
use super::data::{Futures, TestSet};
use super::metric::{METRICS, MetricSpec, Prepared};
use crate::error::{Error, Result};
use crate::noise::Noise;
use crate::parallel;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What one metric says of one forecaster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricResult {
    /// The figure; how it follows from the steps stands in the metric's definition.
    pub mean: f64,
    /// `(H,)`: its value at each predicted frame; empty where a metric has none.
    pub per_step: Vec<f64>,
    /// 95 % bootstrap interval of `mean` over episodes (and over training seeds where there are several).
    pub interval: [f64; 2],
    /// `mean` of each training seed, where a forecaster was trained with several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_seed: Vec<f64>,
    /// `mean` on each resample of the episodes, the same resamples for all forecasters; not kept in files.
    #[serde(skip)]
    pub replicates: Vec<f64>,
}

impl MetricResult {
    /// A figure with its values at the steps and on the resamples, from which the interval follows.
    pub fn new(mean: f64, per_step: Vec<f64>, replicates: Vec<f64>) -> Self {
        Self { mean, per_step, interval: interval(mean, &replicates), by_seed: Vec::new(), replicates }
    }
}

/// Results by metric name.
pub type Results = BTreeMap<String, MetricResult>;

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
pub struct Options {
    /// The intervals.
    pub bootstrap: BootstrapSettings,
    /// At most so many segments a side enter an energy distance (chosen once, the same for all forecasters).
    pub max_segments: usize,
    /// Threads; 0 takes all of the machine. Results do not depend on it.
    pub threads: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { bootstrap: BootstrapSettings::default(), max_segments: 2000, threads: 0 }
    }
}

/// What all metrics share: the test set, the settings and the resamples.
pub struct Ground<'a> {
    pub(crate) test: &'a TestSet,
    pub(crate) options: Options,
    pub(crate) units: Units,
    pub(crate) reference_units: Units,
    /// `(replicates, episodes)`, the same for every forecaster and metric.
    pub(crate) weights: Vec<Vec<f64>>,
    pub(crate) reference_weights: Vec<Vec<f64>>,
}

impl Ground<'_> {
    pub(crate) fn threads(&self) -> usize {
        if self.options.threads == 0 { parallel::available() } else { self.options.threads }
    }

    /// Result of a metric whose per-step values, figure and replicates are known.
    pub(crate) fn result(mean: f64, per_step: Vec<f64>, replicates: &[f64]) -> MetricResult {
        MetricResult::new(mean, per_step, replicates.to_vec())
    }
}

/// Scores any number of forecasters against one test set; what depends on the truth alone is computed once.
pub struct Evaluator<'a> {
    ground: Ground<'a>,
    prepared: Vec<(&'static MetricSpec, Box<dyn Prepared>)>,
}

impl<'a> Evaluator<'a> {
    /// Checks the test set and prepares every metric.
    ///
    /// # Errors
    /// As [`TestSet::validate`]; [`Error::Config`] for a stride or a number of segments of 0.
    pub fn new(test: &'a TestSet, options: Options) -> Result<Self> {
        test.validate()?;
        let settings = &options.bootstrap;
        for (key, value) in [
            ("bootstrap.frame_stride", settings.frame_stride),
            ("bootstrap.window_stride", settings.window_stride),
            ("max_segments", options.max_segments),
        ] {
            if value == 0 {
                return Err(Error::config(key, value, "at least 1"));
            }
        }
        let units = Units::new(&test.episode);
        let reference_units = Units::new(&test.reference.episode);
        let noise = Noise::new(settings.seed);
        let replicates = settings.replicates.max(settings.window_replicates);
        let weights = units.resample(replicates, &mut noise.fork(0));
        let reference_weights = reference_units.resample(replicates, &mut noise.fork(1));
        let ground = Ground { test, options, units, reference_units, weights, reference_weights };
        let prepared =
            METRICS.iter().map(|metric| Ok((metric.spec(), metric.prepare(&ground)?))).collect::<Result<Vec<_>>>()?;
        Ok(Self { ground, prepared })
    }

    /// All metrics of one forecaster.
    ///
    /// # Errors
    /// [`Error::Shape`] when `futures` does not fit the test set, [`Error::NonFinite`] when it holds NaN or infinity.
    pub fn evaluate(&self, futures: &Futures) -> Result<Results> {
        self.ground.test.validate_futures(futures)?;
        let score = |(spec, metric): &(&'static MetricSpec, Box<dyn Prepared>)| {
            Ok((spec.name.to_string(), checked(spec, metric.score(&self.ground, futures)?)?))
        };
        self.prepared.iter().map(score).collect()
    }

    /// The floor of the metrics that have one: the real reference windows scored as if they were a forecast.
    ///
    /// # Errors
    /// As [`Evaluator::evaluate`].
    pub fn floor(&self) -> Result<Results> {
        let mut floors = Results::new();
        for (spec, metric) in &self.prepared {
            if let Some(floor) = metric.floor(&self.ground)? {
                floors.insert(spec.name.to_string(), checked(spec, floor)?);
            }
        }
        Ok(floors)
    }

    /// What the bootstrap resamples, in words for the protocol.
    pub fn resampling_unit(&self) -> &'static str {
        if self.ground.units.blocks { "blocks of one episode (the only test episode)" } else { "test episodes" }
    }
}

/// A figure that is not finite never leaves: the data passed the checks, so this is an overflow.
fn checked(spec: &MetricSpec, result: MetricResult) -> Result<MetricResult> {
    let all = result.per_step.iter().enumerate().map(|(t, v)| (*v, t + 1));
    let all = all.chain([(result.mean, 0), (result.interval[0], 0), (result.interval[1], 0)]);
    for (value, step) in all {
        if !value.is_finite() {
            return Err(Error::NonFinite { what: format!("metric `{}`", spec.name), value, step: step as u64 });
        }
    }
    Ok(result)
}
