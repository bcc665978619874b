//! Products with one to a few chains, where every weight is used once and the time goes into reading it.
//!
//! One copy of the weights serves both directions, so that a team's parts stay in its cores' caches: panels of outputs,
//! all inputs of a panel together. Forwards a panel's outputs are sums over its rows; backwards each row meets the
//! panel's gradients. Backward sums are kept apart for a fixed number of stripes of panels and added in order, so the
//! result does not depend on how many workers share them.
//!
//! # Safety
//! Who runs one of these kernels promises that the matrix was packed for the ISA that runs it, and that each
//! [`Strip`] has as many rows as there are chains, and whole vectors of all that is read or written in one: the
//! matrix's padded inputs or outputs, or (`partial`) padded inputs for each stripe. Biases and heads are as long as the
//! padded outputs. Nobody else uses these stripes' outputs now, nor writes what is read: the contract of fields
//! (`field.rs`).

use super::activation::activate;
use super::field::Aligned;
use super::layers::Nonlinearity;
use crate::simd::{Isa, Kernel, Simd};
use std::ops::Range;

/// Chains up to which this way is taken.
pub(crate) const CHAINS: usize = 4;
/// Most parts whose backward sums are kept apart.
const STRIPES: usize = 8;
/// Vectors of outputs in a panel.
const VECTORS: usize = 4;

/// A matrix `(outputs, inputs)` in panels.
#[derive(Debug)]
pub(crate) struct SmallBatch {
    inputs: usize,
    outputs: usize,
    lanes: usize,
    numbers: Aligned,
}

impl SmallBatch {
    /// Packs `weight(output, input)`.
    pub(crate) fn pack(isa: Isa, outputs: usize, inputs: usize, weight: impl Fn(usize, usize) -> f32) -> Self {
        let lanes = isa.lanes();
        let mut packed = Self { inputs, outputs, lanes, numbers: Aligned::new(0) };
        let mut numbers = Aligned::new(packed.padded_outputs() * packed.padded_inputs());
        let all = numbers.as_mut_slice();
        for panel in 0..packed.panels() {
            let (first, width) = (panel * VECTORS * lanes, packed.width(panel));
            let base = first * packed.padded_inputs();
            for input in 0..inputs {
                for o in 0..width.min(outputs - first) {
                    all[base + input * width + o] = weight(first + o, input);
                }
            }
        }
        packed.numbers = numbers;
        packed
    }

    pub(crate) fn padded_inputs(&self) -> usize {
        self.inputs.next_multiple_of(self.lanes)
    }

    pub(crate) fn padded_outputs(&self) -> usize {
        self.outputs.next_multiple_of(self.lanes)
    }

    fn panels(&self) -> usize {
        self.outputs.div_ceil(VECTORS * self.lanes)
    }

    /// Outputs of a panel, padded.
    fn width(&self, panel: usize) -> usize {
        (self.padded_outputs() - panel * VECTORS * self.lanes).min(VECTORS * self.lanes)
    }

    /// Parts whose backward sums are kept apart: at least two panels each, or adding up lanes would cost too much.
    pub(crate) fn stripes(&self) -> usize {
        (self.panels() / 2).clamp(1, STRIPES)
    }

    /// Panels of some stripes.
    pub(crate) fn panels_of(&self, stripes: Range<usize>) -> Range<usize> {
        let at = |stripe: usize| stripe * self.panels() / self.stripes();
        at(stripes.start)..at(stripes.end)
    }

    /// Outputs of some stripes, padded.
    pub(crate) fn outputs_of(&self, stripes: Range<usize>) -> Range<usize> {
        let panels = self.panels_of(stripes);
        let at = |panel: usize| (panel * VECTORS * self.lanes).min(self.padded_outputs());
        at(panels.start)..at(panels.end)
    }

    /// Where a panel's numbers begin, `(padded inputs, width)`.
    fn panel(&self, panel: usize) -> *const f32 {
        self.numbers.as_ptr().wrapping_add(panel * VECTORS * self.lanes * self.padded_inputs())
    }
}

/// Rows of numbers, one a chain, each padded to whole vectors.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Strip {
    pub(crate) start: *mut f32,
    pub(crate) stride: usize,
}

// SAFETY: as for `Field`: the arena keeps the memory, and phases hand each part of it to one worker.
unsafe impl Send for Strip {}
// SAFETY: as above.
unsafe impl Sync for Strip {}

impl Strip {
    #[inline(always)]
    pub(crate) fn row(&self, chain: usize) -> *mut f32 {
        self.start.wrapping_add(chain * self.stride)
    }
}

/// What becomes of the outputs.
#[derive(Clone, Copy)]
pub(crate) enum Next {
    /// `to = sum`.
    Store(Strip),
    /// `to = activation(sum)`, `slope` its derivative.
    Activate { to: Strip, slope: Strip, activation: Nonlinearity },
    /// `delta = head * activation'(sum)`; `part` of each panel is the sum of `head * activation(sum)`.
    Head { head: *const f32, part: Strip, delta: Strip, activation: Nonlinearity },
}

/// Some panels' outputs for all chains: `init + W x`.
pub(crate) struct Forward<'a> {
    pub(crate) matrix: &'a SmallBatch,
    pub(crate) stripes: Range<usize>,
    pub(crate) chains: usize,
    pub(crate) x: Strip,
    pub(crate) init: Strip,
    pub(crate) next: Next,
}

/// `init + W x` of `N` vectors of outputs.
///
/// # Safety
/// Within a kernel. `w` is `(inputs, N vectors)`, `x` `(inputs,)`, `init` `N` vectors.
#[inline(always)]
unsafe fn column_sums<S: Simd, const N: usize>(
    inputs: usize,
    w: *const f32,
    x: *const f32,
    init: *const f32,
) -> [S::F; N] {
    // SAFETY: the caller's word; `k` stays below `inputs`.
    unsafe {
        // Two sets of sums, or the additions would wait for each other.
        let mut even = [S::splat(0.0); N];
        let mut odd = [S::splat(0.0); N];
        let mut v = 0;
        while v < N {
            even[v] = S::load(init.add(v * S::LANES));
            v += 1;
        }
        let mut k = 0;
        while k + 2 <= inputs {
            let (a, b) = (S::splat(*x.add(k)), S::splat(*x.add(k + 1)));
            let row = w.add(k * N * S::LANES);
            let mut v = 0;
            while v < N {
                even[v] = S::mul_add(a, S::load(row.add(v * S::LANES)), even[v]);
                odd[v] = S::mul_add(b, S::load(row.add((N + v) * S::LANES)), odd[v]);
                v += 1;
            }
            k += 2;
        }
        if k < inputs {
            let a = S::splat(*x.add(k));
            let row = w.add(k * N * S::LANES);
            let mut v = 0;
            while v < N {
                even[v] = S::mul_add(a, S::load(row.add(v * S::LANES)), even[v]);
                v += 1;
            }
        }
        let mut v = 0;
        while v < N {
            even[v] = S::add(even[v], odd[v]);
            v += 1;
        }
        even
    }
}

impl Forward<'_> {
    /// One panel for one chain.
    ///
    /// # Safety
    /// The module's promises; the panel is `N` vectors wide.
    #[inline(always)]
    unsafe fn panel<S: Simd, const N: usize>(&self, panel: usize, chain: usize) {
        // SAFETY: the caller's word; `all` has room for a vector of any ISA.
        unsafe {
            let first = panel * VECTORS * S::LANES;
            let m = self.matrix;
            let sums =
                column_sums::<S, N>(m.inputs, m.panel(panel), self.x.row(chain), self.init.row(chain).add(first));
            let mut energy = S::splat(0.0);
            for (v, sum) in sums.into_iter().enumerate() {
                let at = first + v * S::LANES;
                match self.next {
                    Next::Store(to) => S::store(to.row(chain).add(at), sum),
                    Next::Activate { to, slope, activation } => {
                        let (h, s) = activate::<S>(sum, activation);
                        S::store(to.row(chain).add(at), h);
                        S::store(slope.row(chain).add(at), s);
                    }
                    Next::Head { head, delta, activation, .. } => {
                        let (h, s) = activate::<S>(sum, activation);
                        let weight = S::load(head.add(at));
                        energy = S::mul_add(weight, h, energy);
                        S::store(delta.row(chain).add(at), S::mul(weight, s));
                    }
                }
            }
            if let Next::Head { part, .. } = self.next {
                let mut all = [0f32; 16];
                S::store(all.as_mut_ptr(), energy);
                *part.row(chain).add(panel) = all[..S::LANES].iter().sum();
            }
        }
    }
}

impl Kernel for Forward<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // SAFETY: the module's promises; each arm's `N` is the panel's width.
        unsafe {
            for panel in self.matrix.panels_of(self.stripes.clone()) {
                for chain in 0..self.chains {
                    match self.matrix.width(panel) / S::LANES {
                        4 => self.panel::<S, 4>(panel, chain),
                        3 => self.panel::<S, 3>(panel, chain),
                        2 => self.panel::<S, 2>(panel, chain),
                        _ => self.panel::<S, 1>(panel, chain),
                    }
                }
            }
        }
    }
}

/// Some stripes' part of `W^T delta` for all chains, into `partial[chain][stripe]`.
pub(crate) struct Backward<'a> {
    pub(crate) matrix: &'a SmallBatch,
    pub(crate) stripes: Range<usize>,
    pub(crate) chains: usize,
    pub(crate) delta: Strip,
    pub(crate) partial: Strip,
}

/// `sums[k] += rows[k] * delta` lane by lane for as many rows as a vector has lanes, in the order in which they lie.
///
/// # Safety
/// Within a kernel. `rows` is `(LANES, N vectors)`, `delta` `N` vectors.
#[inline(always)]
unsafe fn row_sums<S: Simd, const N: usize>(rows: *const f32, delta: *const f32, sums: &mut [S::F; 16]) {
    // SAFETY: the caller's word.
    unsafe {
        let mut lanes = [S::splat(0.0); N];
        let mut v = 0;
        while v < N {
            lanes[v] = S::load(delta.add(v * S::LANES));
            v += 1;
        }
        let mut k = 0;
        while k < S::LANES {
            let mut v = 0;
            while v < N {
                sums[k] = S::mul_add(S::load(rows.add((k * N + v) * S::LANES)), lanes[v], sums[k]);
                v += 1;
            }
            k += 1;
        }
    }
}

impl Kernel for Backward<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // SAFETY: the module's promises. A panel has padded inputs, so a vector's worth of rows is left from any
        // `first` on; each arm's `N` is the panel's width.
        unsafe {
            let m = self.matrix;
            let inputs = m.padded_inputs();
            for stripe in self.stripes.clone() {
                let panels = m.panels_of(stripe..stripe + 1);
                for first in (0..inputs).step_by(S::LANES) {
                    for chain in 0..self.chains {
                        let delta = self.delta.row(chain).cast_const();
                        let mut sums = [S::splat(0.0); 16];
                        for panel in panels.clone() {
                            let width = m.width(panel);
                            let rows = m.panel(panel).add(first * width);
                            let delta = delta.add(panel * VECTORS * S::LANES);
                            match width / S::LANES {
                                4 => row_sums::<S, 4>(rows, delta, &mut sums),
                                3 => row_sums::<S, 3>(rows, delta, &mut sums),
                                2 => row_sums::<S, 2>(rows, delta, &mut sums),
                                _ => row_sums::<S, 1>(rows, delta, &mut sums),
                            }
                        }
                        S::store(self.partial.row(chain).add(stripe * inputs + first), S::sums(sums.as_ptr()));
                    }
                }
            }
        }
    }
}

/// `to[i] = slope[i] * sum over stripes of partial[stripe][i]`; without a slope the sum alone.
pub(crate) struct Combine {
    pub(crate) range: Range<usize>,
    pub(crate) inputs: usize,
    pub(crate) stripes: usize,
    pub(crate) chains: usize,
    pub(crate) partial: Strip,
    pub(crate) slope: Option<Strip>,
    pub(crate) to: Strip,
}

impl Kernel for Combine {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // SAFETY: the module's promises; the range is of whole vectors.
        unsafe {
            for chain in 0..self.chains {
                for i in self.range.clone().step_by(S::LANES) {
                    let mut sum = S::splat(0.0);
                    for stripe in 0..self.stripes {
                        sum = S::add(sum, S::load(self.partial.row(chain).add(stripe * self.inputs + i)));
                    }
                    if let Some(slope) = self.slope {
                        sum = S::mul(sum, S::load(slope.row(chain).add(i)));
                    }
                    S::store(self.to.row(chain).add(i), sum);
                }
            }
        }
    }
}
