//! Arrays of NumPy and HDF5.

use crate::{ROWS, cell, channels, ids, kept, options, read, refuses, row};
use ebmotion_logs::{Frames, ReadOptions, Recording, Split, SplitPart};

fn at_50_hz() -> ReadOptions {
    ReadOptions { hz: Some(50.0), ..Default::default() }
}

/// Episodes hold columns `columns` of rows `rows` at `hz`, one after the other.
#[track_caller]
fn holds(recording: &Recording, hz: f64, columns: &[usize], lengths: &[usize]) {
    let found: Vec<usize> = recording.episodes.iter().map(|e| e.time_secs.len()).collect();
    assert_eq!(found, lengths);
    let mut first = 0;
    for episode in &recording.episodes {
        for (r, values) in episode.values.chunks(columns.len()).enumerate() {
            assert_eq!(episode.time_secs[r].to_bits(), (r as f64 / hz).to_bits());
            assert_eq!(values, row(columns, first + r), "{} row {r}", episode.id);
        }
        first += episode.time_secs.len();
    }
}

#[cfg(feature = "numpy")]
mod numpy {
    use super::*;

    #[test]
    fn what_was_observed_is_the_motion() {
        let recording = read("observed.npz", &at_50_hz()).unwrap();
        assert_eq!(channels(&recording), ["observations[0]", "observations[1]", "observations[2]"]);
        holds(&recording, 50.0, &[0, 1, 2], &[ROWS]);
        let note = "arrays left out: `actions` (40, 2), `rewards` (40), `goal` (3)";
        assert!(recording.notes[0].contains(note), "{:?}", recording.notes);
        let asked = ReadOptions { hz: Some(50.0), ..options(&["observations[1]", "actions*"]) };
        let recording = read("observed.npz", &asked).unwrap();
        assert_eq!(channels(&recording), ["observations[1]", "actions[0]", "actions[1]"]);
        holds(&recording, 50.0, &[1, 9, 10], &[ROWS]);
        refuses(read("observed.npz", &ReadOptions::default()), &["no array of times", "`hz = 100`"]);
    }

    #[test]
    fn an_array_of_times_is_the_time() {
        let recording = read("timed.npz", &ReadOptions::default()).unwrap();
        assert_eq!(channels(&recording), ["q[0]", "q[1]", "dq[0]", "dq[1]"]);
        holds(&recording, 50.0, &[0, 1, 2, 3], &[ROWS]);
        let wrong = ReadOptions { time_column: Some("stamps".into()), ..Default::default() };
        refuses(read("timed.npz", &wrong), &["`stamps`", "no such array", "`q` (40, 2)"]);
    }

    #[test]
    fn arrays_may_end_episodes() {
        let recording = read("ends.npz", &at_50_hz()).unwrap();
        assert_eq!(ids(&recording), ["ends/0", "ends/1"]);
        holds(&recording, 50.0, &[0, 1], &[15, 25]);
    }

    #[test]
    fn every_type_of_number_is_read() {
        let kinds = "i1 u1 little_i2 big_i2 little_u4 big_i8 little_f2 little_f4 big_f4 little_f8 big_f8 bool";
        for name in kinds.split(' ') {
            let recording = read(&format!("{name}.npy"), &at_50_hz()).unwrap();
            assert_eq!(channels(&recording), ["x[0]", "x[1]"]);
            assert_eq!(recording.episodes[0].values, [0.0, 1.0].repeat(ROWS), "{name}");
        }
        holds(&read("fortran.npy", &at_50_hz()).unwrap(), 50.0, &[0, 1, 2], &[ROWS]);
        refuses(read("objects.npy", &at_50_hz()), &["no array of motion"]);
    }

    /// The array of a file with another header.
    fn with_header(header: &str, numbers: usize) -> ebmotion_logs::Result<Recording> {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(vec![0; numbers * 8]);
        Recording::from_bytes("log.npy", &bytes, &at_50_hz())
    }

    #[test]
    fn headers_that_cannot_be_are_refused() {
        let header =
            |descr: &str, shape: &str| format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}");
        assert!(with_header(&header("'<f8'", "(4, 2)"), 8).is_ok());
        for (header, parts) in [
            (header("'<f8'", "(4, 3)"), &["64 bytes after the header", "96 for [4, 3]"][..]),
            (header("'<f8'", "(4, 1)"), &["more bytes after the header", "32"]),
            (header("'<f8'", "(4000000000, 4000000000)"), &["no array of motion"]),
            (header("'<f8'", "(4000000000, 4000)"), &["[4000000000, 4000] numbers", "as many as are there"]),
            (header("'<f8'", "(99999999999999999999, 2)"), &["the header"]),
            (header("'<f8'", "(-4, 2)"), &["the header"]),
            (header("'<c16'", "(4, 1)"), &["no array of motion"]),
            (header("[('a', '<f8')]", "(4,)"), &["no array of motion"]),
            (header("''", "(4, 2)"), &["the header"]),
            ("{'descr': '<f8'}".into(), &["the header"]),
            (header("'<f8'", "4, 2"), &["the header"]),
        ] {
            refuses(with_header(&header, 8), parts);
        }
    }

    #[test]
    #[ignore = "needs ../shared/data"]
    fn demonstrations_are_read_beside_the_project() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/adroit_door");
        let files: Vec<_> = (0..20).map(|i| folder.join(format!("demo_{i:02}.npz"))).collect();
        let options = ReadOptions { hz: Some(100.0), ..Default::default() };
        let recording = Recording::read(&files, &options).unwrap();
        assert_eq!((recording.episodes.len(), recording.channels.len()), (20, 39));
    }
}

#[cfg(feature = "hdf5")]
mod hdf5 {
    use super::*;

    #[test]
    fn a_group_may_be_an_episode() {
        for name in ["robomimic", "robomimic_latest"] {
            let recording = read(&format!("{name}.hdf5"), &ReadOptions::default()).unwrap();
            assert_eq!(channels(&recording), ["eef_pos[0]", "eef_pos[1]", "eef_pos[2]", "joint[0]"]);
            let expected = [("demo_0", 0, 12), ("demo_2", 2, 11), ("demo_10", 10, 9)];
            for (episode, (id, first, rows)) in recording.episodes.iter().zip(expected) {
                assert_eq!((episode.id.clone(), episode.time_secs.len()), (format!("{name}/{id}"), rows));
                for (r, values) in episode.values.chunks(4).enumerate() {
                    assert_eq!(episode.time_secs[r].to_bits(), (r as f64 / 20.0).to_bits());
                    assert_eq!(values, row(&[first, first + 1, first + 2, first + 3], r));
                }
            }
            let notes = recording.notes.join("\n");
            for part in
                ["20 rows a second, by `control_freq`", "`train` 2, `valid` 1; `train`", "`obs/camera` (12, 2, 2, 3)"]
            {
                assert!(notes.contains(part), "{notes}");
            }
        }
        let asked = read("robomimic.hdf5", &options(&["joint*", "actions*"])).unwrap();
        assert_eq!(channels(&asked), ["actions[0]", "actions[1]", "joint[0]"]);
        assert_eq!(asked.episodes[1].values[..3], [cell(50, 0), cell(51, 0), cell(5, 0)]);
        let minari = read("minari.hdf5", &at_50_hz()).unwrap();
        assert_eq!(ids(&minari), ["minari/episode_0", "minari/episode_1"]);
        assert_eq!(minari.episodes[1].values[..4], [10.0, 11.0, 10.125, 11.125]);
    }

    #[test]
    fn the_sets_of_a_mask_are_the_split() {
        let recording = read("robomimic.hdf5", &ReadOptions::default()).unwrap();
        let part = |id: &str| recording.parts[&format!("robomimic/{id}")];
        assert_eq!([part("demo_0"), part("demo_2")], [SplitPart::Train; 2]);
        assert_eq!((part("demo_10"), recording.parts.len()), (SplitPart::Validation, 3));
        let mut frames = Frames::resample(&recording, None, 0.02).unwrap();
        // The order of the episodes: demo_0, demo_2, demo_10. No test set is named: one of the two for training.
        let mut seen = [false; 3];
        for seed in 0..20 {
            let split = Split::by_episode(&frames, 0.1, 0.1, seed).unwrap();
            assert_eq!((split.validation.as_slice(), split.train.len(), split.test.len()), (&[2][..], 1, 1));
            seen[split.test[0]] = true;
            let told = split.told(&frames).unwrap();
            assert!(told.contains("1 for validation") && told.contains("none for the report: drawn"), "{told}");
        }
        assert_eq!(seen, [true, true, false]);
        frames.parts.insert("robomimic/demo_2".into(), SplitPart::Test);
        let split = Split::by_episode(&frames, 0.1, 0.1, 1).unwrap();
        assert_eq!((split.train, split.validation, split.test), (vec![0], vec![2], vec![1]));
        // Episodes of no set: the usual split, with a word; none to train on is refused.
        frames.parts.remove("robomimic/demo_10");
        let split = Split::by_episode(&frames, 0.1, 0.1, 1).unwrap();
        assert!(split.told(&frames).unwrap().contains("leaves out 1 of 3 episodes: another one is drawn"));
        frames.parts = frames.parts.keys().map(|id| (id.clone(), SplitPart::Test)).collect();
        frames.parts.insert("robomimic/demo_10".into(), SplitPart::Validation);
        let error = Split::by_episode(&frames, 0.1, 0.1, 1).unwrap_err().to_string();
        assert!(error.contains("0 for training, 1 for validation, 2 for the report"), "{error}");
    }

    #[test]
    fn arrays_of_the_whole_file() {
        let recording = read("d4rl.hdf5", &at_50_hz()).unwrap();
        assert_eq!(ids(&recording), ["d4rl/0", "d4rl/1", "d4rl/2"]);
        holds(&recording, 50.0, &[0, 1, 2], &[10, 15, 15]);
        let asked = read("d4rl.hdf5", &ReadOptions { hz: Some(50.0), ..options(&["infos/qpos*"]) }).unwrap();
        assert_eq!(channels(&asked), ["infos/qpos[0]", "infos/qpos[1]"]);
        let recording = read("aloha.hdf5", &at_50_hz()).unwrap();
        assert_eq!(channels(&recording), ["qpos[0]", "qpos[1]", "qvel[0]", "qvel[1]"]);
        holds(&recording, 50.0, &[0, 1, 2, 3], &[ROWS]);
        refuses(read("aloha.hdf5", &ReadOptions::default()), &["no array of times", "hz = 100"]);
    }

    #[test]
    fn a_file_after_a_block_of_the_users_is_told_by_its_content() {
        let bytes = std::fs::read(kept("aloha.hdf5")).unwrap();
        let named = Recording::from_bytes("log.bin", &bytes, &at_50_hz()).unwrap();
        assert_eq!(named.channels.len(), 4);
    }
}
