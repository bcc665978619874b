//! One Langevin step and one weight gradient of convolutional energies, one JSON object a line:
//!
//!     cargo bench -p ebmotion-images --bench images -- NETWORK WORK BATCH...
//!
//! `NETWORK` is `cifar10_conditional`, `cifar10_large`, `imagenet32`, `imagenet128`, `dsprites` or `mnist`. `WORK` is
//! `step` or `learn`. `benches/peers/images.py` measures PyTorch in turns with it.
//!
//! With `--device cuda:0` (feature `cudnn`) the same runs on a GPU, after a comparison with the CPU's numbers.
//! Products are in tf32 there, or in f32 with `--precision f32`.

use candle_core::{DType, Device, Tensor};
use ebmotion::model::Network;
use ebmotion::noise::Noise;
use ebmotion::{Error, Result};
use ebmotion_engine::engine::{self, ChainKind, ChainStart, Isa, LangevinStep, RunOptions};
use ebmotion_engine::parallel;
use ebmotion_images::model::{ConvConfig, ConvEnergy};
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

/// The network with all weights moved: a fresh one is near zero where the literature's is.
fn shaken(config: ConvConfig) -> Result<ConvEnergy> {
    let mut noise = Noise::new(0);
    let net = ConvEnergy::new(config, &mut noise, DType::F32, &Device::Cpu)?;
    for (_, var) in net.parameters().iter() {
        var.set(&(var.as_detached_tensor() + (noise.normal(var.shape(), DType::F32, &Device::Cpu)? * 0.02)?)?)?;
    }
    Ok(net)
}

/// Images in `[0, 1]` and a context for them.
fn inputs(config: &ConvConfig, rows: usize) -> Result<(Tensor, Option<Tensor>)> {
    let x = Noise::new(1).uniform((rows, config.channels, config.height, config.width), DType::F32, &Device::Cpu)?;
    let classes: Vec<f32> = (0..rows * config.context).map(|i| f32::from(u8::from(i % 11 == 0))).collect();
    let context = match config.context {
        0 => None,
        width => Some(Tensor::from_vec(classes, (rows, width), &Device::Cpu)?),
    };
    Ok((x, context))
}

fn report(name: &str, work: &str, rows: usize, secs: f64, more: serde_json::Value) {
    let mut line = serde_json::json!({ "network": name, "work": work, "batch": rows, "ms": secs * 1e3 });
    if let (Some(line), Some(more)) = (line.as_object_mut(), more.as_object()) {
        line.extend(more.clone());
    }
    println!("{line}");
}

fn on_cpu(name: &str, work: &str, net: &ConvEnergy, rows: usize) -> Result<()> {
    let threads = parallel::available();
    let (x, context) = inputs(net.config(), rows)?;
    let products = net.packed()?.layers().products() as f64 * rows as f64;
    let (secs, passes) = match work {
        "step" => {
            let Some(program) = net.program(x.dims(), context.as_ref())? else {
                return Err(Error::data("program of the network", "none", "one"));
            };
            let start = x.flatten_all()?.to_vec1::<f32>()?;
            let run = |steps: usize| -> Result<f64> {
                let (walk, start) = (ChainKind::Langevin(vec![STEP; steps]), ChainStart { x: &start, at: None });
                let begin = Instant::now();
                engine::run(&program, &walk, start, &mut Noise::new(2), &RunOptions::default())?;
                Ok(begin.elapsed().as_secs_f64())
            };
            // A run of no steps evaluates once: what further steps add is what a step costs.
            let steps = ((1e10 / products) as usize).clamp(2, 200);
            (median(|| Ok((run(1 + steps)? - run(1)?) / steps as f64))?, 2.0)
        }
        _ => {
            let coefficients = vec![1.0 / rows as f32; rows];
            let secs = median(|| {
                let begin = Instant::now();
                net.learn(&x, context.as_ref(), &mut |_| Ok(coefficients.clone()))?;
                Ok(begin.elapsed().as_secs_f64())
            })?;
            (secs, 3.0)
        }
    };
    let gflops = (2.0 * passes * products / secs / 1e9).round();
    let peak = engine::peak_gflops(Isa::best(), threads).round();
    report(name, work, rows, secs, serde_json::json!({ "threads": threads, "gflops": gflops, "peak_gflops": peak }));
    Ok(())
}

#[cfg(not(feature = "cudnn"))]
fn on_gpu(_: &str, _: &str, _: &ConvEnergy, _: usize, [device, _]: [&str; 2]) -> Result<()> {
    Err(Error::config("--device", device, "cpu, or a build with the feature `cudnn` (GPU.md)"))
}

/// First the CPU's numbers again, then time.
#[cfg(feature = "cudnn")]
fn on_gpu(name: &str, work: &str, net: &ConvEnergy, rows: usize, [device, precision]: [&str; 2]) -> Result<()> {
    use ebmotion::energy::Energy;
    use ebmotion_engine::engine::cuda::{Gpu, Mode};

    let number = device.trim_start_matches("cuda:").parse().unwrap_or(0);
    let gpu = Gpu::open(number)?.device();
    let there = net.to_device(&gpu)?;
    let flat = |t: &Tensor| -> Result<Vec<f32>> { Ok(t.flatten_all()?.to_device(&Device::Cpu)?.to_vec1::<f32>()?) };
    // Relative Euclidean distance.
    let away = |found: &Tensor, expected: &Tensor| -> Result<f64> {
        let (found, expected) = (flat(found)?, flat(expected)?);
        let square = |v: f64| v * v;
        let off: f64 = found.iter().zip(&expected).map(|(a, b)| square(f64::from(*a) - f64::from(*b))).sum();
        Ok((off / expected.iter().map(|b| square(f64::from(*b))).sum::<f64>()).sqrt())
    };
    let (x, context) = inputs(net.config(), rows)?;
    let on = |t: &Tensor| t.to_device(&gpu);
    let (mine, given) = (on(&x)?, context.as_ref().map(on).transpose()?);
    let few = rows.min(16);
    let first = |t: &Tensor| t.narrow(0, 0, few);
    let some = context.as_ref().map(first).transpose()?;
    let expected = net.evaluate(&first(&x)?, some.as_ref())?;
    // Coefficients of either sign, so that much cancels, as where differences of energies are learned from.
    let signed = |count: usize| -> Vec<f32> { (0..count).map(|i| if i % 2 == 0 { 1.0 } else { -1.0 }).collect() };
    let weights = net.learn(&first(&x)?, some.as_ref(), &mut |_| Ok(signed(few)))?;
    let mode = if precision == "f32" { Mode::F32 } else { Mode::Tf32 };
    let energy = there.on_gpu(given.as_ref(), mode)?;
    let found = energy.evaluate(&mine)?;
    let (value, grad) = (away(&first(&found.energy)?, &expected.energy)?, away(&first(&found.grad)?, &expected.grad)?);
    let of_weights =
        there.learn_at(&first(&mine)?, some.as_ref().map(on).transpose()?.as_ref(), mode, &mut |_| Ok(signed(few)))?;
    let distances = of_weights.iter().zip(&weights).map(|(a, b)| away(a, b)).collect::<Result<Vec<f64>>>()?;
    // Of a sum of coefficients that is 0 nothing is left.
    let worst = distances.into_iter().filter(|d| d.is_finite()).fold(0.0, f64::max);
    // A sum that is rounded to the other side of a kink changes a slope from 0.2 to 1.
    let limits = if mode == Mode::F32 { [1e-4, 1e-3, 1e-3] } else { [1e-2, 5e-2, 1e-1] };
    let fits = [value, grad, worst].iter().zip(limits).all(|(away, limit)| *away < limit);
    let checked = serde_json::json!({
        "device": device, "precision": precision, "energy_away": value, "gradient_away": grad, "weights_away": worst,
        "fits": fits
    });
    let steps = 50;
    let secs = match work {
        "step" => median(|| {
            let (mut x, mut noise) = (mine.clone(), Noise::new(2));
            let begin = Instant::now();
            for _ in 0..steps {
                let grad = energy.evaluate(&x)?.grad.clamp(-0.01f32, 0.01f32)?;
                let eps = noise.normal(x.dims(), DType::F32, &gpu)?;
                x = ((x - (grad * f64::from(STEP.step))?)? + (eps * f64::from(STEP.noise))?)?.clamp(0f32, 1f32)?;
            }
            gpu.synchronize()?;
            Ok(begin.elapsed().as_secs_f64() / f64::from(steps))
        })?,
        _ => median(|| {
            let begin = Instant::now();
            for _ in 0..steps {
                there.learn_at(&mine, given.as_ref(), mode, &mut |_| Ok(vec![1.0 / rows as f32; rows]))?;
            }
            gpu.synchronize()?;
            Ok(begin.elapsed().as_secs_f64() / f64::from(steps))
        })?,
    };
    report(name, work, rows, secs, checked);
    Ok(())
}

fn main() -> Result<()> {
    let mut words: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let mut option = |name: &str, default: &str| match words.iter().position(|w| w == name) {
        Some(at) if at + 1 < words.len() => words.drain(at..at + 2).nth(1).unwrap_or_default(),
        _ => default.to_string(),
    };
    let (device, precision) = (option("--device", "cpu"), option("--precision", "tf32"));
    let words = if words.is_empty() { ["mnist", "step", "64"].map(String::from).to_vec() } else { words };
    let [name, work, batches @ ..] = &words[..] else {
        return Err(Error::config(
            "arguments",
            format!("{words:?}"),
            "NETWORK WORK BATCH... [--device cuda:0 [--precision f32]]",
        ));
    };
    if !["step", "learn"].contains(&work.as_str()) {
        return Err(Error::config("WORK", work, "step or learn"));
    }
    let net = shaken(config(name)?)?;
    for batch in batches {
        let Ok(rows) = batch.parse::<usize>() else { return Err(Error::config("BATCH", batch, "a number")) };
        match device.as_str() {
            "cpu" => on_cpu(name, work, &net, rows)?,
            gpu => on_gpu(name, work, &net, rows, [gpu, &precision])?,
        }
    }
    Ok(())
}
