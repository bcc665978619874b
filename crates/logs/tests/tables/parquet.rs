//! Parquet as pyarrow writes it.

use crate::{ROWS, cell, channels, ids, kept, options, read, refuses, row};
use ebmotion_logs::{OnGap, ReadOptions, Recording};

#[test]
fn every_way_of_writing_has_the_same_numbers() {
    for name in ["none", "snappy_dictionary", "gzip", "lz4", "zstd_pages_v2", "split_streams", "row_groups"] {
        let recording = read(&format!("{name}.parquet"), &ReadOptions::default()).unwrap();
        assert_eq!(channels(&recording), ["x", "y"], "{name}");
        assert_eq!(recording.channels[0].unit.as_deref(), Some("m"));
        let [episode] = &recording.episodes[..] else { panic!("{name}") };
        assert_eq!(episode.id, name);
        for r in 0..ROWS {
            assert_eq!(episode.time_secs[r].to_bits(), (r as f64 / 50.0).to_bits(), "{name}");
            assert_eq!(episode.values[2 * r..2 * r + 2], [cell(0, r), cell(1, r)], "{name}");
        }
        assert!(recording.notes.is_empty(), "{:?}", recording.notes);
    }
}

#[test]
fn every_kind_of_number_is_read() {
    let recording = read("kinds.parquet", &ReadOptions::default()).unwrap();
    let whole = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"];
    let mut expected = whole.to_vec();
    expected.extend(["float16", "float32", "float64", "bool", "decimal", "list[0]", "list[1]", "list[2]", "fixed[0]"]);
    expected.extend(["fixed[1]", "matrix[0]", "matrix[1]", "matrix[2]", "matrix[3]", "pose.x", "pose.y"]);
    assert_eq!(channels(&recording), expected);
    assert_eq!(ids(&recording), ["kinds/a", "kinds/b"]);
    let [a, b] = &recording.episodes[..] else { panic!() };
    let (times, values) = ([&a.time_secs[..], &b.time_secs].concat(), [&a.values[..], &b.values].concat());
    assert_eq!(times.len(), ROWS);
    for (r, found) in values.chunks(expected.len()).enumerate() {
        assert_eq!(times[r].to_bits(), (r as f64 / 50.0).to_bits());
        let mut right = vec![r as f64; whole.len()];
        right.extend([cell(0, r); 3]);
        right.extend([(r % 2) as f64, cell(0, r)]);
        right.extend(row(&[0, 1, 2, 3, 4, 5, 6, 7, 8], r));
        right.extend([cell(0, r), cell(0, r) + 1.0]);
        assert_eq!(found, right, "row {r}");
    }
    assert!(recording.notes[0].contains("`label`, `stamp`"), "{:?}", recording.notes);
}

#[test]
fn only_what_is_asked_for_is_read() {
    let recording = read("kinds.parquet", &options(&["list[1]", "pose.*"])).unwrap();
    assert_eq!(channels(&recording), ["list[1]", "pose.x", "pose.y"]);
    assert_eq!(recording.episodes[1].values[..3], [cell(1, 25), cell(0, 25), cell(0, 25) + 1.0]);
}

#[test]
fn time_stamps_are_the_time() {
    // The only column of time stamps needs no name.
    let recording = read("stamps.parquet", &ReadOptions::default()).unwrap();
    let times = &recording.episodes[0].time_secs;
    for (r, time) in times.iter().enumerate() {
        // A number of this size has steps of 2.4e-7.
        assert!((time - 1.7e9 - r as f64 / 50.0).abs() < 3e-7);
    }
    let number = ReadOptions { time_column: Some("label".into()), ..Default::default() };
    refuses(read("kinds.parquet", &number), &["`label`", "no numbers", "expected numbers"]);
}

#[test]
fn what_only_counts_is_no_channel() {
    let recording = read("lerobot_v21/data/chunk-000/episode_000000.parquet", &ReadOptions::default()).unwrap();
    assert_eq!(ids(&recording), ["episode_000000/0"]);
    assert_eq!(recording.channels.len(), 52);
    assert_eq!(channels(&recording)[25..27], ["observation.state[25]", "action[0]"]);
    assert!(recording.notes[0].contains("`frame_index`, `index`, `task_index`"), "{:?}", recording.notes);
    let asked = read("lerobot_v21/data/chunk-000/episode_000000.parquet", &options(&["frame_index"])).unwrap();
    assert_eq!(asked.episodes[0].values[..3], [0.0, 1.0, 2.0]);
}

#[test]
fn an_empty_cell_is_a_missing_number() {
    refuses(read("holes.parquet", &ReadOptions::default()), &["holes.parquet, line 12, column `x`", "on_gap = split"]);
    let split = ReadOptions { on_gap: OnGap::Split, ..Default::default() };
    let recording = read("holes.parquet", &split).unwrap();
    assert_eq!(channels(&recording), ["x", "list[0]", "list[1]"]);
    let lengths: Vec<usize> = recording.episodes.iter().map(|e| e.time_secs.len()).collect();
    assert_eq!(lengths, [11, 9, 8, 9]);
    assert_eq!(recording.episodes[2].values[..3], [cell(0, 22), cell(1, 22), cell(1, 22)]);
}

#[test]
fn lists_of_another_length_are_refused() {
    let parts = ["ragged.parquet, line 10, column `list`", "a list of 3 numbers", "2 as in the first row"];
    refuses(read("ragged.parquet", &ReadOptions::default()), &parts);
}

#[test]
fn packed_and_in_memory_it_is_the_same_log() {
    let bytes = std::fs::read(kept("kinds.parquet")).unwrap();
    let whole = read("kinds.parquet", &ReadOptions::default()).unwrap();
    let memory = Recording::from_bytes("kinds.parquet", &bytes, &ReadOptions::default()).unwrap();
    assert_eq!(whole.episodes, memory.episodes);
    let folder = tempfile::tempdir().unwrap();
    let packed = folder.path().join("kinds.parquet.gz");
    let mut file = flate2::write::GzEncoder::new(std::fs::File::create(&packed).unwrap(), Default::default());
    std::io::Write::write_all(&mut file, &bytes).unwrap();
    file.finish().unwrap();
    assert_eq!(Recording::read(&[packed], &ReadOptions::default()).unwrap().episodes, whole.episodes);
}
