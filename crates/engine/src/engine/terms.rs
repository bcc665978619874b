//! The analytic terms of an energy, and the sum of all its parts.
//!
//! # Safety
//! As for the kernels of `moves.rs`.

use super::field::Field;
use super::moves::Unit;
use super::program::Term;
use crate::simd::{Kernel, Simd};
use std::ops::Range;

/// Adds the analytic terms' energy to one row of parts and their gradients to `grad`.
pub(crate) struct Analytic<'a> {
    pub(crate) unit: Unit,
    pub(crate) terms: &'a [Term],
    /// Centres given chain by chain, in lanes, for the quadratic terms that have them; in the order of the terms.
    pub(crate) centres: &'a [Option<Field>],
    pub(crate) x: Field,
    pub(crate) grad: Field,
    pub(crate) parts: Field,
    /// Nothing was written to `grad` before.
    pub(crate) store: bool,
}

impl Kernel for Analytic<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // SAFETY: the module's promises; the terms' own numbers are read through slices.
        unsafe {
            let block = self.unit.block;
            for v in 0..self.unit.vectors() {
                let lane = v * S::LANES;
                let mut energy = S::splat(0.0);
                for f in self.unit.range() {
                    let x = S::load(self.x.at(block, f).add(lane));
                    let place = self.grad.at(block, f).add(lane);
                    let mut g = if self.store { S::splat(0.0) } else { S::load(place) };
                    for (term, centres) in self.terms.iter().zip(self.centres) {
                        match term {
                            Term::Quadratic { centre, weight } => {
                                let c = match centres {
                                    Some(field) => S::load(field.at(block, f).add(lane)),
                                    None => S::splat(centre.values[f]),
                                };
                                let (away, w) = (S::sub(x, c), S::splat(weight[f]));
                                let pull = S::mul(w, away);
                                energy = S::mul_add(pull, away, energy);
                                g = S::add(g, S::add(pull, pull));
                            }
                            Term::Limits { lo, hi, weight } => {
                                // The violation last, so that a NaN comes through.
                                let zero = S::splat(0.0);
                                let below = S::max(zero, S::sub(S::splat(lo[f]), x));
                                let above = S::max(zero, S::sub(x, S::splat(hi[f])));
                                let away = S::sub(above, below);
                                let pull = S::mul(S::splat(*weight), away);
                                energy = S::mul_add(pull, away, energy);
                                g = S::add(g, S::add(pull, pull));
                            }
                            Term::Network { .. } | Term::Constant(_) | Term::Custom { .. } => {}
                        }
                    }
                    S::store(place, g);
                }
                S::store(self.parts.at(block, self.unit.group).add(lane), energy);
            }
        }
    }
}

/// Sums rows `0..count` of a field, block by block, into `to`.
pub(crate) struct Settle {
    pub(crate) blocks: Range<usize>,
    pub(crate) from: Field,
    pub(crate) count: usize,
    pub(crate) start: Field,
    pub(crate) to: Field,
}

impl Kernel for Settle {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // SAFETY: the module's promises, for all rows up to `count` of these blocks; a block is 2 vectors wide.
        unsafe {
            for block in self.blocks.clone() {
                for v in 0..2 {
                    let lane = v * S::LANES;
                    let mut sum = S::load(self.start.at(block, 0).add(lane));
                    for row in 0..self.count {
                        sum = S::add(sum, S::load(self.from.at(block, row).add(lane)));
                    }
                    S::store(self.to.at(block, 0).add(lane), sum);
                }
            }
        }
    }
}
