//! Logs of ROS and MCAP: every value as it was recorded, one topic and one stream at a time, cut and hostile files.

#![cfg(feature = "ros")]
// A test may stop at once: a failed unwrap is a failed test.
#![allow(clippy::unwrap_used)]

mod bags;
mod build;
mod damage;
mod fixtures;
mod topics;
mod writing;

use ebmotion_logs::{Error, ReadOptions, Recording, Result};
use std::path::PathBuf;

/// A file of `tests/data/logs`.
fn kept(path: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/logs")).join(path)
}

fn read(name: &str, bytes: &[u8]) -> Result<Recording> {
    Recording::from_bytes(name, bytes, &ReadOptions::default())
}

fn topic(name: &str) -> ReadOptions {
    ReadOptions { topic: Some(name.into()), ..ReadOptions::default() }
}

fn names(log: &Recording) -> Vec<&str> {
    log.channels.iter().map(|c| c.name.as_str()).collect()
}

/// Found and expected of an [`Error::Log`].
#[track_caller]
fn refused(result: Result<Recording>) -> (String, String) {
    match result {
        Err(error @ Error::Log { .. }) => {
            assert_eq!(error.exit_code(), 2);
            let Error::Log { found, expected, .. } = error else { unreachable!() };
            (found, expected)
        }
        other => panic!("expected an error about the log, not {other:?}"),
    }
}

/// Times, joint names and `(rows, joints)` of the episode that most of the kept logs hold.
fn truth() -> (Vec<f64>, Vec<String>, Vec<Vec<f64>>) {
    let packed = std::fs::File::open(kept("g1_inspire/truth.csv.gz")).unwrap();
    let text = std::io::read_to_string(flate2::read::GzDecoder::new(packed)).unwrap();
    let mut lines = text.lines();
    let joint = |name: &str| name.trim_end_matches(".pos").to_string();
    let joints = lines.next().unwrap().split(',').skip(1).map(joint).collect();
    let rows = lines.map(|line| line.split(',').map(|cell| cell.parse::<f64>().unwrap()).collect::<Vec<f64>>());
    let (times, values) = rows.map(|row| (row[0], row[1..].to_vec())).unzip();
    (times, joints, values)
}
