//! Hold the last frame.

use crate::error::Result;
use crate::forecast::{Forecaster, Request, history_rows};
use crate::noise::Noise;
use candle_core::Tensor;

/// Repeats the last frame: nearly unbeatable by position alone on stationary motion, and never moving.
#[derive(Debug, Clone)]
pub struct Hold {
    channels: usize,
}

impl Hold {
    /// For motion of `channels` channels.
    pub fn new(channels: usize) -> Self {
        Self { channels }
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
        let (batch, last) = history_rows(history, 1, self.channels)?;
        let samples = Tensor::from_vec(last, (batch, 1, 1, self.channels), history.device())?;
        let samples = samples.repeat((1, 1, request.horizon, 1))?;
        Ok(samples)
    }
}
