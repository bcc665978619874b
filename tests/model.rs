//! Trained models: what is saved is what was trained, and angles that wrap.

use ebmotion::event::Silent;
use ebmotion::forecast::{Model, Prepared, Request, RunConfig};
use ebmotion::trajectory::{Frames, Recording};
use ebmotion::{Error, Result};

/// Eight episodes at 20 Hz of a joint that keeps turning (logged in `[-pi, pi)`) and one that swings.
fn log() -> String {
    let mut text = String::from("episode,time,turn [rad],swing [rad]\n");
    for e in 0..8 {
        for t in 0..60 {
            let s = f64::from(t) * 0.05;
            let angle = 2.0 * s + f64::from(e);
            let wrapped = angle - std::f64::consts::TAU * (angle / std::f64::consts::TAU).round();
            text += &format!("{e},{s:.2},{wrapped:.6},{:.6}\n", (4.0 * s + f64::from(e)).sin());
        }
    }
    text
}

fn config() -> Result<RunConfig> {
    let small = serde_json::json!({
        "data": {"read": {"wrap": ["turn"]}},
        "model": {"context": 4, "chunk": 4, "hidden": [16]},
        "train": {"steps": 40, "batch": 16},
    });
    RunConfig::default().with(&small)
}

fn prepared(config: &RunConfig) -> Result<Prepared> {
    let recording = Recording::from_bytes("log.csv", log().as_bytes(), &config.data.read)?;
    Prepared::new(Frames::resample(&recording, None, 0.02)?, config)
}

#[test]
fn a_model_survives_its_file() -> Result<()> {
    let config = config()?;
    let prepared = prepared(&config)?;
    let model = Model::train(&prepared, &config, None, false, &mut Silent)?;
    let folder = tempfile::tempdir().map_err(Error::io("a temporary folder", "create"))?;
    let path = folder.path().join("m.safetensors");
    model.save(&path)?;
    let loaded = Model::load(&path)?;
    assert_eq!(loaded.info(), model.info());
    let history = &prepared.frames.episodes[0].values;
    let request = Request { horizon: 10, samples: 3 };
    let futures = model.predict(history, &request, 5)?;
    assert_eq!(loaded.predict(history, &request, 5)?, futures);
    assert_eq!(loaded.energies(history, &futures, 10)?, model.energies(history, &futures, 10)?);
    loaded.check_fits(&prepared.frames)?;
    Ok(())
}

#[test]
fn a_forecast_of_an_angle_goes_on_from_where_it_is() -> Result<()> {
    let config = config()?;
    let prepared = prepared(&config)?;
    let model = Model::train(&prepared, &config, None, false, &mut Silent)?;
    let request = Request { horizon: 8, samples: 4 };
    let history: Vec<f64> = prepared.frames.episodes[0].values[..2 * 40].to_vec();
    let futures = model.predict(&history, &request, 3)?;
    let last = history[2 * 39];
    for sample in futures.chunks_exact(2 * 8) {
        // 2 rad/s at 20 Hz are 0.1 rad a frame: no sample jumps by a turn.
        assert!((sample[0] - last).abs() < 1.0, "{} after {last}", sample[0]);
    }
    // The same history some turns away gives the same futures the same turns away.
    let turns = 3.0 * std::f64::consts::TAU;
    let away: Vec<f64> = history.iter().enumerate().map(|(i, v)| if i % 2 == 0 { v + turns } else { *v }).collect();
    for (i, (near, far)) in futures.iter().zip(model.predict(&away, &request, 3)?).enumerate() {
        let expected = if i % 2 == 0 { near + turns } else { *near };
        assert!((far - expected).abs() < 1e-4, "{i}: {far} and {expected}"); // f32 inside
    }
    // So does a history as a robot logs it, jumping from pi to -pi.
    let raw: Vec<f64> = history
        .iter()
        .enumerate()
        .map(|(i, v)| if i % 2 == 0 { v - std::f64::consts::TAU * (v / std::f64::consts::TAU).round() } else { *v })
        .collect();
    let shift = history[2 * 39] - raw[2 * 39];
    for (i, (near, far)) in futures.iter().zip(model.predict(&raw, &request, 3)?).enumerate() {
        let expected = if i % 2 == 0 { near - shift } else { *near };
        assert!((far - expected).abs() < 1e-4, "{i}: {far} and {expected}");
    }
    Ok(())
}

#[test]
fn histories_that_cannot_be_continued_are_refused() -> Result<()> {
    let config = config()?;
    let prepared = prepared(&config)?;
    let model = Model::train(&prepared, &config, None, false, &mut Silent)?;
    let request = Request { horizon: 8, samples: 1 };
    let bad = |history: &[f64], part: &str| {
        let error = model.predict(history, &request, 0).expect_err("must be refused").to_string();
        assert!(error.contains(part), "{error}");
    };
    bad(&[0.0; 6], "4 frames");
    bad(&[0.0; 9], "2 channels");
    bad(&[0.0, 0.0, 0.0, f64::NAN, 0.0, 0.0, 0.0, 0.0], "swing");
    let nothing = model.predict(&[0.0; 8], &Request { horizon: 0, samples: 1 }, 0);
    assert!(matches!(nothing, Err(Error::Config { .. })));
    Ok(())
}
