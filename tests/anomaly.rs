//! What the detector finds in the embedded hand logs, and how often it is wrong.
#![allow(clippy::unwrap_used)]

#[path = "support/corruption.rs"]
mod corruption;
#[path = "support/trial.rs"]
mod trial;

use corruption::Corruption;
use ebmotion::anomaly::{Detector, ScoreSpec};
use ebmotion::event::Silent;
use ebmotion::forecast::{Dataset, Model, RunConfig, WindowArray};
use ebmotion::noise::Noise;
use trial::trial;

#[test]
fn corruptions_of_hand_motion_are_found_at_the_false_alarm_rate_asked_for() {
    let mut config = RunConfig::default();
    config = config.with_one("model.hidden", "[64,64]").unwrap().with_one("train.steps", "800").unwrap();
    let log = concat!(env!("CARGO_MANIFEST_DIR"), "/data/hand_gestures/hand_gestures.csv.gz");
    let dataset = Dataset::read(&[log], &config).unwrap();
    let model = Model::train(&dataset, &config, None, false, &mut Silent).unwrap();
    let detector = Detector::fit(&model, &dataset).unwrap();
    let judged = detector.frames();
    let listed = dataset.listed(&dataset.split.test, 8, judged - 8, judged / 2).unwrap();
    let windows = dataset.filled(&listed).unwrap();
    let episodes: Vec<usize> = (0..listed.len()).map(|i| listed.episode_of(i)).collect();

    // What is written beside the model judges the same.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.safetensors");
    model.save(&path).unwrap();
    detector.attach(&path).unwrap();
    let again = Model::load(&path).unwrap();
    let verdicts = detector.judge(&windows).unwrap();
    assert_eq!(Detector::load(&again, &path).unwrap().judge(&windows).unwrap(), verdicts);

    // Alarms on normal episodes that nothing was fitted or calibrated on. Windows of an episode go together, so the
    // standard error is that of the episodes' rates.
    let count = dataset.split.test.len() as f64;
    for rate in [0.01, 0.05, 0.2] {
        let of = |e: &usize| {
            let own: Vec<bool> =
                verdicts.iter().zip(&episodes).filter(|(_, x)| *x == e).map(|(v, _)| v.p_value <= rate).collect();
            own.iter().filter(|a| **a).count() as f64 / own.len() as f64
        };
        let rates: Vec<f64> = dataset.split.test.iter().map(of).collect();
        let mean = rates.iter().sum::<f64>() / count;
        let error = (rates.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / (count - 1.0) / count).sqrt();
        // The calibration's episodes are a sample as the test's are; never less than the binomial's error.
        let both = (1.0 + count / dataset.split.validation.len() as f64).sqrt();
        let tolerance = 3.0 * both * error.max((rate * (1.0 - rate) / windows.len() as f64).sqrt());
        assert!((mean - rate).abs() < tolerance, "{rate}: {mean} +- {error}");
    }

    let zero = vec![0f32; windows.channels];
    let whole = (ScoreSpec::BASELINES[2].fit)(&model, &windows).unwrap().unwrap();
    let scorer = |w: &_| Ok([detector.scores(w)?, vec![("energy", whole.score(w)?)]].concat());
    let outcomes = trial(&scorer, &windows, &episodes, &zero, 20, 0).unwrap();
    let floors = [
        (Corruption::Splice, 0.82),
        (Corruption::SpliceJump, 0.98),
        (Corruption::Jump, 0.88),
        (Corruption::Permuted, 0.98),
        (Corruption::Reversed, 0.95),
        (Corruption::Stuck, 0.90),
        (Corruption::Swapped, 0.95),
        (Corruption::Noisy, 0.98),
    ];
    let of =
        |score: &str, corruption| outcomes.iter().find(|o| o.score == score && o.corruption == corruption).unwrap();
    // What the large movements tell drowns in the energy of all.
    let (shape, energy) = (of("shape", Corruption::Reversed), of("energy", Corruption::Reversed));
    assert!(shape.auroc > energy.auroc + 0.03, "{shape:?} {energy:?}");
    for (corruption, floor) in floors {
        let found = of("combined", corruption);
        assert!(found.auroc > floor, "{found:?}");
        assert!(found.interval[0] <= found.auroc && found.auroc <= found.interval[1], "{found:?}");
    }

    whole_episodes(&dataset, &detector);
}

/// Episodes of normal motion, and four in which something is wrong.
fn whole_episodes(dataset: &Dataset, detector: &Detector) {
    let count = dataset.split.test.len() as f64;
    // Whole episodes: of the test's none in particular is told, and about one in twenty has a p-value of 5 %.
    let mut frames = dataset.frames.clone();
    frames.episodes = dataset.split.test.iter().map(|e| dataset.frames.episodes[*e].clone()).collect();
    let scores = detector.score_episodes(&frames, 0.05, &mut Silent).unwrap();
    assert_eq!(scores.episodes.len(), frames.episodes.len());
    let share = scores.episodes.iter().filter(|e| e.p_value <= 0.05).count() as f64 / count;
    // Both the test's episodes and those that calibrate are few.
    let error = (0.05_f64 * 0.95 * (1.0 / count + 1.0 / scores.calibrated_on as f64)).sqrt();
    assert!(share <= 0.05 + 3.0 * error, "{share}: {:?}", &scores.episodes[..5]);
    assert!((scores.suspects().count() as f64) < 0.1 * count, "{:?}", scores.suspects().collect::<Vec<_>>());

    // In four of them another thing is wrong. A joint that stands beyond all that was seen is told as that.
    let width = frames.channels.len();
    let channel = |name: &str| frames.channels.iter().position(|c| c.name == name).unwrap();
    let (shifted, stuck) = (channel("q_MFJ2"), channel("q_THJ4"));
    let most = dataset.frames.episodes.iter().flat_map(|e| e.values.iter().skip(shifted).step_by(width));
    let beyond = most.fold(f64::NEG_INFINITY, |a, b| a.max(*b)) + 0.5;
    let frame_of = |secs: f64| (secs * frames.rate_hz) as usize;
    for e in [3, 11] {
        let values = &mut frames.episodes[e].values;
        values.iter_mut().skip(shifted).step_by(width).for_each(|v| *v += beyond);
    }
    let half = frames.episodes[20].values.len() / width / 2;
    for t in half..2 * half {
        let values = &mut frames.episodes[20].values;
        values[t * width + stuck] = values[half * width + stuck];
    }
    let reversed: Vec<f64> = frames.episodes[30].values.chunks_exact(width).rev().flatten().copied().collect();
    frames.episodes[30].values = reversed.into();
    let scores = detector.score_episodes(&frames, 0.05, &mut Silent).unwrap();
    let of = |e: usize| scores.episodes.iter().find(|s| s.episode == frames.episodes[e].id).unwrap();
    for e in [3, 11] {
        let found = of(e);
        assert_eq!(
            (found.suspect, found.cause, found.channel.as_deref()),
            (true, "range", Some("q_MFJ2")),
            "{found:?}"
        );
        assert!(scores.episodes[..3].contains(found), "{found:?}");
    }
    assert!(of(30).suspect && of(30).cause == "time_reversal", "{:?}", of(30));
    let found = of(20);
    assert!(found.p_value < 0.05 && frame_of(found.end_secs) > half, "{found:?}");
    // The windows of `anomaly` say the same cause.
    let windows = detector.search(&frames, 0.01).unwrap().windows;
    let own = |e: usize| windows.iter().filter(move |w| w.episode == of(e).episode);
    assert!(own(3).all(|w| w.judge == "range" && w.channel.as_deref() == Some("q_MFJ2")));
    assert!(own(30).all(|w| w.judge != "range"));
}

/// 40 windows of 24 frames of a smooth channel; the score is the largest step in a window.
#[test]
fn a_score_of_steps_finds_every_jump() {
    let (mut noise, mut values) = (Noise::new(1), vec![0f32; 40 * 24]);
    noise.next_draw().normal_f32(0, &mut values);
    values.chunks_exact_mut(24).for_each(|w| (1..24).for_each(|t| w[t] = w[t - 1] + 0.01 * w[t]));
    let windows = WindowArray { values, context: 8, future: 16, channels: 1 };
    let largest = |w: &[f32]| w.windows(2).map(|pair| f64::from((pair[1] - pair[0]).abs())).fold(0.0, f64::max);
    let score = |w: &WindowArray| Ok(vec![("step", w.values.chunks_exact(24).map(largest).collect::<Vec<f64>>())]);
    let episode: Vec<usize> = (0..40).map(|i| i / 4).collect();
    let results = trial(&score, &windows, &episode, &[0.0], 20, 7).unwrap();
    let jump = results.iter().find(|r| r.corruption == Corruption::Jump).unwrap();
    assert_eq!(jump.auroc, 1.0);
}
