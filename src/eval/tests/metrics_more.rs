//! Metrics of samples and of motion against closed forms, brute force and definitions.

use crate::eval::{BootstrapSettings, EvalOptions, Evaluator, Futures, Reference, Results, TestSet};
use crate::noise::Noise;
use crate::{Error, Result};
use candle_core::{DType, Device};
use std::f64::consts::{PI, TAU};

const N: usize = 60;
const H: usize = 32;
const D: usize = 3;
const K: usize = 4;
/// True values in the test set.
const VALUES: f64 = (N * H * D) as f64;

fn normal(shape: &[usize], seed: u64) -> Result<Vec<f32>> {
    Ok(Noise::new(seed).normal(shape, DType::F32, &Device::Cpu)?.flatten_all()?.to_vec1()?)
}

/// `truth` behind contexts of 0, in 10 episodes; the reference is white noise.
fn test_set(truth: Vec<f32>) -> Result<TestSet> {
    let episode: Vec<usize> = (0..N).map(|i| i * 10 / N).collect();
    Ok(TestSet {
        context: vec![0.0; N * K * D],
        truth,
        episode: episode.clone(),
        context_frames: K,
        horizon: H,
        channels: D,
        velocity_std: vec![1.5, 1.0, 0.5],
        reference: Reference { context: normal(&[N, K, D], 3)?, future: normal(&[N, H, D], 4)?, episode },
    })
}

fn white_noise() -> Result<TestSet> {
    test_set(normal(&[N, H, D], 2)?)
}

fn options() -> EvalOptions {
    let bootstrap = BootstrapSettings { replicates: 40, window_replicates: 2, ..BootstrapSettings::default() };
    EvalOptions { bootstrap, max_segments: 50, ..EvalOptions::default() }
}

fn evaluate(test: &TestSet, samples: &[f32], s: usize) -> Result<Results> {
    let found = Evaluator::new(test, options())?.evaluate(&Futures { samples, n: N, s, h: H, d: D })?;
    for (name, result) in &found {
        let ([low, high], rounding) = (result.interval, 1e-12 * result.mean);
        assert!(
            low <= result.mean + rounding && result.mean <= high + rounding,
            "{name}: {} in {low} .. {high}",
            result.mean
        );
    }
    Ok(found)
}

fn assert_close(found: f64, expected: f64, tolerance: f64, what: &str) {
    let error = (found - expected).abs();
    assert!(error <= tolerance, "{what}: {found} where {expected} is right (error {error:e}, permitted {tolerance:e})");
}

/// Sums of a few f32 values near 1, averaged.
const F32: f64 = 2e-6;

/// Value `c` at step `t` of sample `j` of window `i`.
fn at(samples: &[f32], s: usize, (i, j, t, c): (usize, usize, usize, usize)) -> f64 {
    f64::from(samples[((i * s + j) * H + t) * D + c])
}

#[test]
fn crps_and_variogram_score_are_the_double_sums_of_their_definitions() -> Result<()> {
    let test = white_noise()?;
    let s = 7;
    let samples: Vec<f32> = normal(&[N, s, H, D], 5)?.iter().map(|v| 0.8 * v + 0.3).collect();
    let found = evaluate(&test, &samples, s)?;
    let truth = |i, t, c| at(&test.truth, 1, (i, 0, t, c));
    for t in [0, 9, H - 1] {
        let (mut crps, mut variogram) = (0.0, 0.0);
        for i in 0..N {
            let x = |j, c| at(&samples, s, (i, j, t, c));
            for c in 0..D {
                for j in 0..s {
                    crps += (x(j, c) - truth(i, t, c)).abs() / (s * D * N) as f64;
                    for k in 0..s {
                        crps -= (x(j, c) - x(k, c)).abs() / (2 * s * (s - 1) * D * N) as f64;
                    }
                }
                for b in (0..D).filter(|b| *b != c) {
                    let expected: f64 = (0..s).map(|j| (x(j, c) - x(j, b)).abs().sqrt()).sum::<f64>() / s as f64;
                    let gap = (truth(i, t, c) - truth(i, t, b)).abs().sqrt() - expected;
                    variogram += gap * gap / (D * (D - 1) * N) as f64;
                }
            }
        }
        assert_close(found["crps"].per_step[t], crps, F32, "CRPS");
        assert_close(found["variogram_score"].per_step[t], variogram, F32, "variogram score");
    }
    Ok(())
}

/// The CRPS of N(m, s²) at y is s (z (2 Phi(z) - 1) + 2 phi(z) - 1 / sqrt(pi)), z = (y - m) / s: here z = 1, s = 1/2.
#[test]
fn crps_of_gaussian_samples_has_its_closed_form() -> Result<()> {
    let test = test_set(vec![0.7; N * H * D])?;
    let samples: Vec<f32> = normal(&[N, 12, H, D], 6)?.iter().map(|v| 0.5 * v + 0.2).collect();
    let (cumulative, density) = (0.841_344_746, 0.241_970_725);
    let expected = 0.5 * (2.0 * cumulative - 1.0 + 2.0 * density - 1.0 / PI.sqrt());
    // The score of 12 samples at one value has a standard deviation below that of their mean error, 0.5 / sqrt(12).
    let error = 4.0 * 0.5 / 12.0_f64.sqrt() / VALUES.sqrt();
    assert_close(evaluate(&test, &samples, 12)?["crps"].mean, expected, error, "12 samples");
    // One sample: E|X - y| = s (z (2 Phi(z) - 1) + 2 phi(z)).
    let one: Vec<f32> = normal(&[N, 1, H, D], 7)?.iter().map(|v| 0.5 * v + 0.2).collect();
    let expected = 0.5 * (2.0 * cumulative - 1.0 + 2.0 * density);
    assert_close(evaluate(&test, &one, 1)?["crps"].mean, expected, 4.0 * 0.5 / VALUES.sqrt(), "1 sample");
    Ok(())
}

/// Distances 1, 1, 0 in truth and 4, 4, 0 predicted: roots 1 apart for two of three pairs.
#[test]
fn variogram_score_sees_how_channels_go_together() -> Result<()> {
    let frames = |frame: [f32; D]| frame.repeat(N * H);
    let test = test_set(frames([0.0, 1.0, 0.0]))?;
    let found = evaluate(&test, &frames([0.0, 4.0, 0.0]), 1)?;
    assert_close(found["variogram_score"].mean, 2.0 / 3.0, F32, "apart");
    let shifted = evaluate(&test, &frames([5.0, 6.0, 5.0]), 1)?;
    assert_close(shifted["variogram_score"].mean, 0.0, F32, "a common shift leaves all differences");
    Ok(())
}

#[test]
fn the_best_of_k_is_the_best_of_the_first_k() -> Result<()> {
    let test = white_noise()?;
    let offsets: Vec<f32> = (0..22)
        .map(|j| {
            [(0, 2.0), (4, 1.0), (5, 0.5), (19, 0.25), (20, 0.1)]
                .into_iter()
                .find_map(|(k, offset)| (k == j).then_some(offset))
                .unwrap_or(9.0)
        })
        .collect();
    let samples: Vec<f32> = test
        .truth
        .chunks_exact(H * D)
        .flat_map(|window| offsets.iter().flat_map(move |offset| window.iter().map(move |v| v + offset)))
        .collect();
    let found = evaluate(&test, &samples, offsets.len())?;
    for (k, expected) in [(1, 2.0), (5, 1.0), (20, 0.25)] {
        for kind in ["ade", "fde"] {
            let name = format!("{kind}_best{k}");
            assert_close(found[&name].mean, expected, F32, &name);
        }
    }
    Ok(())
}

/// `2 Phi(z_q f) - 1` for the levels q = 0.1 .. 0.9, z_q being the half width of the central interval of N(0, 1).
fn coverages(f: f64) -> Vec<f64> {
    let half_widths = [
        0.125_661_347,
        0.253_347_103,
        0.385_320_466,
        0.524_400_513,
        0.674_489_750,
        0.841_621_234,
        1.036_433_389,
        1.281_551_566,
        1.644_853_627,
    ];
    // Simpson's rule over the density: its error is far below that of any sample.
    let central = |z: f64| {
        let density = |x: f64| (-x * x / 2.0).exp() / TAU.sqrt();
        let step = z / 100.0;
        let sum: f64 = (0..=100)
            .map(|k| f64::from([1, 4, 2][if k % 100 == 0 { 0 } else { 2 - k % 2 }]) * density(k as f64 * step))
            .sum();
        2.0 * sum * step / 3.0
    };
    half_widths.map(|z| central(f * z)).to_vec()
}

#[test]
fn calibration_errors_are_those_of_gaussians() -> Result<()> {
    let levels: Vec<f64> = (1..10).map(|k| f64::from(k) / 10.0).collect();
    coverages(1.0).iter().zip(&levels).for_each(|(c, l)| assert_close(*c, *l, 1e-6, "the test's own integral"));
    let test = white_noise()?;
    // A step has N D = 180 values; the mean absolute deviation of a coverage is at most sqrt(0.25 / 180) sqrt(2 / pi).
    let step_error = (0.25 / 180.0_f64).sqrt() * (2.0 / PI).sqrt();
    for s in [2, 9, 20] {
        let found = evaluate(&test, &normal(&[N, s, H, D], 8)?, s)?;
        // The randomised rank has the expected coverage for any number of samples; few samples smooth it.
        let error = 4.0 * (0.09 / VALUES).sqrt();
        assert_close(found["coverage_90"].mean, 0.9, error, &format!("coverage of {s} samples"));
        let calibration = found["calibration_error"].mean;
        assert!(calibration < step_error, "calibrated with {s} samples: {calibration}");
    }
    // Samples half as wide as the truth: the central interval of level q covers 2 Phi(z_q / 2) - 1.
    let s = 199;
    let narrow: Vec<f32> = normal(&[N, s, H, D], 9)?.iter().map(|v| 0.5 * v).collect();
    let found = evaluate(&test, &narrow, s)?;
    let expected = coverages(0.5);
    let error = expected.iter().zip(&levels).map(|(c, l)| l - c).sum::<f64>() / 9.0;
    // Deviations of the nine levels have one sign here (0.05 .. 0.31), so they average out over the steps but for those
    // of the lowest levels, which may change their sign at a step: a tenth of a step's deviation for them.
    let tolerance = 4.0 * (0.25 / VALUES).sqrt() + 0.1 * step_error;
    assert_close(found["calibration_error"].mean, error, tolerance, "overconfident");
    assert_close(
        found["coverage_90"].mean,
        expected[8],
        4.0 * (0.25 / VALUES).sqrt() + 0.003,
        "overconfident coverage",
    );
    // The width of N(0, 1/4) between its quantiles of 5 % and 95 %, z = 1.645 apart from the mean, and what the order
    // statistic of 199 adds at either end: p (1 - p) / (2 (S + 2)) z / phi(z)² (David and Johnson 1954), halved as the
    // samples. Standard deviation of one width 0.075.
    let width = 1.644_854 * (1.0 + 0.05 * 0.95 / (2.0 * 201.0) / 0.103_136_f64.powi(2));
    assert_close(found["sharpness_90"].mean, width, 4.0 * 0.075 / VALUES.sqrt(), "sharpness");
    Ok(())
}

#[test]
fn ties_and_single_samples_are_covered_as_defined() -> Result<()> {
    let test = white_noise()?;
    let found = evaluate(&test, &test.truth, 1)?;
    assert_close(found["calibration_error"].mean, 0.5, 1e-12, "one sample");
    assert_close(found["coverage_90"].mean, 0.0, 0.0, "one sample");
    // All samples equal the truth: its rank may be any, so each interval covers its own level.
    let copies: Vec<f32> = test.truth.chunks_exact(H * D).flat_map(|window| window.repeat(4)).collect();
    let found = evaluate(&test, &copies, 4)?;
    assert_close(found["calibration_error"].mean, 0.0, 1e-12, "tied with all");
    assert_close(found["coverage_90"].mean, 0.9, 1e-12, "tied with all");
    Ok(())
}

#[test]
fn widths_and_distances_of_known_samples() -> Result<()> {
    let test = white_noise()?;
    let ladder = |s: usize| -> Vec<f32> { (0..N * s).flat_map(|j| vec![(j * 7 % s) as f32; H * D]).collect() };
    // 0, 1 .. 19: the quantile k / 21 is k - 1, so 95 % lie at 18.95 and 5 % at 0.05; three samples: from end to end.
    for (s, width) in [(20, 18.9), (3, 2.0), (1, 0.0)] {
        let found = evaluate(&test, &ladder(s), s)?;
        assert_close(found["sharpness_90"].mean, width, 1e-6, &format!("{s} samples"));
        // Mean difference of two different numbers of 0 .. S: (S + 1) / 3.
        let distance = if s == 1 { 0.0 } else { (s + 1) as f64 / 3.0 };
        assert_close(found["apd"].mean, distance, 1e-5, &format!("{s} samples"));
    }
    // E|x - x'| of N(0, I) in three dimensions is 4 / sqrt(pi); standard deviation of one distance below 1.
    let found = evaluate(&test, &normal(&[N, 8, H, D], 10)?, 8)?;
    let error = 4.0 / ((N * H * 8 / 2) as f64).sqrt();
    assert_close(found["apd"].mean, 4.0 / PI.sqrt() / 3.0_f64.sqrt(), error, "Gaussian samples");
    Ok(())
}

/// Contexts are 0, so motion three times as large has three times the jerk, and a frozen one has none and always rests.
#[test]
fn jerk_and_rest_are_compared_as_defined() -> Result<()> {
    let test = white_noise()?;
    let larger: Vec<f32> = test.truth.iter().map(|v| 3.0 * v).collect();
    let found = evaluate(&test, &larger, 1)?;
    let expected = (3.01 / 1.01_f64).ln();
    assert_close(found["jerk_ratio_error"].mean, expected, F32, "three times as large");
    let frozen = vec![0.0; 2 * N * H * D];
    let found = evaluate(&test, &frozen, 2)?;
    assert_close(found["jerk_ratio_error"].mean, 101.0_f64.ln(), F32, "frozen");
    // Brute force over the truth, of which every other window is slowed down until it rests.
    let mut slow = test.clone();
    for window in slow.truth.chunks_exact_mut(2 * H * D) {
        window[..H * D].iter_mut().for_each(|v| *v *= 0.05);
    }
    let mut resting = 0.0;
    let mut jerk = 0.0;
    for i in 0..N {
        let frame = |t: isize, c: usize| if t < 0 { 0.0 } else { at(&slow.truth, 1, (i, 0, t as usize, c)) };
        for t in 0..H as isize {
            let rms = |of: &dyn Fn(usize) -> f64| {
                ((0..D).map(|c| (of(c) / slow.velocity_std[c]).powi(2)).sum::<f64>() / D as f64).sqrt()
            };
            resting += f64::from(u8::from(rms(&|c| frame(t, c) - frame(t - 1, c)) < 0.1)) / (N * H) as f64;
            jerk += rms(&|c| frame(t, c) - 3.0 * frame(t - 1, c) + 3.0 * frame(t - 2, c) - frame(t - 3, c));
        }
    }
    assert!((0.2..0.5).contains(&resting), "the test needs motion that rests now and then: {resting}");
    let found = evaluate(&slow, &frozen, 2)?;
    assert_close(found["at_rest_error"].mean, 1.0 - resting, 1e-9, "frozen, at rest");
    let found = evaluate(&slow, &larger, 1)?;
    let pooled = jerk / (N * H) as f64;
    let mean = 3.0 * mean_jerk(&test);
    let expected = ((mean + 0.01 * pooled) / (1.01 * pooled)).ln();
    assert_close(found["jerk_ratio_error"].mean, expected, 1e-5, "jerk of different motion");
    Ok(())
}

fn mean_jerk(test: &TestSet) -> f64 {
    let mut sum = 0.0;
    for i in 0..N {
        let frame = |t: isize, c: usize| if t < 0 { 0.0 } else { at(&test.truth, 1, (i, 0, t as usize, c)) };
        for t in 0..H as isize {
            let third = |c| frame(t, c) - 3.0 * frame(t - 1, c) + 3.0 * frame(t - 2, c) - frame(t - 3, c);
            sum += ((0..D).map(|c| (third(c) / test.velocity_std[c]).powi(2)).sum::<f64>() / D as f64).sqrt();
        }
    }
    sum / (N * H) as f64
}

#[test]
fn values_beyond_the_seen_range_are_counted() -> Result<()> {
    let mut test = test_set(vec![0.0; N * H * D])?;
    test.reference.future.iter_mut().enumerate().for_each(|(i, v)| *v = if i % 2 == 0 { -1.0 } else { 1.0 });
    test.reference.context.fill(0.5);
    test.truth[0] = 1.5;
    // The range is -1 .. 1, widened by 1 % of its length at either end.
    let mut samples = vec![1.019_f32; N * 2 * H * D];
    for window in samples.chunks_exact_mut(2 * H * D) {
        window[3 * D] = 1.021; // first sample, step 3, channel 0
        window[H * D + 4 * D + 1] = -1.5; // second sample, step 4, channel 1
    }
    let found = &evaluate(&test, &samples, 2)?["limit_violations"];
    for (t, value) in found.per_step.iter().enumerate() {
        assert_close(*value, if t == 3 || t == 4 { 1.0 / (2 * D) as f64 } else { 0.0 }, 1e-12, "share at a step");
    }
    assert_close(found.mean, 2.0 / (2 * D * H) as f64, 1e-12, "share");
    let floor = Evaluator::new(&test, options())?.floor()?;
    assert_close(floor["limit_violations"].mean, 1.0 / VALUES, 1e-12, "floor: one true value of all");
    Ok(())
}

/// `amplitude * cos(2 pi k t / H + phase)`, the phase another for each window and channel.
fn waves(amplitude: f64, k: usize, seed: u64) -> Result<Vec<f32>> {
    let phases = normal(&[N, D], seed)?;
    let mut values = Vec::new();
    for i in 0..N {
        for t in 0..H {
            for c in 0..D {
                let phase = 10.0 * f64::from(phases[i * D + c]);
                values.push((amplitude * (TAU * (k * t) as f64 / H as f64 + phase).cos()) as f32);
            }
        }
    }
    Ok(values)
}

/// Under a Hann window a wave of a whole number of periods has the powers a²/8, a²/2, a²/8 at its frequency and its two
/// neighbours, and none elsewhere, whatever its phase.
#[test]
fn spectra_of_waves_are_apart_as_theory_says() -> Result<()> {
    let test = test_set(waves(1.0, 4, 20)?)?;
    let frequencies = (H / 2) as f64;
    let distance = |samples: &[f32]| Ok::<_, crate::Error>(evaluate(&test, samples, 1)?["spectral_distance"].mean);
    let lifted: Vec<f32> = waves(1.0, 4, 21)?.iter().map(|v| v + 3.0).collect();
    assert_close(distance(&lifted)?, 0.0, 1e-3, "the same frequency, other phases, another place");
    assert_close(
        distance(&waves(2.0, 4, 22)?)?,
        3.0 * (4.01 / 1.01_f64).ln() / frequencies,
        1e-3,
        "twice the amplitude",
    );
    // Three frequencies lost, each ln 101; three gained where real motion has none but the silence of 1e-8.
    let gained = (1.0 + 0.5e8_f64).ln() + 2.0 * (1.0 + 0.125e8_f64).ln();
    let expected = (3.0 * 101.0_f64.ln() + gained) / frequencies;
    assert_close(distance(&waves(1.0, 10, 23)?)?, expected, 1e-3, "another frequency");
    assert_close(distance(&vec![0.3; N * H * D])?, 3.0 * 101.0_f64.ln() / frequencies, 1e-3, "frozen");
    Ok(())
}

#[test]
fn bad_arrays_are_named() -> Result<()> {
    let good = white_noise()?;
    let shape = |test: &TestSet| Evaluator::new(test, options()).err().map(|e| e.to_string()).unwrap_or_default();
    assert_eq!(shape(&good), "");
    let broken = |change: &dyn Fn(&mut TestSet)| {
        let mut test = good.clone();
        change(&mut test);
        shape(&test)
    };
    assert!(broken(&|t| t.truth.truncate(5)).contains("future of the test windows"));
    assert!(broken(&|t| t.context[3] = f32::NAN).contains("context of the test windows is NaN"));
    assert!(broken(&|t| t.velocity_std[1] = 0.0).contains("velocity_std of channel 1"));
    assert!(broken(&|t| t.reference.future.push(0.0)).contains("future of the reference windows"));
    assert!(broken(&|t| t.context_frames = 3).contains("at least 4"));
    let evaluator = Evaluator::new(&good, options())?;
    let samples = vec![f32::INFINITY; N * H * D];
    let futures = Futures { samples: &samples, n: N, s: 1, h: H, d: D };
    assert!(matches!(evaluator.evaluate(&futures), Err(Error::NonFinite { .. })));
    assert!(matches!(evaluator.evaluate(&Futures { n: N - 1, ..futures }), Err(Error::Shape { .. })));
    Ok(())
}
