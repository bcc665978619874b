//! A program with the memory to be evaluated for one tile of chains.

use super::field::{Arena, Field, Tile};
use super::mlp::Net;
use super::moves::{GROUP, Unit};
use super::plan::{self, RunOptions};
use super::program::{Program, Term, rows_of};
use super::team::{Member, Team};
use super::terms::{Analytic, Settle};
use crate::error::Result;
use crate::parallel;
use std::ops::Range;

/// Energies `(B,)` and their gradients `(B, F)` at `x`, `(B, F)`, whether finite or not. The answer depends neither on
/// the number of threads nor on the other rows.
///
/// # Errors
/// [`crate::Error::Shape`] when `x` does not fit the program.
pub fn evaluate(program: &Program, x: &[f32], options: &RunOptions) -> Result<(Vec<f32>, Vec<f32>)> {
    let width = program.width();
    let rows = rows_of(program, x, "points to evaluate")?;
    let plan = plan::plan(program, rows, options);
    for term in program.terms() {
        if let Term::Network { network, .. } = term {
            network.widen(options.threads());
        }
    }
    let tiles = parallel::map(plan.tiles_at_once, rows.div_ceil(plan.tile), |i| {
        let first = i * plan.tile;
        let tile = Tile { isa: options.isa(), first, chains: plan.tile.min(rows - first) };
        let mut arena = Arena::new(tile);
        let ready = Ready::new(program, tile, true, &mut arena);
        let (at, grad, energy) = (arena.field(width), arena.field(width), arena.field(1));
        // SAFETY: nobody else knows the field yet; `rows_of` has found whole rows of `width` numbers.
        unsafe { at.put_all(&tile, |row| x[row * width..].as_ptr()) };
        Team::run(plan.team, |member| {
            // SAFETY: the fields are this tile's own, and all workers of the team are here.
            unsafe {
                ready.evaluate(&member, at, grad);
                ready.settle(&member, energy);
            }
        });
        let (mut energies, mut grads) = (vec![0.0; tile.chains], vec![0.0; tile.chains * width]);
        let (each, each_width) = (tile.width(), tile.width() * width);
        for (block, (energies, grads)) in energies.chunks_mut(each).zip(grads.chunks_mut(each_width)).enumerate() {
            // SAFETY: the team is done, so nobody writes; the fields are the tile's.
            unsafe {
                energy.get(&tile, block, energies);
                grad.get(&tile, block, grads);
            }
        }
        (energies, grads)
    });
    let (energies, grads): (Vec<_>, Vec<_>) = tiles.into_iter().unzip();
    Ok((energies.concat(), grads.concat()))
}

/// Every term of a program, ready for one tile.
pub(crate) struct Ready<'a> {
    program: &'a Program,
    tile: Tile,
    nets: Vec<Net<'a>>,
    /// Centres of the terms that have one a chain, in lanes.
    centres: Vec<Option<Field>>,
    analytic: bool,
    customs: Vec<Custom>,
    parts: Field,
    count: usize,
    constant: Field,
}

/// Row-major memory of a custom term, for each block apart.
struct Custom {
    term: usize,
    x: *mut f32,
    grad: *mut f32,
    energy: *mut f32,
    scratch: *mut f32,
    scratch_len: usize,
    /// As [`super::TileEnergy::shares`].
    shares: bool,
}

// SAFETY: the contract of fields; each block's part of a custom term's memory is used by the one worker that has the
// block.
unsafe impl Send for Ready<'_> {}
// SAFETY: as above.
unsafe impl Sync for Ready<'_> {}

impl<'a> Ready<'a> {
    /// Takes memory for `tile`. `wide`: products of tiles even for a few chains.
    pub(crate) fn new(program: &'a Program, tile: Tile, wide: bool, arena: &mut Arena) -> Self {
        let mut nets = Vec::new();
        let mut centres = Vec::new();
        let mut customs = Vec::new();
        let mut analytic = false;
        let mut count = 0;
        let constant = arena.field(1);
        let width = program.width();
        for (index, term) in program.terms().iter().enumerate() {
            let mut rows = None;
            match term {
                Term::Network { network, first, factor } => {
                    nets.push(Net::new(network, first, *factor, tile, wide, arena));
                    count += network.parts();
                    add_constant(&tile, constant, |_| factor * network.layers().head_bias);
                }
                Term::Quadratic { centre, .. } => {
                    analytic = true;
                    if centre.count() > 1 {
                        let field = arena.field(width);
                        // SAFETY: nobody else knows the field yet; the program has checked that a row holds `width`
                        // numbers.
                        unsafe { field.put_all(&tile, |chain| centre.row(chain).as_ptr()) };
                        rows = Some(field);
                    }
                }
                Term::Limits { .. } => analytic = true,
                Term::Constant(rows) => add_constant(&tile, constant, |chain| rows.row(chain)[0]),
                Term::Custom { energy, .. } => {
                    let scratch_len = energy.scratch(tile.width());
                    customs.push(Custom {
                        term: index,
                        x: arena.numbers(tile.blocks() * tile.width() * width),
                        grad: arena.numbers(tile.blocks() * tile.width() * width),
                        energy: arena.numbers(tile.blocks() * tile.width()),
                        scratch: arena.numbers(tile.blocks() * scratch_len),
                        scratch_len,
                        shares: energy.shares(),
                    });
                    count += 1;
                }
            }
            centres.push(rows);
        }
        let groups = width.div_ceil(GROUP);
        if analytic {
            count += groups;
        }
        let parts = arena.field(count.max(1));
        Self { program, tile, nets, centres, analytic, customs, parts, count, constant }
    }

    /// Gradient at `x` into `grad`, and the energy's parts, which [`Ready::settle`] adds up. All workers call it
    /// together; on return all of it can be read.
    ///
    /// # Safety
    /// `x` and `grad` are fields of this tile, of the program's width, that no other work uses meanwhile. All workers
    /// of the tile's team call it.
    pub(crate) unsafe fn evaluate(&self, member: &Member<'_>, x: Field, grad: Field) {
        let mut part = 0;
        let mut store = true;
        for net in &self.nets {
            // SAFETY: the caller's word; `parts` has room for the parts of all terms. A barrier follows.
            unsafe { net.evaluate(member, x, self.parts.from(part), grad, store) };
            part += net.parts();
            store = false;
            member.barrier();
        }
        if self.analytic || self.nets.is_empty() {
            for index in member.share(Unit::count(&self.tile, self.program.width())) {
                let unit = Unit::of(self.tile, self.program.width(), index);
                let (terms, centres) = (self.program.terms(), &self.centres[..]);
                let parts = self.parts.from(part);
                if self.analytic {
                    let analytic = Analytic { unit, terms, centres, x, grad, parts, store };
                    // SAFETY: the caller's word; the unit is this worker's, `parts` has room for a part a group.
                    unsafe { self.tile.isa.call(analytic) };
                } else {
                    // SAFETY: the unit is this worker's.
                    unsafe { clear(&unit, grad) };
                }
            }
            if self.analytic {
                part += self.program.width().div_ceil(GROUP);
            }
            member.barrier();
        }
        for custom in &self.customs {
            let part_of = self.parts.from(part);
            if custom.shares {
                // It divides the chains itself.
                if member.leads() {
                    // SAFETY: the caller's word; only the leader works in this phase.
                    unsafe { self.custom(custom, 0..self.tile.blocks(), x, grad, part_of) };
                }
            } else {
                for block in member.share(self.tile.blocks()) {
                    // SAFETY: the caller's word; the block is this worker's.
                    unsafe { self.custom(custom, block..block + 1, x, grad, part_of) };
                }
            }
            part += 1;
            member.barrier();
        }
    }

    /// A custom term of some blocks of chains.
    ///
    /// # Safety
    /// As [`Ready::evaluate`], with `part` of at least one feature; nobody else works on these blocks now.
    unsafe fn custom(&self, custom: &Custom, blocks: Range<usize>, x: Field, grad: Field, part: Field) {
        let Term::Custom { energy, factor } = &self.program.terms()[custom.term] else { return };
        let (width, most) = (self.program.width(), self.tile.width());
        let live: usize = blocks.clone().map(|block| self.tile.live(block)).sum();
        let begin = blocks.start;
        // SAFETY: the blocks' parts of the term's memory, set to zeros when it was made, which only this worker uses
        // now. All blocks but the last are full, so the rows of some lie side by side.
        unsafe {
            let rows = |start: *mut f32, row: usize, len: usize| {
                std::slice::from_raw_parts_mut(start.add(begin * most * row), len)
            };
            let (xs, gs) = (rows(custom.x, width, live * width), rows(custom.grad, width, live * width));
            let es = rows(custom.energy, 1, live);
            let scratch =
                std::slice::from_raw_parts_mut(custom.scratch.add(begin * custom.scratch_len), custom.scratch_len);
            for (block, xs) in blocks.clone().zip(xs.chunks_mut(most * width)) {
                x.get(&self.tile, block, xs);
            }
            gs.fill(0.0);
            es.fill(0.0);
            let first = self.tile.first + begin * most;
            energy.add(first..first + live, xs, *factor, es, gs, scratch);
            for (chain, row) in gs.chunks_exact(width).enumerate() {
                let (block, lane) = (begin + chain / most, chain % most);
                *part.at(block, 0).add(lane) = es[chain];
                for (f, g) in row.iter().enumerate() {
                    *grad.at(block, f).add(lane) += g;
                }
            }
        }
    }

    /// This worker's share of the energies' sums, into `to`. Nobody may read them before [`Member::barrier`].
    ///
    /// # Safety
    /// After [`Ready::evaluate`]; `to` is a field of this tile that no other work uses meanwhile.
    pub(crate) unsafe fn settle(&self, member: &Member<'_>, to: Field) {
        let isa = self.tile.isa;
        let blocks = member.share(self.tile.blocks());
        // SAFETY: the caller's word; the parts are complete, the blocks this worker's.
        unsafe { isa.call(Settle { blocks, from: self.parts, count: self.count, start: self.constant, to }) };
    }
}

fn add_constant(tile: &Tile, field: Field, value: impl Fn(usize) -> f32) {
    for chain in 0..tile.chains {
        let (block, lane) = (chain / tile.width(), chain % tile.width());
        // SAFETY: nobody else knows the field yet; the lane is that of one of the tile's chains.
        unsafe { *field.at(block, 0).add(lane) += value(tile.first + chain) };
    }
}

/// Sets a unit's part of a field to 0.
///
/// # Safety
/// The field is of the unit's tile and has its features; nobody else uses the unit's part of it now.
unsafe fn clear(unit: &Unit, field: Field) {
    for f in unit.range() {
        // SAFETY: the caller's word; a feature of a block has the tile's width of lanes, all set.
        unsafe { std::slice::from_raw_parts_mut(field.at(unit.block, f), unit.tile.width()).fill(0.0) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tests::{numbers, programs, reference};
    use crate::simd::Isa;

    #[test]
    fn energies_and_gradients_are_those_of_the_reference_for_any_number_of_threads() {
        for isa in Isa::available() {
            for rows in [1, 3, 37, 300] {
                for (name, program) in programs(isa, rows) {
                    let width = program.width();
                    let x = numbers(60, rows * width, 0.8);
                    let (energy, grad) = evaluate(&program, &x, &RunOptions::at_isa(1, isa)).unwrap();
                    let what = format!("{isa:?}, {rows} rows, {name}");
                    for threads in [2, 3] {
                        let other = evaluate(&program, &x, &RunOptions::at_isa(threads, isa)).unwrap();
                        assert_eq!((&energy, &grad), (&other.0, &other.1), "{what}: {threads} threads");
                    }
                    assert_eq!((energy.len(), grad.len()), (rows, rows * width), "{what}");
                    for row in [0, rows / 2, rows - 1] {
                        let places = row * width..(row + 1) * width;
                        let at: Vec<f64> = x[places.clone()].iter().map(|v| f64::from(*v)).collect();
                        let expected = reference(&program, row, &at);
                        let near = |a: f32, b: f64| (f64::from(a) - b).abs() < 3e-5 * (1.0 + b.abs());
                        assert!(near(energy[row], expected.0), "{what}: {} for {}", energy[row], expected.0);
                        let all = grad[places].iter().zip(&expected.1);
                        all.for_each(|(a, b)| assert!(near(*a, *b), "{what}: {a} for {b}"));
                    }
                }
            }
        }
    }

    #[test]
    fn a_row_that_is_not_finite_is_said_so_and_leaves_the_others_alone() {
        let (rows, isa) = (37, Isa::best());
        for (name, program) in programs(isa, rows).into_iter().filter(|(name, _)| name.contains("layers")) {
            let width = program.width();
            let mut x = numbers(60, rows * width, 0.8);
            let before = evaluate(&program, &x, &RunOptions::default()).unwrap();
            x[5 * width] = f32::NAN;
            let after = evaluate(&program, &x, &RunOptions::default()).unwrap();
            assert!(after.0[5].is_nan() && after.1[5 * width].is_nan(), "{name}");
            for row in (0..rows).filter(|row| *row != 5) {
                let places = row * width..(row + 1) * width;
                assert_eq!((before.0[row], &before.1[places.clone()]), (after.0[row], &after.1[places]), "{name}");
            }
            let broken = evaluate(&program, &x[1..], &RunOptions::default());
            assert!(matches!(broken, Err(crate::Error::Shape { .. })), "{name}: a broken row");
        }
    }
}
