//! What a rollout's chunk has to be besides likely: observations of its frames, and energies added to the model's.
//!
//! Both move the denoised estimate at every stop, as `ebmotion::sample::diffusion` explains. Here the estimate is one
//! of a chunk's coordinates, what is observed are its frames, and everything that does not change from step to step is
//! computed once.

use super::estimate::{gains, largest, momentum};
use super::layers::Rows;
use super::linear::Linear;
use super::program::Program;
use super::rollout_parts::Rollout;
use crate::error::{Error, Result};
use std::ops::Range;

/// Linear observations of a chunk's frames.
#[derive(Debug, Clone)]
pub struct Observed {
    /// Weights on the chunk's `C D` numbers, frame by frame, `(M, C D)` row-major.
    pub weights: Vec<f64>,
    /// Weights on the `K D` numbers of the context before it, `(M, K D)`; empty where there are none.
    pub before: Vec<f64>,
    /// What was observed, `(B, M)` for each history or `(1, M)` for all alike.
    pub values: Rows,
    /// Standard deviation of each observation's noise, `(M,)`; 0 for one that is exact.
    pub std: Vec<f64>,
}

/// An energy of each frame, or of each frame with some before it.
#[derive(Debug, Clone)]
pub struct FrameTerm {
    /// Frames of the chunk that it counts for.
    pub frames: Range<usize>,
    /// Frames that it reads, in order of time, of which the last is the one that it counts for; at least 1. Those
    /// before the chunk are the context's.
    pub span: usize,
    /// Over the `span * D` numbers of these frames, in units of its own: `offset + scale * z`.
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
    pub(super) observed: Option<Seen>,
    pub(super) terms: Vec<FrameTerm>,
    /// Frames to coordinates, where there are energies: the transpose of [`Rollout::to_frames`], without its bias.
    pub(super) back: Option<Linear>,
    /// Numbers of a chunk.
    width: usize,
    /// Steps towards the mode of the energies at each stop.
    pub(super) steps: usize,
    /// At each stop: the energies' share of a step, the variance left beside them, and the momentum of the steps.
    pub(super) shares: Vec<[f32; 3]>,
}

#[derive(Debug)]
pub(super) struct Seen {
    /// Coordinates to what is observed of the frames' deviation from what is expected.
    pub(super) of_coordinates: Linear,
    /// Frames to what is observed of them.
    pub(super) of_frames: Linear,
    /// The same of the context.
    pub(super) of_context: Option<Linear>,
    pub(super) values: Rows,
    /// At each stop: what is missing to how far the coordinates move.
    pub(super) gains: Vec<Linear>,
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
            let spans = (1..=rollout.context + 1).contains(&term.span);
            if term.frames.end > rollout.chunk || !spans || sizes != [term.span * d, d, d] {
                let found = [vec![term.frames.end, term.span], sizes.to_vec()].concat();
                let expected = format!("within {} frames and the context before, {d} numbers each", rollout.chunk);
                return Err(Error::Shape { what: "frames of an energy", found, expected });
            }
            if !(term.curvature > 0.0 && term.curvature.is_finite()) {
                return Err(Error::config("curvature of an energy", term.curvature, "a positive number"));
            }
            let first = (term.frames.start + 1).saturating_sub(term.span);
            let rows = first * d..term.frames.end * d;
            let scaled = |row: usize, c: usize| f64::from(term.scale[row % d]) * colour(row, c);
            // A frame is in as many windows as one spans.
            curvature += term.span as f64 * term.curvature * largest(rows, width, scaled);
        }
        let variances: Vec<f64> = rollout.stops.iter().map(|s| 1.0 / (curvature + 1.0 / s.variance)).collect();
        let share = |v: &f64| [(curvature * v) as f32, *v as f32, momentum(curvature * v) as f32];
        let shares = variances.iter().map(share).collect();
        let back = match terms.is_empty() {
            true => None,
            false => {
                let rows = (0..width).flat_map(|c| (0..width).map(move |f| colour(f, c) as f32)).collect();
                Some(Linear::new(rows, &vec![0.0; width])?)
            }
        };
        let observed = observed.map(|seen| Seen::new(rollout, seen, &variances)).transpose()?;
        Ok(Self { observed, terms, back, width, steps, shares })
    }

    /// Checks that it was made for a rollout of this shape and so many histories.
    pub(super) fn check(&self, rollout: &Rollout, histories: usize) -> Result<()> {
        let width = rollout.chunk * rollout.channels;
        let stops = rollout.stops.len();
        if self.width != width || self.shares.len() != stops {
            let (found, expected) = (vec![self.width, self.shares.len()], format!("{width} numbers, {stops} stops"));
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
        let before = count * rollout.context * rollout.channels;
        let fits = seen.before.is_empty() || seen.before.len() == before;
        if count == 0 || seen.weights.len() != count * width || seen.values.width != count || !fits {
            let found = vec![seen.weights.len(), seen.before.len(), seen.values.width, count];
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
        let gains = gains(&matrix, &seen.std, variances)?;
        let gains = gains.iter().map(|gain| Linear::new(f32s(gain), &vec![0.0; width]));
        let none = vec![0.0; count];
        let of_context = match seen.before.is_empty() {
            true => None,
            false => Some(Linear::new(f32s(&seen.before), &none)?),
        };
        Ok(Self {
            gains: gains.collect::<Result<_>>()?,
            of_coordinates: Linear::new(f32s(&matrix), &bias)?,
            of_frames: Linear::new(f32s(&seen.weights), &none)?,
            of_context,
            values: seen.values,
        })
    }
}
