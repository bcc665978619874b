//! The gradient in a convolution's weights: for each tap the products of what it read and the gradient in the sum, over
//! all pixels and images in order.
//!
//! ```text
//! gradient[tap][input][output] += image[pixel + tap][input] * delta[pixel][output]
//! ```
//!
//! A [`Gather`] owns one block of inputs and one group of outputs. Sums over some pixels are in registers, between them
//! in memory, so that a number is one chain of additions in the order of the images whatever the rounds.
//!
//! # Safety
//! Who runs a [`Gather`] promises what a [`super::sweep::Sweep`] needs of pass, source and offsets, that `delta` has
//! the pass's outputs and pixels, and that `to` begins this block's and group's part of a gradient laid as the pass's
//! weights, which nobody else uses now. Nobody writes the maps.

use super::map::Map;
use super::pass::{GROUP, Pass};
use crate::simd::{Kernel, Simd};

/// Pixels of one round: what taps and inputs read stays in the first cache.
const PIXELS: usize = 128;

/// One block of inputs and one group of outputs of a forward pass, over images `0..images` of a tile.
pub(super) struct Gather<'a> {
    pub(super) pass: &'a Pass,
    pub(super) images: usize,
    pub(super) from: Map,
    /// What [`super::sweep::offsets`] gives for the pass and the source.
    pub(super) offsets: &'a [isize],
    pub(super) delta: Map,
    pub(super) group: usize,
    pub(super) block: usize,
    /// Where the weights of this block and group begin, in a gradient that is laid as the pass's weights.
    pub(super) to: *mut f32,
}

/// Counts and pitches of pixels, for the source and for the gradient: images, rows, columns.
#[derive(Clone, Copy)]
struct ChainKind {
    count: [usize; 3],
    from: [usize; 3],
    delta: [usize; 3],
}

/// Sums of `M` inputs and `N` blocks of outputs over the pixels of a walk; `apart` numbers lie between blocks of the
/// gradient.
///
/// # Safety
/// Within a kernel. Both maps have the walk's pixels, `M` inputs from `from` on and `N` blocks from `delta` on; `to` is
/// `(M, N vectors)`.
#[inline(always)]
unsafe fn micro<S: Simd, const M: usize, const N: usize>(
    walk: &ChainKind,
    from: *const f32,
    delta: *const f32,
    apart: usize,
    to: *mut f32,
) {
    // SAFETY: the caller's word. Pointers beyond a line's last pixel are made by `wrapping_add` and not read.
    unsafe {
        let mut acc = [[S::splat(0.0); N]; M];
        let mut m = 0;
        while m < M {
            let mut n = 0;
            while n < N {
                acc[m][n] = S::load(to.add((m * N + n) * S::LANES));
                n += 1;
            }
            m += 1;
        }
        for image in 0..walk.count[0] {
            for row in 0..walk.count[1] {
                let mut x = from.add(image * walk.from[0] + row * walk.from[1]);
                let mut d = delta.add(image * walk.delta[0] + row * walk.delta[1]);
                for _ in 0..walk.count[2] {
                    let mut deltas = [S::splat(0.0); N];
                    let mut n = 0;
                    while n < N {
                        deltas[n] = S::load(d.add(n * apart));
                        n += 1;
                    }
                    let mut m = 0;
                    while m < M {
                        let input = S::splat(*x.add(m));
                        let mut n = 0;
                        while n < N {
                            acc[m][n] = S::mul_add(input, deltas[n], acc[m][n]);
                            n += 1;
                        }
                        m += 1;
                    }
                    x = x.wrapping_add(walk.from[2]);
                    d = d.wrapping_add(walk.delta[2]);
                }
            }
        }
        let mut m = 0;
        while m < M {
            let mut n = 0;
            while n < N {
                S::store(to.add((m * N + n) * S::LANES), acc[m][n]);
                n += 1;
            }
            m += 1;
        }
    }
}

impl Kernel for Gather<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let (rows, columns) = self.pass.count;
        let whole = PIXELS / (rows * columns);
        let (images, band) = if whole > 0 { (whole, rows) } else { (1, (PIXELS / columns).max(1)) };
        for image in (0..self.images).step_by(images) {
            for row in (0..rows).step_by(band) {
                let count = [images.min(self.images - image), band.min(rows - row), columns];
                // SAFETY: the module's promises; images and rows stay within the pass's; each arm's `N` is the group's
                // size.
                unsafe {
                    match self.pass.size(self.group) {
                        GROUP => self.round::<S, GROUP>(image, row, count),
                        _ => self.round::<S, 1>(image, row, count),
                    }
                }
            }
        }
    }
}

impl Gather<'_> {
    /// All taps and inputs over some pixels.
    ///
    /// # Safety
    /// The module's promises, for these images and rows; the group has `N` blocks.
    #[inline(always)]
    unsafe fn round<S: Simd, const N: usize>(&self, image: usize, row: usize, count: [usize; 3]) {
        // SAFETY: the caller's word; each arm's `M` is at most the inputs that are left, and `to` has room for all of
        // them.
        unsafe {
            let pass = self.pass;
            let walk = ChainKind {
                count,
                from: [self.from.image, pass.step.0 * self.from.row, pass.step.1 * S::LANES],
                delta: [self.delta.image, self.delta.row, S::LANES],
            };
            let inputs = pass.live(self.block);
            let from = self.from.at(image, self.block, row * pass.step.0, 0).cast_const();
            let delta = self.delta.at(image, self.group * GROUP, row, 0).cast_const();
            let apart = self.delta.block;
            for (tap, offset) in self.offsets.iter().enumerate() {
                let mut input = 0;
                while input < inputs {
                    let from = from.offset(*offset).add(input);
                    let to = self.to.add((tap * inputs + input) * N * S::LANES);
                    input += match inputs - input {
                        8.. if S::LANES == 16 => {
                            micro::<S, 8, N>(&walk, from, delta, apart, to);
                            8
                        }
                        4.. => {
                            micro::<S, 4, N>(&walk, from, delta, apart, to);
                            4
                        }
                        3 => {
                            micro::<S, 3, N>(&walk, from, delta, apart, to);
                            3
                        }
                        2 => {
                            micro::<S, 2, N>(&walk, from, delta, apart, to);
                            2
                        }
                        _ => {
                            micro::<S, 1, N>(&walk, from, delta, apart, to);
                            1
                        }
                    };
                }
            }
        }
    }
}
