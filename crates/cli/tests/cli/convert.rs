//! `convert`: there and back bit for bit, and nothing half-done or lost.

use super::*;

/// The numbers of a CSV file, column names first.
fn cells(path: &Path) -> (String, Vec<Vec<u64>>) {
    let text = std::fs::read_to_string(path).unwrap();
    let (names, rows) = text.split_once('\n').unwrap();
    let row = |row: &str| row.split(',').map(|cell| cell.parse::<f64>().unwrap().to_bits()).collect();
    (names.trim().into(), rows.lines().map(row).collect())
}

/// Three episodes at 25 Hz of numbers that need 17 digits.
fn exact(folder: &Path) -> PathBuf {
    let mut text = String::from("episode,time [s],q_a [rad],q_b\n");
    for (episode, row) in (0..3).flat_map(|episode| (0..20).map(move |row| (episode, row))) {
        let (a, b) = (f64::from(row * 5 + episode).sin(), f64::from(row + 1).ln() * 1e-7);
        text += &format!("{episode},{},{a},{b:e}\n", f64::from(row) / 25.0);
    }
    let path = folder.join("exact.csv");
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn there_and_back_is_the_same_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    let original = cells(&exact(f));
    let mut between = vec!["b.csv.gz"];
    if cfg!(feature = "parquet") {
        between.extend(["b.parquet", "sets/b"]);
    }
    for (i, to) in between.into_iter().enumerate() {
        let out = succeeds(f, &["convert", "exact.csv", to]);
        assert!(stderr(&out).contains("3 episodes, 2 channels, 60 rows"), "{}", stderr(&out));
        let back = format!("back{i}.csv");
        succeeds(f, &["convert", to, &back]);
        assert_eq!(cells(&f.join(back)), original, "{to}");
    }
}

#[test]
fn reading_options_choose_what_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    exact(f);
    succeeds(f, &["convert", "exact.csv", "one.csv", "--channels", "q_b", "--rate", "5"]);
    let (names, rows) = cells(&f.join("one.csv"));
    assert_eq!((names.as_str(), rows.len()), ("episode,time [s],q_b", 12));
    // Two logs into one: episodes are told apart by the logs' names.
    std::fs::copy(f.join("one.csv"), f.join("two.csv")).unwrap();
    std::fs::write(f.join("two.csv"), std::fs::read_to_string(f.join("one.csv")).unwrap().replace("e-7", "e-6"))
        .unwrap();
    succeeds(f, &["-q", "convert", "one.csv", "two.csv", "both.csv"]);
    let both = std::fs::read_to_string(f.join("both.csv")).unwrap();
    assert!(both.contains("\none/0,") && both.contains("\ntwo/2,"), "{both}");
}

#[test]
fn notes_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    std::fs::write(f.join("late.csv"), "time,x\n7,1\n7.1,2\n7.2,3\n").unwrap();
    let out = succeeds(f, &["convert", "late.csv", "thin.csv", "--rate", "5"]);
    assert!(stderr(&out).contains("note: recorded at 10 Hz and thinned to 5 Hz"), "{}", stderr(&out));
    // What the library calls a setting, a note tells by its option.
    std::fs::write(f.join("whole.csv"), "time,x\n1,1\n2,2\n3,3\n").unwrap();
    let out = succeeds(f, &["convert", "whole.csv", "w.csv"]);
    assert!(stderr(&out).contains("`--time-unit ms` makes them milliseconds"), "{}", stderr(&out));
    if cfg!(feature = "parquet") {
        let out = succeeds(f, &["convert", "late.csv", "set", "--task", "wait"]);
        assert!(stderr(&out).contains("note: LeRobot's episodes begin at 0 s"), "{}", stderr(&out));
        assert!(String::from_utf8_lossy(&std::fs::read(f.join("set/meta/tasks.parquet")).unwrap()).contains("wait"));
    }
}

#[test]
fn what_cannot_be_written_is_refused_before_anything_is() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    exact(f);
    let before = std::fs::read(f.join("exact.csv")).unwrap();
    for (args, parts) in [
        (&["exact.csv", "exact.csv", "--overwrite"][..], &["exact.csv", "reads", "another file"][..]),
        (&["exact.csv", "./exact.csv"], &["exact.csv", "reads", "another file"]),
        (&[".", "exact.csv", "--overwrite"], &["exact.csv", "reads", "another file"]),
        (&["exact.csv", "out.txt"], &["out.txt", "`.csv`"]),
        (&["exact.csv", "out.csv", "--channels", "q_c"], &["`q_c`", "no channel of this name"]),
        (&["missing.csv", "out.csv"], &["missing.csv"]),
        (&["exact.csv", "out.csv", "--rate", "50"], &["50"]),
        (&["exact.csv", "out.csv", "--hz=-1"], &["`--hz`", "above 0"]),
    ] {
        refuses(f, &[&["convert"], args].concat(), parts);
        assert!(!f.join("out.csv").exists() && !f.join("out.txt").exists(), "{args:?}");
    }
    assert_eq!(std::fs::read(f.join("exact.csv")).unwrap(), before);
    std::fs::write(f.join("there.csv"), "mine").unwrap();
    refuses(f, &["convert", "exact.csv", "there.csv"], &["there.csv", "there already", "--overwrite"]);
    assert_eq!(std::fs::read_to_string(f.join("there.csv")).unwrap(), "mine");
    succeeds(f, &["convert", "exact.csv", "there.csv", "--overwrite"]);
}

#[test]
#[cfg(feature = "parquet")]
fn a_dataset_that_is_read_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let f = folder.path();
    exact(f);
    succeeds(f, &["convert", "exact.csv", "sets/arm"]);
    let data = "sets/arm/data/chunk-000/file-000.parquet";
    for out in ["sets/arm", "sets/../sets/arm/", data] {
        refuses(f, &["convert", "sets/arm", out, "--overwrite"], &["reads", "another file"]);
    }
    assert!(f.join(data).is_file());
    // A folder of the user's own is never replaced.
    std::fs::create_dir(f.join("own")).unwrap();
    std::fs::write(f.join("own/notes.txt"), "mine").unwrap();
    refuses(f, &["convert", "exact.csv", "own", "--overwrite"], &["own", "no LeRobot dataset"]);
    assert!(f.join("own/notes.txt").is_file());
    std::fs::write(f.join("jumps.csv"), "time,x\n0,1\n0.1,2\n0.22,3\n0.3,4\n").unwrap();
    refuses(f, &["convert", "jumps.csv", "set"], &["times up to 0.020", "`--rate 10`"]);
    assert!(!f.join("set").exists());
}

/// A log of more numbers than stay in memory, where their file has no room or no folder.
#[cfg(unix)]
#[test]
fn a_full_disk_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let channels: String = (0..30).map(|c| format!(",q{c}")).collect();
    // 9 million numbers, 72 MB; as text 21 MB.
    let rows: String = (0..300_000).map(|k| format!("{}.{:02}{}\n", k / 100, k % 100, ",1".repeat(30))).collect();
    std::fs::write(folder.path().join("log.csv"), format!("time [s]{channels}\n{rows}")).unwrap();
    // No file above 20 MB (or 40, by the shell's measure); the signal is ignored, so that writing fails as on a full
    // disk.
    let limited = "trap '' XFSZ; ulimit -f 40000; exec \"$0\" convert log.csv out.csv";
    let of = |script: &str, temporary: &std::path::Path| {
        let mut command = std::process::Command::new("sh");
        command.current_dir(folder.path()).env("TMPDIR", temporary);
        command.args(["-c", script, env!("CARGO_BIN_EXE_ebmotion")]).output().unwrap()
    };
    let full = of(limited, folder.path());
    assert_eq!(full.status.code(), Some(2), "{}", stderr(&full));
    assert!(stderr(&full).contains("cannot write a temporary file"), "{}", stderr(&full));
    let nowhere = of("exec \"$0\" convert log.csv out.csv", &folder.path().join("not-there"));
    assert_eq!(nowhere.status.code(), Some(2), "{}", stderr(&nowhere));
    assert!(stderr(&nowhere).contains("not-there: cannot make a temporary file"), "{}", stderr(&nowhere));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left");
}
