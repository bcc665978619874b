//! What leads a tile's chains by a [`Guide`], stop after stop.

use super::evaluate::Ready;
use super::field::{Arena, Field, Tile};
use super::guide::Guide;
use super::layers::Rows;
use super::linear::Map;
use super::rollout_parts::{Rollout, RolloutStop};
use super::team::Member;

/// A guide with the memory to lead one tile.
pub(super) struct Leader<'a> {
    guide: &'a Guide,
    tile: Tile,
    to_frames: Map<'a>,
    back: Option<Map<'a>>,
    seen: Option<Watching<'a>>,
    terms: Vec<Felt<'a>>,
    /// Chains of a history.
    samples: usize,
    /// Of the chunk, in coordinates: the denoised estimate, where it is moved to, and that with momentum.
    estimate: Field,
    moved: Field,
    ahead: Field,
    /// The frames ahead, and the energies' gradient in them.
    frames: Field,
    pull: Field,
    /// The energies' gradient in the coordinates, then the step against it.
    to: Field,
}

/// A term with what it reads, the numbers of some frames, and its gradient there.
struct Felt<'a> {
    energy: Ready<'a>,
    frames: Field,
    slope: Field,
}

struct Watching<'a> {
    of_coordinates: Map<'a>,
    of_frames: Map<'a>,
    /// With what is observed of the context.
    of_context: Option<(Map<'a>, Field)>,
    gains: Vec<Map<'a>>,
    values: &'a Rows,
    /// What the coordinates' part has to be, what it is, and how far that moves them.
    target: Field,
    missing: Field,
    shift: Field,
}

/// The parts of a chunk's state that a leader reads and writes.
#[derive(Clone, Copy)]
pub(super) struct Led {
    /// Coordinates of the chunk, all of them.
    pub(super) u: Field,
    /// The network's velocity over the leading ones; here it becomes that of all of them, with the conditions' part.
    pub(super) velocity: Field,
    /// The expected chunk less the last frame, and the history, whose last frame that is.
    pub(super) expected: Field,
    pub(super) history: Field,
}

impl<'a> Leader<'a> {
    pub(super) fn new(guide: &'a Guide, rollout: &'a Rollout, samples: usize, tile: Tile, arena: &mut Arena) -> Self {
        let (d, width) = (rollout.channels, rollout.chunk * rollout.channels);
        let seen = guide.observed.as_ref().map(|seen| Watching {
            of_coordinates: Map::new(&seen.of_coordinates, tile, arena),
            of_frames: Map::new(&seen.of_frames, tile, arena),
            of_context: seen.of_context.as_ref().map(|map| (Map::new(map, tile, arena), arena.field(map.outputs()))),
            gains: seen.gains.iter().map(|gain| Map::new(gain, tile, arena)).collect(),
            values: &seen.values,
            target: arena.field(seen.values.width),
            missing: arena.field(seen.values.width),
            shift: arena.field(width),
        });
        Self {
            guide,
            tile,
            to_frames: Map::new(&rollout.to_frames, tile, arena),
            back: guide.back.as_ref().map(|back| Map::new(back, tile, arena)),
            seen,
            terms: guide
                .terms
                .iter()
                .map(|term| Felt {
                    energy: Ready::new(&term.energy, tile, true, arena),
                    frames: arena.field(term.span * d),
                    slope: arena.field(term.span * d),
                })
                .collect(),
            samples,
            estimate: arena.field(width),
            moved: arena.field(width),
            ahead: arena.field(width),
            frames: arena.field(width),
            pull: arena.field(width),
            to: arena.field(width),
        }
    }

    /// Every number of a field, for this worker's share of blocks and features.
    ///
    /// # Safety
    /// As `each` asks of the fields that it touches; nobody else touches this worker's share meanwhile.
    unsafe fn numbers(&self, member: &Member<'_>, features: usize, each: impl Fn(usize, usize, usize)) {
        for index in member.share(self.tile.blocks() * features) {
            let (block, f) = (index / features, index % features);
            (0..self.tile.live(block)).for_each(|lane| each(block, f, lane));
        }
    }

    /// What the observed frames' deviations have to be in this chunk, now that its expectation is known.
    ///
    /// # Safety
    /// All workers call it together; the fields of `led` are complete and of this leader's tile.
    pub(super) unsafe fn aim(&self, member: &Member<'_>, led: Led, (channels, context): (usize, usize)) {
        let Some(seen) = &self.seen else { return };
        let width = self.frames.features;
        // SAFETY: this worker's share of numbers within the fields, complete since the last barrier.
        unsafe {
            self.numbers(member, width, |block, f, lane| {
                let last = led.history.at(block, (context - 1) * channels + f % channels).add(lane);
                *self.frames.at(block, f).add(lane) = *led.expected.at(block, f).add(lane) + *last;
            });
        }
        member.barrier();
        // SAFETY: the caller's word; what is read is complete since the last barrier.
        unsafe { seen.of_frames.apply(member, self.frames, seen.missing) };
        if let Some((map, known)) = &seen.of_context {
            // SAFETY: as above.
            unsafe { map.apply(member, led.history, *known) };
        }
        member.barrier();
        // SAFETY: this worker's share of numbers within the fields, complete since the last barrier.
        unsafe {
            self.numbers(member, seen.values.width, |block, m, lane| {
                let chain = self.tile.first + block * self.tile.width() + lane;
                let value = seen.values.row(chain / self.samples)[m];
                let known = seen.of_context.as_ref().map_or(0.0, |(_, known)| *known.at(block, m).add(lane));
                *seen.target.at(block, m).add(lane) = value - known - *seen.missing.at(block, m).add(lane);
            });
        }
        member.barrier();
    }

    /// Moves the denoised estimate of a stop to where the conditions want it, and the velocity with it. At the `last`
    /// stop coordinates beyond the leading `latent` ones are no longer scaled, as without conditions, and `u` becomes
    /// the estimate.
    ///
    /// # Safety
    /// As [`Leader::aim`], which was called before in this chunk; `velocity` is complete over the leading coordinates.
    #[expect(clippy::too_many_lines, reason = "a stop phase by phase, a barrier after each")]
    pub(super) unsafe fn lead(
        &self,
        member: &Member<'_>,
        led: Led,
        (index, stop): (usize, &RolloutStop),
        (latent, last): (usize, bool),
        (channels, context): (usize, usize),
    ) {
        let width = self.estimate.features;
        let [share, variance, momentum] = self.guide.shares[index];
        // SAFETY: this worker's share of numbers within the fields, complete since the last barrier.
        unsafe {
            self.numbers(member, width, |block, f, lane| {
                let u = *led.u.at(block, f).add(lane);
                let velocity = led.velocity.at(block, f).add(lane);
                if f >= latent {
                    *velocity = 0.0;
                }
                let scale = if last && f >= latent { 1.0 } else { stop.scale };
                let estimate = scale * u - stop.slope * *velocity;
                for field in [self.estimate, self.moved, self.ahead, self.to] {
                    *field.at(block, f).add(lane) = estimate;
                }
            });
        }
        member.barrier();
        for _ in 0..if self.terms.is_empty() { 1 } else { self.guide.steps } {
            if !self.terms.is_empty() {
                // SAFETY: as this function's.
                unsafe { self.descend(member, led, (channels, context)) };
                // SAFETY: this worker's share of numbers within the fields, complete since the last barrier.
                unsafe {
                    self.numbers(member, width, |block, f, lane| {
                        let to = self.to.at(block, f).add(lane);
                        let estimate = *self.estimate.at(block, f).add(lane);
                        let ahead = *self.ahead.at(block, f).add(lane);
                        *to = (1.0 - share) * estimate + share * ahead - variance * *to;
                    });
                }
                member.barrier();
            }
            if let Some(seen) = &self.seen {
                // SAFETY: the caller's word; what is read is complete since the last barrier.
                unsafe { seen.of_coordinates.apply(member, self.to, seen.missing) };
                member.barrier();
                // SAFETY: this worker's share of numbers within the fields, complete since the last barrier.
                unsafe {
                    self.numbers(member, seen.values.width, |block, m, lane| {
                        let missing = seen.missing.at(block, m).add(lane);
                        *missing = *seen.target.at(block, m).add(lane) - *missing;
                    });
                }
                member.barrier();
                // SAFETY: the caller's word; what is read is complete since the last barrier.
                unsafe { seen.gains[index].apply(member, seen.missing, seen.shift) };
                member.barrier();
            }
            // SAFETY: this worker's share of numbers within the fields, complete since the last barrier.
            unsafe {
                self.numbers(member, width, |block, f, lane| {
                    let shift = self.seen.as_ref().map_or(0.0, |seen| *seen.shift.at(block, f).add(lane));
                    let moved = self.moved.at(block, f).add(lane);
                    let to = *self.to.at(block, f).add(lane) + shift;
                    *self.ahead.at(block, f).add(lane) = to + momentum * (to - *moved);
                    *moved = to;
                });
            }
            member.barrier();
        }
        // SAFETY: this worker's share of numbers within the fields, complete since the last barrier.
        unsafe {
            self.numbers(member, width, |block, f, lane| {
                let moved = *self.moved.at(block, f).add(lane);
                let away = moved - *self.estimate.at(block, f).add(lane);
                *led.velocity.at(block, f).add(lane) -= away / stop.slope;
                if last {
                    *led.u.at(block, f).add(lane) = moved;
                }
            });
        }
        member.barrier();
    }

    /// The energies' gradient in the coordinates, at the estimate as far as it is moved.
    ///
    /// # Safety
    /// As [`Leader::lead`].
    unsafe fn descend(&self, member: &Member<'_>, led: Led, (channels, context): (usize, usize)) {
        let width = self.frames.features;
        // SAFETY: this worker's share of numbers within the fields, complete since the last barrier.
        unsafe { self.to_frames.apply(member, self.ahead, self.frames) };
        member.barrier();
        // SAFETY: this worker's share of numbers within the fields, complete since the last barrier.
        unsafe {
            self.numbers(member, width, |block, f, lane| {
                let last = led.history.at(block, (context - 1) * channels + f % channels).add(lane);
                *self.frames.at(block, f).add(lane) += *led.expected.at(block, f).add(lane) + *last;
                *self.pull.at(block, f).add(lane) = 0.0;
            });
        }
        member.barrier();
        for (term, felt) in self.guide.terms.iter().zip(&self.terms) {
            for frame in term.frames.clone() {
                // The place of each number that the term reads: beyond the context in the chunk.
                let first = (context + frame + 1 - term.span) * channels;
                let chunk = context * channels;
                // SAFETY: this worker's share of numbers within the fields, complete since the last barrier.
                unsafe {
                    self.numbers(member, term.span * channels, |block, i, lane| {
                        let (at, c) = (first + i, i % channels);
                        let from = match at.checked_sub(chunk) {
                            Some(at) => self.frames.at(block, at),
                            None => led.history.at(block, at),
                        };
                        *felt.frames.at(block, i).add(lane) = term.offset[c] + term.scale[c] * *from.add(lane);
                    });
                }
                member.barrier();
                // SAFETY: both fields are of this tile and as wide as the term's program, and all workers are here.
                unsafe { felt.energy.evaluate(member, felt.frames, felt.slope) };
                member.barrier();
                // SAFETY: this worker's share of numbers within the fields, complete since the last barrier.
                unsafe {
                    self.numbers(member, term.span * channels, |block, i, lane| {
                        let Some(at) = (first + i).checked_sub(chunk) else { return };
                        let to = self.pull.at(block, at).add(lane);
                        *to += term.scale[i % channels] * *felt.slope.at(block, i).add(lane);
                    });
                }
                member.barrier();
            }
        }
        if let Some(back) = &self.back {
            // SAFETY: the caller's word; what is read is complete since the last barrier.
            unsafe { back.apply(member, self.pull, self.to) };
        }
        member.barrier();
    }
}
