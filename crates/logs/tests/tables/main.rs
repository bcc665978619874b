//! Logs as tables of numbers that others have written: every number is read, and every fault told.

// A test may stop at once: a failed unwrap is a failed test.
#![allow(clippy::unwrap_used)]

#[cfg(any(feature = "numpy", feature = "hdf5"))]
mod arrays;
mod damaged;
#[cfg(feature = "parquet")]
mod lerobot;
#[cfg(feature = "parquet")]
mod parquet;

mod writing;

use ebmotion_logs::{Error, ReadOptions, Recording, Result};
use std::path::{Path, PathBuf};

/// Rows of the logs that `make.py` made.
const ROWS: usize = 40;

/// A file or folder of `tests/data/logs/tables`.
fn kept(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/logs/tables")).join(name)
}

fn read(name: &str, options: &ReadOptions) -> Result<Recording> {
    Recording::read(&[kept(name)], options)
}

fn channels(recording: &Recording) -> Vec<&str> {
    recording.channels.iter().map(|c| c.name.as_str()).collect()
}

fn ids(recording: &Recording) -> Vec<&str> {
    recording.episodes.iter().map(|e| e.id.as_str()).collect()
}

/// What `make.py` put into row `row` of column `k`.
fn cell(k: usize, row: usize) -> f64 {
    k as f64 + row as f64 / 8.0
}

/// A row of columns.
fn row(columns: &[usize], row: usize) -> Vec<f64> {
    columns.iter().map(|k| cell(*k, row)).collect()
}

fn options(channels: &[&str]) -> ReadOptions {
    let channels = (!channels.is_empty()).then(|| channels.iter().map(ToString::to_string).collect());
    ReadOptions { channels, ..Default::default() }
}

/// An error about the log, whose message has all of `parts`.
#[track_caller]
fn refuses(result: Result<Recording>, parts: &[&str]) {
    let error = result.unwrap_err();
    assert!(matches!(error, Error::Log { .. }), "{error}");
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in: {text}");
    }
}

/// Copies a folder.
#[cfg(feature = "parquet")]
fn copied(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_dir() {
            copied(&entry.path(), &to.join(entry.file_name()));
        } else {
            std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}
