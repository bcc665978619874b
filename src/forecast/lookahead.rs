//! What observations of later chunks say of the chunks before them.
//!
//! Under the autoregression a chunk's frames are an affine function of its context `h` and of its standard normal
//! coordinates `u`: `f = E h + e + S u`. So an observation of the chunk is also a linear observation of its context,
//! with the normal noise that `S u` adds. From the last chunk to the first, each hands what was observed of it and
//! later to the chunk that its context lies in (the backward information filter of two-filter smoothing: Fraser and
//! Potter 1969, "The optimum linear smoother as a combination of two optimum linear filters"). A chunk that is drawn
//! given these rows, after the chunks before it, is drawn from the exact conditional where the model is the
//! autoregression; where a network bends it, each chunk still heads for what lies ahead, and the chunk observed meets
//! it.

use super::ResidualCoordinates;
use super::fill::effect;
use super::observation::Observation;
use crate::error::{Error, Result};
use candle_core::DType;
use nalgebra::DMatrix;

/// What is observed of one chunk, its own observations and those that stand for later chunks.
#[derive(Debug)]
pub(super) struct Seen {
    /// Weights on the context's frames, `(M, K D)`, and on the chunk's, `(M, C D)`.
    pub(super) before: DMatrix<f64>,
    pub(super) frames: DMatrix<f64>,
    /// `(M, B)` for each history, or `(M, 1)` for all alike.
    pub(super) values: DMatrix<f64>,
    /// `(M,)`
    pub(super) std: Vec<f64>,
}

/// What is observed of each of `chunks` chunks of z-scored frames. `values` `(N, B)` stand in the place of the
/// observations' own where each history has others.
///
/// # Errors
/// [`Error::Data`] for exact observations that are not independent, or of what never moves.
pub(super) fn seen(
    coordinates: &ResidualCoordinates,
    observations: &[Observation],
    values: Option<&DMatrix<f64>>,
    chunks: usize,
) -> Result<Vec<Option<Seen>>> {
    let fit = coordinates.fit();
    let (k, c, d) = (fit.context(), fit.chunk(), fit.channels());
    let of = |chunk: usize| own(observations, values, chunk, [k, c, d]);
    let last = observations.iter().flat_map(|o| &o.summands).map(|s| s.0 / c).max();
    let mut all: Vec<Option<Seen>> = (0..chunks).map(|_| None).collect();
    let Some(last) = last.filter(|last| *last < chunks) else { return Ok(all) };
    let chunk = if last > 0 { Some(Affine::of(coordinates)?) } else { None };
    let mut later: Option<Message> = None;
    for at in (0..=last).rev() {
        let here = match later {
            Some(message) => of(at).with(message, [k, c, d]),
            None => of(at),
        };
        later = match &chunk {
            Some(chunk) if at > 0 => Some(here.of_context(chunk)?),
            _ => None,
        };
        all[at] = Some(here);
    }
    Ok(all)
}

/// Rows of weights on a chunk's context and on the chunk, for the observations whose last frame lies in it.
fn own(observations: &[Observation], values: Option<&DMatrix<f64>>, chunk: usize, [k, c, d]: [usize; 3]) -> Seen {
    let last = |o: &Observation| o.summands.iter().map(|s| s.0).max().unwrap_or(0);
    let here: Vec<usize> = (0..observations.len()).filter(|i| last(&observations[*i]) / c == chunk).collect();
    let mut before = DMatrix::zeros(here.len(), k * d);
    let mut frames = DMatrix::zeros(here.len(), c * d);
    for (row, i) in here.iter().enumerate() {
        for (frame, channel, weight) in &observations[*i].summands {
            // Counted from the context's first frame; `ForecastConditions::check` refuses what lies before.
            match (frame + k - chunk * c).checked_sub(k) {
                Some(frame) => frames[(row, frame * d + channel)] += weight,
                None => before[(row, (frame + k - chunk * c) * d + channel)] += weight,
            }
        }
    }
    let values = match values {
        Some(values) => DMatrix::from_fn(here.len(), values.ncols(), |row, b| values[(here[row], b)]),
        None => DMatrix::from_fn(here.len(), 1, |row, _| observations[here[row]].value),
    };
    Seen { before, frames, values, std: here.iter().map(|i| observations[*i].std).collect() }
}

/// Observations of a context's frames, `(M, K D)` and `(M, B)`, with noise of standard deviation 1.
struct Message {
    weights: DMatrix<f64>,
    values: DMatrix<f64>,
}

/// A chunk's frames by its context and coordinates, `E h + e + S u`.
struct Affine {
    /// `(C D, K D)`, `(C D, 1)` and `(C D, C D)`.
    of_context: DMatrix<f64>,
    constant: DMatrix<f64>,
    of_coordinates: DMatrix<f64>,
}

impl Affine {
    fn of(coordinates: &ResidualCoordinates) -> Result<Self> {
        let fit = coordinates.fit();
        let width = fit.target_width();
        let (mean, colour) = coordinates.colouring();
        let (_, expected) = coordinates.expect(&vec![0.0; fit.context() * fit.channels()])?;
        let constant: Vec<f64> = (expected + mean)?.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?;
        let colour: Vec<f64> = colour.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?;
        Ok(Self {
            of_context: effect(coordinates),
            constant: DMatrix::from_vec(width, 1, constant),
            of_coordinates: DMatrix::from_vec(width, width, colour),
        })
    }
}

impl Seen {
    /// With what later chunks say of the frames before them.
    fn with(self, later: Message, [k, c, d]: [usize; 3]) -> Self {
        let (own, more) = (self.std.len(), later.weights.nrows());
        // The next chunk's context are the last `K` of context and chunk.
        let whole = DMatrix::from_fn(more, (k + c) * d, |row, i| match i.checked_sub(c * d) {
            Some(i) => later.weights[(row, i)],
            None => 0.0,
        });
        let stacked = |above: &DMatrix<f64>, below: &DMatrix<f64>| {
            DMatrix::from_fn(own + more, above.ncols(), |row, i| match row.checked_sub(own) {
                Some(row) => below[(row, i)],
                None => above[(row, i)],
            })
        };
        Self {
            before: stacked(&self.before, &whole.columns(0, k * d).into_owned()),
            frames: stacked(&self.frames, &whole.columns(k * d, c * d).into_owned()),
            values: stacked(&self.values, &later.values),
            std: self.std.into_iter().chain(std::iter::repeat_n(1.0, more)).collect(),
        }
    }

    /// What this says of the context alone: rows in units of the noise that the chunk's coordinates add, and no more of
    /// them than the context has numbers.
    fn of_context(&self, chunk: &Affine) -> Result<Message> {
        let weights = &self.before + &self.frames * &chunk.of_context;
        let missing = &self.frames * &chunk.constant;
        let values =
            DMatrix::from_fn(self.values.nrows(), self.values.ncols(), |row, b| self.values[(row, b)] - missing[row]);
        let by = &self.frames * &chunk.of_coordinates;
        let mut noise = &by * by.transpose();
        self.std.iter().enumerate().for_each(|(i, std)| noise[(i, i)] += std * std);
        let dependent =
            || Error::data("observations", "some that follow from others", "independent ones, or with noise");
        let lower = noise.cholesky().ok_or_else(dependent)?.unpack();
        let in_units = |m: &DMatrix<f64>| lower.solve_lower_triangular(m).ok_or_else(dependent);
        let (weights, values) = (in_units(&weights)?, in_units(&values)?);
        if weights.nrows() <= weights.ncols() {
            return Ok(Message { weights, values });
        }
        let factors = weights.qr();
        Ok(Message { values: factors.q().tr_mul(&values), weights: factors.r() })
    }
}
