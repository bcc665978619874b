//! Logs of ROS on the command line.

use crate::{SMALL, log, refuses, succeeds, train};
use ebmotion::trajectory::{ReadOptions, Recording, WriteOptions};

#[test]
fn a_log_as_mcap_gives_the_model_and_forecast_of_the_same_log_as_csv() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let recording = Recording::read(&[log(f, "log.csv")], &ReadOptions::default()).unwrap();
    recording.write(&f.join("log.mcap"), &WriteOptions { overwrite: true, ..WriteOptions::default() }).unwrap();

    let output = succeeds(f, &["inspect", "log.mcap"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("q_a") && text.contains("rad") && text.contains("20"), "{text}");

    assert!(train(f, "csv.safetensors", &[]).status.success());
    let mut args = vec!["train", "log.mcap", "-o", "mcap.safetensors", "--topic", "/joint_states"];
    args.extend(SMALL);
    succeeds(f, &args);
    let predicted = |model: &str, log: &str, out: &str| {
        succeeds(f, &["predict", model, log, "-o", out, "--horizon", "10f"]);
        std::fs::read_to_string(f.join(out)).unwrap()
    };
    // The same rows, so the same windows, weights and draws.
    let (csv, mcap) =
        (predicted("csv.safetensors", "log.csv", "a.csv"), predicted("mcap.safetensors", "log.mcap", "b.csv"));
    assert!(csv.lines().count() > 10);
    assert_eq!(csv, mcap);
    // The topic that is asked for is the model's too.
    refuses(f, &["predict", "mcap.safetensors", "log.mcap", "-o", "c.csv", "--topic", "/x"], &["log.mcap", "/x"]);
}

#[test]
fn a_log_with_several_topics_asks_for_one() {
    let kept = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/logs/ros/rosbag2/cdr_test_mcap");
    let folder = tempfile::tempdir().unwrap();
    let text = refuses(folder.path(), &["inspect", kept], &["/array_topic", "/test_topic"]);
    assert!(text.contains("`--topic /array_topic`"), "{text}");
    succeeds(folder.path(), &["inspect", kept, "--topic", "/test_topic"]);
}
