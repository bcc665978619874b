//! Robot logs from file to window: what is read, what is refused and where, what is kept exactly.

// A test may stop at once: a failed unwrap is a failed test.
#![allow(clippy::unwrap_used)]

mod bad_input;
mod case_findings;
mod case_rates;
mod cases;
mod dialects;
mod dirty;
mod faults;
mod frames;
mod inspection;
mod mending;
mod reading;

use ebmotion_logs::{Error, Result};
use ebmotion_logs::{ReadOptions, Recording};
use std::path::{Path, PathBuf};

/// Reads `text` as a log named `log.csv`.
fn read(text: &str, options: &ReadOptions) -> Result<Recording> {
    Recording::from_bytes("log.csv", text.as_bytes(), options)
}

/// A log of one channel `x` at the given times.
fn log_at(times: impl IntoIterator<Item = f64>) -> String {
    let rows = times.into_iter().enumerate().map(|(k, t)| format!("{t},{k}\n"));
    std::iter::once("time,x\n".to_string()).chain(rows).collect()
}

/// Line, column, found and expected of an [`Error::Log`].
#[track_caller]
fn log_error(result: Result<Recording>) -> (Option<u64>, Option<String>, String, String) {
    match result {
        Err(error @ Error::Log { .. }) => {
            assert_eq!(error.exit_code(), 2);
            let Error::Log { line, column, found, expected, .. } = error else { unreachable!() };
            (line, column, found, expected)
        }
        other => panic!("expected an error about the log, not {other:?}"),
    }
}

/// A file of `tests/data/logs`.
fn kept(path: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/logs")).join(path)
}

fn unpacked(path: &Path) -> String {
    std::io::read_to_string(flate2::read::GzDecoder::new(std::fs::File::open(path).unwrap())).unwrap()
}
