//! Outputs that cannot be written, full disks, interruptions.

use super::*;

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
