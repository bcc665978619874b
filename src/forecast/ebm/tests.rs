use super::*;
use crate::energy::Energy;
use crate::energy::constraint::SoftLimits;
use crate::energy::differences::Differences;
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
    let step = Observation { summands: vec![(2, 2, -1.0), (3, 2, 1.0)], value: 0.1, std: 0.1 };
    let asked = ForecastConditions::new().hold(1, 0..2, 0.4).near(2, 2, -0.3, 0.2).observe(sum).observe(step);
    let asked = asked.energy(4..8, SoftLimits::new(&lo, &hi, 2.0)?, 4.0);
    // The second difference of channels over frames of two chunks.
    let bounds = [0.1, 0.0, f64::INFINITY, 0.2].map(|limit| ([-limit, limit], 1.5));
    Ok(asked.energy_over(0..5, 3, Differences::new(2, bounds.to_vec())?, 18.0))
}

#[test]
fn the_engine_meets_conditions_as_the_tensors_do() -> Result<()> {
    let plain = SamplerConfig::default();
    let noisy = SamplerConfig { eta: Eta::OfPosterior(0.4), corrector_steps: 1, guidance: 1.3.into(), ..plain };
    for (latent, by_frames, sampler) in [(7, false, plain), (12, false, noisy), (9, true, plain), (7, false, noisy)] {
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
                let (asked, units) = (conditions()?, Units::standard(4));
                let rows = asked.standardised(&units.offset, &units.scale);
                let seen = seen(&model.coordinates, &rows, None, horizon.div_ceil(3))?;
                let guides = guides(&asked, &seen, &units, model.rollout())?;
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

#[test]
fn each_history_may_have_values_of_its_own() -> Result<()> {
    let model = model(9, true, SamplerConfig::default())?;
    let tensors = model.clone().on(&Device::Cpu)?;
    let history = Noise::new(5).normal((3, 7, 4), DType::F32, &Device::Cpu)?;
    let request = Request { horizon: 8, samples: 2 };
    // In the third of three chunks.
    let asked = ForecastConditions::new().hold(1, 7..8, f64::NAN);
    let values = DMatrix::from_row_slice(1, 3, &[0.5, -0.4, 1.2]);
    let given = |of: &LevelForecaster| {
        of.forecast_in(&history, &request, (&asked, &Units::standard(4), Some(&values)), &mut Noise::new(9))
    };
    let (drawn, expected) = (given(&model)?, given(&tensors)?);
    let scale = expected.abs()?.max_all()?.to_scalar::<f32>()?.max(1.0);
    assert!((&drawn - expected)?.abs()?.max_all()?.to_scalar::<f32>()? < 3e-4 * scale);
    let held = drawn.narrow(2, 7, 1)?.narrow(3, 1, 1)?.flatten_all()?.to_vec1::<f32>()?;
    for (found, expected) in held.iter().zip([0.5, 0.5, -0.4, -0.4, 1.2, 1.2]) {
        assert!((found - expected).abs() < 1e-4 * scale, "{held:?}");
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
        let gain = &tilted * a.transpose() * (&a * &tilted * a.transpose() + noise).try_inverse().expect("independent");
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
            assert!((found[i] - exact[i]).abs() < 4.0 * error + 1e-4, "{latent}: mean {i} {} {}", found[i], exact[i]);
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

/// Without a network all frames are Gaussian, and what is observed of some says what all are.
#[test]
fn the_chunks_before_an_observation_head_for_it() -> Result<()> {
    const SIZES: [usize; 3] = [5, 3, 4]; // context, chunk, channels
    let [k, c, d] = SIZES;
    let sampler =
        SamplerConfig { levels: 40, start: 1.5705, end: 0.005.into(), spacing: 1.0, ..SamplerConfig::default() };
    let (draws, chunks) = (20_000, 3);
    let (width, cells) = (c * d, chunks * c * d);
    let history = Noise::new(5).normal((1, 7, d), DType::F32, &Device::Cpu)?;
    let contexts = history.narrow(1, 7 - k, k)?.flatten_all()?.to_vec1::<f32>()?;
    // A goal at the end, a waypoint with noise, and a step over the seam of two chunks.
    let step = Observation { summands: vec![(2, 1, -1.0), (3, 1, 1.0)], value: 0.3, std: 0.1 };
    let asked = ForecastConditions::new().hold(0, 8..9, 1.5).near(2, 7, -0.8, 0.3).observe(step);
    let mut a = DMatrix::zeros(3, cells);
    (a[(0, 8 * d)], a[(1, 7 * d + 2)], a[(2, 2 * d + 1)], a[(2, 3 * d + 1)]) = (1.0, 1.0, -1.0, 1.0);
    let b = DVector::from_row_slice(&[1.5, -0.8, 0.3]);
    let noise = DMatrix::from_diagonal(&DVector::from_row_slice(&[0.0, 0.09, 0.01]));
    for (latent, by_frames) in [(7, false), (12, true)] {
        let model = quiet(&model(latent, by_frames, sampler)?)?;
        // The joint Gaussian, by rolling the autoregression out for each coordinate.
        let roll = |u: &[f32]| -> Result<DVector<f64>> {
            let mut all = contexts.clone();
            for u in u.chunks_exact(width) {
                let (_, expected) = model.coordinates.expect(&all[all.len() - k * d..])?;
                let u = Tensor::from_slice(u, (1, width), &Device::Cpu)?;
                all.extend(model.coordinates.decode(&u, &expected)?.flatten_all()?.to_vec1::<f32>()?);
            }
            Ok(DVector::from_iterator(cells, all[k * d..].iter().map(|v| f64::from(*v))))
        };
        let mean = roll(&vec![0.0; cells])?;
        let mut effect = DMatrix::zeros(cells, cells);
        for i in 0..cells {
            let mut u = vec![0.0; cells];
            u[i] = 1.0;
            effect.set_column(i, &(roll(&u)? - &mean));
        }
        let covariance = &effect * effect.transpose();
        let gain = &covariance * a.transpose() * (&a * &covariance * a.transpose() + &noise).try_inverse().expect("a");
        let (exact, spread) = (&mean + &gain * (&b - &a * &mean), &covariance - &gain * &a * &covariance);
        let request = Request { horizon: chunks * c, samples: draws };
        let drawn = model.forecast_given(&history, &request, &asked, &mut Noise::new(3))?;
        let drawn = drawn.reshape((draws, cells))?.to_dtype(DType::F64)?;
        let found = drawn.mean(0)?.to_vec1::<f64>()?;
        let centred = drawn.broadcast_sub(&drawn.mean_keepdim(0)?)?;
        let products = (centred.t()?.matmul(&centred)? / (draws - 1) as f64)?.to_vec2::<f64>()?;
        for i in 0..cells {
            let error = (spread[(i, i)].max(0.0) / draws as f64).sqrt();
            let off = (found[i] - exact[i]).abs();
            assert!(off < 4.5 * error + 1e-3, "{latent}: mean {i} {} {}", found[i], exact[i]);
            for j in 0..=i {
                let own = spread[(i, i)] * spread[(j, j)] + spread[(i, j)].powi(2);
                let error = (own.max(0.0) / draws as f64).sqrt();
                let off = (products[i][j] - spread[(i, j)]).abs();
                assert!(off < 4.5 * error + 1e-3, "{latent}: {i} {j} {} {}", products[i][j], spread[(i, j)]);
            }
        }
        // Without the condition the first chunk would go elsewhere: the condition is not met by the last one alone.
        assert!((0..width).any(|i| (exact[i] - mean[i]).abs() > 10.0 * (spread[(i, i)] / draws as f64).sqrt()));
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
        let error = model.forecast_given(&history, &request, &conditions, &mut Noise::new(1)).unwrap_err().to_string();
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    };
    let new = ForecastConditions::new;
    refused(new().hold(0, 7..9, 0.0), &["observation 1", "frame 8", "8 frames of 4 channels"]);
    refused(new().hold(4, 0..1, 0.0), &["channel 4"]);
    refused(new().near(0, 0, f64::NAN, 0.1), &["value NaN"]);
    refused(new().near(0, 0, 0.0, -1.0), &["standard deviation -1"]);
    refused(new().observe(Observation { summands: Vec::new(), value: 0.0, std: 0.0 }), &["no summand"]);
    let apart = Observation { summands: vec![(0, 0, 1.0), (7, 0, 1.0)], value: 0.0, std: 0.0 };
    refused(new().observe(apart), &["frames 0 and 7", "one chunk, which has 3, and of the 5 before"]);
    refused(new().hold(0, 0..1, 0.0).hold(0, 0..1, 1.0), &["follow from others"]);
    let goal = || Quadratic { weights: [1.0; 4], centre: 0.0 };
    refused(new().energy(0..9, goal(), 2.0), &["energy 0", "frame 8"]);
    refused(new().energy(0..1, goal(), 0.0), &["curvature"]);
    refused(ForecastConditions { steps: Some(0), ..new().hold(0, 0..1, 0.0) }, &["steps", "at least 1"]);
    Ok(())
}
