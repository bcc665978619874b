//! How long it takes to read logs: `cargo run --release -p ebmotion-logs --features ros --example read -- LOG...`
//! prints, a line each, the seconds, the megabytes of the file and a second, and what was read.

use ebmotion_logs::{ReadOptions, Recording, Result};
use std::time::Instant;

fn main() -> Result<()> {
    for path in std::env::args().skip(1) {
        let start = Instant::now();
        let log = Recording::read(&[&path], &ReadOptions::default())?;
        let seconds = start.elapsed().as_secs_f64();
        let bytes = std::fs::metadata(&path).map_or(0, |file| file.len());
        let rows: usize = log.episodes.iter().map(|e| e.time_secs.len()).sum();
        let sum: f64 = log.episodes.iter().flat_map(|e| &e.values).sum();
        let speed = bytes as f64 / 1e6 / seconds;
        println!("{seconds:.3} s, {speed:.0} MB/s, {rows} rows of {} channels, sum {sum}", log.channels.len());
    }
    Ok(())
}
