//! What the weights' gradients are products of: for every layer the numbers that its weights multiply and the gradients
//! in its sums, example by example.

use super::examples::Examples;
use super::field::{Aligned, Field, Tile};
use super::layers::{Layer, Layers, Shared};
use super::matrix::{Sums, accumulate};
use crate::simd::{Isa, Kernel, Simd};
use std::ops::Range;

/// Both factors of all products of one batch. A row is an example, or an example at a position, position by position.
/// The rows of examples' derivatives along their directions follow.
pub(super) struct GradientFactors {
    /// Examples.
    pub(super) batch: usize,
    /// For each layer what its weights multiply.
    pub(super) inputs: Vec<GradientFactor>,
    /// For each layer the gradients in its sums.
    pub(super) deltas: Vec<GradientFactor>,
    /// What the first layer's weights of the context multiply, where there is one.
    pub(super) context: Option<GradientFactor>,
    /// The gradients in the first layer's sums, example by example, where it shares weights and there is a context.
    pub(super) whole: Option<GradientFactor>,
}

/// Rows of numbers, `[group of numbers][row][number of the group]`.
///
/// Tiles write rows of their own at the same time; who reads does so when all are done.
pub(super) struct GradientFactor {
    rows: usize,
    group: usize,
    start: *mut f32,
    numbers: Aligned,
}

// SAFETY: the numbers stay where they are on the heap. Writing through `&self` is unsafe, and who does it promises that
// the rows are its own.
unsafe impl Send for GradientFactor {}
// SAFETY: as above.
unsafe impl Sync for GradientFactor {}

impl GradientFactors {
    /// Room for a batch of examples, not written yet; `directions`: with rows of derivatives.
    ///
    /// # Safety
    /// [`super::backprop::BackpropTile::turn`] writes the rows of all examples before anybody reads one.
    pub(super) unsafe fn new(layers: &Layers, isa: Isa, examples: &Examples<'_>, directions: bool) -> Self {
        let (group, width) = (isa.outputs(), 2 * isa.lanes());
        let batch = examples.batch(layers);
        let context = examples.context.len() / batch;
        let rows = |shared: Shared| if directions { 2 } else { 1 } * shared.positions * batch;
        let factor = |of: fn((usize, usize)) -> usize, group| {
            // SAFETY: `turn` writes the numbers of all rows, but for those of neighbours that do not exist.
            let factor =
                |l: &Layer| unsafe { GradientFactor::new(rows(l.shared), of(l.shape()), group, l.shared.reach > 0) };
            layers.hidden.iter().map(factor).collect()
        };
        // SAFETY: `turn` writes all numbers of all rows.
        let plain = |numbers, group| unsafe { GradientFactor::new(batch, numbers, group, false) };
        let first = &layers.hidden[0];
        Self {
            batch,
            inputs: factor(|(_, columns)| columns, width),
            deltas: factor(|(outputs, _)| outputs, group),
            context: (context > 0).then(|| plain(context, width)),
            whole: (context > 0 && first.shared != Shared::NONE).then(|| plain(first.outputs, group)),
        }
    }
}

impl GradientFactor {
    /// `gaps`: tiles do not write all numbers, and those that they do not are 0.
    ///
    /// # Safety
    /// Without gaps tiles write all numbers of all rows before anybody reads one.
    unsafe fn new(rows: usize, numbers: usize, group: usize, gaps: bool) -> Self {
        let len = numbers.div_ceil(group) * rows * group;
        let gaps = gaps || !numbers.is_multiple_of(group);
        // SAFETY: without gaps, also in the last group, tiles write all there is before anybody reads: the caller's
        // word.
        let mut all = if gaps { Aligned::new(len) } else { unsafe { Aligned::unset(len) } };
        Self { rows, group, start: all.as_mut_ptr(), numbers: all }
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// All rows of one group of numbers.
    fn rows_of(&self, group: usize) -> &[f32] {
        &self.numbers.as_slice()[group * self.rows * self.group..][..self.rows * self.group]
    }

    /// Where a row's number is; the next row's is a group further on.
    fn place(&self, row: usize, number: usize) -> *mut f32 {
        debug_assert!(row < self.rows && number < self.numbers.len() / self.rows);
        self.start.wrapping_add((number / self.group * self.rows + row) * self.group + number % self.group)
    }

    /// Puts features of a tile's field into the rows from `row` on, one a chain, as their numbers from `at` on.
    ///
    /// # Safety
    /// The rows and the numbers are there, the field is of the tile and has the features. Nobody else uses these rows
    /// now.
    pub(super) unsafe fn turn(&self, tile: &Tile, from: Field, features: usize, (row, at): (usize, usize)) {
        for block in 0..tile.blocks() {
            let first = row + block * tile.width();
            for f in 0..features {
                // SAFETY: the caller's word: a live lane is a chain, and so has a row, a group further on than the one
                // before.
                unsafe {
                    let mut to = self.place(first, at + f);
                    for value in &*from.lanes(tile, block, f) {
                        *to = *value;
                        to = to.wrapping_add(self.group);
                    }
                }
            }
        }
    }

    /// Puts whole rows, side by side, into the rows `of`.
    ///
    /// # Safety
    /// As [`GradientFactor::turn`].
    pub(super) unsafe fn put(&self, of: Range<usize>, rows: &[f32]) {
        let width = rows.len() / of.len();
        for (row, numbers) in of.zip(rows.chunks_exact(width)) {
            // SAFETY: the caller's word: the row and its numbers are there, and nobody else uses them.
            numbers.iter().enumerate().for_each(|(i, value)| unsafe { *self.place(row, i) = *value });
        }
    }

    /// Adds up rows, into as many numbers as they have or fewer.
    pub(super) fn sum(&self, rows: Range<usize>, to: &mut [f32]) {
        for (g, sums) in to.chunks_mut(self.group).enumerate() {
            for row in self.rows_of(g)[rows.start * self.group..rows.end * self.group].chunks_exact(self.group) {
                sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
            }
        }
    }
}

/// Some rows of a weight's gradient: `out[o][i] = sum_row delta[row][o] * input[row][i]` over the first rows of both.
pub(super) struct Products<'a> {
    pub(super) deltas: &'a GradientFactor,
    pub(super) inputs: &'a GradientFactor,
    /// Rows to sum over.
    pub(super) rows: usize,
    /// Groups of outputs.
    pub(super) groups: Range<usize>,
    /// Numbers of a row of the weight.
    pub(super) columns: usize,
    /// Those outputs' rows of the weight.
    pub(super) out: &'a mut [f32],
}

impl Kernel for Products<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let Self { deltas, inputs, rows, groups, columns, out } = self;
        let (group, width) = (deltas.group, 2 * S::LANES);
        assert!(inputs.group == width && rows <= deltas.rows.min(inputs.rows), "both factors are of this ISA");
        // A block of the inputs stays in the nearest cache while all outputs meet it.
        for block in 0..columns.div_ceil(width) {
            let at = block * width..columns.min((block + 1) * width);
            let input = inputs.rows_of(block);
            for (g, out) in groups.clone().zip(out.chunks_mut(group * columns)) {
                let mut sums = Sums::zero();
                // SAFETY: a group of either factor holds all rows, of `group` and `width` numbers; `Sums` has room for
                // a group of any ISA.
                unsafe {
                    let (w, x) = (deltas.rows_of(g).as_ptr(), input.as_ptr());
                    accumulate::<S>(group, rows, w, x, sums.0.as_mut_ptr());
                }
                for (row, sums) in out.chunks_exact_mut(columns).zip(sums.0.chunks_exact(width)) {
                    row[at.clone()].copy_from_slice(&sums[..at.len()]);
                }
            }
        }
    }
}
