//! The elementwise parts of a chain's step, for one block's group of features at a time.
//!
//! Sums over features are left as one row a group, so that they do not depend on who did which group.
//!
//! # Safety
//! Who runs one of these kernels promises that the tile is of the ISA that runs it and that the fields are the
//! tile's: of the unit's features, or of its groups where they take sums, or of one feature where they hold a number a
//! chain. Nobody else writes the unit's part of them now: the contract of fields (`field.rs`). A block has a unit's
//! vectors, [`Unit::vectors`] of them, whether chains fill the last one or not.

use super::field::{Field, Tile};
use super::small_batch;
use crate::noise::Draw;
use crate::simd::{Kernel, Simd, normal};
use std::mem::MaybeUninit;
use std::ops::Range;

/// Features of a group: a multiple of the 4 numbers that one block of the generator gives.
pub(crate) const GROUP: usize = 64;

/// One step of Langevin dynamics: `x' = x - step * dE/dx + noise * n`, `n` standard normal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LangevinStep {
    /// Multiplier of the gradient.
    pub step: f32,
    /// Standard deviation of the noise.
    pub noise: f32,
    /// Each element of the gradient is limited to plus or minus this before it is used.
    pub clip: Option<f32>,
    /// Each element of `x'` is limited to this interval.
    pub bounds: Option<(f32, f32)>,
}

impl LangevinStep {
    fn limits(&self) -> (f32, f32, f32) {
        let (lo, hi) = self.bounds.unwrap_or((f32::NEG_INFINITY, f32::INFINITY));
        (self.clip.unwrap_or(f32::INFINITY), lo, hi)
    }
}

/// A block's group of features.
#[derive(Clone, Copy)]
pub(crate) struct Unit {
    pub(crate) tile: Tile,
    pub(crate) block: usize,
    pub(crate) group: usize,
    pub(crate) features: usize,
}

impl Unit {
    /// The units of a tile, numbered block by block.
    pub(crate) fn of(tile: Tile, features: usize, index: usize) -> Self {
        let groups = features.div_ceil(GROUP);
        Self { tile, block: index / groups, group: index % groups, features }
    }

    /// Number of units of a tile.
    pub(crate) fn count(tile: &Tile, features: usize) -> usize {
        tile.blocks() * features.div_ceil(GROUP)
    }

    pub(crate) fn range(&self) -> Range<usize> {
        self.group * GROUP..((self.group + 1) * GROUP).min(self.features)
    }

    pub(crate) fn vectors(&self) -> usize {
        self.tile.vectors(self.block)
    }

    fn chain(&self) -> usize {
        self.tile.first + self.block * self.tile.width()
    }
}

/// Room for a unit's normal numbers, `[feature of the group][lane]`, the lanes of [`Unit::vectors`] vectors a row.
#[repr(C, align(64))]
struct Normals(MaybeUninit<[f32; GROUP * 32]>);

/// Fills `out` with a unit's normal numbers, or with zeros where there is no draw; every lane of every row is written.
///
/// # Safety
/// As for the functions of [`Simd`]; the unit's tile is of the ISA of `S`.
#[inline(always)]
unsafe fn normals<S: Simd>(unit: &Unit, draw: Option<&Draw>, out: &mut Normals) -> *const f32 {
    // SAFETY: the caller's word for the instructions. There is room for rows of 2 vectors of 16 lanes for `GROUP`
    // features, which is a multiple of 4, so that whole blocks of four rows fit; no unit has more.
    unsafe {
        let width = unit.vectors() * S::LANES;
        let out = out.0.as_mut_ptr().cast::<f32>();
        let Some(draw) = draw else {
            out.write_bytes(0, unit.range().len() * width);
            return out;
        };
        let first = (unit.group * GROUP / 4) as u32;
        let place = draw.place(unit.chain() as u64);
        let live = unit.tile.live(unit.block);
        if live <= small_batch::CHAINS {
            // A block of four numbers a lane, chain by chain: less is thrown away.
            out.write_bytes(0, unit.range().len() * width);
            let mut row = [0f32; GROUP];
            for lane in 0..live {
                let chain = place.chain.wrapping_add(lane as u64);
                let all = &mut row[..unit.range().len()];
                normal::Row { key: place.key, draw: place.draw, chain, block: first, out: all }.run::<S>();
                for (f, value) in all.iter().enumerate() {
                    *out.add(f * width + lane) = *value;
                }
            }
            return out;
        }
        for v in 0..unit.vectors() {
            let chain = place.chain.wrapping_add((v * S::LANES) as u64);
            for block in 0..unit.range().len().div_ceil(4) {
                let four = normal::of_chains::<S>(place.key, place.draw, chain, first + block as u32);
                let to = out.add(4 * block * width + v * S::LANES);
                let mut i = 0;
                while i < 4 {
                    S::store(to.add(i * width), four[i]);
                    i += 1;
                }
            }
        }
        out
    }
}

/// Fresh normal numbers, the first `leading` features times `scale`; `onto` what is there, or in its place.
pub(crate) struct Deal {
    pub(crate) unit: Unit,
    pub(crate) draw: Draw,
    pub(crate) leading: usize,
    pub(crate) scale: f32,
    pub(crate) onto: bool,
    pub(crate) to: Field,
}

impl Kernel for Deal {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // SAFETY: the module's promises; `normals` has written all rows that are read.
        unsafe {
            let width = self.unit.vectors() * S::LANES;
            let mut room = Normals(MaybeUninit::uninit());
            let n = normals::<S>(&self.unit, Some(&self.draw), &mut room);
            for (i, f) in self.unit.range().enumerate() {
                let scale = S::splat(if f < self.leading { self.scale } else { 1.0 });
                for v in 0..self.unit.vectors() {
                    let lane = v * S::LANES;
                    let n = S::load(n.add(i * width + lane));
                    let to = self.to.at(self.unit.block, f).add(lane);
                    S::store(to, if self.onto { S::mul_add(scale, n, S::load(to)) } else { S::mul(scale, n) });
                }
            }
        }
    }
}

/// A Langevin move of a unit from `x` to `to` (which may be `x`), with three sums over its features: of the squared
/// distance moved, of the squared gradient, and of the squared noise, with infinity there where the box was left.
pub(crate) struct Drift {
    pub(crate) unit: Unit,
    pub(crate) step: LangevinStep,
    pub(crate) draw: Draw,
    pub(crate) x: Field,
    pub(crate) grad: Field,
    pub(crate) to: Field,
    pub(crate) moved: Field,
    pub(crate) slope: Field,
    pub(crate) noise_sq: Option<Field>,
}

impl Kernel for Drift {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // SAFETY: the module's promises are those of `go`.
        unsafe { if self.noise_sq.is_some() { self.go::<S, true>() } else { self.go::<S, false>() } }
    }
}

impl Drift {
    /// `COUNT`: the squared noise is asked for. Its sum is the longest chain of operations here.
    ///
    /// # Safety
    /// The module's promises.
    #[inline(always)]
    unsafe fn go<S: Simd, const COUNT: bool>(self) {
        // SAFETY: the caller's word; `normals` has written all rows that are read.
        unsafe {
            let width = self.unit.vectors() * S::LANES;
            let mut room = Normals(MaybeUninit::uninit());
            let draw = (self.step.noise > 0.0).then_some(&self.draw);
            let n = normals::<S>(&self.unit, draw, &mut room);
            let (clip, lo, hi) = self.step.limits();
            let (step, noise) = (S::splat(-self.step.step), S::splat(self.step.noise));
            let block = self.unit.block;
            for v in 0..self.unit.vectors() {
                let lane = v * S::LANES;
                let (mut moved, mut slope, mut squares) = (S::splat(0.0), S::splat(0.0), S::splat(0.0));
                for (i, f) in self.unit.range().enumerate() {
                    let x = S::load(self.x.at(block, f).add(lane));
                    let g = S::load(self.grad.at(block, f).add(lane));
                    let n = S::load(n.add(i * width + lane));
                    slope = S::mul_add(g, g, slope);
                    // Second arguments come through where the first is NaN, so a NaN gradient is not hidden.
                    let g = S::max(S::splat(-clip), S::min(S::splat(clip), g));
                    let free = S::mul_add(noise, n, S::mul_add(step, g, x));
                    let to = S::max(S::splat(lo), S::min(S::splat(hi), free));
                    let away = S::sub(to, x);
                    moved = S::mul_add(away, away, moved);
                    if COUNT {
                        squares = S::mul_add(n, n, squares);
                        let out = S::sub(free, to);
                        squares = S::select_gt(S::mul(out, out), S::splat(0.0), S::splat(f32::INFINITY), squares);
                    }
                    S::store(self.to.at(block, f).add(lane), to);
                }
                S::store(self.moved.at(block, self.unit.group).add(lane), moved);
                S::store(self.slope.at(block, self.unit.group).add(lane), slope);
                if let Some(noise_sq) = self.noise_sq {
                    S::store(noise_sq.at(block, self.unit.group).add(lane), squares);
                }
            }
        }
    }
}

/// The squared noise that would lead a Langevin move back from `to` to `x`, and the squared gradient at `to`.
pub(crate) struct Back {
    pub(crate) unit: Unit,
    pub(crate) step: LangevinStep,
    pub(crate) x: Field,
    pub(crate) to: Field,
    pub(crate) grad: Field,
    pub(crate) noise_sq: Field,
    pub(crate) slope: Field,
}

impl Kernel for Back {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // SAFETY: the module's promises.
        unsafe {
            let (clip, _, _) = self.step.limits();
            let block = self.unit.block;
            for v in 0..self.unit.vectors() {
                let lane = v * S::LANES;
                let (mut sum, mut slope) = (S::splat(0.0), S::splat(0.0));
                for f in self.unit.range() {
                    let (x, to) = (S::load(self.x.at(block, f).add(lane)), S::load(self.to.at(block, f).add(lane)));
                    let g = S::load(self.grad.at(block, f).add(lane));
                    slope = S::mul_add(g, g, slope);
                    let g = S::max(S::splat(-clip), S::min(S::splat(clip), g));
                    let back = S::mul_add(S::splat(self.step.step), g, S::sub(x, to));
                    let back = S::mul(back, S::splat(1.0 / self.step.noise));
                    sum = S::mul_add(back, back, sum);
                }
                S::store(self.noise_sq.at(block, self.unit.group).add(lane), sum);
                S::store(self.slope.at(block, self.unit.group).add(lane), slope);
            }
        }
    }
}

/// A kick of momenta against the gradient and, except after the last, a move along them (leapfrog). `sizes` holds each
/// chain's step size. With a draw the momenta are fresh. Leaves the squared momenta (before the first kick, after the
/// last) and the squared gradient.
pub(crate) struct Kick {
    pub(crate) unit: Unit,
    pub(crate) draw: Option<Draw>,
    pub(crate) half: bool,
    pub(crate) glide: bool,
    pub(crate) sizes: Field,
    pub(crate) from: Field,
    pub(crate) grad: Field,
    pub(crate) momentum: Field,
    pub(crate) to: Field,
    pub(crate) squares: Field,
    pub(crate) slope: Field,
}

impl Kernel for Kick {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // SAFETY: the module's promises; `normals` has written all rows that are read.
        unsafe {
            let width = self.unit.vectors() * S::LANES;
            let mut room = Normals(MaybeUninit::uninit());
            let n = normals::<S>(&self.unit, self.draw.as_ref(), &mut room);
            let block = self.unit.block;
            for v in 0..self.unit.vectors() {
                let lane = v * S::LANES;
                let size = S::load(self.sizes.at(block, 0).add(lane));
                let kick = if self.half { S::mul(size, S::splat(-0.5)) } else { S::mul(size, S::splat(-1.0)) };
                let (mut squares, mut slope) = (S::splat(0.0), S::splat(0.0));
                for (i, f) in self.unit.range().enumerate() {
                    let g = S::load(self.grad.at(block, f).add(lane));
                    slope = S::mul_add(g, g, slope);
                    let place = self.momentum.at(block, f).add(lane);
                    let p = match &self.draw {
                        Some(_) => S::load(n.add(i * width + lane)),
                        None => S::load(place),
                    };
                    let after = S::mul_add(kick, g, p);
                    let counted = if self.draw.is_some() { p } else { after };
                    squares = S::mul_add(counted, counted, squares);
                    S::store(place, after);
                    if self.glide {
                        let x = S::load(self.from.at(block, f).add(lane));
                        S::store(self.to.at(block, f).add(lane), S::mul_add(size, after, x));
                    }
                }
                S::store(self.squares.at(block, self.unit.group).add(lane), squares);
                S::store(self.slope.at(block, self.unit.group).add(lane), slope);
            }
        }
    }
}
