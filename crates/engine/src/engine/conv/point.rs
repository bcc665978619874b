//! What is done to each pixel by itself: means of 2 x 2 pixels, their gradient, the head.
//!
//! # Safety
//! Who runs one of these kernels promises that maps, rows and weights were laid out for the ISA that runs it, that
//! they have the images, channels and pixels that the kernel goes through, and that nobody else writes them now: the
//! contract of maps (`map.rs`).

use super::super::activation::activate;
use super::super::layers::Nonlinearity;
use super::finish::Finish;
use super::map::Map;
use crate::simd::{Kernel, Simd};

/// The pixels themselves.
pub(super) struct Copy<'a> {
    pub(super) images: usize,
    pub(super) from: Map,
    pub(super) finish: &'a Finish,
}

impl Kernel for Copy<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let shape = self.from.shape;
        // SAFETY: the module's promises; the loops stay within the shape of `from`.
        unsafe {
            for image in 0..self.images {
                for block in 0..shape.channels.div_ceil(S::LANES) {
                    for y in 0..shape.height {
                        for x in 0..shape.width {
                            let value = S::load(self.from.at(image, block, y, x));
                            self.finish.put::<S>(value, image, block, y, x);
                        }
                    }
                }
            }
        }
    }
}

/// Means of 2 x 2 pixels of images `0..images`; an odd last row or column is left out.
pub(super) struct Pool<'a> {
    pub(super) images: usize,
    pub(super) from: Map,
    /// Rows, columns and channels are those of the means.
    pub(super) finish: &'a Finish,
}

impl Kernel for Pool<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let shape = self.from.shape;
        // SAFETY: the module's promises; `2 y + 1` and `2 x + 1` are still within the shape of `from`.
        unsafe {
            for image in 0..self.images {
                for block in 0..shape.channels.div_ceil(S::LANES) {
                    for y in 0..shape.height / 2 {
                        for x in 0..shape.width / 2 {
                            let up = self.from.at(image, block, 2 * y, 2 * x).cast_const();
                            let low = up.add(self.from.row);
                            let up = S::add(S::load(up), S::load(up.add(S::LANES)));
                            let low = S::add(S::load(low), S::load(low.add(S::LANES)));
                            self.finish.put::<S>(S::mul(S::add(up, low), S::splat(0.25)), image, block, y, x);
                        }
                    }
                }
            }
        }
    }
}

/// The gradient of [`Pool`] in its pixels given that in the means.
pub(super) struct Unpool<'a> {
    pub(super) images: usize,
    /// Gradient in the means.
    pub(super) from: Map,
    /// Rows and columns of the pixels.
    pub(super) size: (usize, usize),
    pub(super) finish: &'a Finish,
}

impl Kernel for Unpool<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let shape = self.from.shape;
        // SAFETY: the module's promises; `from` is read where there is a mean only.
        unsafe {
            for image in 0..self.images {
                for block in 0..shape.channels.div_ceil(S::LANES) {
                    for y in 0..self.size.0 {
                        for x in 0..self.size.1 {
                            let inside = y / 2 < shape.height && x / 2 < shape.width;
                            let mut value = S::splat(0.0);
                            if inside {
                                value = S::mul(S::load(self.from.at(image, block, y / 2, x / 2)), S::splat(0.25));
                            }
                            self.finish.put::<S>(value, image, block, y, x);
                        }
                    }
                }
            }
        }
    }
}

/// Sums of `rectify(x)` over the pixels of each channel, `sums[image][channel]`.
pub(super) struct Sum {
    pub(super) images: usize,
    pub(super) from: Map,
    pub(super) rectify: Option<Nonlinearity>,
    /// `(images, channels)`, channels up to a whole number of vectors.
    pub(super) sums: *mut f32,
}

impl Kernel for Sum {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let shape = self.from.shape;
        let blocks = shape.channels.div_ceil(S::LANES);
        // SAFETY: the module's promises; `sums` has a vector for each image and block of channels.
        unsafe {
            for image in 0..self.images {
                for block in 0..blocks {
                    let mut sum = S::splat(0.0);
                    for y in 0..shape.height {
                        for x in 0..shape.width {
                            let mut v = S::load(self.from.at(image, block, y, x));
                            if let Some(rectify) = self.rectify {
                                v = activate::<S>(v, rectify).0;
                            }
                            sum = S::add(sum, v);
                        }
                    }
                    S::store(self.sums.add((image * blocks + block) * S::LANES), sum);
                }
            }
        }
    }
}

/// The gradient of the head in the last stage's numbers, times `seeds[image]`.
pub(super) struct Spread<'a> {
    pub(super) images: usize,
    pub(super) from: Map,
    pub(super) rectify: Option<Nonlinearity>,
    /// Weights of the head, up to a whole number of vectors.
    pub(super) head: *const f32,
    pub(super) seeds: &'a [f32],
    pub(super) finish: &'a Finish,
}

impl Kernel for Spread<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let shape = self.from.shape;
        // SAFETY: the module's promises; `head` has whole vectors of channels.
        unsafe {
            for (image, seed) in self.seeds.iter().enumerate().take(self.images) {
                for block in 0..shape.channels.div_ceil(S::LANES) {
                    let weight = S::mul(S::load(self.head.add(block * S::LANES)), S::splat(*seed));
                    for y in 0..shape.height {
                        for x in 0..shape.width {
                            let mut value = weight;
                            if let Some(rectify) = self.rectify {
                                let v = S::load(self.from.at(image, block, y, x));
                                value = S::mul(value, activate::<S>(v, rectify).1);
                            }
                            self.finish.put::<S>(value, image, block, y, x);
                        }
                    }
                }
            }
        }
    }
}

/// Sums over pixels of a map, or of the product of two, into `sums[image][channel]`.
pub(super) struct Dot {
    pub(super) images: usize,
    pub(super) one: Map,
    pub(super) other: Option<Map>,
    /// Where the first image's sums go, and from an image's to the next's.
    pub(super) sums: (*mut f32, usize),
}

impl Kernel for Dot {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        let shape = self.one.shape;
        // SAFETY: the module's promises; each image's sums have a vector for each block of channels.
        unsafe {
            for image in 0..self.images {
                for block in 0..shape.channels.div_ceil(S::LANES) {
                    let mut sum = S::splat(0.0);
                    for y in 0..shape.height {
                        for x in 0..shape.width {
                            let v = S::load(self.one.at(image, block, y, x));
                            sum = match &self.other {
                                None => S::add(sum, v),
                                Some(other) => S::mul_add(v, S::load(other.at(image, block, y, x)), sum),
                            };
                        }
                    }
                    S::store(self.sums.0.add(image * self.sums.1 + block * S::LANES), sum);
                }
            }
        }
    }
}
