//! What a rollout's chunk has to be besides likely: observations of its frames, and energies added to the model's.
//!
//! Both move the denoised estimate at every stop, as `ebmotion::sample::diffusion` explains. Here the estimate is one
//! of a chunk's coordinates, what is observed are its frames, and everything that does not change from step to step is
//! computed once.

use super::cholesky::{cholesky, gram, invert_lower};
use super::evaluate::Ready;
use super::field::{Arena, Field, Tile};
use super::layers::Rows;
use super::linear::{Linear, Map};
use super::program::Program;
use super::rollout_parts::{Rollout, RolloutStop};
use super::team::Member;
use crate::error::{Error, Result};
use std::ops::Range;

/// Linear observations of a chunk's frames.
#[derive(Debug, Clone)]
pub struct Observed {
    /// Weights on the chunk's `C D` numbers, frame by frame, `(M, C D)` row-major.
    pub weights: Vec<f64>,
    /// What was observed, `(B, M)` for each history or `(1, M)` for all alike.
    pub values: Rows,
    /// Standard deviation of each observation's noise, `(M,)`; 0 for one that is exact.
    pub std: Vec<f64>,
}

/// An energy of single frames.
#[derive(Debug, Clone)]
pub struct FrameTerm {
    /// Frames of the chunk that it counts for.
    pub frames: Range<usize>,
    /// Over one frame's `D` numbers, in units of its own: `offset + scale * z`.
    pub energy: Program,
    /// No second derivative of the energy in any direction is larger, in its units.
    pub curvature: f64,
    /// `(D,)`.
    pub offset: Vec<f32>,
    /// `(D,)`.
    pub scale: Vec<f32>,
}

/// The conditions of one chunk, ready for the stops of a rollout.
#[derive(Debug)]
pub struct Guide {
    observed: Option<Seen>,
    terms: Vec<FrameTerm>,
    /// Frames to coordinates: the transpose of [`Rollout::to_frames`], without its bias.
    back: Linear,
    /// Steps towards the mode of the energies at each stop.
    steps: usize,
    /// At each stop: the energies' share of a step, the variance left beside them, and the momentum of the steps.
    shares: Vec<[f32; 3]>,
}

#[derive(Debug)]
struct Seen {
    /// Coordinates to what is observed of the frames' deviation from what is expected.
    of_coordinates: Linear,
    /// Frames to what is observed of them.
    of_frames: Linear,
    values: Rows,
    /// At each stop: what is missing to how far the coordinates move.
    gains: Vec<Linear>,
}

impl Guide {
    /// Conditions of one chunk of `rollout`; `steps` lead towards the mode of the energies at each stop.
    ///
    /// # Errors
    /// [`Error::Shape`] when these do not fit the rollout; [`Error::Data`] when exact observations are not independent
    /// or are of what never moves; [`Error::Config`] for a curvature that is not positive.
    pub fn new(rollout: &Rollout, observed: Option<Observed>, terms: Vec<FrameTerm>, steps: usize) -> Result<Self> {
        if steps == 0 {
            return Err(Error::config("steps of conditions", 0, "at least 1"));
        }
        let (d, width) = (rollout.channels, rollout.chunk * rollout.channels);
        let colour =
            |frame: usize, coordinate: usize| f64::from(rollout.to_frames.weight()[frame * width + coordinate]);
        let mut curvature = 0.0;
        for term in &terms {
            let sizes = [term.energy.width(), term.offset.len(), term.scale.len()];
            if term.frames.end > rollout.chunk || sizes != [d; 3] {
                let found = [vec![term.frames.end], sizes.to_vec()].concat();
                let expected = format!("within {} frames, {d} numbers each", rollout.chunk);
                return Err(Error::Shape { what: "frames of an energy", found, expected });
            }
            if !(term.curvature > 0.0 && term.curvature.is_finite()) {
                return Err(Error::config("curvature of an energy", term.curvature, "a positive number"));
            }
            let rows = term.frames.start * d..term.frames.end * d;
            let scaled = |row: usize, c: usize| f64::from(term.scale[row % d]) * colour(row, c);
            curvature += term.curvature * largest(rows, width, scaled);
        }
        let variances: Vec<f64> = rollout.stops.iter().map(|s| 1.0 / (curvature + 1.0 / s.variance)).collect();
        let share = |v: &f64| [(curvature * v) as f32, *v as f32, momentum(curvature * v) as f32];
        let shares = variances.iter().map(share).collect();
        let back: Vec<f32> = (0..width).flat_map(|c| (0..width).map(move |f| colour(f, c) as f32)).collect();
        let observed = observed.map(|seen| Seen::new(rollout, seen, &variances)).transpose()?;
        Ok(Self { observed, terms, back: Linear::new(back, &vec![0.0; width])?, steps, shares })
    }

    /// Checks that it was made for a rollout of this shape and so many histories.
    pub(super) fn check(&self, rollout: &Rollout, histories: usize) -> Result<()> {
        let width = rollout.chunk * rollout.channels;
        let stops = rollout.stops.len();
        if self.back.outputs() != width || self.shares.len() != stops {
            let (found, expected) =
                (vec![self.back.outputs(), self.shares.len()], format!("{width} numbers, {stops} stops"));
            return Err(Error::Shape { what: "guide of a rollout", found, expected });
        }
        match self.observed.as_ref().map(|seen| seen.values.count()) {
            Some(rows) if rows != 1 && rows != histories => {
                let (found, expected) = (vec![rows], format!("1 or {histories} rows, one a history"));
                Err(Error::Shape { what: "observed values", found, expected })
            }
            _ => Ok(()),
        }
    }
}

impl Seen {
    fn new(rollout: &Rollout, seen: Observed, variances: &[f64]) -> Result<Self> {
        let width = rollout.chunk * rollout.channels;
        let count = seen.std.len();
        if count == 0 || seen.weights.len() != count * width || seen.values.width != count {
            let found = vec![seen.weights.len(), seen.values.width, count];
            let expected = format!("{width} weights, a value and a standard deviation each");
            return Err(Error::Shape { what: "observations of a chunk", found, expected });
        }
        let to_frames = rollout.to_frames.weight();
        let mut matrix = vec![0.0; count * width];
        let mut bias = vec![0.0; count];
        for (i, row) in seen.weights.chunks_exact(width).enumerate() {
            for (frame, weight) in row.iter().enumerate().filter(|(_, w)| **w != 0.0) {
                bias[i] += (weight * f64::from(rollout.to_frames.bias()[frame])) as f32;
                let colour = &to_frames[frame * width..(frame + 1) * width];
                matrix[i * width..(i + 1) * width]
                    .iter_mut()
                    .zip(colour)
                    .for_each(|(m, c)| *m += weight * f64::from(*c));
            }
        }
        let f32s = |values: &[f64]| -> Vec<f32> { values.iter().map(|v| *v as f32).collect() };
        let gains = variances.iter().map(|v| Linear::new(f32s(&gain(&matrix, &seen.std, *v)?), &vec![0.0; width]));
        Ok(Self {
            gains: gains.collect::<Result<_>>()?,
            of_coordinates: Linear::new(f32s(&matrix), &bias)?,
            of_frames: Linear::new(f32s(&seen.weights), &vec![0.0; count])?,
            values: seen.values,
        })
    }
}

/// Momentum of steps towards a mode where the energies have this share of the curvature: that of Nesterov's method for
/// strongly convex functions (Nesterov 2004, "Introductory lectures on convex optimization", section 2.2.1).
pub fn momentum(share: f64) -> f64 {
    let root = (1.0 - share).max(0.0).sqrt();
    (1.0 - root) / (1.0 + root)
}

/// The largest eigenvalue of `L^T L` for `rows` of a matrix of `width` columns, by power iteration, rounded up.
pub fn largest(rows: Range<usize>, width: usize, at: impl Fn(usize, usize) -> f64) -> f64 {
    let mut direction: Vec<f64> = (0..width).map(|c| 1.0 + 0.1 * (c as f64).sin()).collect();
    let mut size = 0.0;
    for _ in 0..60 {
        let norm = direction.iter().map(|v| v * v).sum::<f64>().sqrt();
        if norm <= 0.0 {
            return f64::MIN_POSITIVE;
        }
        direction.iter_mut().for_each(|v| *v /= norm);
        let images: Vec<f64> = rows.clone().map(|r| (0..width).map(|c| at(r, c) * direction[c]).sum()).collect();
        size = images.iter().map(|v| v * v).sum::<f64>();
        for (c, to) in direction.iter_mut().enumerate() {
            *to = rows.clone().zip(&images).map(|(r, image)| at(r, c) * image).sum();
        }
    }
    1.05 * size
}

/// Less than this share of its own: an observation that follows from others but for rounding.
const DEPENDENT: f64 = 1e-12;

/// What an estimate moves by for each unit that it misses observations with rows `matrix` `(M, F)` and standard
/// deviations `std` `(M,)`: `C A^T (C A A^T + S)^-1`, `(F, M)`, the gain of the Kalman filter, for data of variance `C`
/// in all directions.
///
/// # Errors
/// [`Error::Data`] when exact observations are not independent.
pub fn gain(matrix: &[f64], std: &[f64], variance: f64) -> Result<Vec<f64>> {
    let count = std.len();
    let width = matrix.len() / count;
    let row = |i: usize| &matrix[i * width..(i + 1) * width];
    let mut spread = vec![0.0; count * count];
    for i in 0..count {
        for j in 0..=i {
            let both = variance * row(i).iter().zip(row(j)).map(|(a, b)| a * b).sum::<f64>();
            let own = if i == j { std[i] * std[i] } else { 0.0 };
            (spread[i * count + j], spread[j * count + i]) = (both + own, both + own);
        }
    }
    let dependent = || Error::data("observations", "some that follow from others", "independent ones, or with noise");
    let factor = cholesky(&spread, count, "observations").map_err(|_| dependent())?;
    // What is left of a row's own spread when the others are known.
    let left = |i: usize| factor[i * count + i].powi(2) / spread[i * count + i];
    if (0..count).any(|i| left(i) < DEPENDENT) {
        return Err(dependent());
    }
    let inverse = gram(&invert_lower(&factor, count), count);
    let mut gain = vec![0.0; width * count];
    for f in 0..width {
        for j in 0..count {
            let sum: f64 = (0..count).map(|i| matrix[i * width + f] * inverse[i * count + j]).sum();
            gain[f * count + j] = variance * sum;
        }
    }
    Ok(gain)
}

/// A guide with the memory to lead one tile.
pub(super) struct Leader<'a> {
    guide: &'a Guide,
    tile: Tile,
    to_frames: Map<'a>,
    back: Map<'a>,
    seen: Option<Watching<'a>>,
    /// One for each term, over a frame's numbers.
    terms: Vec<Ready<'a>>,
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
    /// Of one frame: its numbers and the gradient there.
    frame: Field,
    slope: Field,
}

struct Watching<'a> {
    of_coordinates: Map<'a>,
    of_frames: Map<'a>,
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
            back: Map::new(&guide.back, tile, arena),
            seen,
            terms: guide.terms.iter().map(|term| Ready::new(&term.energy, tile, true, arena)).collect(),
            samples,
            estimate: arena.field(width),
            moved: arena.field(width),
            ahead: arena.field(width),
            frames: arena.field(width),
            pull: arena.field(width),
            to: arena.field(width),
            frame: arena.field(d),
            slope: arena.field(d),
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
        member.barrier();
        // SAFETY: this worker's share of numbers within the fields, complete since the last barrier.
        unsafe {
            self.numbers(member, seen.values.width, |block, m, lane| {
                let chain = self.tile.first + block * self.tile.width() + lane;
                let value = seen.values.row(chain / self.samples)[m];
                *seen.target.at(block, m).add(lane) = value - *seen.missing.at(block, m).add(lane);
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
        for (term, ready) in self.guide.terms.iter().zip(&self.terms) {
            for frame in term.frames.clone() {
                // SAFETY: this worker's share of numbers within the fields, complete since the last barrier.
                unsafe {
                    self.numbers(member, channels, |block, c, lane| {
                        let from = self.frames.at(block, frame * channels + c).add(lane);
                        *self.frame.at(block, c).add(lane) = term.offset[c] + term.scale[c] * *from;
                    });
                }
                member.barrier();
                // SAFETY: both fields are of this tile and of the frame's width, and all workers are here.
                unsafe { ready.evaluate(member, self.frame, self.slope) };
                member.barrier();
                // SAFETY: this worker's share of numbers within the fields, complete since the last barrier.
                unsafe {
                    self.numbers(member, channels, |block, c, lane| {
                        let to = self.pull.at(block, frame * channels + c).add(lane);
                        *to += term.scale[c] * *self.slope.at(block, c).add(lane);
                    });
                }
                member.barrier();
            }
        }
        // SAFETY: the caller's word; what is read is complete since the last barrier.
        unsafe { self.back.apply(member, self.pull, self.to) };
        member.barrier();
    }
}
