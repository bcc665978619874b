//! The innermost loops of a convolution: sums of some pixels and two blocks of output channels stay in registers while
//! all taps of a block of input channels go by.
//!
//! ```text
//! sums[pixel][output] += image[pixel + tap][input] * weight[tap][input][output]
//! ```
//!
//! An input is one number for all lanes, a weight one vector for all pixels. The weights of a block of inputs and a
//! group of outputs stay in the first cache while they meet every pixel of the images at hand. A sum is one chain of
//! additions from the first input to the last, whatever the number of pixels, images or threads.
//!
//! # Safety
//! Who runs a [`Sweep`] promises that the pass was packed for the ISA that runs it, and that all maps have the
//! images. The source has the pass's inputs and a margin of at least [`Pass::margin`], which taps reach into at most;
//! the offsets are its own. The maps of `finish` have the pass's outputs and all its places, `sums` has [`scratch`]
//! numbers, and nobody else uses any of them now: the contract of maps (`map.rs`).

use super::finish::Finish;
use super::map::Map;
use super::pass::{GROUP, Pass};
use crate::simd::{Isa, Kernel, Simd};
use std::ops::Range;

/// Pixels whose sums are kept between two blocks of inputs: with two blocks of outputs they fill an eighth of a core's
/// own cache.
const PIXELS: usize = 1024;
/// The same where all inputs are taken up in one go, so that the sums are read again at once.
const FEW_PIXELS: usize = 128;

/// Products that a sum takes up in one go, about: enough to be worth loading and storing it, few enough that the
/// weights stay in the first cache.
const STEPS: usize = 192;

/// Numbers of scratch memory that a sweep needs over images of so many columns.
pub(super) fn scratch(isa: Isa, widest: usize) -> usize {
    PIXELS.max(widest) * GROUP * isa.lanes()
}

/// Numbers from an output's source to where each tap of the pass reads.
pub(super) fn offsets(pass: &Pass, from: &Map) -> Vec<isize> {
    pass.taps.iter().map(|(y, x)| from.offset(*y, *x)).collect()
}

/// One pass over images `0..images`.
pub(super) struct Sweep<'a> {
    pub(super) pass: &'a Pass,
    pub(super) images: usize,
    pub(super) from: Map,
    /// What [`offsets`] gives for the pass and the source.
    pub(super) offsets: &'a [isize],
    pub(super) finish: &'a Finish,
    /// [`scratch`] numbers.
    pub(super) sums: *mut f32,
}

/// Lines of pixels that one round works on.
struct Span {
    images: Range<usize>,
    rows: Range<usize>,
}

/// What a round reads for each pixel.
#[derive(Clone, Copy)]
struct Inputs<'a> {
    /// Numbers from a pixel's source to where each tap reads.
    taps: &'a [isize],
    /// Input channels, from the first of a block on.
    count: usize,
    /// Numbers from a block of channels to the next.
    apart: usize,
    /// `[block][tap][input of the block][N blocks of outputs]`.
    weights: *const f32,
    /// No sums yet.
    fresh: bool,
}

/// `sums += image * weight` for `R` lines of `C` pixels and `N` blocks of outputs. Sources of neighbouring pixels are
/// `STEP` pixels apart; with `source` and `sums` come the numbers from a line to the next.
///
/// # Safety
/// Within a kernel. From each pixel's source every tap reaches numbers of the map, for all blocks of inputs; the
/// weights are those of all these inputs and taps; `sums` has room for the pixels.
#[inline(always)]
#[expect(clippy::too_many_lines, reason = "one loop nest whose sums must stay in registers")]
unsafe fn micro<S: Simd, const R: usize, const C: usize, const N: usize, const STEP: usize>(
    inputs: &Inputs<'_>,
    source: (*const f32, usize),
    sums: (*mut f32, usize),
) {
    // SAFETY: the caller's word; sums are read only where there are some.
    unsafe {
        let mut acc = [[[S::splat(0.0); N]; C]; R];
        let at = |r: usize, c: usize, n: usize| sums.0.add(r * sums.1 + (c * N + n) * S::LANES);
        if !inputs.fresh {
            let mut r = 0;
            while r < R {
                let mut c = 0;
                while c < C {
                    let mut n = 0;
                    while n < N {
                        acc[r][c][n] = S::load(at(r, c, n));
                        n += 1;
                    }
                    c += 1;
                }
                r += 1;
            }
        }
        let mut w = inputs.weights;
        let mut block = source.0;
        let mut left = inputs.count;
        while left > 0 {
            let live = if left < S::LANES { left } else { S::LANES };
            for tap in inputs.taps {
                let from = block.offset(*tap);
                let mut i = 0;
                while i < live {
                    let mut weight = [S::splat(0.0); N];
                    let mut n = 0;
                    while n < N {
                        weight[n] = S::load(w.add(n * S::LANES));
                        n += 1;
                    }
                    let mut r = 0;
                    while r < R {
                        let line = from.add(r * source.1 + i);
                        let mut c = 0;
                        while c < C {
                            let x = S::splat(*line.add(c * STEP * S::LANES));
                            let mut n = 0;
                            while n < N {
                                acc[r][c][n] = S::mul_add(x, weight[n], acc[r][c][n]);
                                n += 1;
                            }
                            c += 1;
                        }
                        r += 1;
                    }
                    w = w.add(N * S::LANES);
                    i += 1;
                }
            }
            block = block.wrapping_add(inputs.apart);
            left -= live;
        }
        let mut r = 0;
        while r < R {
            let mut c = 0;
            while c < C {
                let mut n = 0;
                while n < N {
                    S::store(at(r, c, n), acc[r][c][n]);
                    n += 1;
                }
                c += 1;
            }
            r += 1;
        }
    }
}

/// Most pixels of one [`micro`].
const fn most<S: Simd>() -> usize {
    if S::LANES == 16 { 8 } else { 4 }
}

/// [`micro`] for so many lines and pixels.
///
/// # Safety
/// As [`micro`].
#[inline(always)]
unsafe fn sized<S: Simd, const N: usize, const STEP: usize>(
    (lines, pixels): (usize, usize),
    inputs: &Inputs<'_>,
    source: (*const f32, usize),
    sums: (*mut f32, usize),
) {
    macro_rules! pick {
        ($($r:literal $c:literal),*) => {
            match (lines, pixels) {
                $(($r, $c) => micro::<S, $r, $c, N, STEP>(inputs, source, sums),)*
                _ => micro::<S, 1, 1, N, STEP>(inputs, source, sums),
            }
        };
    }
    // SAFETY: the caller's word; each arm has the lines and pixels, and the last takes fewer than that at most.
    unsafe {
        if S::LANES == 16 {
            pick!(1 2, 1 3, 1 4, 1 5, 1 6, 1 7, 1 8, 2 1, 2 2, 2 3, 2 4, 4 1, 4 2, 8 1);
        } else {
            pick!(1 2, 1 3, 1 4, 2 1, 2 2, 4 1);
        }
    }
}

impl Kernel for Sweep<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let (rows, columns) = self.pass.count;
        // Whole images as long as there is room, else some rows of one.
        let pixels = if self.together::<S>() < self.pass.blocks() { PIXELS } else { FEW_PIXELS };
        let whole = pixels / (rows * columns);
        if whole > 0 {
            for first in (0..self.images).step_by(whole) {
                // SAFETY: the module's promises; the span is of these images and rows, of as many pixels as `sums` has
                // room for.
                unsafe { self.span::<S>(&Span { images: first..(first + whole).min(self.images), rows: 0..rows }) };
            }
            return;
        }
        let band = (pixels / columns).max(1);
        for image in 0..self.images {
            for first in (0..rows).step_by(band) {
                // SAFETY: as above; `scratch` has room for one row of any length.
                unsafe { self.span::<S>(&Span { images: image..image + 1, rows: first..(first + band).min(rows) }) };
            }
        }
    }
}

impl Sweep<'_> {
    /// Blocks of inputs that are taken up in one go.
    #[inline(always)]
    fn together<S: Simd>(&self) -> usize {
        (STEPS / (self.pass.taps.len().max(1) * S::LANES)).max(1)
    }

    /// All outputs of a span.
    ///
    /// # Safety
    /// The module's promises; the span is within the pass's images and rows, and `sums` has room for its pixels.
    #[inline(always)]
    unsafe fn span<S: Simd>(&self, span: &Span) {
        // SAFETY: the caller's word; each arm's `N` is the group's size.
        unsafe {
            for group in 0..self.pass.groups() {
                match (self.pass.size(group), self.pass.step.1) {
                    (2, 2) => self.sum::<S, 2, 2>(span, group),
                    (2, _) => self.sum::<S, 2, 1>(span, group),
                    (_, 2) => self.sum::<S, 1, 2>(span, group),
                    _ => self.sum::<S, 1, 1>(span, group),
                }
                self.finish::<S>(span, group);
            }
        }
    }

    /// All inputs of a group of outputs. A step that is not `STEP` is taken one column at a time.
    ///
    /// # Safety
    /// As [`Sweep::span`]; the group has `N` blocks.
    #[inline(always)]
    unsafe fn sum<S: Simd, const N: usize, const STEP: usize>(&self, span: &Span, group: usize) {
        // SAFETY: the caller's word; lines and pixels of a round stay within the span, their sums within `sums`, one
        // for each of its pixels and the group's blocks.
        unsafe {
            let pass = self.pass;
            let columns = pass.count.1;
            let (images, rows) = (span.images.len(), span.rows.len());
            // Where images have one row only, the lines of a round are those of neighbouring images.
            let single = pass.count.0 == 1;
            let (outer, lines) = if single { (1, images) } else { (images, rows) };
            let line_pitch = if single { self.from.image } else { pass.step.0 * self.from.row };
            let most = most::<S>();
            let pieces = if pass.step.1 == STEP { columns.div_ceil(most) } else { columns };
            let together = self.together::<S>();
            for block in (0..pass.blocks()).step_by(together) {
                let inputs = Inputs {
                    taps: self.offsets,
                    count: (pass.inputs - block * S::LANES).min(together * S::LANES),
                    apart: self.from.block,
                    weights: pass.numbers().as_ptr().add(pass.begin(group, block)),
                    fresh: block == 0,
                };
                for o in 0..outer {
                    let mut line = 0;
                    while line < lines {
                        let widest = columns.div_ceil(pieces);
                        let mut together = 1;
                        while 2 * together * widest <= most && line + 2 * together <= lines {
                            together *= 2;
                        }
                        let (image, row) = if single {
                            (span.images.start + line, 0)
                        } else {
                            (span.images.start + o, span.rows.start + line)
                        };
                        let mut x = 0;
                        for piece in 0..pieces {
                            let pixels = (columns - x).div_ceil(pieces - piece);
                            let source = self.from.at(image, block, row * pass.step.0, x * pass.step.1).cast_const();
                            let sums = self.sums.add((((o * lines) + line) * columns + x) * N * S::LANES);
                            sized::<S, N, STEP>(
                                (together, pixels),
                                &inputs,
                                (source, line_pitch),
                                (sums, columns * N * S::LANES),
                            );
                            x += pixels;
                        }
                        line += together;
                    }
                }
            }
        }
    }

    /// What becomes of a span's sums.
    ///
    /// # Safety
    /// As [`Sweep::span`], whose sums of this group are complete.
    #[inline(always)]
    unsafe fn finish<S: Simd>(&self, span: &Span, group: usize) {
        // SAFETY: the caller's word; sums go by in the order in which `sum` has left them.
        unsafe {
            let pass = self.pass;
            let blocks = pass.size(group);
            let mut sums = self.sums.cast_const();
            for image in span.images.clone() {
                for row in span.rows.clone() {
                    let y = pass.first.0 + row * pass.stride.0;
                    for column in 0..pass.count.1 {
                        let x = pass.first.1 + column * pass.stride.1;
                        for block in 0..blocks {
                            self.finish.put::<S>(S::load(sums), image, group * GROUP + block, y, x);
                            sums = sums.add(S::LANES);
                        }
                    }
                }
            }
        }
    }
}
