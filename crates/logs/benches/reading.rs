//! How fast logs are read: `cargo bench -p ebmotion-logs --bench reading -- LOG...` prints a line of JSON for each,
//! with its size and the seconds that one reading took.

// A bench may stop at once.
#![allow(clippy::unwrap_used)]

use ebmotion_logs::{ReadOptions, Recording};
use std::time::Instant;

fn main() {
    for path in std::env::args().skip(1).filter(|argument| argument != "--bench") {
        let bytes = std::fs::metadata(&path).unwrap().len();
        let begin = Instant::now();
        let log = Recording::read(&[&path], &ReadOptions::default()).unwrap();
        let secs = begin.elapsed().as_secs_f64();
        let rows: usize = log.episodes.iter().map(|e| e.time_secs.len()).sum();
        println!("{{\"bytes\": {bytes}, \"rows\": {rows}, \"channels\": {}, \"secs\": {secs}}}", log.channels.len());
    }
}
