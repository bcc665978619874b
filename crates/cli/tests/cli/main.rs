//! The program as a user runs it: the whole way on small logs, bad input, interruption, full disks.
#![allow(clippy::unwrap_used)]

mod anomaly;
mod as_they_are;
mod bad_input;
mod bench;
mod breaking_off;
mod clean;
mod constraint;
mod convert;
mod doctor;
mod fill;
mod golden;
mod image;
mod image_breaking_off;
mod image_scores;
mod image_train;
mod outputs;
mod reporting;
mod robot;
#[cfg(feature = "ros")]
mod ros;
mod score;
mod whole_way;

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

/// The `report.json` that `report` left in a folder.
#[track_caller]
fn reported(folder: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(folder.join("report.json")).unwrap()).unwrap()
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
