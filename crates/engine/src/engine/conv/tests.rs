//! The same numbers at every ISA, and the same bits for every number of threads and every batch.

#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

use super::super::layers::{Nonlinearity, Rows};
use super::super::plan::RunOptions;
use super::*;
use crate::noise::Noise;
use crate::simd::Isa;

fn numbers(seed: u64, count: usize, scale: f32) -> Vec<f32> {
    let mut all = vec![0f32; count];
    Noise::new(seed).next_draw().normal_f32(0, &mut all);
    all.iter().map(|v| v * scale).collect()
}

fn filter(seed: u64, inputs: usize, outputs: usize, (height, width): (usize, usize), reach: Reach) -> Filter {
    let taps = match reach {
        Reach::Window { kernel, .. } => kernel * kernel,
        Reach::Whole => height * width,
    };
    let scale = 1.0 / ((inputs * taps) as f32).sqrt();
    Filter { inputs, outputs, reach, weight: numbers(seed, inputs * outputs * taps, scale) }
}

/// All kinds of stages, channels that fill no vector, sides that are odd: `(channels, height, width)` and the network.
fn networks() -> Vec<ConvLayers> {
    let window = |kernel, stride| Reach::Window { kernel, stride };
    let block = |seed, inputs, outputs, down| Stage::Block {
        first: filter(seed, inputs, outputs, (0, 0), window(3, 1)),
        second: filter(seed + 1, outputs, outputs, (0, 0), window(3, 1)),
        skip: (inputs != outputs).then(|| filter(seed + 2, inputs, outputs, (0, 0), window(3, 1))),
        down,
    };
    let conv = |seed, inputs, outputs, size, reach, gained| Stage::Conv {
        filter: filter(seed, inputs, outputs, size, reach),
        gained,
    };
    let net = |channels, height, width, stages: Vec<Stage>, activation, rectify| {
        let last = stages.last().unwrap().outputs();
        let head = numbers(99, last, 1.0);
        ConvLayers { channels, height, width, stages, activation, rectify, head, head_bias: 0.25 }
    };
    let leaky = Nonlinearity::Leaky(0.2);
    let relu = Some(Nonlinearity::Leaky(0.0));
    vec![
        net(3, 11, 21, vec![conv(1, 3, 20, (0, 0), window(3, 1), false), block(2, 20, 37, true)], leaky, relu),
        net(
            2,
            9,
            10,
            vec![block(3, 2, 18, false), block(6, 18, 18, true)],
            Nonlinearity::Swish,
            Some(Nonlinearity::Swish),
        ),
        net(
            1,
            15,
            14,
            vec![
                conv(1, 1, 19, (0, 0), window(3, 1), false),
                conv(2, 19, 33, (0, 0), window(4, 2), true),
                conv(3, 33, 8, (0, 0), window(5, 3), true),
                conv(4, 8, 12, (3, 3), Reach::Whole, false),
            ],
            leaky,
            None,
        ),
        // A window wider than the image, larger than one round of pixels.
        net(5, 2, 1100, vec![conv(1, 5, 6, (0, 0), window(4, 1), true), block(2, 6, 6, true)], leaky, relu),
    ]
}

struct Case {
    x: Vec<f32>,
    rows: Rows,
    weights: Vec<f32>,
}

fn case(layers: &ConvLayers, images: usize) -> Case {
    let rows = Rows::new(layers.modulations(), numbers(5, layers.modulations() * images, 0.7)).unwrap();
    Case { x: numbers(4, layers.numbers() * images, 1.0), rows, weights: numbers(6, images, 1.0) }
}

fn near(what: &str, found: &[f32], exact: &[f32], tolerance: f32) {
    assert_eq!(found.len(), exact.len(), "{what}");
    let scale = exact.iter().fold(0f32, |m, v| m.max(v.abs()));
    let off = found.iter().zip(exact).fold(0f32, |m, (a, b)| m.max((a - b).abs()));
    assert!(off <= tolerance * scale.max(1e-3), "{what}: off by {off} of {scale}");
}

/// A convolution as it is defined, in f64: `out[o][y][x]`.
fn plain(f: &Filter, x: &[f64], (height, width): (usize, usize)) -> (Vec<f64>, (usize, usize)) {
    let (kernel, stride) = match f.reach {
        Reach::Whole => ((height, width), (height, width)),
        Reach::Window { kernel, stride } => ((kernel, kernel), (stride, stride)),
    };
    let to = (height.div_ceil(stride.0), width.div_ceil(stride.1));
    let pad =
        |to: usize, size: usize, kernel: usize, stride: usize| ((to - 1) * stride + kernel).saturating_sub(size) / 2;
    let pads = (pad(to.0, height, kernel.0, stride.0), pad(to.1, width, kernel.1, stride.1));
    let mut out = Vec::new();
    for o in 0..f.outputs {
        for y in 0..to.0 {
            for x_ in 0..to.1 {
                let mut sum = 0.0;
                for i in 0..f.inputs {
                    for ky in 0..kernel.0 {
                        for kx in 0..kernel.1 {
                            let (sy, sx) = (y * stride.0 + ky, x_ * stride.1 + kx);
                            if sy < pads.0 || sx < pads.1 || sy - pads.0 >= height || sx - pads.1 >= width {
                                continue;
                            }
                            let weight = f.weight[((o * f.inputs + i) * kernel.0 + ky) * kernel.1 + kx];
                            sum += f64::from(weight) * x[(i * height + sy - pads.0) * width + sx - pads.1];
                        }
                    }
                }
                out.push(sum);
            }
        }
    }
    (out, to)
}

fn act(activation: Nonlinearity, z: f64) -> f64 {
    match activation {
        Nonlinearity::Swish => z / (1.0 + (-z).exp()),
        Nonlinearity::Leaky(leak) => {
            if z > 0.0 {
                z
            } else {
                f64::from(leak) * z
            }
        }
    }
}

/// The energy of one image as it is defined, in f64.
fn energy(layers: &ConvLayers, x: &[f32], row: &[f32]) -> f64 {
    let mut h: Vec<f64> = x.iter().map(|v| f64::from(*v)).collect();
    let mut size = (layers.height, layers.width);
    let mut row = row.iter().map(|v| f64::from(*v)).collect::<Vec<_>>();
    let mut take = |count: usize| row.drain(..count).collect::<Vec<f64>>();
    let shift = |h: &[f64], by: &[f64]| -> Vec<f64> {
        let plane = h.len() / by.len();
        h.iter().enumerate().map(|(i, v)| v + by[i / plane]).collect()
    };
    for stage in &layers.stages {
        match stage {
            Stage::Conv { filter, gained } => {
                let (z, to) = plain(filter, &h, size);
                let bias = take(filter.outputs);
                let gain = if *gained { take(filter.outputs) } else { vec![1.0; filter.outputs] };
                let plane = to.0 * to.1;
                h = z
                    .iter()
                    .enumerate()
                    .map(|(i, v)| act(layers.activation, v * gain[i / plane] + bias[i / plane]))
                    .collect();
                size = to;
            }
            Stage::Block { first, second, skip, down } => {
                let (one, two, gain) = (take(first.inputs), take(second.inputs), take(second.outputs));
                let middle = plain(first, &shift(&h, &one), size).0;
                let middle: Vec<f64> = middle.iter().map(|v| act(layers.activation, *v)).collect();
                let way = plain(second, &shift(&middle, &two), size).0;
                let round = skip.as_ref().map_or(h.clone(), |s| plain(s, &h, size).0);
                let plane = size.0 * size.1;
                let sum: Vec<f64> = way.iter().enumerate().map(|(i, v)| v * gain[i / plane] + round[i]).collect();
                h = sum;
                if *down {
                    let to = (size.0 / 2, size.1 / 2);
                    let at = |c: usize, y: usize, x: usize| h[(c * size.0 + y) * size.1 + x];
                    let mean = |c, y, x| {
                        (at(c, 2 * y, 2 * x)
                            + at(c, 2 * y + 1, 2 * x)
                            + at(c, 2 * y, 2 * x + 1)
                            + at(c, 2 * y + 1, 2 * x + 1))
                            / 4.0
                    };
                    let pixels = (0..to.0).flat_map(|y| (0..to.1).map(move |x| (y, x)));
                    h = (0..second.outputs)
                        .flat_map(|c| pixels.clone().map(move |(y, x)| (c, y, x)))
                        .map(|(c, y, x)| mean(c, y, x))
                        .collect();
                    size = to;
                }
                h.iter_mut().for_each(|v| *v = act(layers.activation, *v));
            }
        }
    }
    let plane = size.0 * size.1;
    let sum = |(i, v): (usize, &f64)| f64::from(layers.head[i / plane]) * layers.rectify.map_or(*v, |r| act(r, *v));
    h.iter().enumerate().map(sum).sum::<f64>() + f64::from(layers.head_bias)
}

#[test]
fn energies_are_what_they_are_defined_as_at_every_level() {
    for (i, layers) in networks().into_iter().enumerate() {
        let images = 3;
        let c = case(&layers, images);
        let width = layers.numbers();
        let exact: Vec<f32> =
            (0..images).map(|b| energy(&layers, &c.x[b * width..(b + 1) * width], c.rows.row(b)) as f32).collect();
        for isa in Isa::available() {
            let net = PackedConv::at_isa(layers.clone(), isa).unwrap();
            let (found, _) = net.evaluate(&c.x, &c.rows, &RunOptions::default()).unwrap();
            near(&format!("{i}, {}", isa.name()), &found, &exact, 1e-5);
        }
    }
}

#[test]
fn gradients_are_those_of_finite_differences_of_the_definition() {
    for (i, layers) in networks().into_iter().enumerate().take(3) {
        let c = case(&layers, 1);
        let net = PackedConv::new(layers.clone()).unwrap();
        let (_, grad) = net.evaluate(&c.x, &c.rows, &RunOptions::default()).unwrap();
        let (_, learned) = net.learn(&c.x, &c.rows, |_| Ok(vec![1.0]), &RunOptions::default()).unwrap();
        // Along a random direction of everything at once: piecewise linear but for kinks that a small step rarely
        // meets.
        let h = 1e-4;
        let at = |sign: f32| {
            let step = |values: &[f32], seed| -> Vec<f32> {
                values.iter().zip(numbers(seed, values.len(), sign * h)).map(|(v, d)| v + d).collect()
            };
            let mut moved = layers.clone();
            let mut seed = 100;
            for stage in &mut moved.stages {
                let filters: Vec<&mut Filter> = match stage {
                    Stage::Conv { filter, .. } => vec![filter],
                    Stage::Block { first, second, skip, .. } => [first, second].into_iter().chain(skip).collect(),
                };
                for f in filters {
                    f.weight = step(&f.weight, seed);
                    seed += 1;
                }
            }
            moved.head = step(&moved.head, 50);
            energy(&moved, &step(&c.x, 51), &step(c.rows.row(0), 52))
        };
        let slope = (at(1.0) - at(-1.0)) / (2.0 * f64::from(h));
        let along = |g: &[f32], seed| -> f64 {
            g.iter().zip(numbers(seed, g.len(), 1.0)).map(|(a, b)| f64::from(*a) * f64::from(b)).sum()
        };
        let mut sum = along(&grad, 51) + along(&learned.rows, 52) + along(&learned.head, 50);
        sum += learned.filters.iter().enumerate().map(|(n, g)| along(g, 100 + n as u64)).sum::<f64>();
        // Steps are rounded to f32, 6e-8 of numbers near 1 in 1e-4.
        assert!((sum - slope).abs() < 3e-3 * slope.abs().max(1.0), "{i}: {sum} beside {slope}");
    }
}

#[test]
fn levels_agree_and_threads_and_batches_change_no_bit() {
    for (i, layers) in networks().into_iter().enumerate() {
        let images = 7;
        let c = case(&layers, images);
        let portable = PackedConv::at_isa(layers.clone(), Isa::Portable).unwrap();
        let learn = |net: &PackedConv, threads| {
            net.learn(&c.x, &c.rows, |_| Ok(c.weights.clone()), &RunOptions::with_threads(threads)).unwrap()
        };
        let (exact, exact_grad) = portable.evaluate(&c.x, &c.rows, &RunOptions::default()).unwrap();
        let (_, exact_learned) = learn(&portable, 1);
        for isa in Isa::available() {
            let what = format!("{i}, {}", isa.name());
            let net = PackedConv::at_isa(layers.clone(), isa).unwrap();
            let (energy, grad) = net.evaluate(&c.x, &c.rows, &RunOptions::with_threads(1)).unwrap();
            near(&what, &energy, &exact, 1e-5);
            near(&format!("{what}, gradient"), &grad, &exact_grad, 2e-5);
            let (values, learned) = learn(&net, 1);
            assert_eq!(values, energy, "{what}");
            for (found, exact) in learned.filters.iter().zip(&exact_learned.filters) {
                near(&format!("{what}, weights"), found, exact, 3e-5);
            }
            near(&format!("{what}, rows"), &learned.rows, &exact_learned.rows, 3e-5);
            near(&format!("{what}, head"), &learned.head, &exact_learned.head, 1e-5);
            for threads in [2, 3] {
                let again = net.evaluate(&c.x, &c.rows, &RunOptions::with_threads(threads)).unwrap();
                assert_eq!(again, (energy.clone(), grad.clone()), "{what}, {threads} threads");
                assert_eq!(learn(&net, threads), (values.clone(), learned.clone()), "{what}, {threads} threads");
            }
            // With little memory the images go up in several parts, and twice.
            let many = case(&layers, 40);
            let learn_in = |room| {
                let weights = |_: &[f32]| Ok(many.weights.clone());
                net.learn_in(room, &many.x, &many.rows, weights, &RunOptions::default()).unwrap()
            };
            assert_eq!(learn_in(1), learn_in(1 << 30), "{what}, in parts");
            // One image by itself, with its own row.
            let width = layers.numbers();
            let row = Rows::new(layers.modulations(), c.rows.row(5).to_vec()).unwrap();
            let alone = net.evaluate(&c.x[5 * width..6 * width], &row, &RunOptions::default()).unwrap();
            assert_eq!(alone, (vec![energy[5]], grad[5 * width..6 * width].to_vec()), "{what}, alone");
        }
    }
}

#[test]
fn what_does_not_fit_is_an_error() {
    let layers = networks().remove(0);
    let c = case(&layers, 2);
    let net = PackedConv::new(layers.clone()).unwrap();
    let options = RunOptions::default();
    assert!(net.evaluate(&c.x[1..], &c.rows, &options).is_err());
    assert!(net.evaluate(&c.x, &Rows::new(3, vec![0.0; 3]).unwrap(), &options).is_err());
    let three = Rows::new(layers.modulations(), vec![0.0; 3 * layers.modulations()]).unwrap();
    assert!(net.evaluate(&c.x, &three, &options).unwrap_err().to_string().contains("1 or 2"));
    assert!(net.learn(&c.x, &c.rows, |_| Ok(vec![1.0]), &options).is_err());
    assert!(PackedConv::new(ConvLayers { head: vec![0.0], ..layers.clone() }).is_err());
    assert!(PackedConv::new(ConvLayers { channels: 4, ..layers.clone() }).is_err());
    assert!(PackedConv::new(ConvLayers { stages: vec![], ..layers }).is_err());
}
