//! Trained models: what is saved is what was trained, and angles that wrap.

use ebmotion::event::Silent;
use ebmotion::forecast::{Dataset, Model, Request, RunConfig};
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

fn dataset(config: &RunConfig) -> Result<Dataset> {
    let recording = Recording::from_bytes("log.csv", log().as_bytes(), &config.data.read)?;
    Dataset::new(Frames::resample(&recording, None, 0.02)?, config)
}

#[test]
fn a_model_survives_its_file() -> Result<()> {
    let config = config()?;
    let dataset = dataset(&config)?;
    let model = Model::train(&dataset, &config, None, false, &mut Silent)?;
    let folder = tempfile::tempdir().map_err(Error::io("a temporary folder", "create"))?;
    let path = folder.path().join("m.safetensors");
    model.save(&path)?;
    let loaded = Model::load(&path)?;
    assert_eq!(loaded.info(), model.info());
    let history = &dataset.frames.episodes[0].values;
    let request = Request { horizon: 10, samples: 3 };
    let forecast = model.forecast(history, &request, 5)?;
    assert_eq!(forecast.futures.shape(), [1, 3, 10, 2]);
    assert_eq!(loaded.forecast(history, &request, 5)?, forecast);
    let rated = model.with_energies(forecast.clone())?;
    assert_eq!(rated.energies.as_ref().map(Vec::len), Some(3 * 10));
    assert_eq!(loaded.with_energies(forecast)?, rated);
    loaded.check_fits(&dataset.frames)?;
    Ok(())
}

#[test]
fn a_forecast_of_an_angle_goes_on_from_where_it_is() -> Result<()> {
    let config = config()?;
    let dataset = dataset(&config)?;
    let model = Model::train(&dataset, &config, None, false, &mut Silent)?;
    let request = Request { horizon: 8, samples: 4 };
    let history: Vec<f64> = dataset.frames.episodes[0].values[..2 * 40].to_vec();
    let values = |history: &[f64]| Ok::<_, Error>(model.forecast(history, &request, 3)?.futures.values().to_vec());
    let futures = values(&history)?;
    let last = history[2 * 39];
    for sample in futures.chunks_exact(2 * 8) {
        // 2 rad/s at 20 Hz are 0.1 rad a frame: no sample jumps by a turn.
        assert!((sample[0] - last).abs() < 1.0, "{} after {last}", sample[0]);
    }
    // The same history some turns away gives the same futures the same turns away.
    let turns = 3.0 * std::f64::consts::TAU;
    let away: Vec<f64> = history.iter().enumerate().map(|(i, v)| if i % 2 == 0 { v + turns } else { *v }).collect();
    for (i, (near, far)) in futures.iter().zip(values(&away)?).enumerate() {
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
    for (i, (near, far)) in futures.iter().zip(values(&raw)?).enumerate() {
        let expected = if i % 2 == 0 { near - shift } else { *near };
        assert!((far - expected).abs() < 1e-4, "{i}: {far} and {expected}");
    }
    Ok(())
}

#[test]
fn an_episode_is_forecast_beside_what_followed() -> Result<()> {
    let config = config()?;
    let dataset = dataset(&config)?;
    let model = Model::train(&dataset, &config, None, false, &mut Silent)?;
    let (frames, request) = (&dataset.frames, Request { horizon: 8, samples: 3 });
    let values = &frames.episodes[1].values;
    let (length, context) = (frames.episodes[1].time_secs.len(), model.forecaster().context_frames());
    let forecast = model.forecast_episode(frames, 1, 20, &request, 3)?;
    let origin = &forecast.origins[0];
    assert_eq!((origin.episode.as_deref(), origin.start_secs), (Some(frames.episodes[1].id.as_str()), 1.0));
    assert_eq!(origin.history, values[(20 - context) * 2..20 * 2]);
    assert_eq!(origin.truth, values[20 * 2..28 * 2]);
    assert_eq!(forecast.futures, model.forecast(&values[..20 * 2], &request, 3)?.futures);
    assert_eq!(origin.truth_energy.as_ref().map(Vec::len), Some(8));
    let at_the_end = model.forecast_episode(frames, 1, length, &request, 3)?;
    assert!(at_the_end.origins[0].truth.is_empty() && at_the_end.origins[0].truth_energy.is_none());
    for (episode, at) in [(1, context - 1), (1, length + 1), (frames.episodes.len(), 20)] {
        let error = model.forecast_episode(frames, episode, at, &request, 3);
        assert!(matches!(error, Err(Error::Data { .. })), "{episode} {at}");
    }
    assert!(model.check_unseen(&dataset).is_ok());
    let mut seen = dataset.clone();
    seen.split.test.push(seen.split.train[0]);
    assert!(matches!(model.check_unseen(&seen), Err(Error::Data { .. })));
    Ok(())
}

#[test]
fn histories_that_cannot_be_continued_are_refused() -> Result<()> {
    let config = config()?;
    let dataset = dataset(&config)?;
    let model = Model::train(&dataset, &config, None, false, &mut Silent)?;
    let request = Request { horizon: 8, samples: 1 };
    let bad = |history: &[f64], part: &str| {
        let error = model.forecast(history, &request, 0).expect_err("must be refused").to_string();
        assert!(error.contains(part), "{error}");
    };
    bad(&[0.0; 6], "4 frames");
    bad(&[0.0; 9], "2 channels");
    bad(&[0.0, 0.0, 0.0, f64::NAN, 0.0, 0.0, 0.0, 0.0], "swing");
    let nothing = model.forecast(&[0.0; 8], &Request { horizon: 0, samples: 1 }, 0);
    assert!(matches!(nothing, Err(Error::Config { .. })));
    Ok(())
}

/// One long log is seen in blocks: its other blocks are new, a log that holds it whole is not, whatever the seed.
#[test]
fn a_log_cut_into_blocks_is_known_again() -> Result<()> {
    let config = config()?;
    let swing = |rows: usize, phase: f64| -> Result<Frames> {
        let row = |t: usize| format!("{:.2},{:.6},{:.6}\n", t as f64 * 0.05, 0.0, (0.2 * t as f64 + phase).sin());
        let text: String = (0..rows).map(row).collect();
        let log = format!("time,turn [rad],swing [rad]\n{text}");
        let recording = Recording::from_bytes(&format!("{phase}.csv"), log.as_bytes(), &config.data.read)?;
        Frames::resample(&recording, None, 0.02)
    };
    let joined = |parts: &[&Frames]| {
        let episodes = parts.iter().flat_map(|frames| frames.episodes.clone()).collect();
        Frames { episodes, ..parts[0].clone() }
    };
    let (long, others) = (swing(2000, 0.0)?, [swing(600, 1.0)?, swing(600, 2.0)?, swing(600, 3.0)?]);
    let blocks = Dataset::new(long.clone(), &config)?;
    assert_eq!(blocks.frames.episodes.len(), 5);
    let model = Model::train(&blocks, &config, None, false, &mut Silent)?;
    assert!(model.info().notes[0].contains("cut in time into 5 blocks"), "{:?}", model.info().notes);
    let (range, [low, high]) = (&model.info().seen_range, [-1.0, 1.0]);
    assert!(range[1][0] >= low && range[1][0] < -0.99 && range[1][1] <= high && range[1][1] > 0.99, "{range:?}");
    model.check_unseen(&blocks)?;
    // The program's own settings, which have the chunk that the data chose, find the same blocks.
    let again = Dataset::new(long.clone(), &model.info().config)?;
    assert_eq!((&again.frames, &again.split), (&blocks.frames, &blocks.split));
    // Another seed keeps other blocks; one of them was seen. The whole log among others was seen.
    let seen = |frames: &Frames, seed: u64| -> Result<bool> {
        let dataset = Dataset::new(frames.clone(), &RunConfig { seed, ..config.clone() })?;
        Ok(model.check_unseen(&dataset).is_err())
    };
    assert!((1..10).map(|seed| seen(&long, seed)).collect::<Result<Vec<_>>>()?.contains(&true));
    let all = joined(&[&long, &others[0], &others[1], &others[2]]);
    let tested = |seed: u64| -> Result<bool> {
        let dataset = Dataset::new(all.clone(), &RunConfig { seed, ..config.clone() })?;
        Ok(dataset.split.test.iter().any(|e| dataset.frames.episodes[*e].values.len() == 4000))
    };
    for seed in 0..10 {
        assert_eq!(seen(&all, seed)?, tested(seed)?, "{seed}");
    }
    // A model that saw a log as a whole does not test on blocks of it.
    let whole = Dataset::new(all.clone(), &config)?;
    let model = Model::train(&whole, &config, None, false, &mut Silent)?;
    let trained = whole.frames.episodes[whole.split.train[0]].clone();
    let alone = Frames { episodes: vec![trained], ..all.clone() };
    assert!(matches!(model.check_unseen(&Dataset::new(alone, &config)?), Err(Error::Data { .. })));
    model.check_unseen(&Dataset::new(swing(800, 4.0)?, &config)?)
}
