//! AUROC of every anomaly score on every corruption of test windows, and how often the channel at fault is named:
//!
//!     cargo bench -p ebmotion --bench anomaly \
//!         [-- LOG.csv.gz [STEPS [COLUMN-TO-IGNORE] | MODEL.safetensors]]
//!
//! The log is that of the embedded hands where none is given. A model has to be one of that log.

use corruption::{Corruption, changed};
use ebmotion::Result;
use ebmotion::anomaly::{Detector, ScoreSpec};
use ebmotion::event::Silent;
use ebmotion::forecast::{Dataset, Model, RunConfig, WindowArray};
use ebmotion::noise::Noise;
use std::path::PathBuf;
use trial::{TrialResult, trial};

#[path = "../tests/support/corruption.rs"]
mod corruption;
#[path = "../tests/support/trial.rs"]
mod trial;

/// Frames between the starts of two windows that a detector is fitted on.
const STRIDE: usize = 4;

/// The log of the hands that are part of the program.
const HANDS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/hand_gestures/hand_gestures.csv.gz");

#[expect(clippy::too_many_lines, reason = "the measurement from top to bottom")]
fn main() -> Result<()> {
    let given: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let trained = match given.get(1).filter(|s| s.ends_with(".safetensors")) {
        Some(path) => Some(Model::load(&PathBuf::from(path))?),
        None => None,
    };
    let mut config = trained.as_ref().map_or_else(RunConfig::default, |m| m.info().config.clone());
    if trained.is_none() {
        config.data.read.ignore = given.get(2).cloned().into_iter().collect();
        config.data.skip_short = true;
    }
    if let Some(steps) = given.get(1).and_then(|s| s.parse::<u64>().ok()) {
        config.train.steps = steps.into();
    }
    let dataset = Dataset::read(&[given.first().map_or(HANDS, String::as_str)], &config)?;
    let model = match trained {
        Some(model) => model,
        None => Model::train(&dataset, &config, None, false, &mut Silent)?,
    };
    let config = &model.info().config;
    let detector = Detector::fit(&model, &dataset)?;
    let (k, judged) = (config.model.frames().0, detector.frames());
    let listed = dataset.listed(&dataset.split.test, k, judged - k, judged / 2)?;
    let windows = dataset.filled(&listed)?;
    let episodes: Vec<usize> = (0..listed.len()).map(|i| listed.episode_of(i)).collect();
    let zero: Vec<f32> =
        dataset.normaliser.mean.iter().zip(&dataset.normaliser.std).map(|(m, s)| (-m / s) as f32).collect();
    let training = dataset.windows(&dataset.split.train, k, judged - k, judged / 2)?;
    // The windows that the detector is fitted on.
    let all = dataset.windows(&dataset.split.train, k, judged - k, STRIDE)?.thinned(8192);
    let mut beside = Vec::new();
    for (spec, windows) in ScoreSpec::BASELINES.iter().zip([&all, &training, &all, &all]) {
        beside.extend((spec.fit)(&model, windows)?);
    }
    let scorer = |w: &WindowArray| {
        let mut scores = detector.scores(w)?;
        for score in &beside {
            scores.push((score.name(), score.score(w)?));
        }
        Ok(scores)
    };
    let outcomes = trial(&scorer, &windows, &episodes, &zero, 200, 0)?;
    let verdicts = detector.judge(&windows)?;
    println!(
        "{} windows of {judged} frames of {} test episodes at {} Hz; calibrated on {} windows of {} episodes\n",
        windows.len(),
        dataset.split.test.len(),
        dataset.frames.rate_hz,
        detector.calibrated_on(),
        dataset.split.validation.len()
    );
    let scores = outcomes.len() / Corruption::ALL.len();
    let names: Vec<&str> = outcomes[..scores].iter().map(|o| o.score).collect();
    println!("| corruption | {} |\n|---|{}", names.join(" | "), "---|".repeat(scores));
    for row in outcomes.chunks_exact(scores) {
        let cell = |o: &TrialResult| format!("{:.3} ({:.3}-{:.3})", o.auroc, o.interval[0], o.interval[1]);
        println!("| {} | {} |", row[0].corruption.name(), row.iter().map(cell).collect::<Vec<_>>().join(" | "));
    }
    let noise = Noise::new(0);
    for (label, corruption) in Corruption::ALL.into_iter().enumerate() {
        let bad = corruption.apply(&windows, &zero, &mut noise.fork(label as u64))?;
        let changed = changed(&windows, &bad);
        if changed.iter().all(|channels| channels.len() <= 2) {
            let verdicts = detector.judge(&bad)?;
            let right = verdicts
                .iter()
                .zip(&changed)
                .filter(|(v, channels)| v.channel.is_some_and(|c| channels.contains(&c)))
                .count();
            println!("\nchannel named on {}: {:.3}", corruption.name(), right as f64 / windows.len() as f64);
        }
    }
    for rate in [0.01, 0.05] {
        let alarms = verdicts.iter().filter(|v| v.p_value <= rate).count() as f64 / windows.len() as f64;
        println!("\nfalse alarms at {rate}: {alarms:.4}");
    }
    Ok(())
}
