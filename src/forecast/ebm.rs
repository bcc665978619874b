//! The default forecaster: a noise-level-conditional energy over the residual of a vector autoregression.
//!
//! A chunk is drawn by [`crate::sample::diffusion`]: along the path `x_t = cos(t) u + sin(t) eps` the gradient of the
//! network's scalar is the path's velocity. Where the network is 0 this draws from the vector autoregression with Gaussian
//! residuals, narrower by the cosine of the angle at which the sampler ends.

use super::baseline::DELTA_LIMIT;
use super::coordinates::ResidualCoordinates;
use super::roll::{check_future, chunk_starts};
use super::tensors::TensorRollout;
use super::{Forecaster, Request, history_rows};
use crate::engine::{Linear, Options, Rollout, Stop};
use crate::error::Result;
use crate::model::{GAIN, LevelEnergy};
use crate::noise::Noise;
use crate::parallel;
use crate::sample::diffusion::{self, SamplerConfig};
use candle_core::{DType, Device, Tensor};

/// Noise angle at which motion is judged: tan t = 0.5.
const JUDGE_TAN: f64 = 0.5;

/// Draws futures chunk by chunk from a [`LevelEnergy`].
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
    /// [`crate::Error::Config`] for a sampler that is none.
    pub fn new(coordinates: ResidualCoordinates, energy: LevelEnergy, sampler: SamplerConfig) -> Result<Self> {
        sampler.check()?;
        let rollout = Self::pack(&coordinates, &energy, &sampler)?;
        Ok(Self { coordinates, energy, sampler, rollout, elsewhere: None })
    }

    /// The same forecaster with its rollouts as tensor operations on `device`; on the CPU they are slower than the engine's
    /// and the same to rounding. Energies of given futures stay on the CPU.
    ///
    /// # Errors
    /// [`crate::Error::Tensor`] when the device has no room.
    pub fn on(mut self, device: &Device) -> Result<Self> {
        let energy = self.energy.to_device(device)?;
        self.elsewhere = Some(TensorRollout::new(&self.coordinates, energy, self.sampler, device)?);
        Ok(self)
    }

    /// As [`Forecaster::energy`], of the chunks' large movements alone: of each only the `leading` principal coordinates count,
    /// the others are taken as expected. Many small coordinates, each a little unusual, drown few large ones in the energy of
    /// all.
    ///
    /// # Errors
    /// As [`Forecaster::energy`].
    pub fn energy_of_leading(&self, history: &Tensor, future: &Tensor, leading: usize) -> Result<Tensor> {
        self.energies(history, future, Some(leading))
    }

    /// Energies `(B, H)` of all coordinates or of the leading ones.
    fn energies(&self, history: &Tensor, future: &Tensor, leading: Option<usize>) -> Result<Tensor> {
        let fit = self.coordinates.fit();
        let (k, d, chunk) = (fit.context(), fit.channels(), fit.chunk());
        let (batch, contexts) = history_rows(history, k, d)?;
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
    pub fn coordinates(&self) -> &ResidualCoordinates {
        &self.coordinates
    }

    /// How chunks are drawn.
    pub fn sampler(&self) -> SamplerConfig {
        self.sampler
    }

    /// What the engine runs for a forecast.
    pub fn rollout(&self) -> &Rollout {
        &self.rollout
    }

    /// The energy.
    pub fn energy_model(&self) -> &LevelEnergy {
        &self.energy
    }

    /// The same model for the engine: weights packed, what the levels add to the first layer computed.
    fn pack(coordinates: &ResidualCoordinates, energy: &LevelEnergy, sampler: &SamplerConfig) -> Result<Rollout> {
        let fit = coordinates.fit();
        let (weight, bias) = energy.context_layer()?;
        let numbers = |t: &Tensor| -> Result<Vec<f32>> { Ok(t.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?) };
        let (to_expected, to_frames) = coordinates.linear()?;
        let stop = |s: diffusion::Stop| -> Result<Stop> {
            let [keep, pull, push, fresh] = [s.keep, s.pull, s.push, s.fresh].map(|v| v as f32);
            Ok(Stop { shift: numbers(&energy.level_shift(s.at)?)?, keep, pull, push, fresh })
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
        request.check()?;
        let fit = self.coordinates.fit();
        let (batch, contexts) = history_rows(history, fit.context(), fit.channels())?;
        let (samples, horizon) = (request.samples, request.horizon);
        let mut noise = noise.split_off();
        let mut drawn = match &self.elsewhere {
            Some(there) => there.run(&contexts, request, &noise)?,
            None => self.rollout.run(&contexts, samples, horizon, &mut noise, &Options::default())?,
        };
        self.coordinates.limits().apply(&mut drawn, &contexts, samples * horizon);
        let shape = (batch, samples, horizon, fit.channels());
        Ok(Tensor::from_vec(drawn, shape, &Device::Cpu)?)
    }

    /// Per frame, the energy of the chunk it lies in, at noise level tan t = 0.5 and measured from the energy of the
    /// regression's own prediction: `E(u | c) - E(0 | c)`, which takes the arbitrary offset of each context away.
    fn energy(&self, history: &Tensor, future: &Tensor) -> Result<Option<Tensor>> {
        self.energies(history, future, None).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Activation, MlpConfig, Positions};
    use crate::sample::diffusion::Eta;
    use candle_core::D;

    #[test]
    fn the_engine_rolls_out_what_the_tensors_say() {
        let device = Device::Cpu;
        let (k, c, d) = (5, 3, 4);
        let mut noise = Noise::new(4);
        let windows = noise.normal((60, (k + c) * d), DType::F32, &device).unwrap();
        let windows = windows.cumsum(D::Minus1).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let fit = super::super::baseline::VarFit::fit(&windows, d, k, c, 1.0).unwrap();
        let plain = SamplerConfig { temperature: 1.1, ..SamplerConfig::default() };
        let noisy = SamplerConfig { eta: Eta::OfPosterior(0.4), corrector_steps: 2, ..plain };
        let guided = SamplerConfig { guidance: 1.3.into(), end: 0.4.into(), ..noisy };
        for (spectral_norm, latent, by_frames, sampler, evaluations) in [
            (false, 7, false, plain, 5),
            (true, 12, false, noisy, 11),
            (false, 9, true, plain, 5),
            (false, 12, false, guided, 11),
        ] {
            let mut coordinates = ResidualCoordinates::new(fit.clone(), latent).unwrap();
            if by_frames {
                coordinates = coordinates.by_frames().unwrap();
            }
            let config = MlpConfig {
                inputs: coordinates.latent(),
                context: coordinates.context_width(),
                hidden: vec![if by_frames { 42 } else { 40 }, 30],
                outputs: 1,
                activation: Activation::Swish,
                positions: by_frames.then(|| Positions { count: c, reach: vec![1] }),
                spectral_norm,
            };
            let energy = LevelEnergy::new(config, &mut noise, DType::F32, &device).unwrap();
            let model = LevelForecaster::new(coordinates, energy, sampler).unwrap();
            assert_eq!(model.evaluations_per_chunk(), evaluations);
            let tensors = model.clone().on(&device).unwrap();
            for (batch, samples, horizon) in [(1, 1, 10), (2, 1, 3), (3, 5, 11), (2, 40, 8)] {
                let history = noise.normal((batch, k + 2, d), DType::F32, &device).unwrap();
                let request = Request { horizon, samples };
                let drawn = model.forecast(&history, &request, &mut Noise::new(9)).unwrap();
                let expected = tensors.forecast(&history, &request, &mut Noise::new(9)).unwrap();
                let scale = expected.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
                let away = (drawn - expected).unwrap().abs().unwrap();
                let away = away.max_all().unwrap().to_scalar::<f32>().unwrap();
                assert!(away < 1e-4 * scale.max(1.0), "{batch} x {samples} x {horizon}: off by {away} of {scale}");
            }
        }
    }
}
