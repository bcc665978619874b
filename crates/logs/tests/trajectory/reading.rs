//! What well-formed logs become.

use crate::{kept, log_at, read, unpacked};
use ebmotion_logs::{Error, Frames, OnGap, ReadOptions, Recording};
use std::f64::consts::TAU;
use std::time::Instant;

#[test]
fn names_units_episodes_and_values_arrive() {
    let header = "\u{feff}time [ms], q_FFJ3 [rad] ,episode,\"f, tip [N]\"";
    let text = &format!("{header}\r\n0,0.5,a,1\r\n40,0.25,a,2\r\n0,-1e-3,b,3\r\n40,1,b,4\r\n");
    let log = read(text, &ReadOptions { wrap: vec!["q_*".into()], ..Default::default() }).unwrap();
    let channels: Vec<_> = log.channels.iter().map(|c| (c.name.as_str(), c.unit.as_deref(), c.period)).collect();
    assert_eq!(channels, [("q_FFJ3", Some("rad"), Some(TAU)), ("f, tip", Some("N"), None)]);
    let ids: Vec<_> = log.episodes.iter().map(|e| e.id.as_str()).collect();
    assert_eq!(ids, ["log/a", "log/b"]);
    assert_eq!(log.episodes[0].time_secs, [0.0, 0.04]);
    assert_eq!(log.episodes[1].values, [-1e-3, 3.0, 1.0, 4.0]);
    assert_eq!(log.sources[0].path, "log.csv");
    assert_eq!(log.sources[0].sha256, ebmotion_logs::files::sha256_hex(text.as_bytes()));
}

#[test]
fn the_unit_of_time_is_told_or_guessed() {
    for (header, stamps, step) in [
        ("time", ["0", "40000000", "80000000"], 0.04), // any other unit makes it a rate that no log has
        ("time", ["0", "40", "80"], 0.04),
        ("time", ["0", "20000", "40000"], 0.02),
        ("time", ["0", "0.04", "0.08"], 0.04),
        ("time", ["0", "1", "2"], 1.0),
        ("time [msec]", ["0", "40", "80"], 0.04),
        ("time (ms)", ["0", "40", "80"], 0.04),
        ("time [S]", ["0", "40", "80"], 40.0),
        ("timestamp_ms", ["1700000000000", "1700000000040", "1700000000080"], 0.04),
        ("TimeUS", ["0", "40000", "80000"], 0.04),
        ("time", ["1700000000", "1700000000.04", "1700000000.08"], 0.04),
        ("time", ["1700000000000", "1700000000040", "1700000000080"], 0.04),
        ("time", ["1700000000000000", "1700000000040000", "1700000000080000"], 0.04),
        ("time [s]", ["0", "40000000", "80000000"], 4e7),
        ("time [ms]", ["0", "40", "80"], 0.04),
        ("time [us]", ["0", "40000", "80000"], 0.04),
        ("time [ns]", ["0", "40", "80"], 4e-8),
        ("time", ["1700000000000000000", "1700000000040000000", "1700000000080000000"], 0.04),
    ] {
        let text = format!("{header},x\n{},1\n{},1\n{},1\n", stamps[0], stamps[1], stamps[2]);
        let log = read(&text, &ReadOptions::default()).unwrap();
        let found = log.episodes[0].time_secs[1] - log.episodes[0].time_secs[0];
        // Seconds since 1970 are doubles of 2.4e-7 s resolution.
        let tolerance = if stamps[0].len() > 1 { 3e-7 } else { 1e-12 * step };
        assert!((found - step).abs() <= tolerance, "{header} {stamps:?}: {found}");
    }
}

#[test]
fn channels_are_selected_by_pattern() {
    let text = "time,q_a,q_b,label,v_a\n0,1,2,on,3\n1,1,2,off,3\n";
    let names = |list: &[&str]| list.iter().map(|s| s.to_string()).collect::<Vec<_>>();
    let options = ReadOptions { channels: Some(names(&["v_*", "q_*"])), ignore: names(&["*_b"]), ..Default::default() };
    let log = read(text, &options).unwrap();
    assert_eq!(log.channels.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["q_a", "v_a"]);
    assert_eq!(log.episodes[0].values, [1.0, 3.0, 1.0, 3.0]);
    assert!(read(text, &ReadOptions { ignore: names(&["label"]), ..Default::default() }).is_ok());
}

#[test]
fn splitting_begins_new_episodes_at_gaps_and_missing_values() {
    let text = "time,episode,x\n0,a,0\n1,a,1\n2,a,nan\n3,a,3\n4,a,4\n9,a,9\n10,a,10\n0,b,5\n1,b,6\n";
    let log = read(text, &ReadOptions { on_gap: OnGap::Split, ..Default::default() }).unwrap();
    let found: Vec<_> = log.episodes.iter().map(|e| (e.id.as_str(), e.values.to_vec())).collect();
    assert_eq!(
        found,
        [
            ("log/a#1", vec![0.0, 1.0]),
            ("log/a#2", vec![3.0, 4.0]),
            ("log/a#3", vec![9.0, 10.0]),
            ("log/b", vec![5.0, 6.0])
        ]
    );
    // A larger threshold closes the hole in time and the one in the values, which is interpolated.
    let options = ReadOptions { on_gap: OnGap::Split, max_gap: 10.0, ..Default::default() };
    let log = read(text, &options).unwrap();
    assert_eq!(log.episodes.len(), 2);
    assert_eq!(log.episodes[0].values, [0.0, 1.0, 2.0, 3.0, 4.0, 9.0, 10.0]);
}

#[test]
fn folders_are_read_sorted_and_names_stay_apart() {
    let folder = tempfile::tempdir().unwrap();
    for (name, x) in [("b.csv", 1), ("a.csv", 2), ("sub/a.csv", 3), (".hidden.csv", 4), ("notes.txt", 5)] {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, format!("time,x\n0,{x}\n1,{x}\n")).unwrap();
    }
    let log = Recording::read(&[folder.path()], &ReadOptions::default()).unwrap();
    assert_eq!(log.episodes.iter().map(|e| e.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    let log = Recording::read(&[folder.path(), &folder.path().join("sub")], &ReadOptions::default()).unwrap();
    let ids: std::collections::BTreeSet<_> = log.episodes.iter().map(|e| e.id.as_str()).collect();
    assert_eq!(ids.len(), 3, "{ids:?}");
    assert_eq!(log.sources.len(), 3);
}

#[test]
fn the_recorded_rate_is_the_plain_one() {
    for (times, rate) in [
        ((0..200).map(|k| 0.04 * f64::from(k)).collect::<Vec<_>>(), 25.0),
        // 30 Hz in whole milliseconds: the median step is 33 ms.
        ((0..200).map(|k| (f64::from(k) * 1000.0 / 30.0).round() / 1000.0).collect(), 30.0),
        // Nanoseconds since 1970 at 1 kHz.
        ((0..200).map(|k| 1.7e9 + 1e-3 * f64::from(k)).collect(), 1000.0),
        ((0..200).map(|k| 0.03 * f64::from(k)).collect(), 1.0 / 0.03),
    ] {
        assert_eq!(read(&log_at(times), &ReadOptions::default()).unwrap().rate_hz().unwrap(), rate);
    }
}

#[test]
fn a_real_log_is_read_to_the_last_digit() {
    let path = kept("g1_inspire/truth.csv.gz");
    let options = ReadOptions { time_column: Some("t".into()), ..Default::default() };
    let log = Recording::read(&[&path], &options).unwrap();
    let text = unpacked(&path);
    let cells: Vec<f64> =
        text.lines().skip(1).flat_map(|l| l.split(',').skip(1)).map(|c| c.trim().parse().unwrap()).collect();
    assert_eq!(log.channels.len(), 26);
    assert_eq!(log.episodes[0].values, cells);
    assert_eq!(log.rate_hz().unwrap(), 30.0);
    // Taken as they are: the stamps are exact to single precision.
    assert_eq!(Frames::resample(&log, None, 0.02).unwrap().episodes[0].values, cells);
}

#[test]
fn the_dirty_log_is_refused_where_it_is_dirty() {
    let path = kept("g1_inspire/dirty.csv.gz");
    let mut options = ReadOptions { time_column: Some("t".into()), ..Default::default() };
    // The first NaN, in file order.
    let error = Recording::read(&[&path], &options).unwrap_err().to_string();
    assert!(error.contains("line 118, column `kLeftHandMiddle.pos`: found `nan`"), "{error}");
    // Rows 10 and 11 are swapped: line 13 lies before line 12, and splitting does not mend that.
    options.on_gap = OnGap::Split;
    let error = Recording::read(&[&path], &options).unwrap_err().to_string();
    assert!(error.contains("line 13") && error.contains("backwards"), "{error}");
}

/// 60,000 rows of 24 channels, as a minute of a hand at 1 kHz.
#[test]
fn a_large_log_is_read_in_a_second() {
    let mut text = String::from("time");
    (0..24).for_each(|c| text += &format!(",q{c} [rad]"));
    // The last row has no end and does not count.
    for k in 0..60_001 {
        text += &format!("\n{}", f64::from(k) * 1e-3);
        (0..24).for_each(|c| text += &format!(",{:.9}", f64::sin(1e-2 * f64::from(k * (c + 1)))));
    }
    let begin = Instant::now();
    let log = read(&text, &ReadOptions::default()).unwrap();
    let secs = begin.elapsed().as_secs_f64();
    eprintln!("{} MB read in {secs:.3} s", text.len() / 1_000_000);
    assert_eq!(log.episodes[0].time_secs.len(), 60_000);
    // Measured 0.15 s on two idle cores; the limit leaves room for a busy machine.
    assert!(secs < 2.0, "{secs} s");
}

#[test]
fn patterns_stand_for_all_that_fit() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for (name, value) in [("run2.csv", 2), ("run10.csv", 10), ("other.csv", 3), ("[run].csv", 4)] {
        std::fs::write(at(name), format!("time [s],x\n0.0,{value}\n0.1,{value}\n")).unwrap();
    }
    let options = ReadOptions::default();
    let read = |name: &str| {
        let recording = Recording::read(&[at(name)], &options)?;
        Ok::<_, Error>(recording.episodes.into_iter().map(|e| e.id).collect::<Vec<_>>())
    };
    assert_eq!(read("run*.csv").unwrap(), ["run10", "run2"]);
    assert_eq!(read("run?.csv").unwrap(), ["run2"]);
    // A file that is there is no pattern.
    assert_eq!(read("[run].csv").unwrap(), ["[run]"]);
    assert_eq!(Recording::files(&[at("*r*.csv")]).unwrap().len(), 4);
    let none = read("walk*.csv").unwrap_err().to_string();
    assert!(none.contains("walk*.csv") && none.contains("no file or folder that fits"), "{none}");
    assert!(read("run[.csv").is_err());
    let twice = Recording::read(&["-", "-"], &options).unwrap_err().to_string();
    assert!(twice.contains("standard input"), "{twice}");
}
