//! Windows a second of the paper's recipe, by the trainer that `train` uses: chains, loss, weight gradient, Adam,
//! average.

use super::super::args::BenchArgs;
use super::super::output;
use super::measure::{Same, config, median_secs, round, steps_of};
use candle_core::{DType, Device, Tensor};
use ebmotion::Result;
use ebmotion::model::{Mlp, MlpEnergy};
use ebmotion::noise::Noise;
use ebmotion::train::objective::{Contrastive, ContrastiveConfig, Form};
use ebmotion::train::{AdamConfig, Batch, Clip, Decay};
use ebmotion_engine::parallel;

/// Optimizer steps of one run.
const STEPS: u64 = 10;

pub(super) fn run(args: &BenchArgs) -> Result<()> {
    if !args.json {
        output::print(&format!(
            "Training steps with {} Langevin steps on {} threads\n\n{:>8} {:>12} {:>12}\n",
            args.steps,
            parallel::available(),
            "batch",
            "ms a step",
            "windows/s"
        ))?;
    }
    for batch in args.batches() {
        let secs = step_secs(args, *batch)?;
        let rate = *batch as f64 / secs;
        let line = match args.json {
            true => serde_json::json!({
                "peer": "ours", "what": "train", "dims": args.dims, "batch": batch, "steps": args.steps,
                "windows_per_s": round(rate),
            })
            .to_string(),
            false => format!("{batch:>8} {:>12.2} {rate:>12.0}", secs * 1e3),
        };
        output::print(&format!("{line}\n"))?;
    }
    Ok(())
}

fn step_secs(args: &BenchArgs, batch: usize) -> Result<f64> {
    let width = args.dims[0];
    let settings = ContrastiveConfig {
        form: Form::Linear,
        energy_l2: 1.0,
        steps: args.steps,
        step_size: 5e-3,
        noise: 0.1,
        gradient_clip: None,
        bounds: None,
        replay: 0,
        fresh: 1.0,
    };
    let net = Mlp::new(config(&args.dims), &mut Noise::new(0), DType::F32, &Device::Cpu)?;
    let mut objective = Contrastive::new(MlpEnergy { net }, settings, &[width], None)?;
    let mut noise = Noise::new(1);
    let mut draw = || -> Result<Tensor> { noise.normal((batch, width), DType::F32, &Device::Cpu) };
    let source = Same(Batch { x: draw()?, context: None, start: Some(draw()?) });
    let optimizer = AdamConfig {
        learning_rate: 1e-4,
        beta1: 0.0,
        beta2: 0.999,
        weight_decay: 0.0,
        warmup_steps: 1,
        decay: Decay::Constant,
        clip: Clip::None,
        whitening: None,
    };
    let secs = median_secs(args.repeats, || steps_of(STEPS, &mut objective, &source, &optimizer, batch))?;
    Ok(secs / STEPS as f64)
}
