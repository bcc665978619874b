//! How long a log takes to read, for comparison with other programs (`benches/peers/tables.py`).
//!
//! `cargo run --release -p ebmotion-logs --all-features --example reading_speed -- LOG...`

use ebmotion_logs::{Error, ReadOptions, Recording, Result};
use std::time::Instant;

fn main() -> Result<()> {
    let paths: Vec<String> = std::env::args().skip(1).collect();
    let begun = Instant::now();
    let recording = Recording::read(&paths, &ReadOptions::default())?;
    let seconds = begun.elapsed().as_secs_f64();
    let rows: usize = recording.episodes.iter().map(|episode| episode.time_secs.len()).sum();
    let channels = recording.channels.len();
    let found = serde_json::json!({ "rows": rows, "channels": channels, "seconds": seconds });
    println!("{}", serde_json::to_string(&found).map_err(Error::unwritable("figures", "JSON"))?);
    Ok(())
}
