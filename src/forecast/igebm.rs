//! The paper's forecaster: Langevin chains over the next frames, the past held fixed (Du & Mordatch 2019, section 4.5).

use super::data::chain_start;
use super::roll::{check_future, chunk_starts, in_tiles};
use super::{Forecaster, Request};
use crate::error::{Error, Result};
use crate::model::{Fixed, MlpEnergy, Network};
use crate::noise::Noise;
use crate::sample::Transition;
use crate::sample::Unadjusted;
use crate::sample::langevin::Langevin;
use candle_core::{Device, Tensor};

/// Draws each chunk of frames by a Langevin chain that starts near the last frame, and feeds it back.
#[derive(Debug, Clone)]
pub(crate) struct ChainForecaster {
    /// `E(future | context)` over z-scored frames.
    pub energy: MlpEnergy,
    /// One step of the chain.
    pub sampler: Unadjusted<Langevin>,
    /// Steps a chunk.
    pub steps: usize,
    /// Half width of the uniform noise on the start, z units.
    pub start_noise: f64,
    /// Frames of context.
    pub context: usize,
    /// Frames a chunk.
    pub chunk: usize,
    /// Channels.
    pub channels: usize,
}

impl ChainForecaster {
    /// The same forecaster with its energy and chains on `device`.
    ///
    /// # Errors
    /// [`Error::Tensor`] when the device has no room.
    pub fn on(mut self, device: &Device) -> Result<Self> {
        self.energy = MlpEnergy { net: self.energy.net.to_device(device)? };
        Ok(self)
    }

    /// Rolls rows out; `contexts` is `(R, K, D)`, the answer `(R, H, D)`.
    fn roll_out(&self, contexts: &[f32], horizon: usize, noise: &mut Noise) -> Result<Vec<f32>> {
        let (k, d, chunk) = (self.context, self.channels, self.chunk);
        let rows = contexts.len() / (k * d);
        let mut history = Tensor::from_slice(contexts, (rows, k, d), &self.energy.parameters().device())?;
        let mut drawn = Vec::new();
        for c in 0..horizon.div_ceil(chunk) {
            let start = chain_start(&history, chunk, self.start_noise, noise)?;
            let energy = Fixed { network: &self.energy, context: Some(&history) };
            let (end, _) = self.sampler.run_from(&energy, &start, self.steps, noise).map_err(|e| match e {
                Error::NonFinite { what, value, .. } => {
                    Error::NonFinite { what: format!("forecast of `ebm`: {what}"), value, step: (c * chunk) as u64 }
                }
                other => other,
            })?;
            let frames = Tensor::cat(&[&history, &end.x], 1)?;
            history = frames.narrow(1, chunk, k)?.contiguous()?;
            drawn.push(end.x);
        }
        Ok(Tensor::cat(&drawn, 1)?.narrow(1, 0, horizon)?.flatten_all()?.to_vec1::<f32>()?)
    }
}

impl Forecaster for ChainForecaster {
    fn name(&self) -> &str {
        "ebm"
    }

    fn context_frames(&self) -> usize {
        self.context
    }

    fn parameters(&self) -> usize {
        self.energy.parameters().count()
    }

    fn evaluations_per_chunk(&self) -> usize {
        self.steps + 1 // the start is evaluated too
    }

    fn forecast(&self, history: &Tensor, request: &Request, noise: &mut Noise) -> Result<Tensor> {
        in_tiles(history, request, noise, [self.context, self.channels], |contexts, noise| {
            self.roll_out(contexts, request.horizon, noise)
        })
    }

    fn energy(&self, history: &Tensor, future: &Tensor) -> Result<Option<Tensor>> {
        let (k, d, chunk) = (self.context, self.channels, self.chunk);
        let (batch, contexts) = Request::contexts(history, k, d)?;
        let horizon = check_future(future, batch, d, chunk)?;
        let device = self.energy.parameters().device();
        let past = Tensor::from_vec(contexts, (batch, k, d), &device)?;
        let all = Tensor::cat(&[&past, &future.to_device(&device)?], 1)?;
        let mut columns = Vec::new();
        for (c, start) in chunk_starts(horizon, chunk).into_iter().enumerate() {
            let context = all.narrow(1, start, k)?.contiguous()?;
            let energy = self.energy.energy(&all.narrow(1, start + k, chunk)?.contiguous()?, Some(&context))?;
            let frames = chunk.min(horizon - c * chunk);
            columns.push(energy.detach().unsqueeze(1)?.repeat((1, frames))?);
        }
        Ok(Some(Tensor::cat(&columns, 1)?.to_device(&Device::Cpu)?))
    }
}
