//! Resampling, splits, windows and z-scores.

use crate::{log_at, read};
use ebmotion_engine::noise::Noise;
use ebmotion_logs::Error;
use ebmotion_logs::{Channel, Episode, Frames, Normaliser, OnGap, ReadOptions, Recording, Split, WindowSpec, Windows};
use std::collections::BTreeSet;
use std::f64::consts::{PI, TAU};

fn channel(name: &str, period: Option<f64>) -> Channel {
    Channel { name: name.into(), unit: None, period }
}

fn recording(channels: Vec<Channel>, episodes: Vec<Episode>) -> Recording {
    Recording { channels, episodes, sources: Vec::new(), notes: Vec::new(), parts: Default::default() }
}

/// An episode of one channel, `f` at the given times.
fn episode(id: &str, times: impl IntoIterator<Item = f64>, f: impl Fn(f64) -> f64) -> Episode {
    let time_secs: Vec<f64> = times.into_iter().collect();
    Episode { id: id.into(), values: time_secs.iter().map(|t| f(*t)).collect(), time_secs }
}

/// Frames of one channel at 10 Hz; values tell the episode and the frame: 1000 e + k.
fn numbered(lengths: &[usize]) -> Frames {
    let episodes = lengths.iter().enumerate().map(|(e, n)| Episode {
        id: format!("log/{e}"),
        time_secs: (0..*n).map(|k| 0.1 * k as f64).collect(),
        values: (0..*n).map(|k| (1000 * e + k) as f64).collect(),
    });
    Frames {
        channels: vec![channel("x", None)],
        rate_hz: 10.0,
        episodes: episodes.collect(),
        sources: Vec::new(),
        notes: Vec::new(),
        parts: Default::default(),
    }
}

fn identity(width: usize) -> Normaliser {
    Normaliser { mean: vec![0.0; width], std: vec![1.0; width], velocity_std: vec![1.0; width], constant: Vec::new() }
}

fn wave(t: f64) -> f64 {
    (TAU * 0.7 * t).sin()
}

#[test]
fn at_its_own_rate_a_log_stays_as_it_is() {
    // Stamps with 1 % of a frame of jitter: within the tolerance of 2 %.
    let mut jitter = vec![0.0; 400];
    Noise::new(5).next_draw().uniform(0, &mut jitter);
    let times: Vec<f64> = jitter.iter().enumerate().map(|(k, u)| 3.0 + 0.04 * (k as f64 + 0.01 * (u - 0.5))).collect();
    let log = recording(vec![channel("x", None)], vec![episode("a", times, wave)]);
    let frames = Frames::resample(&log, None, 0.02).unwrap();
    assert_eq!(frames.rate_hz, 25.0);
    assert_eq!(frames.episodes[0].values, log.episodes[0].values);
    let first = frames.episodes[0].time_secs[0];
    assert_eq!(first, log.episodes[0].time_secs[0]);
    // Sums of doubles of size 20: 4e-15 each.
    assert!(frames.episodes[0].time_secs.iter().enumerate().all(|(k, t)| (t - first - 0.04 * k as f64).abs() < 1e-13));
}

#[test]
fn beyond_the_tolerance_values_are_interpolated() {
    // Jitter of 30 % of a frame.
    let mut jitter = vec![0.0; 400];
    Noise::new(6).next_draw().uniform(0, &mut jitter);
    let times: Vec<f64> = jitter.iter().enumerate().map(|(k, u)| 0.04 * (k as f64 + 0.3 * (u - 0.5))).collect();
    let log = recording(vec![channel("x", None)], vec![episode("a", times.clone(), wave)]);
    let frames = Frames::resample(&log, Some(25.0), 0.02).unwrap();
    let e = &frames.episodes[0];
    assert_ne!(e.values, log.episodes[0].values[..e.values.len()]);
    // Error of linear interpolation: h^2 / 8 max|f''| with h = 1.3 frames.
    let bound = (1.3_f64 * 0.04).powi(2) / 8.0 * (TAU * 0.7_f64).powi(2);
    assert!(e.time_secs.iter().zip(&e.values).all(|(t, v)| (v - wave(*t)).abs() <= bound));
    assert!(e.time_secs.last().unwrap() <= times.last().unwrap());
    // A straight line is interpolated exactly, up to the rounding of a few operations on values of size 16.
    let line = recording(vec![channel("x", None)], vec![episode("a", times, |t| t)]);
    let e = &Frames::resample(&line, Some(25.0), 0.02).unwrap().episodes[0];
    assert!(e.time_secs.iter().zip(&e.values).all(|(t, v)| (v - t).abs() < 1e-12));
}

#[test]
fn lower_rates_keep_slow_motion_and_never_extrapolate() {
    let log = recording(vec![channel("x", None)], vec![episode("a", (0..102).map(|k| 0.02 * f64::from(k)), wave)]);
    let half = Frames::resample(&log, Some(25.0), 0.02).unwrap();
    assert_eq!(half.episodes[0].values.len(), 51);
    assert!(half.notes.iter().any(|n| n.contains("50 Hz and thinned to 25 Hz")), "{:?}", half.notes);
    // The filter passes 0.7 Hz as it is; at the ends a wave is bent by what is told of it beyond.
    let off = |e: &Episode, k: usize| (e.values[k] - wave(e.time_secs[k])).abs();
    assert!((10..41).all(|k| off(&half.episodes[0], k) < 2e-3));
    assert!((0..51).all(|k| off(&half.episodes[0], k) < 0.03));
    // 50 Hz to 30 Hz: the last of 102 samples lies at 2.02 s, the last frame at 60 / 30 = 2.0 s.
    let odd = Frames::resample(&log, Some(30.0), 0.02).unwrap();
    assert_eq!(odd.episodes[0].values.len(), 61);
    // Interpolated between samples of 50 Hz as well: h^2 / 8 max|f''| = 1e-3.
    assert!((12..49).all(|k| off(&odd.episodes[0], k) < 3e-3));
    // Less than 1 % slower: the samples as they are, or between two.
    let near = Frames::resample(&log, Some(49.8), 0.02).unwrap();
    assert!(near.notes.is_empty() && near.episodes[0].values[0] == log.episodes[0].values[0]);
}

/// A joint at 0.5 Hz with a vibration of 49 Hz on it, recorded at 500 Hz: at 50 Hz it would fold to 1 Hz.
#[test]
fn vibration_does_not_fold_into_slow_motion() {
    let slow = |t: f64| 0.7 * (TAU * 0.5 * t).sin();
    let shaken = |t: f64| slow(t) + 0.05 * (TAU * 49.0 * t).sin();
    let times: Vec<f64> = (0..4000).map(|k| 0.002 * f64::from(k)).collect();
    let log = recording(vec![channel("x", None)], vec![episode("a", times, shaken)]);
    let frames = Frames::resample(&log, Some(50.0), 0.02).unwrap();
    let e = &frames.episodes[0];
    assert_eq!(e.values.len(), 400);
    let off = |k: usize| (e.values[k] - slow(e.time_secs[k])).abs();
    let picked = |k: usize| (shaken(e.time_secs[k]) - slow(e.time_secs[k])).abs();
    assert!((10..390).any(|k| picked(k) > 0.049), "without a filter all of it is there");
    let most = |frames: std::ops::Range<usize>| frames.map(off).fold(0.0, f64::max);
    assert!(most(10..390) < 5e-4, "{}", most(10..390));
    assert!(most(0..400) < 0.02, "at the ends: {}", most(0..400));
}

#[test]
fn rates_without_information_are_refused() {
    let log = recording(vec![channel("x", None)], vec![episode("a", (0..50).map(|k| 0.04 * f64::from(k)), wave)]);
    assert!(Frames::resample(&log, Some(25.2), 0.02).is_ok());
    let error = Frames::resample(&log, Some(50.0), 0.02).unwrap_err();
    assert!(matches!(error, Error::Data { .. }) && error.to_string().contains("25.000000 Hz"), "{error}");
    for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(matches!(Frames::resample(&log, Some(rate), 0.02), Err(Error::Config { .. })), "{rate}");
    }
    for tolerance in [-0.1, 0.5, f64::NAN] {
        assert!(matches!(Frames::resample(&log, None, tolerance), Err(Error::Config { .. })), "{tolerance}");
    }
    let single = recording(vec![channel("x", None)], vec![episode("a", [0.0], wave)]);
    assert!(matches!(Frames::resample(&single, None, 0.02), Err(Error::Data { .. })));
    let mut ragged = log.clone();
    ragged.episodes[0].values = ragged.episodes[0].values[1..].to_vec().into();
    assert!(matches!(Frames::resample(&ragged, None, 0.02), Err(Error::Data { .. })));
}

#[test]
fn angles_are_interpolated_across_their_seam() {
    // A joint turning at 2 rad/s through +-pi, recorded wrapped at 50 Hz, brought to 30 Hz.
    let principal = |t: f64| (2.0 * t + PI).rem_euclid(TAU) - PI;
    let times: Vec<f64> = (0..500).map(|k| 0.02 * f64::from(k)).collect();
    let log = recording(vec![channel("q", Some(TAU))], vec![episode("a", times.clone(), principal)]);
    let e = &Frames::resample(&log, Some(30.0), 0.02).unwrap().episodes[0];
    // Linear in time, so interpolation is exact up to rounding at size 20.
    assert!(e.time_secs.iter().zip(&e.values).all(|(t, v)| (v - 2.0 * t).abs() < 1e-12));
    // Undeclared, the seam gives values in between: that is why it must be declared.
    let log = recording(vec![channel("q", None)], vec![episode("a", times, principal)]);
    let e = &Frames::resample(&log, Some(30.0), 0.02).unwrap().episodes[0];
    assert!(e.time_secs.iter().zip(&e.values).any(|(t, v)| (v - principal(*t)).abs() > 1.0));
}

#[test]
fn splits_are_seeded_complete_and_keep_pieces_together() {
    let mut frames = numbered(&[5; 40]);
    for (i, e) in frames.episodes.iter_mut().enumerate() {
        // Twenty recorded episodes in two pieces each, not side by side.
        e.id = format!("log/{}#{}", i % 20, 1 + i / 20);
    }
    let split = Split::by_episode(&frames, 0.2, 0.1, 7).unwrap();
    assert_eq!(split, Split::by_episode(&frames, 0.2, 0.1, 7).unwrap());
    assert_ne!(split, Split::by_episode(&frames, 0.2, 0.1, 8).unwrap());
    assert_eq!((split.train.len(), split.validation.len(), split.test.len()), (28, 8, 4));
    let all: BTreeSet<usize> = split.train.iter().chain(&split.validation).chain(&split.test).copied().collect();
    assert_eq!(all.len(), 40);
    for set in [&split.train, &split.validation, &split.test] {
        assert!(set.iter().all(|i| set.contains(&((i + 20) % 40))));
    }
}

#[test]
fn splits_need_an_episode_each() {
    let split = Split::by_episode(&numbered(&[5; 3]), 0.0, 0.0, 1).unwrap();
    assert_eq!((split.train.len(), split.validation.len(), split.test.len()), (1, 1, 1));
    let error = Split::by_episode(&numbered(&[5; 2]), 0.1, 0.1, 1).unwrap_err();
    assert!(
        matches!(error, Error::Data { .. }) && error.to_string().contains("found 2, expected at least 3"),
        "{error}"
    );
    let error = Split::by_episode(&numbered(&[5; 4]), 0.4, 0.45, 1).unwrap_err();
    assert!(matches!(error, Error::Data { .. }), "{error}");
    assert!(matches!(Split::by_episode(&numbered(&[5; 4]), 0.5, 0.5, 1), Err(Error::Config { .. })));
    assert!(matches!(Split::by_episode(&numbered(&[5; 4]), f64::NAN, 0.5, 1), Err(Error::Config { .. })));
    // Pieces of one recorded episode are one episode.
    let mut frames = numbered(&[5; 3]);
    frames.episodes.iter_mut().enumerate().for_each(|(i, e)| e.id = format!("log#{}", i + 1));
    assert!(matches!(Split::by_episode(&frames, 0.1, 0.1, 1), Err(Error::Data { .. })));
}

#[test]
fn windows_are_all_there_and_cross_no_episode() {
    let mut noise = Noise::new(11);
    for _ in 0..50 {
        let lengths: Vec<usize> = noise.indices(6, 30).iter().map(|n| n + 1).collect();
        let frames = numbered(&lengths);
        let [c, f, s] = noise.indices(3, 5)[..] else { unreachable!() };
        let spec = WindowSpec { context: c + 1, future: f + 1, stride: s + 1, skip_short: true };
        let per_episode = |n: usize| if n < spec.frames() { 0 } else { (n - spec.frames()) / spec.stride + 1 };
        let expected: usize = lengths.iter().map(|n| per_episode(*n)).sum();
        let windows = match Windows::new(&frames, &[0, 1, 2, 3, 4, 5], spec) {
            Ok(windows) => windows,
            Err(_) => {
                assert_eq!(expected, 0);
                continue;
            }
        };
        assert_eq!(windows.len(), expected);
        assert_eq!(windows.too_short().len(), lengths.iter().filter(|n| **n < spec.frames()).count());
        let mut out = vec![0.0; spec.frames()];
        for i in 0..windows.len() {
            windows.fill(i, &identity(1), &mut out).unwrap();
            let first = 1000 * windows.episode_of(i) + windows.start_of(i);
            assert!(out.iter().enumerate().all(|(k, v)| *v == (first + k) as f32), "{out:?}");
        }
    }
}

#[test]
fn windows_cross_no_gap() {
    // The value is the row's number, so a window over a gap would not count up by one.
    let times =
        (0..300).map(|k| 0.1 * f64::from(k)).filter(|t| ![40, 41, 97, 200].contains(&((t * 10.0).round() as i32)));
    let text: String =
        std::iter::once("time,x\n".to_string()).chain(times.map(|t| format!("{t},{}\n", (t * 10.0).round()))).collect();
    let options = ReadOptions { on_gap: OnGap::Split, ..Default::default() };
    let frames = Frames::resample(&read(&text, &options).unwrap(), None, 0.02).unwrap();
    assert_eq!((frames.rate_hz, frames.episodes.len()), (10.0, 4));
    let spec = WindowSpec { context: 6, future: 4, stride: 1, skip_short: false };
    let windows = Windows::new(&frames, &[0, 1, 2, 3], spec).unwrap();
    assert_eq!(windows.len(), [40, 55, 102, 99].iter().map(|n| n - 9).sum::<usize>());
    let mut out = vec![0.0; 10];
    for i in 0..windows.len() {
        windows.fill(i, &identity(1), &mut out).unwrap();
        assert!(out.windows(2).all(|w| w[1] - w[0] == 1.0), "{out:?}");
    }
}

#[test]
fn short_episodes_are_named() {
    let frames = numbered(&[20, 4, 3]);
    let spec = WindowSpec { context: 3, future: 2, stride: 1, skip_short: false };
    let error = Windows::new(&frames, &[0, 1, 2], spec).unwrap_err();
    let text = "frames of episode `log/1`: found 4 (and 1 more episodes are too short), expected at least 5 (a window \
                of 3 context and 2 future frames)";
    assert_eq!(error.to_string(), text);
    let skipping = WindowSpec { skip_short: true, ..spec };
    assert_eq!(Windows::new(&frames, &[0, 1, 2], skipping).unwrap().too_short()[1].id, "log/2");
    assert!(matches!(Windows::new(&frames, &[1, 2], skipping), Err(Error::Data { .. })));
    assert!(matches!(Windows::new(&frames, &[3], spec), Err(Error::Data { .. })));
    assert!(matches!(Windows::new(&frames, &[], spec), Err(Error::Data { .. })));
    assert!(matches!(Windows::new(&frames, &[0], WindowSpec { stride: 0, ..spec }), Err(Error::Config { .. })));
    let windows = Windows::new(&frames, &[0], spec).unwrap();
    assert!(matches!(windows.fill(0, &identity(1), &mut [0.0; 4]), Err(Error::Shape { .. })));
    assert!(matches!(windows.fill(0, &identity(2), &mut [0.0; 5]), Err(Error::Shape { .. })));
    assert!(matches!(windows.fill(99, &identity(1), &mut [0.0; 5]), Err(Error::Data { .. })));
}

#[test]
fn a_turning_joint_gives_the_same_window_in_every_turn() {
    let turning = |t: f64| 0.5 * (10.0 * t).round() - 40.0;
    let times: Vec<f64> = (0..200).map(|k| 0.1 * f64::from(k)).collect();
    let frames = Frames {
        channels: vec![channel("q", Some(10.0))],
        rate_hz: 10.0,
        episodes: vec![episode("a", times, turning)],
        sources: Vec::new(),
        notes: Vec::new(),
        parts: Default::default(),
    };
    let spec = WindowSpec { context: 3, future: 2, stride: 1, skip_short: false };
    let windows = Windows::new(&frames, &[0], spec).unwrap();
    let mut out = [0.0; 5];
    let mut ends = BTreeSet::new();
    for i in 0..windows.len() {
        windows.fill(i, &identity(1), &mut out).unwrap();
        assert!((-5.0..5.0).contains(&out[2]));
        assert!(out.windows(2).all(|w| w[1] - w[0] == 0.5), "{out:?}");
        ends.insert((2.0 * out[2]) as i32);
    }
    // Twenty phases of 0.5, met again in each of ten turns.
    assert_eq!(ends.len(), 20);
}

#[test]
fn z_scores_have_mean_0_and_spread_1_and_go_back() {
    let mut noise = Noise::new(3);
    let draw = noise.next_draw();
    let episodes: Vec<Episode> = (0..4)
        .map(|e| {
            let mut values = vec![0.0; 300 * 3];
            draw.normal(e, &mut values);
            values.chunks_exact_mut(3).for_each(|row| {
                row[0] = 1e6 + 1e-3 * row[0];
                row[1] = -5.0 + 40.0 * row[1];
                row[2] = 7.25;
            });
            Episode {
                id: e.to_string(),
                time_secs: (0..300).map(|k| 0.1 * f64::from(k)).collect(),
                values: values.into(),
            }
        })
        .collect();
    let channels = ["a", "b", "c"].map(|n| channel(n, None)).to_vec();
    let frames =
        Frames { channels, rate_hz: 10.0, episodes, sources: Vec::new(), notes: Vec::new(), parts: Default::default() };
    let n = Normaliser::fit(&frames, &[0, 1, 2]).unwrap();
    // Spread 1e-3 at 1e6 is 1e-9 of its size, and still a signal if only just: the limit is met with equality or more.
    assert_eq!(n.constant_channels(), [2]);
    assert_eq!((n.mean[2], n.std[2], n.velocity_std[2]), (7.25, 1.0, 0.0));
    let values: Vec<f64> = frames.episodes[..3].iter().flat_map(|e| e.values.to_vec()).collect();
    let mut z = vec![0.0; values.len()];
    n.to_z(&values, &mut z).unwrap();
    for c in 0..2 {
        let column: Vec<f64> = z.iter().skip(c).step_by(3).copied().collect();
        let mean = column.iter().sum::<f64>() / 900.0;
        let variance = column.iter().map(|v| v * v).sum::<f64>() / 900.0;
        // One rounding of a value of 1e6 is 1e-10, that is 1e-7 of the spread.
        assert!(mean.abs() < 1e-6 && (variance - 1.0).abs() < 1e-6, "{c}: {mean} {variance}");
        // White noise: differences have twice the variance; 897 of them, so 4 standard errors are 0.2.
        assert!((n.velocity_std[c] - 2.0_f64.sqrt()).abs() < 0.2, "{}", n.velocity_std[c]);
    }
    let mut back = vec![0.0; values.len()];
    n.to_units(&z, &mut back).unwrap();
    assert!(values.iter().zip(&back).all(|(a, b)| (a - b).abs() <= 1e-15 * a.abs().max(100.0) * 4.0));
    // In single precision z itself is rounded to 6e-8 of its size, at most 4.
    let mut z32 = vec![0.0_f32; values.len()];
    n.to_z(&values, &mut z32).unwrap();
    n.to_units(&z32, &mut back).unwrap();
    assert!(
        values.iter().zip(&back).enumerate().all(|(i, (a, b))| (a - b).abs() <= 3e-7 * n.std[i % 3] + 3e-16 * a.abs())
    );
    assert!(matches!(n.to_z(&values[..4], &mut z[..4]), Err(Error::Shape { .. })));
    let stored = serde_json::to_string(&n).unwrap();
    assert_eq!(serde_json::from_str::<Normaliser>(&stored).unwrap(), n);
    assert!(matches!(Normaliser::fit(&frames, &[]), Err(Error::Data { .. })));
    assert!(matches!(Normaliser::fit(&frames, &[4]), Err(Error::Data { .. })));
}

#[test]
fn a_normaliser_knows_turning_joints_and_no_step_between_episodes() {
    // Continuous over five turns: uniform over the circle, whose root mean square is pi / sqrt(3).
    let times: Vec<f64> = (0..1000).map(|k| f64::from(k) / 10.0).collect();
    let speed = 10.0 * TAU / 100.0;
    let frames = Frames {
        channels: vec![channel("q", Some(TAU))],
        rate_hz: 10.0,
        episodes: vec![episode("a", times.clone(), |t| speed * t), episode("b", times, |t| 300.0 - speed * t)],
        sources: Vec::new(),
        notes: Vec::new(),
        parts: Default::default(),
    };
    let n = Normaliser::fit(&frames, &[0, 1]).unwrap();
    assert_eq!(n.mean[0], 0.0);
    // A grid of 100 points a turn against the integral.
    assert!((n.std[0] - PI / 3.0_f64.sqrt()).abs() < 1e-3, "{}", n.std[0]);
    // Steps of +v and -v: their spread is v; a step from one episode to the next would add hundreds.
    assert!((n.velocity_std[0] - speed / 10.0 / n.std[0]).abs() < 1e-9);
}

#[test]
fn a_log_of_one_channel_goes_all_the_way() {
    let log = read(&log_at((0..60).map(|k| 0.04 * f64::from(k))), &ReadOptions::default()).unwrap();
    let frames = Frames::resample(&log, None, ebmotion_logs::DEFAULT_TOLERANCE).unwrap();
    let n = Normaliser::fit(&frames, &[0]).unwrap();
    let spec = WindowSpec { context: 8, future: 4, stride: 2, skip_short: false };
    let windows = Windows::new(&frames, &[0], spec).unwrap();
    let mut z = [0.0_f32; 12];
    windows.fill(5, &n, &mut z).unwrap();
    let mut back = [0.0_f64; 12];
    n.to_units(&z, &mut back).unwrap();
    // z is at most 2, rounded to 1.2e-7, times the spread of 17.
    assert!(back.iter().enumerate().all(|(k, v)| (v - (10 + k) as f64).abs() < 4e-6), "{back:?}");
}

/// Random stamps, rates and tolerances: no panic, a uniform grid, and only recorded or interpolated values.
#[test]
fn resampling_keeps_within_the_samples_whatever_the_stamps() {
    let mut noise = Noise::new(21);
    for trial in 0..300 {
        let mut u = [0.0; 43];
        noise.next_draw().uniform(trial, &mut u);
        // A tolerance that is a jitter of the stamps as well: the borderline case.
        let tolerance = (u[0] * 10.0).floor() / 100.0;
        let mut time = 1e3 * u[1];
        let times: Vec<f64> = u[3..]
            .iter()
            .map(|u| {
                time += 0.04 * (1.0 + tolerance * (2.0 * (u * 3.0).floor() / 2.0 - 1.0));
                time
            })
            .collect();
        let log = recording(vec![channel("x", None)], vec![episode("a", times.clone(), |t| 3.0 * t)]);
        let rate = (trial % 2 == 0).then(|| 5.0 + 20.0 * u[2]);
        let frames = Frames::resample(&log, rate, tolerance).unwrap();
        let e = &frames.episodes[0];
        // What a filter makes of jitter within the tolerance, taken for none, may lie as far outside.
        let slack = if frames.notes.is_empty() { 0.0 } else { 3.0 * (1.5 * tolerance * 0.04 + 1e-9) };
        assert!(e.values.iter().all(|v| (3.0 * times[0] - slack..=3.0 * times[39] + slack).contains(v)));
        for (t, v) in e.time_secs.iter().zip(&e.values) {
            // Taken for a frame: off by at most the tolerance; interpolated: off by rounding at size 1e3.
            assert!((v / 3.0 - t).abs() <= tolerance / frames.rate_hz + 1e-6, "{trial}: {t} {v}");
        }
        let span = times[39] - times[0];
        assert!(((e.values.len() as f64 - 1.0) - (span * frames.rate_hz).floor()).abs() <= 1.0);
    }
}

#[test]
fn one_long_log_is_cut_into_blocks_that_share_nothing() {
    let one = |lengths: &[usize]| {
        let mut frames = numbered(lengths);
        frames.episodes.iter_mut().enumerate().for_each(|(i, e)| e.id = format!("log#{}", i + 1));
        frames
    };
    // 4000 frames, 40 as a guard: ten blocks, 3640 frames together.
    let mut log = one(&[4000]);
    log.episodes[0].id = "log".into();
    let blocks = log.clone().in_blocks(40).unwrap();
    let ids: Vec<&str> = blocks.episodes.iter().map(|e| e.id.as_str()).collect();
    assert_eq!((ids.len(), ids[0], ids[9]), (10, "log#1", "log#10"));
    assert!(blocks.episodes.iter().all(|e| e.values.len() == 364));
    assert!(blocks.episodes.windows(2).all(|w| w[1].values[0] - w[0].values[363] == 41.0));
    assert!((blocks.episodes[3].time_secs[0] - 0.1 * blocks.episodes[3].values[0]).abs() < 1e-9);
    assert!(blocks.notes[0].contains("10 blocks of about 36.40 s, at least 4.00 s (40 frames) apart"));
    let split = Split::by_block(&blocks, 0.1, 0.2, 5).unwrap();
    assert_eq!((split.train.len(), split.validation.len(), split.test.len()), (7, 1, 2));
    assert_eq!(split, Split::by_block(&log.clone().in_blocks(40).unwrap(), 0.1, 0.2, 5).unwrap());
    assert_ne!(split, Split::by_block(&blocks, 0.1, 0.2, 6).unwrap());
    // The least: three blocks of a window, two guards.
    assert_eq!(one(&[200]).in_blocks(40).unwrap().episodes.len(), 3);
    let error = one(&[199]).in_blocks(40).unwrap_err().to_string();
    assert!(error.contains("found 1 with 199 frames") && error.contains("at least 200 frames"), "{error}");
    // Pieces of one recorded episode: all begin at time 0 here, so each leaves out a guard after the one before.
    let pieces = one(&[500, 30, 900, 60]).in_blocks(40).unwrap();
    let found: Vec<(f64, usize)> = pieces.episodes.iter().map(|e| (e.values[0], e.values.len())).collect();
    assert_eq!(found, [(0.0, 500), (2040.0, 410), (2490.0, 410)]);
    assert!(pieces.notes[0].contains("2 shorter than that left out"), "{:?}", pieces.notes);
    // Two recorded episodes; nothing is left out between them.
    let two = numbered(&[600, 1200]).in_blocks(40).unwrap();
    let found: Vec<(&str, usize)> = two.episodes.iter().map(|e| (e.id.as_str(), e.values.len())).collect();
    assert_eq!(found, [("log/0#1", 600), ("log/1#1", 373), ("log/1#2", 373), ("log/1#3", 374)]);
}
