//! Gradients in the weights over a batch of images.
//!
//! Tiles of images go up and down, each with one worker. Then each worker takes some inputs and outputs of a filter and
//! sums their gradient over all images in order ([`super::gather`]). So the answer depends neither on the number of
//! threads nor on the tiles.

use super::super::layers::Rows;
use super::super::plan::RunOptions;
use super::gather::Gather;
use super::map::Map;
use super::memory::Memory;
use super::net::PackedConv;
use super::point::Dot;
use super::tile::Tile;
use crate::error::{Error, Result};
use crate::parallel;

/// Numbers that the images in memory at the same time keep, about.
const ROOM: usize = 256 << 20;

/// Gradient of a weighted sum of energies in a convolutional network's weights.
#[derive(Debug, Clone, PartialEq)]
pub struct ConvGradient {
    /// For each filter of each stage (of a block the first, the second and that of the way round, if there is one),
    /// laid as its weight.
    pub filters: Vec<Vec<f32>>,
    /// In each image's modulations, `(B, modulations)`.
    pub rows: Vec<f32>,
    /// The head's gradient.
    pub head: Vec<f32>,
    /// The head's bias's gradient.
    pub head_bias: f32,
}

/// A gradient while it is summed, laid as the packed weights.
struct Sums {
    filters: Vec<Vec<f32>>,
    rows: Vec<f32>,
    head: Vec<f32>,
}

/// Where a unit of work begins in its filter's gradient.
struct Place(*mut f32);

// SAFETY: each unit writes its own part of the gradient, which outlives the units.
unsafe impl Send for Place {}
// SAFETY: as above.
unsafe impl Sync for Place {}

impl PackedConv {
    /// Energies of images `(B, channels, height, width)`, and the gradient of `sum_b coefficient_b E_b` in the weights,
    /// where `coefficients` makes the coefficients of the energies. `rows` as in [`PackedConv::evaluate`].
    ///
    /// # Errors
    /// As [`PackedConv::evaluate`]; whatever `coefficients` returns; [`Error::Shape`] where there are not as many as
    /// images.
    pub fn learn(
        &self,
        x: &[f32],
        rows: &Rows,
        coefficients: impl FnOnce(&[f32]) -> Result<Vec<f32>>,
        options: &RunOptions,
    ) -> Result<(Vec<f32>, ConvGradient)> {
        self.learn_in(ROOM, x, rows, coefficients, options)
    }

    /// [`PackedConv::learn`] with so many numbers in memory at the same time, about.
    pub(super) fn learn_in(
        &self,
        room: usize,
        x: &[f32],
        rows: &Rows,
        coefficients: impl FnOnce(&[f32]) -> Result<Vec<f32>>,
        options: &RunOptions,
    ) -> Result<(Vec<f32>, ConvGradient)> {
        let count = self.count(x, rows)?;
        let tile = self.tile(count, 1);
        // Whole tiles at a time; where all images find room, they go up once only.
        let together = (room / self.kept() / tile).max(1) * tile;
        let mut kept = Vec::new();
        let mut energy = Vec::with_capacity(count);
        for first in (0..count).step_by(together) {
            let up = self.up(x, rows, first..(first + together).min(count), tile, options);
            energy.extend(up.iter().flat_map(|(_, _, values)| values.iter().map(|e| e + self.layers().head_bias)));
            if together >= count {
                kept = up;
            } else {
                up.into_iter().for_each(|(memory, ..)| self.give(memory));
            }
        }
        let weights = coefficients(&energy)?;
        if weights.len() != count {
            let (found, expected) = (vec![weights.len()], format!("{count}"));
            return Err(Error::Shape { what: "coefficients of energies", found, expected });
        }
        let mut sums = Sums {
            filters: self.weights().stages().iter().flatten().map(|(forward, _)| vec![0.0; forward.len()]).collect(),
            rows: Vec::with_capacity(count * rows.width),
            head: vec![0.0; self.layers().head.len()],
        };
        for first in (0..count).step_by(together) {
            let range = first..(first + together).min(count);
            let mut up = if together >= count {
                std::mem::take(&mut kept)
            } else {
                self.up(x, rows, range.clone(), tile, options)
            };
            self.gather(&mut up, &weights[range], &mut sums, options);
            up.into_iter().for_each(|(memory, ..)| self.give(memory));
        }
        let passes = self.weights().stages().iter().flatten();
        let filters = passes.zip(&sums.filters).map(|((forward, _), numbers)| forward.unpack(numbers)).collect();
        let head_bias = weights.iter().sum();
        Ok((energy, ConvGradient { filters, rows: sums.rows, head: sums.head, head_bias }))
    }

    /// Tiles of images on their way up: memory, images and energies of each.
    fn up(
        &self,
        x: &[f32],
        rows: &Rows,
        images: std::ops::Range<usize>,
        tile: usize,
        options: &RunOptions,
    ) -> Vec<(Memory, usize, Vec<f32>)> {
        let width = self.layers().numbers();
        parallel::map(options.threads(), images.len().div_ceil(tile), |i| {
            let first = images.start + i * tile;
            let count = tile.min(images.end - first);
            let mut memory = self.take(tile, true);
            self.load(&mut memory, count, &x[first * width..], |image| rows.row(first + image));
            let mut energy = vec![0.0; count];
            Tile { net: self.weights(), memory: &mut memory, images: count }.forward(&mut energy);
            (memory, count, energy)
        })
    }

    /// Adds the gradients of tiles that have gone up.
    fn gather(&self, tiles: &mut [(Memory, usize, Vec<f32>)], weights: &[f32], sums: &mut Sums, options: &RunOptions) {
        let most = tiles.first().map_or(1, |(_, count, _)| *count);
        let all = tiles.iter_mut().collect();
        let rows = parallel::each(options.threads(), all, |i, (memory, images, _): &mut (Memory, usize, Vec<f32>)| {
            let mut work = Tile { net: self.weights(), memory, images: *images };
            work.backward(&weights[i * most..i * most + *images], false);
            self.row_gradients(&work)
        });
        let tiles = &*tiles;
        sums.rows.extend(rows.into_iter().flatten());
        let mut units = Vec::new();
        let mut filter = 0;
        for (stage, parts) in self.weights().stages().iter().enumerate() {
            for (part, (pass, _)) in parts.iter().enumerate() {
                for group in 0..pass.groups() {
                    for block in 0..pass.blocks() {
                        let to = sums.filters[filter].as_mut_ptr().wrapping_add(pass.begin(group, block));
                        units.push((stage, part, group, block, Place(to)));
                    }
                }
                filter += 1;
            }
        }
        parallel::map(options.threads(), units.len(), |i| {
            let (stage, part, group, block, to) = &units[i];
            let (group, block) = (*group, *block);
            for (memory, images, _) in tiles {
                let (from, delta) = memory.stages[*stage].ends(*part);
                let offsets = &memory.offsets[*stage][*part].forward;
                let (pass, images, to) = (&self.weights().stages()[*stage][*part].0, *images, to.0);
                // SAFETY: memory and gradient were made for these passes. All tiles have gone back, and nobody writes
                // their maps now; the part of the gradient is this unit's.
                unsafe { self.weights().isa().call(Gather { pass, images, from, offsets, delta, group, block, to }) };
            }
        });
        let lanes = self.layers().head.len().next_multiple_of(self.weights().isa().lanes());
        let of_images = tiles.iter().flat_map(|(memory, images, _)| (0..*images).map(move |i| (memory, i)));
        for ((memory, image), weight) in of_images.zip(weights) {
            for (c, to) in sums.head.iter_mut().enumerate() {
                // SAFETY: the sums of one of the tile's images, whole vectors each, which nobody writes now.
                *to += weight * unsafe { *memory.head.add(image * lanes + c) };
            }
        }
    }

    /// The gradients in the modulations of a tile's images.
    fn row_gradients(&self, work: &Tile<'_>) -> Vec<f32> {
        let width = self.layers().modulations();
        let mut all = vec![0.0; work.images * width];
        let mut column = 0;
        let mut add = |one: Map, other: Option<Map>| {
            let padded = one.shape.channels.next_multiple_of(self.weights().isa().lanes());
            let mut sums = vec![0f32; work.images * padded];
            let to = (sums.as_mut_ptr(), padded);
            // SAFETY: maps of the tile's own memory, of one shape but for margins; `sums` has whole vectors for each
            // image.
            unsafe { self.weights().isa().call(Dot { images: work.images, one, other, sums: to }) };
            for (row, sums) in all.chunks_exact_mut(width).zip(sums.chunks_exact(padded)) {
                row[column..column + one.shape.channels].copy_from_slice(&sums[..one.shape.channels]);
            }
            column += one.shape.channels;
        };
        for kept in &work.memory.stages {
            match &kept.block {
                None => {
                    add(kept.end, None);
                    if kept.raw.is_some() {
                        add(kept.end, kept.raw);
                    }
                }
                Some(inner) => {
                    if let Some((first, second)) = inner.read {
                        add(first, None);
                        add(second, None);
                    }
                    add(inner.whole, kept.raw);
                }
            }
        }
        all
    }
}
