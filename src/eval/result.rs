//! What metrics say.

use super::bootstrap::interval;
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
pub(crate) type Results = BTreeMap<String, MetricResult>;
