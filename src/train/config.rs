//! Settings of a training run.

use super::divergence::Divergence;
use super::optimizer::AdamConfig;
use serde::{Deserialize, Serialize};

/// Settings of a training run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Steps of the optimizer. A run's settings may say 0 where [`crate::forecast::RunConfig::for_data`] is to choose.
    pub steps: u64,
    /// Examples a step.
    pub batch: usize,
    /// The optimizer.
    pub optimizer: AdamConfig,
    /// Decay of the weights' moving average, in `[0, 1)`; the average is what is validated and kept.
    pub average_decay: f64,
    /// Steps between two validations.
    pub validate_every: u64,
    /// Steps between two lines of telemetry.
    pub log_every: u64,
    /// Steps between two checkpoints, where checkpoints are kept.
    pub checkpoint_every: u64,
    /// When the run counts as diverged.
    #[serde(default)]
    pub divergence: Divergence,
    /// Checkpoints hold 12 bytes a weight where there are 20: moments, and averages less the weights, in bf16. A run
    /// that goes on from one ends near where it would have ended, not in the same bits.
    #[serde(default)]
    pub compact_checkpoints: bool,
}
