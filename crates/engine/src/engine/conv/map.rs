//! Images in memory: a pixel's channels lie side by side in groups of one vector, with a margin of zeros around each
//! group, so that a convolution never asks where an image ends.
//!
//! ```text
//! map[image][block of channels][row][column][lane],   channel = block * lanes + lane
//! ```
//!
//! # Safety
//! A [`Map`] is a plain pointer into its [`Store`]. What makes that sound:
//!
//! - **Memory.** A map has whole vectors of channels for each of the store's images, and a margin as wide as any tap of
//!   any pass reaches ([`super::pass::Pass::margin`]). It stays where it is as long as the store lives, which
//!   [`super::memory::Memory`] keeps beside its maps.
//! - **Initialised.** All is zeros at first; nothing writes a margin.
//! - **Races.** What writes maps takes its memory as `&mut`, so one worker does; reading it may be shared.
//!
//! Comments elsewhere call this the contract of maps.

use super::super::field::Aligned;
use crate::simd::Isa;

/// What a map must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) channels: usize,
    pub(super) height: usize,
    pub(super) width: usize,
    /// Pixels of zeros on every side.
    pub(super) margin: usize,
}

impl Shape {
    /// The same without a margin.
    pub(super) fn bare(self) -> Self {
        Self { margin: 0, ..self }
    }

    pub(super) fn blocks(&self, isa: Isa) -> usize {
        self.channels.div_ceil(isa.lanes())
    }

    /// Numbers of one image.
    fn numbers(&self, isa: Isa) -> usize {
        self.blocks(isa) * self.block(isa)
    }

    fn row(&self, isa: Isa) -> usize {
        (self.width + 2 * self.margin) * isa.lanes()
    }

    fn block(&self, isa: Isa) -> usize {
        let numbers = self.row(isa) * (self.height + 2 * self.margin);
        // Blocks whose addresses differ by a multiple of a page would wait for each other's stores.
        if numbers.is_multiple_of(1024) { numbers + 16 } else { numbers }
    }
}

/// Some images of one shape, a plain pointer: see the module's contract of maps.
#[derive(Debug, Clone, Copy)]
pub(super) struct Map {
    /// Row 0, column 0 of the first image's first block, within the margin.
    start: *mut f32,
    pub(super) shape: Shape,
    lanes: usize,
    /// Numbers from a row, a block, an image to the next.
    pub(super) row: usize,
    pub(super) block: usize,
    pub(super) image: usize,
}

// SAFETY: the contract of maps: the memory stays, and one worker at a time writes it.
unsafe impl Send for Map {}
// SAFETY: as above.
unsafe impl Sync for Map {}

impl Map {
    /// The first lane of a pixel.
    #[inline(always)]
    pub(super) fn at(&self, image: usize, block: usize, y: usize, x: usize) -> *mut f32 {
        self.start.wrapping_add(image * self.image + block * self.block + y * self.row + x * self.lanes)
    }

    /// Numbers from a pixel to one `y` rows below and `x` columns to the right of it.
    pub(super) fn offset(&self, y: isize, x: isize) -> isize {
        y * self.row as isize + x * self.lanes as isize
    }

    /// Writes `(channels, height, width)` into image `image`.
    ///
    /// # Safety
    /// The map has the image, and nobody else uses it now.
    pub(super) unsafe fn put(&self, image: usize, numbers: &[f32]) {
        let plane = self.shape.height * self.shape.width;
        for (channel, values) in numbers.chunks_exact(plane).enumerate().take(self.shape.channels) {
            let (block, lane) = (channel / self.lanes, channel % self.lanes);
            for (y, row) in values.chunks_exact(self.shape.width).enumerate() {
                for (x, value) in row.iter().enumerate() {
                    // SAFETY: channel, row and column are below those of the map; the caller's word for the image.
                    unsafe { *self.at(image, block, y, x).add(lane) = *value };
                }
            }
        }
    }

    /// Adds image `image` to `(channels, height, width)`.
    ///
    /// # Safety
    /// The map has the image, and nobody else writes it now.
    pub(super) unsafe fn add_to(&self, image: usize, numbers: &mut [f32]) {
        let plane = self.shape.height * self.shape.width;
        for (channel, values) in numbers.chunks_exact_mut(plane).enumerate().take(self.shape.channels) {
            let (block, lane) = (channel / self.lanes, channel % self.lanes);
            for (y, row) in values.chunks_exact_mut(self.shape.width).enumerate() {
                for (x, value) in row.iter_mut().enumerate() {
                    // SAFETY: channel, row and column are below those of the map; the caller's word for the image.
                    *value += unsafe { *self.at(image, block, y, x).add(lane) };
                }
            }
        }
    }
}

/// Numbers for each image and channel, in lanes.
#[derive(Debug, Clone, Copy)]
pub(super) struct PerImage {
    pub(super) start: *const f32,
    /// Numbers from an image to the next.
    pub(super) image: usize,
}

impl PerImage {
    #[inline(always)]
    pub(super) fn at(&self, image: usize, channel: usize) -> *const f32 {
        self.start.wrapping_add(image * self.image + channel)
    }
}

/// The memory of a tile of images.
#[derive(Debug)]
pub(super) struct Store {
    isa: Isa,
    images: usize,
    pieces: Vec<Aligned>,
}

impl Store {
    pub(super) fn new(isa: Isa, images: usize) -> Self {
        Self { isa, images, pieces: Vec::new() }
    }

    /// A map of zeros.
    pub(super) fn map(&mut self, shape: Shape) -> Map {
        let (row, block, lanes) = (shape.row(self.isa), shape.block(self.isa), self.isa.lanes());
        let image = shape.numbers(self.isa);
        let start = self.numbers(image * self.images).wrapping_add(shape.margin * (row + lanes));
        Map { start, shape, lanes, row, block, image }
    }

    /// `len` zeros that begin on a cache line.
    pub(super) fn numbers(&mut self, len: usize) -> *mut f32 {
        let mut piece = Aligned::new(len);
        let start = piece.as_mut_ptr();
        self.pieces.push(piece); // the numbers stay where they are on the heap
        start
    }
}
