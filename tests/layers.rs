//! Who may import whom: the table of ARCHITECTURE.md, held against the `use` lines of the library, `crates/engine` and
//! `crates/images`, where `Cargo.toml` says too little. A module of the library and one of `crates/images` that have
//! one name share a row.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Module, the modules of its own crate, `ebmotion` and `ebmotion_engine` that it may use, and the outside crates that
/// it must not name.
const LAYERS: &[(&str, &[&str], &[&str])] = &[
    ("error", &[], &["nalgebra"]),
    ("parallel", &["error"], &["candle_core", "nalgebra"]),
    ("simd", &[], &["candle_core", "nalgebra"]),
    ("gpu", &["error"], &["candle_nn", "nalgebra", "csv"]),
    ("noise", &["error", "simd", "gpu"], &["nalgebra"]),
    ("event", &["error"], &["candle_core", "nalgebra"]),
    ("engine", &["error", "noise", "parallel", "simd", "gpu"], &["candle_nn", "nalgebra", "csv"]),
    ("energy", &["error", "noise", "engine"], &["nalgebra", "csv"]),
    ("arrays", &["error"], &["nalgebra", "csv"]),
    ("sample", &["error", "noise", "settings", "energy", "engine", "arrays"], &["nalgebra", "csv"]),
    ("model", &["error", "noise", "energy", "engine", "sample", "arrays"], &["nalgebra", "csv"]),
    (
        "train",
        &["error", "files", "noise", "parallel", "event", "settings", "energy", "engine", "sample", "model", "gpu"],
        &["nalgebra", "csv"],
    ),
    ("objective", &["error", "noise", "energy", "sample", "model", "train", "arrays"], &["nalgebra", "csv"]),
    ("settings", &["error"], &["candle_core", "nalgebra", "csv"]),
    ("image", &["error", "files", "noise"], &["candle_core", "nalgebra", "csv"]),
    (
        "experiment",
        &[
            "error",
            "files",
            "noise",
            "parallel",
            "event",
            "settings",
            "energy",
            "engine",
            "sample",
            "model",
            "train",
            "objective",
            "image",
            "eval",
        ],
        &["csv"],
    ),
    ("robot", &["error", "trajectory", "kinematics"], &["candle_core", "csv"]),
    (
        "forecast",
        &[
            "error",
            "files",
            "noise",
            "parallel",
            "event",
            "energy",
            "engine",
            "sample",
            "model",
            "train",
            "trajectory",
            "kinematics",
            "settings",
        ],
        &["csv"],
    ),
    ("eval", &["error", "files", "noise", "parallel", "event", "forecast", "trajectory", "kinematics"], &["csv"]),
    ("anomaly", &["error", "event", "files", "noise", "train", "trajectory", "forecast", "eval"], &["csv"]),
];

/// Crates that only one place may name.
const ONLY: &[(&str, &[&str])] = &[
    ("plotters", &["src/eval/report"]),
    ("png", &["crates/images/src/image"]),
    ("parquet", &["crates/images/src/image/read", "crates/logs/src/read", "crates/logs/src/write"]),
    ("roxmltree", &["crates/robot/src/urdf.rs"]),
    ("hdf5_pure", &["crates/logs/src/read/hdf5.rs"]),
    ("ebmotion_viz", &["crates/cli/src/view.rs", "crates/cli/src/image/live.rs"]),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The sources of all crates.
fn all() -> Vec<PathBuf> {
    let mut found = Vec::new();
    sources(&root().join("src"), &mut found);
    for krate in std::fs::read_dir(root().join("crates")).expect("a folder of crates").flatten() {
        sources(&krate.path().join("src"), &mut found);
    }
    found
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder of the repository").flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// A file of tests that its crate includes: `tests.rs`, or one in a folder `tests`.
fn of_tests(path: &Path) -> bool {
    path.iter().any(|part| part == "tests" || part == "tests.rs")
}

/// The code of a file without its comments and its test module.
fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).expect("a source file");
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default().to_string();
    text.lines().map(|l| l.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// Every `crate::NAME`, `ebmotion::NAME` and `ebmotion_engine::NAME` of a file, in `use crate::{a, b::c}` too.
fn uses(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let library = ["crate::", "ebmotion::", "ebmotion_engine::"];
    for (at, prefix) in library.iter().flat_map(|krate| code.match_indices(krate)) {
        let rest = &code[at + prefix.len()..];
        let word = |t: &str| t.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
        match rest.strip_prefix('{') {
            None => {
                found.insert(word(rest));
            }
            Some(list) => {
                let mut depth = 0;
                let mut start = true;
                for (i, c) in list.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => start = true,
                        c if start && (c.is_alphanumeric() || c == '_') => {
                            found.insert(word(&list[i..]));
                            start = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    // `crate::Error` and `crate::Result` stand in the crate's root.
    found.into_iter().map(|n| if n == "Error" || n == "Result" { "error".into() } else { n }).collect()
}

fn names(code: &str, krate: &str) -> bool {
    code.match_indices(krate).any(|(at, _)| {
        let before = code[..at].chars().next_back().unwrap_or(' ');
        let after = &code[at + krate.len()..];
        !(before.is_alphanumeric() || before == '_') && after.starts_with("::")
    })
}

#[test]
fn every_module_uses_only_what_its_layer_may() {
    let folders = ["src", "crates/engine/src", "crates/images/src"].map(|folder| root().join(folder));
    let mut files = Vec::new();
    for folder in &folders {
        sources(folder, &mut files);
    }
    files.retain(|path| !of_tests(path.strip_prefix(root()).expect("below the root")));
    let allowed: BTreeMap<&str, (&[&str], &[&str])> = LAYERS.iter().map(|(m, u, n)| (*m, (*u, *n))).collect();
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    for path in &files {
        let relative = folders.iter().find_map(|folder| path.strip_prefix(folder).ok()).expect("below src");
        let first = relative.components().next().expect("a name").as_os_str().to_string_lossy().replace(".rs", "");
        if first == "lib" {
            continue;
        }
        let Some((may, never)) = allowed.get(first.as_str()) else {
            wrong.push(format!("{}: module `{first}` has no row in the table", relative.display()));
            continue;
        };
        seen.insert(first.clone());
        let text = code(path);
        for used in uses(&text) {
            if used != first && !may.contains(&used.as_str()) {
                wrong.push(format!("{}: `{first}` must not use `{used}`", relative.display()));
            }
        }
        for krate in *never {
            if names(&text, krate) {
                wrong.push(format!("{}: `{first}` must not name `{krate}`", relative.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    let rows: BTreeSet<String> = LAYERS.iter().map(|(m, _, _)| (*m).to_string()).collect();
    assert_eq!(rows, seen, "rows without a module");
}

#[test]
fn some_crates_are_known_in_one_place_only() {
    let files = all();
    for (krate, places) in ONLY {
        let mut used = false;
        for path in &files {
            if names(&code(path), krate) {
                used = true;
                let relative = path.strip_prefix(root()).expect("below the root");
                assert!(places.iter().any(|p| relative.starts_with(p)), "{} names `{krate}`", relative.display());
            }
        }
        assert!(used, "nothing names `{krate}`: the row is out of date");
    }
}

#[test]
fn random_numbers_and_weight_gradients_come_from_one_place() {
    for path in &all() {
        let relative = path.strip_prefix(root()).expect("below the root").display().to_string();
        let text = code(path);
        for random in ["rand::", "Tensor::rand", "Tensor::randn", "thread_rng"] {
            assert!(!text.contains(random), "{relative} draws random numbers by `{random}`");
        }
        if text.contains(".backward()") {
            let allowed = ["src/energy/mod.rs", "src/train/trainer.rs"];
            assert!(allowed.contains(&relative.as_str()), "{relative} calls backward");
        }
    }
}

/// A program that uses the library has no options: what it can change are settings. The binary tells them by their
/// options (`crates/cli/src/options.rs`).
#[test]
fn the_library_names_no_option_of_the_command_line() {
    for path in all().iter().filter(|path| !path.starts_with(root().join("crates/cli"))) {
        let text = code(path);
        let option = |at: usize| text[at + 2..].starts_with(|c: char| c.is_ascii_lowercase());
        let found = text.match_indices("--").find(|(at, _)| option(*at));
        assert!(
            found.is_none(),
            "{}: {}",
            path.display(),
            &text[found.map_or(0, |f| f.0)..].lines().next().unwrap_or("")
        );
    }
}

/// The checks above can fail: they see what they look for.
#[test]
fn the_reader_of_use_lines_sees_all_forms() {
    let text = "use crate::error::{Error, Result};\n\
        use crate::{noise::Noise, train::{Batch, Loss}};\n\
        use ebmotion_engine::{engine::Program};\n\
        fn f() { crate::eval::x() }";
    let expected = ["engine", "error", "eval", "noise", "train"].map(String::from);
    assert_eq!(uses(text), BTreeSet::from(expected));
    assert!(names("use png::Encoder;", "png") && !names("let apng::x", "png"));
}
