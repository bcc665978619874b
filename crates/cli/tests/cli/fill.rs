//! Gaps that are filled: every one of a log, one that was asked for, and what cannot be.

use super::*;

/// The log of `log` with rows and cells missing: frames 30 to 33 of episode 2, and `q_b` of frames 50 and 51 there.
fn gappy(folder: &Path) {
    let text = std::fs::read_to_string(log(folder, "log.csv")).unwrap();
    let mut kept = String::new();
    for line in text.lines() {
        let cells: Vec<&str> = line.split(',').collect();
        let frame = cells[1].parse::<f64>().map_or(0, |secs| (secs / 0.05).round() as usize);
        match (cells[0], frame) {
            ("2", 30..=33) => {}
            ("2", 50 | 51) => kept += &format!("{},{},{},\n", cells[0], cells[1], cells[2]),
            _ => kept += &format!("{line}\n"),
        }
    }
    std::fs::write(folder.join("gappy.csv"), kept).unwrap();
}

fn table(folder: &Path, name: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(folder.join(name)).unwrap();
    text.lines().map(|line| line.split(',').map(str::to_string).collect()).collect()
}

#[test]
fn every_gap_of_a_log_is_filled_in_its_own_time() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    trained(f);
    gappy(f);
    let fill = ["fill", "m.safetensors", "gappy.csv", "--samples", "3", "--seed", "7", "-o"];
    succeeds(f, &[&fill[..], &["a.csv"]].concat());
    let rows = table(f, "a.csv");
    assert_eq!(rows[0].join(","), "episode,sample,step,time [s],ahead [s],q_a [rad],q_b [rad]");
    assert_eq!(rows.len(), 1 + 3 * (4 + 2));
    assert_eq!(rows[1][..5], ["gappy/2", "0", "1", "1.500000", "0.050000"]);
    // Where only one channel is missing the other is as it was.
    let known = table(f, "log.csv").into_iter().find(|row| row[0] == "2" && row[1] == "2.50").unwrap();
    let filled = rows.iter().find(|row| row[3] == "2.500000").unwrap();
    assert!((filled[5].parse::<f64>().unwrap() - known[2].parse::<f64>().unwrap()).abs() < 1e-6);
    succeeds(f, &[&fill[..], &["b.csv"]].concat());
    assert_eq!(rows, table(f, "b.csv"), "one seed");
    succeeds(f, &[&fill[..], &["a.json"]].concat());
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(f.join("a.json")).unwrap()).unwrap();
    assert_eq!(json.as_array().unwrap().len(), 2);
    assert_eq!(json[0]["samples"][0].as_array().unwrap().len(), 4);
    assert_eq!(json[0]["history"].as_array().unwrap().len(), 4, "what the model read before");
    // The model's own reading refuses the log as before.
    refuses(f, &["predict", "m.safetensors", "gappy.csv", "-o", "c.csv"], &["gappy.csv", "on-gap"]);
}

#[test]
fn a_gap_that_is_asked_for_lies_beside_the_truth() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    trained(f);
    let fill = ["fill", "m.safetensors", "log.csv", "--samples", "2", "--episode", "3", "--gap"];
    succeeds(f, &[&fill[..], &["1s..1.5s", "-o", "a.json"]].concat());
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(f.join("a.json")).unwrap()).unwrap();
    assert_eq!(json["episode"], "log/3");
    assert_eq!(json["samples"].as_array().unwrap().len(), 2);
    assert_eq!(json["truth"].as_array().unwrap().len(), 10);
    let one = [&fill[..], &["20f..30f", "--missing-channels", "*_b", "-o", "b.json"]].concat();
    succeeds(f, &one);
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(f.join("b.json")).unwrap()).unwrap();
    let (drawn, truth) = (&json["samples"][0][4], &json["truth"][4]);
    assert_eq!(drawn[0], truth[0], "a known channel stays");
    assert_ne!(drawn[1], truth[1]);
}

#[test]
fn what_cannot_be_filled_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    trained(f);
    let fill =
        |extra: &[&'static str]| -> Vec<&'static str> { [&["fill", "m.safetensors", "log.csv"][..], extra].concat() };
    for (extra, parts) in [
        (&["-o", "a.txt"][..], &[".csv or .json"][..]),
        (&["-o", "log.csv"], &["never replaces what it reads"]),
        (&["-o", "a.csv"], &["gaps of `log.csv`", "--gap"]),
        (&["-o", "a.csv", "--gap", "2s"], &["2.0s..2.6s"]),
        (&["-o", "a.csv", "--gap", "3s..5s"], &["gap", "80 frames"]),
        (&["-o", "a.csv", "--gap", "2s..1s"], &["gap"]),
        (&["-o", "a.csv", "--gap", "2f..6f"], &["complete frames before", "at least 4"]),
        (&["-o", "a.csv", "--gap", "20f..30f", "--missing-channels", "q_c"], &["q_c", "q_a, q_b"]),
        (&["-o", "a.csv", "--missing-channels", "q_a"], &["--gap"]),
        (&["-o", "a.csv", "--gap", "20f..30f", "--samples", "0"], &["samples"]),
    ] {
        refuses(f, &fill(extra), parts);
    }
    assert!(!f.join("a.csv").exists());
    let paper = ["train", "log.csv", "-o", "p.safetensors", "--preset", "igebm", "--set", "train.steps=5"];
    succeeds(f, &paper);
    let none = ["fill", "p.safetensors", "log.csv", "--gap", "20f..30f", "-o", "a.csv"];
    refuses(f, &none, &["ebm", "without noise levels"]);
}
