//! Microseconds of one Langevin step of a perceptron's energy.

use super::super::args::BenchArgs;
use super::super::output;
use super::measure::{config, median_secs, round};
use candle_core::DType;
use ebmotion::Result;
use ebmotion::model::Mlp;
use ebmotion::noise::Noise;
use ebmotion_engine::engine::{self, ChainKind, ChainStart, Isa, LangevinStep, Program, RunOptions, Term};
use ebmotion_engine::parallel;

/// Multiplications of one run, about: so that a run takes some milliseconds whatever the batch.
const WORK: usize = 1 << 30;
/// What every step does.
pub(super) const STEP: LangevinStep = LangevinStep { step: 5e-3, noise: 0.1, clip: None, bounds: None };

pub(super) fn run(args: &BenchArgs) -> Result<()> {
    let threads = args.threads.unwrap_or_else(parallel::available);
    let program = program(&args.dims)?;
    let isa = Isa::best();
    if args.json {
        for batch in args.batches() {
            let secs = step_secs(&program, *batch, &RunOptions::with_threads(threads), args.repeats)?;
            let line = serde_json::json!({
                "peer": "ours", "dims": args.dims, "batch": batch, "threads": threads,
                "us_per_step": round(secs * 1e6), "gflops": round(gflops(&program, *batch, secs)),
            });
            output::print(&format!("{line}\n"))?;
        }
        return Ok(());
    }
    let peak = engine::peak_gflops(isa, threads);
    let mut text = format!(
        "Langevin steps of a {} swish network, f32, {}, {threads} threads; peak of the arithmetic {peak:.0} GFLOP/s\n\n\
         {:>8} {:>12} {:>10} {:>8} {:>10}\n",
        args.dims.iter().map(usize::to_string).collect::<Vec<_>>().join("-"),
        isa.name(),
        "batch",
        "us a step",
        "GFLOP/s",
        "of peak",
        "1 thread",
    );
    for batch in args.batches() {
        let secs = step_secs(&program, *batch, &RunOptions::with_threads(threads), args.repeats)?;
        let alone =
            if threads == 1 { secs } else { step_secs(&program, *batch, &RunOptions::with_threads(1), args.repeats)? };
        let rate = gflops(&program, *batch, secs);
        text.push_str(&format!(
            "{batch:>8} {:>12.1} {rate:>10.1} {:>7.0}% {:>9.2}x\n",
            secs * 1e6,
            100.0 * rate / peak,
            alone / secs,
        ));
    }
    text.push_str("\nThe last column is the time on 1 thread over that on all.\n");
    output::print(&text)
}

/// A network of `dims` with fresh weights as an energy.
pub(super) fn program(dims: &[usize]) -> Result<Program> {
    let net = Mlp::new(config(dims), &mut Noise::new(0), DType::F32, &candle_core::Device::Cpu)?;
    let (network, first) = (net.packed()?.into(), net.context_rows(None)?);
    Program::new(dims[0], vec![Term::Network { network, first, factor: 1.0 }])
}

/// Value and input gradient take two multiply-adds for each multiplication of the value.
pub(super) fn gflops(program: &Program, batch: usize, secs: f64) -> f64 {
    4.0 * batch as f64 * program.products() as f64 / secs / 1e9
}

fn step_secs(program: &Program, batch: usize, options: &RunOptions, repeats: usize) -> Result<f64> {
    let steps = (WORK / (2 * batch * program.products())).clamp(20, 5_000);
    let walk = ChainKind::Langevin(vec![STEP; steps]);
    let x = points(program, batch);
    let mut noise = Noise::new(2);
    let secs = median_secs(repeats, || {
        let finish = engine::run(program, &walk, ChainStart { x: &x, at: None }, &mut noise, options)?;
        std::hint::black_box(finish);
        Ok(())
    })?;
    Ok(secs / steps as f64)
}

/// Where chains start.
pub(super) fn points(program: &Program, batch: usize) -> Vec<f32> {
    let mut x = vec![0f32; batch * program.width()];
    let draw = Noise::new(1).next_draw();
    x.chunks_exact_mut(program.width()).enumerate().for_each(|(row, out)| draw.normal_f32(row as u64, out));
    x
}
