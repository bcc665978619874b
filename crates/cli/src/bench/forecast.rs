//! Microseconds of a 100-frame forecast by the network of a preset, on motion that means nothing.

use super::super::args::BenchArgs;
use super::super::output;
use super::measure::{median_secs, round};
use candle_core::{DType, Device};
use ebmotion::engine::RunOptions;
use ebmotion::forecast::baseline::VarFit;
use ebmotion::forecast::{DenoisingConfig, LevelForecaster, ModelConfig, ResidualCoordinates, RunConfig};
use ebmotion::model::LevelEnergy;
use ebmotion::noise::Noise;
use ebmotion::sample::diffusion::SamplerConfig;
use ebmotion::train::TrainConfig;
use ebmotion::{Error, Result, parallel};

/// Channels of the embedded hand.
pub(super) const CHANNELS: usize = 24;
/// Frames of a chunk: what the embedded logs bear.
pub(super) const CHUNK: usize = 32;
/// Frames ahead.
const HORIZON: usize = 100;

pub(super) fn run(args: &BenchArgs) -> Result<()> {
    let threads = args.threads.unwrap_or_else(parallel::available);
    let (settings, _) = settings(args)?;
    let model = model(&settings)?;
    let rollout = model.rollout();
    let width = settings.context * CHANNELS;
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

/// Settings of the preset's model, and how it learns.
pub(super) fn settings(args: &BenchArgs) -> Result<(DenoisingConfig, TrainConfig)> {
    let config = RunConfig::preset(&args.preset)?;
    match config.model {
        ModelConfig::Denoising(settings) => Ok((settings, config.train)),
        _ => Err(Error::config("preset", &args.preset, "one of a noise-level-conditional energy")),
    }
}

fn repeats(samples: usize) -> u64 {
    (64 / samples.max(1)).max(1) as u64
}

/// A model's coordinates, on random motion.
pub(super) fn coordinates(settings: &DenoisingConfig, noise: &mut Noise) -> Result<ResidualCoordinates> {
    let frames = settings.context + CHUNK;
    let windows = noise.normal((1200, frames, CHANNELS), DType::F32, &Device::Cpu)?.cumsum(1)?;
    let windows = windows.flatten_all()?.to_vec1::<f32>()?;
    settings.coordinates(VarFit::fit(&windows, CHANNELS, settings.context, CHUNK, settings.ridge)?)
}

/// Its parts with fresh weights.
fn model(settings: &DenoisingConfig) -> Result<LevelForecaster> {
    let mut noise = Noise::new(0);
    let coordinates = coordinates(settings, &mut noise)?;
    let energy = LevelEnergy::new(settings.network(&coordinates), &mut noise, DType::F32, &Device::Cpu)?;
    LevelForecaster::new(coordinates, energy, SamplerConfig::default())
}
