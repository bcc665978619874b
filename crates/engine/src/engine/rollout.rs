//! Long forecasts: chunk after chunk, each drawn by walking a network's noise levels down, all inside the engine.
//!
//! The steps are those of `ebmotion::forecast`'s default model, which is where they are explained.

use super::astray::{Astray, First, Quantity};
use super::field::{Arena, Field, Tile};
use super::guide::Guide;
use super::leader::{Leader, Led};
use super::linear::{Linear, Map};
use super::mlp::Net;
use super::moves::{Deal, Unit};
use super::plan::{self, RunOptions};
use super::rollout_parts::Rollout;
use super::team::{Member, Team};
use crate::error::{Error, Result};
use crate::noise::{Draw, Noise};
use crate::parallel;

impl Rollout {
    /// Samples of the future of each history, `(B, samples, horizon, D)`, for histories `(B, K, D)`. Sample `s` of
    /// history `b` is chain `b * samples + s` of `noise`. Each chunk takes one draw of it, and one more for each stop
    /// with fresh noise.
    ///
    /// # Errors
    /// [`Error::Shape`] when the model's parts do not fit each other, or the histories are not whole contexts;
    /// [`Error::NonFinite`] with the frame at which a chunk is not finite.
    pub fn run(
        &self,
        histories: &[f32],
        samples: usize,
        horizon: usize,
        noise: &mut Noise,
        options: &RunOptions,
    ) -> Result<Vec<f32>> {
        self.run_guided(histories, samples, horizon, &[], noise, options)
    }

    /// As [`Rollout::run`], chunk `c` under the conditions `guides[c]` where there are some.
    ///
    /// # Errors
    /// As [`Rollout::run`]; [`Error::Shape`] for a guide of another rollout's shape.
    pub fn run_guided(
        &self,
        histories: &[f32],
        samples: usize,
        horizon: usize,
        guides: &[Option<Guide>],
        noise: &mut Noise,
        options: &RunOptions,
    ) -> Result<Vec<f32>> {
        self.check()?;
        let row = self.context * self.channels;
        if samples == 0 || histories.is_empty() || !histories.len().is_multiple_of(row) {
            let expected = format!("whole contexts of {row} numbers");
            return Err(Error::Shape { what: "histories to continue", found: vec![histories.len()], expected });
        }
        guides.iter().flatten().try_for_each(|guide| guide.check(self, histories.len() / row))?;
        let chains = histories.len() / row * samples;
        let chunks = horizon.div_ceil(self.chunk);
        let draws: Vec<Draw> = (0..chunks * self.draws()).map(|_| noise.next_draw()).collect();
        let mut plan = plan::divide(self.network.layers().products(), 2 * self.products(), chains, options);
        if guides.iter().flatten().any(|guide| !guide.terms.is_empty()) {
            // Energies of frames are too little work between two barriers.
            plan.team = 1;
        }
        let tiles = parallel::map(plan.tiles_at_once, chains.div_ceil(plan.tile), |i| {
            let first = i * plan.tile;
            let tile = Tile { isa: options.isa(), first, chains: plan.tile.min(chains - first) };
            self.tile(tile, histories, samples, horizon, (&draws, guides), plan.team)
        });
        let mut all = Vec::with_capacity(chains * horizon * self.channels);
        for tile in tiles {
            all.extend(tile?);
        }
        Ok(all)
    }

    /// Draws of a chunk: what it starts from, and the fresh noise of its stops.
    fn draws(&self) -> usize {
        1 + self.stops.iter().filter(|s| s.fresh > 0.0).count()
    }

    /// Multiplications by all matrices, to plan with.
    fn products(&self) -> usize {
        let linear = |l: &Linear| l.inputs() * l.outputs();
        linear(&self.to_first) + linear(&self.to_expected) + linear(&self.to_frames) + self.network.layers().products()
    }

    fn tile(
        &self,
        tile: Tile,
        histories: &[f32],
        samples: usize,
        horizon: usize,
        (draws, guides): (&[Draw], &[Option<Guide>]),
        team: usize,
    ) -> Result<Vec<f32>> {
        let (d, width) = (self.channels, self.chunk * self.channels);
        let latent = self.network.layers().inputs();
        let mut arena = Arena::new(tile);
        // Conditions move all coordinates, the network only the leading ones.
        let moving = if guides.iter().any(Option::is_some) { width } else { latent };
        let roll = Roll {
            model: self,
            tile,
            history: arena.field(self.context * d),
            features: arena.field(self.context * d),
            base: arena.field(self.to_first.outputs()),
            expected: arena.field(width),
            u: arena.field(width),
            velocities: [arena.field(moving), arena.field(moving)],
            parts: arena.field(self.network.parts()),
            frames: arena.field(width),
            to_first: Map::new(&self.to_first, tile, &mut arena),
            to_expected: Map::new(&self.to_expected, tile, &mut arena),
            to_frames: Map::new(&self.to_frames, tile, &mut arena),
            net: Net::over(&self.network, self.gain, tile, &mut arena),
            leaders: guides
                .iter()
                .map(|guide| guide.as_ref().map(|guide| Leader::new(guide, self, samples, tile, &mut arena)))
                .collect(),
            astray: First::default(),
        };
        for block in 0..tile.blocks() {
            // SAFETY: the team has not begun; `run` has found whole contexts, of as many numbers as the field has
            // features.
            unsafe {
                roll.history.put(&tile, block, |chain| histories[chain / samples * self.context * d..].as_ptr());
            }
        }
        let mut out = vec![0f32; tile.chains * horizon * d];
        let sink = Sink(out.as_mut_ptr());
        Team::run(team, |member| {
            for (c, draws) in draws.chunks_exact(self.draws()).enumerate() {
                let frames = self.chunk.min(horizon - c * self.chunk);
                // SAFETY: all workers of the team are here; the output has `horizon` frames for each of the tile's
                // chains.
                unsafe { roll.chunk(&member, draws, sink, c * self.chunk, frames, horizon) };
            }
        });
        match roll.astray.get() {
            None => Ok(out),
            Some(first) => Err(first.into()),
        }
    }
}

/// The tile's part of the answer, `(chains, horizon, D)`.
#[derive(Clone, Copy)]
struct Sink(*mut f32);

// SAFETY: each worker writes the rows of its own chains, and nobody reads before the team is done.
unsafe impl Send for Sink {}
// SAFETY: as above.
unsafe impl Sync for Sink {}

/// One tile's chains with all their memory.
///
/// # Safety
/// The fields are of this tile, in the arena of [`Rollout::tile`], which outlives it; [`Rollout::check`] has compared
/// all shapes. Work is divided by [`Member::share`], and each phase ends with a barrier: the contract of fields
/// (`field.rs`).
struct Roll<'a> {
    model: &'a Rollout,
    tile: Tile,
    history: Field,
    features: Field,
    base: Field,
    expected: Field,
    u: Field,
    /// Of the stop at hand and the one before, in turns.
    velocities: [Field; 2],
    parts: Field,
    frames: Field,
    to_first: Map<'a>,
    to_expected: Map<'a>,
    to_frames: Map<'a>,
    net: Net<'a>,
    /// Of each chunk, as far as chunks have conditions.
    leaders: Vec<Option<Leader<'a>>>,
    astray: First,
}

// SAFETY: the contract of fields; what else it holds may be shared.
unsafe impl Sync for Roll<'_> {}

impl Roll<'_> {
    /// Draws one chunk and appends it.
    ///
    /// # Safety
    /// All workers of the team call it together. `out` is the tile's, `(chains, horizon, D)`, and has `frames` frames
    /// from `at` on; there are [`Rollout::draws`] draws.
    #[expect(clippy::too_many_lines, reason = "a chunk phase by phase, a barrier after each")]
    unsafe fn chunk(&self, member: &Member<'_>, draws: &[Draw], out: Sink, at: usize, frames: usize, horizon: usize) {
        let (m, tile) = (self.model, self.tile);
        let width = m.chunk * m.channels;
        let latent = m.network.layers().inputs();
        for block in member.share(tile.blocks()) {
            // SAFETY: the block is this worker's.
            unsafe { self.describe(block) };
        }
        for index in member.share(Unit::count(&tile, width)) {
            let unit = Unit::of(tile, width, index);
            let (draw, scale) = (draws[0], m.temperature);
            // SAFETY: the unit is this worker's.
            unsafe { tile.isa.call(Deal { unit, draw, leading: latent, scale, onto: false, to: self.u }) };
        }
        member.barrier();
        // SAFETY: the features are complete since the barrier; shapes were checked.
        unsafe {
            self.to_first.apply(member, self.features, self.base);
            self.to_expected.apply(member, self.features, self.expected);
        }
        member.barrier();
        let sizes = (m.channels, m.context);
        let led = |velocity| Led { u: self.u, velocity, expected: self.expected, history: self.history };
        let leader = self.leaders.get(at / m.chunk).and_then(Option::as_ref);
        if let Some(leader) = leader {
            // SAFETY: the expectation is complete since the barrier; the fields are of this tile.
            unsafe { leader.aim(member, led(self.velocities[0]), sizes) };
        }
        let moving = if leader.is_some() { width } else { latent };
        let mut anew = draws[1..].iter();
        for (i, stop) in m.stops.iter().enumerate() {
            let first = (self.base, stop.shift.as_ptr());
            let (velocity, before) = (self.velocities[i % 2], self.velocities[(i + 1) % 2]);
            // SAFETY: `u` and `base` are complete since the last barrier, and nobody else uses the others; shapes were
            // checked.
            unsafe { self.net.evaluate_at(member, first, self.u, self.parts, velocity) };
            member.barrier();
            if let Some(leader) = leader {
                let last = i + 1 == m.stops.len();
                // SAFETY: `aim` was called in this chunk; the velocity is complete since the barrier.
                unsafe { leader.lead(member, led(velocity), (i, stop), (latent, last), sizes) };
                if last {
                    break;
                }
            }
            for index in member.share(tile.blocks() * moving) {
                let (block, f) = (index / moving, index % moving);
                // SAFETY: this feature of the block is this worker's; the velocities are complete since the last
                // barrier, or (before the first stop) zeros.
                unsafe {
                    let (u, v, b) = (self.u.at(block, f), velocity.at(block, f), before.at(block, f));
                    for lane in 0..tile.live(block) {
                        *u.add(lane) = stop.keep * *u.add(lane) - stop.pull * *v.add(lane);
                        if stop.push != 0.0 {
                            *u.add(lane) += stop.push * *b.add(lane);
                        }
                    }
                }
            }
            member.barrier();
            if let Some(draw) = (stop.fresh > 0.0).then(|| anew.next()).flatten() {
                for index in member.share(Unit::count(&tile, moving)) {
                    let unit = Unit::of(tile, moving, index);
                    let (draw, scale) = (*draw, m.temperature * stop.fresh);
                    // SAFETY: the unit is this worker's.
                    unsafe { tile.isa.call(Deal { unit, draw, leading: moving, scale, onto: true, to: self.u }) };
                }
                member.barrier();
            }
        }
        // SAFETY: `u` is complete since the last barrier; shapes were checked.
        unsafe { self.to_frames.apply(member, self.u, self.frames) };
        member.barrier();
        for block in member.share(tile.blocks()) {
            // SAFETY: the block is this worker's; frames and expectation are complete; the caller's word for the
            // output.
            unsafe { self.append(block, out, at, frames, horizon) };
        }
        member.barrier();
    }

    /// Features of a block's histories: the last frame, then the differences of neighbouring frames.
    ///
    /// # Safety
    /// Nobody else uses the block now.
    unsafe fn describe(&self, block: usize) {
        let m = self.model;
        let d = m.channels;
        let last = (m.context - 1) * d;
        let live = self.tile.live(block);
        for i in 0..m.context * d {
            // SAFETY: the caller's word; `i` and what is read beside it are features of both fields, lanes those of
            // live chains.
            unsafe {
                let to = self.features.at(block, i);
                if i < d {
                    to.copy_from_nonoverlapping(self.history.at(block, last + i), live);
                    continue;
                }
                let (before, after) = (self.history.at(block, i - d), self.history.at(block, i));
                for lane in 0..live {
                    let delta = (*after.add(lane) - *before.add(lane)) / m.delta_std[i % d];
                    *to.add(lane) = delta.clamp(-m.delta_limit, m.delta_limit);
                }
            }
        }
    }

    /// The chunk's frames to the output, and the history moved on.
    ///
    /// # Safety
    /// As [`Roll::chunk`]; nobody else uses the block now.
    unsafe fn append(&self, block: usize, out: Sink, at: usize, frames: usize, horizon: usize) {
        let m = self.model;
        let (d, k) = (m.channels, m.context);
        let live = self.tile.live(block);
        // SAFETY: the caller's word: the block's parts of the fields and its chains' rows of the output are this
        // worker's. A frame of the history is copied from a later one or from another field, so the two do not overlap.
        unsafe {
            for frame in 0..m.chunk {
                for c in 0..d {
                    let (to, expected) = (self.frames.at(block, frame * d + c), self.expected.at(block, frame * d + c));
                    let last = self.history.at(block, (k - 1) * d + c);
                    for lane in 0..live {
                        let value = *to.add(lane) + *expected.add(lane) + *last.add(lane);
                        *to.add(lane) = value;
                        let chain = block * self.tile.width() + lane;
                        if !value.is_finite() {
                            let chain = self.tile.first + chain;
                            self.astray.tell(Astray { step: at, quantity: Quantity::Frame, chain, value });
                        }
                        if frame < frames {
                            *out.0.add((chain * horizon + at + frame) * d + c) = value;
                        }
                    }
                }
            }
            for frame in 0..k {
                for c in 0..d {
                    let from = match frame + m.chunk < k {
                        true => self.history.at(block, (frame + m.chunk) * d + c),
                        false => self.frames.at(block, (frame + m.chunk - k) * d + c),
                    };
                    self.history.at(block, frame * d + c).copy_from_nonoverlapping(from, self.tile.width());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::rollout_parts::RolloutStop;
    use super::*;
    use crate::engine::tests::{network, numbers};
    use crate::engine::{Isa, Nonlinearity};
    use std::sync::Arc;

    /// Two channels, contexts of three frames, chunks of two; a network over three of the four coordinates.
    fn rollout() -> Rollout {
        let linear = |outputs: usize, inputs: usize| {
            Arc::new(Linear::new(numbers(70, outputs * inputs, 0.2), &numbers(71, outputs, 0.2)).unwrap())
        };
        let shift = numbers(72, 9, 0.2);
        let (scale, slope, variance) = (0.9, 0.1, 0.01);
        let stop = RolloutStop { shift, keep: 0.9, pull: 0.1, push: 0.0, fresh: 0.0, scale, slope, variance };
        Rollout {
            channels: 2,
            context: 3,
            chunk: 2,
            delta_std: vec![1.0; 2],
            delta_limit: 4.0,
            to_first: linear(9, 6),
            to_expected: linear(4, 6),
            to_frames: linear(4, 4),
            network: network(Isa::best(), &[3, 9, 7], Nonlinearity::Swish, &[]),
            gain: 1.0,
            temperature: 1.0,
            stops: vec![stop],
        }
    }

    #[test]
    fn parts_that_do_not_fit_each_other_are_refused() {
        let run = |rollout: &Rollout| {
            rollout.run(&numbers(73, 12, 1.0), 5, 7, &mut Noise::new(1), &RunOptions::with_threads(1))
        };
        assert_eq!(run(&rollout()).unwrap().len(), 2 * 5 * 7 * 2);
        let changes: [fn(&mut Rollout); 7] = [
            |r| r.chunk = 0,
            |r| r.channels = 1,
            |r| r.delta_std.truncate(1),
            |r| r.to_first = Arc::clone(&r.to_frames),
            |r| r.to_expected = Arc::clone(&r.to_frames),
            |r| r.to_frames = Arc::clone(&r.to_expected),
            |r| r.stops[0].shift.truncate(8),
        ];
        for (i, change) in changes.into_iter().enumerate() {
            let mut other = rollout();
            change(&mut other);
            assert!(matches!(run(&other), Err(Error::Shape { .. })), "change {i}");
        }
    }
}
