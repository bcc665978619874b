//! A network's value and gradient for a tile of chains.

use super::field::{Aligned, Arena, Field, Tile};
use super::layers::{Nonlinearity, Rows};
use super::matrix::{Init, Then};
use super::packed::PackedMlp;
use super::small_batch::{self, Backward, Combine, Forward, Next, Strip};
use super::spread::Spread;
use super::team::Member;
use std::ops::Range;

/// A network with the memory to be evaluated for one tile.
pub(crate) struct Net<'a> {
    packed: &'a PackedMlp,
    tile: Tile,
    /// The head times the term's factor, padded.
    head: Aligned,
    way: Way,
}

enum Way {
    Wide { init: Init, hidden: Vec<Field>, slopes: Vec<Field> },
    SmallBatch(ThinWay),
}

/// Strips for a few chains.
struct ThinWay {
    init: Vec<Strip>,
    x: Strip,
    hidden: Vec<Strip>,
    slopes: Vec<Strip>,
    parts: Strip,
    partial: [Strip; 2],
}

impl<'a> Net<'a> {
    /// Takes memory for `tile` from `arena`. `wide`: products of tiles even for a few chains.
    pub(crate) fn new(
        packed: &'a PackedMlp,
        first: &Rows,
        factor: f32,
        tile: Tile,
        wide: bool,
        arena: &mut Arena,
    ) -> Self {
        assert_eq!(packed.isa(), tile.isa, "a network is packed for the ISA of its tile");
        let hidden = &packed.layers().hidden;
        let lanes = packed.isa().lanes();
        let mut head = Aligned::new(packed.layers().head.len().next_multiple_of(4 * lanes));
        for (to, from) in head.as_mut_slice().iter_mut().zip(&packed.layers().head) {
            *to = factor * from;
        }
        if !wide && tile.chains <= small_batch::CHAINS && packed.layers().fully_connected() {
            return Self { packed, tile, head, way: Self::thin_way(packed, first, tile, arena) };
        }
        let init = wide_init(first, tile, arena);
        let way = Way::Wide {
            init,
            hidden: hidden[..hidden.len() - 1].iter().map(|l| arena.field(l.outputs)).collect(),
            slopes: hidden.iter().map(|l| arena.field(l.outputs)).collect(),
        };
        Self { packed, tile, head, way }
    }

    /// A network whose first layer's part is a field that changes between evaluations, see [`Net::evaluate_at`].
    pub(crate) fn over(packed: &'a PackedMlp, factor: f32, tile: Tile, arena: &mut Arena) -> Self {
        let none = Rows {
            width: packed.layers().hidden[0].outputs,
            values: vec![0.0; packed.layers().hidden[0].outputs].into(),
        };
        Self::new(packed, &none, factor, tile, false, arena)
    }

    /// [`Net::evaluate`] with `base` plus `shift` (a number an output of the first layer) as the first layer's part.
    ///
    /// # Safety
    /// As [`Net::evaluate`]; `base` is a complete field of the first layer's outputs, and `shift` holds as many
    /// numbers.
    pub(crate) unsafe fn evaluate_at(
        &self,
        member: &Member<'_>,
        (base, shift): (Field, *const f32),
        x: Field,
        parts: Field,
        grad: Field,
    ) {
        match &self.way {
            Way::Wide { hidden, slopes, .. } => {
                // SAFETY: the caller's word.
                unsafe {
                    self.evaluate_wide(member, x, parts, Init::Both(base, shift), [hidden, slopes], Then::Store(grad))
                }
            }
            Way::SmallBatch(way) => {
                if member.leads() {
                    for chain in 0..self.tile.chains {
                        for o in 0..self.packed.layers().hidden[0].outputs {
                            // SAFETY: a row holds the first layer's outputs; only the leader writes it, and a barrier
                            // follows before it is read.
                            unsafe { *way.init[0].row(chain).add(o) = *base.at(0, o).add(chain) + *shift.add(o) };
                        }
                    }
                }
                // SAFETY: the caller's word.
                unsafe { self.evaluate_thin(way, member, x, parts, grad, true) }
            }
        }
    }

    fn thin_way(packed: &PackedMlp, first: &Rows, tile: Tile, arena: &mut Arena) -> Way {
        let matrices = packed.small_batch();
        let chains = tile.chains;
        let mut strip = |len: usize| {
            let stride = len.next_multiple_of(16);
            Strip { start: arena.numbers(stride * chains), stride }
        };
        let outputs = |l: usize| matrices[l].padded_outputs();
        let init: Vec<Strip> = (0..matrices.len()).map(|l| strip(outputs(l))).collect();
        for chain in 0..chains {
            for (l, to) in init.iter().enumerate() {
                let from = if l == 0 { first.row(tile.first + chain) } else { &packed.layers().hidden[l].bias };
                // SAFETY: a strip's row holds the layer's outputs, zeros as yet, and nothing else points there.
                unsafe { std::slice::from_raw_parts_mut(to.row(chain), from.len()).copy_from_slice(from) };
            }
        }
        let widest = matrices.iter().map(|m| m.stripes() * m.padded_inputs()).max().unwrap_or(0);
        Way::SmallBatch(ThinWay {
            init,
            x: strip(matrices[0].padded_inputs()),
            hidden: (0..matrices.len() - 1).map(|l| strip(outputs(l))).collect(),
            slopes: (0..matrices.len()).map(|l| strip(outputs(l))).collect(),
            parts: strip(packed.parts()),
            partial: [strip(widest), strip(widest)],
        })
    }

    /// Energy parts.
    pub(crate) fn parts(&self) -> usize {
        self.packed.parts()
    }

    /// Writes this network's part of the energy at `x` to `parts`, one row a group, and its gradient to `grad`, to
    /// which it is added unless `store`. All workers of the team call it together. It ends with its last writes, which
    /// nobody may read before [`Member::barrier`].
    ///
    /// # Safety
    /// `x`, `parts` and `grad` are fields of this tile that no other work uses meanwhile: `x` and `grad` of the
    /// network's inputs, `parts` of at least [`Net::parts`] features.
    pub(crate) unsafe fn evaluate(&self, member: &Member<'_>, x: Field, parts: Field, grad: Field, store: bool) {
        match &self.way {
            Way::Wide { init, hidden, slopes } => {
                let then = if store { Then::Store(grad) } else { Then::Add(grad) };
                // SAFETY: the caller's word.
                unsafe { self.evaluate_wide(member, x, parts, *init, [hidden, slopes], then) }
            }
            Way::SmallBatch(way) => {
                // SAFETY: the caller's word.
                unsafe { self.evaluate_thin(way, member, x, parts, grad, store) }
            }
        }
    }

    /// Products of tiles: values forward, gradients backward, the gradient in the input as `then` says.
    ///
    /// # Safety
    /// As [`Net::evaluate`], with `init` of the first layer's outputs and the fields of [`Way::Wide`].
    unsafe fn evaluate_wide(
        &self,
        member: &Member<'_>,
        x: Field,
        parts: Field,
        init: Init,
        [hidden, slopes]: [&[Field]; 2],
        then: Then,
    ) {
        // SAFETY: the caller's word; each of the three phases ends with a barrier, but for the last, whose reader
        // waits.
        unsafe {
            self.forward(member, x, parts, init, hidden, slopes);
            self.backward(member, slopes);
            let (_, first) = &self.packed.wide()[0];
            self.product(member, first, slopes[0], Init::Zero, then);
        }
    }

    /// # Safety
    /// As [`Spread::products`]; nobody else uses what `then` names before the next barrier.
    unsafe fn product(&self, member: &Member<'_>, spread: &Spread, x: Field, init: Init, then: Then) {
        // SAFETY: the caller's word; `new` has compared the ISAs, and units are this worker's own.
        unsafe { spread.products(member.share(spread.groups()), self.tile, x, init, then, self.packed.isa()) };
    }

    fn activation(&self) -> Nonlinearity {
        self.packed.layers().activation
    }

    /// From the input to the energy's parts and the gradient in the last layer's sums.
    ///
    /// # Safety
    /// As [`Net::evaluate_wide`].
    unsafe fn forward(
        &self,
        member: &Member<'_>,
        x: Field,
        part: Field,
        init: Init,
        hidden: &[Field],
        slopes: &[Field],
    ) {
        let last = slopes.len() - 1;
        let activation = self.activation();
        let mut from = x;
        for (l, (forward, _)) in self.packed.wide().iter().enumerate() {
            let init = if l == 0 { init } else { Init::Bias(self.packed.layers().hidden[l].bias.as_ptr()) };
            let then = if l == last {
                let head = self.head.as_ptr();
                Then::Head { head, part, delta: slopes[l], activation }
            } else {
                Then::Activate { to: hidden[l], slope: slopes[l], curve: None, activation }
            };
            // SAFETY: the caller's word; the fields were made for these layers, biases and the padded head have a
            // number an output. A barrier follows.
            unsafe { self.product(member, forward, from, init, then) };
            member.barrier();
            if l < last {
                from = hidden[l];
            }
        }
    }

    /// From the gradient in the last layer's sums to that in the first's.
    ///
    /// # Safety
    /// As [`Net::evaluate_wide`].
    unsafe fn backward(&self, member: &Member<'_>, slopes: &[Field]) {
        for l in (1..slopes.len()).rev() {
            let (_, backward) = &self.packed.wide()[l];
            let below = slopes[l - 1];
            let then = Then::Times { by: below, to: below, also: None };
            // SAFETY: the fields were made for these layers; an output's slope is read before it is overwritten, by the
            // one worker that has it. A barrier follows.
            unsafe { self.product(member, backward, slopes[l], Init::Zero, then) };
            member.barrier();
        }
    }

    /// The way of a few chains.
    ///
    /// # Safety
    /// As [`Net::evaluate`].
    unsafe fn evaluate_thin(
        &self,
        way: &ThinWay,
        member: &Member<'_>,
        x_field: Field,
        parts_field: Field,
        grad: Field,
        store: bool,
    ) {
        let ThinWay { init, x, hidden, slopes, parts, .. } = way;
        let (matrices, isa, chains) = (self.packed.small_batch(), self.packed.isa(), self.tile.chains);
        let stripes = |l: usize| member.share(matrices[l].stripes());
        let inputs = self.packed.layers().inputs();
        if member.leads() {
            for chain in 0..chains {
                for i in 0..inputs {
                    // SAFETY: a row holds the inputs, and the few chains are in block 0; only the leader writes it, and
                    // a barrier follows before it is read.
                    unsafe { *x.row(chain).add(i) = *x_field.at(0, i).add(chain) };
                }
            }
        }
        member.barrier();
        let activation = self.activation();
        let last = matrices.len() - 1;
        let mut from = *x;
        for (l, matrix) in matrices.iter().enumerate() {
            let next = if l == last {
                Next::Head { head: self.head.as_ptr(), part: *parts, delta: slopes[l], activation }
            } else {
                Next::Activate { to: hidden[l], slope: slopes[l], activation }
            };
            // SAFETY: `thin_way` made the strips for these matrices, `new` the head as long as whole panels. Stripes
            // are this worker's own; what they read was written before the last barrier.
            unsafe { isa.call(Forward { matrix, stripes: stripes(l), chains, x: from, init: init[l], next }) };
            if l < last {
                member.barrier();
                from = hidden[l];
            }
        }
        // SAFETY: each worker has the deltas of its own stripes of the last layer.
        let range = unsafe { self.backward_thin(way, member) };
        for chain in 0..chains {
            for i in range.start..range.end.min(inputs) {
                // SAFETY: these inputs are this worker's own, which it has just written; the chains are in block 0.
                unsafe {
                    let to = grad.at(0, i).add(chain);
                    let g = *x.row(chain).add(i);
                    *to = if store { g } else { *to + g };
                }
            }
            if member.leads() {
                for part in 0..self.packed.parts() {
                    // SAFETY: written before the last barrier; only the leader writes the field.
                    unsafe { *parts_field.at(0, part).add(chain) = *parts.row(chain).add(part) };
                }
            }
        }
    }

    /// From the deltas of the last layer to the gradient in the input, of which this worker writes the part returned to
    /// `way.x`.
    ///
    /// # Safety
    /// As [`Net::evaluate`]; the deltas of this worker's stripes of the last layer are complete.
    unsafe fn backward_thin(&self, way: &ThinWay, member: &Member<'_>) -> Range<usize> {
        let ThinWay { x, slopes, partial, .. } = way;
        let (matrices, isa, chains) = (self.packed.small_batch(), self.packed.isa(), self.tile.chains);
        let stripes = |l: usize| member.share(matrices[l].stripes());
        let mut last = 0..0;
        // A worker's stripes of a layer's gradient are its own, and partial sums alternate between two places: one
        // barrier a layer is enough.
        for (l, matrix) in matrices.iter().enumerate().rev() {
            let (delta, partial) = (slopes[l], partial[l % 2]);
            // SAFETY: `partial` is as wide as the widest layer's stripes. A worker reads the deltas of its own stripes
            // only, which it wrote itself, and writes sums of these stripes.
            unsafe { isa.call(Backward { matrix, stripes: stripes(l), chains, delta, partial }) };
            member.barrier();
            let (range, slope, to) = match l {
                0 => {
                    let vectors = member.share(matrix.padded_inputs() / isa.lanes());
                    (vectors.start * isa.lanes()..vectors.end * isa.lanes(), None, *x)
                }
                _ => {
                    let mine = matrices[l - 1].outputs_of(stripes(l - 1));
                    (mine, Some(slopes[l - 1]), slopes[l - 1])
                }
            };
            let (inputs, stripes) = (matrix.padded_inputs(), matrix.stripes());
            let combine = Combine { range: range.clone(), inputs, stripes, chains, partial, slope, to };
            // SAFETY: after the barrier all stripes' sums can be read; the range is of whole vectors, this worker's
            // own.
            unsafe { isa.call(combine) };
            last = range;
        }
        last
    }
}

/// The first layer's part of a tile's chains.
pub(super) fn wide_init(first: &Rows, tile: Tile, arena: &mut Arena) -> Init {
    if first.count() == 1 {
        let bias = arena.numbers(first.width);
        // SAFETY: `bias` and a row hold as many numbers, and nothing else points there yet.
        unsafe { bias.copy_from_nonoverlapping(first.row(0).as_ptr(), first.width) };
        return Init::Bias(bias);
    }
    let rows = arena.field(first.width);
    // SAFETY: nobody else knows the field yet; a row holds `width` numbers, as many as the field has features.
    unsafe { rows.put_all(&tile, |chain| first.row(chain).as_ptr()) };
    Init::Rows(rows)
}
