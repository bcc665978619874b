//! A packed convolutional network, and its value and gradient for batches of images.

use super::super::layers::Rows;
use super::super::plan::RunOptions;
use super::layers::ConvLayers;
use super::memory::Memory;
use super::tile::Tile;
use super::weights::Weights;
use crate::error::{Error, Result};
use crate::parallel;
use crate::simd::Isa;
use std::sync::{Arc, Mutex, PoisonError};

/// Most images of a tile: enough for weights to be worth reading, few enough to be shared among workers.
const MOST: usize = 16;
/// Numbers that the images of a tile keep, about.
const ROOM: usize = 12 << 20;

/// Memory of tiles that nobody works on. Networks of one kind may share it, so that new weights need no new memory.
/// Whoever keeps it keeps the memory of the largest batch so far.
#[derive(Debug, Clone, Default)]
pub struct Room(Arc<Mutex<Vec<Memory>>>);

/// A convolutional network's weights as the engine reads them, with memory for its tiles. Made once per change of the
/// weights.
#[derive(Debug)]
pub struct PackedConv {
    weights: Weights,
    room: Room,
}

impl PackedConv {
    /// Packs `layers` for this machine.
    ///
    /// # Errors
    /// As [`ConvLayers::check`].
    pub fn new(layers: ConvLayers) -> Result<Self> {
        Self::at_isa(layers, Isa::best())
    }

    /// As [`PackedConv::new`], with memory that earlier weights have left.
    ///
    /// # Errors
    /// As [`ConvLayers::check`].
    pub fn within(room: &Room, layers: ConvLayers) -> Result<Self> {
        Ok(Self { room: room.clone(), ..Self::new(layers)? })
    }

    pub(crate) fn at_isa(layers: ConvLayers, isa: Isa) -> Result<Self> {
        Ok(Self { weights: Weights::at_isa(layers, isa)?, room: Room::default() })
    }

    /// The weights in the open.
    pub fn layers(&self) -> &ConvLayers {
        self.weights.layers()
    }

    /// The weights as the engine reads them.
    pub(super) fn weights(&self) -> &Weights {
        &self.weights
    }

    /// Energies `(B,)` and their gradients `(B, channels, height, width)` at `x` of that shape. `rows` are the
    /// modulations of each image, or of all of them ([`ConvLayers::modulations`]). The answer does not depend on the
    /// number of threads.
    ///
    /// # Errors
    /// [`Error::Shape`] when `x` or `rows` do not fit the network.
    pub fn evaluate(&self, x: &[f32], rows: &Rows, options: &RunOptions) -> Result<(Vec<f32>, Vec<f32>)> {
        let count = self.count(x, rows)?;
        let (mut energy, mut grad) = (vec![0.0; count], vec![0.0; x.len()]);
        self.add(0, x, rows, 1.0, (&mut energy, &mut grad), options);
        Ok((energy, grad))
    }

    /// Adds `factor` times energies and gradients of the images `first..` of a batch, whose rows are counted from its
    /// start.
    pub(super) fn add(
        &self,
        first: usize,
        x: &[f32],
        rows: &Rows,
        factor: f32,
        (energy, grad): (&mut [f32], &mut [f32]),
        options: &RunOptions,
    ) {
        let width = self.layers().numbers();
        let tile = self.tile(energy.len(), options.threads());
        let parts = energy.chunks_mut(tile).zip(grad.chunks_mut(tile * width));
        parallel::each(options.threads(), parts.collect(), |i, (energy, grad): (&mut [f32], &mut [f32])| {
            let count = energy.len();
            let mut memory = self.take(tile, false);
            self.load(&mut memory, count, &x[i * tile * width..], |image| rows.row(first + i * tile + image));
            let mut work = Tile { net: &self.weights, memory: &mut memory, images: count };
            let mut values = [0.0; MOST];
            work.forward(&mut values);
            work.backward(&[factor; MOST], true);
            for (image, to) in energy.iter_mut().enumerate() {
                *to += factor * (values[image] + self.layers().head_bias);
            }
            for (image, to) in grad.chunks_exact_mut(width).enumerate() {
                // SAFETY: this worker's memory, which has room for the tile's images.
                unsafe { memory.grad.add_to(image, to) };
            }
            self.give(memory);
        });
    }

    /// Images in `x`, if it and `rows` fit.
    pub(super) fn count(&self, x: &[f32], rows: &Rows) -> Result<usize> {
        let wrong = |what, found: usize, expected: String| Err(Error::Shape { what, found: vec![found], expected });
        let width = self.layers().numbers();
        let count = x.len() / width;
        if count == 0 || x.len() != count * width {
            return wrong("images", x.len(), format!("whole images of {width} numbers"));
        }
        if rows.width != self.layers().modulations() {
            return wrong("modulations of an image", rows.width, format!("{}", self.layers().modulations()));
        }
        if rows.count() != 1 && rows.count() != count {
            return wrong("rows of modulations", rows.count(), format!("1 or {count}"));
        }
        Ok(count)
    }

    /// Images of a tile for a batch.
    pub(super) fn tile(&self, count: usize, threads: usize) -> usize {
        let most = (ROOM / self.kept()).clamp(1, MOST);
        let tiles = count.div_ceil(most).next_multiple_of(threads.max(1));
        count.div_ceil(tiles).clamp(1, most)
    }

    /// Numbers that one image keeps, about: with its gradients, all of them that there are.
    pub(super) fn kept(&self) -> usize {
        let mut size = (self.layers().height, self.layers().width);
        let mut sum = 0;
        for stage in &self.layers().stages {
            let from = size;
            size = stage.size(from);
            let within = if stage.filters().len() > 1 { 8 * from.0 * from.1 } else { 0 };
            sum += stage.outputs() * (4 * size.0 * size.1 + within);
        }
        sum
    }

    /// Images and their rows into memory.
    pub(super) fn load<'a>(&self, memory: &mut Memory, count: usize, x: &[f32], row: impl Fn(usize) -> &'a [f32]) {
        assert!(count <= memory.images, "{count} images in memory for {}", memory.images);
        for (image, numbers) in x.chunks_exact(self.layers().numbers()).enumerate().take(count) {
            // SAFETY: borrowed mutably, with room for so many images, as was just checked.
            unsafe { memory.x.put(image, numbers) };
        }
        memory.modulate(self.layers(), self.weights.isa().lanes(), count, row);
    }

    /// Memory for `images` images.
    pub(super) fn take(&self, images: usize, learns: bool) -> Memory {
        let mut free = self.room.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |m: &Memory| m.images >= images && m.learns == learns && m.kind == self.weights.kind();
        if let Some(at) = free.iter().position(fits) {
            return free.swap_remove(at);
        }
        // What is too small for this batch, or another network's, will not be wanted again.
        free.retain(|m| m.kind == self.weights.kind() && (m.images >= images || m.learns != learns));
        drop(free);
        Memory::new(&self.weights, images, learns)
    }

    /// Memory back, for the next tile.
    pub(super) fn give(&self, memory: Memory) {
        self.room.0.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
    }
}
