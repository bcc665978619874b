//! Microseconds of a 100-frame forecast by the network of a preset, on motion that means nothing.

use super::super::args::BenchArgs;
use super::super::output;
use super::measure::{median_secs, round};
use candle_core::{DType, Device};
use ebmotion::event::Silent;
use ebmotion::forecast::{Dataset, LevelForecaster, Model, ModelConfig, RunConfig};
use ebmotion::noise::Noise;
use ebmotion::trajectory::{Channel, Episode, Frames};
use ebmotion::{Error, Result};
use ebmotion_engine::engine::RunOptions;
use ebmotion_engine::parallel;

/// Channels of the embedded hand.
pub(super) const CHANNELS: usize = 24;
/// Frames of a chunk: what the embedded logs bear.
pub(super) const CHUNK: usize = 32;
/// Frames ahead.
const HORIZON: usize = 100;

pub(super) fn run(args: &BenchArgs) -> Result<()> {
    let threads = args.threads.unwrap_or_else(parallel::available);
    let model = model(&args.preset)?;
    let rollout = level(&model, &args.preset)?.rollout();
    let width = model.info().config.model.frames().0 * CHANNELS;
    let history = Noise::new(3).normal((1, width), DType::F32, &Device::Cpu)?.flatten_all()?.to_vec1::<f32>()?;
    if !args.json {
        output::print(&format!(
            "{HORIZON}-frame forecasts of {CHANNELS} channels by the preset {}, {threads} threads\n\n\
             {:>8} {:>15} {:>12}\n",
            args.preset, "samples", "us a forecast", "us a sample",
        ))?;
    }
    for samples in &args.samples {
        let secs = median_secs(args.repeats, || {
            let options = RunOptions::with_threads(threads);
            // Short forecasts are repeated within one measurement.
            for seed in 0..repeats(*samples) {
                let drawn = rollout.run(&history, *samples, HORIZON, &mut Noise::new(seed), &options)?;
                std::hint::black_box(drawn);
            }
            Ok(())
        })? / repeats(*samples) as f64;
        let micros = secs * 1e6;
        let line = match args.json {
            true => serde_json::json!({
                "peer": "ours", "what": "forecast", "samples": samples, "threads": threads,
                "us_per_forecast": round(micros),
            })
            .to_string(),
            false => format!("{samples:>8} {micros:>15.1} {:>12.1}", micros / *samples as f64),
        };
        output::print(&format!("{line}\n"))?;
    }
    Ok(())
}

fn repeats(samples: usize) -> u64 {
    (64 / samples.max(1)).max(1) as u64
}

/// The preset's model of random motion, after a single step.
pub(super) fn model(preset: &str) -> Result<Model> {
    let mut config = RunConfig::preset(preset)?;
    let ModelConfig::Denoising(settings) = &mut config.model else { return Err(without_levels(preset)) };
    settings.chunk = CHUNK.into();
    config.train.steps = 1.into();
    config.train.optimizer.warmup_steps = 1;
    Model::train(&Dataset::new(motion()?, &config)?, &config, None, false, &mut Silent)
}

/// What of a model forecasts.
pub(super) fn level<'a>(model: &'a Model, preset: &str) -> Result<&'a LevelForecaster> {
    model.level().ok_or_else(|| without_levels(preset))
}

fn without_levels(preset: &str) -> Error {
    Error::config("preset", preset, "one of a noise-level-conditional energy")
}

/// Random walks of all channels.
fn motion() -> Result<Frames> {
    const EPISODES: usize = 40;
    const FRAMES: usize = 80;
    let walks = Noise::new(0).normal((EPISODES, FRAMES, CHANNELS), DType::F64, &Device::Cpu)?.cumsum(1)?;
    let walks = walks.flatten_from(1)?.to_vec2::<f64>()?;
    let channel = |c| Channel { name: format!("q{c}"), unit: None, period: None };
    let time_secs: Vec<f64> = (0..FRAMES).map(|t| t as f64 / 25.0).collect();
    let episode = |(e, values): (usize, Vec<f64>)| Episode {
        id: format!("walk/{e}"),
        time_secs: time_secs.clone(),
        values: values.into(),
    };
    Ok(Frames {
        channels: (0..CHANNELS).map(channel).collect(),
        rate_hz: 25.0,
        episodes: walks.into_iter().enumerate().map(episode).collect(),
        sources: Vec::new(),
        notes: Vec::new(),
        parts: Default::default(),
    })
}
