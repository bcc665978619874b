//! The default forecaster: a noise-level-conditional energy over the residual of a vector autoregression.
//!
//! A chunk is drawn by [`crate::sample::diffusion`]: along the path `x_t = cos(t) u + sin(t) eps` the gradient of the
//! network's scalar is the path's velocity. Where the network is 0 this draws from the vector autoregression with
//! Gaussian residuals, narrower by the cosine of the angle at which the sampler ends.

use super::baseline::DELTA_LIMIT;
use super::conditions::{ForecastConditions, Units, guides};
use super::coordinates::ResidualCoordinates;
use super::roll::{check_future, chunk_starts};
use super::tensors::TensorRollout;
use super::{Forecaster, Request, history_rows};
use crate::error::Result;
use crate::model::{GAIN, LevelEnergy, MlpConfig};
use crate::noise::Noise;
use crate::sample::diffusion::{self, SamplerConfig};
use candle_core::{DType, Device, Tensor};
use ebmotion_engine::engine::{Linear, Rollout, RolloutStop, RunOptions};
use ebmotion_engine::parallel;

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
    pub(crate) fn coordinates(&self) -> &ResidualCoordinates {
        &self.coordinates
    }

    /// How chunks are drawn.
    pub fn sampler(&self) -> SamplerConfig {
        self.sampler
    }

    /// As [`Forecaster::forecast_given`], with conditions in units of their own.
    pub(super) fn forecast_in(
        &self,
        history: &Tensor,
        request: &Request,
        (conditions, units): (&ForecastConditions, &Units),
        noise: &mut Noise,
    ) -> Result<Tensor> {
        request.check()?;
        let fit = self.coordinates.fit();
        let (k, d) = (fit.context(), fit.channels());
        let (batch, contexts) = history_rows(history, k, d)?;
        let (samples, horizon) = (request.samples, request.horizon);
        conditions.check(horizon, d, fit.chunk())?;
        let mut noise = noise.split_off();
        let mut drawn = match &self.elsewhere {
            Some(there) => there.run(&contexts, request, (conditions, units), &noise)?,
            None => {
                let guides = match conditions.is_empty() {
                    true => Vec::new(),
                    false => guides(conditions, units, &self.rollout, horizon)?,
                };
                self.rollout.run_guided(&contexts, samples, horizon, &guides, &mut noise, &RunOptions::default())?
            }
        };
        let named = if conditions.is_empty() { Vec::new() } else { conditions.named(d) };
        self.coordinates.limits().apply_but(&mut drawn, &contexts, samples * horizon, &named);
        Ok(Tensor::from_vec(drawn, (batch, samples, horizon, d), &Device::Cpu)?)
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
        self.forecast_in(history, request, (conditions, &Units::standard(self.coordinates.fit().channels())), noise)
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
    use crate::energy::Energy;
    use crate::energy::constraint::SoftLimits;
    use crate::forecast::Observation;
    use crate::forecast::baseline::VarFit;
    use crate::model::{Activation, MlpConfig, Positions};
    use crate::sample::diffusion::Eta;
    use candle_core::D;
    use nalgebra::{DMatrix, DVector};

    #[test]
    fn the_engine_rolls_out_what_the_tensors_say() {
        let (k, d) = (5, 4);
        let mut noise = Noise::new(4);
        let fit = fit(&mut noise).unwrap();
        let plain = SamplerConfig { temperature: 1.1, ..SamplerConfig::default() };
        let noisy = SamplerConfig { eta: Eta::OfPosterior(0.4), corrector_steps: 2, ..plain };
        let guided = SamplerConfig { guidance: 1.3.into(), end: 0.4.into(), ..noisy };
        for (spectral_norm, latent, by_frames, sampler, evaluations) in [
            (false, 7, false, plain, 5),
            (true, 12, false, noisy, 11),
            (false, 9, true, plain, 5),
            (false, 12, false, guided, 11),
        ] {
            let model = over(fit.clone(), latent, by_frames, spectral_norm, sampler, &mut noise).unwrap();
            assert_eq!(model.evaluations_per_chunk(), evaluations);
            let tensors = model.clone().on(&Device::Cpu).unwrap();
            for (batch, samples, horizon) in [(1, 1, 10), (2, 1, 3), (3, 5, 11), (2, 40, 8)] {
                let history = noise.normal((batch, k + 2, d), DType::F32, &Device::Cpu).unwrap();
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

    /// A forecaster of 4 channels by chunks of 3 frames after 5.
    fn model(latent: usize, by_frames: bool, sampler: SamplerConfig) -> Result<LevelForecaster> {
        let mut noise = Noise::new(4);
        over(fit(&mut noise)?, latent, by_frames, false, sampler, &mut noise)
    }

    fn fit(noise: &mut Noise) -> Result<VarFit> {
        let (k, c, d) = (5, 3, 4);
        let windows = noise.normal((60, (k + c) * d), DType::F32, &Device::Cpu)?.cumsum(D::Minus1)?;
        VarFit::fit(&windows.flatten_all()?.to_vec1::<f32>()?, d, k, c, 1.0)
    }

    fn over(
        fit: VarFit,
        latent: usize,
        by_frames: bool,
        spectral_norm: bool,
        sampler: SamplerConfig,
        noise: &mut Noise,
    ) -> Result<LevelForecaster> {
        let mut coordinates = ResidualCoordinates::new(fit, latent)?;
        if by_frames {
            coordinates = coordinates.by_frames()?;
        }
        let config = MlpConfig {
            inputs: coordinates.latent(),
            context: coordinates.context_width(),
            hidden: vec![if by_frames { 42 } else { 40 }, 30],
            outputs: 1,
            activation: Activation::Swish,
            positions: by_frames.then(|| Positions { count: 3, reach: vec![1] }),
            spectral_norm,
        };
        let energy = LevelEnergy::new(config, noise, DType::F32, &Device::Cpu)?;
        LevelForecaster::new(coordinates, energy, sampler)
    }

    /// The same without a network: its weights are 0.
    fn quiet(model: &LevelForecaster) -> Result<LevelForecaster> {
        let parameters = model.energy.parameters();
        let zeros: Vec<Tensor> =
            parameters.values()?.iter().map(Tensor::zeros_like).collect::<std::result::Result<_, _>>()?;
        parameters.set_values(&zeros)?;
        LevelForecaster::new(model.coordinates.clone(), model.energy.clone(), model.sampler)
    }

    #[test]
    fn forecasts_refuse_a_temperature_of_zero() {
        let cold = SamplerConfig { temperature: 0.0, ..SamplerConfig::default() };
        cold.check().unwrap();
        let error = model(7, false, cold).unwrap_err();
        assert!(matches!(&error, crate::Error::Config { key, .. } if key == "sampler.temperature"), "{error}");
    }

    /// Everything that a condition may be, in several chunks.
    fn conditions() -> Result<ForecastConditions> {
        let (lo, hi) = (Tensor::new(&[-1.0f32; 4], &Device::Cpu)?, Tensor::new(&[0.5f32; 4], &Device::Cpu)?);
        let sum = Observation { summands: vec![(3, 0, 1.0), (4, 0, -1.0), (5, 3, 0.5)], value: 0.2, std: 0.3 };
        Ok(ForecastConditions::new().hold(1, 0..2, 0.4).near(2, 2, -0.3, 0.2).observe(sum).energy(
            4..8,
            SoftLimits::new(&lo, &hi, 2.0)?,
            4.0,
        ))
    }

    #[test]
    fn the_engine_meets_conditions_as_the_tensors_do() -> Result<()> {
        let plain = SamplerConfig::default();
        let noisy = SamplerConfig { eta: Eta::OfPosterior(0.4), corrector_steps: 1, guidance: 1.3.into(), ..plain };
        for (latent, by_frames, sampler) in [(7, false, plain), (12, false, noisy), (9, true, plain), (7, false, noisy)]
        {
            let model = model(latent, by_frames, sampler)?;
            let tensors = model.clone().on(&Device::Cpu)?;
            for (batch, samples, horizon) in [(1, 1, 10), (2, 3, 8), (2, 40, 9)] {
                let history = Noise::new(5).normal((batch, 7, 4), DType::F32, &Device::Cpu)?;
                let request = Request { horizon, samples };
                let given =
                    |of: &LevelForecaster| of.forecast_given(&history, &request, &conditions()?, &mut Noise::new(9));
                let (drawn, expected) = (given(&model)?, given(&tensors)?);
                let scale = expected.abs()?.max_all()?.to_scalar::<f32>()?;
                let away = (&drawn - expected)?.abs()?.max_all()?.to_scalar::<f32>()?;
                assert!(away < 3e-4 * scale.max(1.0), "{batch} x {samples} x {horizon}: off by {away} of {scale}");
                let held = drawn.narrow(2, 0, 2)?.narrow(3, 1, 1)?.flatten_all()?.to_vec1::<f32>()?;
                assert!(held.iter().all(|v| (v - 0.4).abs() < 1e-4 * scale.max(1.0)), "{held:?}");
                for threads in [1, 3] {
                    let guides = guides(&conditions()?, &Units::standard(4), model.rollout(), horizon)?;
                    let contexts = history.narrow(1, 2, 5)?.flatten_all()?.to_vec1::<f32>()?;
                    let mut noise = Noise::new(9).split_off();
                    let options = RunOptions::with_threads(threads);
                    let again = model.rollout.run_guided(&contexts, samples, horizon, &guides, &mut noise, &options)?;
                    assert_eq!(again, drawn.flatten_all()?.to_vec1::<f32>()?, "{threads} threads");
                }
            }
        }
        Ok(())
    }

    /// Without a network a chunk is Gaussian, and what conditions make of it is known.
    #[test]
    fn the_engine_draws_a_gaussian_chunk_given_what_is_seen_of_it() -> Result<()> {
        let sampler =
            SamplerConfig { levels: 40, start: 1.5705, end: 0.005.into(), spacing: 1.0, ..SamplerConfig::default() };
        let draws = 20_000;
        let history = Noise::new(5).normal((1, 7, 4), DType::F32, &Device::Cpu)?;
        let contexts = history.narrow(1, 2, 5)?.flatten_all()?.to_vec1::<f32>()?;
        for latent in [7, 12] {
            let model = quiet(&model(latent, false, sampler)?)?;
            let (mean, colour) = model.coordinates.colouring();
            let (_, expected) = model.coordinates.expect(&contexts)?;
            let mean = (expected + mean)?.flatten_all()?.to_vec1::<f32>()?;
            let mean = DVector::from_iterator(12, mean.iter().map(|v| f64::from(*v)));
            let colour: Vec<f64> = colour.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?;
            let colour = DMatrix::from_row_slice(12, 12, &colour);
            let covariance = colour.transpose() * &colour;
            // A joint held at the first and last frame, another near a goal, a difference of two frames.
            let difference = Observation { summands: vec![(0, 2, -1.0), (2, 2, 1.0)], value: 0.5, std: 0.0 };
            let asked = ForecastConditions::new().hold(0, 0..1, 0.3).hold(0, 2..3, -0.2).near(3, 1, 1.0, 0.4);
            let asked = asked.observe(difference);
            let mut a = DMatrix::zeros(4, 12);
            (a[(0, 0)], a[(1, 8)], a[(2, 7)], a[(3, 2)], a[(3, 10)]) = (1.0, 1.0, 1.0, -1.0, 1.0);
            let b = DVector::from_row_slice(&[0.3, -0.2, 1.0, 0.5]);
            let noise = DMatrix::from_diagonal(&DVector::from_row_slice(&[0.0, 0.0, 0.16, 0.0]));
            // An energy of the middle frame: 0.7 (x_1 - 1)^2 and so on, added to what is seen.
            let weights = [0.0f64, 0.7, 0.2, 0.0];
            let energy = Quadratic { weights, centre: 1.0 };
            let asked = asked.energy(1..2, energy, 1.4);
            let mut precision = DMatrix::zeros(12, 12);
            (0..4).for_each(|c| precision[(4 + c, 4 + c)] = 2.0 * weights[c]);
            let wide = (DMatrix::identity(12, 12) + &covariance * &precision).try_inverse().expect("positive");
            let (tilted, centre) =
                (&wide * &covariance, &mean + &wide * &covariance * &precision * (DVector::repeat(12, 1.0) - &mean));
            let gain =
                &tilted * a.transpose() * (&a * &tilted * a.transpose() + noise).try_inverse().expect("independent");
            let (exact, spread) = (&centre + &gain * (b - &a * &centre), &tilted - &gain * &a * &tilted);
            let asked = ForecastConditions { steps: Some(30), ..asked };
            let request = Request { horizon: 3, samples: draws };
            let drawn = model.forecast_given(&history, &request, &asked, &mut Noise::new(3))?;
            let drawn = drawn.reshape((draws, 12))?.to_dtype(DType::F64)?;
            let found = drawn.mean(0)?.to_vec1::<f64>()?;
            let centred = drawn.broadcast_sub(&drawn.mean_keepdim(0)?)?;
            let products = (centred.t()?.matmul(&centred)? / (draws - 1) as f64)?.to_vec2::<f64>()?;
            for i in 0..12 {
                let error = (spread[(i, i)].max(0.0) / draws as f64).sqrt();
                assert!(
                    (found[i] - exact[i]).abs() < 4.0 * error + 1e-4,
                    "{latent}: mean {i} {} {}",
                    found[i],
                    exact[i]
                );
                for j in 0..=i {
                    let own = spread[(i, i)] * spread[(j, j)] + spread[(i, j)].powi(2);
                    let error = (own.max(0.0) / draws as f64).sqrt();
                    let off = (products[i][j] - spread[(i, j)]).abs();
                    assert!(off < 4.0 * error + 1e-4, "{latent}: {i} {j} {} {}", products[i][j], spread[(i, j)]);
                }
            }
        }
        Ok(())
    }

    /// `sum_c weight_c (x_c - centre)^2`, by tensors.
    #[derive(Debug)]
    struct Quadratic {
        weights: [f64; 4],
        centre: f64,
    }

    impl Energy for Quadratic {
        fn energy(&self, x: &Tensor) -> Result<Tensor> {
            let weights = Tensor::new(&self.weights, x.device())?.to_dtype(x.dtype())?;
            Ok((x - self.centre)?.sqr()?.broadcast_mul(&weights)?.sum(1)?)
        }
    }

    #[test]
    fn conditions_that_do_not_fit_are_refused() -> Result<()> {
        let model = model(7, false, SamplerConfig::default())?;
        let history = Noise::new(5).normal((1, 7, 4), DType::F32, &Device::Cpu)?;
        let refused = |conditions: ForecastConditions, parts: &[&str]| {
            let request = Request { horizon: 8, samples: 2 };
            let error =
                model.forecast_given(&history, &request, &conditions, &mut Noise::new(1)).unwrap_err().to_string();
            assert!(parts.iter().all(|part| error.contains(part)), "{error}");
        };
        let new = ForecastConditions::new;
        refused(new().hold(0, 7..9, 0.0), &["observation 1", "frame 8", "8 frames of 4 channels"]);
        refused(new().hold(4, 0..1, 0.0), &["channel 4"]);
        refused(new().near(0, 0, f64::NAN, 0.1), &["value NaN"]);
        refused(new().near(0, 0, 0.0, -1.0), &["standard deviation -1"]);
        refused(new().observe(Observation { summands: Vec::new(), value: 0.0, std: 0.0 }), &["no summand"]);
        let apart = Observation { summands: vec![(0, 0, 1.0), (3, 0, 1.0)], value: 0.0, std: 0.0 };
        refused(new().observe(apart), &["frames 0 and 3", "one chunk, which has 3"]);
        refused(new().hold(0, 0..1, 0.0).hold(0, 0..1, 1.0), &["follow from others"]);
        let goal = || Quadratic { weights: [1.0; 4], centre: 0.0 };
        refused(new().energy(0..9, goal(), 2.0), &["energy 0", "frame 8"]);
        refused(new().energy(0..1, goal(), 0.0), &["curvature"]);
        refused(ForecastConditions { steps: Some(0), ..new().hold(0, 0..1, 0.0) }, &["steps", "at least 1"]);
        Ok(())
    }
}
