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
use super::program::{Rows, Shared};
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
    /// For each hidden layer the weight's gradient, of the weight's shape.
    pub hidden: Vec<Vec<f32>>,
    /// That of the first layer's weight of the context, `(outputs, context)`; empty without a context.
    pub context: Vec<f32>,
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

/// Rows over which a product's two sides are summed: one a chain, or one a position and chain, position by position.
struct Side {
    rows: usize,
    group: usize,
    /// `[group of numbers][row][number of the group]`.
    numbers: Aligned,
}

/// What phase one leaves of a tile.
struct Kept {
    chains: usize,
    energy: Vec<f32>,
    /// For each layer what its weights multiply, in blocks of 2 vectors; last the first layer's context, where there is one.
    inputs: Vec<Side>,
    /// For each layer the gradients in its sums, in groups of outputs; last those of the first layer once more, chain by chain,
    /// where it has a context and shares weights.
    deltas: Vec<Side>,
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
    network.widen(options.threads());
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
        context: Vec::new(),
        biases: Vec::new(),
        head: vec![0.0; layers.head.len()],
        head_bias: weights.iter().sum(),
    };
    let mut kept = kept;
    scale(&mut kept, &weights);
    for (l, layer) in layers.hidden.iter().enumerate() {
        gradient.hidden.push(weight_gradient(network, [l, l], layer.shape(), &kept, options));
        gradient.biases.push(bias_gradient(network, l, &kept));
    }
    if context > 0 {
        let deltas = if layers.hidden[0].shared == Shared::NONE { 0 } else { layers.hidden.len() };
        let shape = (layers.hidden[0].outputs, context);
        gradient.context = weight_gradient(network, [deltas, layers.hidden.len()], shape, &kept, options);
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
        let group = network.level().outputs();
        for (l, layer) in layers.hidden.iter().enumerate() {
            let from = if l == 0 { x } else { hidden[l - 1] };
            let (t, (outputs, columns)) = (layer.shared.positions, layer.shape());
            let each = layer.inputs / t;
            let mut inputs = Side::new(t * tile.chains, columns, tile.width());
            let mut turned = Side::new(t * tile.chains, outputs, group);
            for at in 0..t {
                let seen = layer.shared.seen(at);
                let missing = (seen.start + layer.shared.reach - at) * each;
                let (row, count) = (at * tile.chains, seen.len() * each);
                inputs.turn(&tile, from.from(seen.start * each), count, (row, missing));
                turned.turn(&tile, deltas[l].from(at * outputs), outputs, (row, 0));
            }
            kept.inputs.push(inputs);
            kept.deltas.push(turned);
        }
        if context > 0 {
            let mut inputs = Side::new(tile.chains, context, tile.width());
            for i in 0..context {
                for chain in 0..tile.chains {
                    let place = inputs.place(chain, i);
                    inputs.numbers.as_mut_slice()[place] = examples.context[(tile.first + chain) * context + i];
                }
            }
            kept.inputs.push(inputs);
            let first = &layers.hidden[0];
            if first.shared != Shared::NONE {
                let mut turned = Side::new(tile.chains, first.outputs, group);
                turned.turn(&tile, deltas[0], first.outputs, (0, 0));
                kept.deltas.push(turned);
            }
        }
        let last = hidden[layers.hidden.len() - 1];
        for (f, row) in kept.last.chunks_exact_mut(tile.chains).enumerate() {
            row.iter_mut().enumerate().for_each(|(chain, h)| *h = lanes(last, f, chain));
        }
    });
    kept
}

impl Side {
    fn new(rows: usize, numbers: usize, group: usize) -> Self {
        Self { rows, group, numbers: Aligned::new(numbers.div_ceil(group) * rows * group) }
    }

    /// Where a row's number is.
    fn place(&self, row: usize, number: usize) -> usize {
        (number / self.group * self.rows + row) * self.group + number % self.group
    }

    /// Puts features of a field, `[block][feature][lane]`, into the rows from `row` on, one a chain, as their numbers from `at` on.
    fn turn(&mut self, tile: &Tile, from: Field, features: usize, (row, at): (usize, usize)) {
        for block in 0..tile.blocks() {
            let (live, first) = (tile.live(block), row + block * tile.width());
            for f in 0..features {
                let place = self.place(first, at + f);
                let to = &mut self.numbers.as_mut_slice()[place..];
                // SAFETY: a feature of a block has the tile's width of lanes.
                let lanes = unsafe { std::slice::from_raw_parts(from.at(block, f).cast_const(), live) };
                for (value, slot) in lanes.iter().zip(to.iter_mut().step_by(self.group)) {
                    *slot = *value;
                }
            }
        }
    }
}

/// Multiplies each chain's gradients by its energy's coefficient.
fn scale(kept: &mut [Kept], weights: &[f32]) {
    let mut first = 0;
    for tile in kept {
        for side in &mut tile.deltas {
            let rows = side.numbers.as_mut_slice().chunks_exact_mut(side.group);
            for (row, chain) in rows.zip((0..tile.chains).cycle()) {
                row.iter_mut().for_each(|d| *d *= weights[first + chain]);
            }
        }
        first += tile.chains;
    }
}

/// One weight's gradient, of `shape`: the sum over the rows of one of the deltas times one of the inputs.
fn weight_gradient(
    network: &Packed,
    [of_deltas, of_inputs]: [usize; 2],
    (outputs, inputs): (usize, usize),
    kept: &[Kept],
    options: &Options,
) -> Vec<f32> {
    let level = network.level();
    let (group, width) = (level.outputs(), 2 * level.lanes());
    let (groups, blocks) = (outputs.div_ceil(group), inputs.div_ceil(width));
    // Several groups a worker at a time: its part of the sums stays in its cache while the tiles pass.
    let share = groups.div_ceil(options.threads()).max(1);
    let parts = parallel::map(options.threads(), groups.div_ceil(share), |part| {
        let mine = part * share..((part + 1) * share).min(groups);
        let mut sums = Aligned::new(mine.len() * blocks * group * width);
        for tile in kept {
            let (deltas, inputs) = (&tile.deltas[of_deltas], &tile.inputs[of_inputs]);
            level.call(Outer {
                groups: mine.clone(),
                blocks,
                group,
                rows: deltas.rows,
                deltas: deltas.numbers.as_slice(),
                inputs: inputs.numbers.as_slice(),
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
    weight
}

/// One layer's bias's gradient: a bias each at every position.
fn bias_gradient(network: &Packed, layer: usize, kept: &[Kept]) -> Vec<f32> {
    let (group, of) = (network.level().outputs(), &network.layers().hidden[layer]);
    let each = of.outputs / of.shared.positions;
    let mut bias = vec![0.0; of.outputs];
    for tile in kept {
        let side = &tile.deltas[layer];
        for (g, rows) in side.numbers.as_slice().chunks_exact(side.rows * group).enumerate() {
            for (position, rows) in rows.chunks_exact(tile.chains * group).enumerate() {
                let own = &mut bias[position * each..(position + 1) * each];
                for (k, sum) in own[g * group..].iter_mut().take(group).enumerate() {
                    *sum += rows.iter().skip(k).step_by(group).sum::<f32>();
                }
            }
        }
    }
    bias
}

/// Adds a tile's outer products to the sums `[group][block][output][lane]`.
struct Outer<'a> {
    groups: Range<usize>,
    blocks: usize,
    group: usize,
    rows: usize,
    deltas: &'a [f32],
    inputs: &'a [f32],
    sums: &'a mut [f32],
}

impl Kernel for Outer<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let width = 2 * S::LANES;
        for (g, group) in self.groups.clone().enumerate() {
            let deltas = &self.deltas[group * self.rows * self.group..];
            for block in 0..self.blocks {
                let inputs = &self.inputs[block * self.rows * width..];
                let sums = &mut self.sums[(g * self.blocks + block) * self.group * width..];
                // SAFETY: the slices begin where the group's and the block's numbers do, and hold all of them.
                unsafe {
                    accumulate::<S>(self.group, self.rows, deltas.as_ptr(), inputs.as_ptr(), sums.as_mut_ptr());
                }
            }
        }
    }
}
