//! Constant velocity.

use super::spec::{Baseline, BaselineRun};
use crate::error::Result;
use crate::forecast::{Forecaster, Request};
use crate::noise::Noise;
use candle_core::Tensor;
use serde_json::Value;

/// Goes on as between the last two frames: frame `t` is `last + t (last - before)`.
#[derive(Debug, Clone)]
pub(crate) struct Velocity {
    channels: usize,
}

impl Velocity {
    /// For motion of `channels` channels.
    pub fn new(channels: usize) -> Self {
        Self { channels }
    }
}

/// The row of `velocity`.
pub(super) struct VelocityBaseline;

impl Baseline for VelocityBaseline {
    fn name(&self) -> &str {
        "velocity"
    }

    fn classic(&self) -> bool {
        true
    }

    fn fit(&self, _: &Value, run: &mut BaselineRun<'_>) -> Result<Box<dyn Forecaster + Sync>> {
        Ok(Box::new(Velocity::new(run.dataset.frames.channels.len())))
    }
}

impl Forecaster for Velocity {
    fn name(&self) -> &str {
        "velocity"
    }

    fn context_frames(&self) -> usize {
        2
    }

    fn parameters(&self) -> usize {
        0
    }

    fn evaluations_per_chunk(&self) -> usize {
        0
    }

    fn forecast(&self, history: &Tensor, request: &Request, _: &mut Noise) -> Result<Tensor> {
        request.check()?;
        let (batch, two) = Request::contexts(history, 2, self.channels)?;
        let d = self.channels;
        let mut values = Vec::with_capacity(batch * request.horizon * d);
        for window in two.chunks_exact(2 * d) {
            let (before, last) = window.split_at(d);
            for t in 1..=request.horizon {
                values.extend(last.iter().zip(before).map(|(l, b)| l + t as f32 * (l - b)));
            }
        }
        let samples = Tensor::from_vec(values, (batch, 1, request.horizon, d), history.device())?;
        Ok(samples)
    }
}
