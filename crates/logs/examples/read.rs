//! How fast logs are read: `cargo run --release -p ebmotion-logs --all-features --example read -- LOG...` prints a line
//! of JSON for each, with the file's size, what was read, and the seconds that it took. `benches/peers` asks it.

use ebmotion_logs::{ReadOptions, Recording, Result};
use std::time::Instant;

fn main() -> Result<()> {
    for path in std::env::args().skip(1) {
        let begin = Instant::now();
        let log = Recording::read(&[&path], &ReadOptions::default())?;
        let secs = begin.elapsed().as_secs_f64();
        let bytes = std::fs::metadata(&path).map_or(0, |file| file.len());
        let rows: usize = log.episodes.iter().map(|e| e.time_secs.len()).sum();
        let sum: f64 = log.episodes.iter().flat_map(|e| &e.values).sum();
        let channels = log.channels.len();
        println!(
            "{}",
            serde_json::json!({"bytes": bytes, "rows": rows, "channels": channels, "sum": sum, "secs": secs})
        );
    }
    Ok(())
}
