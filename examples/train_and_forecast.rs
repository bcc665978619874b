//! From a log to possible futures in ten lines (of `main`).
//!
//!     cargo run --release --example train_and_forecast

use ebmotion::Result;
use ebmotion::event::Silent;
use ebmotion::forecast::{Model, Prepared, Request, RunConfig};
use ebmotion::trajectory::{Frames, Recording};

fn main() -> Result<()> {
    let log = concat!(env!("CARGO_MANIFEST_DIR"), "/data/hand_gestures/hand_gestures.csv.gz");
    let mut config = RunConfig::default();
    config.train.steps = 100.into(); // for real use leave it out: as many as the motion asks for
    let recording = Recording::read(&[log], &config.data.read)?;
    let frames = Frames::resample(&recording, None, config.data.rate_tolerance)?;
    let prepared = Prepared::new(frames, &config)?;
    let model = Model::train(&prepared, &config, None, false, &mut Silent)?;
    let episode = &prepared.frames.episodes[prepared.split.test[0]];
    let futures = model.predict(&episode.values, &Request { horizon: 25, samples: 16 }, 7)?;

    let d = prepared.frames.channels.len();
    assert_eq!(futures.len(), 16 * 25 * d);
    println!("{}: 16 futures of 1 s, {} joints; the first ends at", episode.id, d);
    for (channel, value) in prepared.frames.channels.iter().zip(&futures[24 * d..25 * d]).take(4) {
        println!("  {:<8} {value:7.3} {}", channel.name, channel.unit.as_deref().unwrap_or(""));
    }
    Ok(())
}
