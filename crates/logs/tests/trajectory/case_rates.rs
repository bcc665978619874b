//! Text logs as users have them (`tests/data/logs/cases`): units of time, rates, units of values, numbers of channels.

use crate::cases::{case, columns, list, names, noted, refused};
use crate::{kept, log_error, read};
use ebmotion_logs::{Channel, DateOrder, Frames, OnGap, OnRepeat, ReadOptions, Recording, TimeUnit};
use std::f64::consts::TAU;

#[test]
fn the_unit_of_time_is_said_or_seen() {
    for (file, start, notes) in [
        ("time_bracket_S", 0.0, &["`Time`"][..]),
        ("time_bracket_msec", 0.0, &[]),
        ("time_paren_ms", 0.0, &[]),
        ("time_epoch_2dec", 1.7e9, &[]),
        ("time_epoch_s", 1.7e9, &[]),
        ("time_plain_ms", 1.7e9, &["milliseconds since 1970 by their size"]),
        ("time_plain_us", 1.7e9, &["microseconds since 1970 by their size"]),
        ("time_plain_ns", 1.7e9, &["nanoseconds since 1970 by their size"]),
        ("timestamp_ms", 1.7e9, &["`timestamp_ms` are milliseconds by its name"]),
        ("time_us_int", 1.7e9, &["`timestamp_us` are microseconds by its name"]),
    ] {
        let path = format!("05-time-units/{file}.csv");
        let log = case(&path, &ReadOptions::default());
        assert_eq!((names(&log), log.rate_hz().unwrap()), (vec!["q1", "q2"], 50.0), "{file}");
        assert_eq!(log.episodes[0].values, columns(&path, 1..3), "{file}");
        // Stamps since 1970 are kept to 2.4e-7 s.
        let off = |k: usize, t: &f64| (t - start - 0.02 * k as f64).abs() < if start > 0.0 { 3e-7 } else { 1e-12 };
        assert!(log.episodes[0].time_secs.iter().enumerate().all(|(k, t)| off(k, t)), "{file}");
        noted(&log, notes);
    }
    let error = refused("05-time-units/cycle_1k_us.csv", &ReadOptions::default());
    assert!(error.contains("steps of 1000 without a unit, 0.001 Hz") && error.contains("time_unit = "), "{error}");
    let us = ReadOptions { time_unit: Some(TimeUnit::Us), ..Default::default() };
    assert_eq!(case("05-time-units/cycle_1k_us.csv", &us).rate_hz().unwrap(), 1000.0);
    let error = refused("05-time-units/time_min.csv", &ReadOptions::default());
    assert!(error.contains("the unit `min`") && error.contains("s, ms, us, ns"), "{error}");
    // Nine digits of nanoseconds since 1970 are seconds.
    let error = refused("05-time-units/time_ns_float.csv", &ReadOptions::default());
    assert!(error.contains("line 3") && error.contains("`on_repeat = spread`"), "{error}");
}

/// Of the logs of `17-resample-jitter`: sines of 0.7 Hz and 1.3 Hz.
fn truth(t: f64) -> [f64; 2] {
    [(TAU * 0.7 * t).sin(), 0.5 * (TAU * 1.3 * t + 0.4).cos()]
}

#[test]
fn one_rate_and_the_true_one() {
    let max_gap = |max_gap: f64| ReadOptions { max_gap, ..Default::default() };
    let plain = ReadOptions::default();
    // Straight lines over steps of 10 ms lie up to 4.2e-4 from the faster sine, over 20 ms up to 1.7e-3.
    for (file, options, hz, start, off) in [
        ("clean_100", &plain, 100.0, 0.0, 1e-12),
        ("offset", &plain, 100.0, 12345.678, 1e-11),
        ("epoch_ms", &plain, 100.0, 1.7e9, 1e-6),
        ("2997", &plain, 29.97, 0.0, 5e-5),
        ("30hz_3dec", &plain, 30.0, 0.0, 3e-3),
        ("30hz_2dec", &plain, 30.0, 0.0, 3e-2),
        ("drift", &plain, 99.77, 0.0, 5e-4),
        ("jit5pct", &plain, 100.0, 0.0, 5e-4),
        ("alternating", &plain, 100.0, 0.0, 9e-4),
        ("every3rd_missing", &plain, 200.0 / 3.0, 0.0, 1.8e-3),
        ("dropped2pct", &max_gap(2.1), 100.0, 0.0, 1.8e-3),
        ("jit20pct", &max_gap(2.0), 100.0, 0.0, 1.8e-3),
        ("ur_jitter", &max_gap(3.5), 100.0, 0.0, 4e-3),
    ] {
        let log = case(&format!("17-resample-jitter/{file}.csv"), options);
        let frames = Frames::resample(&log, None, 0.02).unwrap();
        // Of 200 rows, the first and the last of which are up to a tenth of a step late.
        assert!((frames.rate_hz / hz - 1.0).abs() < 3e-3, "{file}: {}", frames.rate_hz);
        let (e, first) = (&frames.episodes[0], log.episodes[0].time_secs[0]);
        for (k, row) in e.values.chunks_exact(2).enumerate() {
            let expected = truth(first - start + k as f64 / frames.rate_hz);
            assert!(row.iter().zip(expected).all(|(v, x)| (v - x).abs() < off), "{file} {k}: {row:?} {expected:?}");
        }
    }
    for (file, line, ways) in [
        ("batch3", 5, &["on_repeat = spread", "on_gap = split"][..]),
        ("dropped2pct", 155, &["max_gap = 2.1", "on_gap = split"]),
        ("jit20pct", 53, &["max_gap = 1.7"]),
        ("ur_jitter", 23, &["max_gap = "]),
    ] {
        let error = refused(&format!("17-resample-jitter/{file}.csv"), &plain);
        assert!(error.contains(&format!("line {line},")), "{error}");
        assert!(ways.iter().all(|way| error.contains(way)), "{error}");
    }
    let spread = ReadOptions { on_repeat: OnRepeat::Spread, ..Default::default() };
    assert_eq!(case("17-resample-jitter/batch3.csv", &spread).rate_hz().unwrap(), 100.0);
    assert!(refused("17-resample-jitter/epoch_f32ish.csv", &spread).contains("no time passes in this log"));
}

#[test]
fn any_number_of_channels_and_any_rate_is_read() {
    let plain = ReadOptions::default();
    for (path, channels, hz) in [
        ("23-channel-counts/c1/ep0.csv", 1, 50.0),
        ("23-channel-counts/c200.csv", 200, 50.0),
        ("23-channel-counts/constant/ep0.csv", 4, 50.0),
        ("23-channel-counts/allconst/ep0.csv", 2, 50.0),
        ("24-rate-mismatch/log8.csv", 2, 8.0),
        ("24-rate-mismatch/log45.csv", 2, 45.0),
        ("24-rate-mismatch/log50.4.csv", 2, 50.4),
        ("24-rate-mismatch/log500.csv", 2, 500.0),
        ("24-rate-mismatch/short12.csv", 2, 50.0),
    ] {
        let log = case(path, &plain);
        assert_eq!(log.channels.len(), channels, "{path}");
        // Stamps have six decimals.
        assert!((log.rate_hz().unwrap() / hz - 1.0).abs() < 1e-5, "{path}: {}", log.rate_hz().unwrap());
        assert_eq!(log.episodes[0].values, columns(path, 1..channels + 1), "{path}");
    }
    // A channel that is constant stays exactly that at another rate.
    let frames = Frames::resample(&case("23-channel-counts/constant/ep0.csv", &plain), Some(20.0), 0.02).unwrap();
    assert!(frames.episodes[0].values.chunks_exact(4).all(|row| row[2].abs() + (row[3] - 7.5).abs() < 1e-12));
    // A state that changes once: at row 282.
    let log = case("23-channel-counts/estop_fires.csv.gz", &plain);
    let fires = log.episodes[0].values.chunks_exact(4).position(|row| row[2] > 0.0);
    assert_eq!((fires, log.episodes[0].time_secs.len()), (Some(281), 300));
    let one = case("24-rate-mismatch/one_row.csv", &plain);
    assert_eq!((&one.episodes[0].values[..], one.rate_hz().is_err()), (&[0.1, 0.2][..], true));
}

#[test]
fn a_model_takes_its_channels_by_name_and_unit() {
    let of_model = |names: &[&str], unit: Option<&str>| {
        let channel = |name: &&str| Channel { name: name.to_string(), unit: unit.map(Into::into), period: None };
        ReadOptions { of_model: Some(names.iter().map(channel).collect()), ..Default::default() }
    };
    let two = of_model(&["q1", "q2"], None);
    let log = case("24-rate-mismatch/extra_channel.csv", &two);
    assert_eq!(log.episodes[0].values, columns("24-rate-mismatch/extra_channel.csv", 1..3));
    noted(&log, &["left out: `gripper`"]);
    let swapped = case("24-rate-mismatch/swapped_columns.csv", &two);
    assert_eq!(
        (names(&swapped), swapped.episodes[0].values.clone()),
        (vec!["q1", "q2"], log.episodes[0].values.clone())
    );
    assert!(refused("24-rate-mismatch/missing_channel.csv", &two).contains("no channel `q2`"));

    let joints = ["q1", "q2", "q3"];
    let error = refused("15-deg-rad/today_deg_unit.csv", &of_model(&joints, Some("rad")));
    assert!(error.contains("`q1 [deg]`") && error.contains("`q1 [rad]`, the unit of the model's training"), "{error}");
    assert_eq!(
        case("15-deg-rad/today_rad.csv", &of_model(&joints, Some("rad"))).channels[0].unit.as_deref(),
        Some("rad")
    );
    for (file, unit, note) in [
        ("today_rad_nounit", Some("rad"), Some("taken to be in that of the model's training: `q1` [rad]")),
        ("today_rad", None, Some("did not name are taken as they are: `q1` [rad]")),
        ("today_deg_nounit", None, None),
        ("today_mixed_deg", None, None),
    ] {
        let path = format!("15-deg-rad/{file}.csv");
        let log = case(&path, &of_model(&joints, unit));
        assert_eq!(log.episodes[0].values, columns(&path, 1..4));
        note.iter().for_each(|note| noted(&log, &[note]));
    }
    // Files of one recording agree in their units.
    let paths = ["today_rad.csv", "today_deg_unit.csv"].map(|name| kept("cases/15-deg-rad").join(name));
    let error = Recording::read(&paths, &ReadOptions::default()).unwrap_err().to_string();
    assert!(error.contains("channel `q1` with unit `deg`") && error.contains("unit `rad` as in"), "{error}");
}

#[test]
fn a_gap_splits_and_the_rest_is_kept() {
    let split = ReadOptions { on_gap: OnGap::Split, ignore: list(&["b"]), ..Default::default() };
    let log = case("17-resample-jitter/dropped2pct.csv", &split);
    // Lines 155 and 161 come after a missing row.
    assert_eq!(log.episodes.iter().map(|e| e.time_secs.len()).collect::<Vec<_>>(), [153, 6, 41]);
    assert_eq!(log.rate_hz().unwrap(), 100.0);
    noted(&log, &["2 gaps"]);
}

#[test]
fn the_day_and_the_month_of_a_date_are_told_or_asked_for() {
    let said = |date_order| ReadOptions { date_order, ..Default::default() };
    // date -u -d '2025-04-17 10:00:00' +%s, and of 5 April and 4 May.
    let (april_17, april_5, may_4) = (1_744_884_000.0, 1_743_847_200.0, 1_746_352_800.0);
    let log = |date: &str, mark: &str, quote: &str| {
        let row = |k: usize| format!("{quote}{date} 10:00:00{mark}{:03}{quote},{k}\n", 40 * k);
        format!("time,x\n{}", (0..5).map(row).collect::<String>())
    };
    for (date, order, start, note) in [
        ("17.04.2025", None, april_17, Some("begin with the day: `17.04.2025 10")),
        ("17/04/2025", None, april_17, Some("begin with the day: `17/04/2025 10")),
        ("04/17/2025", None, april_17, Some("begin with the month: `04/17/2025 10")),
        ("4/17/2025", None, april_17, Some("begin with the month")),
        ("2025/04/17", None, april_17, None),
        ("05.04.2025", None, april_5, Some("taken to begin with the day, as they do with dots")),
        ("05.04.2025", Some(DateOrder::MonthFirst), may_4, None),
        ("05/04/2025", Some(DateOrder::DayFirst), april_5, None),
        ("05/04/2025", Some(DateOrder::MonthFirst), may_4, None),
    ] {
        for (mark, quote) in [(".", ""), (",", "\"")] {
            let log = read(&log(date, mark, quote), &said(order)).unwrap();
            for (k, time) in log.episodes[0].time_secs.iter().enumerate() {
                assert!((time - start - 0.04 * k as f64).abs() < 3e-7, "{date} {time}");
            }
            note.iter().for_each(|note| noted(&log, &[note]));
            assert_eq!(log.notes.iter().any(|n| n.contains("the dates of `time`")), note.is_some(), "{:?}", log.notes);
        }
    }
    let error = log_error(read(&log("05/04/2025", ".", ""), &said(None)));
    assert!(error.2.contains("`05/04/2025 10:00:00.000`, whose first number may be the day"), "{error:?}");
    assert!(error.3.contains("`date_order = day_first` or `date_order = month_first`"), "{error:?}");
    // The date in a column of its own, a day that only a later row tells, rows that contradict each other.
    let two = |dates: [&str; 2]| format!("Date,Time,x\n{},23:59:59.5,1\n{},00:00:00.0,2\n", dates[0], dates[1]);
    let log = read(&two(["12/04/2025", "13/04/2025"]), &said(None)).unwrap();
    noted(&log, &["the dates of `Date` begin with the day: `13/04/2025`", "`Date` and `Time`"]);
    assert_eq!(log.episodes[0].time_secs, [1_744_502_399.5, 1_744_502_400.0]);
    let error = log_error(read(&two(["04/05/2025", "05/05/2025"]), &said(None)));
    assert!(error.1.as_deref() == Some("Date") && error.3.contains("date_order"), "{error:?}");
    let error = log_error(read(&two(["13/04/2025", "04/14/2025"]), &said(None)));
    assert!(error.2.contains("`13/04/2025`, with the day first, and `04/14/2025`, with the month first"), "{error:?}");
    // What the setting makes no date is shown.
    let error = log_error(read(&two(["17/04/2025", "18/04/2025"]), &said(Some(DateOrder::MonthFirst))));
    assert!(error.0 == Some(2) && error.2.contains("17/04/2025 23:59:59.5"), "{error:?}");
}
