//! Long forecasts: chunk after chunk, each drawn by walking a network's noise levels down, all inside the engine.
//!
//! The steps are those of [`crate::forecast`]'s default model, which is where they are explained.

use super::crew::{Crew, Member};
use super::field::{Arena, Field, Tile};
use super::linear::{Linear, Map};
use super::mlp::{Net, Packed};
use super::moves::{Deal, Unit};
use super::plan::{self, Options};
use crate::error::{Error, Result};
use crate::noise::{Draw, Noise};
use crate::parallel;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// One stop on the way down the noise levels: `x <- keep * x - pull * velocity + push * velocity before + fresh * n`, the
/// velocity taken at this level, the one before at the stop before, `n` standard normal.
#[derive(Debug, Clone, PartialEq)]
pub struct Stop {
    /// What the level adds to the network's first layer, `(H,)`.
    pub shift: Vec<f32>,
    /// Multiplies the coordinates.
    pub keep: f32,
    /// Multiplies the velocity, which is taken away.
    pub pull: f32,
    /// Multiplies the velocity of the stop before, which is added; 0 at the first stop.
    pub push: f32,
    /// Standard deviation of the noise drawn anew, in units of [`Rollout::temperature`].
    pub fresh: f32,
}

/// A model that continues motion of `channels` channels chunk by chunk.
#[derive(Debug, Clone)]
pub struct Rollout {
    /// Channels, `D`.
    pub channels: usize,
    /// Frames of context, `K`, at least 2.
    pub context: usize,
    /// Frames a chunk, `C`.
    pub chunk: usize,
    /// Standard deviation of each channel's difference of neighbouring frames, by which differences are divided.
    pub delta_std: Vec<f32>,
    /// Differences are limited to plus or minus this.
    pub delta_limit: f32,
    /// Features (last frame, `K - 1` differences) to the first layer's part, `(H, K D)`, bias included.
    pub to_first: Arc<Linear>,
    /// Features to the expected chunk less the last frame, `(C D, K D)`.
    pub to_expected: Arc<Linear>,
    /// Coordinates to the chunk's deviation from what is expected, `(C D, C D)`.
    pub to_frames: Arc<Linear>,
    /// The network over the leading coordinates.
    pub network: Arc<Packed>,
    /// Multiplies the network's gradient.
    pub gain: f32,
    /// Scale of the leading coordinates' noise.
    pub temperature: f32,
    /// The levels, noisiest first.
    pub stops: Vec<Stop>,
}

impl Rollout {
    /// Samples of the future of each history, `(B, samples, horizon, D)`, for histories `(B, K, D)`. Sample `s` of history
    /// `b` is chain `b * samples + s` of `noise`, of which each chunk takes one draw and one more for each stop with fresh
    /// noise.
    ///
    /// # Errors
    /// [`Error::Shape`] when the histories are not whole contexts; [`Error::NonFinite`] with the frame at which a chunk is
    /// not finite.
    pub fn run(
        &self,
        histories: &[f32],
        samples: usize,
        horizon: usize,
        noise: &mut Noise,
        options: &Options,
    ) -> Result<Vec<f32>> {
        let row = self.context * self.channels;
        if samples == 0 || histories.is_empty() || !histories.len().is_multiple_of(row) {
            let expected = format!("whole contexts of {row} numbers");
            return Err(Error::Shape { what: "histories to continue", found: vec![histories.len()], expected });
        }
        let chains = histories.len() / row * samples;
        let chunks = horizon.div_ceil(self.chunk);
        let draws: Vec<Draw> = (0..chunks * self.draws()).map(|_| noise.next_draw()).collect();
        let plan = plan::divide(self.network.layers().products(), 2 * self.products(), chains, options);
        let tiles = parallel::map(plan.tiles_at_once, chains.div_ceil(plan.tile), |i| {
            let first = i * plan.tile;
            let tile = Tile { level: options.level(), first, chains: plan.tile.min(chains - first) };
            self.tile(tile, histories, samples, horizon, &draws, plan.crew)
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
        draws: &[Draw],
        crew: usize,
    ) -> Result<Vec<f32>> {
        let (d, width) = (self.channels, self.chunk * self.channels);
        let latent = self.network.layers().inputs();
        let mut arena = Arena::new(tile);
        let roll = Roll {
            model: self,
            tile,
            history: arena.field(self.context * d),
            features: arena.field(self.context * d),
            base: arena.field(self.to_first.outputs()),
            expected: arena.field(width),
            u: arena.field(width),
            velocities: [arena.field(latent), arena.field(latent)],
            parts: arena.field(self.network.parts()),
            frames: arena.field(width),
            to_first: Map::new(&self.to_first, tile, &mut arena),
            to_expected: Map::new(&self.to_expected, tile, &mut arena),
            to_frames: Map::new(&self.to_frames, tile, &mut arena),
            net: Net::over(&self.network, self.gain, tile, &mut arena),
            bad: AtomicUsize::new(usize::MAX),
        };
        for block in 0..tile.blocks() {
            // SAFETY: the crew has not begun; a history holds as many numbers as the field has features.
            unsafe {
                roll.history.put(&tile, block, |chain| histories[chain / samples * self.context * d..].as_ptr());
            }
        }
        let mut out = vec![0f32; tile.chains * horizon * d];
        let sink = Sink(out.as_mut_ptr());
        Crew::run(crew, |member| {
            for (c, draws) in draws.chunks_exact(self.draws()).enumerate() {
                let frames = self.chunk.min(horizon - c * self.chunk);
                // SAFETY: all workers of the crew are here; each writes its own chains' rows of the output.
                unsafe { roll.chunk(&member, draws, sink, c * self.chunk, frames, horizon) };
            }
        });
        match roll.bad.load(Ordering::Relaxed) {
            usize::MAX => Ok(out),
            frame => {
                let what = "forecast of `ebm`".to_string();
                Err(Error::NonFinite { what, value: f64::NAN, step: frame as u64 })
            }
        }
    }
}

/// The tile's part of the answer, `(chains, horizon, D)`.
#[derive(Clone, Copy)]
struct Sink(*mut f32);

// SAFETY: each worker writes its own chains' rows.
unsafe impl Send for Sink {}
// SAFETY: as above.
unsafe impl Sync for Sink {}

/// One tile's chains with all their memory.
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
    bad: AtomicUsize,
}

// SAFETY: the fields' contract; phases hand each part to one worker.
unsafe impl Sync for Roll<'_> {}

impl Roll<'_> {
    /// # Safety
    /// All workers of the crew call it together, `out` has room for the tile, there are [`Rollout::draws`] draws.
    unsafe fn chunk(&self, member: &Member<'_>, draws: &[Draw], out: Sink, at: usize, frames: usize, horizon: usize) {
        let (m, tile) = (self.model, self.tile);
        let width = m.chunk * m.channels;
        let latent = m.network.layers().inputs();
        // SAFETY (all blocks below): each phase hands every part of a field to one worker and ends with a barrier.
        for block in member.share(tile.blocks()) {
            unsafe { self.describe(block) };
        }
        for index in member.share(Unit::count(&tile, width)) {
            let unit = Unit::of(tile, width, index);
            let (draw, scale) = (draws[0], m.temperature);
            tile.level.call(Deal { unit, draw, leading: latent, scale, onto: false, to: self.u });
        }
        member.meet();
        unsafe {
            self.to_first.apply(member, self.features, self.base);
            self.to_expected.apply(member, self.features, self.expected);
        }
        member.meet();
        let mut anew = draws[1..].iter();
        for (i, stop) in m.stops.iter().enumerate() {
            let first = (self.base, stop.shift.as_ptr());
            let (velocity, before) = (self.velocities[i % 2], self.velocities[(i + 1) % 2]);
            unsafe { self.net.evaluate_at(member, first, self.u, self.parts, velocity) };
            member.meet();
            for index in member.share(tile.blocks() * latent) {
                let (block, f) = (index / latent, index % latent);
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
            member.meet();
            if let Some(draw) = (stop.fresh > 0.0).then(|| anew.next()).flatten() {
                for index in member.share(Unit::count(&tile, latent)) {
                    let unit = Unit::of(tile, latent, index);
                    let (draw, scale) = (*draw, m.temperature * stop.fresh);
                    tile.level.call(Deal { unit, draw, leading: latent, scale, onto: true, to: self.u });
                }
                member.meet();
            }
        }
        unsafe { self.to_frames.apply(member, self.u, self.frames) };
        member.meet();
        for block in member.share(tile.blocks()) {
            unsafe { self.append(block, out, at, frames, horizon) };
        }
        member.meet();
    }

    /// Features of a block's histories: the last frame, then the differences of neighbouring frames.
    unsafe fn describe(&self, block: usize) {
        let m = self.model;
        let d = m.channels;
        let last = (m.context - 1) * d;
        let live = self.tile.live(block);
        for i in 0..m.context * d {
            // SAFETY: the block is this worker's.
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
    unsafe fn append(&self, block: usize, out: Sink, at: usize, frames: usize, horizon: usize) {
        let m = self.model;
        let (d, k) = (m.channels, m.context);
        let live = self.tile.live(block);
        // SAFETY: the block's parts of the fields and its chains' rows of the output are this worker's.
        unsafe {
            for frame in 0..m.chunk {
                for c in 0..d {
                    let (to, expected) = (self.frames.at(block, frame * d + c), self.expected.at(block, frame * d + c));
                    let last = self.history.at(block, (k - 1) * d + c);
                    for lane in 0..live {
                        let value = *to.add(lane) + *expected.add(lane) + *last.add(lane);
                        *to.add(lane) = value;
                        if !value.is_finite() {
                            self.bad.fetch_min(at, Ordering::Relaxed);
                        }
                        if frame < frames {
                            let chain = block * self.tile.width() + lane;
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
