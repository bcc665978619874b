//! The default forecaster: a noise-level-conditional energy over the residual of a vector autoregression.
//!
//! A chunk is drawn by [`crate::sample::diffusion`]: along the path `x_t = cos(t) u + sin(t) eps` the gradient of the
//! network's scalar is the path's velocity. Where the network is 0 this draws from the vector autoregression with
//! Gaussian residuals, narrower by the cosine of the angle at which the sampler ends.

use super::baseline::DELTA_LIMIT;
use super::conditions::{ForecastConditions, Units, guides};
use super::coordinates::ResidualCoordinates;
use super::fill::{Draws, Seen, filled};
use super::lookahead::seen;
use super::roll::{check_future, chunk_starts};
use super::tensors::TensorRollout;
use super::{Forecaster, Request, auto};
use crate::error::Result;
use crate::model::{GAIN, LevelEnergy, MlpConfig};
use crate::noise::Noise;
use crate::sample::diffusion::{self, SamplerConfig};
use candle_core::{DType, Device, Tensor};
use ebmotion_engine::engine::{Linear, Rollout, RolloutStop, RunOptions};
use ebmotion_engine::parallel;
use nalgebra::DMatrix;

/// Noise angle at which motion is judged: tan t = 0.5.
const JUDGE_TAN: f64 = 0.5;

/// Draws futures chunk by chunk from an energy that knows its noise level: the forecaster of all models but the paper's
/// ([`Model::level`](super::Model::level)).
#[derive(Debug, Clone)]
pub struct LevelForecaster {
    coordinates: ResidualCoordinates,
    energy: LevelEnergy,
    sampler: SamplerConfig,
    rollout: Rollout,
    /// The same on another device, which then does the forecasts.
    elsewhere: Option<TensorRollout>,
}

impl LevelForecaster {
    /// Joins coordinates and energy, whose weights are taken as they are now.
    ///
    /// # Errors
    /// [`crate::Error::Config`] for a sampler that is none, or whose temperature is 0.
    pub(crate) fn new(coordinates: ResidualCoordinates, energy: LevelEnergy, sampler: SamplerConfig) -> Result<Self> {
        sampler.check_random()?;
        let rollout = Self::pack(&coordinates, &energy, &sampler)?;
        Ok(Self { coordinates, energy, sampler, rollout, elsewhere: None })
    }

    /// The same forecaster with its rollouts as tensor operations on `device`; on the CPU they are slower than the
    /// engine's and the same to rounding. Energies of given futures stay on the CPU.
    ///
    /// # Errors
    /// [`crate::Error::Tensor`] when the device has no room.
    pub(crate) fn on(mut self, device: &Device) -> Result<Self> {
        let energy = self.energy.to_device(device)?;
        self.elsewhere = Some(TensorRollout::new(&self.coordinates, energy, self.sampler, device)?);
        Ok(self)
    }

    /// As [`Forecaster::energy`], of the chunks' large movements alone: of each only the `leading` principal
    /// coordinates count, the others are taken as expected. Many small coordinates, each a little unusual, drown few
    /// large ones in the energy of all.
    ///
    /// # Errors
    /// As [`Forecaster::energy`].
    pub(crate) fn energy_of_leading(&self, history: &Tensor, future: &Tensor, leading: usize) -> Result<Tensor> {
        self.energies(history, future, Some(leading))
    }

    /// Energies `(B, H)` of all coordinates or of the leading ones.
    fn energies(&self, history: &Tensor, future: &Tensor, leading: Option<usize>) -> Result<Tensor> {
        let fit = self.coordinates.fit();
        let (k, d, chunk) = (fit.context(), fit.channels(), fit.chunk());
        let (batch, contexts) = Request::contexts(history, k, d)?;
        let horizon = check_future(future, batch, d, chunk)?;
        let future = future.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
        let t = JUDGE_TAN.atan();
        let energies = parallel::tiles(batch, 1, |rows| {
            let b = rows.start;
            let all: Vec<f32> = contexts[b * k * d..(b + 1) * k * d]
                .iter()
                .chain(&future[b * horizon * d..(b + 1) * horizon * d])
                .copied()
                .collect();
            let starts = chunk_starts(horizon, chunk);
            let history: Vec<f32> = starts.iter().flat_map(|s| &all[s * d..(s + k) * d]).copied().collect();
            let chunks: Vec<f32> =
                starts.iter().flat_map(|s| &all[(s + k) * d..(s + k + chunk) * d]).copied().collect();
            let (context, expected) = self.coordinates.expect(&history)?;
            let chunks = Tensor::from_vec(chunks, (starts.len(), chunk * d), &Device::Cpu)?;
            let mut u = self.coordinates.encode(&chunks, &expected)?;
            if let Some(leading) = leading {
                u = self.coordinates.principal(&u, leading)?;
            }
            let level = self.energy.conditioned(Some(&context), starts.len())?.at(t)?;
            let energy = (level.value(&u)? - level.value(&u.zeros_like()?)?)?.to_vec1::<f32>()?;
            Ok((0..horizon).map(|f| energy[(f / chunk).min(starts.len() - 1)]).collect::<Vec<f32>>())
        })?;
        Ok(Tensor::from_vec(energies.concat(), (batch, horizon), &Device::Cpu)?)
    }

    /// The coordinates.
    pub(crate) fn coordinates(&self) -> &ResidualCoordinates {
        &self.coordinates
    }

    /// How chunks are drawn.
    pub fn sampler(&self) -> SamplerConfig {
        self.sampler
    }

    /// As [`Forecaster::forecast_given`], with conditions in units of their own. Where each history has other values of
    /// its observations, they are `values` `(N, B)`, z-scored.
    pub(super) fn forecast_in(
        &self,
        history: &Tensor,
        request: &Request,
        (conditions, units, values): (&ForecastConditions, &Units, Option<&DMatrix<f64>>),
        noise: &mut Noise,
    ) -> Result<Tensor> {
        request.check()?;
        let fit = self.coordinates.fit();
        let (k, d) = (fit.context(), fit.channels());
        let (batch, contexts) = Request::contexts(history, k, d)?;
        let (samples, horizon) = (request.samples, request.horizon);
        conditions.check((horizon, d), [k, fit.chunk()], values.is_some())?;
        let observations = conditions.standardised(&units.offset, &units.scale);
        let seen = seen(&self.coordinates, &observations, values, horizon.div_ceil(fit.chunk()))?;
        let mut noise = noise.split_off();
        let mut drawn = match &self.elsewhere {
            Some(there) => there.run(&contexts, request, (conditions, units, &seen), &noise)?,
            None => {
                let guides = match conditions.is_empty() {
                    true => Vec::new(),
                    false => guides(conditions, &seen, units, &self.rollout)?,
                };
                self.rollout.run_guided(&contexts, samples, horizon, &guides, &mut noise, &RunOptions::default())?
            }
        };
        let named = if conditions.is_empty() { Vec::new() } else { conditions.named(d) };
        self.coordinates.limits().apply_but(&mut drawn, &contexts, samples * horizon, &named);
        Ok(Tensor::from_vec(drawn, (batch, samples, horizon, d), &Device::Cpu)?)
    }

    /// Windows `(B, T, D)`, z-scored, with NaN in the same cells of each, as the autoregression behind the coordinates
    /// fills and cleans them: the mean `(B, T, D)`, and `samples` draws `(B, S, T, D)`. That is the exact Gaussian
    /// conditional, which a Kalman smoother computes: what [`Forecaster::fill`] and [`LevelForecaster::clean`] have to
    /// be better than. `noise` `(D,)` is as for the latter; zeros for [`Forecaster::fill`].
    ///
    /// # Errors
    /// As [`LevelForecaster::clean`].
    pub fn smooth(&self, windows: &Tensor, noise: &[f64], samples: usize, draws: &mut Noise) -> Result<[Tensor; 2]> {
        let filled = filled(&self.coordinates, &Seen { windows, noise }, samples, None, draws)?;
        Ok([filled.mean, filled.draws])
    }

    /// What windows `(B, T, D)` were before noise came to them, z-scored: the mean `(B, T, D)`, and `samples` draws
    /// `(B, S, T, D)`. `noise` `(D,)` is the standard deviation of each channel's noise, z-scored, normal and new in
    /// each frame; 0 for a channel that is known. Cells that are NaN, the same in all windows, are missing; with noise
    /// of 0 everywhere they are all that is drawn, as by [`Forecaster::fill`].
    ///
    /// # Errors
    /// [`crate::Error::Shape`] where these do not fit the model or each other; [`crate::Error::Config`] for noise that
    /// is none; [`crate::Error::Data`] for windows of no more than a context, and as [`Forecaster::fill`].
    pub fn clean(&self, windows: &Tensor, noise: &[f64], samples: usize, draws: &mut Noise) -> Result<[Tensor; 2]> {
        let velocity = |x: &Tensor, context: &Tensor, at: f64| self.velocity(x, context, at);
        let by = Draws { velocity: &velocity, sampler: auto::filling(self.sampler) };
        let filled = filled(&self.coordinates, &Seen { windows, noise }, samples, Some(&by), draws)?;
        Ok([filled.mean, filled.draws])
    }

    /// Velocity `(N, latent)` of coordinates `(N, latent)` after contexts `(N, K D)` at a noise angle.
    pub(super) fn velocity(&self, x: &Tensor, contexts: &Tensor, at: f64) -> Result<Tensor> {
        self.energy.conditioned(Some(contexts), x.dim(0)?)?.at(at)?.velocity(x)
    }

    /// What the engine runs for a forecast.
    pub fn rollout(&self) -> &Rollout {
        &self.rollout
    }

    /// The shape of the energy's network, whose context begins with what tells it the noise level.
    pub fn network(&self) -> &MlpConfig {
        self.energy.network().config()
    }

    /// The energy.
    pub(crate) fn energy_model(&self) -> &LevelEnergy {
        &self.energy
    }

    /// The same model for the engine: weights packed, what the levels add to the first layer computed.
    fn pack(coordinates: &ResidualCoordinates, energy: &LevelEnergy, sampler: &SamplerConfig) -> Result<Rollout> {
        let fit = coordinates.fit();
        let (weight, bias) = energy.context_layer()?;
        let numbers = |t: &Tensor| -> Result<Vec<f32>> { Ok(t.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?) };
        let (to_expected, to_frames) = coordinates.linear()?;
        let stop = |s: diffusion::Stop| -> Result<RolloutStop> {
            let [keep, pull, push, fresh] = [s.keep, s.pull, s.push, s.fresh].map(|v| v as f32);
            let (scale, slope, variance) = (s.scale as f32, s.slope as f32, s.variance);
            Ok(RolloutStop {
                shift: numbers(&energy.level_shift(s.at)?)?,
                keep,
                pull,
                push,
                fresh,
                scale,
                slope,
                variance,
            })
        };
        Ok(Rollout {
            channels: fit.channels(),
            context: fit.context(),
            chunk: fit.chunk(),
            delta_std: fit.delta_std().to_vec(),
            delta_limit: DELTA_LIMIT,
            to_first: Linear::new(numbers(&weight)?, &numbers(&bias)?)?.into(),
            to_expected: to_expected.into(),
            to_frames: to_frames.into(),
            network: energy.network().packed()?.into(),
            gain: GAIN as f32,
            temperature: sampler.temperature as f32,
            stops: sampler.stops().into_iter().map(stop).collect::<Result<_>>()?,
        })
    }
}

impl Forecaster for LevelForecaster {
    fn name(&self) -> &str {
        "ebm"
    }

    fn context_frames(&self) -> usize {
        self.coordinates.fit().context()
    }

    fn parameters(&self) -> usize {
        self.energy.parameters().count()
    }

    fn evaluations_per_chunk(&self) -> usize {
        self.rollout.stops.len()
    }

    fn forecast(&self, history: &Tensor, request: &Request, noise: &mut Noise) -> Result<Tensor> {
        self.forecast_given(history, request, &ForecastConditions::default(), noise)
    }

    fn forecast_given(
        &self,
        history: &Tensor,
        request: &Request,
        conditions: &ForecastConditions,
        noise: &mut Noise,
    ) -> Result<Tensor> {
        let units = Units::standard(self.coordinates.fit().channels());
        self.forecast_in(history, request, (conditions, &units, None), noise)
    }

    fn fill(&self, windows: &Tensor, samples: usize, noise: &mut Noise) -> Result<Tensor> {
        let known = vec![0.0; self.coordinates.fit().channels()];
        let [_, drawn] = self.clean(windows, &known, samples, noise)?;
        Ok(drawn)
    }

    /// Per frame, the energy of the chunk it lies in, at noise level tan t = 0.5 and measured from the energy of the
    /// regression's own prediction: `E(u | c) - E(0 | c)`, which takes the arbitrary offset of each context away.
    fn energy(&self, history: &Tensor, future: &Tensor) -> Result<Option<Tensor>> {
        self.energies(history, future, None).map(Some)
    }
}

#[cfg(test)]
mod tests;
