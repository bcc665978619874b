//! A tile's passes through a network that learns: values forward, the energy's gradient backward, and both once more
//! along directions.
//!
//! With the sums `a_l = W_l h_{l-1} + b_l`, the values `h_l = f(a_l)`, `h_0 = x`, and the energy `head . h_L`:
//!
//! ```text
//! forward     h_l                            the values
//! backward    d_l = f'(a_l) m_l              the energy's gradient in the sums, m_l that in the values
//! tangent     h'_l = f'(a_l) W_l h'_{l-1}    the values' derivatives along the direction, h'_0 = v
//! adjoint     e_l = f''(a_l) (W_l h'_{l-1}) m_l + f'(a_l) n_l    the gradient of v . grad_x E in the sums,
//!                                            n_l = W_{l+1}^T e_{l+1} that in the values, n_L = 0
//! ```
//!
//! The last two are the reverse mode of the tangent (Pearlmutter 1994): the gradient of `v . grad_x E` in a weight is
//! `e_l h_{l-1}^T + d_l h'_{l-1}^T`, without a second derivative of more than the activation.
//!
//! # Safety
//! The fields of a [`BackpropTile`] lie in its own arena, which it keeps, and nobody else knows them. What writes them
//! takes `&mut self`, so there is one worker at a time. Memory that is not set yet is written before it is read: rows
//! are put into `x`, `first` and `direction`, products store every other field, and the last layer's delta is stored by
//! hand.

use super::examples::Examples;
use super::field::{Arena, Field, Tile};
use super::gradient_factors::GradientFactors;
use super::matrix::{Init, Then};
use super::mlp::wide_init;
use super::packed::PackedMlp;
use super::spread::Spread;

/// A tile on its way.
pub(super) struct BackpropTile<'a> {
    network: &'a PackedMlp,
    tile: Tile,
    x: Field,
    init: Init,
    layers: Vec<Kept>,
    /// `v`.
    direction: Option<Field>,
    _arena: Arena,
}

/// What is kept of one hidden layer.
struct Kept {
    /// `h`.
    value: Field,
    /// `f'`.
    slope: Field,
    /// `d`, once gone backward.
    delta: Field,
    second: Option<Second>,
}

/// What is kept for directions too.
struct Second {
    /// `f''`, then times `m`, then times `W h'`, then `e`.
    curve: Field,
    /// `h'`.
    moved: Field,
}

// SAFETY: the fields' memory comes along, and what else it refers to may be shared.
unsafe impl Send for BackpropTile<'_> {}

impl<'a> BackpropTile<'a> {
    /// Takes memory for a tile of the examples; `directions`: for all four passes.
    pub(super) fn new(network: &'a PackedMlp, examples: &Examples<'_>, directions: bool, tile: Tile) -> Self {
        let width = network.layers().inputs();
        // SAFETY: see the module: all is written before it is read.
        let mut arena = unsafe { Arena::unset(tile) };
        let x = arena.field(width);
        put(&tile, x, examples.x);
        let init = wide_init(examples.first, tile, &mut arena);
        let mut kept = |outputs: usize| Kept {
            value: arena.field(outputs),
            slope: arena.field(outputs),
            delta: arena.field(outputs),
            second: directions.then(|| Second { curve: arena.field(outputs), moved: arena.field(outputs) }),
        };
        let layers = network.layers().hidden.iter().map(|l| kept(l.outputs)).collect();
        let direction = directions.then(|| arena.field(width));
        Self { network, tile, x, init, layers, direction, _arena: arena }
    }

    /// Values, energies into `energies`, and back to the first layer's sums.
    pub(super) fn forward_backward(&mut self, energies: &mut [f32]) {
        let layers = self.network.layers();
        let (wide, mut from) = (self.network.wide(), self.x);
        for (l, kept) in self.layers.iter().enumerate() {
            let init = if l == 0 { self.init } else { Init::Bias(layers.hidden[l].bias.as_ptr()) };
            let (curve, activation) = (kept.second.as_ref().map(|s| s.curve), layers.activation);
            self.product(
                &wide[l].0,
                from,
                init,
                Then::Activate { to: kept.value, slope: kept.slope, curve, activation },
            );
            from = kept.value;
        }
        energies.fill(layers.head_bias);
        let last = &self.layers[self.layers.len() - 1];
        for block in 0..self.tile.blocks() {
            for (f, head) in layers.head.iter().enumerate() {
                // SAFETY: this worker's alone; each field's lanes are a slice of their own, and products have set them.
                let lanes = |field: Field| unsafe { field.lanes(&self.tile, block, f) };
                let of = &mut energies[block * self.tile.width()..];
                of.iter_mut().zip(&*lanes(last.value)).for_each(|(e, h)| *e += head * h);
                let delta = last.delta.at(block, f);
                for (lane, slope) in lanes(last.slope).iter().enumerate() {
                    // SAFETY: a live lane of a field that nobody has set yet, so there is no slice of it.
                    unsafe { *delta.add(lane) = head * *slope };
                }
                if let Some(second) = &last.second {
                    lanes(second.curve).iter_mut().for_each(|c| *c *= head);
                }
            }
        }
        for (l, pair) in self.layers.windows(2).enumerate().rev() {
            let [below, above] = pair else { continue };
            let also = below.second.as_ref().map(|s| s.curve);
            let then = Then::Times { by: below.slope, to: below.delta, also };
            self.product(&wide[l + 1].1, above.delta, Init::Zero, then);
        }
    }

    /// Energies' gradients in the input, `(chains, F)`. After [`BackpropTile::forward_backward`].
    pub(super) fn gradient(&self, rows: &mut [f32]) {
        let mut arena = Arena::new(self.tile);
        let grad = arena.field(self.x.features);
        self.product(&self.network.wide()[0].1, self.layers[0].delta, Init::Zero, Then::Store(grad));
        let each = self.tile.width() * grad.features;
        for (block, rows) in rows.chunks_mut(each).enumerate() {
            // SAFETY: nobody else knows the field; it is of this tile.
            unsafe { grad.get(&self.tile, block, rows) };
        }
    }

    /// Multiplies the energies' gradients by a number a chain, of all examples.
    pub(super) fn weigh(&mut self, weights: &[f32]) {
        for kept in &self.layers {
            for block in 0..self.tile.blocks() {
                let weights = &weights[self.tile.first + block * self.tile.width()..];
                for f in 0..kept.delta.features {
                    // SAFETY: this worker's alone, and set on the way back.
                    let delta = unsafe { kept.delta.lanes(&self.tile, block, f) };
                    delta.iter_mut().zip(weights).for_each(|(d, w)| *d *= w);
                }
            }
        }
    }

    /// The tangent and its adjoint along directions `(B, F)`, a row an example of all. After
    /// [`BackpropTile::forward_backward`].
    pub(super) fn along(&mut self, directions: &[f32]) {
        let (Some(direction), wide) = (self.direction, self.network.wide()) else { return };
        put(&self.tile, direction, directions);
        let mut from = direction;
        for ((forward, _), kept) in wide.iter().zip(&self.layers) {
            let Some(Second { curve, moved }) = kept.second else { return };
            let then = Then::Times { by: kept.slope, to: moved, also: Some(curve) };
            self.product(forward, from, Init::Zero, then);
            from = moved;
        }
        for (l, pair) in self.layers.windows(2).enumerate().rev() {
            let [Kept { slope, second: Some(below), .. }, Kept { second: Some(above), .. }] = pair else { continue };
            let then = Then::AddTimes { by: *slope, to: below.curve };
            self.product(&wide[l + 1].1, above.curve, Init::Zero, then);
        }
    }

    /// Lays out what weight gradients are made of, in the rows of this tile's examples.
    ///
    /// # Safety
    /// The factors are those of these examples and directions; nobody else uses the rows of this tile's examples now.
    pub(super) unsafe fn turn(&self, examples: &Examples<'_>, factors: &GradientFactors) {
        let (hidden, first) = (&self.network.layers().hidden, self.tile.first);
        let sums = |kept: &Kept| kept.second.as_ref().map_or(kept.delta, |s| s.curve);
        for (l, (kept, layer)) in self.layers.iter().zip(hidden).enumerate() {
            let below = l.checked_sub(1).map(|b| &self.layers[b]);
            let (t, outputs) = (layer.shared.positions, layer.shape().0);
            let each = layer.inputs / t;
            let moved = below.map_or(self.direction, |b| b.second.as_ref().map(|s| s.moved));
            let halves =
                [Some((sums(kept), below.map_or(self.x, |b| b.value))), moved.map(|moved| (kept.delta, moved))];
            for (half, (delta, input)) in halves.into_iter().flatten().enumerate() {
                for at in 0..t {
                    let seen = layer.shared.seen(at);
                    let missing = (seen.start + layer.shared.reach - at) * each;
                    let (row, count) = ((half * t + at) * factors.batch + first, seen.len() * each);
                    // SAFETY: the caller's word: these rows are this tile's. The fields' features are the layer's
                    // numbers.
                    unsafe {
                        factors.inputs[l].turn(&self.tile, input.from(seen.start * each), count, (row, missing));
                        factors.deltas[l].turn(&self.tile, delta.from(at * outputs), outputs, (row, 0));
                    }
                }
            }
        }
        if let Some(context) = &factors.context {
            let (width, rows) = (examples.context.len() / factors.batch, first..first + self.tile.chains);
            // SAFETY: the caller's word: these rows are this tile's.
            unsafe { context.put(rows.clone(), &examples.context[rows.start * width..rows.end * width]) };
        }
        if let Some(whole) = &factors.whole {
            // SAFETY: the caller's word: these rows are this tile's.
            unsafe { whole.turn(&self.tile, sums(&self.layers[0]), hidden[0].outputs, (first, 0)) };
        }
    }

    /// Adds this tile's part of the head's gradient to `to`, `(width of the last layer,)`; `weights` as in
    /// [`BackpropTile::weigh`].
    pub(super) fn head(&mut self, weights: Option<&[f32]>, to: &mut [f32]) {
        let last = &self.layers[self.layers.len() - 1];
        for block in 0..self.tile.blocks() {
            let first = self.tile.first + block * self.tile.width();
            for (f, sum) in to.iter_mut().enumerate() {
                // SAFETY: this worker's alone, and set by the passes.
                let lanes = |field: Field| unsafe { &*field.lanes(&self.tile, block, f) };
                *sum += match (weights, &last.second) {
                    (Some(weights), _) => lanes(last.value).iter().zip(&weights[first..]).map(|(h, w)| h * w).sum(),
                    (None, Some(second)) => lanes(second.moved).iter().sum::<f32>(),
                    (None, None) => 0.0,
                };
            }
        }
    }

    /// A layer's product, forward or backward, with fields and biases of this network's layers.
    fn product(&self, spread: &Spread, x: Field, init: Init, then: Then) {
        // SAFETY: the tile is of the network's ISA. Fields were made for the layers, biases have a number an output,
        // and this worker is alone with them.
        unsafe { spread.products(0..spread.groups(), self.tile, x, init, then, self.network.isa()) };
    }
}

/// The tile's rows of all rows into a field of its own.
fn put(tile: &Tile, field: Field, rows: &[f32]) {
    // SAFETY: nobody else uses the field; the examples were checked, so a row holds as many numbers as it has features.
    unsafe { field.put_all(tile, |row| rows[row * field.features..].as_ptr()) };
}
