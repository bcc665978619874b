//! The paper's baseline: a fully connected network from a few frames to the next.

use super::spec::{Baseline, BaselineRun, training};
use crate::error::{Error, Result};
use crate::forecast::{Forecaster, FrameSource, Request};
use crate::model::{Activation, Mlp, MlpConfig};
use crate::noise::Noise;
use crate::settings::Settings;
use crate::train::TrainConfig;
use crate::train::objective::Regression;
use candle_core::{DType, Device, Tensor};
use serde_json::Value;

/// Frames of context.
const CONTEXT: usize = 4;

/// Predicts the next frame by least squares and feeds it back (Du & Mordatch 2019, section 4.5): one future, and no
/// notion that there could be others.
#[derive(Debug, Clone)]
pub(crate) struct FullyConnected {
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

/// The row of `fc`: three layers of 128, least squares, spectral norm against explosion.
pub(super) struct FullyConnectedBaseline;

impl Baseline for FullyConnectedBaseline {
    fn name(&self) -> &str {
        "fc"
    }

    fn classic(&self) -> bool {
        true
    }

    fn is_trained(&self) -> bool {
        true
    }

    fn note(&self) -> Option<&str> {
        Some(
            "fc is the paper's baseline: 4 frames to the next, 3 layers of 128, spectral norm (without it its rollouts \
             grow without bound), 10,000 steps, weights of the best validation loss.",
        )
    }

    fn fit(&self, _: &Value, run: &mut BaselineRun<'_>) -> Result<Box<dyn Forecaster + Sync>> {
        let dataset = run.dataset;
        let d = dataset.frames.channels.len();
        let windows = dataset.windows(&dataset.split.train, CONTEXT, 1, 1)?;
        let validation = dataset.windows(&dataset.split.validation, CONTEXT, 1, 1)?;
        let source = FrameSource::new(&windows, &validation, 0.0)?;
        let config = MlpConfig {
            inputs: CONTEXT * d,
            context: 0,
            hidden: vec![128; 3],
            positions: None,
            outputs: d,
            activation: Activation::LeakyRelu,
            spectral_norm: true,
        };
        let identity = config.as_json()?;
        let net = Mlp::new(config, &mut run.weights(), DType::F32, &Device::Cpu)?;
        let mut objective = Regression { net };
        let config = TrainConfig { validate_every: 500, ..training(10_000, 1e-3, (0.0, None)) };
        run.train(&identity, &mut objective, &source, &config)?;
        Ok(Box::new(FullyConnected::new(objective.net, CONTEXT, d)?))
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
        let (batch, frames) = Request::contexts(history, self.context, self.channels)?;
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
