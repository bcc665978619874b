//! Langevin steps on a GPU: parity with the CPU first, then time.

use super::super::args::BenchArgs;
use ebmotion::Result;

#[cfg(not(feature = "cuda"))]
pub(super) fn run(args: &BenchArgs, _: usize) -> Result<()> {
    args.device.open().map(drop)
}

#[cfg(feature = "cuda")]
pub(super) fn run(args: &BenchArgs, number: usize) -> Result<()> {
    use super::super::args::Precision;
    use super::super::output;
    use super::langevin::{STEP, gflops, points, program};
    use super::measure::{median_secs, round};
    use ebmotion::noise::Noise;
    use ebmotion_engine::engine::cuda::{Gpu, Mode};
    use ebmotion_engine::engine::{self, ChainKind, ChainStart, RunOptions, cuda};

    let gpu = Gpu::open(number)?;
    let program = program(&args.dims)?;
    let (mode, tolerance) = match args.precision {
        Precision::F32 => (Mode::F32, 1e-3),
        Precision::Tf32 => (Mode::Tf32, 1e-2),
        Precision::Bf16 => (Mode::Bf16, 5e-2),
    };
    let none = || ebmotion::Error::config("--dims", format!("{:?}", args.dims), "a network whose tile fits the GPU");
    for batch in args.batches() {
        let x = points(&program, *batch);
        let start = ChainStart { x: &x, at: None };
        let walk = |steps: usize, seed: u64| {
            cuda::run(&gpu, &program, &vec![STEP; steps], start, &mut Noise::new(seed), mode)?.ok_or_else(none)
        };
        // The same noise on both: a whole chain must end at the same places.
        let gpu = walk(10, 5)?;
        let cpu = engine::run(
            &program,
            &ChainKind::Langevin(vec![STEP; 10]),
            start,
            &mut Noise::new(5),
            &RunOptions::default(),
        )?;
        let scale = cpu.grad.iter().fold(0f32, |m, v| m.max(v.abs()));
        let away = gpu.grad.iter().zip(&cpu.grad).fold(0f32, |m, (a, b)| m.max((a - b).abs())) / scale;
        if away.is_nan() || away > tolerance {
            let what = format!("the GPU\'s gradient, off by {away} of the CPU\'s");
            return Err(ebmotion::Error::data(what, away, format!("at most {tolerance}")));
        }
        // Start, transfers and the kernel\'s compilation drop out of a difference.
        let (few, many) = (100, 1_100);
        let short = median_secs(args.repeats, || walk(few, 1).map(drop))?;
        let long = median_secs(args.repeats, || walk(many, 1).map(drop))?;
        let secs = (long - short) / (many - few) as f64;
        let rate = gflops(&program, *batch, secs);
        let line = match args.json {
            true => serde_json::json!({
                "peer": "ours", "dims": args.dims, "batch": batch, "device": format!("cuda:{number}"),
                "precision": format!("{mode:?}"), "us_per_step": round(secs * 1e6), "gflops": round(rate),
                "away_from_cpu": away,
            })
            .to_string(),
            false => format!(
                "{batch:>8} {:>12.2} us a step {rate:>10.1} GFLOP/s, gradient within {away:.1e} of the CPU\'s",
                secs * 1e6
            ),
        };
        output::print(&format!("{line}\n"))?;
    }
    Ok(())
}
