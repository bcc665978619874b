//! From a log to possible futures and their median in ten lines (of `main`).
//!
//!     cargo run --release --example train_and_forecast

use ebmotion::Result;
use ebmotion::event::Silent;
use ebmotion::forecast::{Dataset, Model, Request, RunConfig};

fn main() -> Result<()> {
    let log = concat!(env!("CARGO_MANIFEST_DIR"), "/data/hand_gestures/hand_gestures.csv.gz");
    let mut config = RunConfig::default();
    config.train.steps = 100.into(); // for real use leave it out: as many as the motion asks for
    let dataset = Dataset::read(&[log], &config)?;
    let model = Model::train(&dataset, &config, None, false, &mut Silent)?;
    let episode = &dataset.frames.episodes[dataset.split.test[0]];
    let forecast = model.forecast(&episode.values, &Request { horizon: 25, samples: 16 }, 7)?;

    assert_eq!(forecast.futures.shape(), [1, 16, 25, dataset.frames.channels.len()]);
    println!("{}: 16 futures of 1 s, {} joints; the median ends at", episode.id, forecast.channels.len());
    let median = forecast.quantiles(&[0.5])?;
    for (joint, channel) in forecast.channels.iter().enumerate().take(4) {
        println!("  {:<8} {:7.3} {}", channel.name, median[[0, 0, 24, joint]], channel.unit.as_deref().unwrap_or(""));
    }
    Ok(())
}
