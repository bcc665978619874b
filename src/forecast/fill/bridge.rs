//! Chunks laid one after the other over a stretch of motion of which some cells are missing, or seen with noise.
//!
//! A chunk's whitened coordinates are an affine function of its frames and of the frames before it. So all coordinates
//! `U` of the chunks are an affine function of the unknown cells, `U = U_0 + P (x - x_0)`: known cells, before and
//! after, confine `U` to a plane. The prior being standard normal, its part within the plane is standard normal too,
//! about the plane's point nearest to 0: that is the Gaussian conditional of the autoregression given all that is
//! known, which a Kalman smoother computes. (Least squares by the Cholesky factor of the normal equations: Golub and
//! Van Loan, "Matrix Computations", 4th ed., section 5.3.2.)
//!
//! A cell that was seen as `y` with normal noise of deviation `s` is unknown, and its noise `(y - x) / s` is one more
//! coordinate, standard normal as the others are.

use super::super::ResidualCoordinates;
use super::super::baseline::DELTA_LIMIT;
use crate::error::{Error, Result};
use candle_core::{Device, Tensor};
use nalgebra::DMatrix;

/// The plane of chunks that agree with what is known, for one pattern of unknown cells.
#[derive(Debug, Clone)]
pub(super) struct Bridge<'a> {
    pub(super) coordinates: &'a ResidualCoordinates,
    /// Frames of context and of a chunk, channels, chunks.
    pub(super) sizes: [usize; 4],
    /// The unknown ones of the cells `(K + m C, D)`, by their number, rising.
    pub(super) unknown: Vec<usize>,
    /// Whether each of those cells is missing, and not only seen with noise.
    missing: Vec<bool>,
    /// `(m C D + N, M)`: an orthonormal basis of the plane's directions; `N` of the `M` unknown cells were seen.
    pub(super) basis: Tensor,
    /// The same as rows, `(M, m C D + N)`.
    pub(super) basis_rows: Tensor,
    /// `(M, M)`: steps along the basis, as rows, to changes of the unknown cells.
    pub(super) to_cells: Tensor,
    /// `(C D, C D)`: residual to coordinates.
    whitening: DMatrix<f64>,
    exact: Exact,
}

/// The basis and the transpose of `to_cells` with all digits.
#[derive(Debug, Clone)]
struct Exact {
    basis: DMatrix<f64>,
    to_cells: DMatrix<f64>,
}

impl<'a> Bridge<'a> {
    /// For frames `(K + m C, D)` whose cells were seen with noise of these deviations, z-scored: 0 for a cell that is
    /// known, infinite for one that is missing.
    ///
    /// # Errors
    /// [`Error::Data`] where the unknown cells do not follow from the coordinates.
    pub(super) fn new(coordinates: &'a ResidualCoordinates, noise: &[f64]) -> Result<Self> {
        let fit = coordinates.fit();
        let (k, c, d) = (fit.context(), fit.chunk(), fit.channels());
        let chunks = (noise.len() / d - k) / c;
        let unknown: Vec<usize> = (0..noise.len()).filter(|i| noise[*i] > 0.0).collect();
        let seen: Vec<usize> = (0..unknown.len()).filter(|i| noise[unknown[*i]].is_finite()).collect();
        let whitening = coordinates.whitening();
        let of_context = &whitening * effect(coordinates);
        let mut to_coordinates = DMatrix::zeros(chunks * c * d + seen.len(), unknown.len());
        for (column, cell) in unknown.iter().enumerate() {
            let frame = cell / d;
            for chunk in 0..chunks {
                let (first, rows) = (chunk * c, chunk * c * d);
                let mut to = to_coordinates.view_mut((rows, column), (c * d, 1));
                if (first + k..first + k + c).contains(&frame) {
                    to.copy_from(&whitening.column(cell - (first + k) * d));
                } else if (first..first + k).contains(&frame) {
                    to.copy_from(&-of_context.column(cell - first * d));
                }
            }
        }
        for (row, column) in seen.iter().enumerate() {
            to_coordinates[(chunks * c * d + row, *column)] = -1.0 / noise[unknown[*column]];
        }
        let normal = to_coordinates.transpose() * &to_coordinates;
        let dependent = || Error::data("missing cells", "some that the chunks do not tell", "a fitted autoregression");
        let lower = normal.cholesky().ok_or_else(dependent)?.unpack();
        let whole = DMatrix::identity(unknown.len(), unknown.len());
        let inverse = lower.solve_lower_triangular(&whole).ok_or_else(dependent)?;
        let to_cells = inverse.transpose();
        let basis = to_coordinates * &to_cells;
        let basis_rows = by_columns(&basis)?;
        Ok(Self {
            coordinates,
            sizes: [k, c, d, chunks],
            missing: unknown.iter().map(|cell| noise[*cell].is_infinite()).collect(),
            unknown,
            basis: basis_rows.t()?.contiguous()?,
            basis_rows,
            to_cells: by_columns(&to_cells)?,
            whitening,
            exact: Exact { basis, to_cells },
        })
    }

    /// The plane's point nearest to 0, `(m C D + N,)`, and the unknown cells there, `(M,)`, for z-scored frames
    /// `(K + m C, D)`. What stands in missing cells does not matter.
    pub(super) fn centre(&self, frames: &[f32]) -> (Vec<f64>, Vec<f64>) {
        let Exact { basis, to_cells } = &self.exact;
        let mut start: Vec<f64> = frames.iter().map(|v| f64::from(*v)).collect();
        self.bridge_linearly(&mut start);
        // Where an unknown cell is as it was seen, its noise is 0.
        let mut at = self.coordinates_of(&start);
        at.resize(basis.nrows(), 0.0);
        let at = DMatrix::from_vec(basis.nrows(), 1, at);
        let along = basis.tr_mul(&at);
        let centre = at - basis * &along;
        let change = to_cells * along;
        let cells = self.unknown.iter().zip(change.iter()).map(|(cell, by)| start[*cell] - by).collect();
        (centre.as_slice().to_vec(), cells)
    }

    /// Variance of each unknown cell by the autoregression, `(M,)`.
    pub(super) fn variances(&self) -> Vec<f64> {
        self.exact.to_cells.row_iter().map(|row| row.norm_squared()).collect()
    }

    /// Which of `cells` cells are unknown; of these, only the missing ones with `but_seen`.
    fn mask(&self, cells: usize, but_seen: bool) -> Vec<bool> {
        let mut mask = vec![false; cells];
        self.unknown.iter().zip(&self.missing).for_each(|(cell, missing)| mask[*cell] = *missing || !but_seen);
        mask
    }

    /// Puts the straight line between the values around into missing cells, before the first and after the last of a
    /// channel its nearest value, where there is none at all 0: a start that loses no digits.
    fn bridge_linearly(&self, frames: &mut [f64]) {
        let d = self.sizes[2];
        let missing = self.mask(frames.len(), true);
        for channel in 0..d {
            let cells = || (channel..frames.len()).step_by(d);
            let there: Vec<usize> = cells().filter(|cell| !missing[*cell]).collect();
            for cell in cells().filter(|cell| missing[*cell]).collect::<Vec<_>>() {
                let after = there.partition_point(|at| *at < cell);
                let before = after.checked_sub(1).map(|at| there[at]);
                frames[cell] = match (before, there.get(after)) {
                    (None, None) => 0.0,
                    (Some(only), None) => frames[only],
                    (None, Some(only)) => frames[*only],
                    (Some(before), Some(after)) => {
                        let share = (cell - before) as f64 / (after - before) as f64;
                        frames[before] + share * (frames[*after] - frames[before])
                    }
                };
            }
        }
    }

    /// Coordinates `(m C D,)` of frames `(K + m C, D)`.
    fn coordinates_of(&self, frames: &[f64]) -> Vec<f64> {
        let [k, c, d, chunks] = self.sizes;
        let unknown = self.mask(frames.len(), false);
        let fit = self.coordinates.fit();
        let width = c * d;
        let mut all = Vec::with_capacity(chunks * width);
        for chunk in 0..chunks {
            let window = &frames[chunk * c * d..(chunk * c + k + c) * d];
            let unknown = &unknown[chunk * c * d..];
            let (history, future) = window.split_at(k * d);
            let last = &history[(k - 1) * d..];
            let mut residual: Vec<f64> = future.iter().enumerate().map(|(i, v)| v - last[i % d]).collect();
            let mut take = |feature: usize, value: f64| {
                let row = &fit.coefficients()[feature * width..(feature + 1) * width];
                residual.iter_mut().zip(row).for_each(|(r, b)| *r -= value * b);
            };
            (0..d).for_each(|i| take(i, last[i]));
            for i in 0..(k - 1) * d {
                let delta = (history[i + d] - history[i]) / f64::from(fit.delta_std()[i % d]);
                // A glitch in what is known counts as the model has learned it; what is unknown stays affine.
                let limit = f64::from(DELTA_LIMIT);
                let delta = if unknown[i] || unknown[i + d] { delta } else { delta.clamp(-limit, limit) };
                take(d + i, delta);
            }
            take(k * d, 1.0);
            residual.iter_mut().zip(fit.residual_mean()).for_each(|(r, mean)| *r -= mean);
            let residual = DMatrix::from_vec(width, 1, residual);
            all.extend_from_slice((&self.whitening * residual).as_slice());
        }
        all
    }
}

/// A tensor with a row for each of the matrix's columns.
fn by_columns(matrix: &DMatrix<f64>) -> Result<Tensor> {
    let values: Vec<f32> = matrix.as_slice().iter().map(|v| *v as f32).collect();
    Ok(Tensor::from_vec(values, (matrix.ncols(), matrix.nrows()), &Device::Cpu)?)
}

/// What a change of the context's frames `(K, D)` adds to the expected chunk, `(C D, K D)`.
pub(in crate::forecast) fn effect(coordinates: &ResidualCoordinates) -> DMatrix<f64> {
    let fit = coordinates.fit();
    let (k, d, width) = (fit.context(), fit.channels(), fit.target_width());
    let coefficient = |feature: usize, out: usize| fit.coefficients()[feature * width + out];
    let mut effect = DMatrix::zeros(width, k * d);
    for out in 0..width {
        for channel in 0..d {
            effect[(out, (k - 1) * d + channel)] = coefficient(channel, out);
        }
        effect[(out, (k - 1) * d + out % d)] += 1.0;
        for i in 0..(k - 1) * d {
            let by = coefficient(d + i, out) / f64::from(fit.delta_std()[i % d]);
            effect[(out, i + d)] += by;
            effect[(out, i)] -= by;
        }
    }
    effect
}
