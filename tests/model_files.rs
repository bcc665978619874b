//! Model files: those of before, damaged ones, and the same model on a robot.
#![allow(clippy::unwrap_used)]

use ebmotion::Error;
use ebmotion::event::Silent;
use ebmotion::forecast::{Dataset, Forecast, ForecastConditions, Model, Request, RunConfig};
use ebmotion::trajectory::{Frames, Recording};
use ebmotion_runtime::Predictor;
use std::path::{Path, PathBuf};

fn stored(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/models_v1").join(name)
}

fn frames() -> Frames {
    let config = RunConfig::default();
    let recording = Recording::read(&[stored("log.csv")], &config.data.read).unwrap();
    Frames::resample(&recording, None, config.data.rate_tolerance).unwrap()
}

/// A model of the stored log, trained for a moment.
fn trained(preset: &str) -> (Model, Frames) {
    let mut config = RunConfig::preset(preset).unwrap();
    for (key, value) in [("model.hidden", "[16]"), ("model.chunk", "4"), ("train.steps", "30"), ("train.batch", "16")] {
        config = config.with_one(key, value).unwrap();
    }
    let dataset = Dataset::new(frames(), &config).unwrap();
    let model = Model::train(&dataset, &config, None, false, &mut Silent).unwrap();
    (model, dataset.frames)
}

const REQUEST: Request = Request { horizon: 8, samples: 3 };

#[test]
fn models_of_version_1_forecast_as_they_did() {
    let frames = frames();
    let third = frames.episodes.iter().position(|e| e.id.ends_with("/3")).unwrap();
    for name in ["denoising", "temporal", "igebm"] {
        let model = Model::load(&stored(&format!("{name}.safetensors"))).unwrap();
        let found = model.forecast_episode(&frames, third, 40, &REQUEST, 5).unwrap();
        let expected = Forecast::read_json(&stored(&format!("{name}.json"))).unwrap();
        let scale = expected.futures.values().iter().fold(0.0f64, |most, v| most.max(v.abs()));
        for (a, b) in found.futures.values().iter().zip(expected.futures.values()) {
            // Another processor than the one that wrote them rounds otherwise.
            assert!((a - b).abs() < 1e-4 * scale, "{name}: {a} for {b}");
        }
        // Written anew it is a file of this version, and says the same.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("now.safetensors");
        model.save(&path).unwrap();
        let again = Model::load(&path).unwrap().forecast_episode(&frames, third, 40, &REQUEST, 5).unwrap();
        assert_eq!(again.futures, found.futures, "{name}");
    }
}

#[test]
fn a_robot_gets_the_same_numbers() {
    for preset in ["denoising", "temporal", "recovery"] {
        let (model, frames) = trained(preset);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        model.save(&path).unwrap();
        let robot = Predictor::load(&path).unwrap();
        assert_eq!(robot.rate_hz(), frames.rate_hz);
        assert_eq!(robot.channels().len(), 2);
        assert_eq!((robot.channels()[1].name.as_str(), robot.channels()[1].unit.as_deref()), ("q_b", Some("rad")));
        for (horizon, samples, seed) in [(1, 1, 0), (9, 4, 7), (20, 33, 8)] {
            let past = &frames.episodes[2].values[..2 * 20];
            let ours = model.forecast(past, &Request { horizon, samples }, seed).unwrap();
            let theirs = robot.forecast(past, horizon, samples, seed).unwrap();
            assert_eq!(theirs.shape(), [samples, horizon, 2]);
            assert_eq!(ours.futures.values(), theirs.values(), "{preset}: to the last bit");
        }
        assert!(robot.forecast(&[0.0; 2], 4, 1, 0).is_err_and(|e| e.to_string().contains("at least")), "{preset}");
        assert!(robot.forecast(&[f64::NAN; 40], 4, 1, 0).is_err(), "{preset}");
        assert!(robot.forecast(&[0.0; 40], 0, 1, 0).is_err_and(|e| e.to_string().contains("horizon")), "{preset}");
    }
}

#[test]
fn what_a_robot_cannot_use_is_refused() {
    let refused = |path: &Path, parts: &[&str]| {
        let error = Predictor::load(path).unwrap_err().to_string();
        assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    };
    refused(&stored("denoising.safetensors"), &["version 1", "version 2"]);
    refused(&stored("log.csv"), &["log.csv", "expected"]);
    refused(&stored("none.safetensors"), &["none.safetensors", "read"]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("igebm.safetensors");
    trained("igebm").0.save(&path).unwrap();
    refused(&path, &["igebm", "noise levels"]);
}

#[test]
fn every_byte_of_a_model_file_counts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    trained("denoising").0.save(&path).unwrap();
    let whole = std::fs::read(&path).unwrap();
    // The header's length, places all over header and tensors, the last number.
    let places = (0..60).map(|i| 8 + i * (whole.len() - 9) / 59);
    for place in places {
        let mut damaged = whole.clone();
        damaged[place] ^= 1;
        std::fs::write(&path, &damaged).unwrap();
        match Model::load(&path) {
            Err(Error::Model { .. }) => {}
            other => panic!("byte {place} of {}: {:?}", whole.len(), other.map(|_| "read")),
        }
    }
    for cut in [0, 7, 8, 100, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&path, &whole[..cut]).unwrap();
        assert!(matches!(Model::load(&path), Err(Error::Model { .. })), "cut at {cut}");
        assert!(matches!(Predictor::load(&path), Err(Error::Model { .. })), "cut at {cut}");
    }
}

/// One joint held, another led to a goal, in the log's own units.
#[test]
fn a_forecast_takes_conditions_in_the_logs_units() {
    let (model, frames) = trained("denoising");
    let past = &frames.episodes[2].values[..2 * 20];
    let request = Request { horizon: 12, samples: 40 };
    let free = model.forecast(past, &request, 7).unwrap();
    let mean = |of: &Forecast| of.mean().values()[5 * 2 + 1];
    let goal = mean(&free) + 0.1;
    let held = ForecastConditions::new().hold(0, 0..12, 0.25).near(1, 5, goal, 0.01);
    let forecast = model.forecast_given(past, &request, &held, 7).unwrap();
    for sample in 0..40 {
        for frame in 0..12 {
            let value = forecast.futures[[0, sample, frame, 0]];
            assert!((value - 0.25).abs() < 1e-4, "sample {sample}, frame {frame}: {value}");
        }
    }
    let led = model.forecast_given(past, &request, &ForecastConditions::new().near(1, 5, goal, 0.01), 7).unwrap();
    let (from, to) = ((mean(&free) - goal).abs(), (mean(&led) - goal).abs());
    assert!(to < 0.6 * from, "{from} from the goal, then {to}");
    assert_eq!(model.forecast_given(past, &request, &ForecastConditions::new(), 7).unwrap().futures, free.futures);
    let (other, _) = trained("igebm");
    let error = other.forecast_given(past, &request, &held, 7).unwrap_err().to_string();
    assert!(error.contains("conditions") && error.contains("ebm"), "{error}");
}
