//! LeRobot datasets, as LeRobot and a robot's maker wrote them.

use crate::{channels, copied, ids, kept, options, read, refuses};
use ebmotion_logs::{ReadOptions, Recording};
use std::path::Path;

const DATA: &str = "data/chunk-000/file-000.parquet";

/// The first episode of the robot's dataset as text with 17 digits.
fn truth() -> Recording {
    let options = ReadOptions { time_column: Some("t".into()), ..Default::default() };
    Recording::read(&[kept("../g1_inspire/truth.csv.gz")], &options).unwrap()
}

#[test]
fn version_2_has_a_file_an_episode() {
    let recording = read("lerobot_v21", &ReadOptions::default()).unwrap();
    assert_eq!(ids(&recording), ["lerobot_v21/0", "lerobot_v21/1"]);
    assert_eq!((recording.channels.len(), channels(&recording)[0]), (26, "kLeftShoulderPitch"));
    let lengths: Vec<usize> = recording.episodes.iter().map(|e| e.time_secs.len()).collect();
    assert_eq!(lengths, [60, 50]);
    let truth = truth();
    let (found, expected) = (&recording.episodes[0], &truth.episodes[0]);
    assert_eq!(found.time_secs, expected.time_secs[..60]);
    assert_eq!(found.values, expected.values[..60 * 26]);
    assert!(recording.notes[0].contains("left out `action` (26)"), "{:?}", recording.notes);
}

#[test]
fn version_3_has_many_episodes_in_a_file() {
    let recording = read("lerobot_v30", &ReadOptions::default()).unwrap();
    assert_eq!(ids(&recording), ["lerobot_v30/0", "lerobot_v30/1", "lerobot_v30/2"]);
    assert_eq!(channels(&recording), ["shoulder.pos", "elbow.pos", "gripper.pos"]);
    check_version_3(&recording);
}

fn check_version_3(recording: &Recording) {
    for (e, (episode, rows)) in recording.episodes.iter().zip([20, 25, 15]).enumerate() {
        assert_eq!(episode.time_secs.len(), rows);
        for (r, (time, values)) in episode.time_secs.iter().zip(episode.values.chunks(3)).enumerate() {
            assert_eq!(*time, f64::from(r as f32 / 30.0));
            assert_eq!(values, [0.0, 1.0, 2.0].map(|k| (e + r / 8) as f64 + k + (r % 8) as f64 / 8.0));
        }
    }
}

#[test]
fn actions_are_taken_where_they_are_asked_for() {
    let both = read("lerobot_v30", &options(&["*", "action*"])).unwrap();
    let names = ["shoulder.pos", "elbow.pos", "gripper.pos", "action.shoulder.pos", "action.elbow.pos"];
    assert_eq!(channels(&both)[..5], names);
    assert_eq!(both.episodes[1].values[..6], [1.0, 2.0, 3.0, 1.5, 2.5, 3.5]);
    let one = read("lerobot_v30", &options(&["action.elbow.pos"])).unwrap();
    assert_eq!(one.episodes[0].values[..2], [1.5, 1.625]);
    // What places a row is no channel, by whatever name.
    for name in ["index", "frame_index", "task_index", "episode_index", "next.reward", "timestamp"] {
        refuses(read("lerobot_v30", &options(&[name])), &["no channel of this name"]);
    }
}

/// A copy of `lerobot_v30` with another data file.
fn with_data(folder: &Path, data: &str) -> Vec<std::path::PathBuf> {
    let to = folder.join("set");
    copied(&kept("lerobot_v30"), &to);
    std::fs::copy(kept(data), to.join(DATA)).unwrap();
    vec![to]
}

#[test]
fn rows_out_of_place_are_left_out_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let paths = with_data(folder.path(), "lerobot_v30_orphans.parquet");
    let recording = Recording::read(&paths, &ReadOptions::default()).unwrap();
    check_version_3(&recording);
    assert!(recording.notes.iter().any(|n| n.contains("5 rows that belong to no episode")), "{:?}", recording.notes);
}

#[test]
fn a_frame_that_is_not_there_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let paths = with_data(folder.path(), "lerobot_v30_missing.parquet");
    let parts = ["file-000.parquet", "`frame_index`", "frame 11 of episode 1", "frame 10"];
    refuses(Recording::read(&paths, &ReadOptions::default()), &parts);
}

/// Reads a copy of a dataset in which a file has other text.
fn edited(set: &str, file: &str, from: &str, to: &str) -> ebmotion_logs::Result<Recording> {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("set");
    copied(&kept(set), &copy);
    let text = std::fs::read_to_string(copy.join(file)).unwrap();
    assert!(text.contains(from), "{from}");
    std::fs::write(copy.join(file), text.replacen(from, to, 1)).unwrap();
    Recording::read(&[copy], &ReadOptions::default())
}

#[test]
fn descriptions_that_cannot_be_are_refused() {
    let info = "meta/info.json";
    for (set, file, from, to, parts) in [
        ("lerobot_v30", info, "\"v3.0\"", "\"v1.6\"", ["`codebase_version`", "version v1.6"]),
        ("lerobot_v30", info, "\"fps\": 30", "\"fps\": -30", ["`fps`", "-30"]),
        ("lerobot_v30", info, "\"fps\": 30", "\"fps\": 1e999", ["info.json", "JSON that cannot be read"]),
        ("lerobot_v30", info, "\"fps\": 30", "\"fps\": 25", ["0.033333 s apart at 25", "hz = 25"]),
        ("lerobot_v30", info, "\"data/chunk", "\"../data/chunk", ["`data_path`", "within the folder"]),
        ("lerobot_v30", info, "{file_index:03d}", "{file:03d}", ["`data_path`", "`chunk_index` and `file_index`"]),
        (
            "lerobot_v30",
            info,
            "\"observation.state\"",
            "\"observation.staat\"",
            ["`observation.staat`", "no such column"],
        ),
        ("lerobot_v30", info, "\"features\": {", "\"features\": 3, \"f\": {", ["`features`", "a single value"]),
        ("lerobot_v30", info, "[\n                3", "[\n                4", ["3 numbers a row", "4 as in"]),
        (
            "lerobot_v21",
            "meta/episodes.jsonl",
            "60",
            "61",
            ["60 frames of episode 0", "61 as in `meta/episodes.jsonl`"],
        ),
        ("lerobot_v21", "meta/episodes.jsonl", "\"length\"", "\"laenge\"", ["episodes.jsonl, line 1", "`length`"]),
        (
            "lerobot_v21",
            "meta/episodes.jsonl",
            "\"episode_index\": 0",
            "\"episode_index\": 1",
            ["episode 1 twice", "once"],
        ),
    ] {
        refuses(edited(set, file, from, to), &parts);
    }
    // A huge episode number names a file that is not there.
    let error = edited("lerobot_v21", "meta/episodes.jsonl", "\"episode_index\": 0", "\"episode_index\": 4000000000");
    assert_eq!(error.unwrap_err().exit_code(), 2);
}

#[test]
fn the_rate_can_be_given_where_stamps_and_rate_disagree() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("set");
    copied(&kept("lerobot_v30"), &copy);
    let info = std::fs::read_to_string(copy.join("meta/info.json")).unwrap();
    std::fs::write(copy.join("meta/info.json"), info.replace("\"fps\": 30", "\"fps\": 25")).unwrap();
    let recording = Recording::read(&[copy], &ReadOptions { hz: Some(25.0), ..Default::default() }).unwrap();
    assert_eq!(recording.episodes[1].time_secs[..3], [0.0, 0.04, 0.08]);
}

#[test]
fn names_that_cannot_serve_become_numbers() {
    let recording = edited("lerobot_v30", "meta/info.json", "\"elbow.pos\"", "\"shoulder.pos\"").unwrap();
    assert_eq!(channels(&recording)[1], "observation.state[1]");
    assert!(recording.notes[0].contains("`observation.state[0]`"), "{:?}", recording.notes);
}

#[test]
#[ignore = "needs ../shared/data"]
fn a_whole_dataset_is_read_beside_the_project() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/g1_inspire");
    let recording = Recording::read(&[folder], &ReadOptions::default()).unwrap();
    assert_eq!((recording.episodes.len(), recording.channels.len()), (80, 26));
    assert_eq!(recording.episodes.iter().map(|e| e.time_secs.len()).sum::<usize>(), 29_417);
    let truth = truth();
    assert_eq!(recording.episodes[0].time_secs, truth.episodes[0].time_secs);
    assert_eq!(recording.episodes[0].values, truth.episodes[0].values);
}
