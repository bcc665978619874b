//! `bench`: the engine's figures on the user's machine.

mod denoising;
mod forecast;
mod gpu;
mod langevin;
mod train;

use super::args::{BenchArgs, Device, Workload};
use ebmotion::event::Silent;
use ebmotion::model::{Activation, MlpConfig};
use ebmotion::noise::Noise;
use ebmotion::train::{AdamConfig, Batch, Divergence, Objective, Source, TrainConfig, train};
use ebmotion::{Error, Result};
use std::time::Instant;

pub(crate) fn run(args: &BenchArgs) -> Result<()> {
    check(args)?;
    match args.workload {
        Workload::Langevin => langevin::run(args),
        Workload::Forecast => forecast::run(args),
        Workload::Train => self::train::run(args),
        Workload::Denoising => denoising::run(args),
    }
}

fn check(args: &BenchArgs) -> Result<()> {
    let list = |key: &str, values: &[usize]| match values.is_empty() || values.contains(&0) {
        true => Err(Error::config(key, format!("{values:?}"), "numbers of at least 1")),
        false => Ok(()),
    };
    list("--dims", &args.dims)?;
    list("--batches", args.batches())?;
    list("--samples", &args.samples)?;
    list("--repeats", &[args.repeats])?;
    list("--steps", &[args.steps])?;
    list("--threads", &[args.threads.unwrap_or(1)])?;
    if args.device != Device::Cpu && args.workload != Workload::Langevin {
        return Err(Error::config("--device", "a GPU", "cpu: on a GPU only `langevin` is measured"));
    }
    if args.dims.len() < 3 || args.dims.last() != Some(&1) {
        let found = format!("{:?}", args.dims);
        return Err(Error::config("--dims", found, "input, at least one hidden width, and 1: an energy is one number"));
    }
    Ok(())
}

/// A perceptron of widths `dims`.
fn config(dims: &[usize]) -> MlpConfig {
    MlpConfig {
        inputs: dims[0],
        context: 0,
        hidden: dims[1..dims.len() - 1].to_vec(),
        outputs: 1,
        activation: Activation::Swish,
        positions: None,
        spectral_norm: false,
    }
}

/// To two decimals.
fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// Median seconds of `repeats` runs of `work`, after one that is not counted.
fn median_secs(repeats: usize, mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    work()?;
    let mut secs = Vec::with_capacity(repeats);
    for _ in 0..repeats {
        let begin = Instant::now();
        work()?;
        secs.push(begin.elapsed().as_secs_f64());
    }
    secs.sort_by(f64::total_cmp);
    Ok(secs[secs.len() / 2])
}

/// The same batch again and again: assembling batches is not what is measured.
struct Same(Batch);

impl Source for Same {
    fn batch(&self, _: usize, _: &mut Noise) -> Result<Batch> {
        Ok(self.0.clone())
    }

    fn validation(&self) -> Result<Option<Batch>> {
        Ok(None)
    }
}

/// Runs the trainer that `train` uses: loss, weight gradient, update, average, checks.
fn steps_of(
    steps: u64,
    objective: &mut dyn Objective,
    source: &Same,
    optimizer: &AdamConfig,
    batch: usize,
) -> Result<()> {
    let plan = TrainConfig {
        steps,
        batch,
        optimizer: optimizer.clone(),
        average_decay: 0.999,
        validate_every: steps,
        log_every: steps,
        checkpoint_every: steps,
        divergence: Divergence::default(),
        compact_checkpoints: false,
    };
    train(objective, source, &plan, &Noise::new(2), None, &mut Silent).map(|_| ())
}
