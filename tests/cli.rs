//! The program as a user runs it: the whole way on small logs, bad input, interruption, full disks.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used)]

use ebmotion::train::Archive;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A small model: a run of it takes about a second.
const SMALL: [&str; 12] = [
    "--set",
    "model.hidden=[16]",
    "--set",
    "model.context=4",
    "--set",
    "model.chunk=4",
    "--set",
    "train.steps=60",
    "--set",
    "train.batch=16",
    "--set",
    "train.checkpoint_every=10",
];

fn ebmotion(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ebmotion"));
    command.current_dir(folder).env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

fn run(folder: &Path, args: &[&str]) -> Output {
    ebmotion(folder).args(args).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
fn succeeds(folder: &Path, args: &[&str]) -> Output {
    let output = run(folder, args);
    assert!(output.status.success(), "{args:?}: {}", stderr(&output));
    output
}

/// Exit code 2 and a message with all of `parts`; returns the message.
#[track_caller]
fn refuses(folder: &Path, args: &[&str], parts: &[&str]) -> String {
    let output = run(folder, args);
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{args:?}: {text}");
    for part in parts {
        assert!(text.contains(part), "{args:?}: `{part}` is not in: {text}");
    }
    assert!(!text.contains("panicked"), "{text}");
    text
}

/// Ten episodes of 80 frames at 20 Hz: two joints that swing at their own pace.
fn log(folder: &Path, name: &str) -> PathBuf {
    let mut text = String::from("episode,time [s],q_a [rad],q_b [rad]\n");
    for e in 0..10 {
        let (fast, phase) = (1.0 + 0.05 * f64::from(e), 0.7 * f64::from(e));
        for t in 0..80 {
            let s = f64::from(t) * 0.05;
            let a = (3.0 * fast * s + phase).sin();
            let b = 0.5 * (5.0 * s + phase).cos() + 0.1 * (17.0 * s).sin();
            text += &format!("{e},{s:.2},{a:.5},{b:.5}\n");
        }
    }
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn train(folder: &Path, output: &str, extra: &[&str]) -> Output {
    let mut args = vec!["train", "log.csv", "-o", output];
    args.extend(SMALL);
    args.extend(extra);
    run(folder, &args)
}

fn trained(folder: &Path) {
    log(folder, "log.csv");
    let output = train(folder, "m.safetensors", &[]);
    assert!(output.status.success(), "{}", stderr(&output));
}

/// All numbers of a model, by tensor.
fn weights(path: &Path) -> Vec<(String, Vec<u8>)> {
    let archive = Archive::load(path).unwrap();
    let bytes = |t: &candle_core::Tensor| -> Vec<u8> {
        let t = t.to_dtype(candle_core::DType::F64).unwrap().flatten_all().unwrap();
        t.to_vec1::<f64>().unwrap().iter().flat_map(|v| v.to_le_bytes()).collect()
    };
    archive.tensors.iter().map(|(name, t)| (name.clone(), bytes(t))).collect()
}

fn left_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn the_whole_way_on_a_users_own_log() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    trained(f);
    for name in ["m.safetensors", "m.config.toml", "m.telemetry.jsonl"] {
        assert!(f.join(name).exists(), "{name}");
    }
    assert!(!f.join("m.checkpoint").exists(), "a run that ended needs no checkpoint");
    let telemetry = std::fs::read_to_string(f.join("m.telemetry.jsonl")).unwrap();
    let last: serde_json::Value = serde_json::from_str(telemetry.lines().last().unwrap()).unwrap();
    assert_eq!(last["step"], 60);
    assert!(last["validation"].is_f64() && last["gradient_norm"].is_f64(), "{last}");
    // The settings as resolved give the same run again.
    let again = ["train", "log.csv", "-o", "n.safetensors", "--config", "m.config.toml"];
    succeeds(f, &again);
    assert_eq!(weights(&f.join("m.safetensors")), weights(&f.join("n.safetensors")));

    let predict = ["predict", "m.safetensors", "log.csv", "--horizon", "0.5s", "--samples", "6"];
    let with = |extra: &[&'static str]| -> Vec<&'static str> { predict.iter().chain(extra).copied().collect() };
    succeeds(f, &with(&["--seed", "7", "-o", "a.csv"]));
    succeeds(f, &with(&["--seed", "7", "-o", "b.csv"]));
    succeeds(f, &with(&["--seed", "8", "-o", "c.csv"]));
    let read = |name: &str| std::fs::read_to_string(f.join(name)).unwrap();
    assert_eq!(read("a.csv"), read("b.csv"), "the same seed");
    assert_ne!(read("a.csv"), read("c.csv"), "another seed");
    let csv = read("a.csv");
    assert_eq!(csv.lines().next().unwrap(), "sample,step,time [s],energy [nats],q_a [rad],q_b [rad]");
    assert_eq!(csv.lines().count(), 1 + 6 * 10);

    succeeds(f, &with(&["--at", "2s", "--episode", "3", "-o", "a.json"]));
    let json: serde_json::Value = serde_json::from_str(&read("a.json")).unwrap();
    assert_eq!(json["samples"].as_array().unwrap().len(), 6);
    assert_eq!(json["truth"].as_array().unwrap().len(), 10, "the log goes on after second 2");
    assert_eq!(json["truth_energy"].as_array().unwrap().len(), 10);
    assert_eq!(json["history"].as_array().unwrap().len(), 4);

    let report = succeeds(f, &["report", "m.safetensors", "log.csv", "--horizon", "1s", "--stride", "10", "-o", "r"]);
    let table = String::from_utf8(report.stdout).unwrap();
    let json: serde_json::Value = serde_json::from_str(&read("r/report.json")).unwrap();
    for name in ["ebm", "hold", "velocity", "var", "var_sampled", "fc"] {
        assert!(table.contains(name), "{table}");
        for metric in [
            "frechet_position",
            "frechet_velocity",
            "frechet_window",
            "segment_energy_distance",
            "energy_score",
            "ade_best20",
            "fde_best20",
            "rmse",
        ] {
            let result = &json["forecasters"][name][metric];
            assert!(result["mean"].is_f64(), "{name} {metric}");
            assert_eq!(result["per_step"].as_array().unwrap().len(), 20, "{name} {metric}");
            assert_eq!(result["interval"].as_array().unwrap().len(), 2, "{name} {metric}");
        }
        for key in ["train_seconds", "parameters", "evaluations_per_chunk", "ms_per_window"] {
            assert!(json["cost"][name][key].is_number(), "{name} {key}");
        }
    }
    assert!(json["floor"]["frechet_window"]["mean"].is_f64());
    for key in ["episodes", "windows", "context", "horizon", "samples", "seeds", "data"] {
        assert!(!json["protocol"][key].is_null(), "{key}");
    }
    for name in ["r/report.md", "r/report.html", "r/plots/energy_score.svg", "r/plots/forecast_0.svg"] {
        assert!(!read(name).is_empty(), "{name}");
    }
    assert!(read("r/report.html").contains("<svg"), "the page carries its plots");
}

#[test]
#[cfg(feature = "rerun")]
fn a_forecast_becomes_a_recording() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    trained(f);
    succeeds(f, &["predict", "m.safetensors", "log.csv", "--horizon", "1s", "--samples", "4", "-o", "a.json"]);
    succeeds(f, &["view", "a.json", "-o", "a.rrd"]);
    let bytes = std::fs::read(f.join("a.rrd")).unwrap();
    assert!(bytes.starts_with(b"RRF2"), "rerun's recordings begin so: {:?}", &bytes[..4]);
    refuses(f, &["view", "log.csv", "-o", "b.rrd"], &["log.csv", "expected a forecast"]);
    assert!(!f.join("b.rrd").exists());
}

#[test]
fn the_papers_preset_trains_and_predicts_too() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    log(f, "log.csv");
    let settings = ["--set", "train.steps=30", "--set", "model.hidden=[16,16]", "--set", "model.chunk=2"];
    let mut args = vec!["train", "log.csv", "-o", "p.safetensors", "--preset", "igebm"];
    args.extend(settings);
    succeeds(f, &args);
    let telemetry = std::fs::read_to_string(f.join("p.telemetry.jsonl")).unwrap();
    let last: serde_json::Value = serde_json::from_str(telemetry.lines().last().unwrap()).unwrap();
    for key in ["energy_data", "energy_samples", "energy_gap", "gradient_norm", "chain_moved", "replay_age"] {
        assert!(last[key].is_f64(), "{key} is not in {last}");
    }
    succeeds(f, &["predict", "p.safetensors", "log.csv", "--horizon", "10f", "--samples", "3", "-o", "a.csv"]);
}

#[test]
fn logs_that_are_wrong_are_refused_where_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let rows = |n: usize| (0..n).map(|t| format!("{:.2},{}.5\n", t as f64 * 0.1, t)).collect::<String>();
    let good = format!("time,q\n{}", rows(20));
    let cases: [(&str, String, &[&str]); 12] = [
        ("no time column", good.replace("time", "zeit"), &["line 1", "time"]),
        ("a column twice", "time,q,q\n0,1,1\n1,2,2\n".into(), &["line 1", "`q`"]),
        ("a ragged row", "time,q\n0,1\n0.1,2,3\n0.2,4\n".into(), &["line 3", "3", "2"]),
        ("an empty file", String::new(), &["empty"]),
        ("a cell that is no number", good.replace("3.5", "fast"), &["line 5", "`q`", "fast"]),
        ("a NaN", good.replace("3.5", "NaN"), &["line 5", "`q`", "--on-gap split"]),
        ("an infinite value", good.replace("3.5", "inf"), &["line 5", "`q`"]),
        ("time going back", good.replace("0.30,", "0.15,"), &["line 5", "time"]),
        ("time repeated", good.replace("0.30,", "0.20,"), &["line 5", "time"]),
        ("a gap", good.replace("0.30,3.5\n0.40,4.5\n", ""), &["line 5", "--on-gap split"]),
        ("two rates mixed", two_rates(), &["Hz"]),
        ("an episode shorter than a window", short_episode(), &["short", "6"]),
    ];
    for (what, text, parts) in cases {
        std::fs::write(f.join("log.csv"), text).unwrap();
        let output = train(f, "out/m.safetensors", &[]);
        let message = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{what}: {message}");
        assert!(parts.iter().all(|p| message.contains(p)), "{what}: expected {parts:?} in: {message}");
        assert!(message.contains("expected"), "{what}: {message}");
        let left = left_in(&f.join("out"));
        assert!(left.iter().all(|n| !n.contains("safetensors") && !n.starts_with('.')), "{what} left {left:?}");
    }
    refuses(f, &["train", "nothing.csv", "-o", "m.safetensors"], &["nothing.csv"]);
}

fn two_rates() -> String {
    let mut text = String::from("episode,time,q\n");
    for (episode, step) in [("a", 0.1), ("b", 0.1), ("c", 0.05), ("d", 0.1)] {
        (0..30).for_each(|t| text += &format!("{episode},{:.3},{t}\n", f64::from(t) * step));
    }
    text
}

fn short_episode() -> String {
    let mut text = String::from("episode,time,q\n");
    for (episode, length) in [("a", 30), ("b", 30), ("short", 6), ("d", 30), ("e", 6), ("f", 6), ("g", 6)] {
        (0..length).for_each(|t| text += &format!("{episode},{:.1},{}\n", f64::from(t) * 0.1, (t * t) % 7));
    }
    text
}

#[test]
fn gaps_split_an_episode_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let text = std::fs::read_to_string(log(f, "log.csv")).unwrap();
    // Frame 40 of episode 2 has no value.
    let broken: Vec<String> = text
        .lines()
        .map(|l| if l.starts_with("2,2.00,") { "2,2.00,NaN,0".to_string() } else { l.to_string() })
        .collect();
    std::fs::write(f.join("log.csv"), broken.join("\n")).unwrap();
    assert_eq!(train(f, "m.safetensors", &[]).status.code(), Some(2));
    let output = train(f, "m.safetensors", &["--on-gap", "split"]);
    assert!(output.status.success(), "{}", stderr(&output));
}

#[test]
fn models_that_do_not_fit_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    trained(f);
    let text = std::fs::read_to_string(f.join("log.csv")).unwrap();
    let predict = |model: &str, log: &str, parts: &[&str]| {
        refuses(f, &["predict", model, log, "-o", "x.csv"], parts);
        assert!(!f.join("x.csv").exists());
    };
    std::fs::write(f.join("renamed.csv"), text.replacen("q_b", "q_c", 1)).unwrap();
    predict("m.safetensors", "renamed.csv", &["q_b", "q_c"]);
    std::fs::write(f.join("degrees.csv"), text.replacen("q_b [rad]", "q_b [deg]", 1)).unwrap();
    predict("m.safetensors", "degrees.csv", &["q_b [rad]", "q_b [deg]"]);
    let whole = std::fs::read(f.join("m.safetensors")).unwrap();
    for cut in [0, 5, 100, whole.len() - 3] {
        std::fs::write(f.join("cut.safetensors"), &whole[..cut]).unwrap();
        predict("cut.safetensors", "log.csv", &["cut.safetensors", "expected"]);
    }
    predict("log.csv", "log.csv", &["log.csv", "expected"]);
    predict("none.safetensors", "log.csv", &["none.safetensors"]);
    refuses(f, &["predict", "m.safetensors", "log.csv", "-o", "x.txt"], &["x.txt", ".csv or .json"]);
    refuses(f, &["predict", "m.safetensors", "log.csv", "--episode", "77", "-o", "x.csv"], &["77", "expected one of"]);
    refuses(f, &["predict", "m.safetensors", "log.csv", "--at", "1f", "-o", "x.csv"], &["frame 1"]);
    refuses(f, &["report", "m.safetensors", "log.csv", "--baselines", "gpt", "-o", "r"], &["gpt", "var_sampled"]);
    // Another split would test on what was trained on: a log of the same episodes in another order does that.
    let (header, rows) = text.split_once('\n').unwrap();
    let mut episodes: Vec<Vec<&str>> = vec![Vec::new(); 10];
    rows.lines().for_each(|l| episodes[l.split(',').next().unwrap().parse::<usize>().unwrap()].push(l));
    episodes.rotate_left(3);
    let shuffled = format!("{header}\n{}\n", episodes.concat().join("\n"));
    std::fs::write(f.join("shuffled.csv"), shuffled).unwrap();
    refuses(f, &["report", "m.safetensors", "shuffled.csv", "-o", "r"], &["trained on"]);
}

#[test]
fn settings_that_are_wrong_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    log(f, "log.csv");
    let with = |set: &str, parts: &[&str]| {
        refuses(f, &["train", "log.csv", "-o", "m.safetensors", "--set", set], parts);
    };
    with("train.stepz=3", &["train.stepz", "steps"]);
    with("train.steps=many", &["train.steps", "many"]);
    with("train.steps=0", &["steps", "at least 1"]);
    with("train.optimizer.learning_rate=-1", &["learning_rate", "-1"]);
    with("nonsense", &["nonsense", "KEY=VALUE"]);
    std::fs::write(f.join("bad.toml"), "[train]\nsteps = \n").unwrap();
    refuses(f, &["train", "log.csv", "-o", "m.safetensors", "--config", "bad.toml"], &["bad.toml", "line 2"]);
    let printed = succeeds(f, &["train", "--print-config", "--preset", "igebm", "--set", "train.steps=5"]);
    let text = String::from_utf8(printed.stdout).unwrap();
    assert!(text.contains("steps = 5") && text.contains("kind = \"igebm\""), "{text}");
}

#[test]
fn outputs_that_cannot_be_written_are_found_out_before_the_work() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    trained(f);
    let begun = Instant::now();
    let long = ["--set", "train.steps=1000000"];
    let output = train(f, "log.csv/m.safetensors", &long);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(begun.elapsed() < Duration::from_secs(20), "it trained first");
    let output = train(f, "m.safetensors", &long);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--overwrite"), "{}", stderr(&output));
    refuses(f, &["report", "m.safetensors", "log.csv", "-o", "log.csv/r"], &["log.csv"]);
}

/// A file system without space, as the process sees it: no file may grow beyond 8 blocks.
#[test]
#[cfg(unix)]
fn a_full_disk_leaves_the_old_file_and_no_part_of_a_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    trained(f);
    succeeds(f, &["predict", "m.safetensors", "log.csv", "--samples", "2", "--horizon", "5f", "-o", "a.json"]);
    let old = std::fs::read(f.join("a.json")).unwrap();
    let before = left_in(f);
    // With SIGXFSZ ignored a write beyond the limit fails as a write to a full disk does.
    let script = "trap '' XFSZ; ulimit -f 8; exec \"$0\" predict m.safetensors log.csv --samples 500 -o a.json";
    let output =
        Command::new("sh").args(["-c", script, env!("CARGO_BIN_EXE_ebmotion")]).current_dir(f).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("a.json"), "{}", stderr(&output));
    assert_eq!(std::fs::read(f.join("a.json")).unwrap(), old);
    assert_eq!(left_in(f), before, "nothing half-written stays");
}

/// Starts a long run, waits until its checkpoint is there, sends a signal and waits for the end.
#[cfg(unix)]
fn interrupted(folder: &Path, signal: &str) -> Output {
    let mut args = vec!["train", "log.csv", "-o", "m.safetensors"];
    args.extend(SMALL);
    args.extend(["--set", "train.steps=3000"]);
    let child = ebmotion(folder).args(&args).stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    while !folder.join("m.checkpoint").exists() {
        assert!(begun.elapsed() < Duration::from_secs(60), "no checkpoint after a minute");
        std::thread::sleep(Duration::from_millis(5));
    }
    let status = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(status.success());
    child.wait_with_output().unwrap()
}

#[test]
#[cfg(unix)]
fn an_interrupted_or_killed_run_goes_on_to_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    log(f, "log.csv");
    let more = ["--set", "train.steps=3000"];
    let unbroken = train(f, "whole.safetensors", &more);
    assert!(unbroken.status.success(), "{}", stderr(&unbroken));
    let expected = weights(&f.join("whole.safetensors"));
    for signal in ["-INT", "-KILL"] {
        let output = interrupted(f, signal);
        if signal == "-INT" {
            assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
            assert!(
                stderr(&output).contains("--resume") && stderr(&output).contains("m.checkpoint"),
                "{}",
                stderr(&output)
            );
        }
        assert!(!f.join("m.safetensors").exists(), "the run was to be broken off");
        let forgotten = train(f, "m.safetensors", &more);
        assert_eq!(forgotten.status.code(), Some(2), "a checkpoint is not overwritten by accident");
        let other = train(f, "m.safetensors", &["--resume", "--set", "train.steps=2000"]);
        assert_eq!(other.status.code(), Some(2));
        assert!(stderr(&other).contains("steps"), "{}", stderr(&other));
        let resumed = train(f, "m.safetensors", &["--set", "train.steps=3000", "--resume"]);
        assert!(resumed.status.success(), "{}", stderr(&resumed));
        assert!(weights(&f.join("m.safetensors")) == expected, "{signal}: other weights");
        // Telemetry has every step once, in order.
        let text = std::fs::read_to_string(f.join("m.telemetry.jsonl")).unwrap();
        let steps: Vec<u64> = text
            .lines()
            .map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap()["step"].as_u64().unwrap())
            .collect();
        assert!(steps.windows(2).all(|w| w[0] < w[1]), "{steps:?}");
        assert_eq!(steps.last(), Some(&3000));
        std::fs::remove_file(f.join("m.safetensors")).unwrap();
    }
}

#[test]
fn quiet_is_quiet_and_colours_stay_away_from_files() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    log(f, "log.csv");
    let loud = train(f, "a.safetensors", &[]);
    assert!(!loud.stderr.is_empty(), "a person is told what happens");
    assert!(!loud.stderr.contains(&0x1b), "no escape codes where there is no terminal");
    let quiet = train(f, "b.safetensors", &["--quiet"]);
    assert!(quiet.status.success() && quiet.stderr.is_empty() && quiet.stdout.is_empty(), "{}", stderr(&quiet));
}

#[test]
fn every_verb_explains_itself_with_examples() {
    let folder = tempfile::tempdir().unwrap();
    for verb in ["inspect", "train", "predict", "report", "view", "demo"] {
        let help = succeeds(folder.path(), &[verb, "--help"]);
        let text = String::from_utf8(help.stdout).unwrap();
        assert!(text.contains("Examples:") && text.contains(&format!("ebmotion {verb}")), "{text}");
    }
    for shell in ["bash", "zsh", "fish"] {
        let text = succeeds(folder.path(), &["completions", shell]).stdout;
        assert!(String::from_utf8(text).unwrap().contains("ebmotion"));
    }
}

#[test]
fn inspect_shows_a_log_to_people_and_machines() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    log(f, "log.csv");
    let text = String::from_utf8(succeeds(f, &["inspect", "log.csv"]).stdout).unwrap();
    assert!(text.contains("q_a") && text.contains("rad") && text.contains("20"), "{text}");
    let json = succeeds(f, &["inspect", "log.csv", "--json"]).stdout;
    assert!(serde_json::from_slice::<serde_json::Value>(&json).is_ok());
}
