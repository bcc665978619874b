//! A pass with few outputs: the gradient in an image of one channel or three, where vectors of outputs would be almost
//! empty.
//!
//! An input is a lane, and a sum is added up across lanes at the end:
//! `sums[pixel][output] = sum_lanes image[pixel + tap] * weight[tap][output]`.
//!
//! # Safety
//! Who runs a [`Narrow`] promises what a [`super::sweep::Sweep`] needs, and that `to` has the pass's outputs and
//! pixels.

use super::map::Map;
use super::pass::Pass;
use crate::simd::{Kernel, Simd};

/// Pixels at a time.
const PIXELS: usize = 4;
/// Vectors of sums at a time: pixels times outputs, and whole vectors of every ISA.
const MOST: usize = 16;

/// One pass over images `0..images`, for steps of 1 in the source.
pub(super) struct Narrow<'a> {
    pub(super) pass: &'a Pass,
    /// [`Pass::narrow`].
    pub(super) weights: &'a [f32],
    pub(super) images: usize,
    pub(super) from: Map,
    /// What [`super::sweep::offsets`] gives for the pass and the source.
    pub(super) offsets: &'a [isize],
    pub(super) to: Map,
}

impl Kernel for Narrow<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // SAFETY: the module's promises; each arm's `O` is the number of outputs, of which such a pass has 1 to 4.
        unsafe {
            match self.pass.outputs {
                1 => self.all::<S, 1>(),
                2 => self.all::<S, 2>(),
                3 => self.all::<S, 3>(),
                _ => self.all::<S, 4>(),
            }
        }
    }
}

impl Narrow<'_> {
    /// All pixels of a pass of `O` outputs.
    ///
    /// # Safety
    /// The module's promises.
    #[inline(always)]
    unsafe fn all<S: Simd, const O: usize>(&self) {
        let (rows, columns) = self.pass.count;
        for image in 0..self.images {
            for row in 0..rows {
                for first in (0..columns).step_by(PIXELS) {
                    // SAFETY: the caller's word; the pixels are within the row.
                    unsafe { self.some::<S, O>(image, row, first, PIXELS.min(columns - first)) };
                }
            }
        }
    }

    /// Up to [`PIXELS`] pixels of a row.
    ///
    /// # Safety
    /// The module's promises, for these pixels.
    #[inline(always)]
    unsafe fn some<S: Simd, const O: usize>(&self, image: usize, row: usize, first: usize, pixels: usize) {
        // SAFETY: the caller's word. Taps reach into the margin at most; weights are `[output][block][tap]` vectors, so
        // `apart` is from an output to the next; `vectors` and `sums` have room for 4 pixels of 4 outputs, whole
        // vectors of any ISA.
        unsafe {
            let apart = self.pass.blocks() * self.offsets.len() * S::LANES;
            let mut acc = [[S::splat(0.0); O]; PIXELS];
            let mut w = self.weights.as_ptr();
            for block in 0..self.pass.blocks() {
                let source = self.from.at(image, block, row, first).cast_const();
                for offset in self.offsets {
                    let source = source.offset(*offset);
                    let mut p = 0;
                    while p < PIXELS {
                        // Pixels beyond the row are the first one again, and are not kept.
                        let x = S::load(source.add(if p < pixels { p * S::LANES } else { 0 }));
                        let mut o = 0;
                        while o < O {
                            acc[p][o] = S::mul_add(x, S::load(w.add(o * apart)), acc[p][o]);
                            o += 1;
                        }
                        p += 1;
                    }
                    w = w.add(S::LANES);
                }
            }
            let mut vectors = [S::splat(0.0); MOST];
            let mut p = 0;
            while p < PIXELS {
                let mut o = 0;
                while o < O {
                    vectors[p * O + o] = acc[p][o];
                    o += 1;
                }
                p += 1;
            }
            let mut sums = [0f32; MOST];
            let mut v = 0;
            while v < PIXELS * O {
                S::store(sums.as_mut_ptr().add(v), S::sums(vectors.as_ptr().add(v)));
                v += S::LANES;
            }
            let y = self.pass.first.0 + row * self.pass.stride.0;
            for p in 0..pixels {
                let x = self.pass.first.1 + (first + p) * self.pass.stride.1;
                let to = self.to.at(image, 0, y, x);
                for o in 0..O {
                    *to.add(o) = sums[p * O + o];
                }
            }
        }
    }
}
