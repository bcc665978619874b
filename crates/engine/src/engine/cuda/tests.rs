//! The kernel's own text, compiled for the CPU with a stand-in for the device, against the CPU's engine with the same
//! noise.

use super::{Device, Job, Mode};
use crate::engine::tests::programs;
use crate::engine::{self, ChainKind, ChainStart, Isa, LangevinStep, Program, RunOptions};
use crate::noise::Noise;
use std::path::Path;
use std::process::Command;

const HOPPER: Device = Device { shared_bytes: 227 << 10, multiprocessors: 132 };

fn file(arrays: &[&[f32]], counts: &[i64]) -> Vec<u8> {
    let mut all = Vec::new();
    for array in arrays {
        all.extend((array.len() as i64).to_le_bytes());
        all.extend(array.iter().flat_map(|v| v.to_le_bytes()));
    }
    all.extend((counts.len() as i64).to_le_bytes());
    all.extend(counts.iter().flat_map(|v| v.to_le_bytes()));
    all
}

struct Answer {
    x: Vec<f32>,
    energy: Vec<f32>,
    grad: Vec<f32>,
    bad: i32,
}

/// Compiles and runs a job for the CPU.
fn emulate(job: &Job, steps: &[LangevinStep], x: &[f32], noise: &mut Noise, folder: &Path) -> Answer {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cuda");
    let text = |name: &str| std::fs::read_to_string(here.join(name)).unwrap();
    let (source, program) = (folder.join("kernel.cpp"), folder.join("kernel"));
    std::fs::write(&source, job.text(&text("host.h")) + "\n" + &text("main.cpp")).unwrap();
    let mut compiler = Command::new("g++");
    let compiled = compiler.args(["-std=c++20", "-O1", "-o"]).args([&program, &source]).output().expect("g++");
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    let place = noise.clone().next_draw().place(0);
    steps.iter().for_each(|_| _ = noise.next_draw());
    let schedule: Vec<f32> = steps.iter().flat_map(|s| [s.step, s.noise]).collect();
    let (clip, (low, high)) = match steps.first() {
        Some(s) => (s.clip.unwrap_or(f32::INFINITY), s.bounds.unwrap_or((f32::NEG_INFINITY, f32::INFINITY))),
        None => (1.0, (0.0, 1.0)),
    };
    let scalars = [job.head_bias, job.factor, clip, low, high];
    let arrays: [&[f32]; 9] =
        [&job.weights, &job.biases, &job.head, &job.first, &job.constants, &job.rows, &schedule, x, &scalars];
    let floats = job.shared_bytes.div_ceil(4) as i64;
    let counts = [
        place.key as i64,
        i64::from(place.draw),
        place.chain as i64,
        job.chains as i64,
        steps.len() as i64,
        job.blocks as i64,
        floats,
    ];
    let (input, output) = (folder.join("in"), folder.join("out"));
    std::fs::write(&input, file(&arrays, &counts)).unwrap();
    let ran = Command::new(&program).args([&input, &output]).status().unwrap();
    assert!(ran.success(), "the kernel on the CPU ended with {ran}");
    let all = std::fs::read(&output).unwrap();
    let (numbers, bad) = all.split_at(all.len() - 4);
    let mut numbers = numbers.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    let mut take = |count: usize| numbers.by_ref().take(count).collect::<Vec<f32>>();
    let (x, energy, grad) = (take(x.len()), take(job.chains), take(x.len()));
    Answer { x, energy, grad, bad: i32::from_le_bytes([bad[0], bad[1], bad[2], bad[3]]) }
}

/// The difference that `share` of the numbers keep below, relative to the largest value.
fn away(a: &[f32], b: &[f32], share: f64) -> f32 {
    let scale = b.iter().fold(1e-3f32, |m, v| m.max(v.abs()));
    let mut all: Vec<f32> = a.iter().zip(b).map(|(a, b)| (a - b).abs() / scale).collect();
    all.sort_by(f32::total_cmp); // NaN last
    all[((all.len() - 1) as f64 * share) as usize]
}

fn jobs(chains: usize) -> Vec<(&'static str, Program)> {
    let mut all = programs(Isa::best(), chains);
    // One network each: the sum of all terms without its second network and its term of the user's own.
    for (_, program) in &mut all {
        let mut seen = false;
        let keep = |t: &engine::Term| match t {
            engine::Term::Network { .. } => !std::mem::replace(&mut seen, true),
            engine::Term::Custom { .. } => false,
            _ => true,
        };
        let terms = program.terms().to_vec();
        let kept: Vec<_> = terms.into_iter().filter(keep).collect();
        *program = Program::new(program.width(), kept).unwrap();
    }
    all.into_iter().filter(|(_, p)| p.terms().iter().any(|t| matches!(t, engine::Term::Network { .. }))).collect()
}

#[test]
#[ignore = "needs g++"]
fn the_kernel_on_the_cpu_walks_as_the_engine_does() {
    let plain = LangevinStep { step: 0.02, noise: 0.2, clip: None, bounds: None };
    let held = vec![LangevinStep { clip: Some(0.3), bounds: Some((-1.0, 1.2)), ..plain }; 4];
    let schedule: Vec<_> =
        (0..5).map(|k| LangevinStep { step: 0.05 / (1.0 + k as f32), noise: 0.02 * k as f32, ..plain }).collect();
    let folder = tempfile::tempdir().unwrap();
    // Every program in f32 with weights beside the tile and outside, then on the matrix units.
    let little = Device { shared_bytes: 48 << 10, ..HOPPER };
    let cases = [
        (5, Mode::F32, HOPPER, vec![plain; 6]),
        (37, Mode::F32, little, schedule),
        (37, Mode::Tf32, HOPPER, held.clone()),
        (5, Mode::Bf16, little, Vec::new()),
        (37, Mode::Bf16, HOPPER, held),
    ];
    for (chains, mode, device, steps) in cases {
        let tolerance = match mode {
            Mode::F32 => 1e-5,
            Mode::Tf32 => 3e-3,
            Mode::Bf16 => 3e-2,
        };
        for (name, program) in jobs(chains) {
            let Some(job) = Job::new(&program, chains, mode, 64, device).unwrap() else { continue };
            let mut x = vec![0f32; chains * program.width()];
            Noise::new(8).next_draw().normal_f32(0, &mut x);
            x.iter_mut().for_each(|v| *v = (0.8 * *v).clamp(-0.9, 0.9));
            let noise = Noise::new(3);
            let gpu = emulate(&job, &steps, &x, &mut noise.clone(), folder.path());
            let walk = ChainKind::Langevin(steps.clone());
            let start = ChainStart { x: &x, at: None };
            let cpu = engine::run(&program, &walk, start, &mut noise.clone(), &RunOptions::default()).unwrap();
            // A leaky unit whose sum is rounded across 0 changes a chain's gradient at once: most must agree, not all.
            let share = if name.starts_with("leaky") && mode != Mode::F32 { 0.9 } else { 1.0 };
            let off =
                [away(&gpu.x, &cpu.x, 1.0), away(&gpu.grad, &cpu.grad, share), away(&gpu.energy, &cpu.energy, 1.0)];
            let what = format!("{name}, {chains} chains, {mode:?}, {} steps", steps.len());
            println!("{what}: x, gradient, energy off by {off:?}");
            assert!(off.iter().all(|o| *o < tolerance), "{what}: off by {off:?}");
            assert_eq!(gpu.bad, i32::MAX, "{what}");
        }
    }
}

#[test]
fn tiles_grow_with_the_batch_and_weights_move_in_where_they_fit() {
    let (_, program) = jobs(1).remove(1); // 48-70-33, padded to 48-80-48
    let job = |chains, mode, device| Job::new(&program, chains, mode, 128, device).unwrap();
    let small = job(100, Mode::F32, HOPPER).unwrap();
    assert_eq!((small.tile, small.blocks), (16, 7));
    let tile = 4 * 16 * (2 * (48 + 4 + 80 + 4 + 48 + 4) + 1);
    assert_eq!(small.shared_bytes, tile + 4 * (80 * 52 + 48 * 84));
    assert_eq!(job(100, Mode::Bf16, HOPPER).unwrap().shared_bytes, tile + 2 * (80 * 52 + 48 * 84));
    assert_eq!(job(65_536, Mode::F32, HOPPER).unwrap().tile, 64);
    let little = Device { shared_bytes: tile + 100, ..HOPPER };
    assert_eq!(job(65_536, Mode::F32, little).unwrap().shared_bytes, tile, "weights stay outside");
    assert!(job(10, Mode::F32, Device { shared_bytes: tile - 1, ..HOPPER }).is_none());
    assert!(Job::new(&program, 10, Mode::F32, 33, HOPPER).is_err());
}

/// The texts as NVRTC gets them; `scripts/check_kernels.py` has them written and compiles them.
#[test]
fn every_kernel_text_says_what_it_is_for() {
    let folder = std::env::var_os("EBMOTION_KERNELS");
    for (i, (_, program)) in jobs(40).into_iter().enumerate() {
        for (mode, number) in [(Mode::F32, 0), (Mode::Tf32, 1), (Mode::Bf16, 2)] {
            for shared_bytes in [227 << 10, 60 << 10] {
                let device = Device { shared_bytes, ..HOPPER };
                let Some(job) = Job::new(&program, 40, mode, 256, device).unwrap() else { continue };
                let text = job.text(Job::DEVICE);
                assert!(text.contains(&format!("#define MODE {number}\n")));
                assert!(text.contains(&format!("#define INPUTS {}\n", program.width())));
                assert!(job.shared_bytes <= shared_bytes);
                if let Some(folder) = &folder {
                    let name = format!("{i}-{number}-{}.cu", shared_bytes >> 10);
                    std::fs::write(Path::new(folder).join(name), text).unwrap();
                }
            }
        }
    }
}
