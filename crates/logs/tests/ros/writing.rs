//! What is written as MCAP comes back.

use crate::{kept, names, read};
use ebmotion_logs::{Channel, Episode, Error, ReadOptions, Recording, WriteOptions};

fn recording(names: &[&str], episodes: &[&[f64]]) -> Recording {
    let channel = |name: &&str| Channel { name: name.to_string(), unit: Some("rad".into()), period: None };
    let episode = |(number, times): (usize, &&[f64])| Episode {
        id: format!("day/{number}"),
        time_secs: times.to_vec(),
        values: (0..times.len() * names.len()).map(|i| (0.1 * i as f64 + number as f64).sin()).collect(),
    };
    Recording {
        channels: names.iter().map(channel).collect(),
        episodes: episodes.iter().enumerate().map(episode).collect(),
        sources: Vec::new(),
        notes: Vec::new(),
        parts: Default::default(),
    }
}

fn there_and_back(recording: &Recording) -> Recording {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.mcap");
    recording.write(&path, &WriteOptions { overwrite: true, ..WriteOptions::default() }).unwrap();
    Recording::read(&[path], &ReadOptions::default()).unwrap()
}

#[test]
fn a_real_log_comes_back_bit_by_bit() {
    let log = Recording::read(&[kept("ros/zstd.mcap")], &ReadOptions::default()).unwrap();
    let back = there_and_back(&log);
    assert_eq!(back.channels, log.channels);
    let bits = |log: &Recording| log.episodes[0].values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&back), bits(&log));
    assert_eq!(back.episodes[0].time_secs, log.episodes[0].time_secs);
    assert_eq!((back.episodes.len(), back.notes.len()), (1, 0));
}

#[test]
fn episodes_units_velocities_and_efforts_come_back() {
    let both = ["a", "b", "a.velocity", "b.velocity", "a.effort", "b.effort"];
    // The second channel's velocity is missing: all are positions.
    for channels in [&both[..], &["a", "b", "a.velocity"], &["x.velocity"], &["a", "b.effort"]] {
        let log = recording(channels, &[&[0.0, 0.25, 0.5], &[0.0, 0.25], &[10.0, 10.25]]);
        let back = there_and_back(&log);
        assert_eq!(names(&back), channels);
        assert_eq!(back.channels, log.channels);
        let ids: Vec<&str> = back.episodes.iter().map(|e| e.id.as_str()).collect();
        assert_eq!(ids, ["log/day/0", "log/day/1", "log/day/2"]);
        for (back, log) in back.episodes.iter().zip(&log.episodes) {
            assert_eq!((&back.time_secs, &back.values), (&log.time_secs, &log.values));
        }
        assert_eq!(back.notes, Vec::<String>::new());
    }
}

#[test]
fn a_written_log_that_was_cut_keeps_its_episodes() {
    let times: Vec<f64> = (0..400).map(|k| f64::from(k) * 0.125).collect();
    let log = recording(&["a", "b", "c"], &[&times, &times, &times]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.mcap");
    log.write(&path, &WriteOptions { overwrite: true, ..WriteOptions::default() }).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let back = read("log.mcap", &bytes[..bytes.len() * 7 / 10]).unwrap();
    let lengths: Vec<usize> = back.episodes.iter().map(|e| e.time_secs.len()).collect();
    assert!(lengths[0] == 400 && lengths.len() < 4 && back.notes.len() == 1, "{lengths:?} {:?}", back.notes);
    for (back, log) in back.episodes.iter().zip(&log.episodes) {
        assert_eq!(back.values, log.values[..back.values.len()]);
    }
}

#[test]
fn times_that_a_stamp_cannot_hold_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.mcap");
    for (times, expected) in [
        ([-1.0, 0.0], "episode `day/0`: found the time -1 s, expected a time from 0 to 2147483647 s, which"),
        ([0.0, 3e9], "episode `day/0`: found the time 3000000000 s, expected"),
        ([0.0, 1e-10], "episode `day/0`: found rows 1 and 2 in one nanosecond, expected steps of at least one"),
    ] {
        let error = recording(&["a"], &[&times])
            .write(&path, &WriteOptions { overwrite: true, ..WriteOptions::default() })
            .unwrap_err();
        assert!(matches!(error, Error::Data { .. }) && error.to_string().starts_with(expected), "{error}");
        assert!(!path.exists());
    }
}
