//! Who works on what: tiles of chains for each worker, or one tile for all of them.

use super::program::{Program, Term};
use super::small_batch;
use crate::parallel;
use crate::simd::Isa;

/// How the engine uses the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunOptions {
    threads: usize,
    isa: Isa,
}

impl Default for RunOptions {
    /// All cores and the best instructions of this machine.
    fn default() -> Self {
        Self { threads: parallel::available(), isa: Isa::best() }
    }
}

impl RunOptions {
    /// All of this machine's instructions on `threads` threads (at least 1).
    pub fn with_threads(threads: usize) -> Self {
        Self { threads: threads.max(1), ..Self::default() }
    }

    /// Threads.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Instructions.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    #[cfg(test)]
    pub(crate) fn at_isa(threads: usize, isa: Isa) -> Self {
        Self { threads, isa }
    }
}

/// Weights that a core's own cache holds beside a tile's numbers, in bytes.
const CACHE: usize = 700 << 10;
/// Below this a worker has too little to do between two barriers, in multiplications of one evaluation of all chains:
/// the gain would be small, and on a busy machine a worker that has to wait for a core costs many times as much.
const WORTH_MEETING: usize = 200_000;
/// Blocks of chains of one worker's tile.
const BLOCKS: usize = 2;

/// The division of one call's chains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Chains of a tile.
    pub(crate) tile: usize,
    /// Tiles worked on at the same time.
    pub(crate) tiles_at_once: usize,
    /// Workers of each tile.
    pub(crate) team: usize,
}

pub(crate) fn plan(program: &Program, chains: usize, options: &RunOptions) -> Plan {
    let shares = |term: &Term| matches!(term, Term::Custom { energy, .. } if energy.shares());
    if program.terms().iter().any(shares) {
        // It wants all chains at once and all threads for itself.
        let width = 2 * options.isa.lanes();
        return Plan { tile: chains.next_multiple_of(width), tiles_at_once: 1, team: 1 };
    }
    divide(program.products(), 2 * program.products(), chains, options)
}

/// The division for work of so many multiplications a chain and evaluation, with so many packed weights.
pub(crate) fn divide(products: usize, weights: usize, chains: usize, options: &RunOptions) -> Plan {
    let width = 2 * options.isa.lanes();
    let blocks = chains.div_ceil(width);
    let threads = options.threads;
    let alone = |tile_blocks: usize| Plan { tile: tile_blocks * width, tiles_at_once: threads, team: 1 };
    let together = Plan { tile: blocks * width, tiles_at_once: 1, team: threads };
    let small_batch = chains <= small_batch::CHAINS;
    let lanes = if small_batch { chains } else { blocks * width };
    let weights = 4 * weights;
    if threads == 1 {
        return alone(blocks.clamp(1, BLOCKS));
    }
    if blocks < threads {
        let worth = products * lanes.min(8) > WORTH_MEETING;
        return if worth { together } else { alone(1) };
    }
    if weights > CACHE && blocks < BLOCKS * threads {
        return together;
    }
    // As many whole rounds of tiles as needed, all tiles of nearly one size.
    let rounds = blocks.div_ceil(BLOCKS * threads);
    alone(blocks.div_ceil(rounds * threads))
}
