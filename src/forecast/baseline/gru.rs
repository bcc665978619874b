//! A recurrent network with a mixture over the next frame.

use super::spec::{Baseline, BaselineRun, delta_std, training};
use crate::error::{Error, Result};
use crate::forecast::roll::in_tiles;
use crate::forecast::{Forecaster, FrameSource, Request};
use crate::model::{Generative, GruMixture};
use crate::noise::Noise;
use crate::settings::Settings;
use crate::train::objective::GenerativeLoss;
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Reads the context frame by frame, then draws frame after frame from the mixture of its state.
#[derive(Debug, Clone)]
pub(crate) struct Recurrent {
    net: GruMixture,
    context: usize,
    channels: usize,
}

impl Recurrent {
    /// Reads `context` frames, at least 2, of `channels` channels.
    ///
    /// # Errors
    /// [`Error::Config`] for a shorter context.
    pub fn new(net: GruMixture, context: usize, channels: usize) -> Result<Self> {
        if context < 2 {
            return Err(Error::config("context of gru_mdn", context, "at least 2"));
        }
        Ok(Self { net, context, channels })
    }
}

/// Settings. The defaults were chosen on validation episodes: `benches/quality/forecast.md`, Tuning.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecurrentConfig {
    /// Frames read before a forecast.
    context: usize,
    /// Frames of a training window behind its context.
    future: usize,
    /// Numbers of the state.
    width: usize,
    /// Gaussians.
    components: usize,
    /// Largest noise on a training window, in standard deviations of the frame-to-frame delta.
    input_noise: f64,
    /// Training steps of batches of 128.
    steps: usize,
    /// Learning rate at its largest.
    learning_rate: f64,
}

/// The row of `gru_mdn`.
pub(super) struct RecurrentBaseline;

impl Baseline for RecurrentBaseline {
    fn name(&self) -> &str {
        "gru_mdn"
    }

    fn is_trained(&self) -> bool {
        true
    }

    fn settings(&self) -> Result<Value> {
        let config = RecurrentConfig {
            context: 16,
            future: 16,
            width: 128,
            components: 5,
            input_noise: 1.0,
            steps: 1500,
            learning_rate: 1e-3,
        };
        config.as_json()
    }

    fn check(&self, settings: &Value) -> Result<()> {
        RecurrentConfig::from_json(settings).map(|_| ())
    }

    fn fit(&self, settings: &Value, run: &mut BaselineRun<'_>) -> Result<Box<dyn Forecaster + Sync>> {
        let config = RecurrentConfig::from_json(settings)?;
        let dataset = run.dataset;
        let windows = dataset.windows(&dataset.split.train, config.context, config.future, 1)?;
        let validation = dataset.windows(&dataset.split.validation, config.context, config.future, 4)?;
        let source = FrameSource::new(&windows, &validation, 0.0)?;
        let scale = delta_std(dataset);
        let mut weights = run.weights();
        let net = GruMixture::new(&scale, config.width, config.components, config.input_noise, &mut weights)?;
        let mut objective = GenerativeLoss { model: net };
        let steps = training(config.steps as u64, config.learning_rate, (0.01, None));
        run.train(settings, &mut objective, &source, &steps)?;
        Ok(Box::new(Recurrent::new(objective.model, config.context, scale.len())?))
    }
}

impl Forecaster for Recurrent {
    fn name(&self) -> &str {
        "gru_mdn"
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

    fn forecast(&self, history: &Tensor, request: &Request, noise: &mut Noise) -> Result<Tensor> {
        let (k, d, horizon) = (self.context, self.channels, request.horizon);
        in_tiles(history, request, noise, [k, d], |tile, noise| {
            let rows = tile.len() / (k * d);
            let past = Tensor::from_slice(tile, (rows, k, d), &Device::Cpu)?;
            let at = |t: usize| Ok::<_, Error>(past.narrow(1, t, 1)?.squeeze(1)?.contiguous()?);
            let mut state = self.net.silent(rows)?;
            let mut frame = at(0)?;
            for t in 1..k {
                let next = at(t)?;
                state = self.net.step(&state, &frame, &next)?.detach();
                frame = next;
            }
            let mut drawn = Vec::with_capacity(horizon);
            for t in 0..horizon {
                let next = self.net.next(&state, &frame, noise)?.detach();
                if t + 1 < horizon {
                    state = self.net.step(&state, &frame, &next)?.detach();
                }
                frame = next.clone();
                drawn.push(next);
            }
            let futures = Tensor::stack(&drawn, 1)?.flatten_all()?.to_vec1::<f32>()?;
            match futures.iter().position(|v| !v.is_finite()) {
                Some(i) => {
                    let (what, value) = ("forecast of `gru_mdn`".to_string(), f64::from(futures[i]));
                    Err(Error::NonFinite { what, value, step: (i / d % horizon) as u64 })
                }
                None => Ok(futures),
            }
        })
    }
}
