//! What every forecaster must do. A new forecaster is one row of [`table`].

use super::motion::{CHANNELS, CHUNK, CONTEXT, oscillators, values};
use crate::forecast::baseline::{analogue::Analogue, fc::FullyConnected, gru::Recurrent, hold::Hold};
use crate::forecast::baseline::{latent::LatentForecaster, var::Autoregression, var_fit::VarFit, velocity::Velocity};
use crate::forecast::igebm::ChainForecaster;
use crate::forecast::{Forecaster, LevelForecaster, Limits, Request, ResidualCoordinates, WindowArray};
use crate::model::{
    Activation, Cvae, GruMixture, LevelEnergy, MixtureDensity, Mlp, MlpConfig, MlpEnergy, NoisePath, VectorField,
};
use crate::noise::Noise;
use crate::sample::Unadjusted;
use crate::sample::diffusion::{Eta, SamplerConfig};
use crate::sample::langevin::Langevin;
use crate::{Error, Result};
use candle_core::{DType, Device, Tensor};

/// One row: the forecaster and whether it draws samples.
struct Row {
    forecaster: Box<dyn Forecaster>,
    draws: bool,
}

fn table() -> Result<Vec<Row>> {
    let sampler = SamplerConfig { levels: 3, ..SamplerConfig::default() };
    let fit = VarFit::fit(&oscillators(300, 1)?, CHANNELS, CONTEXT, CHUNK, 10.0)?;
    Ok(vec![
        Row { forecaster: Box::new(Hold::new(CHANNELS)), draws: false },
        Row { forecaster: Box::new(Velocity::new(CHANNELS)), draws: false },
        Row { forecaster: Box::new(Autoregression::mean(fit.clone())), draws: false },
        Row { forecaster: Box::new(Autoregression::sampled(fit.clone())), draws: true },
        Row {
            forecaster: Box::new(FullyConnected::new(net(CONTEXT * CHANNELS, 0, CHANNELS)?, CONTEXT, CHANNELS)?),
            draws: false,
        },
        Row { forecaster: Box::new(analogue()?), draws: true },
        Row {
            forecaster: Box::new(generative(&fit, "mdn", |w, c, n| MixtureDensity::new(config(c, 0, 1), 3, w, n))?),
            draws: true,
        },
        Row { forecaster: Box::new(Recurrent::new(gru()?, 3, CHANNELS)?), draws: true },
        Row {
            forecaster: Box::new(generative(&fit, "cvae", |w, c, n| Cvae::new([w, c, 2], &[8], [1.0, 0.1], n))?),
            draws: true,
        },
        Row {
            forecaster: Box::new(generative(&fit, "flow", |w, c, n| {
                VectorField::new(config(w, c, 1), NoisePath::Line, sampler, n)
            })?),
            draws: true,
        },
        Row {
            forecaster: Box::new(generative(&fit, "diffusion", |w, c, n| {
                VectorField::new(config(w, c, 1), NoisePath::Circle, sampler, n)
            })?),
            draws: true,
        },
        Row { forecaster: Box::new(level(fit)?), draws: true },
        Row { forecaster: Box::new(chain()?), draws: true },
    ])
}

fn config(inputs: usize, context: usize, outputs: usize) -> MlpConfig {
    MlpConfig {
        inputs,
        context,
        hidden: vec![8, 8],
        outputs,
        activation: Activation::Swish,
        positions: None,
        spectral_norm: false,
    }
}

fn net(inputs: usize, context: usize, outputs: usize) -> Result<Mlp> {
    Mlp::new(config(inputs, context, outputs), &mut Noise::new(3), DType::F32, &Device::Cpu)
}

/// A generative network in the coordinates of `fit`, untrained.
fn generative<G: crate::model::Generator>(
    fit: &VarFit,
    name: &'static str,
    net: impl Fn(usize, usize, &mut Noise) -> Result<G>,
) -> Result<LatentForecaster<G>> {
    let coordinates = ResidualCoordinates::new(fit.clone(), 6)?;
    let net = net(coordinates.latent(), coordinates.context_width(), &mut Noise::new(4))?;
    Ok(LatentForecaster::new(name, coordinates, net))
}

fn gru() -> Result<GruMixture> {
    GruMixture::new(&[0.1; CHANNELS], 8, 3, 0.5, &mut Noise::new(4))
}

fn analogue() -> Result<Analogue> {
    let values = oscillators(300, 1)?;
    let windows = WindowArray { values, context: CONTEXT, future: CHUNK, channels: CHANNELS };
    Analogue::new(&windows, &[0.1; CHANNELS], 0.3, 5, 3)
}

/// The default model, untrained.
fn level(fit: VarFit) -> Result<LevelForecaster> {
    let coordinates = ResidualCoordinates::new(fit, 6)?;
    let config = config(coordinates.latent(), coordinates.context_width(), 1);
    let energy = LevelEnergy::new(config, &mut Noise::new(4), DType::F32, &Device::Cpu)?;
    LevelForecaster::new(coordinates, energy, SamplerConfig::default())
}

/// The paper's model, untrained.
fn chain() -> Result<ChainForecaster> {
    let langevin = Langevin { step: 0.1, noise: 0.05, gradient_clip: None, bounds: None };
    Ok(ChainForecaster {
        energy: MlpEnergy { net: net(2 * CHANNELS, CONTEXT * CHANNELS, 1)? },
        sampler: Unadjusted(langevin),
        steps: 5,
        start_noise: 0.3,
        context: CONTEXT,
        chunk: 2,
        channels: CHANNELS,
    })
}

/// With a network that is 0 the default model draws exactly from the sampled autoregression: same mean, same
/// covariance. So it does with noise that is drawn anew on the way.
#[test]
fn a_silent_network_leaves_the_autoregression() -> Result<()> {
    let fit = VarFit::fit(&oscillators(300, 1)?, CHANNELS, CONTEXT, CHUNK, 10.0)?;
    let coordinates = ResidualCoordinates::new(fit.clone(), 6)?;
    let config = config(coordinates.latent(), coordinates.context_width(), 1);
    let energy = LevelEnergy::new(config, &mut Noise::new(4), DType::F32, &Device::Cpu)?;
    energy.parameters().assign(|name| {
        let (_, var) = energy.parameters().iter().find(|(n, _)| *n == name).expect("a parameter's own name");
        Ok(var.zeros_like()?)
    })?;
    let history = histories(1)?;
    let n = 40_000;
    let request = Request { horizon: CHUNK, samples: n };
    let moments = |f: &dyn Forecaster| -> Result<(Vec<f64>, Vec<f64>)> {
        let samples = values(&f.forecast(&history, &request, &mut Noise::new(5))?)?;
        let width = CHUNK * CHANNELS;
        let mut mean = vec![0.0; width];
        samples.chunks_exact(width).for_each(|row| row.iter().zip(&mut mean).for_each(|(v, m)| *m += f64::from(*v)));
        mean.iter_mut().for_each(|m| *m /= n as f64);
        let mut square = vec![0.0; width * width];
        for row in samples.chunks_exact(width) {
            for i in 0..width {
                for j in 0..width {
                    square[i * width + j] += (f64::from(row[i]) - mean[i]) * (f64::from(row[j]) - mean[j]);
                }
            }
        }
        square.iter_mut().for_each(|s| *s /= n as f64);
        Ok((mean, square))
    };
    let (expected_mean, expected) = moments(&Autoregression::sampled(fit))?;
    let width = CHUNK * CHANNELS;
    let plain = SamplerConfig::default();
    for sampler in
        [plain, SamplerConfig { eta: Eta::OfPosterior(1.0), corrector_steps: 2, corrector_size: 0.01, ..plain }]
    {
        let silent = LevelForecaster::new(coordinates.clone(), energy.clone(), sampler)?;
        let (mean, covariance) = moments(&silent)?;
        for i in 0..width {
            // Standard errors of a mean and of a covariance's element over n draws, for each of the two.
            let se = (2.0 * expected[i * width + i] / n as f64).sqrt();
            assert!((mean[i] - expected_mean[i]).abs() < 5.0 * se, "mean {i}: {} and {}", mean[i], expected_mean[i]);
            for j in 0..width {
                let (a, b) = (expected[i * width + i], expected[j * width + j]);
                let se = (2.0 * (a * b + expected[i * width + j].powi(2)) / n as f64).sqrt();
                let error = (covariance[i * width + j] - expected[i * width + j]).abs();
                assert!(error < 5.0 * se, "covariance {i} {j}: off by {error}, standard error {se}");
            }
        }
    }
    Ok(())
}

/// A chunk that the regression predicted has no energy above its own anchor; other motion is told apart by its frames.
#[test]
fn an_energy_is_told_frame_by_frame_for_the_chunk_it_lies_in() -> Result<()> {
    let fit = VarFit::fit(&oscillators(300, 1)?, CHANNELS, CONTEXT, CHUNK, 10.0)?;
    for forecaster in [Box::new(level(fit.clone())?) as Box<dyn Forecaster>, Box::new(chain()?)] {
        let future = Noise::new(6).normal((2, 12, CHANNELS), DType::F32, &Device::Cpu)?;
        let energy = forecaster.energy(&histories(2)?, &future)?.expect("an energy-based forecaster");
        assert_eq!(energy.dims(), [2, 12]);
        let rows = energy.to_vec2::<f32>()?;
        assert!(rows.iter().flatten().all(|e| e.is_finite()));
        assert_eq!(rows[0][0], rows[0][1], "frames of one chunk");
        assert_ne!(rows[0][0], rows[0][11], "frames of different chunks");
        let alone =
            forecaster.energy(&histories(1)?, &future.narrow(0, 0, 1)?)?.expect("an energy").to_vec2::<f32>()?;
        for (a, b) in alone[0].iter().zip(&rows[0]) {
            assert!((a - b).abs() < 1e-4 * (1.0 + a.abs()), "row 0 does not depend on row 1: {a} {b}");
        }
        let short = future.narrow(1, 0, 1)?;
        assert!(forecaster.energy(&histories(2)?, &short).is_err(), "shorter than a chunk");
    }
    let baseline = Hold::new(CHANNELS);
    assert!(baseline.energy(&histories(2)?, &histories(2)?)?.is_none());
    Ok(())
}

fn histories(batch: usize) -> Result<Tensor> {
    let values = oscillators(batch, 2)?;
    let windows = Tensor::from_vec(values, (batch, CONTEXT + CHUNK, CHANNELS), &Device::Cpu)?;
    Ok(windows.narrow(1, 0, CONTEXT + 1)?) // one frame more than any of them reads: the last ones count
}

#[test]
fn samples_have_the_promised_shape_and_are_finite() -> Result<()> {
    for Row { forecaster, draws } in table()? {
        // 12 frames are no whole number of chunks of 5.
        for (batch, horizon, samples) in [(1, 1, 1), (3, 12, 4)] {
            let forecast =
                forecaster.forecast(&histories(batch)?, &Request { horizon, samples }, &mut Noise::new(1))?;
            let expected = [batch, if draws { samples } else { 1 }, horizon, CHANNELS];
            assert_eq!(forecast.dims(), expected, "{}", forecaster.name());
            assert_eq!(forecast.dtype(), DType::F32, "{}", forecaster.name());
            assert!(values(&forecast)?.iter().all(|v| v.is_finite()), "{}", forecaster.name());
        }
    }
    Ok(())
}

#[test]
fn the_seed_alone_decides() -> Result<()> {
    let request = Request { horizon: 12, samples: 3 };
    for Row { forecaster, draws } in table()? {
        let run = |seed| values(&forecaster.forecast(&histories(4)?, &request, &mut Noise::new(seed))?);
        assert_eq!(run(5)?, run(5)?, "{}", forecaster.name());
        assert_eq!(run(5)? != run(6)?, draws, "{}", forecaster.name());
        if draws {
            let noise = &mut Noise::new(5);
            let first = forecaster.forecast(&histories(4)?, &request, noise)?;
            let second = forecaster.forecast(&histories(4)?, &request, noise)?;
            assert_ne!(values(&first)?, values(&second)?, "{}: noise must move on", forecaster.name());
        }
    }
    Ok(())
}

#[test]
fn a_window_does_not_see_the_rest_of_its_batch() -> Result<()> {
    let request = Request { horizon: 12, samples: 3 };
    for Row { forecaster, .. } in table()? {
        let history = histories(11)?;
        let whole = forecaster.forecast(&history, &request, &mut Noise::new(5))?;
        for rows in [1, 4, 9] {
            let part = forecaster.forecast(&history.narrow(0, 0, rows)?, &request, &mut Noise::new(5))?;
            for (a, b) in values(&whole.narrow(0, 0, rows)?)?.iter().zip(values(&part)?) {
                // The matrix product rounds by its number of rows: f32, over 12 frames that feed themselves.
                assert!((a - b).abs() <= 1e-5 * (1.0 + a.abs()), "{}, {rows} rows: {a} {b}", forecaster.name());
            }
        }
    }
    Ok(())
}

#[test]
fn only_the_last_frames_count() -> Result<()> {
    let request = Request { horizon: 7, samples: 2 };
    for Row { forecaster, .. } in table()? {
        let history = histories(3)?;
        let frames = forecaster.context_frames();
        let short = history.narrow(1, CONTEXT + 1 - frames, frames)?;
        let run = |h: &Tensor| values(&forecaster.forecast(h, &request, &mut Noise::new(5))?);
        assert_eq!(run(&history)?, run(&short)?, "{}", forecaster.name());
    }
    Ok(())
}

#[test]
fn bad_histories_and_requests_are_errors() -> Result<()> {
    let good = Request { horizon: 3, samples: 2 };
    for Row { forecaster, .. } in table()? {
        let name = forecaster.name().to_string();
        let run = |shape: &[usize], request: &Request| {
            let history = Tensor::zeros(shape, DType::F32, &Device::Cpu)?;
            forecaster.forecast(&history, request, &mut Noise::new(1)).map(|_| ())
        };
        let frames = forecaster.context_frames();
        run(&[2, frames, CHANNELS], &good)?;
        for shape in [vec![2, frames - 1, CHANNELS], vec![2, frames, CHANNELS + 1], vec![frames, CHANNELS]] {
            let error = run(&shape, &good).expect_err(&name);
            assert!(matches!(&error, Error::Shape { found, .. } if *found == shape), "{name}: {error}");
        }
        for request in [Request { horizon: 0, samples: 1 }, Request { horizon: 1, samples: 0 }] {
            assert!(run(&[2, frames, CHANNELS], &request).is_err(), "{name} took {request:?}");
        }
    }
    Ok(())
}

#[test]
fn names_are_keys_of_the_report() -> Result<()> {
    let names: Vec<String> = table()?.iter().map(|row| row.forecaster.name().to_string()).collect();
    // A report has one model, which is `ebm` whatever its kind.
    let (models, baselines) = (&names[names.len() - 2..], &names[..names.len() - 2]);
    assert_eq!(models, ["ebm", "ebm"]);
    assert_eq!(baselines, crate::forecast::BASELINES.map(|b| b.name()), "every baseline is a row");
    Ok(())
}

#[test]
fn hold_and_velocity_do_what_they_say() -> Result<()> {
    let history = Tensor::new(&[[[0.0_f32, 5.0, 1.0], [1.0, 3.0, 1.0]]], &Device::Cpu)?;
    let request = Request { horizon: 2, samples: 1 };
    let held = Hold::new(CHANNELS).forecast(&history, &request, &mut Noise::new(1))?;
    assert_eq!(values(&held)?, [1.0, 3.0, 1.0, 1.0, 3.0, 1.0]);
    let moved = Velocity::new(CHANNELS).forecast(&history, &request, &mut Noise::new(1))?;
    assert_eq!(values(&moved)?, [2.0, 1.0, 1.0, 3.0, -1.0, 1.0]);
    Ok(())
}

/// From a moment of the training motion itself with one neighbour, what follows is what followed then.
#[test]
fn an_analogue_repeats_the_past() -> Result<()> {
    let values = oscillators(300, 1)?;
    let windows = WindowArray { values: values.clone(), context: CONTEXT, future: CHUNK, channels: CHANNELS };
    let analogue = Analogue::new(&windows, &[0.1; CHANNELS], 0.3, 1, 3)?;
    let width = (CONTEXT + CHUNK) * CHANNELS;
    let window = &values[17 * width..18 * width];
    let history = Tensor::from_slice(&window[..CONTEXT * CHANNELS], (1, CONTEXT, CHANNELS), &Device::Cpu)?;
    let request = Request { horizon: CHUNK, samples: 2 };
    let future = analogue.forecast(&history, &request, &mut Noise::new(1))?.flatten_all()?.to_vec1::<f32>()?;
    for (a, b) in future.iter().zip(window[CONTEXT * CHANNELS..].iter().cycle()) {
        assert!((a - b).abs() < 1e-5, "{a} {b}");
    }
    // Another start keeps its difference to the neighbour at first and has lost it after the fade of 3 frames.
    let moved = (history + 0.001)?;
    let future = analogue.forecast(&moved, &request, &mut Noise::new(1))?.flatten_all()?.to_vec1::<f32>()?;
    for t in 0..CHUNK {
        let away = f64::from(future[t * CHANNELS] - window[(CONTEXT + t) * CHANNELS]);
        let expected = 0.001 * (1.0 - (t + 1) as f64 / 4.0).max(0.0);
        assert!((away - expected).abs() < 1e-5, "frame {t}: {away} and {expected}");
    }
    assert!(Analogue::new(&windows, &[0.1; CHANNELS], 0.3, 301, 3).is_err(), "more neighbours than windows");
    Ok(())
}

/// Coordinates with limits: no sample leaves them but where the history ended beyond them.
#[test]
fn forecasts_stay_within_what_was_seen() -> Result<()> {
    let values = oscillators(300, 1)?;
    let fit = VarFit::fit(&values, CHANNELS, CONTEXT, CHUNK, 10.0)?;
    let limits = Tensor::new(&[[-0.1_f32, 0.1], [-0.2, 0.2], [f32::NEG_INFINITY, f32::INFINITY]], &Device::Cpu)?;
    let limits = Limits::from_tensor(&limits, CHANNELS)?;
    let coordinates = ResidualCoordinates::new(fit, 6)?.within(limits.clone());
    let energy = LevelEnergy::new(
        config(coordinates.latent(), coordinates.context_width(), 1),
        &mut Noise::new(4),
        DType::F32,
        &Device::Cpu,
    )?;
    let sampler = SamplerConfig::default();
    let model = LevelForecaster::new(coordinates, energy, sampler)?;
    let history = histories(7)?;
    let samples = model.forecast(&history, &Request { horizon: 9, samples: 5 }, &mut Noise::new(1))?;
    let last = history.narrow(1, CONTEXT, 1)?.squeeze(1)?.to_vec2::<f32>()?;
    let mut at_the_end = 0;
    for (b, window) in samples.reshape((7, 45, CHANNELS))?.to_vec3::<f32>()?.iter().enumerate() {
        for frame in window {
            for (c, value) in frame.iter().enumerate() {
                let [low, high] = limits.by_channel()[c];
                let (low, high) = (low.min(last[b][c]), high.max(last[b][c]));
                assert!((low..=high).contains(value), "window {b}, channel {c}: {value} beyond {low} .. {high}");
                at_the_end += usize::from(*value == low || *value == high);
            }
        }
    }
    assert!(at_the_end > 100, "the limits are narrow: {at_the_end} of 945 values lie at an end");
    Ok(())
}
