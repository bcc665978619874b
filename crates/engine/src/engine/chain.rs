//! Whole chains: every worker runs all steps of its tile.

mod adjusted;
mod kind;

pub use kind::{ChainKind, ChainStart, Finish};

use super::astray::{Astray, First, Quantity};
use super::evaluate::Ready;
use super::field::{Arena, Field, Tile};
use super::moves::{Drift, GROUP, LangevinStep, Unit};
use super::plan::{self, RunOptions};
use super::program::{Program, rows_of};
use super::team::{Member, Team};
use crate::error::{Error, Result};
use crate::noise::{Draw, Noise};
use crate::parallel;

/// Runs chains on the energy that `program` describes.
///
/// The numbers drawn are those that `ebmotion::sample` draws from the same noise, which it advances as far. The answer
/// does not depend on the number of threads.
///
/// # Errors
/// [`Error::Shape`] when the start does not fit the program; [`Error::NonFinite`] naming the step when a chain without
/// an accept rule diverges.
pub fn run(
    program: &Program,
    walk: &ChainKind,
    start: ChainStart<'_>,
    noise: &mut Noise,
    options: &RunOptions,
) -> Result<Finish> {
    let width = program.width();
    let chains = rows_of(program, start.x, "start of chains")?;
    if let Some((energy, grad)) = start.at
        && (energy.len() != chains || grad.len() != start.x.len())
    {
        let (what, expected) = ("gradient at the start of chains", format!("{}", start.x.len()));
        return Err(Error::Shape { what, found: vec![grad.len()], expected });
    }
    let draws: Vec<Draw> = (0..walk.steps() * walk.draws()).map(|_| noise.next_draw()).collect();
    let plan = plan::plan(program, chains, options);
    let tiles = parallel::map(plan.tiles_at_once, chains.div_ceil(plan.tile), |i| {
        let first = i * plan.tile;
        let tile = Tile { isa: options.isa(), first, chains: plan.tile.min(chains - first) };
        let mut arena = Arena::new(tile);
        let ready = Ready::new(program, tile, chains > super::small_batch::CHAINS, &mut arena);
        let run = Run::new(&ready, walk, tile, width, &draws, &mut arena);
        run.begin(start);
        Team::run(plan.team, |member| run.walk(&member, start.at.is_some()));
        run.end()
    });
    let mut finish = Finish {
        x: Vec::with_capacity(chains * width),
        energy: Vec::new(),
        grad: Vec::new(),
        moved: 0.0,
        gradient_norm: 0.0,
        acceptance: None,
    };
    if let Some(first) = tiles.iter().filter_map(|tile| tile.astray).min_by_key(Astray::place) {
        return Err(first.into());
    }
    let mut acceptance = 0.0;
    for tile in tiles {
        finish.x.extend(tile.x);
        finish.energy.extend(tile.energy);
        finish.grad.extend(tile.grad);
        finish.moved += tile.moved;
        finish.gradient_norm += tile.gradient_norm;
        acceptance += tile.acceptance.unwrap_or(0.0);
    }
    let all = (chains * walk.steps().max(1)) as f64;
    finish.moved /= all;
    finish.gradient_norm /= all;
    if !matches!(walk, ChainKind::Langevin(_)) {
        finish.acceptance = Some(acceptance / all);
    } else if let Some(energy) = finish.energy.iter().find(|e| !e.is_finite()) {
        let step = walk.steps().saturating_sub(1) as u64;
        return Err(Error::NonFinite { what: "a chain's energy".into(), value: f64::from(*energy), step });
    }
    Ok(finish)
}

/// One tile's chains with all their memory.
///
/// # Safety
/// The fields are of this tile, in the arena of [`run`], which outlives it. A team goes through [`Run::walk`] together;
/// units and blocks are divided by [`Member::share`], and each phase ends with a barrier: the contract of fields
/// (`field.rs`). Before and after the team there is one thread.
struct Run<'a> {
    ready: &'a Ready<'a>,
    walk: &'a ChainKind,
    tile: Tile,
    width: usize,
    draws: &'a [Draw],
    x: Field,
    grad: Field,
    /// Energies before and after a step, in turns.
    energy: [Field; 2],
    /// Where an accept rule weighs whether to go.
    proposed: Option<Proposal>,
    moved: Field,
    slope: Field,
    tally: Tally,
    astray: First,
}

struct Proposal {
    x: Field,
    grad: Field,
    energy: Field,
    momentum: Field,
    sizes: Field,
    before: Field,
    after: Field,
}

/// Sums over the steps, a number a chain.
struct Tally {
    moved: Field,
    slope: Field,
    norm: Field,
    acceptance: Field,
}

impl<'a> Run<'a> {
    fn new(
        ready: &'a Ready<'a>,
        walk: &'a ChainKind,
        tile: Tile,
        width: usize,
        draws: &'a [Draw],
        arena: &mut Arena,
    ) -> Self {
        let groups = width.div_ceil(GROUP);
        let proposed = match walk {
            ChainKind::Langevin(_) => None,
            ChainKind::Mala { .. } | ChainKind::Hmc { .. } => Some(Proposal {
                x: arena.field(width),
                grad: arena.field(width),
                energy: arena.field(1),
                momentum: arena.field(if matches!(walk, ChainKind::Hmc { .. }) { width } else { 0 }),
                sizes: arena.field(1),
                before: arena.field(groups),
                after: arena.field(groups),
            }),
        };
        Self {
            ready,
            walk,
            tile,
            width,
            draws,
            x: arena.field(width),
            grad: arena.field(width),
            energy: [arena.field(1), arena.field(1)],
            proposed,
            moved: arena.field(groups),
            slope: arena.field(groups),
            tally: Tally {
                moved: arena.field(1),
                slope: arena.field(1),
                norm: arena.field(1),
                acceptance: arena.field(1),
            },
            astray: First::default(),
        }
    }

    fn begin(&self, start: ChainStart<'_>) {
        for block in 0..self.tile.blocks() {
            // SAFETY: the team has not begun; `run` has checked that there are whole rows of as many numbers as the
            // fields have features.
            unsafe {
                self.x.put(&self.tile, block, |chain| start.x[chain * self.width..].as_ptr());
                if let Some((energy, grad)) = start.at {
                    self.grad.put(&self.tile, block, |chain| grad[chain * self.width..].as_ptr());
                    self.energy[0].put(&self.tile, block, |chain| energy[chain..].as_ptr());
                }
            }
        }
    }

    fn walk(&self, member: &Member<'_>, known: bool) {
        if !known {
            // SAFETY: the fields are this run's own, and all workers of the team are here.
            unsafe {
                self.ready.evaluate(member, self.x, self.grad);
                self.ready.settle(member, self.energy[0]);
            }
            member.barrier();
        }
        match self.walk {
            ChainKind::Langevin(steps) => self.langevin(member, steps),
            ChainKind::Mala { step, steps } => self.mala(member, step, *steps),
            ChainKind::Hmc { step, leapfrogs, jitter, steps } => self.hmc(member, *step, *leapfrogs, *jitter, *steps),
        }
    }

    fn units(&self, member: &Member<'_>) -> impl Iterator<Item = Unit> + use<> {
        let (tile, width) = (self.tile, self.width);
        member.share(Unit::count(&tile, width)).map(move |index| Unit::of(tile, width, index))
    }

    fn langevin(&self, member: &Member<'_>, steps: &[LangevinStep]) {
        for (k, step) in steps.iter().enumerate() {
            for unit in self.units(member) {
                let drift = Drift {
                    unit,
                    step: *step,
                    draw: self.draws[k],
                    x: self.x,
                    grad: self.grad,
                    to: self.x,
                    moved: self.moved,
                    slope: self.slope,
                    noise_sq: None,
                };
                // SAFETY: the unit is this worker's, and the gradient complete since the last barrier.
                unsafe { self.tile.isa.call(drift) };
            }
            member.barrier();
            for block in member.share(self.tile.blocks()) {
                self.count(block, k, k > 0);
            }
            // SAFETY: the fields are this run's own, and all workers of the team are here.
            unsafe { self.ready.evaluate(member, self.x, self.grad) };
        }
        if !steps.is_empty() {
            // SAFETY: the last evaluation ended with a barrier; nobody else uses the field before the team is done.
            unsafe { self.ready.settle(member, self.energy[0]) };
            for block in member.share(self.tile.blocks()) {
                self.last_slope(block, steps.len());
            }
        }
    }

    /// Adds a Langevin step's distance, and the gradient's norm before it, to the tally.
    fn count(&self, block: usize, k: usize, slope: bool) {
        for lane in 0..self.tile.live(block) {
            // SAFETY: a barrier has passed since the sums were written; the block's tally is this worker's; the lane is
            // live.
            unsafe {
                let norm = self.sum(self.slope, block, lane).sqrt();
                let moved = self.sum(self.moved, block, lane).sqrt();
                if !norm.is_finite() && k > 0 {
                    self.tell(k - 1, Quantity::GradientNorm, block, lane, norm);
                }
                if !moved.is_finite() {
                    self.tell(k, Quantity::Move, block, lane, moved);
                }
                *self.tally.moved.at(block, 0).add(lane) += moved;
                if slope {
                    *self.tally.slope.at(block, 0).add(lane) += norm;
                }
            }
        }
    }

    /// The norm of the gradient after the last step.
    fn last_slope(&self, block: usize, steps: usize) {
        for lane in 0..self.tile.live(block) {
            // SAFETY: the gradient is complete, the block's tally is this worker's; the lane is live.
            unsafe {
                let square: f32 = (0..self.width).map(|f| *self.grad.at(block, f).add(lane)).map(|g| g * g).sum();
                if !square.is_finite() {
                    self.tell(steps - 1, Quantity::GradientNorm, block, lane, square.sqrt());
                }
                *self.tally.slope.at(block, 0).add(lane) += square.sqrt();
            }
        }
    }

    #[cold]
    fn tell(&self, step: usize, quantity: Quantity, block: usize, lane: usize, value: f32) {
        let chain = self.tile.first + block * self.tile.width() + lane;
        self.astray.tell(Astray { step, quantity, chain, value });
    }

    /// Adds up the sums that each group of features has left of one chain.
    ///
    /// # Safety
    /// The field has a feature a group, and a barrier has passed since its rows were written; the lane is within the
    /// block.
    unsafe fn sum(&self, rows: Field, block: usize, lane: usize) -> f32 {
        // SAFETY: the caller's word.
        (0..self.width.div_ceil(GROUP)).map(|group| unsafe { *rows.at(block, group).add(lane) }).sum()
    }

    fn end(&self) -> Ended {
        let (chains, width) = (self.tile.chains, self.width);
        let mut ended = Ended {
            x: vec![0.0; chains * width],
            grad: vec![0.0; chains * width],
            energy: vec![0.0; chains],
            moved: 0.0,
            gradient_norm: 0.0,
            acceptance: self.proposed.as_ref().map(|_| 0.0),
            astray: self.astray.get(),
        };
        let last = if self.proposed.is_some() { self.walk.steps() % 2 } else { 0 };
        for block in 0..self.tile.blocks() {
            let first = block * self.tile.width();
            let live = self.tile.live(block);
            // SAFETY: the team is done, so nobody writes; the fields are the tile's.
            unsafe {
                self.x.get(&self.tile, block, &mut ended.x[first * width..(first + live) * width]);
                self.grad.get(&self.tile, block, &mut ended.grad[first * width..(first + live) * width]);
                self.energy[last].get(&self.tile, block, &mut ended.energy[first..first + live]);
                for lane in 0..live {
                    ended.moved += f64::from(*self.tally.moved.at(block, 0).add(lane));
                    ended.gradient_norm += f64::from(*self.tally.slope.at(block, 0).add(lane));
                    if let Some(acceptance) = &mut ended.acceptance {
                        *acceptance += f64::from(*self.tally.acceptance.at(block, 0).add(lane));
                    }
                }
            }
        }
        ended
    }
}

struct Ended {
    x: Vec<f32>,
    energy: Vec<f32>,
    grad: Vec<f32>,
    moved: f64,
    gradient_norm: f64,
    acceptance: Option<f64>,
    astray: Option<Astray>,
}
