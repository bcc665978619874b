//! One Langevin step and one weight gradient of convolutional energies, one JSON object a line: `cargo bench
//! --no-default-features --features cli --bench images -- NETWORK WORK BATCH...`; `benches/peers/images.py` measures PyTorch in
//! turns with it.
//!
//! `NETWORK` is `cifar10_conditional`, `cifar10_large`, `imagenet32`, `imagenet128`, `dsprites` or `mnist`, `WORK` is `step` or
//! `learn`.

use candle_core::{DType, Device, Tensor};
use ebmotion::engine::{self, LangevinStep, Level, Options, Start, Walk};
use ebmotion::model::{ConvConfig, ConvEnergy, Network};
use ebmotion::noise::Noise;
use ebmotion::{Error, Result, parallel};
use std::time::Instant;

/// As in the command-line tool.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The paper's step for images in `[0, 1]`.
const STEP: LangevinStep = LangevinStep { step: 10.0, noise: 0.005, clip: Some(0.01), bounds: Some((0.0, 1.0)) };
/// Runs whose median counts.
const REPEATS: usize = 5;

fn config(name: &str) -> Result<ConvConfig> {
    Ok(match name {
        "cifar10_conditional" => ConvConfig::cifar10_conditional(10),
        "cifar10_large" => ConvConfig::cifar10_large(),
        "imagenet32" => ConvConfig::imagenet32(1000),
        "imagenet128" => ConvConfig::imagenet128(1000),
        "dsprites" => ConvConfig::dsprites(0),
        "mnist" => ConvConfig::mnist(0),
        _ => return Err(Error::config("NETWORK", name, "one of those that this file's first lines name")),
    })
}

/// Median of what `secs` gives, after once that is not counted.
fn median(mut secs: impl FnMut() -> Result<f64>) -> Result<f64> {
    secs()?;
    let mut secs = (0..REPEATS).map(|_| secs()).collect::<Result<Vec<f64>>>()?;
    secs.sort_by(f64::total_cmp);
    Ok(secs[secs.len() / 2])
}

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let words = if words.is_empty() { ["mnist", "step", "64"].map(String::from).to_vec() } else { words };
    let [name, work, batches @ ..] = &words[..] else {
        return Err(Error::config("arguments", format!("{words:?}"), "NETWORK WORK BATCH..."));
    };
    let config = config(name)?;
    let net = ConvEnergy::new(config.clone(), &mut Noise::new(0), DType::F32, &Device::Cpu)?;
    let threads = parallel::available();
    for batch in batches {
        let Ok(rows) = batch.parse::<usize>() else { return Err(Error::config("BATCH", batch, "a number")) };
        let x =
            Noise::new(1).uniform((rows, config.channels, config.height, config.width), DType::F32, &Device::Cpu)?;
        let classes: Vec<f32> = (0..rows * config.context).map(|i| f32::from(u8::from(i % 11 == 0))).collect();
        let context = match config.context {
            0 => None,
            width => Some(Tensor::from_vec(classes, (rows, width), &Device::Cpu)?),
        };
        let products = net.packed()?.layers().products() as f64 * rows as f64;
        let (secs, passes) = match work.as_str() {
            "step" => {
                let Some(program) = net.program(x.dims(), context.as_ref())? else {
                    return Err(Error::Other("the network has no program".into()));
                };
                let start = x.flatten_all()?.to_vec1::<f32>()?;
                let run = |steps: usize| -> Result<f64> {
                    let (walk, start) = (Walk::Langevin(vec![STEP; steps]), Start { x: &start, at: None });
                    let begin = Instant::now();
                    engine::run(&program, &walk, start, &mut Noise::new(2), &Options::default())?;
                    Ok(begin.elapsed().as_secs_f64())
                };
                // A run of no steps evaluates once: what further steps add is what a step costs.
                let steps = ((1e10 / products) as usize).clamp(2, 200);
                let secs = median(|| Ok((run(1 + steps)? - run(1)?) / steps as f64))?;
                (secs, 2.0)
            }
            "learn" => {
                let coefficients = vec![1.0 / rows as f32; rows];
                let secs = median(|| {
                    let begin = Instant::now();
                    net.learn(&x, context.as_ref(), &mut |_| Ok(coefficients.clone()))?;
                    Ok(begin.elapsed().as_secs_f64())
                })?;
                (secs, 3.0)
            }
            _ => return Err(Error::config("WORK", work, "step or learn")),
        };
        let gflops = 2.0 * passes * products / secs / 1e9;
        let peak = engine::peak_gflops(Level::best(), threads);
        println!(
            "{{\"network\": \"{name}\", \"work\": \"{work}\", \"batch\": {rows}, \"threads\": {threads}, \"ms\": {:.3}, \
             \"gflops\": {gflops:.0}, \"peak_gflops\": {peak:.0}}}",
            secs * 1e3
        );
    }
    Ok(())
}
