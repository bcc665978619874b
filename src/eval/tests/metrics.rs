//! Metrics against independent references (computed with numpy, scipy and scikit-learn), closed forms and definitions.

use crate::eval::metric::{self, Detection, Kind, METRICS, energy_distance, frechet_distance};
use crate::eval::{BootstrapSettings, EvalOptions, Evaluator, Futures, Reference, Results, TestSet};
use crate::noise::Noise;
use crate::{Error, Result};
use candle_core::{DType, Device};
use serde_json::Value;

/// A file of `tests/data/metrics`.
fn reference(name: &str) -> Value {
    let path = format!("{}/tests/data/metrics/{name}.json.gz", env!("CARGO_MANIFEST_DIR"));
    let file = std::fs::File::open(path).expect("a reference file");
    serde_json::from_reader(flate2::read::GzDecoder::new(file)).expect("a reference file is JSON")
}

fn flat(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(flat).collect(),
        number => vec![number.as_f64().expect("a number")],
    }
}

/// `|found - expected| <= tolerance * max(1, |expected|)`.
fn assert_close(found: f64, expected: f64, tolerance: f64, what: &str) {
    let error = (found - expected).abs() / expected.abs().max(1.0);
    assert!(error <= tolerance, "{what}: {found} where {expected} is right (error {error:e}, permitted {tolerance:e})");
}

/// Agreement 1e-8, as the project asks; 1e-5 for singular covariances, whose square roots turn a rounding of 1e-16 into
/// one of 1e-8 per dimension in the reference too.
#[test]
fn frechet_distances_agree_with_scipy() -> Result<()> {
    let file = reference("frechet_gaussians");
    let cases = file["cases"].as_array().expect("cases");
    assert_eq!(cases.len(), 20);
    for case in cases {
        let part = |key: &str| flat(&case[key]);
        let (mu1, s1, mu2, s2) = (part("mu1"), part("sigma1"), part("mu2"), part("sigma2"));
        let expected = case["frechet_distance_squared"].as_f64().expect("a number");
        let tolerance = if case["kind"] == "singular" { 1e-5 } else { 1e-8 };
        let what = format!("{} in {} dimensions", case["kind"], mu1.len());
        assert_close(frechet_distance(&mu1, &s1, &mu2, &s2)?, expected, tolerance, &what);
        assert_close(frechet_distance(&mu2, &s2, &mu1, &s1)?, expected, tolerance, &format!("{what}, swapped"));
    }
    Ok(())
}

#[test]
fn energy_distances_agree_with_the_reference() -> Result<()> {
    let file = reference("two_sample");
    let cases = file.as_array().expect("cases");
    assert_eq!(cases.len(), 3);
    for case in cases {
        let dim = case["dim"].as_u64().expect("a number") as usize;
        let found = energy_distance(&flat(&case["X"]), &flat(&case["Y"]), dim)?;
        let expected = case["energy_distance_squared_vstat"].as_f64().expect("a number");
        assert_close(found, expected, 1e-8, &format!("{dim} dimensions"));
    }
    Ok(())
}

#[test]
fn ranking_metrics_agree_with_scikit_learn() -> Result<()> {
    let file = reference("auroc");
    let cases = file["cases"].as_array().expect("cases");
    assert_eq!(cases.len(), 8);
    for case in cases {
        let labels: Vec<bool> = flat(&case["labels"]).iter().map(|l| *l > 0.5).collect();
        let scores = flat(&case["scores"]);
        let d = Detection::of(&labels, &scores)?;
        let found = [d.auroc, d.average_precision, d.fpr_at_95_tpr];
        for (found, key) in found.into_iter().zip(["auroc", "average_precision", "fpr_at_95_tpr"]) {
            let expected = case[key].as_f64().expect("a number");
            assert_close(found, expected, 1e-8, &format!("{key} of {} ({})", case["mode"], scores.len()));
        }
    }
    Ok(())
}

#[test]
fn ranking_metrics_resolve_ties_for_nobody() -> Result<()> {
    let labels = [true, false, true, false];
    assert_close(Detection::of(&labels, &[1.0; 4])?.auroc, 0.5, 1e-15, "all tied");
    assert_close(Detection::of(&labels, &[2.0, 1.0, 1.0, 0.0])?.auroc, 7.0 / 8.0, 1e-15, "one tie: 3.5 of 4 pairs");
    assert!(matches!(Detection::of(&[true, true], &[0.0, 1.0]), Err(Error::Data { .. })));
    assert!(matches!(Detection::of(&labels, &[0.0; 3]), Err(Error::Shape { .. })));
    assert!(matches!(Detection::of(&labels, &[0.0, f64::NAN, 0.0, 0.0]), Err(Error::NonFinite { .. })));
    Ok(())
}

/// The closed-form case of the FID literature: unit covariances, means one apart in every dimension, and its rotation
/// of scale: standard deviations 1 and 3 are (3 - 1)^2 apart per dimension.
#[test]
fn frechet_distance_has_its_closed_forms() -> Result<()> {
    for d in [1, 7, 64] {
        let identity =
            |scale: f64| -> Vec<f64> { (0..d * d).map(|i| if i / d == i % d { scale } else { 0.0 }).collect() };
        let (zero, one) = (vec![0.0; d], vec![1.0; d]);
        let shifted = frechet_distance(&zero, &identity(1.0), &one, &identity(1.0))?;
        assert_close(shifted, d as f64, 1e-12, "shifted");
        let scaled = frechet_distance(&zero, &identity(1.0), &zero, &identity(9.0))?;
        assert_close(scaled, 4.0 * d as f64, 1e-12, "scaled");
        let dirac = frechet_distance(&zero, &identity(0.0), &zero, &identity(2.0))?;
        assert_close(dirac, 2.0 * d as f64, 1e-12, "a point against a Gaussian");
    }
    assert!(matches!(frechet_distance(&[0.0], &[1.0], &[0.0, 0.0], &[1.0]), Err(Error::Shape { what: "mu2", .. })));
    assert!(matches!(frechet_distance(&[0.0], &[f64::NAN], &[0.0], &[1.0]), Err(Error::NonFinite { .. })));
    Ok(())
}

const N: usize = 60;
const H: usize = 18;
const D: usize = 3;
const K: usize = 4;

fn normal(shape: &[usize], seed: u64) -> Result<Vec<f32>> {
    Ok(Noise::new(seed).normal(shape, DType::F32, &Device::Cpu)?.flatten_all()?.to_vec1()?)
}

/// White noise in `n` windows of 10 episodes, whose velocity has the variance 2.
fn white_noise(n: usize) -> Result<TestSet> {
    let episode: Vec<usize> = (0..n).map(|i| i * 10 / n).collect();
    Ok(TestSet {
        context: normal(&[n, K, D], 1)?,
        truth: normal(&[n, H, D], 2)?,
        episode: episode.clone(),
        context_frames: K,
        horizon: H,
        channels: D,
        velocity_std: vec![2.0_f64.sqrt(); D],
        reference: Reference { context: normal(&[n, K, D], 3)?, future: normal(&[n, H, D], 4)?, episode },
    })
}

fn quick() -> EvalOptions {
    let bootstrap = BootstrapSettings { replicates: 60, window_replicates: 20, ..BootstrapSettings::default() };
    EvalOptions { bootstrap, ..EvalOptions::default() }
}

fn evaluate(test: &TestSet, samples: &[f32], s: usize) -> Result<Results> {
    let futures = Futures { samples, n: test.episode.len(), s, h: H, d: D };
    Evaluator::new(test, quick())?.evaluate(&futures)
}

#[test]
fn every_metric_of_the_contract_is_there_once() {
    let names: Vec<&str> = METRICS.iter().map(|metric| metric.spec().name).collect();
    let expected = [
        "frechet_position",
        "frechet_velocity",
        "frechet_window",
        "segment_energy_distance",
        "spectral_distance",
        "jerk_ratio_error",
        "at_rest_error",
        "limit_violations",
        "energy_score",
        "crps",
        "variogram_score",
        "calibration_error",
        "rmse",
        "ade_best1",
        "ade_best5",
        "ade_best20",
        "fde_best1",
        "fde_best5",
        "fde_best20",
        "coverage_90",
        "sharpness_90",
        "apd",
    ];
    assert_eq!(names, expected);
    assert!(metric::specs().all(|spec| spec.short.len() <= 7 && !spec.definition.contains("  ")));
}

/// f32 inputs: errors of a difference near 1 are below 1e-6, of its square below 1e-5.
const F32: f64 = 1e-5;

#[test]
fn the_truth_itself_scores_zero() -> Result<()> {
    let test = white_noise(N)?;
    let floor = Evaluator::new(&test, quick())?.floor()?;
    for (name, result) in evaluate(&test, &test.truth, 1)? {
        let expected = match name.as_str() {
            "calibration_error" => 0.5, // one sample covers nothing
            "limit_violations" => floor[&name].mean,
            _ => 0.0,
        };
        assert_close(result.mean, expected, 1e-9, &name);
        assert_eq!(result.per_step.len(), if name == "spectral_distance" { 0 } else { H }, "{name}");
        assert!(result.interval[0] <= result.mean && result.mean <= result.interval[1] + 1e-9, "{name}");
    }
    Ok(())
}

/// A constant offset leaves every covariance as it is, so each figure has a closed form.
#[test]
fn a_constant_offset_has_its_closed_form() -> Result<()> {
    let test = white_noise(N)?;
    let offset = [0.5_f32, -1.0, 2.0];
    let squared: f64 = offset.iter().map(|o| f64::from(o * o)).sum();
    let moved: Vec<f32> = test.truth.iter().enumerate().map(|(i, v)| v + offset[i % D]).collect();
    let found = evaluate(&test, &moved, 1)?;
    for t in 0..H {
        let step = |name: &str| found[name].per_step[t];
        assert_close(step("frechet_position"), squared, F32, "position");
        // Only the first velocity sees the jump; its variance is scaled to 2.
        assert_close(step("frechet_velocity"), if t == 0 { squared / 2.0 } else { 0.0 }, F32, "velocity");
        // The first four windows hold t + 1 moved frames.
        assert_close(step("frechet_window"), (t + 1).min(5) as f64 * squared, F32, "window");
        for name in ["energy_score", "ade_best20", "fde_best20", "rmse"] {
            assert_close(step(name), (squared / D as f64).sqrt(), F32, name);
        }
    }
    for name in ["energy_score", "ade_best20", "fde_best20", "rmse"] {
        assert_close(found[name].mean, (squared / D as f64).sqrt(), F32, name);
    }
    // Every window errs alike, so no resample of them can differ.
    let [low, high] = found["rmse"].interval;
    assert!(high - low < 1e-6, "{low} {high}");
    Ok(())
}

/// On white noise the held frame has the right distribution and no motion at all: its position is at the floor, its
/// velocity is a point at 0, whose distance is the trace of the true covariance plus the squared true mean: D = 3.
#[test]
fn hold_last_on_white_noise_is_perfect_in_position_and_terrible_in_velocity() -> Result<()> {
    let n = 400;
    let test = white_noise(n)?;
    let held: Vec<f32> = test
        .context
        .chunks_exact(K * D)
        .flat_map(|context| std::iter::repeat_n(&context[(K - 1) * D..], H).flatten().copied())
        .collect();
    let found = evaluate(&test, &held, 1)?;
    let floor = Evaluator::new(&test, quick())?.floor()?;
    // The expected distance of two samples of one Gaussian falls as 1/n; both are far below a tenth of D.
    assert!(found["frechet_position"].mean < 0.06, "{}", found["frechet_position"].mean);
    assert!(floor["frechet_position"].mean < 0.06, "{}", floor["frechet_position"].mean);
    // Standard error of the trace: sqrt(2 / n) per channel and step; D channels, mean over H correlated steps: < 0.05.
    let velocity = &found["frechet_velocity"];
    assert!((velocity.mean - D as f64).abs() < 0.2, "{}", velocity.mean);
    assert!(velocity.interval[0] > 20.0 * floor["frechet_velocity"].interval[1]);
    Ok(())
}

/// Per step against a plain computation of mean and covariance, the first sample of each window alone.
#[test]
fn per_step_frechet_distances_follow_their_definition() -> Result<()> {
    let test = white_noise(N)?;
    let s = 2;
    let samples: Vec<f32> = normal(&[N, s, H, D], 7)?.iter().map(|v| 0.7 * v + 0.2).collect();
    let found = evaluate(&test, &samples, s)?;
    let truth = |i: usize, t: isize, c: usize| match usize::try_from(t) {
        Ok(t) => f64::from(test.truth[(i * H + t) * D + c]),
        Err(_) => f64::from(test.context[((i + 1) * K - t.unsigned_abs()) * D + c]),
    };
    let predicted = |i: usize, t: isize, c: usize| match usize::try_from(t) {
        Ok(t) => f64::from(samples[(i * s * H + t) * D + c]),
        Err(_) => truth(i, t, c),
    };
    type Frame<'a> = &'a dyn Fn(usize, isize, usize) -> f64;
    let moments = |row: &dyn Fn(usize) -> Vec<f64>| {
        let rows: Vec<Vec<f64>> = (0..N).map(row).collect();
        let w = rows[0].len();
        let mean: Vec<f64> = (0..w).map(|c| rows.iter().map(|r| r[c]).sum::<f64>() / N as f64).collect();
        let product = |a: usize, b: usize| rows.iter().map(|r| (r[a] - mean[a]) * (r[b] - mean[b])).sum::<f64>();
        let covariance: Vec<f64> = (0..w * w).map(|i| product(i / w, i % w) / (N - 1) as f64).collect();
        (mean, covariance)
    };
    let distance = |row: &dyn Fn(Frame, usize) -> Vec<f64>| {
        let (mu1, s1) = moments(&|i| row(&truth, i));
        let (mu2, s2) = moments(&|i| row(&predicted, i));
        frechet_distance(&mu1, &s1, &mu2, &s2)
    };
    for t in [0, 1, 3, 4, 17] {
        let step = |name: &str| found[name].per_step[t as usize];
        let position = distance(&|frame, i| (0..D).map(|c| frame(i, t, c)).collect())?;
        assert_close(step("frechet_position"), position, 1e-8, "position");
        let std = &test.velocity_std;
        let velocity = |frame: Frame, i| (0..D).map(|c| (frame(i, t, c) - frame(i, t - 1, c)) / std[c]).collect();
        assert_close(step("frechet_velocity"), distance(&velocity)?, 1e-8, "velocity");
        let window = |frame: Frame, i| (t - 4..=t).flat_map(|u| (0..D).map(move |c| frame(i, u, c))).collect();
        // The first windows share context frames: singular differences, hence the singular tolerance.
        assert_close(step("frechet_window"), distance(&window)?, 1e-5, "window");
    }
    Ok(())
}

#[test]
fn segments_are_compared_as_defined() -> Result<()> {
    let test = white_noise(N)?;
    let samples: Vec<f32> = normal(&[N, 1, H, D], 8)?.iter().map(|v| 0.5 * v).collect();
    let found = &evaluate(&test, &samples, 1)?["segment_energy_distance"];
    let segments = |future: &[f32], positions: &[usize]| -> Vec<f64> {
        let mut all = Vec::new();
        for position in positions {
            for i in 0..N {
                for t in position * 8..position * 8 + 8 {
                    for c in 0..D {
                        let now = future[(i * H + t) * D + c];
                        let before = if t == 0 {
                            test.context[((i + 1) * K - 1) * D + c]
                        } else {
                            future[(i * H + t - 1) * D + c]
                        };
                        all.push((f64::from(now) - f64::from(before)) / test.velocity_std[c]);
                    }
                }
            }
        }
        all
    };
    let direct =
        |positions: &[usize]| energy_distance(&segments(&test.truth, positions), &segments(&samples, positions), 8 * D);
    assert_close(found.mean, direct(&[0, 1])?, 1e-8, "all segments");
    assert_close(found.per_step[0], direct(&[0])?, 1e-8, "first segment");
    assert_close(found.per_step[15], direct(&[1])?, 1e-8, "second segment");
    assert_close(found.per_step[H - 1], found.per_step[15], 0.0, "frames behind the last segment");
    // A limit on the number of segments changes the figure a little and stays deterministic.
    let few = EvalOptions { max_segments: 40, ..quick() };
    let futures = Futures { samples: &samples, n: N, s: 1, h: H, d: D };
    let run = || Evaluator::new(&test, few.clone())?.evaluate(&futures);
    assert_eq!(run()?, run()?);
    assert_ne!(run()?["segment_energy_distance"].mean, found.mean);
    Ok(())
}

/// For samples and truth both from N(0, I), E|x - y| = E|x - x'| = 2 G((D + 1) / 2) / G(D / 2), so the energy score is
/// half of that over sqrt(D): for D = 3 it is 2 / sqrt(pi) / sqrt(3) = 0.65147.
#[test]
fn energy_score_of_gaussian_samples_has_its_closed_form() -> Result<()> {
    let n = 400;
    let test = white_noise(n)?;
    let expected = 2.0 / std::f64::consts::PI.sqrt() / 3.0_f64.sqrt();
    let several = evaluate(&test, &normal(&[n, 12, H, D], 9)?, 12)?;
    // Standard deviation of one window's score at one step is about 0.3 (0.8 with one sample); n H = 7200 of them.
    assert_close(several["energy_score"].mean, expected, 4.0 * 0.3 / 7200.0_f64.sqrt(), "12 samples");
    let one = evaluate(&test, &normal(&[n, 1, H, D], 9)?, 1)?;
    assert_close(one["energy_score"].mean, 2.0 * expected, 4.0 * 0.8 / 7200.0_f64.sqrt(), "1 sample: the first term");
    // The mean of 12 samples has the variance 1/12: rmse = sqrt(1 + 1/12), standard error sqrt(1 / (2 n H D)) of it.
    let rmse = (1.0 + 1.0 / 12.0_f64).sqrt();
    assert_close(several["rmse"].mean, rmse, 4.0 * (1.0 / (2.0 * 21_600.0_f64)).sqrt() * rmse, "rmse");
    Ok(())
}

/// The squared errors of one forecast window of iid numbers have variance 2 (D H of them), so the mean over n windows
/// has a known standard error, and the 95 % interval of the rmse is 2 * 1.96 * SE / (2 rmse) wide. With 40 episodes and
/// 400 replicates the bootstrap knows a standard error to about 1 / sqrt(2 * 40) + 1 / sqrt(2 * 400) = 15 %: 3 of them.
#[test]
fn intervals_have_the_width_of_theory() -> Result<()> {
    let n = 400;
    let mut test = white_noise(n)?;
    test.episode = (0..n).map(|i| i / 10).collect();
    let options = EvalOptions { bootstrap: BootstrapSettings { replicates: 400, ..quick().bootstrap }, ..quick() };
    let zero = vec![0.0; n * H * D];
    let futures = Futures { samples: &zero, n, s: 1, h: H, d: D };
    let [low, high] = Evaluator::new(&test, options)?.evaluate(&futures)?["rmse"].interval;
    let width = 1.96 * (2.0 / (n * H * D) as f64).sqrt();
    let ratio = (high - low) / width;
    assert!((0.55..1.45).contains(&ratio), "width {} where theory says {width}", high - low);
    Ok(())
}

#[test]
fn threads_change_nothing_and_floors_belong_to_distances_alone() -> Result<()> {
    let test = white_noise(N)?;
    let samples = normal(&[N, 3, H, D], 5)?;
    let futures = Futures { samples: &samples, n: N, s: 3, h: H, d: D };
    let run = |threads| {
        let evaluator = Evaluator::new(&test, EvalOptions { threads, ..quick() })?;
        Ok::<_, Error>((evaluator.evaluate(&futures)?, evaluator.floor()?))
    };
    assert_eq!(run(1)?, run(3)?);
    let (_, floor) = run(0)?;
    for spec in METRICS.iter().map(|metric| metric.spec()) {
        assert_eq!(floor.contains_key(spec.name), spec.kind == Kind::Distance, "{}", spec.name);
    }
    Ok(())
}
