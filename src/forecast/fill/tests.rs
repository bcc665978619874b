use super::*;
use crate::forecast::baseline::VarFit;
use crate::forecast::{Forecaster, LevelForecaster};
use crate::model::{Activation, LevelEnergy, MlpConfig};
use candle_core::D;
use nalgebra::{DMatrix, DVector};

const SIZES: [usize; 3] = [5, 3, 4]; // context, chunk, channels

/// A forecaster of motion that is a random walk; its network says nothing where it is `quiet`.
fn model(latent: usize, by_frames: bool, quiet: bool) -> Result<LevelForecaster> {
    let [k, c, d] = SIZES;
    let mut noise = Noise::new(4);
    let windows = noise.normal((60, (k + c) * d), DType::F32, &Device::Cpu)?.cumsum(D::Minus1)?;
    let fit = VarFit::fit(&windows.flatten_all()?.to_vec1::<f32>()?, d, k, c, 1.0)?;
    let mut coordinates = ResidualCoordinates::new(fit, latent)?;
    if by_frames {
        coordinates = coordinates.by_frames()?;
    }
    let config = MlpConfig {
        inputs: coordinates.latent(),
        context: coordinates.context_width(),
        hidden: vec![20, 20],
        outputs: 1,
        activation: Activation::Swish,
        positions: None,
        spectral_norm: false,
    };
    let energy = LevelEnergy::new(config, &mut noise, DType::F32, &Device::Cpu)?;
    if quiet {
        let parameters = energy.parameters();
        let zeros: Vec<Tensor> =
            parameters.values()?.iter().map(Tensor::zeros_like).collect::<std::result::Result<_, _>>()?;
        parameters.set_values(&zeros)?;
    }
    let sampler = SamplerConfig { end: 0.002.into(), ..SamplerConfig::default() };
    LevelForecaster::new(coordinates, energy, sampler)
}

/// A window of `frames` frames with these cells missing.
fn window(frames: usize, missing: &[usize]) -> Result<Tensor> {
    let d = SIZES[2];
    let mut values = Noise::new(9).normal(frames * d, DType::F32, &Device::Cpu)?.to_vec1::<f32>()?;
    missing.iter().for_each(|cell| values[*cell] = f32::NAN);
    Ok(Tensor::from_vec(values, (1, frames, d), &Device::Cpu)?)
}

/// Mean and covariance of the missing cells, by the textbook: the autoregression's joint Gaussian of all frames after
/// the first, built by rolling it out, conditioned on those that are known.
fn conditional(model: &LevelForecaster, window: &Tensor, missing: &[usize]) -> Result<(DVector<f64>, DMatrix<f64>)> {
    let [k, c, d] = SIZES;
    let values = window.flatten_all()?.to_vec1::<f32>()?;
    let first = missing[0] / d;
    let (chunks, width) = ((values.len() / d - first).div_ceil(c), c * d);
    let (_, colour) = model.coordinates().colouring();
    let roll = |u: &[f64]| -> Result<Vec<f64>> {
        let mut all: Vec<f32> = values[(first - k) * d..first * d].to_vec();
        for chunk in 0..chunks {
            let (_, expected) = model.coordinates().expect(&all[all.len() - k * d..])?;
            let u: Vec<f32> = u[chunk * width..(chunk + 1) * width].iter().map(|v| *v as f32).collect();
            let u = Tensor::from_vec(u, (1, width), &Device::Cpu)?;
            all.extend(model.coordinates().decode(&u, &expected)?.flatten_all()?.to_vec1::<f32>()?);
        }
        Ok(all[k * d..].iter().map(|v| f64::from(*v)).collect())
    };
    assert_eq!(colour.dims(), [width, width]);
    let cells = chunks * width;
    let mean = DVector::from_vec(roll(&vec![0.0; cells])?);
    let mut effect = DMatrix::zeros(cells, cells);
    for i in 0..cells {
        let mut u = vec![0.0; cells];
        u[i] = 1.0;
        effect.set_column(i, &(DVector::from_vec(roll(&u)?) - &mean));
    }
    let covariance = &effect * effect.transpose();
    let unknown: Vec<usize> = missing.iter().map(|cell| cell - first * d).collect();
    let known: Vec<usize> = (0..values.len() - first * d).filter(|cell| !unknown.contains(cell)).collect();
    let block = |a: &[usize], b: &[usize]| DMatrix::from_fn(a.len(), b.len(), |i, j| covariance[(a[i], b[j])]);
    let gain = block(&unknown, &known) * block(&known, &known).try_inverse().unwrap();
    let missed = DVector::from_fn(known.len(), |i, _| f64::from(values[first * d + known[i]]) - mean[known[i]]);
    let at = DVector::from_fn(unknown.len(), |i, _| mean[unknown[i]]) + &gain * missed;
    Ok((at, block(&unknown, &unknown) - gain * block(&known, &unknown)))
}

/// Frames, channels, and both; over less than a chunk and over several; up to the window's end.
fn patterns() -> Vec<(usize, Vec<usize>)> {
    let d = SIZES[2];
    let frames = |range: std::ops::Range<usize>| (range.start * d..range.end * d).collect::<Vec<_>>();
    let channel = |range: std::ops::Range<usize>, c: usize| range.map(|f| f * d + c).collect::<Vec<_>>();
    vec![
        (16, frames(6..8)),
        (20, frames(7..12)),
        (17, channel(6..11, 2)),
        (20, [channel(6..8, 1), frames(8..9), channel(10..11, 0)].concat()),
        (9, frames(7..9)),
    ]
}

#[test]
fn without_a_network_gaps_are_filled_by_the_exact_conditional() -> Result<()> {
    const SAMPLES: usize = 4000;
    for (frames, missing) in patterns() {
        for (latent, by_frames) in [(12, false), (7, false), (9, true)] {
            let model = model(latent, by_frames, true)?;
            let window = window(frames, &missing)?;
            let (mean, covariance) = conditional(&model, &window, &missing)?;
            let cells = |t: &Tensor| -> Result<Vec<f64>> {
                let all = t.flatten_all()?.to_vec1::<f32>()?;
                Ok(missing.iter().map(|cell| f64::from(all[*cell])).collect())
            };
            let [smoothed, draws] = model.smooth(&window, &[0.0; SIZES[2]], SAMPLES, &mut Noise::new(1))?;
            for (found, expected) in cells(&smoothed)?.iter().zip(mean.iter()) {
                assert!((found - expected).abs() < 1e-3 * (1.0 + expected.abs()), "{found} for {expected}");
            }
            for drawn in [draws, model.fill(&window, SAMPLES, &mut Noise::new(2))?] {
                let rows = (0..SAMPLES).map(|s| cells(&drawn.narrow(1, s, 1)?)).collect::<Result<Vec<_>>>()?;
                let average = |of: &dyn Fn(&[f64]) -> f64| rows.iter().map(|r| of(r)).sum::<f64>() / SAMPLES as f64;
                let n = SAMPLES as f64;
                for i in 0..missing.len() {
                    let error = 4.0 * (covariance[(i, i)] / n).sqrt() + 1e-3;
                    assert!((average(&|r| r[i]) - mean[i]).abs() < error, "mean of cell {i}");
                    for j in 0..=i {
                        let found = average(&|r| (r[i] - mean[i]) * (r[j] - mean[j]));
                        let (own, both) = (covariance[(i, i)] * covariance[(j, j)], covariance[(i, j)]);
                        // The variance of a product of two normal numbers.
                        let error = 4.0 * ((own + both * both) / n).sqrt() + 2e-3 * own.sqrt();
                        assert!((found - both).abs() < error, "covariance of {i} and {j}: {found} for {both}");
                    }
                }
            }
        }
    }
    Ok(())
}

#[test]
fn what_is_known_stays_and_the_network_counts() -> Result<()> {
    for (frames, missing) in patterns() {
        let (quiet, model, window) = (model(9, false, true)?, model(9, false, false)?, window(frames, &missing)?);
        let drawn = model.fill(&window, 3, &mut Noise::new(2))?;
        assert_eq!(drawn.dims(), [1, 3, frames, SIZES[2]]);
        let known = window.flatten_all()?.to_vec1::<f32>()?;
        for row in drawn.flatten_all()?.to_vec1::<f32>()?.chunks_exact(known.len()) {
            assert!(row.iter().zip(&known).all(|(v, k)| if k.is_nan() { v.is_finite() } else { v == k }));
        }
        let without = quiet.fill(&window, 3, &mut Noise::new(2))?;
        let apart = (drawn - without)?.abs()?.max_all()?.to_scalar::<f32>()?;
        assert!(apart > 1e-3, "{apart}");
    }
    Ok(())
}

#[test]
fn windows_are_filled_alike_alone_and_together() -> Result<()> {
    let model = model(12, false, false)?;
    let one = window(16, &[24, 25, 26, 27, 28])?;
    let two = Tensor::cat(&[&one, &(&one * 0.5)?], 0)?;
    let both = model.fill(&two, 4, &mut Noise::new(3))?;
    let first = model.fill(&one, 4, &mut Noise::new(3))?;
    assert_eq!(both.narrow(0, 0, 1)?.flatten_all()?.to_vec1::<f32>()?, first.flatten_all()?.to_vec1::<f32>()?);
    Ok(())
}

#[test]
fn what_cannot_be_filled_is_refused() -> Result<()> {
    let model = model(12, false, true)?;
    let refused = |window: &Tensor| model.fill(window, 2, &mut Noise::new(1)).unwrap_err().to_string();
    assert!(refused(&window(16, &[])?).contains("missing cells"));
    assert!(refused(&window(16, &[4 * SIZES[2]])?).contains("complete frames before"));
    let two = Tensor::cat(&[&window(16, &[40])?, &window(16, &[41])?], 0)?;
    assert!(refused(&two).contains("window 1"));
    let endless = (window(16, &[40])? * f64::INFINITY)?;
    assert!(refused(&endless).contains("window to fill"));
    assert!(matches!(
        model.fill(&Tensor::zeros((1, 9, 3), DType::F32, &Device::Cpu)?, 1, &mut Noise::new(1)),
        Err(Error::Shape { .. })
    ));
    Ok(())
}

/// Noise of each channel; the third is known.
const NOISE: [f64; 4] = [0.3, 1.0, 0.0, 0.6];

/// Mean and covariance of all cells `(T, D)` by the textbook: minus the log density is half of the coordinates' squares
/// and of the noise's, the coordinates those that `encode` gives.
fn posterior(model: &LevelForecaster, window: &Tensor) -> Result<(DVector<f64>, DMatrix<f64>)> {
    let [k, c, d] = SIZES;
    let seen = window.flatten_all()?.to_vec1::<f32>()?;
    let encode = |x: &[f64]| -> Result<DVector<f64>> {
        let x: Vec<f32> = x.iter().map(|v| *v as f32).collect();
        let mut all = Vec::new();
        for first in (0..x.len() / d - k).step_by(c) {
            let (_, expected) = model.coordinates().expect(&x[first * d..(first + k) * d])?;
            let chunk = Tensor::from_slice(&x[(first + k) * d..(first + k + c) * d], (1, c * d), &Device::Cpu)?;
            all.extend(model.coordinates().encode(&chunk, &expected)?.flatten_all()?.to_vec1::<f32>()?);
        }
        Ok(DVector::from_iterator(all.len(), all.into_iter().map(f64::from)))
    };
    let zero: Vec<f64> = seen.iter().map(|v| if v.is_nan() { 0.0 } else { f64::from(*v) }).collect();
    let unknown: Vec<usize> = (0..seen.len()).filter(|i| NOISE[i % d] > 0.0).collect();
    let at = encode(&zero)?;
    let mut slope = DMatrix::zeros(at.len(), unknown.len());
    for (column, cell) in unknown.iter().enumerate() {
        let (mut moved, step) = (zero.clone(), 0.5);
        moved[*cell] += step;
        slope.set_column(column, &((encode(&moved)? - &at) / step));
    }
    let mut precision = slope.transpose() * &slope;
    for (i, cell) in unknown.iter().enumerate().filter(|(_, cell)| !seen[**cell].is_nan()) {
        precision[(i, i)] += NOISE[cell % d].powi(-2);
    }
    let covariance = precision.try_inverse().unwrap();
    let change = &covariance * slope.transpose() * at;
    Ok((DVector::from_iterator(unknown.len(), unknown.iter().map(|c| zero[*c])) - change, covariance))
}

#[test]
fn without_a_network_noise_is_taken_away_by_the_exact_conditional() -> Result<()> {
    const SAMPLES: usize = 4000;
    let [k, c, d] = SIZES;
    let model = model(12, false, true)?; // `encode` gives all coordinates
    let window = window(k + 2 * c, &[2 * d + 1, 9 * d, 9 * d + 1])?;
    let (mean, covariance) = posterior(&model, &window)?;
    let unknown = |t: &Tensor| -> Result<Vec<f64>> {
        let all = t.flatten_all()?.to_vec1::<f32>()?.into_iter().enumerate();
        Ok(all.filter(|(i, _)| NOISE[i % d] > 0.0).map(|(_, v)| f64::from(v)).collect())
    };
    let ways = [
        model.smooth(&window, &NOISE, SAMPLES, &mut Noise::new(1))?,
        model.clean(&window, &NOISE, SAMPLES, &mut Noise::new(2))?,
    ];
    for [exact, draws] in ways {
        let known = draws.narrow(1, 0, 1)?.flatten_all()?.to_vec1::<f32>()?;
        let given = window.flatten_all()?.to_vec1::<f32>()?;
        assert!((0..given.len()).filter(|i| NOISE[i % d] == 0.0).all(|i| known[i] == given[i]));
        for (found, expected) in unknown(&exact)?.iter().zip(mean.iter()) {
            assert!((found - expected).abs() < 5e-3 * (1.0 + expected.abs()), "{found} for {expected}");
        }
        let rows = (0..SAMPLES).map(|s| unknown(&draws.narrow(1, s, 1)?)).collect::<Result<Vec<_>>>()?;
        for i in 0..mean.len() {
            let average = |of: &dyn Fn(&[f64]) -> f64| rows.iter().map(|r| of(r)).sum::<f64>() / SAMPLES as f64;
            for j in 0..=i {
                let found = average(&|r| (r[i] - mean[i]) * (r[j] - mean[j]));
                let (own, both) = (covariance[(i, i)] * covariance[(j, j)], covariance[(i, j)]);
                let error = 4.0 * ((own + both * both) / SAMPLES as f64).sqrt() + 5e-3 * own.sqrt();
                assert!((found - both).abs() < error, "covariance of {i} and {j}: {found} for {both}");
            }
        }
    }
    Ok(())
}
