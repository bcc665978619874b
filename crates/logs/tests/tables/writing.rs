//! What is written is read again, number for number.

use crate::kept;
use ebmotion_logs::{Error, ReadOptions, Recording, WriteOptions};
use std::path::Path;

/// Episodes of different lengths, at exact times, of numbers that single precision does not hold.
fn recording() -> Recording {
    let mut log = String::from("episode,time [s],q_a [rad],x\n");
    for (episode, rows) in [(0, 30), (1, 7), (2, 21)] {
        for row in 0..rows {
            let (time, a) = (f64::from(row) / 25.0, (f64::from(row * 7 + episode) * 0.37).sin());
            log += &format!("{episode},{time},{a},{:e}\n", a.exp() * 10f64.powi(row - 20));
        }
    }
    Recording::from_bytes("log.csv", log.as_bytes(), &ReadOptions::default()).unwrap()
}

fn back(path: &Path) -> Recording {
    Recording::read(&[path], &ReadOptions::default()).unwrap()
}

/// Bit for bit, whatever the files are called.
#[track_caller]
fn same(a: &Recording, b: &Recording) {
    assert_eq!(a.channels, b.channels);
    let last = |id: &str| id.rsplit('/').next().unwrap().to_string();
    assert_eq!(a.episodes.len(), b.episodes.len());
    for (a, b) in a.episodes.iter().zip(&b.episodes) {
        assert_eq!(last(&a.id), last(&b.id));
        let bits = |values: &[f64]| values.iter().map(|v| v.to_bits()).collect::<Vec<u64>>();
        assert_eq!(bits(&a.time_secs), bits(&b.time_secs));
        assert_eq!(bits(&a.values), bits(&b.values));
    }
}

#[test]
fn there_and_back_by_every_format() {
    let recording = recording();
    let folder = tempfile::tempdir().unwrap();
    let mut paths = vec!["a.csv", "a.csv.gz"];
    if cfg!(feature = "parquet") {
        paths.extend(["a.parquet", "a"]);
    }
    for path in paths {
        let path = folder.path().join("deep").join(path);
        assert!(recording.write(&path, &WriteOptions::default()).unwrap().is_empty(), "{path:?}");
        let there = back(&path);
        same(&recording, &there);
        let again = folder.path().join("again.csv");
        there.write(&again, &WriteOptions { overwrite: true, ..Default::default() }).unwrap();
        same(&recording, &back(&again));
    }
    let left: Vec<_> = std::fs::read_dir(folder.path().join("deep")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with('.')), "{left:?}");
}

/// More numbers than are read at a time, on several threads; the last rows are no whole tile.
#[cfg(feature = "parquet")]
#[test]
fn a_table_of_many_numbers_has_each_in_its_place() {
    const WIDTH: usize = 31;
    const LENGTHS: [usize; 3] = [20_011, 7, 9_003];
    let names: String = (0..WIDTH).map(|c| format!(",q_{c}")).collect();
    let mut log = format!("episode,time{names}\n");
    let rows = LENGTHS.iter().enumerate().flat_map(|(episode, rows)| (0..*rows).map(move |row| (episode, row)));
    for (number, (episode, row)) in rows.enumerate() {
        let cells: String = (0..WIDTH).map(|c| format!(",{}", number * WIDTH + c)).collect();
        log += &format!("{episode},{}{cells}\n", row as f64 / 64.0);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.parquet");
    let recording = Recording::from_bytes("log.csv", log.as_bytes(), &ReadOptions::default()).unwrap();
    recording.write(&path, &WriteOptions::default()).unwrap();
    let mut next = 0_u32;
    for (episode, rows) in back(&path).episodes.iter().zip(LENGTHS) {
        assert_eq!((episode.time_secs.len(), episode.values.len()), (rows, rows * WIDTH));
        for value in &episode.values {
            assert_eq!(*value, f64::from(next));
            next += 1;
        }
    }
    assert_eq!(next as usize, LENGTHS.iter().sum::<usize>() * WIDTH);
}

#[test]
fn one_episode_needs_no_column() {
    let log = Recording::from_bytes("arm.csv", b"time,x\n0,1\n0.1,2\n", &ReadOptions::default()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    log.write(&folder.path().join("b.csv"), &WriteOptions::default()).unwrap();
    let text = std::fs::read_to_string(folder.path().join("b.csv")).unwrap();
    assert_eq!(text, "time [s],x\n0,1\n0.1,2\n");
}

#[test]
fn what_is_there_stays_unless_it_is_to_be_replaced() {
    let recording = recording();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.csv");
    std::fs::write(&path, "mine").unwrap();
    let error = recording.write(&path, &WriteOptions::default()).unwrap_err();
    assert!(error.to_string().contains("there already"), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
    recording.write(&path, &WriteOptions { overwrite: true, ..Default::default() }).unwrap();
    same(&recording, &back(&path));
    for wrong in ["log.txt", "log.json", "log.gz"] {
        let error = recording.write(&folder.path().join(wrong), &WriteOptions::default()).unwrap_err();
        assert!(matches!(error, Error::Config { .. }) && error.to_string().contains("`.csv.gz`"), "{error}");
    }
}

#[test]
fn names_that_could_not_be_read_again_are_refused() {
    let mut log = recording();
    log.channels[1].name = "q_a".into();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.csv");
    assert!(log.write(&path, &WriteOptions::default()).unwrap_err().to_string().contains("`q_a`"));
    log.channels[1].name = "time".into();
    assert!(log.write(&path, &WriteOptions::default()).unwrap_err().to_string().contains("`time`"));
    assert!(!path.exists());
}

#[cfg(feature = "parquet")]
mod lerobot {
    use super::*;

    #[test]
    fn a_folder_is_a_dataset_of_version_3() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("set");
        let options = WriteOptions { task: "wave".into(), ..Default::default() };
        recording().write(&path, &options).unwrap();
        let read = |name: &str| std::fs::read(path.join(name)).unwrap();
        let info: serde_json::Value = serde_json::from_slice(&read("meta/info.json")).unwrap();
        assert_eq!(info["codebase_version"], "v3.0");
        assert_eq!((&info["fps"], &info["total_episodes"], &info["total_frames"]), (&25.into(), &3.into(), &58.into()));
        let state = &info["features"]["observation.state"];
        assert_eq!(state["names"], serde_json::json!(["q_a [rad]", "x"]));
        assert_eq!((&state["dtype"], &state["shape"]), (&"float64".into(), &serde_json::json!([2])));
        let stats: serde_json::Value = serde_json::from_slice(&read("meta/stats.json")).unwrap();
        assert_eq!(stats["frame_index"]["max"], serde_json::json!([29.0]));
        assert_eq!(stats["observation.state"]["count"], serde_json::json!([58]));
        let tasks = String::from_utf8_lossy(&read("meta/tasks.parquet")).into_owned();
        assert!(tasks.contains("wave") && tasks.contains("index_columns"));
    }

    #[test]
    fn a_dataset_of_lerobots_comes_back_with_its_actions() {
        let all = ReadOptions { channels: Some(vec!["*".into(), "action*".into()]), ..Default::default() };
        let original = Recording::read(&[kept("lerobot_v30")], &all).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lerobot_v30");
        original.write(&path, &WriteOptions::default()).unwrap();
        let again = Recording::read(&[&path], &all).unwrap();
        same(&original, &again);
        let info: serde_json::Value =
            serde_json::from_slice(&std::fs::read(path.join("meta/info.json")).unwrap()).unwrap();
        // Numbers of single precision stay such.
        for feature in ["observation.state", "action", "timestamp"] {
            assert_eq!(info["features"][feature]["dtype"], "float32", "{feature}");
        }
    }

    #[test]
    fn times_of_no_rate_are_refused() {
        let log = "time,x\n0,1\n0.04,2\n0.081,3\n0.12,4\n";
        let log = Recording::from_bytes("log.csv", log.as_bytes(), &ReadOptions::default()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let error = log.write(&folder.path().join("set"), &WriteOptions::default()).unwrap_err();
        assert!(error.to_string().contains("0.001000 s") && error.to_string().contains("rate_hz = 25"), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn only_a_dataset_takes_the_place_of_a_folder() {
        let overwrite = WriteOptions { overwrite: true, ..Default::default() };
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("mine")).unwrap();
        std::fs::write(folder.path().join("mine/thesis.txt"), "years").unwrap();
        let error = recording().write(&folder.path().join("mine"), &overwrite).unwrap_err();
        assert!(error.to_string().contains("no LeRobot dataset"), "{error}");
        assert!(folder.path().join("mine/thesis.txt").is_file());
        let set = folder.path().join("set");
        recording().write(&set, &overwrite).unwrap();
        std::fs::write(set.join("old"), "").unwrap();
        recording().write(&set, &overwrite).unwrap();
        assert!(!set.join("old").exists());
        same(&recording(), &back(&set));
    }

    #[test]
    fn what_lerobot_cannot_hold_is_told() {
        let log = b"episode,time,x\nup,5,1\nup,5.1,2\ndown,9,1\ndown,9.1,2\n";
        let log = Recording::from_bytes("log.csv", log, &ReadOptions::default()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let notes = log.write(&folder.path().join("set"), &WriteOptions::default()).unwrap().join("\n");
        assert!(notes.contains("begin at 0 s") && notes.contains("`up` is 0, `down` is 1"), "{notes}");
    }
}
