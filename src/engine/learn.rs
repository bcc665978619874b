//! Gradients in the weights: the products of each layer's inputs and its sums' gradients, over all chains.
//!
//! Tiles go forward and backward as in a chain, then the same inner loop as everywhere sums over chains instead of inputs:
//! `dW[o][i] += delta[chain][o] * input[chain][i]`. Each worker sums its own outputs over all tiles in order, so the
//! answer does not depend on the number of threads.

use super::crew::Crew;
use super::field::{Aligned, Arena, Field, Tile};
use super::matrix::accumulate;
use super::mlp::{Net, Packed};
use super::plan::Options;
use super::program::Rows;
use crate::error::{Error, Result};
use crate::parallel;
use crate::simd::Kernel;
use crate::simd::Simd;
use std::ops::Range;

/// Chains of a tile: enough for the sums over them to be worth loading and storing.
const CHAINS: usize = 128;

/// Gradient of a weighted sum of energies in a network's weights.
#[derive(Debug, Clone, PartialEq)]
pub struct WeightGradient {
    /// For each hidden layer the weight's gradient, `(outputs, inputs)`, that of the first layer's context after that of
    /// its input: `(outputs, inputs + context)`.
    pub hidden: Vec<Vec<f32>>,
    /// For each hidden layer the bias's gradient.
    pub biases: Vec<Vec<f32>>,
    /// The head's gradient.
    pub head: Vec<f32>,
    /// The head's bias's gradient.
    pub head_bias: f32,
}

/// Examples to learn from.
#[derive(Debug, Clone, Copy)]
pub struct Examples<'a> {
    /// What the first layer adds, bias included: `(B, H)` or `(1, H)`.
    pub first: &'a Rows,
    /// `(B, F)`.
    pub x: &'a [f32],
    /// `(B, C)`, what `first` was made of; empty without a context.
    pub context: &'a [f32],
}

/// What phase one leaves of a tile.
struct Kept {
    chains: usize,
    energy: Vec<f32>,
    /// For each layer its inputs, `[block of 2 vectors of inputs][chain][lane]`.
    inputs: Vec<Aligned>,
    /// For each layer the gradients in its sums, `[group of outputs][chain][output of the group]`.
    deltas: Vec<Aligned>,
    /// The last layer's values, `[feature][chain]`.
    last: Vec<f32>,
}

/// Energies of the examples, and the gradient of `sum_b coefficient_b E_b` in the weights, where `coefficients` makes the
/// coefficients of the energies.
///
/// # Errors
/// [`Error::Shape`] when the examples do not fit the network or each other; whatever `coefficients` returns.
pub fn learn(
    network: &Packed,
    examples: Examples<'_>,
    coefficients: impl FnOnce(&[f32]) -> Result<Vec<f32>>,
    options: &Options,
) -> Result<(Vec<f32>, WeightGradient)> {
    let layers = network.layers();
    let width = layers.inputs();
    let batch = examples.x.len() / width;
    let wrong = |what, found: usize, expected: String| Err(Error::Shape { what, found: vec![found], expected });
    if batch == 0 || examples.x.len() != batch * width {
        return wrong("examples", examples.x.len(), format!("whole rows of {width} numbers"));
    }
    if !examples.context.len().is_multiple_of(batch) {
        return wrong("contexts", examples.context.len(), format!("{batch} whole rows"));
    }
    if examples.first.count() != 1 && examples.first.count() != batch {
        return wrong("first layer's part", examples.first.count(), format!("1 or {batch} rows"));
    }
    let context = examples.context.len() / batch;
    let kept = parallel::map(options.threads(), batch.div_ceil(CHAINS), |i| {
        let first = i * CHAINS;
        let tile = Tile { level: network.level(), first, chains: CHAINS.min(batch - first) };
        keep(network, &examples, context, tile)
    });
    let energy: Vec<f32> = kept.iter().flat_map(|k| &k.energy).copied().collect();
    let weights = coefficients(&energy)?;
    if weights.len() != batch {
        return wrong("coefficients of energies", weights.len(), format!("{batch}"));
    }
    let mut gradient = WeightGradient {
        hidden: Vec::new(),
        biases: Vec::new(),
        head: vec![0.0; layers.head.len()],
        head_bias: weights.iter().sum(),
    };
    let mut kept = kept;
    for (l, layer) in layers.hidden.iter().enumerate() {
        let inputs = layer.inputs + if l == 0 { context } else { 0 };
        let (weight, bias) = layer_gradient(network, l, inputs, layer.outputs, &mut kept, &weights, options);
        gradient.hidden.push(weight);
        gradient.biases.push(bias);
    }
    let mut first = 0;
    for tile in &kept {
        for (f, sum) in gradient.head.iter_mut().enumerate() {
            let row = &tile.last[f * tile.chains..(f + 1) * tile.chains];
            *sum += row.iter().zip(&weights[first..]).map(|(h, c)| h * c).sum::<f32>();
        }
        first += tile.chains;
    }
    Ok((energy, gradient))
}

/// Forward and backward for one tile.
fn keep(network: &Packed, examples: &Examples<'_>, context: usize, tile: Tile) -> Kept {
    let layers = network.layers();
    let width = layers.inputs();
    let mut arena = Arena::new(tile);
    let net = Net::new(network, examples.first, 1.0, tile, true, true, &mut arena);
    let (x, parts) = (arena.field(width), arena.field(network.parts()));
    for block in 0..tile.blocks() {
        // SAFETY: nobody else knows the field; an example holds as many numbers as it has features.
        unsafe { x.put(&tile, block, |chain| examples.x[chain * width..].as_ptr()) };
    }
    let mut kept = Kept {
        chains: tile.chains,
        energy: vec![layers.head_bias; tile.chains],
        inputs: Vec::new(),
        deltas: Vec::new(),
        last: vec![0.0; layers.head.len() * tile.chains],
    };
    Crew::alone(|member| {
        // SAFETY: the fields are this tile's, the crew has one worker.
        let Some((hidden, deltas)) = (unsafe { net.layers(&member, x, parts) }) else { return };
        let lanes = |field: Field, feature: usize, chain: usize| {
            // SAFETY: the chain is of the tile, the feature of the field.
            unsafe { *field.at(chain / tile.width(), feature).add(chain % tile.width()) }
        };
        for (chain, energy) in kept.energy.iter_mut().enumerate() {
            *energy += (0..network.parts()).map(|p| lanes(parts, p, chain)).sum::<f32>();
        }
        for (l, layer) in layers.hidden.iter().enumerate() {
            let from = if l == 0 { x } else { hidden[l - 1] };
            let extra = if l == 0 { context } else { 0 };
            let blocks = (layer.inputs + extra).div_ceil(tile.width());
            let mut inputs = Aligned::new(blocks * tile.chains * tile.width());
            turn(&tile, from, layer.inputs, tile.width(), inputs.as_mut_slice());
            for i in 0..extra {
                let (block, lane) = ((layer.inputs + i) / tile.width(), (layer.inputs + i) % tile.width());
                for chain in 0..tile.chains {
                    inputs.as_mut_slice()[(block * tile.chains + chain) * tile.width() + lane] =
                        examples.context[(tile.first + chain) * context + i];
                }
            }
            let group = network.level().outputs();
            let mut turned = Aligned::new(layer.outputs.div_ceil(group) * tile.chains * group);
            turn(&tile, deltas[l], layer.outputs, group, turned.as_mut_slice());
            kept.inputs.push(inputs);
            kept.deltas.push(turned);
        }
        let last = hidden[layers.hidden.len() - 1];
        for (f, row) in kept.last.chunks_exact_mut(tile.chains).enumerate() {
            row.iter_mut().enumerate().for_each(|(chain, h)| *h = lanes(last, f, chain));
        }
    });
    kept
}

/// `[block][feature][lane]` to `[group of features][chain][feature of the group]`.
fn turn(tile: &Tile, from: Field, features: usize, group: usize, to: &mut [f32]) {
    for block in 0..tile.blocks() {
        let (live, first) = (tile.live(block), block * tile.width());
        for f in 0..features {
            let to = &mut to[(f / group * tile.chains + first) * group + f % group..];
            // SAFETY: a feature of a block has the tile's width of lanes.
            let lanes = unsafe { std::slice::from_raw_parts(from.at(block, f).cast_const(), live) };
            for (value, slot) in lanes.iter().zip(to.iter_mut().step_by(group)) {
                *slot = *value;
            }
        }
    }
}

/// One layer's weight and bias gradient.
fn layer_gradient(
    network: &Packed,
    layer: usize,
    inputs: usize,
    outputs: usize,
    kept: &mut [Kept],
    weights: &[f32],
    options: &Options,
) -> (Vec<f32>, Vec<f32>) {
    let level = network.level();
    let (group, width) = (level.outputs(), 2 * level.lanes());
    let mut first = 0;
    for tile in kept.iter_mut() {
        for (row, chain) in tile.deltas[layer].as_mut_slice().chunks_exact_mut(group).zip((0..tile.chains).cycle()) {
            row.iter_mut().for_each(|d| *d *= weights[first + chain]);
        }
        first += tile.chains;
    }
    let (groups, blocks) = (outputs.div_ceil(group), inputs.div_ceil(width));
    let kept = &*kept;
    // Several groups a worker at a time: its part of the sums stays in its cache while the tiles pass.
    let share = groups.div_ceil(options.threads()).max(1);
    let parts = parallel::map(options.threads(), groups.div_ceil(share), |part| {
        let mine = part * share..((part + 1) * share).min(groups);
        let mut sums = Aligned::new(mine.len() * blocks * group * width);
        for tile in kept {
            level.call(Outer {
                groups: mine.clone(),
                blocks,
                group,
                chains: tile.chains,
                deltas: tile.deltas[layer].as_slice(),
                inputs: tile.inputs[layer].as_slice(),
                sums: sums.as_mut_slice(),
            });
        }
        sums
    });
    let mut weight = vec![0.0; outputs * inputs];
    for (o, row) in weight.chunks_exact_mut(inputs).enumerate() {
        let (g, k) = (o / group, o % group);
        let sums = parts[g / share].as_slice();
        for (i, to) in row.chunks_mut(width).enumerate() {
            let at = ((g % share * blocks + i) * group + k) * width;
            to.copy_from_slice(&sums[at..at + to.len()]);
        }
    }
    let mut bias = vec![0.0; outputs];
    for tile in kept {
        for (g, rows) in tile.deltas[layer].as_slice().chunks_exact(tile.chains * group).enumerate() {
            for (k, sum) in bias[g * group..].iter_mut().take(group).enumerate() {
                *sum += rows.iter().skip(k).step_by(group).sum::<f32>();
            }
        }
    }
    (weight, bias)
}

/// Adds a tile's outer products to the sums `[group][block][output][lane]`.
struct Outer<'a> {
    groups: Range<usize>,
    blocks: usize,
    group: usize,
    chains: usize,
    deltas: &'a [f32],
    inputs: &'a [f32],
    sums: &'a mut [f32],
}

impl Kernel for Outer<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let width = 2 * S::LANES;
        for (g, group) in self.groups.clone().enumerate() {
            let deltas = &self.deltas[group * self.chains * self.group..];
            for block in 0..self.blocks {
                let inputs = &self.inputs[block * self.chains * width..];
                let sums = &mut self.sums[(g * self.blocks + block) * self.group * width..];
                // SAFETY: the slices begin where the group's and the block's numbers do, and hold all of them.
                unsafe {
                    accumulate::<S>(self.group, self.chains, deltas.as_ptr(), inputs.as_ptr(), sums.as_mut_ptr());
                }
            }
        }
    }
}
