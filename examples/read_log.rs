//! What a log holds, and its motion at another rate.
//!
//!     cargo run --release --example read_log [LOG.csv]

use ebmotion::Result;
use ebmotion::trajectory::{Frames, ReadOptions, Recording, inspect};

fn main() -> Result<()> {
    let embedded = concat!(env!("CARGO_MANIFEST_DIR"), "/data/hand_gestures/hand_gestures.csv.gz");
    let log = std::env::args().nth(1).unwrap_or_else(|| embedded.to_string());
    let options = ReadOptions::default();
    let text = inspect(&[&log], &options)?.to_string();
    println!("{}", text.lines().take(12).collect::<Vec<_>>().join("\n"));

    let recording = Recording::read(&[&log], &options)?;
    let own = Frames::resample(&recording, None, 0.02)?;
    let half = Frames::resample(&recording, Some(own.rate_hz / 2.0), 0.02)?;
    let frames = |f: &Frames| f.episodes.iter().map(|e| e.time_secs.len()).sum::<usize>();
    println!("{} frames at {} Hz, {} at {} Hz", frames(&own), own.rate_hz, frames(&half), half.rate_hz);
    assert!(frames(&half) < frames(&own));
    Ok(())
}
