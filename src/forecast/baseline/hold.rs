//! Hold the last frame.

use super::spec::{Baseline, BaselineRun};
use crate::error::Result;
use crate::forecast::{Forecaster, Request};
use crate::noise::Noise;
use candle_core::Tensor;
use serde_json::Value;

/// Repeats the last frame: nearly unbeatable by position alone on stationary motion, and never moving.
#[derive(Debug, Clone)]
pub(crate) struct Hold {
    channels: usize,
}

impl Hold {
    /// For motion of `channels` channels.
    pub fn new(channels: usize) -> Self {
        Self { channels }
    }
}

/// The row of `hold`.
pub(super) struct HoldBaseline;

impl Baseline for HoldBaseline {
    fn name(&self) -> &str {
        "hold"
    }

    fn classic(&self) -> bool {
        true
    }

    fn fit(&self, _: &Value, run: &mut BaselineRun<'_>) -> Result<Box<dyn Forecaster + Sync>> {
        Ok(Box::new(Hold::new(run.dataset.frames.channels.len())))
    }
}

impl Forecaster for Hold {
    fn name(&self) -> &str {
        "hold"
    }

    fn context_frames(&self) -> usize {
        1
    }

    fn parameters(&self) -> usize {
        0
    }

    fn evaluations_per_chunk(&self) -> usize {
        0
    }

    fn forecast(&self, history: &Tensor, request: &Request, _: &mut Noise) -> Result<Tensor> {
        request.check()?;
        let (batch, last) = Request::contexts(history, 1, self.channels)?;
        let samples = Tensor::from_vec(last, (batch, 1, 1, self.channels), history.device())?;
        let samples = samples.repeat((1, 1, request.horizon, 1))?;
        Ok(samples)
    }
}
