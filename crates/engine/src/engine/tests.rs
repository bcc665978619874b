//! The engine at every ISA, on any number of threads, against plain loops in f64.

use super::*;
use crate::noise::Noise;
use std::sync::Arc;

/// Weight between an input and an output: of a layer that shares weights, by how far apart their positions are.
fn meets(layer: &Layer, output: usize, input: usize) -> f64 {
    let (t, reach) = (layer.shared.positions, layer.shared.reach);
    let (outputs, inputs) = (layer.outputs / t, layer.inputs / t);
    let apart = (input / inputs + reach) as isize - (output / outputs) as isize;
    let columns = (2 * reach + 1) * inputs;
    match usize::try_from(apart) {
        Ok(tap) if tap <= 2 * reach => {
            f64::from(layer.weight[output % outputs * columns + tap * inputs + input % inputs])
        }
        _ => 0.0,
    }
}

/// Value and gradient of a program at one chain's `x`, straight from the formulas.
#[expect(clippy::too_many_lines, reason = "one arm for each kind of term, straight from its formula")]
pub(super) fn reference(program: &Program, chain: usize, x: &[f64]) -> (f64, Vec<f64>) {
    let (mut energy, mut grad) = (0.0, vec![0.0; x.len()]);
    for term in program.terms() {
        match term {
            Term::Network { network, first, factor } => {
                let layers = network.layers();
                let mut values = vec![x.to_vec()];
                let mut slopes = Vec::new();
                for (l, layer) in layers.hidden.iter().enumerate() {
                    let start = if l == 0 { first.row(chain) } else { &layer.bias };
                    let (mut h, mut s) = (Vec::new(), Vec::new());
                    for (o, start) in start.iter().enumerate() {
                        let row = (0..layer.inputs).map(|i| meets(layer, o, i));
                        let z: f64 = f64::from(*start) + row.zip(&values[l]).map(|(w, v)| w * v).sum::<f64>();
                        match layers.activation {
                            Nonlinearity::Swish => {
                                let sigmoid = 1.0 / (1.0 + (-z).exp());
                                h.push(z * sigmoid);
                                s.push(sigmoid + z * sigmoid * (1.0 - sigmoid));
                            }
                            Nonlinearity::Leaky(leak) => {
                                let slope = if z < 0.0 { f64::from(leak) } else { 1.0 };
                                h.push(z * slope);
                                s.push(slope);
                            }
                        }
                    }
                    values.push(h);
                    slopes.push(s);
                }
                let factor = f64::from(*factor);
                let head = layers.head.iter().map(|w| f64::from(*w));
                energy += factor
                    * (f64::from(layers.head_bias)
                        + head.clone().zip(&values[slopes.len()]).map(|(w, h)| w * h).sum::<f64>());
                let mut delta: Vec<f64> = head.collect();
                for (layer, slope) in layers.hidden.iter().zip(&slopes).rev() {
                    let mut below = vec![0.0; layer.inputs];
                    for o in 0..layer.outputs {
                        for (i, b) in below.iter_mut().enumerate() {
                            *b += meets(layer, o, i) * delta[o] * slope[o];
                        }
                    }
                    delta = below;
                }
                grad.iter_mut().zip(delta).for_each(|(g, d)| *g += factor * d);
            }
            Term::Quadratic { centre, weight } => {
                for (i, g) in grad.iter_mut().enumerate() {
                    let away = x[i] - f64::from(centre.row(chain)[i]);
                    energy += f64::from(weight[i]) * away * away;
                    *g += 2.0 * f64::from(weight[i]) * away;
                }
            }
            Term::Limits { lo, hi, weight } => {
                for (i, g) in grad.iter_mut().enumerate() {
                    let away = (x[i] - f64::from(hi[i])).max(0.0) - (f64::from(lo[i]) - x[i]).max(0.0);
                    energy += f64::from(*weight) * away * away;
                    *g += 2.0 * f64::from(*weight) * away;
                }
            }
            Term::Constant(rows) => energy += f64::from(rows.row(chain)[0]),
            Term::Custom { energy: custom, factor } => {
                let x: Vec<f32> = x.iter().map(|v| *v as f32).collect();
                let (mut e, mut g) = ([0f32], vec![0f32; x.len()]);
                custom.add(chain..chain + 1, &x, *factor, &mut e, &mut g, &mut []);
                energy += f64::from(e[0]);
                grad.iter_mut().zip(g).for_each(|(a, b)| *a += f64::from(b));
            }
        }
    }
    (energy, grad)
}

struct Path {
    x: Vec<f64>,
    energy: f64,
    grad: Vec<f64>,
}

fn squares(x: &[f64]) -> f64 {
    x.iter().map(|v| v * v).sum()
}

/// One chain's walk in f64, with the numbers of the same noise.
#[expect(clippy::too_many_lines, reason = "one arm for each kind of walk, straight from its formula")]
fn walk(program: &Program, kind: &ChainKind, chain: usize, x: &[f64], noise: &mut Noise) -> Path {
    let at = |x: Vec<f64>| {
        let (energy, grad) = reference(program, chain, &x);
        Path { x, energy, grad }
    };
    let normals = |noise: &mut Noise| {
        let mut n = vec![0.0; x.len()];
        noise.next_draw().normal(chain as u64, &mut n);
        n
    };
    let uniform = |noise: &mut Noise| {
        let mut u = [0.0];
        noise.next_draw().uniform(chain as u64, &mut u);
        u[0]
    };
    let drift = |path: &Path, s: &LangevinStep, n: &[f64]| -> (Vec<f64>, bool) {
        let clip = s.clip.map_or(f64::INFINITY, f64::from);
        let (lo, hi) = s.bounds.map_or((f64::NEG_INFINITY, f64::INFINITY), |(a, b)| (a.into(), b.into()));
        let free: Vec<f64> = (0..n.len())
            .map(|i| path.x[i] - f64::from(s.step) * path.grad[i].clamp(-clip, clip) + f64::from(s.noise) * n[i])
            .collect();
        let inside = free.iter().all(|v| (lo..=hi).contains(v));
        (free.into_iter().map(|v| v.clamp(lo, hi)).collect(), inside)
    };
    let mut path = at(x.to_vec());
    for k in 0..kind.steps() {
        match kind {
            ChainKind::Langevin(steps) => {
                let n = normals(noise);
                path = at(drift(&path, &steps[k], &n).0);
            }
            ChainKind::Mala { step, .. } => {
                let n = normals(noise);
                let (to, inside) = drift(&path, step, &n);
                let to = at(to);
                let clip = step.clip.map_or(f64::INFINITY, f64::from);
                let back: Vec<f64> = (0..n.len())
                    .map(|i| {
                        let drift = f64::from(step.step) * to.grad[i].clamp(-clip, clip);
                        (path.x[i] - to.x[i] + drift) / f64::from(step.noise)
                    })
                    .collect();
                let log = path.energy - to.energy + 0.5 * (squares(&n) - squares(&back));
                if uniform(noise) < if inside { log.exp() } else { 0.0 } {
                    path = to;
                }
            }
            ChainKind::Hmc { step, leapfrogs, jitter, .. } => {
                let mut p = normals(noise);
                let before = squares(&p);
                let size = step * (1.0 - jitter) + 2.0 * jitter * step * uniform(noise);
                let mut to = Path { x: path.x.clone(), energy: path.energy, grad: path.grad.clone() };
                for _ in 0..*leapfrogs {
                    p.iter_mut().zip(&to.grad).for_each(|(p, g)| *p -= 0.5 * size * g);
                    to = at(to.x.iter().zip(&p).map(|(x, p)| x + size * p).collect());
                    p.iter_mut().zip(&to.grad).for_each(|(p, g)| *p -= 0.5 * size * g);
                }
                let log = path.energy - to.energy + 0.5 * (before - squares(&p));
                if uniform(noise) < log.exp() {
                    path = to;
                }
            }
        }
    }
    path
}

/// `E = 3 sum sin x_j`.
#[derive(Debug)]
struct Sines;

impl TileEnergy for Sines {
    fn add(
        &self,
        chains: std::ops::Range<usize>,
        x: &[f32],
        factor: f32,
        energy: &mut [f32],
        grad: &mut [f32],
        _: &mut [f32],
    ) {
        let width = x.len() / chains.len();
        for (c, row) in x.chunks_exact(width).enumerate() {
            for (j, v) in row.iter().enumerate() {
                energy[c] += 3.0 * factor * v.sin();
                grad[c * width + j] += 3.0 * factor * v.cos();
            }
        }
    }
}

pub(super) fn numbers(label: u64, count: usize, scale: f64) -> Vec<f32> {
    let mut all = vec![0.0; count];
    Noise::new(5).fork(label).next_draw().normal(0, &mut all);
    all.into_iter().map(|v| (scale * v) as f32).collect()
}

/// The first layers share their weights as `shared` says, the others are fully connected.
pub(super) fn network(isa: Isa, widths: &[usize], activation: Nonlinearity, shared: &[Shared]) -> Arc<PackedMlp> {
    let hidden = widths.windows(2).enumerate().map(|(l, pair)| {
        let (inputs, outputs, bias) = (pair[0], pair[1], numbers(10 + l as u64, pair[1], 0.3));
        let shared = shared.get(l).copied().unwrap_or(Shared::NONE);
        let mut layer = Layer { inputs, outputs, shared, weight: Vec::new(), bias };
        let (rows, columns) = layer.shape();
        layer.weight = numbers(l as u64, rows * columns, 1.5 / (columns as f64).sqrt());
        layer
    });
    let last = widths[widths.len() - 1];
    let (hidden, head) = (hidden.collect(), numbers(20, last, 1.0 / (last as f64).sqrt()));
    let layers = Layers { hidden, head, head_bias: 0.25, activation };
    Arc::new(PackedMlp::at_isa(layers, isa).unwrap())
}

/// Programs over rows of `width` numbers for `chains` chains.
pub(super) fn programs(isa: Isa, chains: usize) -> Vec<(&'static str, Program)> {
    let rows = |label, count, width| Rows::new(width, numbers(label, count * width, 0.4)).unwrap();
    let local = |widths: &[usize], activation, count, factor, shared: &[Shared]| {
        let first = rows(30, count, widths[1]);
        Term::Network { network: network(isa, widths, activation, shared), first, factor }
    };
    let net = |widths: &[usize], activation, count, factor| local(widths, activation, count, factor, &[]);
    let over = |positions, reach| Shared { positions, reach };
    let quadratic = |count, width: usize| Term::Quadratic {
        centre: rows(40, count, width),
        weight: (0..width).map(|i| 0.1 + 0.05 * (i % 7) as f32).collect(),
    };
    let limits = |width: usize| Term::Limits {
        lo: (0..width).map(|i| if i % 3 == 0 { f32::NEG_INFINITY } else { -0.5 }).collect(),
        hi: vec![0.6; width].into(),
        weight: 1.5,
    };
    let program = |width, terms| Program::new(width, terms).unwrap();
    let swish = Nonlinearity::Swish;
    vec![
        ("one layer", program(5, vec![net(&[5, 9], swish, 1, 1.0)])),
        ("two layers", program(48, vec![net(&[48, 70, 33], swish, 1, 2.0)])),
        ("leaky, a context each", program(37, vec![net(&[37, 64, 130, 24], Nonlinearity::Leaky(0.2), chains, 1.0)])),
        (
            "weights shared over positions",
            program(36, vec![local(&[36, 60, 84, 30], swish, chains, 1.5, &[over(6, 0), over(6, 1)])]),
        ),
        (
            "few positions, seen from far",
            program(20, vec![local(&[20, 26, 50, 12, 9], swish, 1, 1.0, &[over(2, 1), over(2, 3)])]),
        ),
        (
            "sum of all terms",
            program(
                40,
                vec![
                    net(&[40, 50, 20], swish, chains, -0.5),
                    net(&[40, 12], Nonlinearity::Leaky(0.2), 1, 0.7),
                    quadratic(chains, 40),
                    quadratic(1, 40),
                    limits(40),
                    Term::Constant(rows(50, chains, 1)),
                    Term::Custom { energy: Arc::new(Sines), factor: 0.5 },
                ],
            ),
        ),
        ("no network", program(35, vec![quadratic(1, 35), limits(35)])),
        ("nothing", program(3, Vec::new())),
    ]
}

fn walks() -> Vec<(&'static str, ChainKind)> {
    let plain = LangevinStep { step: 0.02, noise: 0.2, clip: None, bounds: None };
    let held = LangevinStep { clip: Some(0.3), bounds: Some((-1.0, 1.2)), ..plain };
    let schedule = (0..6).map(|k| LangevinStep { step: 0.05 / (1.0 + k as f32), noise: 0.02 * k as f32, ..plain });
    vec![
        ("no step", ChainKind::Langevin(Vec::new())),
        ("langevin", ChainKind::Langevin(vec![plain; 5])),
        ("clip and box", ChainKind::Langevin(vec![held; 4])),
        ("schedule", ChainKind::Langevin(schedule.collect())),
        ("mala", ChainKind::Mala { step: LangevinStep { step: 0.02, noise: 0.2, ..plain }, steps: 4 }),
        ("mala, clip and box", ChainKind::Mala { step: LangevinStep { bounds: Some((-3.0, 3.0)), ..held }, steps: 3 }),
        ("hmc", ChainKind::Hmc { step: 0.15, leapfrogs: 3, jitter: 0.2, steps: 3 }),
    ]
}

#[test]
fn every_walk_on_every_program_is_that_of_the_reference() {
    for isa in Isa::available() {
        for chains in [1, 3, 5, 16, 37] {
            for (energy_name, program) in programs(isa, chains) {
                for (walk_name, kind) in walks() {
                    let width = program.width();
                    let x: Vec<f32> = numbers(60, chains * width, 0.8).iter().map(|v| v.clamp(-0.9, 0.9)).collect();
                    let start = ChainStart { x: &x, at: None };
                    let noise = Noise::new(3);
                    let mut used = noise.clone();
                    let one = run(&program, &kind, start, &mut used, &RunOptions::at_isa(1, isa)).unwrap();
                    let two = run(&program, &kind, start, &mut noise.clone(), &RunOptions::at_isa(2, isa)).unwrap();
                    let what = format!("{isa:?}, {chains} chains, {energy_name}, {walk_name}");
                    // The tallies are sums over tiles, which differ between plans: to rounding.
                    assert_eq!((&one.x, &one.energy, &one.grad), (&two.x, &two.energy, &two.grad), "{what}: threads");
                    assert!(
                        (one.moved - two.moved).abs() < 1e-6 && (one.gradient_norm - two.gradient_norm).abs() < 1e-5
                    );
                    for chain in 0..chains {
                        let row = chain * width..(chain + 1) * width;
                        let from: Vec<f64> = x[row.clone()].iter().map(|v| f64::from(*v)).collect();
                        let mut expected_noise = noise.clone();
                        let expected = walk(&program, &kind, chain, &from, &mut expected_noise);
                        assert_eq!(expected_noise, used, "{what}: draws");
                        let near = |a: f32, b: f64| (f64::from(a) - b).abs() < 3e-5 * (1.0 + b.abs());
                        assert!(
                            near(one.energy[chain], expected.energy),
                            "{what}: energy {} instead of {}",
                            one.energy[chain],
                            expected.energy
                        );
                        for (i, (a, b)) in one.x[row.clone()].iter().zip(&expected.x).enumerate() {
                            assert!(near(*a, *b), "{what}: chain {chain}, x[{i}] is {a} instead of {b}");
                        }
                        for (i, (a, b)) in one.grad[row].iter().zip(&expected.grad).enumerate() {
                            assert!(near(*a, *b), "{what}: chain {chain}, gradient[{i}] is {a} instead of {b}");
                        }
                    }
                }
            }
        }
    }
}

/// Large enough for the plans that share a tile, cut into several, and leave a tail.
#[test]
fn plans_change_nothing() {
    for (widths, chains) in [(&[192, 512, 512][..], 70), (&[192, 512, 512][..], 2), (&[24, 40][..], 700)] {
        let isa = Isa::best();
        let first = Rows::new(widths[1], numbers(30, widths[1], 0.3)).unwrap();
        let network = network(isa, widths, Nonlinearity::Swish, &[]);
        let program = Program::new(widths[0], vec![Term::Network { network, first, factor: 1.0 }]).unwrap();
        let kind = ChainKind::Langevin(vec![LangevinStep { step: 0.01, noise: 0.1, clip: None, bounds: None }; 3]);
        let x = numbers(60, chains * widths[0], 1.0);
        let start = ChainStart { x: &x, at: None };
        let go = |threads| run(&program, &kind, start, &mut Noise::new(1), &RunOptions::with_threads(threads)).unwrap();
        let one = go(1);
        for threads in [2, 3, 5] {
            let many = go(threads);
            assert_eq!((&one.x, &one.energy, &one.grad), (&many.x, &many.energy, &many.grad), "{threads} threads");
        }
        for chain in [0, chains - 1] {
            let row = chain * widths[0]..(chain + 1) * widths[0];
            let from: Vec<f64> = x[row.clone()].iter().map(|v| f64::from(*v)).collect();
            let expected = walk(&program, &kind, chain, &from, &mut Noise::new(1));
            assert!((f64::from(one.energy[chain]) - expected.energy).abs() < 1e-4);
            assert!(one.x[row].iter().zip(&expected.x).all(|(a, b)| (f64::from(*a) - b).abs() < 1e-5));
        }
    }
}

#[test]
fn what_does_not_fit_and_what_diverges_is_an_error() {
    let isa = Isa::best();
    let (_, program) = programs(isa, 4).remove(2);
    let x = vec![0.1; 4 * program.width()];
    let still = ChainKind::Langevin(vec![LangevinStep { step: 0.1, noise: 0.0, clip: None, bounds: None }; 3]);
    let options = RunOptions::default();
    let go =
        |x: &[f32], walk: &ChainKind| run(&program, walk, ChainStart { x, at: None }, &mut Noise::new(0), &options);
    assert!(go(&x, &still).is_ok());
    assert!(matches!(go(&x[1..], &still), Err(crate::Error::Shape { .. })), "a broken row");
    assert!(matches!(go(&x[program.width()..], &still), Err(crate::Error::Shape { .. })), "too few chains");
    let mut broken = x.clone();
    broken[program.width() + 3] = f32::NAN;
    assert!(matches!(go(&broken, &still), Err(crate::Error::NonFinite { .. })), "NaN");
    let far = ChainKind::Langevin(vec![LangevinStep { step: 3e38, noise: 0.0, clip: None, bounds: None }; 3]);
    match go(&x, &far) {
        Err(crate::Error::NonFinite { step, .. }) => assert!(step <= 1, "found at step {step}"),
        other => panic!("a chain that diverges gave {other:?}"),
    }
}
