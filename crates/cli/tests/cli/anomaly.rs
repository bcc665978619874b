//! `anomaly`: finds what was done to a log, and says where.

use super::*;
use candle_core::{Device, Tensor};

#[test]
fn a_stuck_joint_is_found_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    trained(f);
    // Joint a of episode 3 stands still from second 2 on.
    let text = std::fs::read_to_string(f.join("log.csv")).unwrap();
    let mut held = String::new();
    let stuck = text.lines().map(|line| {
        let cells: Vec<&str> = line.split(',').collect();
        if cells[0] == "3" && cells[1].parse::<f64>().unwrap() >= 2.0 {
            return format!("3,{},{held},{}\n", cells[1], cells[3]);
        }
        held = cells[2].to_string();
        format!("{line}\n")
    });
    let stuck: String = stuck.collect();
    std::fs::write(f.join("stuck.csv"), stuck).unwrap();
    let rate = ["--false-alarms", "0.12"];
    let with = |extra: &[&'static str]| [&["anomaly", "m.safetensors", "stuck.csv"], &rate[..], extra].concat();
    let printed = succeeds(f, &with(&["-o", "a.csv", "--json"]));
    let json: serde_json::Value = serde_json::from_slice(&printed.stdout).unwrap();
    let windows = json["windows"].as_array().unwrap();
    assert_eq!(windows.len(), 10 * 9, "one of 48 frames every 4 of 80");
    let worst = windows.iter().max_by(|a, b| a["score"].as_f64().unwrap().total_cmp(&b["score"].as_f64().unwrap()));
    let worst = worst.unwrap();
    assert!(worst["episode"].as_str().unwrap().ends_with('3'), "{worst}");
    assert!(worst["end_secs"].as_f64().unwrap() > 2.0, "{worst}");
    assert_eq!(worst["channel"], "q_a", "{worst}");
    assert_eq!(worst["alarm"], true, "{worst}");
    let csv = std::fs::read_to_string(f.join("a.csv")).unwrap();
    assert_eq!(csv.lines().next().unwrap(), "episode,start [s],end [s],score [nats],p_value,alarm,judge,channel");
    assert_eq!(csv.lines().count(), 1 + windows.len());
    let table = String::from_utf8(succeeds(f, &with(&["-o", "a.json"])).stdout).unwrap();
    assert!(table.contains("of 90 windows are strange") && table.contains("q_a"), "{table}");
    let written: serde_json::Value = serde_json::from_slice(&std::fs::read(f.join("a.json")).unwrap()).unwrap();
    assert_eq!(written, json);
}

#[test]
fn what_cannot_be_judged_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    trained(f);
    let refused = |model: &str, extra: &[&str], parts: &[&str]| {
        refuses(f, &[&["anomaly", model, "log.csv"], extra].concat(), parts);
    };
    refused("m.safetensors", &["-o", "x.txt"], &["x.txt", ".csv or .json"]);
    refused("m.safetensors", &["--false-alarms", "0"], &["--false-alarms", "between 0 and 1"]);
    refused("m.safetensors", &["--false-alarms", "1e-9"], &["--false-alarms", "calibrated on"]);
    let mut archive = Archive::load(&f.join("m.safetensors")).unwrap();
    let calibration = archive.tensors.clone();
    archive.tensors.retain(|name, _| !name.starts_with("anomaly/"));
    assert!(archive.tensors.len() < calibration.len());
    archive.save(&f.join("old.safetensors")).unwrap();
    refused("old.safetensors", &[], &["old.safetensors", "without a calibration", "train again"]);
    archive.tensors = calibration.clone();
    // Made before windows had this length.
    for window in [None, Some(Tensor::new(&[32u32], &Device::Cpu).unwrap())] {
        archive.tensors.remove("anomaly/window").unwrap();
        archive.tensors.extend(window.map(|frames| ("anomaly/window".into(), frames)));
        archive.save(&f.join("earlier.safetensors")).unwrap();
        archive.tensors = calibration.clone();
        refused("earlier.safetensors", &[], &["earlier.safetensors", "of an earlier version", "train again"]);
    }
    archive.tensors = calibration;
    archive.tensors.remove("anomaly/channel_swap.mean");
    archive.save(&f.join("damaged.safetensors")).unwrap();
    refused("damaged.safetensors", &[], &["damaged.safetensors", "anomaly/channel_swap.mean"]);
}
