//! A layer's product with a tile: one matrix, or one at each of its positions.

use super::field::{Field, Tile};
use super::matrix::{Init, Matrix, Product, Then};
use super::program::Layer;
use crate::simd::Level;
use std::ops::Range;

/// A layer's product: matrices, and at which positions each of them stands.
#[derive(Debug)]
pub(super) struct Spread {
    matrices: Vec<Matrix>,
    pieces: Vec<Piece>,
}

/// One position's product.
#[derive(Debug, Clone, Copy)]
struct Piece {
    matrix: usize,
    /// First number that comes in.
    from: usize,
    /// First number that goes out.
    to: usize,
}

impl Spread {
    /// Forward and backward. Positions at the ends see fewer neighbours and have matrices of their own.
    pub(super) fn pack(level: Level, layer: &Layer) -> (Self, Self) {
        let t = layer.shared.positions;
        let (inputs, outputs) = (layer.inputs / t, layer.outputs / t);
        let forward = |at: usize, seen: Range<usize>| {
            // An output sees its neighbours' numbers side by side.
            let row = |o| layer.taps((at, o), seen.clone());
            Matrix::of_rows(level, outputs, seen.len() * inputs, row)
        };
        let backward = |at: usize, seen: Range<usize>| {
            let column = |o: usize| layer.taps((seen.start + o / outputs, o % outputs), at..at + 1);
            Matrix::of_columns(level, inputs, seen.len() * outputs, column)
        };
        (Self::over(layer, [inputs, outputs], forward), Self::over(layer, [outputs, inputs], backward))
    }

    fn over(layer: &Layer, [each, gives]: [usize; 2], make: impl Fn(usize, Range<usize>) -> Matrix) -> Self {
        let (mut matrices, mut made, mut pieces) = (Vec::new(), Vec::new(), Vec::new());
        for at in 0..layer.shared.positions {
            let seen = layer.shared.seen(at);
            let kind = (at - seen.start, seen.len());
            let matrix = made.iter().position(|k| *k == kind).unwrap_or_else(|| {
                made.push(kind);
                matrices.push(make(at, seen.clone()));
                made.len() - 1
            });
            pieces.push(Piece { matrix, from: seen.start * each, to: at * gives });
        }
        Self { matrices, pieces }
    }

    /// Units that workers share: the groups of all pieces, one piece after the other.
    pub(super) fn groups(&self) -> usize {
        self.pieces.iter().map(|p| self.matrices[p.matrix].groups()).sum()
    }

    /// The products that are the units `mine`.
    pub(super) fn products(&self, mine: Range<usize>, tile: Tile, x: Field, init: Init, then: Then, level: Level) {
        let mut first = 0;
        for piece in &self.pieces {
            let matrix = &self.matrices[piece.matrix];
            let all = first..first + matrix.groups();
            first = all.end;
            let (start, end) = (mine.start.max(all.start), mine.end.min(all.end));
            if start < end {
                let groups = start - all.start..end - all.start;
                let (x, init, then) = (x.from(piece.from), init.from(piece.to), then.from(piece.to));
                level.call(Product { matrix, groups, tile, x, init, then });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::tests::{network, numbers, reference};
    use crate::engine::{Activation, Examples, Layers, Level, Options, Packed, Program, Rows, Shared, Term, learn};
    use std::sync::Arc;

    #[test]
    fn weights_shared_over_positions_learn_the_sum_of_what_each_would() {
        let (chains, context) = (150, 4);
        for level in Level::available() {
            for shared in [vec![Shared { positions: 5, reach: 0 }, Shared { positions: 5, reach: 1 }], vec![]] {
                let packed = network(level, &[20, 30, 65, 11], Activation::Swish, &shared);
                let layers = packed.layers().clone();
                let first = Rows::new(30, numbers(60, chains * 30, 0.5)).unwrap();
                let (x, given) = (numbers(61, chains * 20, 1.0), numbers(62, chains * context, 1.0));
                let factors = numbers(63, chains, 1.0);
                let examples = Examples { first: &first, x: &x, context: &given };
                let options = Options::default();
                let (energies, gradient) = learn(&packed, examples, |_| Ok(factors.clone()), &options).unwrap();
                let total = |layers: &Layers, first: &Rows| -> f64 {
                    let network = Arc::new(Packed::at_level(layers.clone(), level).unwrap());
                    let program =
                        Program::new(20, vec![Term::Network { network, first: first.clone(), factor: 1.0 }]).unwrap();
                    let row = |b: usize| x[b * 20..(b + 1) * 20].iter().map(|v| f64::from(*v)).collect::<Vec<_>>();
                    (0..chains).map(|b| f64::from(factors[b]) * reference(&program, b, &row(b)).0).sum()
                };
                let own: f64 = energies.iter().zip(&factors).map(|(e, c)| f64::from(e * c)).sum();
                assert!((own - total(&layers, &first)).abs() < 1e-2, "{level:?}");
                let h = 1e-2f32;
                let near = |found: f32, change: &dyn Fn(&mut Layers, &mut Vec<f32>, f32)| {
                    let at = |h: f32| {
                        let (mut layers, mut rows) = (layers.clone(), first.values.to_vec());
                        change(&mut layers, &mut rows, h);
                        total(&layers, &Rows::new(30, rows).unwrap())
                    };
                    let slope = (at(h) - at(-h)) / (2.0 * f64::from(h));
                    assert!(
                        (f64::from(found) - slope).abs() < 1e-2 * slope.abs().max(1.0),
                        "{level:?}: {found}, {slope}"
                    );
                };
                for l in 0..3 {
                    assert_eq!(gradient.hidden[l].len(), layers.hidden[l].weight.len());
                    for i in (0..gradient.hidden[l].len()).step_by(37) {
                        near(gradient.hidden[l][i], &|layers, _, h| layers.hidden[l].weight[i] += h);
                    }
                    for i in (0..gradient.biases[l].len()).step_by(7) {
                        near(gradient.biases[l][i], &|layers, rows, h| match l {
                            0 => rows.chunks_exact_mut(30).for_each(|row| row[i] += h),
                            _ => layers.hidden[l].bias[i] += h,
                        });
                    }
                }
                for i in (0..gradient.context.len()).step_by(11) {
                    near(gradient.context[i], &|_, rows, h| {
                        for (row, c) in rows.chunks_exact_mut(30).zip(given.chunks_exact(context)) {
                            row[i / context] += h * c[i % context];
                        }
                    });
                }
            }
        }
    }
}
