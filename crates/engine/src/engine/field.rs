//! Memory of a tile of chains: a feature's numbers of neighbouring chains lie side by side, a chain a lane.
//!
//! ```text
//! field[block][feature][lane],   chain = block * width + lane,   width = 2 vectors
//! ```
//!
//! So a product is a sum of weight times vector for any number of chains, sums over features are sums of vectors, and
//! what one lane holds never depends on the others.
//!
//! # Safety
//! A [`Field`] is a plain pointer into its [`Arena`], so that a team's workers may write parts of one field at the same
//! time. What makes that sound:
//!
//! - **Memory.** A field has `blocks * features * width` numbers, and the arena keeps them where they are as long as it
//!   lives. Whoever holds fields holds their arena, or is called by who does, until the team is done.
//! - **Initialised.** They are zeros, but for [`Arena::unset`].
//! - **Races.** Work goes in phases. In a phase each part of a field is written by one worker at most, and read by no
//!   other. [`super::team::Member::share`] divides the parts, and [`super::team::Member::barrier`] ends the phase.
//!
//! Comments elsewhere call this the contract of fields.

use crate::simd::Isa;
use std::mem::MaybeUninit;

/// One cache line.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; 16]);

/// Numbers that begin on a cache line.
#[derive(Clone)]
pub(crate) struct Aligned {
    lines: Vec<MaybeUninit<Line>>,
    len: usize,
}

impl Aligned {
    /// Zeros.
    pub(crate) fn new(len: usize) -> Self {
        Self { lines: vec![MaybeUninit::new(Line([0.0; 16])); len.div_ceil(16)], len }
    }

    /// Numbers that nobody has written yet.
    ///
    /// # Safety
    /// Each is written, by the pointer, before it is read or a slice is made of it.
    pub(crate) unsafe fn unset(len: usize) -> Self {
        let mut lines = Vec::with_capacity(len.div_ceil(16));
        // SAFETY: there is room for them, and a `MaybeUninit` need not be set.
        unsafe { lines.set_len(len.div_ceil(16)) };
        Self { lines, len }
    }

    /// Numbers that `fill` writes.
    ///
    /// # Safety
    /// It writes all of them, unless it panics.
    pub(crate) unsafe fn filled(len: usize, fill: impl FnOnce(&mut [MaybeUninit<f32>])) -> Self {
        // SAFETY: `fill` writes them before anybody else sees them.
        let mut numbers = unsafe { Self::unset(len) };
        // SAFETY: a line is 16 numbers without padding, there are lines for `len` of them, and they need not be set.
        fill(unsafe { std::slice::from_raw_parts_mut(numbers.lines.as_mut_ptr().cast(), len) });
        numbers
    }

    pub(crate) fn as_slice(&self) -> &[f32] {
        // SAFETY: a line is 16 numbers without padding, there are lines for `len` of them, and all are set: by `new`,
        // or by the promise made to `unset` or `filled`.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [f32] {
        // SAFETY: as for `as_slice`, and borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }

    pub(crate) fn as_ptr(&self) -> *const f32 {
        self.lines.as_ptr().cast()
    }

    pub(crate) fn as_mut_ptr(&mut self) -> *mut f32 {
        self.lines.as_mut_ptr().cast()
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }
}

impl std::fmt::Debug for Aligned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} numbers", self.len)
    }
}

/// How many chains a tile holds, and in what blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tile {
    pub(crate) isa: Isa,
    /// Number of the first chain in the batch.
    pub(crate) first: usize,
    /// Chains.
    pub(crate) chains: usize,
}

impl Tile {
    /// Lanes of a block.
    pub(crate) fn width(&self) -> usize {
        2 * self.isa.lanes()
    }

    pub(crate) fn blocks(&self) -> usize {
        self.chains.div_ceil(self.width())
    }

    /// Chains of one block.
    pub(crate) fn live(&self, block: usize) -> usize {
        (self.chains - block * self.width()).min(self.width())
    }

    /// Vectors that hold a block's chains: 2, or 1 where one is enough.
    pub(crate) fn vectors(&self, block: usize) -> usize {
        self.live(block).div_ceil(self.isa.lanes())
    }
}

/// `[block][feature][lane]` in the memory of an [`Arena`], shared by the workers of a team.
///
/// A plain pointer: see the module's contract of fields.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    start: *mut f32,
    pub(crate) features: usize,
    width: usize,
}

// SAFETY: the contract of fields: the memory stays, and phases keep workers apart.
unsafe impl Send for Field {}
// SAFETY: as above.
unsafe impl Sync for Field {}

impl Field {
    /// The features from `first` on.
    pub(crate) fn from(&self, first: usize) -> Field {
        Field { start: self.start.wrapping_add(first * self.width), ..*self }
    }

    /// The lanes of one feature of one block.
    #[inline(always)]
    pub(crate) fn at(&self, block: usize, feature: usize) -> *mut f32 {
        self.start.wrapping_add((block * self.features + feature) * self.width)
    }

    /// The numbers of a block's chains of one feature.
    ///
    /// # Safety
    /// Nobody else uses them while the slice lives; the field is of the tile, the block and the feature of the field.
    pub(crate) unsafe fn lanes<'a>(&self, tile: &Tile, block: usize, feature: usize) -> &'a mut [f32] {
        // SAFETY: a feature of a block has the tile's width of lanes, which is not below the live ones; they are set,
        // by the contract of fields; the caller's word that nobody else uses them.
        unsafe { std::slice::from_raw_parts_mut(self.at(block, feature), tile.live(block)) }
    }

    /// Writes the rows of all chains of a tile into the lanes.
    ///
    /// # Safety
    /// As [`Field::put`], for all blocks of the tile.
    pub(crate) unsafe fn put_all(&self, tile: &Tile, row: impl Fn(usize) -> *const f32) {
        for block in 0..tile.blocks() {
            // SAFETY: the caller's word, for each block.
            unsafe { self.put(tile, block, &row) };
        }
    }

    /// Writes rows `(chains, features)` of one block into the lanes.
    ///
    /// # Safety
    /// The field is of the tile, `row` points to as many numbers as it has features, and no other worker uses the
    /// block's part of it now.
    pub(crate) unsafe fn put(&self, tile: &Tile, block: usize, row: impl Fn(usize) -> *const f32) {
        for lane in 0..tile.live(block) {
            let from = row(tile.first + block * tile.width() + lane);
            for feature in 0..self.features {
                // SAFETY: the caller's word that `row` gives `features` numbers; a live lane is within the block's
                // width.
                unsafe { *self.at(block, feature).add(lane) = *from.add(feature) };
            }
        }
    }

    /// Reads rows of one block into `out`, `(chains of the block, features)`.
    ///
    /// # Safety
    /// The field is of the tile, and no other worker writes the block's part of it now.
    pub(crate) unsafe fn get(&self, tile: &Tile, block: usize, out: &mut [f32]) {
        for (lane, row) in out.chunks_exact_mut(self.features).enumerate().take(tile.live(block)) {
            for (feature, value) in row.iter_mut().enumerate() {
                // SAFETY: a live lane is within the block's width.
                *value = unsafe { *self.at(block, feature).add(lane) };
            }
        }
    }
}

/// The memory of one tile's fields.
#[derive(Debug)]
pub(crate) struct Arena {
    tile: Tile,
    pieces: Vec<Aligned>,
    zeroed: bool,
}

impl Arena {
    pub(crate) fn new(tile: Tile) -> Self {
        Self { tile, pieces: Vec::new(), zeroed: true }
    }

    /// Memory of fields that nobody has written yet, where the chains fill the tile's blocks; else as [`Arena::new`].
    ///
    /// # Safety
    /// All numbers of all chains are written before they are read. (Lanes without a chain are zeros: there are none, or
    /// the memory is that of [`Arena::new`].)
    pub(crate) unsafe fn unset(tile: Tile) -> Self {
        Self { zeroed: !tile.chains.is_multiple_of(tile.width()), ..Self::new(tile) }
    }

    /// A new field, zero everywhere unless the arena says otherwise.
    pub(crate) fn field(&mut self, features: usize) -> Field {
        let width = self.tile.width();
        Field { start: self.numbers(features * self.tile.blocks() * width), features, width }
    }

    /// `len` numbers that begin on a cache line, zeros unless the arena says otherwise.
    pub(crate) fn numbers(&mut self, len: usize) -> *mut f32 {
        // SAFETY: not zeroed is what `Arena::unset` makes, whose caller promised to write before reading.
        let mut piece = if self.zeroed { Aligned::new(len) } else { unsafe { Aligned::unset(len) } };
        let start = piece.as_mut_ptr();
        self.pieces.push(piece); // the numbers stay where they are on the heap
        start
    }
}
