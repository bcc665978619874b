//! Logs as users have them: one long one, with faults that a choice mends, of other channels and rates than a model's.

use super::*;
use ebmotion::trajectory::{ReadOptions, Recording};
use serde_json::Value;

/// Two joints at a time, without units.
fn joints(s: f64) -> [f64; 2] {
    [(3.0 * s).sin(), 0.5 * (5.0 * s + 0.7).cos() + 0.1 * (17.0 * s).sin()]
}

/// A log of `rows` rows at `rate`, `values` of the time, stamps from `begin` on.
fn swing(path: &Path, rows: usize, rate: f64, begin: f64, values: impl Fn(f64) -> Vec<f64>, header: &str) {
    let row = |k: usize| {
        let s = k as f64 / rate;
        let cells: Vec<String> = values(s).iter().map(|v| format!("{v:.6}")).collect();
        format!("{:.4},{}\n", begin + s, cells.join(","))
    };
    let text: String = (0..rows).map(row).collect();
    std::fs::write(path, format!("{header}\n{text}")).unwrap();
}

fn plain(s: f64) -> Vec<f64> {
    joints(s).to_vec()
}

#[track_caller]
fn says(output: &Output, parts: &[&str]) {
    let text = stderr(output);
    assert!(output.status.success(), "{text}");
    assert!(parts.iter().all(|part| text.contains(part)), "{parts:?} in: {text}");
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(all) => all.iter().flat_map(numbers).collect(),
        other => vec![other.as_f64().unwrap()],
    }
}

/// A small model at 20 Hz of joints without units, `m.safetensors`, trained on one log of a minute.
fn trained_on_one_log(f: &Path) -> Output {
    swing(&f.join("log.csv"), 1200, 20.0, 1000.0, plain, "time [s],q_a,q_b");
    train(f, "m.safetensors", &[])
}

#[test]
fn one_long_log_is_trained_and_reported() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let output = trained_on_one_log(f);
    says(
        &output,
        &["note: 1 recorded episode: cut in time into 3 blocks", "(36 frames) apart", "1 kept for the report"],
    );
    let report = ["report", "m.safetensors", "log.csv", "--horizon", "10f", "--baselines", "none", "-o", "r"];
    says(&run(f, &report), &["note: 1 recorded episode: cut in time into 3 blocks"]);
    let notes = reported(f.join("r").as_path())["protocol"]["notes"].to_string();
    assert!(notes.contains("cut in time into 3 blocks"), "{notes}");
    // A log that is too short says how long it would have to be.
    swing(&f.join("short.csv"), 150, 20.0, 0.0, plain, "time [s],q_a,q_b");
    let args = [&["train", "short.csv", "-o", "s.safetensors"][..], &SMALL].concat();
    refuses(f, &args, &["found 1 with 150 frames", "at least 180 frames"]);
    // Two episodes are cut as well.
    swing(&f.join("more.csv"), 400, 20.0, 0.0, |s| plain(s + 100.0), "time [s],q_a,q_b");
    let args = [&["train", "log.csv", "more.csv", "-o", "two.safetensors"][..], &SMALL].concat();
    says(&run(f, &args), &["note: 2 recorded episodes: cut in time into"]);
}

#[test]
fn forecasts_carry_the_time_of_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    trained_on_one_log(f);
    let at = ["predict", "m.safetensors", "log.csv", "--at", "2.5s", "--horizon", "6f", "--samples", "2", "-o"];
    says(&run(f, &[&at[..], &["a.csv"]].concat()), &["from second 2.50 of `log` on, at 1002.500000 s of the log"]);
    succeeds(f, &[&at[..], &["a.json"]].concat());
    let text = std::fs::read_to_string(f.join("a.csv")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("sample,step,time [s],ahead [s],energy [nats],q_a"), "{}", lines[0]);
    assert!(lines[1].starts_with("0,1,1002.500000,0.050000,") && lines[6].starts_with("0,6,1002.750000,0.300000,"));
    let forecast = json(&f.join("a.json"));
    assert_eq!((&forecast["start_secs"], &forecast["time_secs"]), (&2.5.into(), &1002.5.into()));
    // The row of that time is what the first frame of the forecast is held against; the one before was seen.
    let row = |k: usize| joints(k as f64 / 20.0).to_vec();
    let near = |a: &Value, b: Vec<f64>| numbers(a).iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6);
    assert!(near(&forecast["truth"][0], row(50)) && near(&forecast["history"][3], row(49)));
    // From the end of the log: one frame after its last row.
    let end = ["predict", "m.safetensors", "log.csv", "--horizon", "2f", "--samples", "1", "-o", "e.csv"];
    succeeds(f, &end);
    let text = std::fs::read_to_string(f.join("e.csv")).unwrap();
    assert!(text.lines().nth(1).unwrap().starts_with("0,1,1060.000000,0.050000,"), "{text}");
}

#[test]
fn every_horizon_has_an_energy() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    trained_on_one_log(f);
    let predict = |horizon: &str| {
        let args = ["predict", "m.safetensors", "log.csv", "--at", "2.5s", "--samples", "2", "-o", "x.json"];
        succeeds(f, &[&args[..], &["--horizon", horizon]].concat());
        json(&f.join("x.json"))
    };
    // Chunks have four frames: fewer are the beginning of one, with its energy.
    let whole = predict("4f");
    for frames in 1..4 {
        let part = predict(&format!("{frames}f"));
        let first = |of: &Value| -> Vec<f64> {
            of.as_array()
                .unwrap()
                .iter()
                .flat_map(|s| numbers(&Value::from(&s.as_array().unwrap()[..frames])))
                .collect()
        };
        assert_eq!(numbers(&part["samples"]), first(&whole["samples"]));
        assert_eq!(numbers(&part["energies"]), first(&whole["energies"]));
        assert_eq!(numbers(&part["truth_energy"]), numbers(&whole["truth_energy"])[..frames]);
        assert_eq!(numbers(&part["truth"]).len(), 2 * frames);
    }
}

#[test]
fn channels_are_matched_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    trained_on_one_log(f);
    let predict = |log: &str| {
        let args = ["predict", "m.safetensors", log, "--horizon", "4f", "--samples", "2", "-o", "x.json"];
        let output = run(f, &args);
        (output, std::fs::read(f.join("x.json")).ok().map(|_| numbers(&json(&f.join("x.json"))["samples"])))
    };
    let (output, own) = predict("log.csv");
    assert!(output.status.success() && !stderr(&output).contains("note"), "{}", stderr(&output));
    let text = std::fs::read_to_string(f.join("log.csv")).unwrap();
    let cells = |line: &str| line.split(',').map(str::to_string).collect::<Vec<_>>();
    let rows = |of: &dyn Fn(&[String]) -> String, header: &str| -> String {
        let rows = text.lines().skip(1).map(|line| of(&cells(line)));
        std::iter::once(header.to_string()).chain(rows).collect::<Vec<_>>().join("\n") + "\n"
    };
    // Another order, and columns that are no numbers at all.
    let swapped = rows(&|c| format!("{},on,{},{}", c[0], c[2], c[1]), "time [s],mode,q_b,q_a");
    std::fs::write(f.join("swapped.csv"), swapped).unwrap();
    let (output, found) = predict("swapped.csv");
    says(&output, &["note: channels that the model does not know are left out: `mode`"]);
    assert_eq!(found, own);
    // A unit on one side only.
    std::fs::write(f.join("units.csv"), rows(&|c| c.join(","), "time [s],q_a [rad],q_b [rad]")).unwrap();
    let (output, found) = predict("units.csv");
    says(&output, &["note: channels whose unit the model's training did not name", "`q_a` [rad]"]);
    assert_eq!(found, own);
    let with_units = [&["train", "units.csv", "-o", "u.safetensors"][..], &SMALL].concat();
    succeeds(f, &with_units);
    let predict = ["predict", "u.safetensors", "log.csv", "--horizon", "4f", "-o", "y.json"];
    says(&run(f, &predict), &["note: channels without a unit in the log are taken to be in that", "`q_a` [rad]"]);
    std::fs::write(f.join("long.csv"), rows(&|c| c.join(","), "time [s],q_a [radians],q_b [rad]")).unwrap();
    succeeds(f, &["predict", "u.safetensors", "long.csv", "--horizon", "4f", "-o", "y.json"]);
    std::fs::write(f.join("degrees.csv"), rows(&|c| c.join(","), "time [s],q_a [deg],q_b [deg]")).unwrap();
    refuses(f, &["predict", "u.safetensors", "degrees.csv", "-o", "y.csv"], &["`q_a [deg]`", "`q_a [rad]`"]);
    // Missing ones are named, all of them.
    std::fs::write(f.join("other.csv"), rows(&|c| c.join(","), "time [s],left,right")).unwrap();
    refuses(f, &["predict", "m.safetensors", "other.csv", "-o", "y.csv"], &["no channel `q_a`, `q_b`", "`left`"]);
}

#[test]
fn values_far_outside_the_training_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    trained_on_one_log(f);
    swing(&f.join("deg.csv"), 200, 20.0, 0.0, |s| joints(s).map(f64::to_degrees).to_vec(), "time [s],q_a,q_b");
    let predict = ["predict", "m.safetensors", "deg.csv", "--horizon", "4f", "--samples", "2", "-o", "x.json"];
    says(&run(f, &predict), &["warning: channel `q_a`", "warning: channel `q_b`", "times the width of that range"]);
    assert!(json(&f.join("x.json"))["notes"].to_string().contains("channel `q_a`"));
    refuses(f, &[&predict[..], &["--strict"]].concat(), &["channel `q_a`", "--strict"]);
    // One wrong reading two frames before the end.
    let glitch = |s: f64| if (s - 9.9).abs() < 1e-6 { vec![7500.0, joints(s)[1]] } else { plain(s) };
    swing(&f.join("glitch.csv"), 200, 20.0, 0.0, glitch, "time [s],q_a,q_b");
    let predict = ["predict", "m.safetensors", "glitch.csv", "--horizon", "4f", "--samples", "2", "-o", "x.json"];
    says(&run(f, &predict), &["warning: channel `q_a`: 7500.000000 at 9.900 s of `glitch`"]);
    // Long before the forecast it does not matter; and what was seen is not told.
    let output = succeeds(f, &[&predict[..], &["--at", "5s", "--strict"]].concat());
    assert!(!stderr(&output).contains("warning"), "{}", stderr(&output));
}

#[test]
fn unfamiliar_motion_before_a_forecast_is_told_with_its_p_value() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    trained_on_one_log(f);
    let predict = |log: &str, more: &[&str]| {
        let args = ["predict", "m.safetensors", log, "--horizon", "4f", "--samples", "2", "-o", "x.json"];
        run(f, &[&args[..], more].concat())
    };
    let output = predict("log.csv", &["--strict"]);
    says(&output, &[]);
    assert!(!stderr(&output).contains("unfamiliar"), "{}", stderr(&output));
    let usual = json(&f.join("x.json"))["p_value"].as_f64().unwrap();
    assert!(usual > 0.02 && usual <= 1.0, "{usual}");
    // The joints' plugs are exchanged: every value is one that training saw.
    let exchanged = |s: f64| joints(s).into_iter().rev().collect();
    swing(&f.join("exchanged.csv"), 200, 20.0, 0.0, exchanged, "time [s],q_a,q_b");
    says(&predict("exchanged.csv", &[]), &["before the forecast are unfamiliar, p = ", "futures may be wrong"]);
    let forecast = json(&f.join("x.json"));
    assert!(forecast["p_value"].as_f64().unwrap() < usual);
    assert!(forecast["notes"].to_string().contains("unfamiliar"));
    refuses(
        f,
        &[&["predict", "m.safetensors", "exchanged.csv", "-o", "y.json"][..], &["--strict"]].concat(),
        &["unfamiliar"],
    );
    // Too little to judge: no p-value, and no warning.
    let output = predict("exchanged.csv", &["--at", "12f"]);
    says(&output, &[]);
    assert!(!stderr(&output).contains("unfamiliar") && json(&f.join("x.json"))["p_value"].is_null());
}

#[test]
fn a_faster_log_is_thinned_with_a_word_and_a_filter() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    trained_on_one_log(f);
    // 19 Hz fold to 1 Hz where one of ten rows is picked.
    let shaken = |s: f64| joints(s).map(|v| v + 0.2 * (std::f64::consts::TAU * 19.0 * s).sin()).to_vec();
    swing(&f.join("fast.csv"), 4000, 200.0, 0.0, shaken, "time [s],q_a,q_b");
    let args = ["predict", "m.safetensors", "fast.csv", "--at", "10s", "--horizon", "4f", "--samples", "2"];
    let output = run(f, &[&args[..], &["-o", "x.json"]].concat());
    says(&output, &["note: recorded at 200 Hz and thinned to 20 Hz"]);
    let forecast = json(&f.join("x.json"));
    for (k, frame) in forecast["history"].as_array().unwrap().iter().enumerate() {
        let truth = joints((196 + k) as f64 / 20.0);
        for (found, expected) in numbers(frame).iter().zip(truth) {
            assert!((found - expected).abs() < 4e-3, "{k}: {found} {expected}");
        }
    }
}

#[test]
fn what_was_mended_is_told_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    swing(&f.join("log.csv"), 1200, 20.0, 0.0, plain, "time [s],q_a,q_b");
    let text = std::fs::read_to_string(f.join("log.csv")).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines.swap(100, 101);
    lines.insert(300, lines[299]);
    lines.remove(500);
    std::fs::write(f.join("log.csv"), lines.join("\n") + "\n").unwrap();
    let with = |extra: &[&str]| train(f, "m.safetensors", extra);
    let refused = |extra: &[&str], part: &str| {
        let output = with(extra);
        assert!(output.status.code() == Some(2) && stderr(&output).contains(part), "{part}: {}", stderr(&output));
    };
    refused(&[], "--on-backwards sort");
    refused(&["--on-backwards", "sort"], "--on-repeat drop");
    refused(&["--on-backwards", "sort", "--on-repeat", "drop"], "--max-gap 2.1");
    let output = with(&["--on-backwards", "sort", "--on-repeat", "drop", "--max-gap", "2.1"]);
    let notes = ["note: 1 row out of order", "note: 1 row exactly as the row above", "note: 1 step over missing"];
    says(&output, &notes);
    let archive = Archive::load(&f.join("m.safetensors")).unwrap();
    assert_eq!(archive.meta["notes"].as_array().unwrap().len(), 4, "{}", archive.meta["notes"]);
    // The model reads such a log again as it was told, and every verb says so.
    let predict = ["predict", "m.safetensors", "log.csv", "--horizon", "4f", "--samples", "2", "-o", "x.json"];
    says(&run(f, &predict), &notes);
    refuses(f, &[&predict[..], &["--on-repeat", "sometimes"]].concat(), &["sometimes", "spread"]);
}

#[test]
fn one_rate_in_training_and_forecasts() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    type Stamp = fn(usize) -> f64;
    let stamps: [(&str, Stamp); 3] = [
        ("even", |k| k as f64 * 0.01),
        ("turns", |k| 0.01 * (k / 2 * 2) as f64 + 0.006 * (k % 2) as f64),
        ("jitter", |k| 0.01 * k as f64 + 0.0004 * (((k * 7919 + 5) % 13) as f64 / 6.0 - 1.0)),
    ];
    for (name, stamp) in stamps {
        let row = |k: usize| {
            let [a, b] = joints(stamp(k));
            format!("{:.6},{a:.6},{b:.6}\n", stamp(k))
        };
        let text: String = (0..800).map(row).collect();
        std::fs::write(f.join("log.csv"), format!("time [s],q_a,q_b\n{text}")).unwrap();
        let output = train(f, &format!("{name}.safetensors"), &[]);
        says(&output, &["2 channels at 100 Hz"]);
        let predict = ["predict", "even.safetensors", "log.csv", "--horizon", "4f", "--samples", "2", "-o", "x.csv"];
        succeeds(f, &predict);
    }
}

#[test]
fn a_log_comes_by_standard_input() {
    use std::io::Write;
    use std::process::Stdio;
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    trained_on_one_log(f);
    let bytes = std::fs::read(f.join("log.csv")).unwrap();
    let piped = |args: &[&str]| {
        let mut command = ebmotion(f);
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(&bytes).unwrap();
        child.wait_with_output().unwrap()
    };
    let output = piped(&["inspect", "-"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("1200 rows"), "{}", stderr(&output));
    let forecast = ["--horizon", "4f", "--samples", "2", "-o"];
    says(&piped(&[&["predict", "m.safetensors", "-"], &forecast[..], &["piped.json"]].concat()), &[]);
    succeeds(f, &[&["predict", "m.safetensors", "log.csv"], &forecast[..], &["file.json"]].concat());
    assert_eq!(json(&f.join("piped.json"))["samples"], json(&f.join("file.json"))["samples"]);
    says(&piped(&["convert", "-", "piped.csv"]), &[]);
    let read =
        |name: &str| Recording::read(&[f.join(name)], &ReadOptions::default()).unwrap().episodes[0].values.clone();
    assert_eq!(read("piped.csv"), read("log.csv"));
}
