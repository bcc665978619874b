//! The report: its JSON contract, its other files, and that its words follow its numbers.

use crate::eval::report::{BootstrapProtocol, Cost, Passage, Protocol, Report, html, markdown, verdict};
use crate::eval::{BootstrapSettings, EvalOptions, Evaluator, Futures, MetricResult, Reference, TestSet, compare_with};
use crate::files::FileRecord;
use crate::forecast::baseline::{Autoregression, Hold, VarFit, Velocity};
use crate::forecast::{Forecaster, Request};
use crate::noise::Noise;
use crate::{Error, Result};
use candle_core::{DType, Device, Tensor};
use std::collections::BTreeMap;

const K: usize = 6;
const H: usize = 24;
const D: usize = 3;
const SAMPLES: usize = 5;

/// `(n, K + H, D)`: oscillations of one frequency per channel with a wandering phase, z-scored to about 1.
fn motion(n: usize, seed: u64) -> Result<Vec<f32>> {
    let noise = Noise::new(seed).normal((n, K + H + 1, D), DType::F64, &Device::Cpu)?.to_vec3::<f64>()?;
    let mut values = Vec::new();
    for window in noise {
        let mut phase: Vec<f64> = window[0].iter().map(|v| 20.0 * v).collect();
        for frame in &window[1..] {
            for (c, (phase, step)) in phase.iter_mut().zip(frame).enumerate() {
                *phase += 0.15 * (c + 1) as f64 + 0.1 * step;
                values.push((phase.sin() * std::f64::consts::SQRT_2) as f32);
            }
        }
    }
    Ok(values)
}

fn split(windows: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let (mut context, mut future) = (Vec::new(), Vec::new());
    for window in windows.chunks_exact((K + H) * D) {
        context.extend_from_slice(&window[..K * D]);
        future.extend_from_slice(&window[K * D..]);
    }
    (context, future)
}

/// A real evaluation of real baselines; `ebm` stands for a sampled forecaster.
#[expect(clippy::too_many_lines, reason = "a report written out")]
fn report() -> Result<Report> {
    let n = 120;
    let training = motion(400, 1)?;
    let (context, truth) = split(&motion(n, 2)?);
    let (reference_context, reference_future) = split(&motion(n, 3)?);
    let episode: Vec<usize> = (0..n).map(|i| i / 10).collect();
    let deltas: Vec<f64> = training
        .chunks_exact((K + H) * D)
        .flat_map(|w| w.iter().zip(&w[D..]).map(|(a, b)| f64::from(b - a)).collect::<Vec<_>>())
        .collect();
    let std = |c: usize| {
        let channel = deltas.iter().skip(c).step_by(D);
        (channel.clone().map(|v| v * v).sum::<f64>() / channel.count() as f64).sqrt()
    };
    let test = TestSet {
        context,
        truth,
        episode: episode.clone(),
        context_frames: K,
        horizon: H,
        channels: D,
        velocity_std: (0..D).map(std).collect(),
        reference: Reference { context: reference_context, future: reference_future, episode },
    };
    let bootstrap = BootstrapSettings { replicates: 40, window_replicates: 20, ..BootstrapSettings::default() };
    let options = EvalOptions { bootstrap, ..EvalOptions::default() };
    let evaluator = Evaluator::new(&test, options.clone())?;
    let chunks: Vec<f32> = training.chunks_exact((K + H) * D).flat_map(|w| w[..(K + 4) * D].to_vec()).collect();
    let fit = VarFit::fit(&chunks, D, K, 4, 10.0)?;
    let table: Vec<(&str, Box<dyn Forecaster>)> = vec![
        ("ebm", Box::new(Autoregression::sampled(fit.clone()))),
        ("hold", Box::new(Hold::new(D))),
        ("velocity", Box::new(Velocity::new(D))),
        ("var", Box::new(Autoregression::mean(fit))),
    ];
    let history = Tensor::from_vec(test.context.clone(), (n, K, D), &Device::Cpu)?;
    let (mut forecasters, mut trust, mut cost) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for (name, forecaster) in table {
        let request = Request { horizon: H, samples: SAMPLES };
        let forecast = forecaster.forecast(&history, &request, &mut Noise::new(7))?;
        let (_, s, _, _) = forecast.dims4()?;
        let samples = forecast.flatten_all()?.to_vec1::<f32>()?;
        let futures = Futures { samples: &samples, n, s, h: H, d: D };
        forecasters.insert(name.to_string(), evaluator.evaluate(&futures)?);
        trust.insert(name.to_string(), evaluator.trust(&futures, None)?);
        let (parameters, evaluations_per_chunk) = (forecaster.parameters(), forecaster.evaluations_per_chunk());
        cost.insert(
            name.to_string(),
            Cost { train_seconds: 0.5, parameters, evaluations_per_chunk, ms_per_window: 1.25 },
        );
    }
    let counts = |pairs: &[(&str, usize)]| pairs.iter().map(|(k, v)| (k.to_string(), *v)).collect();
    let protocol = Protocol {
        program: Protocol::program(),
        data: vec![FileRecord::of(std::path::Path::new("a <log>.csv"), b"a")],
        episodes: counts(&[("train", 40), ("validation", 4), ("test", 12)]),
        windows: counts(&[("train", 400), ("test", n), ("reference", n)]),
        channels: (0..D).map(|c| format!("q_{c}")).collect(),
        rate_hz: 12.5,
        context: K,
        horizon: H,
        samples: SAMPLES,
        seeds: BTreeMap::from([("forecast".to_string(), 7)]),
        metrics: Protocol::metrics(),
        bootstrap: BootstrapProtocol::new(&evaluator, &options),
        notes: vec!["Synthetic.".into()],
    };
    let comparisons = compare_with("ebm", &forecasters);
    Ok(Report { forecasters, floor: evaluator.floor()?, trust, comparisons, protocol, cost })
}

/// The distances, which have a floor, the scores, then the descriptions, which have no winner.
const METRICS: [&str; 22] = [
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
const DISTANCES: usize = 8;
const JUDGED: usize = 19;

/// Whether a metric has values along the horizon.
fn has_steps(metric: &str) -> bool {
    metric != "spectral_distance"
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of keys")]
fn the_json_has_every_key_of_the_contract() -> Result<()> {
    let report = report()?;
    let json: serde_json::Value = serde_json::from_str(&report.to_json()?).expect("JSON");
    let number = |value: &serde_json::Value, path: &str| {
        assert!(value.is_number(), "{path} is {value}");
        value.as_f64().expect(path)
    };
    for name in ["ebm", "hold", "velocity", "var"] {
        for metric in METRICS {
            let path = format!("forecasters.{name}.{metric}");
            let result = &json["forecasters"][name][metric];
            let mean = number(&result["mean"], &path);
            let steps = result["per_step"].as_array().expect(&path);
            assert_eq!(steps.len(), if has_steps(metric) { H } else { 0 }, "{path}");
            steps.iter().for_each(|v| assert!(number(v, &path) >= 0.0, "{path}"));
            let interval: Vec<f64> =
                result["interval"].as_array().expect(&path).iter().map(|v| number(v, &path)).collect();
            assert!(
                interval.len() == 2 && interval[0] <= mean && mean <= interval[1],
                "{path}: {mean} in {interval:?}"
            );
        }
        for key in ["train_seconds", "parameters", "evaluations_per_chunk", "ms_per_window"] {
            number(&json["cost"][name][key], &format!("cost.{name}.{key}"));
        }
    }
    for metric in &METRICS[..DISTANCES] {
        number(&json["floor"][metric]["mean"], metric);
        assert_eq!(json["floor"][metric]["interval"].as_array().map(Vec::len), Some(2), "{metric}");
    }
    assert_eq!(json["floor"].as_object().map(|floor| floor.len()), Some(DISTANCES), "scores have no floor");
    let protocol = &json["protocol"];
    for (path, expected) in [("context", K), ("horizon", H), ("samples", SAMPLES)] {
        assert_eq!(protocol[path], expected, "protocol.{path}");
    }
    assert_eq!(protocol["episodes"]["test"], 12);
    assert_eq!(protocol["windows"]["reference"], 120);
    assert_eq!(protocol["seeds"]["forecast"], 7);
    assert_eq!(protocol["data"][0]["sha256"].as_str().map(str::len), Some(64));
    assert_eq!(protocol["bootstrap"]["unit"], "test episodes");
    assert_eq!(protocol["bootstrap"]["settings"]["replicates"], 40);
    for metric in METRICS {
        let definition = protocol["metrics"][metric]["definition"].as_str().expect(metric);
        assert!(definition.len() > 40 && !definition.contains("  "), "{metric}: {definition}");
    }
    for (i, metric) in METRICS.iter().enumerate() {
        let expected = if i < DISTANCES {
            "distance"
        } else if i < JUDGED {
            "score"
        } else {
            "description"
        };
        assert_eq!(protocol["metrics"][metric]["kind"], expected, "{metric}");
    }
    // What is written can be read (serde_json's quick parser may be off by the last bit of a number).
    let read: Report = serde_json::from_value(json).expect("a report");
    assert_eq!(read.protocol, report.protocol);
    assert_eq!(read.cost, report.cost);
    for (name, results) in &report.forecasters {
        for (metric, result) in results {
            let error = (read.forecasters[name][metric].mean - result.mean).abs();
            assert!(error <= 1e-14 * result.mean, "{name}, {metric}: {error:e}");
        }
    }
    Ok(())
}

#[test]
fn the_same_evaluation_gives_the_same_bytes() -> Result<()> {
    assert_eq!(report()?.to_json()?, report()?.to_json()?);
    Ok(())
}

#[test]
fn a_figure_that_is_not_finite_is_an_error_and_nothing_is_written() -> Result<()> {
    let folder = tempfile::tempdir().expect("a folder");
    let good = report()?;
    type Damage = fn(&mut Report);
    let cases: [(Damage, &str); 3] = [
        (|r| result(r, "var", "rmse").per_step[3] = f64::NAN, "forecasters.var.rmse.per_step[3]"),
        (|r| result(r, "ebm", "energy_score").interval[1] = f64::INFINITY, "forecasters.ebm.energy_score.interval"),
        (|r| r.cost.get_mut("hold").expect("hold").ms_per_window = f64::NAN, "cost.hold.ms_per_window"),
    ];
    for (damage, path) in cases {
        let mut bad = good.clone();
        damage(&mut bad);
        let error = bad.write(folder.path(), &[]).expect_err(path);
        assert!(matches!(&error, Error::NonFinite { what, .. } if what == path), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
    }
    Ok(())
}

fn result<'a>(report: &'a mut Report, name: &str, metric: &str) -> &'a mut MetricResult {
    report.forecasters.get_mut(name).expect(name).get_mut(metric).expect(metric)
}

fn words(report: &Report) -> String {
    let text = |passage| match passage {
        Passage::Text(text) => text,
        Passage::List(items) => items.join("\n"),
    };
    verdict(report).into_iter().map(text).collect::<Vec<_>>().join("\n")
}

/// Sets a metric of a forecaster to a figure whose resamples spread over +-10 %, half of it common to all forecasters.
fn set(report: &mut Report, name: &str, metric: &str, mean: f64) {
    let own = name.bytes().map(f64::from).sum::<f64>();
    let resample = |i: usize| (0.05 * (i as f64).sin() + 0.05 * (i as f64 * own).cos()).mul_add(mean, mean);
    let replicates = (0..200).map(resample).collect();
    let interval = [0.9 * mean, 1.1 * mean];
    *result(report, name, metric) = MetricResult { interval, ..MetricResult::new(mean, vec![mean; H], replicates) };
    report.comparisons = compare_with("ebm", &report.forecasters);
}

#[test]
fn the_verdict_follows_the_numbers() -> Result<()> {
    let mut report = report()?;
    for (name, figure) in [("ebm", 1.0), ("var", 1.1), ("hold", 3.0), ("velocity", 4.0)] {
        METRICS.iter().for_each(|metric| set(&mut report, name, metric, figure));
    }
    let text = words(&report);
    assert!(text.contains("Energy score: `ebm` is best with 1.00 [0.900, 1.10]; next `var` with 1.10"), "{text}");
    assert!(text.contains("; `ebm` better than `var`: +9.09 % ["), "{text}");
    set(&mut report, "ebm", "energy_score", 1.155);
    set(&mut report, "ebm", "rmse", 2.2);
    let text = words(&report);
    assert!(text.contains("Energy score: `var` is best"), "{text}");
    assert!(text.contains("; `ebm` tied with `var`: -5.00 % ["), "{text}");
    assert!(text.contains("worse on 1: root mean square error of the mean -100 % ["), "{text}");
    assert!(text.contains("Against `hold`, of 19 metrics `ebm` is better on 19: "), "{text}");
    assert!(text.contains("; tied on none; worse on none."), "{text}");
    // With hold near the floor in position and far from it in velocity the report warns; without, it does not.
    let floor = |mean: f64| MetricResult::new(mean, vec![mean; H], Vec::new());
    report.floor.insert("frechet_position".into(), floor(3.0));
    report.floor.insert("frechet_velocity".into(), floor(0.25));
    assert!(
        words(&report)
            .contains("(1.00 times the floor) and a velocity Fréchet distance of 3.00 [2.70, 3.30] (12.0 times")
    );
    assert!(words(&report).contains("would mislead"));
    report.floor.insert("frechet_velocity".into(), floor(3.0));
    assert!(!words(&report).contains("would mislead"));
    // A report without the subject has no comparison with it.
    report.forecasters.remove("ebm");
    report.comparisons.clear();
    assert!(!words(&report).contains("Against"));
    Ok(())
}

#[test]
fn the_tables_show_the_numbers() -> Result<()> {
    let mut report = report()?;
    for (name, figure) in [("ebm", 0.5), ("var", 0.75), ("hold", 3.0), ("velocity", 40.0)] {
        METRICS.iter().for_each(|metric| set(&mut report, name, metric, figure));
    }
    let text = markdown(&report, &[]);
    assert!(text.contains("| ebm | **0.500** [0.450, 0.550] | **0.500**"), "{text}");
    assert!(text.contains("| velocity | 40.0 [36.0, 44.0] |"));
    assert!(text.contains("| floor (real against real) |"));
    // Descriptions are shown, no winner among them.
    assert!(text.contains("| ebm | 0.500 [0.450, 0.550] | 0.500 [0.450, 0.550] | 0.500 [0.450, 0.550] |"), "{text}");
    assert!(text.lines().all(|line| !line.starts_with("| ebm") || line.matches('|').count() <= 10), "{text}");
    // 12.5 Hz, 24 frames: the first frame, 0.2 s (2.5, rounded to 3 frames), 0.4 s, 1 s (13 frames); 2 s is beyond.
    assert!(text.contains("|  |  | 0.0800 s | 0.240 s | 0.400 s | 1.04 s |\n"), "{text}");
    let row = "| Continuous ranked probability score | ebm | **0.500** | **0.500** | **0.500** | **0.500** |";
    assert!(text.contains(row), "{text}");
    let table = report.summary_table();
    assert!(table.lines().all(|line| line.chars().count() <= 100), "{table}");
    let row = table.lines().find(|line| line.starts_with("ebm")).expect("a row");
    assert_eq!(row.matches("0.500*").count(), 8, "{row}");
    assert!(!table.lines().any(|line| line.starts_with("var") && line.contains('*')));
    let page = html(&report, &[]);
    assert!(page.contains("<td><b>0.500</b><small>[0.450, 0.550]</small></td>"));
    assert!(page.contains("a &lt;log&gt;.csv") && !page.contains("<log>"), "text is escaped");
    assert!(!page.contains("<script") && !page.contains("src=") && !page.contains("href="), "self-contained");
    Ok(())
}

#[cfg(feature = "plot")]
#[test]
fn all_files_are_written_with_their_plots() -> Result<()> {
    use crate::eval::report::{ForecastPanel, forecast_figure, metric_figures};
    let report = report()?;
    let mut figures = metric_figures(&report)?;
    let drawn: Vec<&str> = METRICS.into_iter().filter(|metric| has_steps(metric)).collect();
    assert_eq!(figures.iter().map(|f| f.name.as_str()).collect::<Vec<_>>(), drawn);
    let wave = |shift: f64| (0..H).map(|t| (0.3 * t as f64 + shift).sin()).collect::<Vec<f64>>();
    let panel = ForecastPanel {
        title: "episode 3, q_0".into(),
        unit: "rad".into(),
        context: wave(-2.0)[..K].to_vec(),
        truth: wave(0.0),
        samples: (0..8).map(|i| wave(0.05 * f64::from(i))).collect(),
    };
    figures.push(forecast_figure("forecasts", "Forecasts", 12.5, 2, &[panel.clone(), panel.clone(), panel.clone()])?);
    let empty = ForecastPanel { samples: vec![], ..panel };
    assert!(matches!(forecast_figure("x", "x", 12.5, 2, &[empty]), Err(Error::Data { .. })));
    for figure in &figures {
        assert!(figure.svg.starts_with("<svg ") && figure.svg.trim_end().ends_with("</svg>"), "{}", figure.name);
        assert!(!figure.svg.contains("NaN") && !figure.svg.contains("inf"), "{}", figure.name);
        assert!(figure.svg.matches("<polyline").count() >= 4, "{}", figure.name);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let files = report.write(folder.path(), &figures)?;
    assert_eq!(files.len(), 3 + METRICS.len());
    let page = std::fs::read_to_string(folder.path().join("report.html")).expect("a page");
    let text = std::fs::read_to_string(folder.path().join("report.md")).expect("a text");
    assert_eq!(page.matches("<svg ").count(), METRICS.len());
    for figure in &figures {
        let link = format!("plots/{}.svg", figure.name);
        assert!(text.contains(&link) && folder.path().join(&link).is_file(), "{link}");
    }
    // For people who want to look: EBMOTION_KEEP=folder keeps what the test wrote.
    if let Some(keep) = std::env::var_os("EBMOTION_KEEP") {
        report.write(std::path::Path::new(&keep), &figures)?;
        println!("{}", report.summary_table());
    }
    Ok(())
}
