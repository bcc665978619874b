//! What is wrong in time and can be mended: by choice, by a stated rule, and counted.

use crate::{kept, log_at, log_error, read, unpacked};
use ebmotion_engine::noise::Noise;
use ebmotion_logs::{Frames, OnBackwards, OnGap, OnRepeat, ReadOptions, Recording};
use std::f64::consts::TAU;

fn repeat(on_repeat: OnRepeat) -> ReadOptions {
    ReadOptions { on_repeat, ..Default::default() }
}

fn backwards(on_backwards: OnBackwards) -> ReadOptions {
    ReadOptions { on_backwards, ..Default::default() }
}

fn case(name: &str) -> String {
    unpacked(&kept(&format!("cases/{name}.csv.gz")))
}

/// Cells of the rows of a log, without the header.
fn cells(text: &str) -> Vec<Vec<f64>> {
    text.lines().skip(1).map(|l| l.split(',').map(|c| c.parse().unwrap()).collect()).collect()
}

#[track_caller]
fn noted(log: &Recording, parts: &[&str]) {
    let found = log.notes.iter().any(|note| parts.iter().all(|part| note.contains(part)));
    assert!(found, "{parts:?} in {:?}", log.notes);
}

#[test]
fn rows_written_twice_are_left_out_by_choice() {
    let text = case("12_repeated_row");
    let error = log_error(read(&text, &ReadOptions::default()));
    assert_eq!(error.0, Some(13));
    assert!(error.2.contains("same values") && error.2.contains("1 more"), "{error:?}");
    assert!(error.3.contains("on_repeat = drop"), "{error:?}");
    let log = read(&text, &repeat(OnRepeat::Drop)).unwrap();
    noted(&log, &["2 rows", "left out", "line 13"]);
    let mut rows = cells(&text);
    rows.dedup();
    assert_eq!((log.episodes.len(), rows.len()), (1, 400));
    assert_eq!(log.episodes[0].time_secs, rows.iter().map(|r| r[0]).collect::<Vec<_>>());
    assert_eq!(log.episodes[0].values, rows.iter().flat_map(|r| r[1..].to_vec()).collect::<Vec<_>>());
    assert_eq!(log.rate_hz().unwrap(), 400.0);
}

#[test]
fn a_stamp_twice_is_one_stamp_missing() {
    let text = case("12_repeated_stamp");
    for options in [ReadOptions::default(), repeat(OnRepeat::Drop)] {
        let error = log_error(read(&text, &options));
        assert_eq!(error.0, Some(5));
        assert!(error.2.contains("other values") && error.3.contains("on_repeat = spread"), "{error:?}");
    }
    let log = read(&text, &repeat(OnRepeat::Spread)).unwrap();
    noted(&log, &["4 rows", "spread", "line 5"]);
    let off = |k: usize| (log.episodes[0].time_secs[k] - 0.0025 * k as f64).abs();
    assert_eq!(log.episodes[0].time_secs.len(), 400);
    assert!((0..400).all(|k| off(k) < 1e-9));
}

#[test]
fn stamps_of_few_digits_are_spread_at_the_true_rate() {
    let text = case("12_low_resolution");
    let error = log_error(read(&text, &ReadOptions::default()));
    assert!(error.0 == Some(3) && error.2.contains("298 more"), "{error:?}");
    assert!(error.3.contains("on_repeat = spread"), "{error:?}");
    let log = read(&text, &repeat(OnRepeat::Spread)).unwrap();
    noted(&log, &["299", "spread"]);
    assert_eq!(log.rate_hz().unwrap(), 400.0);
    let frames = Frames::resample(&log, None, 0.02).unwrap();
    let values: Vec<f64> = cells(&text).iter().flat_map(|r| r[1..].to_vec()).collect();
    assert_eq!(frames.episodes[0].values, values, "every row is a frame");
    // One stamp for all: no time passes.
    let error = log_error(read("time,x\n5,1\n5,2\n5,3\n", &ReadOptions::default()));
    assert!(error.3.contains("no time passes"), "{error:?}");
}

#[test]
fn a_second_publisher_is_refused_or_left_out() {
    let text = case("14_joint_states");
    let error = log_error(read(&text, &ReadOptions::default()));
    assert!(error.0 == Some(3) && error.2.contains("0.007300 s after"), "{error:?}");
    assert!(error.2.contains("99 more") && error.3.contains("on_repeat = drop"), "{error:?}");
    let log = read(&text, &repeat(OnRepeat::Drop)).unwrap();
    noted(&log, &["100 rows", "second source", "line 3"]);
    assert_eq!(log.rate_hz().unwrap(), 50.0);
    let fresh: Vec<Vec<f64>> =
        cells(&text).into_iter().filter(|r| ((r[0] * 50.0).round() - r[0] * 50.0).abs() < 1e-9).collect();
    assert_eq!(log.episodes[0].time_secs, fresh.iter().map(|r| r[0]).collect::<Vec<_>>());
    assert_eq!(log.episodes[0].values, fresh.iter().flat_map(|r| r[1..].to_vec()).collect::<Vec<_>>());
}

/// The same with stamps that jitter by 5 % of a step, and with stale states at other times of the second.
#[test]
fn a_second_publisher_is_found_among_stamps_that_jitter() {
    let wave = |t: f64| (TAU * 0.4 * t).sin();
    for seed in 0..20 {
        let mut jitter = vec![0.0; 300];
        Noise::new(seed).next_draw().normal(0, &mut jitter);
        let fresh: Vec<f64> = (0..300).map(|k| 1.0 + 0.02 * (k as f64 + 0.05 * jitter[k])).collect();
        let mut rows: Vec<(f64, f64)> = fresh.iter().map(|t| (*t, wave(*t))).collect();
        let phase = 0.1 * seed as f64 / 20.0 + 0.003;
        rows.extend((0..59).map(|k| 1.0 + 0.1 * f64::from(k) + phase).map(|t| (t, wave(t - 0.1))));
        rows.sort_by(|a, b| a.0.total_cmp(&b.0));
        let text: String = rows.iter().map(|(t, v)| format!("{t:.9},{v:.6}\n")).collect();
        let text = format!("time,x\n{text}");
        let error = log_error(read(&text, &ReadOptions::default()));
        assert!(error.3.contains("on_repeat = drop"), "{seed}: {error:?}");
        let log = read(&text, &repeat(OnRepeat::Drop)).unwrap();
        let kept = &log.episodes[0].time_secs;
        assert!((298..=302).contains(&kept.len()), "{seed}: {}", kept.len());
        // Where both fall at nearly one time it may be the fresh one that is left out.
        let of_fresh = kept.iter().filter(|t| fresh.iter().any(|f| (f - **t).abs() < 1e-8)).count();
        assert!(of_fresh >= 296, "{seed}: {of_fresh}");
        assert!((log.rate_hz().unwrap() - 50.0).abs() < 0.1, "{seed}");
    }
}

/// Stale states every tenth of a second, at any place between two fresh ones.
#[test]
fn the_second_publisher_is_found_wherever_it_falls() {
    let wave = |t: f64| (TAU * 0.4 * t).sin();
    for phase in [0.1, 0.3, 0.5, 0.7, 0.9] {
        let mut rows: Vec<(f64, f64)> = (0..300).map(|k| (0.02 * f64::from(k), wave(0.02 * f64::from(k)))).collect();
        rows.extend((0..60).map(|k| 0.1 * f64::from(k) + 0.02 * phase).map(|t| (t, wave(t - 0.1))));
        rows.sort_by(|a, b| a.0.total_cmp(&b.0));
        let text: String = rows.iter().map(|(t, v)| format!("{t:.6},{v:.6}\n")).collect();
        let text = format!("time,x\n{text}");
        let error = log_error(read(&text, &ReadOptions::default()));
        assert!(error.3.contains("on_repeat = drop"), "{phase}: {error:?}");
        let log = read(&text, &repeat(OnRepeat::Drop)).unwrap();
        assert_eq!((log.episodes[0].time_secs.len(), log.rate_hz().unwrap()), (300, 50.0), "{phase}");
        assert!((0..300).all(|k| (log.episodes[0].time_secs[k] - 0.02 * k as f64).abs() < 1e-9), "{phase}");
    }
    // Rows that are early but on the way: a scheduler, not a second source.
    let times = (0..300).map(|k| 0.02 * f64::from(k) - if k % 17 == 5 { 0.012 } else { 0.0 });
    let rows: String = times.map(|t| format!("{t:.6},{:.6}\n", wave(t))).collect();
    let options = ReadOptions { max_gap: 1.9, ..Default::default() };
    assert_eq!(read(&format!("time,x\n{rows}"), &options).unwrap().episodes[0].time_secs.len(), 300);
}

#[test]
fn swapped_rows_are_sorted_and_clocks_set_back_split() {
    let text = "time,x\n0.0,0\n0.1,1\n0.3,3\n0.2,2\n0.4,4\n0.5,5\n";
    let error = log_error(read(text, &ReadOptions::default()));
    assert!(error.0 == Some(5) && error.3.contains("on_backwards = sort"), "{error:?}");
    let log = read(text, &backwards(OnBackwards::Sort)).unwrap();
    noted(&log, &["1 row ", "sorted", "line 5"]);
    assert_eq!(log.episodes[0].values, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    assert_eq!(log.episodes[0].time_secs, [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]);

    let text = "time,x\n5.0,0\n5.1,1\n5.2,2\n0.0,3\n0.1,4\n0.2,5\n";
    assert!(log_error(read(text, &ReadOptions::default())).3.contains("on_backwards = split"));
    let log = read(text, &backwards(OnBackwards::Split)).unwrap();
    noted(&log, &["1 time ", "another episode", "line 5"]);
    let found: Vec<_> = log.episodes.iter().map(|e| (e.id.as_str(), e.values.to_vec())).collect();
    assert_eq!(found, [("log#1", vec![0.0, 1.0, 2.0]), ("log#2", vec![3.0, 4.0, 5.0])]);
}

#[test]
fn short_gaps_are_interpolated_up_to_the_largest_gap() {
    // A log of 1 Hz with single seconds missing, one of two seconds and one of ten.
    let missing = [7, 19, 20, 33];
    let times: Vec<f64> = (0..60).filter(|k| !missing.contains(k)).map(f64::from).collect();
    let text = log_at(times.clone()).replace("time", "time [s]");
    let error = log_error(read(&text, &ReadOptions::default()));
    assert!(error.0 == Some(9) && error.2.contains("2.00 typical steps"), "{error:?}");
    assert!(error.3.contains("`max_gap = 3.1` interpolates all"), "{error:?}");
    let line = |k: f64| times.iter().position(|t| *t >= k).unwrap() as f64;
    let bridging = |max_gap: f64| ReadOptions { max_gap, ..Default::default() };
    let error = log_error(read(&text, &bridging(2.5)));
    assert!(error.2.contains("3.00 typical steps"), "{error:?}");
    let log = read(&text, &bridging(3.1)).unwrap();
    noted(&log, &["3 steps over missing", "interpolated", "line 9"]);
    let frames = Frames::resample(&log, None, 0.02).unwrap();
    assert_eq!((frames.rate_hz, frames.episodes.len(), frames.episodes[0].values.len()), (1.0, 1, 60));
    for k in 0..60 {
        let value = frames.episodes[0].values[k];
        let expected = match k {
            7 | 33 => line(k as f64) - 0.5,
            19 => line(20.0) - 1.0 + 1.0 / 3.0,
            20 => line(20.0) - 1.0 + 2.0 / 3.0,
            _ => line(k as f64),
        };
        assert!((value - expected).abs() < 1e-9, "{k}: {value} {expected}");
    }
    // A longer one still splits, and is counted.
    let options = ReadOptions { on_gap: OnGap::Split, ..bridging(2.5) };
    let log = read(&text, &options).unwrap();
    assert_eq!(log.episodes.len(), 2);
    noted(&log, &["1 gap ", "another episode begins"]);
}

#[test]
fn missing_cells_are_interpolated_each_in_its_channel() {
    // `q` turns through its seam while two of its cells are missing; `x` has one missing, and three at its end.
    let q = [3.0, 3.05, f64::NAN, f64::NAN, -3.083185, -3.033185, -2.98, -2.93, -2.88];
    let x = [0.0, 1.0, 2.0, f64::NAN, 4.0, 5.0, f64::NAN, f64::NAN, f64::NAN];
    let rows: String = q.iter().zip(x).enumerate().map(|(k, (q, x))| format!("{},{q},{x}\n", 0.1 * k as f64)).collect();
    let text = format!("time,q,x\n{rows}");
    let error = log_error(read(&text, &ReadOptions::default()));
    assert!(error.3.contains("on_gap = split") && error.3.contains("max_gap = 2.5"), "{error:?}");
    let options = ReadOptions { max_gap: 3.1, wrap: vec!["q".into()], ..Default::default() };
    let error = log_error(read(&text, &options));
    assert_eq!((error.0, error.1.as_deref()), (Some(8), Some("x")), "the end of a channel has nothing after it");
    let log = read(&text, &ReadOptions { on_gap: OnGap::Split, ..options }).unwrap();
    noted(&log, &["3 cells", "interpolated", "line 4"]);
    noted(&log, &["3 rows", "left out"]);
    let found: Vec<f64> = log.episodes[0].values.to_vec();
    assert_eq!(found.len(), 12);
    let step = (TAU - 3.083185 - 3.05) / 3.0;
    assert!((found[4] - 3.05 - step).abs() < 1e-12 && (found[6] - 3.05 - 2.0 * step).abs() < 1e-12, "{found:?}");
    assert_eq!((found[5], found[7]), (2.0, 3.0));
}

#[test]
fn one_rate_whatever_the_stamps_are_like() {
    let regular = |k: usize| k as f64;
    let rounded = |rate: f64, digits: i32| {
        move |k: usize| {
            let unit = 10f64.powi(digits);
            (k as f64 / rate * unit).round() / unit
        }
    };
    let rate = |stamps: &dyn Fn(usize) -> f64, options: &ReadOptions| {
        read(&log_at((0..1000).map(stamps)), options).unwrap().rate_hz().unwrap()
    };
    let plain = ReadOptions::default();
    assert_eq!(rate(&|k| regular(k) * 0.01, &plain), 100.0);
    assert_eq!(rate(&rounded(30.0, 2), &plain), 30.0);
    assert_eq!(rate(&rounded(30.0, 3), &plain), 30.0);
    assert_eq!(rate(&rounded(29.97, 9), &plain), 29.97);
    // By turns 6 ms and 14 ms, beginning with either.
    assert_eq!(rate(&|k| 0.01 * (k / 2 * 2) as f64 + 0.006 * (k % 2) as f64, &plain), 100.0);
    assert_eq!(rate(&|k| 0.01 * (k / 2 * 2) as f64 + 0.014 * (k % 2) as f64, &plain), 100.0);
    // Bursts of three rows a fifth of a millisecond apart: refused as gaps, with the way out; spread evenly.
    let bursts = |k: usize| 0.03 * (k / 3) as f64 + 0.0002 * (k % 3) as f64;
    let error = log_error(read(&log_at((0..1000).map(bursts)), &plain));
    assert!(error.3.contains("on_repeat = spread"), "{error:?}");
    assert_eq!(rate(&bursts, &repeat(OnRepeat::Spread)), 100.0);
    assert_eq!(rate(&bursts, &ReadOptions { max_gap: 3.1, ..Default::default() }), 100.0);
    // Jitter of a fifth of a step: some steps are gaps, and some are as much too short.
    let mut jitter = vec![0.0; 1000];
    Noise::new(8).next_draw().normal(0, &mut jitter);
    let jittery = |k: usize| 0.01 * (k as f64 + 0.2 * jitter[k]);
    let found = rate(&jittery, &ReadOptions { max_gap: 3.0, ..Default::default() });
    assert!((found - 100.0).abs() < 0.1, "{found}");
    // Two in a hundred rows missing.
    let dropped = |k: usize| 0.01 * (k + k / 49) as f64;
    assert_eq!(rate(&dropped, &ReadOptions { max_gap: 2.1, ..Default::default() }), 100.0);
    assert_eq!(rate(&dropped, &ReadOptions { on_gap: OnGap::Split, ..Default::default() }), 100.0);
}

/// Two nodes at one rate: their rows come by turns, at even steps or not, of two robots or of one and its past.
#[test]
fn two_publishers_of_one_rate_are_refused_or_the_first_one_taken() {
    let wave = |t: f64, joint: f64| (TAU * (0.4 + 0.1 * joint) * t + joint).sin();
    type Motion<'a> = (&'a str, &'a dyn Fn(f64, f64) -> f64);
    let other: [Motion<'_>; 3] = [
        ("another robot", &|t, joint| 0.5 * wave(1.3 * t + 2.0, joint)),
        ("stale states", &|t, joint| wave(t - 0.3, joint)),
        ("an offset", &|t, joint| wave(t, joint) + 0.02),
    ];
    for (name, second) in other {
        for (later, missing) in [(0.01, 1000), (0.006, 1000), (0.01, 77)] {
            let mut rows: Vec<(f64, bool)> = (0..300).map(|k| (0.02 * f64::from(k), true)).collect();
            rows.extend((0..300).filter(|k| *k != missing).map(|k| (0.02 * f64::from(k) + later, false)));
            rows.sort_by(|a, b| a.0.total_cmp(&b.0));
            let value = |(t, first): &(f64, bool), joint| if *first { wave(*t, joint) } else { second(*t, joint) };
            let row = |r: &(f64, bool)| format!("{:.6},{:.6},{:.6}\n", r.0, value(r, 0.0), value(r, 1.0));
            let text = format!("time,a,b\n{}", rows.iter().map(row).collect::<String>());
            let error = log_error(read(&text, &ReadOptions::default()));
            assert!(error.0 == Some(3) && error.2.contains("rows of two sources by turns"), "{name}: {error:?}");
            assert!(error.3.contains("`on_repeat = drop`"), "{error:?}");
            let log = read(&text, &repeat(OnRepeat::Drop)).unwrap();
            let count = if missing < 300 { "299 rows" } else { "300 rows" };
            noted(&log, &[count, "second source", "line 3"]);
            assert_eq!(log.rate_hz().unwrap(), 50.0, "{name} {later} {missing}");
            let off = |k: usize| (log.episodes[0].values[2 * k] - wave(0.02 * k as f64, 0.0)).abs();
            assert!((0..300).all(|k| off(k) < 1e-6), "{name} {later} {missing}");
        }
    }
}

/// What is one source and no two: noise, a motion near the fastest that its rate shows, a chattering switch beside it.
#[test]
fn one_source_is_not_taken_for_two() {
    let mut noise = vec![0.0; 600];
    Noise::new(3).next_draw().normal(0, &mut noise);
    let of = |value: &dyn Fn(usize) -> f64| {
        let rows: String = (0..600).map(|k| format!("{:.2},{:.6},{}\n", 0.01 * k as f64, value(k), k % 2)).collect();
        read(&format!("time,x,switch\n{rows}"), &ReadOptions::default()).map(|log| log.episodes[0].time_secs.len())
    };
    assert_eq!(of(&|k| noise[k]).unwrap(), 600);
    assert_eq!(of(&|k| (0.05 * k as f64).sin() + 0.01 * noise[k]).unwrap(), 600);
    for hz in [1.0, 10.0, 25.0, 33.0] {
        assert_eq!(of(&|k| (TAU * hz * 0.01 * k as f64).sin()).unwrap(), 600, "{hz}");
    }
    assert_eq!(of(&|k| (k / 7) as f64).unwrap(), 600);
    // A joint that shakes near the fastest that the rate shows, beside one that moves slowly.
    let shaken = |k: usize| (TAU * 0.48 * k as f64).sin();
    let rows = (0..600).map(|k| format!("{:.2},{:.6},{:.6}\n", 0.01 * k as f64, shaken(k), (0.01 * k as f64).sin()));
    assert!(read(&format!("time,x,y\n{}", rows.collect::<String>()), &ReadOptions::default()).is_ok());
}
