//! The maps of a tile of images: what each stage keeps on the way up and on the way down.

use super::layers::{ConvLayers, Stage};
use super::map::{Map, PerImage, Shape, Store};
use super::pass::Pass;
use super::sweep;
use super::weights::Weights;

/// Maps of one stage. Gradients are those of the energies times their images' seeds.
#[derive(Debug)]
pub(super) struct Kept {
    /// What the stage reads: the image, or what the stage before gives.
    pub(super) input: Map,
    /// What it gives, activated.
    pub(super) out: Map,
    /// The derivative of its last activation.
    pub(super) slope: Map,
    /// The gradient in the numbers that its last activation sees.
    pub(super) end: Map,
    /// That gradient in the sum of a convolution, or of a block's second one: times its gain, and spread over the
    /// pixels of the mean where the block takes one.
    pub(super) delta: Map,
    /// The sum before the gain, for the gain's gradient.
    pub(super) raw: Option<Map>,
    pub(super) block: Option<Inner>,
    /// Modulations of the tile's images, in the stage's order.
    pub(super) rows: Vec<PerImage>,
}

/// What a block keeps within.
#[derive(Debug)]
pub(super) struct Inner {
    /// Input plus the first bias.
    pub(super) shifted: Map,
    /// What the second convolution reads.
    pub(super) middle: Map,
    pub(super) slope: Map,
    /// The sum of both ways, before the mean.
    pub(super) sum: Option<Map>,
    /// The way round by a convolution, and its gradient.
    pub(super) skip: Option<(Map, Map)>,
    /// Gradient in the sum of both ways; `end` where there is no mean.
    pub(super) whole: Map,
    /// Gradient in the first convolution's sums.
    pub(super) delta: Map,
    /// Gradients in what both convolutions read, for the biases.
    pub(super) read: Option<(Map, Map)>,
}

/// Offsets of the taps of one filter: forward, and of each backward pass.
#[derive(Debug)]
pub(super) struct Offsets {
    pub(super) forward: Vec<isize>,
    pub(super) backward: Vec<Vec<isize>>,
}

/// The memory of a tile, made once and used for one tile after another.
#[derive(Debug)]
pub(super) struct Memory {
    /// [`ConvLayers::kind`] of the networks that it serves.
    pub(super) kind: Vec<usize>,
    pub(super) images: usize,
    pub(super) learns: bool,
    pub(super) x: Map,
    /// Gradient in `x`.
    pub(super) grad: Map,
    pub(super) stages: Vec<Kept>,
    /// For each filter of each stage.
    pub(super) offsets: Vec<Vec<Offsets>>,
    /// Scratch of the sweeps.
    pub(super) sums: *mut f32,
    /// `(images, channels)` sums of the head, channels up to whole vectors.
    pub(super) head: *mut f32,
    /// Where [`Memory::modulate`] writes, and numbers an image.
    modulations: (*mut f32, usize),
    #[expect(dead_code, reason = "the maps point into it")]
    store: Store,
}

// SAFETY: the pointers are into the store, which comes along; its numbers stay where they are on the heap.
unsafe impl Send for Memory {}
// SAFETY: what writes through the pointers takes `&mut` or is unsafe, so who shares it reads.
unsafe impl Sync for Memory {}

impl Memory {
    /// Room for `images` images. `learns`: with what the weights' gradients need.
    pub(super) fn new(net: &Weights, images: usize, learns: bool) -> Self {
        let layers = net.layers();
        let isa = net.isa();
        let margin = net.margin();
        let mut store = Store::new(isa, images);
        let mut shape = Shape { channels: layers.channels, height: layers.height, width: layers.width, margin };
        let x = store.map(shape);
        let grad = store.map(shape.bare());
        let lanes = isa.lanes();
        let padded: usize = layers.stages.iter().flat_map(Stage::modulations).map(|w| w.next_multiple_of(lanes)).sum();
        let start = store.numbers(padded * images);
        let mut next = start;
        let mut input = x;
        let (mut stages, mut offsets) = (Vec::new(), Vec::new());
        let mut widest = 1;
        for (stage, packed) in layers.stages.iter().zip(net.stages()) {
            let rows = stage.modulations().into_iter().map(|width| {
                let row = PerImage { start: next, image: padded };
                next = next.wrapping_add(width.next_multiple_of(lanes));
                row
            });
            let rows: Vec<PerImage> = rows.collect();
            let (height, width) = stage.size((shape.height, shape.width));
            let given = Shape { channels: stage.outputs(), height, width, margin };
            let (out, slope, end) = (store.map(given), store.map(given.bare()), store.map(given));
            let mut kept = match stage {
                Stage::Conv { gained, .. } => {
                    let delta = if *gained { store.map(given) } else { end };
                    let raw = (learns && *gained).then(|| store.map(given.bare()));
                    Kept { input, out, slope, end, delta, raw, block: None, rows }
                }
                Stage::Block { down, skip, .. } => {
                    let middle = Shape { channels: stage.outputs(), ..shape };
                    let inner = Inner {
                        shifted: store.map(shape),
                        middle: store.map(middle),
                        slope: store.map(middle.bare()),
                        sum: down.then(|| store.map(middle.bare())),
                        skip: skip.as_ref().map(|_| (store.map(middle.bare()), store.map(shape.bare()))),
                        whole: if *down { store.map(middle) } else { end },
                        delta: store.map(middle),
                        read: learns.then(|| (store.map(shape.bare()), store.map(middle.bare()))),
                    };
                    let delta = store.map(middle);
                    let raw = learns.then(|| store.map(middle.bare()));
                    Kept { input, out, slope, end, delta, raw, block: Some(inner), rows }
                }
            };
            offsets.push(packed.iter().enumerate().map(|(part, filter)| kept.offsets(part, filter)).collect());
            widest = widest.max(shape.width).max(width);
            kept.input = input;
            stages.push(kept);
            (input, shape) = (out, given);
        }
        let head = store.numbers(layers.head.len().next_multiple_of(lanes) * images);
        let sums = store.numbers(sweep::scratch(isa, widest));
        let kind = net.kind().to_vec();
        Self { kind, images, learns, x, grad, stages, offsets, sums, head, modulations: (start, padded), store }
    }

    /// Writes the modulations of images `0..count`, whose rows `row` gives.
    pub(super) fn modulate<'a>(
        &mut self,
        layers: &ConvLayers,
        lanes: usize,
        count: usize,
        row: impl Fn(usize) -> &'a [f32],
    ) {
        assert!(count <= self.images, "modulations of {count} images in memory for {}", self.images);
        for image in 0..count {
            let mut from = row(image);
            let mut to = self.modulations.0.wrapping_add(image * self.modulations.1);
            for width in layers.stages.iter().flat_map(Stage::modulations) {
                let (part, rest) = from.split_at(width);
                // SAFETY: the numbers of this image, which is one of the memory's, made for these widths; `&mut self`.
                unsafe { std::slice::from_raw_parts_mut(to, width).copy_from_slice(part) };
                to = to.wrapping_add(width.next_multiple_of(lanes));
                from = rest;
            }
        }
    }
}

impl Kept {
    /// What filter `part` of the stage reads, and the gradient in its sums.
    pub(super) fn ends(&self, part: usize) -> (Map, Map) {
        match (&self.block, part) {
            (None, _) => (self.input, self.delta),
            (Some(inner), 0) => (inner.shifted, inner.delta),
            (Some(inner), 1) => (inner.middle, self.delta),
            (Some(inner), _) => (self.input, inner.whole),
        }
    }

    fn offsets(&self, part: usize, (forward, backward): &(Pass, Vec<Pass>)) -> Offsets {
        let (from, delta) = self.ends(part);
        let backward = backward.iter().map(|pass| sweep::offsets(pass, &delta)).collect();
        Offsets { forward: sweep::offsets(forward, &from), backward }
    }
}
