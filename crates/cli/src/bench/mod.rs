//! `bench`: the engine's figures on the user's machine.

mod denoising;
mod forecast;
mod gpu;
mod langevin;
mod measure;
mod train;

use super::args::{BenchArgs, Device, Workload};
use ebmotion::{Error, Result};

pub(crate) fn run(args: &BenchArgs) -> Result<()> {
    check(args)?;
    match args.workload {
        Workload::Langevin => match args.device {
            Device::Cuda(number) => gpu::run(args, number),
            Device::Cpu => langevin::run(args),
        },
        Workload::Forecast => forecast::run(args),
        Workload::Train => train::run(args),
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
