//! The paper's baseline: a fully connected network from a few frames to the next.

use crate::error::{Error, Result};
use crate::forecast::{Forecaster, Request, history_rows};
use crate::model::Mlp;
use crate::noise::Noise;
use candle_core::{Device, Tensor};

/// Predicts the next frame by least squares and feeds it back (Du & Mordatch 2019, section 4.5): one future, and no
/// notion that there could be others.
#[derive(Debug, Clone)]
pub struct FullyConnected {
    net: Mlp,
    context: usize,
    channels: usize,
}

impl FullyConnected {
    /// `net` maps `(B, context * channels)` to `(B, channels)`.
    ///
    /// # Errors
    /// [`Error::Config`] when the network has other widths.
    pub fn new(net: Mlp, context: usize, channels: usize) -> Result<Self> {
        let config = net.config();
        if (config.inputs, config.outputs) != (context * channels, channels) {
            let found = format!("{} to {}", config.inputs, config.outputs);
            return Err(Error::config("fc", found, format!("{} to {channels} numbers", context * channels)));
        }
        Ok(Self { net, context, channels })
    }
}

impl Forecaster for FullyConnected {
    fn name(&self) -> &str {
        "fc"
    }

    fn context_frames(&self) -> usize {
        self.context
    }

    fn parameters(&self) -> usize {
        self.net.parameters().count()
    }

    fn evaluations_per_chunk(&self) -> usize {
        1
    }

    fn forecast(&self, history: &Tensor, request: &Request, _: &mut Noise) -> Result<Tensor> {
        request.check()?;
        let (batch, frames) = history_rows(history, self.context, self.channels)?;
        let mut frames = Tensor::from_vec(frames, (batch, self.context, self.channels), &Device::Cpu)?;
        let none = self.net.context_part(None)?;
        let mut drawn = Vec::with_capacity(request.horizon);
        for step in 0..request.horizon {
            let next = self.net.forward_at(&frames, &none)?.unsqueeze(1)?;
            frames = Tensor::cat(&[&frames.narrow(1, 1, self.context - 1)?, &next], 1)?;
            let size = next.abs()?.max_all()?.to_scalar::<f32>()?;
            if !size.is_finite() {
                let what = "forecast of `fc`".to_string();
                return Err(Error::NonFinite { what, value: f64::from(size), step: step as u64 });
            }
            drawn.push(next);
        }
        Ok(Tensor::cat(&drawn, 1)?.unsqueeze(1)?)
    }
}
