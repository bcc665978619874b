//! Bags of ROS 2: split, packed as files, packed message by message.

use crate::build::{Topic, at, mcap, positions};
use crate::{kept, names, refused};
use ebmotion_logs::{ReadOptions, Recording};
use std::path::Path;

fn metadata(folder: &Path, files: &[&str], more: &str) {
    let files: String = files.iter().map(|file| format!("    - {file}\n")).collect();
    let text = format!("rosbag2_bagfile_information:\n  version: 5\n  relative_file_paths:\n{files}{more}");
    std::fs::write(folder.join("metadata.yaml"), text).unwrap();
}

fn open(folder: &Path) -> ebmotion_logs::Result<Recording> {
    Recording::read(&[folder], &ReadOptions::default())
}

#[test]
fn a_split_bag_is_one_log_in_the_order_of_its_metadata() {
    let folder = tempfile::tempdir().unwrap();
    // The second file has another number for the topic.
    let other =
        || Topic { name: "/text", of: "std_msgs/msg/String", text: "string data", encoding: "cdr", metadata: &[] };
    let rows = |range: std::ops::Range<u64>, channel| -> Vec<_> {
        range.map(|row| (channel, at(row), positions(at(row), "", &["a", "b"], &[row as f64, 0.5]))).collect()
    };
    std::fs::write(folder.path().join("z.mcap"), mcap(&[Topic::joints("/j")], &rows(0..4, 0))).unwrap();
    std::fs::write(folder.path().join("a.mcap"), mcap(&[other(), Topic::joints("/j")], &rows(4..7, 1))).unwrap();
    metadata(folder.path(), &["z.mcap", "a.mcap"], "");
    let log = open(folder.path()).unwrap();
    assert_eq!(names(&log), ["a", "b"]);
    let first: Vec<f64> = log.episodes[0].values.iter().step_by(2).copied().collect();
    assert_eq!((log.episodes.len(), first), (1, (0..7).map(f64::from).collect()));
    assert_eq!(log.sources[0].path, folder.path().display().to_string());

    metadata(folder.path(), &["z.mcap", "b.mcap"], "");
    let (found, expected) = refused(open(folder.path()));
    assert!(found.ends_with("b.mcap`") && expected == "the files that metadata.yaml names", "{found}: {expected}");
    metadata(folder.path(), &["z.bin"], "");
    std::fs::write(folder.path().join("z.bin"), "x").unwrap();
    assert!(refused(open(folder.path())).0.starts_with("a file of another kind"));
    metadata(folder.path(), &[], "");
    assert_eq!(refused(open(folder.path())).0, "no file named in metadata.yaml");
}

#[test]
fn packed_bags() {
    let plain = Recording::read(&[kept("ros/joints")], &ReadOptions::default()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let whole = std::fs::read(kept("ros/joints/joints_0.db3")).unwrap();
    let packed = zstd::encode_all(whole.as_slice(), 3).unwrap();
    std::fs::write(folder.path().join("joints_0.db3.zstd"), &packed).unwrap();
    let mode = |mode: &str| format!("  compression_format: zstd\n  compression_mode: {mode}\n");
    metadata(folder.path(), &["joints_0.db3.zstd"], &mode("FILE"));
    assert_eq!(open(folder.path()).unwrap().episodes[0].values, plain.episodes[0].values);
    std::fs::write(folder.path().join("joints_0.db3.zstd"), &packed[..packed.len() / 2]).unwrap();
    assert!(refused(open(folder.path())).0.starts_with("a damaged file"));

    std::fs::write(folder.path().join("joints_0.db3"), &whole).unwrap();
    metadata(folder.path(), &["joints_0.db3"], &mode("message"));
    assert!(refused(open(folder.path())).0.starts_with("a message that cannot be unpacked"));
    let database = rusqlite::Connection::open(folder.path().join("joints_0.db3")).unwrap();
    let mut all = database.prepare("SELECT id, data FROM messages").unwrap();
    let messages: Vec<(i64, Vec<u8>)> =
        all.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(|row| row.unwrap()).collect();
    for (id, message) in messages {
        let packed = zstd::encode_all(message.as_slice(), 3).unwrap();
        database.execute("UPDATE messages SET data = ?1 WHERE id = ?2", rusqlite::params![packed, id]).unwrap();
    }
    drop(all);
    drop(database);
    assert_eq!(open(folder.path()).unwrap().episodes[0].values, plain.episodes[0].values);
}

#[test]
fn databases_from_memory_and_without_definitions() {
    let plain = Recording::read(&[kept("ros/joints")], &ReadOptions::default()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a?b#c%20.db3");
    std::fs::copy(kept("ros/joints/joints_0.db3"), &path).unwrap();
    let database = rusqlite::Connection::open(&path).unwrap();
    database.execute("DROP TABLE message_definitions", []).unwrap();
    drop(database);
    let log = Recording::read(&[&path], &ReadOptions::default()).unwrap();
    assert_eq!(log.episodes[0].values, plain.episodes[0].values);
    let bytes = std::fs::read(&path).unwrap();
    let log = Recording::from_bytes("x.db3", &bytes, &ReadOptions::default()).unwrap();
    assert_eq!(log.episodes[0].values, plain.episodes[0].values);

    let database = rusqlite::Connection::open(&path).unwrap();
    database.execute("ALTER TABLE messages RENAME TO m", []).unwrap();
    database.execute("CREATE VIEW messages AS SELECT * FROM m", []).unwrap();
    drop(database);
    let (found, _) = refused(Recording::read(&[&path], &ReadOptions::default()));
    assert_eq!(found, "a database without a table `messages`");
}
