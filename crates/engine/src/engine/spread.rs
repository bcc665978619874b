//! A layer's product with a tile: one matrix, or one at each of its positions.

use super::field::{Field, Tile};
use super::layers::Layer;
use super::matrix::{Init, Matrix, Product, Then};
use crate::simd::Isa;
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
    pub(super) fn pack(isa: Isa, layer: &Layer) -> (Self, Self) {
        let t = layer.shared.positions;
        let (inputs, outputs) = (layer.inputs / t, layer.outputs / t);
        let forward = |at: usize, seen: Range<usize>| {
            // An output sees its neighbours' numbers side by side.
            let row = |o| layer.taps((at, o), seen.clone());
            Matrix::of_rows(isa, outputs, seen.len() * inputs, row)
        };
        let backward = |at: usize, seen: Range<usize>| {
            let column = |o: usize| layer.taps((seen.start + o / outputs, o % outputs), at..at + 1);
            Matrix::of_columns(isa, inputs, seen.len() * outputs, column)
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
    ///
    /// # Safety
    /// `isa` and the tile's are that of [`Spread::pack`]. `x`, `init` and `then` are as a [`Product`] needs them,
    /// over all numbers of the layer.
    pub(super) unsafe fn products(&self, mine: Range<usize>, tile: Tile, x: Field, init: Init, then: Then, isa: Isa) {
        let mut first = 0;
        for piece in &self.pieces {
            let matrix = &self.matrices[piece.matrix];
            let all = first..first + matrix.groups();
            first = all.end;
            let (start, end) = (mine.start.max(all.start), mine.end.min(all.end));
            if start < end {
                let groups = start - all.start..end - all.start;
                let (x, init, then) = (x.from(piece.from), init.from(piece.to), then.from(piece.to));
                // SAFETY: the caller's word; a piece's numbers begin at `from` and `to` and end within the layer's.
                unsafe { isa.call(Product { matrix, groups, tile, x, init, then }) };
            }
        }
    }
}
