//! Packed matrices and their products with tiles of chains.
//!
//! A product of a tile computes [`Isa::outputs`] outputs of two vectors of chains at once, all partial sums in
//! registers. Each weight is loaded once and used for all chains of the block, each chain's number once for all those
//! outputs. The sum over the inputs is one chain of additions from the first input to the last, so a result depends
//! neither on the number of chains nor on who computes it.
//!
//! # Safety
//! Who runs a [`Product`] promises that the matrix was packed for the ISA that runs it, that the tile is of that
//! ISA, and that the fields are the tile's. The field read has at least the matrix's inputs as features. Those that
//! start or take up the sums have at least its outputs, biases and heads as many numbers, and a head's `part` a feature
//! a group. Nobody else uses the outputs of these groups now, nor writes what is read: the contract of fields
//! (`field.rs`).

use super::activation::{activate, curvature};
use super::field::{Aligned, Field, Tile};
use super::layers::Nonlinearity;
use crate::simd::{Isa, Kernel, Simd};
use std::mem::MaybeUninit;
use std::ops::Range;

/// Most outputs that any ISA computes at once.
const MOST: usize = 12;
/// Inputs of a group that are packed together.
const NEAR: usize = 16;

/// A matrix `(outputs, inputs)` as products with tiles read it: groups of outputs, all inputs of a group together.
#[derive(Debug)]
pub(crate) struct Matrix {
    outputs: usize,
    inputs: usize,
    group: usize,
    numbers: Aligned,
}

impl Matrix {
    /// Packs the rows that `row(output)` gives, `inputs` numbers each.
    pub(crate) fn of_rows<'a>(isa: Isa, outputs: usize, inputs: usize, row: impl Fn(usize) -> &'a [f32]) -> Self {
        Self::pack(isa, outputs, inputs, |group, first, size| {
            // Some inputs of all the group's rows after the other, so that what is written stays close by.
            let count = size.min(outputs - first);
            let mut near = [[0.0; NEAR]; MOST];
            for from in (0..inputs).step_by(NEAR) {
                let width = NEAR.min(inputs - from);
                for (o, near) in near.iter_mut().take(count).enumerate() {
                    near[..width].copy_from_slice(&row(first + o)[from..from + width]);
                }
                let to = &mut group[from * size..(from + width) * size];
                for (i, slots) in to.chunks_exact_mut(size).enumerate() {
                    for (slot, near) in slots.iter_mut().zip(&near[..count]) {
                        slot.write(near[i]);
                    }
                }
            }
        })
    }

    /// Packs the columns that `column(input)` gives, `outputs` numbers each.
    pub(crate) fn of_columns<'a>(isa: Isa, outputs: usize, inputs: usize, column: impl Fn(usize) -> &'a [f32]) -> Self {
        Self::pack(isa, outputs, inputs, |group, first, size| {
            for (input, to) in group.chunks_exact_mut(size).enumerate() {
                let from = &column(input)[first..outputs.min(first + size)];
                to[..from.len()].write_copy_of_slice(from);
            }
        })
    }

    /// `fill(numbers, first, size)` writes the group of `size` outputs from `first` on, `[input][output of the group]`:
    /// all but those behind the last output, which are 0.
    fn pack(isa: Isa, outputs: usize, inputs: usize, fill: impl Fn(&mut [MaybeUninit<f32>], usize, usize)) -> Self {
        let group = isa.outputs();
        let padded = outputs.next_multiple_of(2);
        let all = |numbers: &mut [MaybeUninit<f32>]| {
            for first in (0..outputs).step_by(group) {
                let size = group.min(padded - first);
                let numbers = &mut numbers[first * inputs..(first + size) * inputs];
                if first + size > outputs {
                    numbers.fill(MaybeUninit::new(0.0));
                }
                fill(numbers, first, size);
            }
        };
        // SAFETY: groups are even, so together they are all padded outputs, and `of_rows` and `of_columns` write every
        // real output of a group. The one behind them, which only the last group may have, is 0 already.
        let numbers = unsafe { Aligned::filled(padded * inputs, all) };
        Self { outputs, inputs, group, numbers }
    }

    /// Units that workers share.
    pub(crate) fn groups(&self) -> usize {
        self.outputs.div_ceil(self.group)
    }
}

/// What the sums start from.
#[derive(Clone, Copy)]
pub(crate) enum Init {
    /// 0.
    Zero,
    /// A number an output, the same for all chains.
    Bias(*const f32),
    /// Numbers of their own for each chain.
    Rows(Field),
    /// Numbers of their own for each chain, and one an output for all.
    Both(Field, *const f32),
}

impl Init {
    /// For outputs that are `first` and those behind it of a layer's.
    pub(crate) fn from(self, first: usize) -> Self {
        match self {
            Init::Zero => Init::Zero,
            Init::Bias(bias) => Init::Bias(bias.wrapping_add(first)),
            Init::Rows(rows) => Init::Rows(rows.from(first)),
            Init::Both(rows, bias) => Init::Both(rows.from(first), bias.wrapping_add(first)),
        }
    }
}

/// What becomes of the sums.
#[derive(Clone, Copy)]
pub(crate) enum Then {
    /// `to = sum`.
    Store(Field),
    /// `to += sum`.
    Add(Field),
    /// `to = by * sum`, and `also *= sum`.
    Times { by: Field, to: Field, also: Option<Field> },
    /// `to += by * sum`.
    AddTimes { by: Field, to: Field },
    /// `to = activation(sum)`, `slope` its derivative, `curve` the second one.
    Activate { to: Field, slope: Field, curve: Option<Field>, activation: Nonlinearity },
    /// The last hidden layer: `part` of the group is the sum of `head * activation(sum)`, `delta` is `head` times the
    /// derivative: the energy's gradient in this layer's sums.
    Head { head: *const f32, part: Field, delta: Field, activation: Nonlinearity },
}

impl Then {
    /// For outputs that are `first` and those behind it of a layer's; the head's are all of them.
    pub(crate) fn from(self, first: usize) -> Self {
        match self {
            Then::Store(to) => Then::Store(to.from(first)),
            Then::Add(to) => Then::Add(to.from(first)),
            Then::Times { by, to, also } => {
                Then::Times { by: by.from(first), to: to.from(first), also: also.map(|a| a.from(first)) }
            }
            Then::AddTimes { by, to } => Then::AddTimes { by: by.from(first), to: to.from(first) },
            Then::Activate { to, slope, curve, activation } => {
                let curve = curve.map(|c| c.from(first));
                Then::Activate { to: to.from(first), slope: slope.from(first), curve, activation }
            }
            head @ Then::Head { .. } => head,
        }
    }
}

/// One worker's part of a product: some groups of outputs for all chains of a tile.
pub(crate) struct Product<'a> {
    pub(crate) matrix: &'a Matrix,
    pub(crate) groups: Range<usize>,
    pub(crate) tile: Tile,
    pub(crate) x: Field,
    pub(crate) init: Init,
    pub(crate) then: Then,
}

/// The innermost loop: `out[o][lane] += sum_k w[k][o] * x[k][lane]` for `M` outputs and `N` vectors of chains.
///
/// # Safety
/// Within a kernel. `w` is `(inputs, M)`; `x` has `inputs` rows and `out` `M`, all 2 vectors apart and `N` long.
#[inline(always)]
unsafe fn micro<S: Simd, const M: usize, const N: usize>(inputs: usize, w: *const f32, x: *const f32, out: *mut f32) {
    // SAFETY: the caller's word; `w` and `x` go on by a row at a time, `inputs` times.
    unsafe {
        let width = 2 * S::LANES;
        let mut acc = [[S::splat(0.0); N]; M];
        let mut o = 0;
        while o < M {
            let mut v = 0;
            while v < N {
                acc[o][v] = S::load(out.add(o * width + v * S::LANES));
                v += 1;
            }
            o += 1;
        }
        let (mut w, mut x) = (w, x);
        let mut k = 0;
        while k < inputs {
            let mut lanes = [S::splat(0.0); N];
            let mut v = 0;
            while v < N {
                lanes[v] = S::load(x.add(v * S::LANES));
                v += 1;
            }
            let mut o = 0;
            while o < M {
                let weight = S::splat(*w.add(o));
                let mut v = 0;
                while v < N {
                    acc[o][v] = S::mul_add(weight, lanes[v], acc[o][v]);
                    v += 1;
                }
                o += 1;
            }
            w = w.add(M);
            x = x.add(width);
            k += 1;
        }
        let mut o = 0;
        while o < M {
            let mut v = 0;
            while v < N {
                S::store(out.add(o * width + v * S::LANES), acc[o][v]);
                v += 1;
            }
            o += 1;
        }
    }
}

/// [`micro`] for `size` outputs.
///
/// # Safety
/// As [`micro`] with `M = size`, which is even and at most [`Isa::outputs`].
#[inline(always)]
unsafe fn sized<S: Simd, const N: usize>(size: usize, inputs: usize, w: *const f32, x: *const f32, out: *mut f32) {
    // SAFETY: the caller's word; each arm's `M` is `size`.
    unsafe {
        match size {
            12 if S::LANES == 16 => micro::<S, 12, N>(inputs, w, x, out),
            10 if S::LANES == 16 => micro::<S, 10, N>(inputs, w, x, out),
            8 if S::LANES == 16 => micro::<S, 8, N>(inputs, w, x, out),
            6 if S::LANES >= 8 => micro::<S, 6, N>(inputs, w, x, out),
            4 => micro::<S, 4, N>(inputs, w, x, out),
            _ => micro::<S, 2, N>(inputs, w, x, out),
        }
    }
}

/// `out[o][lane] += sum_k w[k][o] * x[k][lane]` for `size` outputs and two vectors.
///
/// # Safety
/// Within a kernel. `w` is `(count, size)`, `x` `(count, 2 vectors)`, `out` `(size, 2 vectors)`; `size` is
/// [`Isa::outputs`] of the ISA.
#[inline(always)]
pub(crate) unsafe fn accumulate<S: Simd>(size: usize, count: usize, w: *const f32, x: *const f32, out: *mut f32) {
    // SAFETY: the caller's word; the groups of all ISAs are even.
    unsafe { sized::<S, 2>(size, count, w, x, out) }
}

impl Kernel for Product<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // SAFETY: the module's promises. A group's weights begin at its first output's, `(inputs, size)`. `Sums` has
        // room for the largest group of any ISA and 2 vectors of it. Biases are read for real outputs only.
        unsafe {
            let m = self.matrix;
            let width = 2 * S::LANES;
            let mut sums = Sums::zero();
            let sums = sums.0.as_mut_ptr();
            for group in self.groups.clone() {
                let first = group * m.group;
                let size = m.group.min(m.outputs.next_multiple_of(2) - first);
                let real = size.min(m.outputs - first);
                let w = m.numbers.as_ptr().add(first * m.inputs);
                for block in 0..self.tile.blocks() {
                    let vectors = self.tile.vectors(block);
                    for o in 0..size {
                        for v in 0..vectors {
                            let to = sums.add(o * width + v * S::LANES);
                            let start = match self.init {
                                _ if o >= real => S::splat(0.0),
                                Init::Zero => S::splat(0.0),
                                Init::Bias(bias) => S::splat(*bias.add(first + o)),
                                Init::Rows(rows) => S::load(rows.at(block, first + o).add(v * S::LANES)),
                                Init::Both(rows, bias) => {
                                    let row = S::load(rows.at(block, first + o).add(v * S::LANES));
                                    S::add(row, S::splat(*bias.add(first + o)))
                                }
                            };
                            S::store(to, start);
                        }
                    }
                    let x = self.x.at(block, 0).cast_const();
                    if vectors == 2 {
                        sized::<S, 2>(size, m.inputs, w, x, sums);
                    } else {
                        sized::<S, 1>(size, m.inputs, w, x, sums);
                    }
                    self.finish::<S>(group, block, first, real, vectors, sums);
                }
            }
        }
    }
}

impl Product<'_> {
    /// What becomes of a group's sums for one block of chains.
    ///
    /// # Safety
    /// The module's promises; `sums` is `(real, 2 vectors)`.
    #[inline(always)]
    unsafe fn finish<S: Simd>(
        &self,
        group: usize,
        block: usize,
        first: usize,
        real: usize,
        vectors: usize,
        sums: *const f32,
    ) {
        // SAFETY: the caller's word; `feature` is a real output, and `lane` begins one of the block's vectors.
        unsafe {
            let width = 2 * S::LANES;
            let mut v = 0;
            while v < vectors {
                let lane = v * S::LANES;
                let mut energy = S::splat(0.0);
                for o in 0..real {
                    let sum = S::load(sums.add(o * width + lane));
                    let feature = first + o;
                    match self.then {
                        Then::Store(to) => S::store(to.at(block, feature).add(lane), sum),
                        Then::Add(to) => {
                            let to = to.at(block, feature).add(lane);
                            S::store(to, S::add(S::load(to), sum));
                        }
                        Then::Times { by, to, also } => {
                            let by = S::load(by.at(block, feature).add(lane));
                            S::store(to.at(block, feature).add(lane), S::mul(by, sum));
                            if let Some(also) = also {
                                let also = also.at(block, feature).add(lane);
                                S::store(also, S::mul(S::load(also), sum));
                            }
                        }
                        Then::AddTimes { by, to } => {
                            let by = S::load(by.at(block, feature).add(lane));
                            let to = to.at(block, feature).add(lane);
                            S::store(to, S::mul_add(by, sum, S::load(to)));
                        }
                        Then::Activate { to, slope, curve, activation } => {
                            let (h, s) = activate::<S>(sum, activation);
                            S::store(to.at(block, feature).add(lane), h);
                            S::store(slope.at(block, feature).add(lane), s);
                            if let Some(curve) = curve {
                                S::store(curve.at(block, feature).add(lane), curvature::<S>(sum, activation));
                            }
                        }
                        Then::Head { head, delta, activation, .. } => {
                            let (h, s) = activate::<S>(sum, activation);
                            let weight = S::splat(*head.add(feature));
                            energy = S::mul_add(weight, h, energy);
                            S::store(delta.at(block, feature).add(lane), S::mul(weight, s));
                        }
                    }
                }
                if let Then::Head { part, .. } = self.then {
                    S::store(part.at(block, group).add(lane), energy);
                }
                v += 1;
            }
        }
    }
}

/// Sums of a group of outputs and two vectors, at any ISA.
#[repr(C, align(64))]
pub(crate) struct Sums(pub(crate) [f32; MOST * 32]);

impl Sums {
    pub(crate) fn zero() -> Self {
        Self([0.0; MOST * 32])
    }
}
