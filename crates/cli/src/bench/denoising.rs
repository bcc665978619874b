//! Windows a second of a preset's training, by the trainer that `train` uses, on numbers that mean nothing.

use super::super::args::BenchArgs;
use super::super::output;
use super::forecast::{CHANNELS, CHUNK, level, model};
use super::measure::{Same, median_secs, round, steps_of};
use candle_core::{DType, Device};
use ebmotion::Result;
use ebmotion::forecast::RunConfig;
use ebmotion::model::{Leveled, Mlp, MlpEnergy};
use ebmotion::noise::Noise;
use ebmotion::train::objective::Denoising;
use ebmotion::train::{AdamConfig, Batch};
use ebmotion_engine::parallel;

/// A step's time is what as many more steps add: in the first ones inverse roots are taken more often, after that one
/// in so many.
const STEPS: u64 = 40;

pub(super) fn run(args: &BenchArgs) -> Result<()> {
    let model = model(&args.preset)?;
    let network = level(&model, &args.preset)?.network().clone();
    let (inputs, context) = (network.inputs, network.context - Leveled::<MlpEnergy>::FEATURES);
    let optimizer = RunConfig::preset(&args.preset)?.train.optimizer;
    if !args.json {
        output::print(&format!(
            "Training steps of the preset {} on chunks of {CHUNK} frames of {CHANNELS} channels, {} threads\n\n\
             {:>8} {:>12} {:>12} {:>12}\n",
            args.preset,
            parallel::available(),
            "batch",
            "ms a step",
            "windows/s",
            "ms by Adam"
        ))?;
    }
    for batch in args.batches() {
        let secs = |optimizer: &AdamConfig| -> Result<f64> {
            let mut noise = Noise::new(0);
            let net = Mlp::new(network.clone(), &mut noise, DType::F32, &Device::Cpu)?;
            let mut objective = Denoising::new(Leveled::over(MlpEnergy { net }));
            let mut draw = |width: usize| noise.normal((*batch, width), DType::F32, &Device::Cpu);
            let source = Same(Batch { x: draw(inputs)?, context: Some(draw(context)?), start: None });
            let mut run =
                |steps| median_secs(args.repeats, || steps_of(steps, &mut objective, &source, optimizer, *batch));
            let (few, many) = (run(STEPS)?, run(2 * STEPS)?);
            Ok((many - few) / STEPS as f64)
        };
        let optimizer = &optimizer;
        let (whitened, adam) = (secs(optimizer)?, secs(&AdamConfig { whitening: None, ..optimizer.clone() })?);
        let rate = |secs: f64| *batch as f64 / secs;
        let line = match args.json {
            true => serde_json::json!({
                "peer": "ours", "what": "denoising", "batch": batch, "windows_per_s": round(rate(whitened)),
                "windows_per_s_adam": round(rate(adam)),
            })
            .to_string(),
            false => {
                format!("{batch:>8} {:>12.2} {:>12.0} {:>12.2}", whitened * 1e3, rate(whitened), adam * 1e3)
            }
        };
        output::print(&format!("{line}\n"))?;
    }
    Ok(())
}
