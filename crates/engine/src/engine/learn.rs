//! Gradients in the weights: of a weighted sum of energies, or of a sum of their derivatives along directions.
//!
//! Tiles go through the network ([`super::backprop`]) and lay out each layer's inputs and its sums' gradients example
//! by example. Then the same inner loop as everywhere sums over examples instead of inputs:
//! `dW[o][i] += delta[example][o] * input[example][i]`. Sums run over the examples in their order, so the answer does
//! not depend on the number of threads.

use super::backprop::BackpropTile;
use super::examples::Examples;
use super::field::Tile;
use super::gradient_factors::{GradientFactor, GradientFactors, Products};
use super::packed::PackedMlp;
use super::plan::RunOptions;
use crate::error::{Error, Result};
use crate::parallel;

/// Most blocks of chains of a tile.
const BLOCKS: usize = 4;
/// Groups of outputs whose products one worker makes at a time.
const GROUPS: usize = 8;

/// A gradient in a network's weights.
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

/// Energies of the examples, and the gradient of `sum_b coefficient_b E_b` in the weights, where `coefficients` makes
/// the coefficients of the energies.
///
/// # Errors
/// [`Error::Shape`] when the examples do not fit the network or each other; whatever `coefficients` returns.
pub fn learn(
    network: &PackedMlp,
    examples: Examples<'_>,
    coefficients: impl FnOnce(&[f32]) -> Result<Vec<f32>>,
    options: &RunOptions,
) -> Result<(Vec<f32>, WeightGradient)> {
    let step = Step::begin(network, examples, false, options)?;
    let energies = step.energies();
    let weights = coefficients(&energies)?;
    fits("coefficients of energies", &weights, energies.len())?;
    let gradient = step.finish(Some(&weights), |tile| tile.weigh(&weights));
    Ok((energies, gradient))
}

/// The gradient of `sum_b v_b . grad_x E(x_b)` in the weights with the `v`, `(B, F)`, held fixed. `directions` makes
/// them of the energies' gradients `(B, F)`. This is the mixed second derivative, exact, as a loss of the gradients
/// needs it.
///
/// # Errors
/// As [`learn`]; whatever `directions` returns.
pub fn learn_slopes(
    network: &PackedMlp,
    examples: Examples<'_>,
    directions: impl FnOnce(Vec<f32>) -> Result<Vec<f32>>,
    options: &RunOptions,
) -> Result<WeightGradient> {
    let mut step = Step::begin(network, examples, true, options)?;
    let directions = directions(step.gradients())?;
    fits("directions", &directions, examples.x.len())?;
    Ok(step.finish(None, |tile| tile.along(&directions)))
}

fn fits(what: &'static str, numbers: &[f32], expected: usize) -> Result<()> {
    if numbers.len() != expected {
        return Err(Error::Shape { what, found: vec![numbers.len()], expected: format!("{expected}") });
    }
    Ok(())
}

/// A tile that has gone forward and backward.
struct Gone<'a> {
    backprop: BackpropTile<'a>,
    energies: Vec<f32>,
    /// `(chains, F)`, where directions are to be made of them.
    gradients: Vec<f32>,
}

/// A batch whose tiles have gone forward and backward.
struct Step<'a> {
    network: &'a PackedMlp,
    examples: Examples<'a>,
    directions: bool,
    threads: usize,
    tiles: Vec<Gone<'a>>,
}

impl<'a> Step<'a> {
    fn begin(network: &'a PackedMlp, examples: Examples<'a>, directions: bool, options: &RunOptions) -> Result<Self> {
        examples.check(network.layers())?;
        let (threads, isa, batch) = (options.threads(), network.isa(), examples.batch(network.layers()));
        network.widen(threads);
        let width = 2 * isa.lanes();
        let most = width * batch.div_ceil(width).div_ceil(threads).clamp(1, BLOCKS);
        let tiles = parallel::map(threads, batch.div_ceil(most), |i| {
            let first = i * most;
            let tile = Tile { isa, first, chains: most.min(batch - first) };
            let mut backprop = BackpropTile::new(network, &examples, directions, tile);
            let mut energies = vec![0.0; tile.chains];
            backprop.forward_backward(&mut energies);
            let mut gradients = Vec::new();
            if directions {
                gradients.resize(tile.chains * network.layers().inputs(), 0.0);
                backprop.gradient(&mut gradients);
            }
            Gone { backprop, energies, gradients }
        });
        Ok(Self { network, examples, directions, threads, tiles })
    }

    fn energies(&self) -> Vec<f32> {
        self.tiles.iter().flat_map(|tile| &tile.energies).copied().collect()
    }

    /// `(B, F)`.
    fn gradients(&mut self) -> Vec<f32> {
        let rows: Vec<_> = self.tiles.iter_mut().map(|tile| std::mem::take(&mut tile.gradients)).collect();
        rows.concat()
    }

    /// After `rest` of each tile's way, the gradient; `weights` are the energies' coefficients, where these are learned
    /// from.
    fn finish(mut self, weights: Option<&[f32]>, rest: impl Fn(&mut BackpropTile<'a>) + Sync) -> WeightGradient {
        let (layers, isa) = (self.network.layers(), self.network.isa());
        // SAFETY: the tiles together are all examples, and every tile turns its own before anything is read.
        let factors = unsafe { GradientFactors::new(layers, isa, &self.examples, self.directions) };
        let examples = &self.examples;
        parallel::each(self.threads, self.tiles.iter_mut().collect(), |_, tile: &mut Gone<'a>| {
            rest(&mut tile.backprop);
            // SAFETY: the factors of these examples; tiles have no example in common.
            unsafe { tile.backprop.turn(examples, &factors) };
        });
        let zeros = |count: usize| vec![0.0; count];
        let context = self.examples.context.len() / factors.batch;
        let mut gradient = WeightGradient {
            hidden: layers.hidden.iter().map(|l| zeros(l.weight.len())).collect(),
            context: zeros(layers.hidden[0].outputs * context),
            biases: layers.hidden.iter().map(|l| zeros(l.outputs)).collect(),
            head: zeros(layers.head.len()),
            head_bias: weights.map_or(0.0, |w| w.iter().sum()),
        };
        let mut jobs = Vec::new();
        for (l, weight) in gradient.hidden.iter_mut().enumerate() {
            let rows = factors.deltas[l].rows();
            jobs.push((&factors.deltas[l], &factors.inputs[l], rows, layers.hidden[l].shape().1, &mut weight[..]));
        }
        if let Some(inputs) = &factors.context {
            let deltas = factors.whole.as_ref().unwrap_or(&factors.deltas[0]);
            jobs.push((deltas, inputs, factors.batch, context, &mut gradient.context[..]));
        }
        self.products(jobs);
        for ((bias, layer), deltas) in gradient.biases.iter_mut().zip(&layers.hidden).zip(&factors.deltas) {
            let each = layer.shape().0;
            for (at, bias) in bias.chunks_exact_mut(each).enumerate() {
                deltas.sum(at * factors.batch..(at + 1) * factors.batch, bias);
            }
        }
        self.tiles.iter_mut().for_each(|tile| tile.backprop.head(weights, &mut gradient.head));
        gradient
    }

    /// Weights' gradients: deltas, inputs, the rows to sum over, the numbers of a weight's row and the weight.
    fn products(&self, jobs: Vec<(&GradientFactor, &GradientFactor, usize, usize, &mut [f32])>) {
        let isa = self.network.isa();
        let mut units = Vec::new();
        for (deltas, inputs, rows, columns, out) in jobs {
            for (i, out) in out.chunks_mut(GROUPS * isa.outputs() * columns).enumerate() {
                let groups = i * GROUPS..i * GROUPS + out.len().div_ceil(isa.outputs() * columns);
                units.push(Products { deltas, inputs, rows, groups, columns, out });
            }
        }
        // SAFETY: the factors were made for the network's ISA; a unit borrows its own part of a gradient.
        parallel::each(self.threads, units, |_, unit| unsafe { isa.call(unit) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tests::{network, numbers, reference};
    use crate::engine::{Isa, Layers, Nonlinearity, Program, Rows, Shared, Term};
    use std::sync::Arc;

    const WIDTHS: [usize; 4] = [20, 30, 65, 11];
    const CONTEXT: usize = 4;

    /// A batch, with a coefficient or a direction for each example.
    struct Case {
        isa: Isa,
        packed: Arc<PackedMlp>,
        first: Rows,
        x: Vec<f32>,
        context: Vec<f32>,
        coefficients: Vec<f32>,
        directions: Option<Vec<f32>>,
    }

    impl Case {
        fn learned(&self, threads: usize) -> WeightGradient {
            let examples = Examples { first: &self.first, x: &self.x, context: &self.context };
            let options = RunOptions::with_threads(threads);
            match &self.directions {
                None => learn(&self.packed, examples, |_| Ok(self.coefficients.clone()), &options).unwrap().1,
                Some(v) => learn_slopes(&self.packed, examples, |_| Ok(v.clone()), &options).unwrap(),
            }
        }

        /// What the gradient is of, by the reference.
        fn total(&self, layers: &Layers, first: &Rows) -> f64 {
            let network = Arc::new(PackedMlp::at_isa(layers.clone(), self.isa).unwrap());
            let first = first.clone();
            let program = Program::new(WIDTHS[0], vec![Term::Network { network, first, factor: 1.0 }]).unwrap();
            let one = |(b, x): (usize, &[f32])| {
                let (energy, grad) = reference(&program, b, &x.iter().map(|v| f64::from(*v)).collect::<Vec<_>>());
                let row = |v: &[f32]| -> f64 {
                    let v = &v[b * WIDTHS[0]..(b + 1) * WIDTHS[0]];
                    v.iter().zip(&grad).map(|(v, g)| f64::from(*v) * g).sum()
                };
                self.directions.as_deref().map_or(f64::from(self.coefficients[b]) * energy, row)
            };
            self.x.chunks_exact(WIDTHS[0]).enumerate().map(one).sum()
        }
    }

    fn cases(chains: usize) -> Vec<Case> {
        let mut cases = Vec::new();
        for isa in Isa::available() {
            for shared in [vec![Shared { positions: 5, reach: 0 }, Shared { positions: 5, reach: 1 }], vec![]] {
                for directions in [None, Some(numbers(64, chains * WIDTHS[0], 1.0))] {
                    cases.push(Case {
                        isa,
                        packed: network(isa, &WIDTHS, Nonlinearity::Swish, &shared),
                        first: Rows::new(WIDTHS[1], numbers(60, chains * WIDTHS[1], 0.5)).unwrap(),
                        x: numbers(61, chains * WIDTHS[0], 1.0),
                        context: numbers(62, chains * CONTEXT, 1.0),
                        coefficients: numbers(63, chains, 1.0),
                        directions,
                    });
                }
            }
        }
        cases
    }

    #[test]
    fn gradients_in_the_weights_are_those_of_the_reference() {
        for case in cases(150) {
            let (gradient, layers) = (case.learned(2), case.packed.layers());
            let near = |found: f32, change: &dyn Fn(&mut Layers, &mut Vec<f32>, f32)| {
                let at = |h: f32| {
                    let (mut layers, mut rows) = (layers.clone(), case.first.values.to_vec());
                    change(&mut layers, &mut rows, h);
                    case.total(&layers, &Rows::new(WIDTHS[1], rows).unwrap())
                };
                let (h, slopes) = (1e-2f32, case.directions.is_some());
                let slope = (at(h) - at(-h)) / (2.0 * f64::from(h));
                let off = (f64::from(found) - slope).abs();
                assert!(off < 1e-2 * slope.abs().max(1.0), "{:?}, slopes {slopes}: {found}, {slope}", case.isa);
            };
            for l in 0..3 {
                assert_eq!(gradient.hidden[l].len(), layers.hidden[l].weight.len());
                for i in (0..gradient.hidden[l].len()).step_by(37) {
                    near(gradient.hidden[l][i], &|layers, _, h| layers.hidden[l].weight[i] += h);
                }
                for i in (0..gradient.biases[l].len()).step_by(7) {
                    near(gradient.biases[l][i], &|layers, rows, h| match l {
                        0 => rows.chunks_exact_mut(WIDTHS[1]).for_each(|row| row[i] += h),
                        _ => layers.hidden[l].bias[i] += h,
                    });
                }
            }
            for i in (0..gradient.context.len()).step_by(11) {
                near(gradient.context[i], &|_, rows, h| {
                    for (row, c) in rows.chunks_exact_mut(WIDTHS[1]).zip(case.context.chunks_exact(CONTEXT)) {
                        row[i / CONTEXT] += h * c[i % CONTEXT];
                    }
                });
            }
            for i in 0..gradient.head.len() {
                near(gradient.head[i], &|layers, _, h| layers.head[i] += h);
            }
            near(gradient.head_bias, &|layers, _, h| layers.head_bias += h);
        }
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        for chains in [1, 37, 300] {
            for case in cases(chains) {
                let one = case.learned(1);
                for threads in [2, 3, 16] {
                    assert_eq!(one, case.learned(threads), "{:?}, {chains} chains, {threads} threads", case.isa);
                }
            }
        }
    }

    #[test]
    fn what_is_asked_of_the_gradient_sees_energies_or_their_gradients() {
        for case in cases(40) {
            let examples = Examples { first: &case.first, x: &case.x, context: &case.context };
            let network = Arc::new(network(case.isa, &WIDTHS, Nonlinearity::Swish, &[]));
            let term = Term::Network { network: Arc::clone(&network), first: case.first.clone(), factor: 1.0 };
            let program = Program::new(WIDTHS[0], vec![term]).unwrap();
            let (energies, grads) =
                crate::engine::evaluate(&program, &case.x, &RunOptions::at_isa(2, case.isa)).unwrap();
            let near = |a: &[f32], b: &[f32]| {
                assert_eq!(a.len(), b.len());
                a.iter().zip(b).for_each(|(a, b)| assert!((a - b).abs() < 1e-4 * (1.0 + b.abs()), "{a} for {b}"));
            };
            let options = RunOptions::default();
            let (found, _) = learn(&network, examples, |e| Ok(vec![0.0; e.len()]), &options).unwrap();
            near(&found, &energies);
            let ask = |g: Vec<f32>| {
                near(&g, &grads);
                Ok(g)
            };
            learn_slopes(&network, examples, ask, &options).unwrap();
            let few = |_: Vec<f32>| Ok(vec![0.0; 3]);
            assert!(matches!(learn_slopes(&network, examples, few, &options), Err(Error::Shape { .. })));
            assert!(matches!(learn(&network, examples, |_| Ok(vec![0.0]), &options), Err(Error::Shape { .. })));
            let narrow = Rows::new(WIDTHS[1] - 1, numbers(60, WIDTHS[1] - 1, 0.5)).unwrap();
            let refused = learn(&network, Examples { first: &narrow, ..examples }, |e| Ok(e.to_vec()), &options);
            assert!(matches!(refused, Err(Error::Shape { what: "first layer's part", .. })));
        }
    }
}
