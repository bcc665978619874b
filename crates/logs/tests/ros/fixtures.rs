//! The kept logs: a real robot's joint states in every container, and files of ROS 2's own tests.

use crate::{kept, names, refused, topic, truth};
use ebmotion_logs::{ReadOptions, Recording};

fn open(path: &str, options: &ReadOptions) -> ebmotion_logs::Result<Recording> {
    Recording::read(&[kept(path)], options)
}

#[test]
fn joint_states_are_those_of_the_truth_bit_by_bit() {
    let (times, joints, values) = truth();
    for (path, rows) in [
        ("ros/zstd.mcap", 479),
        ("ros/lz4.mcap", 479),
        ("ros/json.mcap", 479),
        ("ros/none.mcap", 40),
        ("ros/none.bag", 40),
        ("ros/bz2.bag", 40),
        ("ros/lz4.bag", 40),
        ("ros/joints", 40),
        ("ros/joints/joints_0.db3", 40),
    ] {
        let log = open(path, &ReadOptions::default()).unwrap();
        assert_eq!(names(&log), joints, "{path}");
        assert_eq!(log.episodes.len(), 1, "{path}");
        let episode = &log.episodes[0];
        assert_eq!(episode.time_secs.len(), rows, "{path}");
        for (row, (found, expected)) in episode.values.chunks(joints.len()).zip(&values).enumerate() {
            let bits = |row: &[f64]| row.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(found), bits(expected), "{path}, row {row}");
        }
        for (found, expected) in episode.time_secs.iter().zip(&times) {
            // Seconds since 1970 are doubles of 2.4e-7 s; the stamps themselves were made from such doubles.
            assert!((found - 1.7e9 - expected).abs() < 5e-7, "{path}: {found} {expected}");
        }
        // A message of JSON has no stamp here.
        let notes: Vec<&str> = log.notes.iter().map(String::as_str).collect();
        let expected: &[&str] = match path {
            "ros/json.mcap" => &["the messages have no `header.stamp`: times are those of the recording"],
            _ => &[],
        };
        assert_eq!(notes, expected, "{path}");
    }
}

#[test]
fn files_of_other_programs_are_read_or_refused() {
    let arrays = topic("/array_topic");
    let none = ReadOptions::default();
    // What is read: a channel with its values.
    for (path, options, channel, values) in [
        ("cdr_test_mcap", &topic("/test_topic"), "int32_value", vec![123.0; 3]),
        ("cdr_test_db3", &topic("/test_topic"), "int32_value", vec![123.0; 3]),
        ("cdr_test_mcap", &arrays, "int32_values[1]", vec![0.0; 4]),
        ("cdr_test_db3", &arrays, "uint64_values[2]", vec![0.0; 4]),
        ("seek_mcap", &none, "int32_value", vec![1.0, 2.0, 3.0, 4.0, 5.0]),
        ("rewriter_a_0.mcap", &none, "uint8_value", vec![100.0; 50]),
    ] {
        let log = open(&format!("ros/rosbag2/{path}"), options).unwrap();
        let place = names(&log).iter().position(|name| *name == channel).unwrap();
        let rows = log.episodes.iter().flat_map(|e| e.values.chunks(log.channels.len()));
        assert_eq!(rows.map(|row| row[place]).collect::<Vec<f64>>(), values, "{path}");
    }
    // What is refused: what was found begins so.
    for (path, options, expected) in [
        ("cdr_test_mcap", &none, "several topics with numbers: `/array_topic` (test_msgs/msg/Arrays, 4 messages)"),
        ("cdr_test_db3", &none, "several topics with numbers"),
        ("wrong_rmw_mcap", &none, "no topic with messages of numbers, only `/array_topic` (test_msgs/msg/Arrays, 4"),
        ("wrong_rmw_db3", &none, "no topic with messages of numbers, only `/array_topic` (test_msgs/msg/Arrays, 4"),
        ("wrong_rmw_mcap", &arrays, "messages written as `wrong_format` on the topic `/array_topic`"),
        ("wrong_rmw_db3", &arrays, "messages written as `wrong_format` on the topic `/array_topic`"),
        ("seek_db3", &none, "no topic with messages of numbers, only `topic1` (test_msgs/BasicTypes, 5 messages"),
        ("seek_db3", &topic("topic1"), "no definition of `test_msgs/BasicTypes` on the topic `topic1`"),
        ("topics_and_services.mcap", &none, "no topic with messages of numbers, only `/add_two_ints/_service_event`"),
        ("talker.mcap", &none, "no topic with messages of numbers, only"),
        ("talker.mcap", &topic("/parameter_events"), "no message on the topic `/parameter_events`"),
        ("talker.mcap", &topic("/x"), "no topic `/x`, only `/parameter_events` (rcl_interfaces/msg/ParameterEvent, 0"),
    ] {
        let (found, _) = refused(open(&format!("ros/rosbag2/{path}"), options));
        assert!(found.starts_with(expected), "{path}: {found}");
    }
}

#[test]
#[ignore = "needs ../shared/data/joint_state_logs"]
fn whole_logs_beside_the_project_are_read() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/joint_state_logs/g1_inspire_ep000");
    let (_, joints, values) = truth();
    for name in ["none.mcap", "lz4.mcap", "zstd.mcap", "json.mcap", "ros1.bag", "rosbag2_db3"] {
        let path = format!("{folder}/g1_inspire_ep000_{name}");
        let log = Recording::read(&[&path], &ReadOptions::default()).unwrap();
        assert_eq!(names(&log), joints, "{path}");
        let bits = |values: &[f64]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&log.episodes[0].values), bits(&values.concat()), "{path}");
    }
}

#[test]
#[ignore = "needs ../shared/data/rosbag2_fixtures"]
fn bags_beside_the_project_are_read_or_refused() {
    let mut open =
        vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/rosbag2_fixtures"))];
    let mut seen = 0;
    while let Some(path) = open.pop() {
        let is_log = path.is_file() || path.join("metadata.yaml").exists();
        if path.is_dir() {
            open.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        let ending = path.extension().map(|e| e.to_string_lossy().into_owned()).unwrap_or_default();
        if is_log && matches!(ending.as_str(), "" | "mcap" | "db3") && !path.ends_with("LICENSE") {
            seen += 1;
            match Recording::read(&[&path], &ReadOptions::default()) {
                Ok(log) => println!("{}: {} channels, {:?}", path.display(), log.channels.len(), log.notes),
                Err(error @ ebmotion_logs::Error::Log { .. }) => println!("{error}"),
                Err(error) => panic!("{error}"),
            }
        }
    }
    assert!(seen >= 30, "{seen}");
}
