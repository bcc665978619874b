//! Files cut anywhere, changed anywhere, and lying about their lengths.

use crate::build::{Topic, at, mcap, mcap_with, positions};
use crate::{kept, read, refused};
use ebmotion_logs::{Error, Recording};

/// The logs that are cut, by what stands for their paths.
const FILES: [&str; 8] =
    ["zstd.mcap", "lz4.mcap", "json.mcap", "none.mcap", "none.bag", "bz2.bag", "lz4.bag", "joints/joints_0.db3"];

fn bytes(file: &str) -> Vec<u8> {
    std::fs::read(kept(&format!("ros/{file}"))).unwrap()
}

/// Some numbers below `below`, the same ones every time.
fn some(count: usize, below: usize) -> impl Iterator<Item = usize> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    (0..count).map(move |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    })
}

#[track_caller]
fn rows(log: &Recording) -> usize {
    log.episodes.iter().map(|e| e.time_secs.len()).sum()
}

#[test]
fn every_cut_is_an_error_or_a_note_and_what_is_read_is_right() {
    for file in FILES {
        let whole = bytes(file);
        let full = read(file, &whole).unwrap();
        let (mut refusals, mut parts) = (0, 0);
        for cut in (0..200).chain(some(400, whole.len())).map(|cut| cut.min(whole.len() - 1)) {
            match read(file, &whole[..cut]) {
                Err(error) => {
                    assert!(matches!(error, Error::Log { .. }), "{file} cut at {cut}: {error}");
                    refusals += 1;
                }
                Ok(log) => {
                    let read = rows(&log);
                    assert_eq!(log.channels, full.channels, "{file} cut at {cut}");
                    assert_eq!(log.episodes[0].values, full.episodes[0].values[..log.episodes[0].values.len()]);
                    assert_eq!(log.episodes[0].time_secs, full.episodes[0].time_secs[..read]);
                    // A cut behind the messages loses nothing.
                    let told = log.notes.iter().any(|note| note.contains("cut off or damaged at byte"));
                    assert!(told || read == rows(&full), "{file} cut at {cut}: {read} rows, {:?}", log.notes);
                    parts += 1;
                }
            }
        }
        println!("{file}: {refusals} refused, {parts} read in part");
        assert!(refusals > 100 && (parts > 200 || file.ends_with(".db3")), "{file}: {refusals} {parts}");
    }
}

#[test]
fn changed_bytes_never_break_the_reader() {
    for file in FILES {
        let whole = bytes(file);
        let full = read(file, &whole).unwrap();
        let mut log = whole.clone();
        for (at, bit) in some(400, whole.len()).zip((0..8).cycle()) {
            log[at] ^= 1 << bit;
            let found = read(file, &log);
            log[at] = whole[at];
            // Checksums tell every change inside a chunk of MCAP: whole chunks are lost, and no value is another.
            if let (Ok(found), true) = (found, file.ends_with(".mcap")) {
                let all = &full.episodes[0].values;
                let width = full.channels.len();
                if found.channels == full.channels {
                    let mut expected = all.chunks(width);
                    for row in found.episodes.iter().flat_map(|e| e.values.chunks(width)) {
                        assert!(expected.any(|e| e == row), "{file}, byte {at}, bit {bit}: another row");
                    }
                }
            }
        }
    }
}

#[test]
fn lengths_that_lie_take_no_memory() {
    for file in FILES {
        let whole = bytes(file);
        let before = peak_kb();
        for at in some(150, whole.len() - 8).chain(0..60) {
            let mut log = whole.clone();
            for lie in [[0xff; 8], [0, 0, 0, 0, 0, 1, 0, 0], [0, 0, 0, 0x70, 0, 0, 0, 0]] {
                log[at..at + 8].copy_from_slice(&lie);
                let _ = read(file, &log);
            }
        }
        assert!(peak_kb() < before + 400_000, "{file}: {} kB more", peak_kb() - before);
    }
}

/// The most memory that this process ever had, kB.
fn peak_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_damaged_chunk_is_left_out_and_told() {
    let rows: Vec<_> =
        (0..300).map(|row| (0, at(row), positions(at(row), "", &["a", "b"], &[row as f64, 0.5]))).collect();
    let options = || mcap::WriteOptions::new().chunk_size(Some(2000)).compression(None);
    let whole = mcap_with(options(), &[Topic::joints("/j")], &rows);
    let value = 150.0_f64.to_le_bytes();
    let place = whole.windows(8).position(|window| window == value).unwrap();
    let mut log = whole.clone();
    log[place] = 1;
    let (found, expected) = refused(read("x.mcap", &log));
    assert!(found.starts_with("a gap of") && expected.contains("on_gap = split"), "{found} {expected}");
    let split = ebmotion_logs::ReadOptions { on_gap: ebmotion_logs::OnGap::Split, ..Default::default() };
    let log = Recording::from_bytes("x.mcap", &log, &split).unwrap();
    assert_eq!(log.episodes.len(), 2);
    let all: Vec<f64> = log.episodes.iter().flat_map(|e| e.values.iter().step_by(2).copied()).collect();
    assert!(all.len() < 300 && all.iter().all(|x| *x != 150.0), "{}", all.len());
    let [note, gap] = log.notes.as_slice() else { panic!("{:?}", log.notes) };
    assert!(gap.starts_with("1 gap in time"), "{gap}");
    assert!(note.starts_with("a damaged chunk (checksum "), "{note}");
    assert!(note.ends_with(&format!(") is left out, with {} messages or more", 300 - all.len())), "{note}");

    // The channel is described in the first chunk and in the summary, or in the first chunk alone.
    let place = whole.windows(8).position(|window| window == 3.0_f64.to_le_bytes()).unwrap();
    let mut log = whole.clone();
    log[place] = 1;
    let recording = read("x.mcap", &log).unwrap();
    assert!(recording.notes[0].starts_with("a damaged chunk (checksum ") && recording.notes.len() == 1);
    assert_eq!(recording.episodes[0].values.last(), Some(&0.5));
    assert!(recording.episodes[0].values[0] > 3.0 && recording.episodes[0].time_secs.len() > 250);
    log.truncate(log.len() - 20);
    let (found, _) = refused(read("x.mcap", &log));
    let start = "no message on the topic `/j` that could be read, and 2";
    assert!(found.starts_with(start) && found.ends_with(" of channels that it does not describe"), "{found}");
}

#[test]
fn a_channel_told_twice_and_differently_is_refused() {
    let message = |row: u64| (0, at(row), positions(at(row), "", &["a"], &[row as f64]));
    let mut log = mcap_with(mcap::WriteOptions::new().use_chunks(false), &[Topic::joints("/j1")], &[message(0)]);
    let other = log.windows(3).rposition(|window| window == b"/j1").unwrap();
    log[other + 2] = b'2';
    // The summary's checksum is not what tells it.
    let found = refused(Recording::from_bytes("x.mcap", &log, &crate::topic("/j2"))).0;
    let of = |topic: &str| format!("{topic} sensor_msgs/msg/JointState cdr");
    assert_eq!(found, format!("channel 0 first as {}, then as {}", of("/j2"), of("/j1")));
}

#[test]
fn files_without_an_index_or_chunks_are_read() {
    let rows: Vec<_> = (0..20).map(|row| (0, at(row), positions(at(row), "", &["a"], &[row as f64]))).collect();
    let bare = mcap::WriteOptions::new().use_chunks(false).emit_statistics(false).emit_summary_offsets(false);
    let full = read("x.mcap", &mcap(&[Topic::joints("/j")], &rows)).unwrap();
    let log = read("x.mcap", &mcap_with(bare, &[Topic::joints("/j")], &rows)).unwrap();
    assert_eq!((log.episodes, log.notes), (full.episodes.clone(), Vec::new()));
    // A packed file has no end to seek to.
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, &mcap(&[Topic::joints("/j")], &rows)).unwrap();
    let log = read("x.mcap.gz", &packed.finish().unwrap()).unwrap();
    assert_eq!(log.episodes[0].values, full.episodes[0].values);
    // A bag that was never closed.
    let mut bag = bytes("none.bag");
    let field = bag.windows(10).position(|window| window == b"index_pos=").unwrap() + 10;
    let index = u64::from_le_bytes(bag[field..field + 8].try_into().unwrap()) as usize;
    bag[field..field + 8].fill(0);
    bag.truncate(index);
    let log = read("x.bag", &bag).unwrap();
    assert_eq!((rows_of(&log), log.notes), (40, vec!["the bag was not closed: it has no index".to_string()]));
}

fn rows_of(log: &Recording) -> usize {
    rows(log)
}

#[test]
fn files_without_messages_are_refused() {
    assert_eq!(refused(read("x.mcap", &mcap(&[], &[]))).0, "no topic and no message");
    assert_eq!(refused(read("x.bag", b"#ROSBAG V2.0\n")).0, "no topic and no message");
    let (found, expected) = refused(read("x.bag", b"#ROSBAG V1.2\n........."));
    assert_eq!(found, "another version of the format than 2.0");
    assert_eq!(expected, "a bag of version 2.0 (`rosbag fix` brings it there)");
    assert_eq!(refused(read("x.db3", b"SQLite format 3\0")).0, "a database of 16 bytes");
}
