//! Every example program runs, is short, and is named in the guide.

use std::path::{Path, PathBuf};
use std::process::Command;

fn examples() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("the folder of examples").map(|e| e.expect("a file").path()).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "rs"));
    files.sort();
    files
}

/// `cargo test` builds the examples beside the tests: `target/release/deps/this` and `target/release/examples/NAME`.
fn binary(name: &str) -> PathBuf {
    let this = std::env::current_exe().expect("the test's own path");
    let profile = this.parent().and_then(Path::parent).expect("target/release");
    profile.join("examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

#[test]
fn every_example_runs() {
    let mut ran = 0;
    for file in examples() {
        let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
        let binary = binary(&name);
        assert!(binary.exists(), "{} is not built", binary.display());
        let output = Command::new(&binary).env("RAYON_NUM_THREADS", "1").output().expect("an example that starts");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{name}: {text}");
        assert!(!output.stdout.is_empty(), "{name} shows nothing");
        ran += 1;
    }
    assert!(ran >= 5, "only {ran} examples");
}

#[test]
fn examples_are_short_and_in_the_guide() {
    let guide = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/guide.md")).expect("a guide");
    for file in examples() {
        let lines = std::fs::read_to_string(&file).expect("an example").lines().count();
        assert!(lines < 80, "{} has {lines} lines", file.display());
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        assert!(guide.contains(&name), "{name} is not in the guide");
    }
}
