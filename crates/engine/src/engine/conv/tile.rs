//! A tile of images through all stages, up and down.
//!
//! # Safety
//! The memory of a [`Tile`] was made for its network's layers and ISA, by [`super::memory::Memory::new`], or is that
//! of a network of the same kind; it has room for the tile's images. So every map has the channels and pixels that the
//! passes of its stage go through, with their margin, and rows and scratch memory are long enough. The tile has its
//! memory as `&mut`, so that nobody else uses the maps: the contract of maps (`map.rs`).

use super::finish::{Finish, Then};
use super::layers::Stage;
use super::memory::{Kept, Memory};
use super::narrow::Narrow;
use super::point::{Copy, Pool, Spread, Sum, Unpool};
use super::sweep::Sweep;
use super::weights::Weights;

/// One worker's work on the first `images` images of its memory.
pub(super) struct Tile<'a> {
    pub(super) net: &'a Weights,
    pub(super) memory: &'a mut Memory,
    pub(super) images: usize,
}

impl Tile<'_> {
    /// From the images and modulations in memory to the energies without the head's bias.
    pub(super) fn forward(&mut self, energy: &mut [f32]) {
        let layers = self.net.layers();
        for (index, stage) in layers.stages.iter().enumerate() {
            match stage {
                Stage::Conv { gained, .. } => {
                    let kept = &self.memory.stages[index];
                    let finish = Finish {
                        raw: kept.raw,
                        bias: Some(kept.rows[0]),
                        gain: gained.then(|| kept.rows[1]),
                        ..self.given(index)
                    };
                    self.up(index, 0, &finish);
                }
                Stage::Block { .. } => self.block_up(index),
            }
        }
        let Some(last) = self.memory.stages.last() else { return };
        let (isa, images, sums) = (self.net.isa(), self.images, self.memory.head);
        // SAFETY: see the module; the head's sums are whole vectors for each image.
        unsafe { isa.call(Sum { images, from: last.out, rectify: layers.rectify, sums }) };
        for (image, e) in energy.iter_mut().enumerate().take(images) {
            let width = layers.head.len().next_multiple_of(isa.lanes());
            // SAFETY: the sums of this image, which were just written.
            let sums = unsafe { std::slice::from_raw_parts(sums.add(image * width), layers.head.len()) };
            *e = layers.head.iter().zip(sums).map(|(w, s)| w * s).sum();
        }
    }

    /// What becomes of the numbers of a stage that are to be activated.
    fn given(&self, index: usize) -> Finish {
        let kept = &self.memory.stages[index];
        let next = self.memory.stages.get(index + 1);
        let shifted = next.and_then(|next| next.block.as_ref().map(|inner| (inner.shifted, next.rows[0])));
        let then = Then::Activate(self.net.layers().activation, kept.slope);
        Finish { then, to: Some(kept.out), shifted, ..Finish::NONE }
    }

    fn block_up(&self, index: usize) {
        let kept = &self.memory.stages[index];
        let Some(inner) = &kept.block else { return };
        if index == 0 {
            // Nothing before it has added its first bias.
            let finish = Finish { shifted: Some((inner.shifted, kept.rows[0])), ..Finish::NONE };
            // SAFETY: see the module.
            unsafe { self.net.isa().call(Copy { images: self.images, from: kept.input, finish: &finish }) };
        }
        let then = Then::Activate(self.net.layers().activation, inner.slope);
        let finish = Finish { then, shifted: Some((inner.middle, kept.rows[1])), ..Finish::NONE };
        self.up(index, 0, &finish);
        let mut add = kept.input;
        if let Some((skip, _)) = inner.skip {
            self.up(index, 2, &Finish { to: Some(skip), ..Finish::NONE });
            add = skip;
        }
        let both = Finish { raw: kept.raw, gain: Some(kept.rows[2]), add: Some(add), ..Finish::NONE };
        match inner.sum {
            None => {
                let Finish { then, to, shifted, .. } = self.given(index);
                self.up(index, 1, &Finish { then, to, shifted, ..both });
            }
            Some(sum) => {
                self.up(index, 1, &Finish { to: Some(sum), ..both });
                let finish = self.given(index);
                // SAFETY: see the module; the maps given to are those of the means.
                unsafe { self.net.isa().call(Pool { images: self.images, from: sum, finish: &finish }) };
            }
        }
    }

    /// From the energies' seeds to the gradient in the images, and in the sums of every convolution. The gradient in
    /// the images is left out where `x` is false.
    pub(super) fn backward(&mut self, seeds: &[f32], x: bool) {
        let Some(last) = self.memory.stages.last() else { return };
        let (isa, images) = (self.net.isa(), self.images);
        let (rectify, head) = (self.net.layers().rectify, self.net.head());
        let finish = self.entry(self.memory.stages.len() - 1);
        // SAFETY: see the module; the packed head is whole vectors of channels.
        unsafe { isa.call(Spread { images, from: last.out, rectify, head, seeds, finish: &finish }) };
        for (index, kept) in self.memory.stages.iter().enumerate().rev() {
            match &kept.block {
                None if index > 0 || x => self.down(index, 0, &self.below(index)),
                None => {}
                Some(_) => self.block_down(index, kept, x),
            }
        }
    }

    /// What becomes of the gradient in what a stage gives.
    fn entry(&self, index: usize) -> Finish {
        let kept = &self.memory.stages[index];
        let then = Then::Times(kept.slope);
        let scaled = match &kept.block {
            None if kept.rows.len() > 1 => Some((kept.delta, kept.rows[1])),
            Some(inner) if inner.sum.is_none() => Some((kept.delta, kept.rows[2])),
            _ => None, // the same as the end, or spread over the pixels later
        };
        Finish { then, to: Some(kept.end), scaled, ..Finish::NONE }
    }

    /// What becomes of the gradient in what stage `index` reads.
    fn below(&self, index: usize) -> Finish {
        match index {
            0 => Finish { to: Some(self.memory.grad), ..Finish::NONE },
            _ => self.entry(index - 1),
        }
    }

    fn block_down(&self, index: usize, kept: &Kept, x: bool) {
        let Some(inner) = &kept.block else { return };
        let (isa, images) = (self.net.isa(), self.images);
        if inner.sum.is_some() {
            let finish = Finish { to: Some(inner.whole), scaled: Some((kept.delta, kept.rows[2])), ..Finish::NONE };
            let size = (inner.middle.shape.height, inner.middle.shape.width);
            // SAFETY: see the module; the maps given to have the sides of `size`.
            unsafe { isa.call(Unpool { images, from: kept.end, size, finish: &finish }) };
        }
        let (first, second) = (inner.read.map(|r| r.0), inner.read.map(|r| r.1));
        let finish = Finish { raw: second, then: Then::Times(inner.slope), to: Some(inner.delta), ..Finish::NONE };
        self.down(index, 1, &finish);
        if index == 0 && !x && first.is_none() {
            return;
        }
        let mut add = inner.whole;
        if let Some((_, skip)) = inner.skip {
            self.down(index, 2, &Finish { to: Some(skip), ..Finish::NONE });
            add = skip;
        }
        self.down(index, 0, &Finish { raw: first, add: Some(add), ..self.below(index) });
    }

    /// Filter `part` of a stage.
    fn up(&self, index: usize, part: usize, finish: &Finish) {
        let (from, _) = self.memory.stages[index].ends(part);
        let (pass, _) = &self.net.stages()[index][part];
        let offsets = &self.memory.offsets[index][part].forward;
        let (images, sums) = (self.images, self.memory.sums);
        // SAFETY: see the module; pass, map and offsets are those of this filter.
        unsafe { self.net.isa().call(Sweep { pass, images, from, offsets, finish, sums }) };
    }

    /// The gradient in what filter `part` of a stage reads.
    fn down(&self, index: usize, part: usize, finish: &Finish) {
        let (_, from) = self.memory.stages[index].ends(part);
        let (_, passes) = &self.net.stages()[index][part];
        let (images, sums) = (self.images, self.memory.sums);
        for (pass, offsets) in passes.iter().zip(&self.memory.offsets[index][part].backward) {
            if let (Some(weights), Some(to)) = (pass.narrow(), finish.only()) {
                // SAFETY: as below; such a pass has at most four outputs, and a step of 1.
                unsafe { self.net.isa().call(Narrow { pass, weights, images, from, offsets, to }) };
                continue;
            }
            // SAFETY: see the module; pass, map and offsets are those of this filter's way back.
            unsafe { self.net.isa().call(Sweep { pass, images, from, offsets, finish, sums }) };
        }
    }
}
