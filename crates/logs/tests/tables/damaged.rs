//! Files that are cut off, and files with wrong bytes: an error or whole numbers, never a panic.

use crate::kept;
use ebmotion_logs::{ReadOptions, Recording};
use std::panic::catch_unwind;
use std::path::Path;

/// Files of every format, each with settings under which it is read.
fn files() -> Vec<(&'static str, ReadOptions)> {
    let mut files = Vec::new();
    if cfg!(feature = "parquet") {
        for name in
            ["none", "snappy_dictionary", "gzip", "lz4", "zstd_pages_v2", "split_streams", "kinds", "row_groups"]
        {
            files.push((format!("{name}.parquet").leak() as &str, ReadOptions::default()));
        }
    }
    let at_50_hz = || ReadOptions { hz: Some(50.0), ..Default::default() };
    if cfg!(feature = "numpy") {
        files.extend(["observed.npz", "timed.npz", "fortran.npy", "little_f2.npy"].map(|name| (name, at_50_hz())));
    }
    if cfg!(feature = "hdf5") {
        files.extend(["robomimic.hdf5", "robomimic_latest.hdf5", "d4rl.hdf5"].map(|name| (name, at_50_hz())));
    }
    files
}

/// Reads `bytes`, and says whether they are a log.
#[track_caller]
fn is_read(name: &str, bytes: &[u8], options: &ReadOptions, what: &str) -> bool {
    let result = catch_unwind(|| Recording::from_bytes(name, bytes, options));
    let result = result.unwrap_or_else(|_| panic!("{name}, {what}: a panic"));
    match result {
        Ok(recording) => {
            assert!(recording.episodes.iter().all(|e| e.values.iter().all(|v| v.is_finite())), "{name}, {what}");
            true
        }
        Err(error) => {
            assert_eq!(error.exit_code(), 2, "{name}, {what}: {error}");
            assert!(error.to_string().starts_with(name), "{name}, {what}: {error}");
            false
        }
    }
}

#[test]
fn a_file_that_is_cut_off_is_refused() {
    for (name, options) in files() {
        let bytes = std::fs::read(kept(name)).unwrap();
        assert!(is_read(name, &bytes, &options, "whole"));
        let step = (bytes.len() / 150).max(1);
        for length in (0..bytes.len()).step_by(step).chain(bytes.len().saturating_sub(16)..bytes.len()) {
            assert!(!is_read(name, &bytes[..length], &options, &format!("{length} bytes")), "{name}, {length} bytes");
        }
    }
}

#[test]
fn wrong_bytes_are_no_panic() {
    for (name, options) in files() {
        let bytes = std::fs::read(kept(name)).unwrap();
        let mut refused = 0;
        let step = (bytes.len() / 400).max(1);
        for at in (0..bytes.len()).step_by(step).chain(bytes.len().saturating_sub(800)..bytes.len()) {
            for wrong in [0x00, 0xff, 0x80, bytes[at] ^ 0x01] {
                let mut bytes = bytes.clone();
                bytes[at] = wrong;
                let read = is_read(name, &bytes, &options, &format!("byte {at} is {wrong:#x}"));
                refused += usize::from(!read);
            }
        }
        assert!(refused > 100, "{name}: {refused}");
    }
}

#[test]
fn an_empty_file_of_any_name_is_refused() {
    for name in ["log.parquet", "log.npy", "log.npz", "log.hdf5", "log.h5"] {
        let error = Recording::from_bytes(name, b"", &ReadOptions::default()).unwrap_err();
        assert!(error.to_string().starts_with(Path::new(name).to_str().unwrap()), "{error}");
        assert_eq!(error.exit_code(), 2);
    }
}
