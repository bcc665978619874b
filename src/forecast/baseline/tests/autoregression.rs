//! The vector autoregression and the coordinates of its residual.

use super::motion::{CHANNELS, CHUNK, CONTEXT, oscillators, values};
use crate::forecast::baseline::{var::Autoregression, var_fit::VarFit};
use crate::forecast::{Forecaster, Request, ResidualCoordinates};
use crate::model::Parameters;
use crate::noise::Noise;
use crate::{Error, Result};
use candle_core::{DType, Device, Tensor};

/// Oscillations without noise are exactly linear in two frames, so the regression must continue them over several
/// chunks; what remains is rounding to f32 and the ridge (1e-6 of a sum of squares of hundreds).
#[test]
fn var_continues_an_oscillation() -> Result<()> {
    let wave = |phase: f64, t: usize| (0.3 * t as f64 + phase).sin() as f32;
    let (context, chunk, n) = (3, 4, 400);
    let windows: Vec<f32> = (0..n).flat_map(|i| (0..context + chunk).map(move |t| wave(i as f64 * 0.7, t))).collect();
    let fit = VarFit::fit(&windows, 1, context, chunk, 1e-6)?;
    let history: Vec<f32> = (0..context).map(|t| wave(0.1234, t)).collect();
    let history = Tensor::from_vec(history, (1, context, 1), &Device::Cpu)?;
    let request = Request { horizon: 20, samples: 1 };
    let future = values(&Autoregression::mean(fit).forecast(&history, &request, &mut Noise::new(1))?)?;
    for (t, value) in future.iter().enumerate() {
        assert!((value - wave(0.1234, context + t)).abs() < 2e-3, "frame {t}: {value}");
    }
    Ok(())
}

/// A first-order autoregression x' = 0.8 x + e, sd(e) = 0.5, is recovered within five standard errors
/// (sqrt((1 - 0.8^2) / n) for the coefficient), and its residual covariance too (sqrt(2 / n) of the variance).
#[test]
fn var_recovers_a_known_autoregression() -> Result<()> {
    let n = 20_000;
    let draws = Noise::new(4).normal((n, 3), DType::F64, &Device::Cpu)?.to_vec2::<f64>()?;
    let windows: Vec<f32> = draws
        .iter()
        .flat_map(|e| {
            let x0 = e[0] * 0.5 / (1.0_f64 - 0.64).sqrt();
            let x1 = 0.8 * x0 + 0.5 * e[1];
            [x0, x1, 0.8 * x1 + 0.5 * e[2]].map(|v| v as f32)
        })
        .collect();
    let fit = VarFit::fit(&windows, 1, 1, 2, 0.0)?;
    let b = fit.coefficients(); // (last, 1) x (frame 1, frame 2), of the change from the last frame
    let error = 5.0 / (n as f64).sqrt();
    for (found, expected) in [(b[0], -0.2), (b[1], 0.64 - 1.0), (b[2], 0.0), (b[3], 0.0)] {
        assert!((found - expected).abs() < error, "{found} where {expected}");
    }
    let covariance = fit.residual_covariance();
    for (found, expected) in covariance.iter().zip([0.25, 0.2, 0.2, 0.25 * 1.64]) {
        assert!((found - expected).abs() < error, "{found} where {expected}");
    }
    assert!(fit.residual_mean().iter().all(|m| m.abs() < 1e-9));
    // The draws of `var_sampled` have that covariance: same tolerance, as many samples.
    let zero = Tensor::zeros((1, 1, 1), DType::F32, &Device::Cpu)?;
    let request = Request { horizon: 2, samples: n };
    let drawn = values(&Autoregression::sampled(fit.clone()).forecast(&zero, &request, &mut Noise::new(9))?)?;
    let moment = |i: usize, j: usize| drawn.chunks_exact(2).map(|p| f64::from(p[i] * p[j])).sum::<f64>() / n as f64;
    for (i, j) in [(0, 0), (0, 1), (1, 1)] {
        assert!((moment(i, j) - covariance[2 * i + j]).abs() < error, "moment {i}{j} is {}", moment(i, j));
    }
    Ok(())
}

/// Whitened coordinates: encoding undoes decoding, and over the fitted windows they are uncorrelated with variance 1.
#[test]
fn residual_coordinates_whiten_and_invert() -> Result<()> {
    let windows = oscillators(300, 1)?;
    let fit = VarFit::fit(&windows, CHANNELS, CONTEXT, CHUNK, 10.0)?;
    let all = ResidualCoordinates::new(fit, usize::MAX)?; // as many as the rank gives
    let (k, width) = (CONTEXT * CHANNELS, CHUNK * CHANNELS);
    let cut = |from: usize, to: usize| -> Vec<f32> {
        windows.chunks_exact(k + width).flat_map(|w| &w[from..to]).copied().collect()
    };
    let (_, expected) = all.expect(&cut(0, k))?;
    let chunks = Tensor::from_vec(cut(k, k + width), (300, width), &Device::Cpu)?;
    let u = all.encode(&chunks, &expected)?;
    assert_eq!(all.latent(), width, "noise makes the residual full rank");
    let back = (all.decode(&u, &expected)? - &chunks)?.abs()?.max_all()?.to_scalar::<f32>()?;
    assert!(back < 1e-4, "{back}"); // f32, condition of the residual about 1e2
    let covariance = (u.t()?.matmul(&u)? / 299.0)?.to_vec2::<f32>()?;
    for (i, row) in covariance.iter().enumerate() {
        for (j, v) in row.iter().enumerate() {
            assert!((v - if i == j { 1.0 } else { 0.0 }).abs() < 1e-2, "covariance {i} {j} is {v}");
        }
    }
    // Errors weighted by variance are errors of the motion: one step of a coordinate is its standard deviation.
    let steps =
        all.decode(&Tensor::eye(width, DType::F32, &Device::Cpu)?, &expected.narrow(0, 0, width)?.zeros_like()?)?;
    let rest =
        all.decode(&Tensor::zeros((1, width), DType::F32, &Device::Cpu)?, &expected.narrow(0, 0, 1)?.zeros_like()?)?;
    let moved = steps.broadcast_sub(&rest)?.sqr()?.sum(1)?.to_vec1::<f32>()?;
    let mean = moved.iter().sum::<f32>() / width as f32;
    let weights = all.weights(1.0)?.flatten_all()?.to_vec1::<f32>()?;
    assert!(moved.iter().zip(&weights).all(|(m, w)| (m / mean - w).abs() < 1e-3 * w + 1e-5), "{moved:?} {weights:?}");
    assert_eq!(all.weights(0.0)?.flatten_all()?.to_vec1::<f32>()?, vec![1.0; width]);
    assert!(matches!(all.weights(-0.5), Err(Error::Config { .. })));
    // The coordinates that hold a share of the variance, and no more than that.
    let held = |count: usize| weights[..count].iter().sum::<f32>() / weights.iter().sum::<f32>();
    for share in [0.5, 0.9, 0.99] {
        let count = all.holding(share);
        assert!(held(count) >= share as f32 - 1e-6 && held(count - 1) < share as f32, "{share}: {count}");
    }
    assert_eq!((all.holding(0.0), all.holding(1.0)), (1, width));
    told_by_frames(&all, &chunks, &expected)
}

/// Turned to frames and channels, coordinates still whiten and invert, and weigh the same errors alike. They are as
/// near to the chunk's own numbers as whitened ones can be.
fn told_by_frames(all: &ResidualCoordinates, chunks: &Tensor, expected: &Tensor) -> Result<()> {
    let width = all.width();
    let turned = all.clone().by_frames()?;
    let (u, turned_u) = (all.encode(chunks, expected)?, turned.encode(chunks, expected)?);
    let back = (turned.decode(&turned_u, expected)? - chunks)?.abs()?.max_all()?.to_scalar::<f32>()?;
    assert!(back < 1e-4, "{back}");
    let covariance = (turned_u.t()?.matmul(&turned_u)? / 299.0)?;
    let away = (covariance - Tensor::eye(width, DType::F32, &Device::Cpu)?)?.abs()?.max_all()?.to_scalar::<f32>()?;
    assert!(away < 1e-2, "{away}");
    let squared = |u: &Tensor, weights: &Tensor| -> Result<f32> {
        let weighed = if weights.dim(0)? == 1 { u.broadcast_mul(weights)? } else { u.matmul(weights)? };
        Ok((weighed * u)?.mean_all()?.to_scalar::<f32>()?)
    };
    for exponent in [0.0, 0.5, 1.0] {
        let (a, b) = (squared(&u, &all.weights(exponent)?)?, squared(&turned_u, &turned.weights(exponent)?)?);
        assert!((a - b).abs() < 1e-3 * a, "{exponent}: {a} {b}");
    }
    // The same principal coordinates are kept.
    for count in [1, 3, width] {
        let (a, b) = (all.principal(&u, count)?, turned.principal(&turned_u, count)?);
        let kept = (a.narrow(1, 0, count)? - u.narrow(1, 0, count)?)?.abs()?.sum_all()?.to_scalar::<f32>()?;
        let rest = a.narrow(1, count, width - count)?.abs()?.sum_all()?.to_scalar::<f32>()?;
        assert_eq!((kept, rest), (0.0, 0.0));
        let away = (all.decode(&a, expected)? - turned.decode(&b, expected)?)?.abs()?.max_all()?;
        assert!(away.to_scalar::<f32>()? < 1e-4, "{count}: {away}");
    }
    // The correlation of each coordinate with its own number of the chunk, in the mean over all.
    let residual = (chunks - expected)?;
    let residual = residual.broadcast_sub(&residual.mean_keepdim(0)?)?;
    let std = (residual.sqr()?.sum_keepdim(0)? / 299.0)?.sqrt()?;
    let own = |u: &Tensor| -> Result<f32> {
        Ok(((residual.broadcast_div(&std)? * u)?.sum(0)? / 299.0)?.mean_all()?.to_scalar::<f32>()?)
    };
    let (principal, by_frames) = (own(&u)?, own(&turned_u)?);
    assert!(by_frames > principal.abs() + 0.2, "{by_frames} {principal}");
    // What does not lead is mixed in as noise: complete coordinates are whitened whatever leads.
    let few = ResidualCoordinates::new(all.fit().clone(), 3)?.by_frames()?;
    let u = few.encode(chunks, expected)?;
    assert_eq!(few.latent(), width);
    let rows: Vec<usize> = (0..300).collect();
    let variance = |u: &Tensor| -> Result<f32> { Ok((u.sqr()?.sum_all()?.to_scalar::<f32>()?) / 299.0) };
    assert!((variance(&u)? - 3.0).abs() < 0.05, "{}", variance(&u)?);
    let complete = few.complete(&u, &rows, &mut Noise::new(1))?;
    let expected = width as f32;
    // 300 (width - 3) draws of variance 2.
    let error = 4.0 * (2.0 * expected / 300.0).sqrt();
    assert!((variance(&complete)? - expected).abs() < error, "{} of {width}", variance(&complete)?);
    let same =
        (turned.complete(&turned_u, &rows, &mut Noise::new(1))? - turned_u)?.abs()?.max_all()?.to_scalar::<f32>()?;
    assert_eq!(same, 0.0, "nothing is missing");
    Ok(())
}

#[test]
fn a_fit_survives_its_tensors_and_refuses_foreign_ones() -> Result<()> {
    let fit = VarFit::fit(&oscillators(50, 1)?, CHANNELS, CONTEXT, CHUNK, 10.0)?;
    let mut tensors: std::collections::BTreeMap<String, Tensor> = fit.to_tensors()?.into_iter().collect();
    let read = |tensors: &std::collections::BTreeMap<String, Tensor>| {
        VarFit::from_tensors(&|name| Parameters::required(name, tensors.get(name).cloned()))
    };
    assert_eq!(read(&tensors)?, fit);
    tensors.insert("var.delta_std".into(), Tensor::ones(CHANNELS + 1, DType::F32, &Device::Cpu)?);
    assert!(matches!(read(&tensors), Err(Error::Shape { what: "var.delta_std", .. })));
    tensors.remove("var.delta_std");
    assert!(read(&tensors).is_err());
    Ok(())
}

#[test]
fn fits_refuse_what_they_cannot_use() -> Result<()> {
    let good = oscillators(20, 1)?;
    let fit = |windows: &[f32], ridge| VarFit::fit(windows, CHANNELS, CONTEXT, CHUNK, ridge);
    fit(&good, 10.0)?;
    assert!(matches!(fit(&good[1..], 10.0), Err(Error::Data { .. })));
    assert!(matches!(fit(&[], 10.0), Err(Error::Data { .. })));
    assert!(matches!(fit(&good, -1.0), Err(Error::Config { .. })));
    let mut bad = good.clone();
    bad[40] = f32::NAN;
    assert!(matches!(fit(&bad, 10.0), Err(Error::NonFinite { .. })));
    // A channel that never moves: singular without a ridge, harmless with one.
    let stuck: Vec<f32> = good.iter().enumerate().map(|(i, v)| if i % CHANNELS == 0 { 0.0 } else { *v }).collect();
    assert!(fit(&stuck, 0.0).is_err());
    assert_eq!(fit(&stuck, 10.0)?.delta_std()[0], 1.0);
    Ok(())
}
