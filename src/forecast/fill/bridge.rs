//! Chunks laid one after the other over a stretch of motion of which some cells are missing.
//!
//! A chunk's whitened coordinates are an affine function of its frames and of the frames before it. So all coordinates
//! `U` of the chunks are an affine function of the missing cells, `U = U_0 + P (x - x_0)`: known cells, before and
//! after, confine `U` to a plane. The prior being standard normal, its part within the plane is standard normal too,
//! about the plane's point nearest to 0: that is the Gaussian conditional of the autoregression given all that is
//! known, which a Kalman smoother computes. (Least squares by the Cholesky factor of the normal equations: Golub and
//! Van Loan, "Matrix Computations", 4th ed., section 5.3.2.)

use super::super::ResidualCoordinates;
use super::super::baseline::DELTA_LIMIT;
use crate::error::{Error, Result};
use candle_core::{Device, Tensor};
use nalgebra::DMatrix;

/// The plane of chunks that agree with what is known, for one pattern of missing cells.
#[derive(Debug, Clone)]
pub(super) struct Bridge<'a> {
    pub(super) coordinates: &'a ResidualCoordinates,
    /// Frames of context and of a chunk, channels, chunks.
    pub(super) sizes: [usize; 4],
    /// The missing ones of the cells `(K + m C, D)`, by their number, rising.
    pub(super) missing: Vec<usize>,
    /// `(m C D, M)`: an orthonormal basis of the plane's directions.
    pub(super) basis: Tensor,
    /// The same as rows, `(M, m C D)`.
    pub(super) basis_rows: Tensor,
    /// `(M, M)`: steps along the basis, as rows, to changes of the missing cells.
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
    /// For frames `(K + m C, D)` of which those cells are missing that are not `known`; the first `K` frames are known.
    ///
    /// # Errors
    /// [`Error::Data`] where the missing cells do not follow from the coordinates.
    pub(super) fn new(coordinates: &'a ResidualCoordinates, known: &[bool]) -> Result<Self> {
        let fit = coordinates.fit();
        let (k, c, d) = (fit.context(), fit.chunk(), fit.channels());
        let chunks = (known.len() / d - k) / c;
        let missing: Vec<usize> = (0..known.len()).filter(|i| !known[*i]).collect();
        let whitening = coordinates.whitening();
        let of_context = &whitening * effect(coordinates);
        let mut to_coordinates = DMatrix::zeros(chunks * c * d, missing.len());
        for (column, cell) in missing.iter().enumerate() {
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
        let normal = to_coordinates.tr_mul(&to_coordinates);
        let dependent = || Error::data("missing cells", "some that the chunks do not tell", "a fitted autoregression");
        let lower = normal.cholesky().ok_or_else(dependent)?.unpack();
        let whole = DMatrix::identity(missing.len(), missing.len());
        let inverse = lower.solve_lower_triangular(&whole).ok_or_else(dependent)?;
        let to_cells = inverse.transpose();
        let basis = to_coordinates * &to_cells;
        let basis_rows = by_columns(&basis)?;
        Ok(Self {
            coordinates,
            sizes: [k, c, d, chunks],
            missing,
            basis: basis_rows.t()?.contiguous()?,
            basis_rows,
            to_cells: by_columns(&to_cells)?,
            whitening,
            exact: Exact { basis, to_cells },
        })
    }

    /// The plane's point nearest to 0, `(m C D,)`, and the missing cells there, `(M,)`, for z-scored frames
    /// `(K + m C, D)`. What stands in missing cells does not matter.
    pub(super) fn centre(&self, frames: &[f32]) -> (Vec<f64>, Vec<f64>) {
        let Exact { basis, to_cells } = &self.exact;
        let mut start: Vec<f64> = frames.iter().map(|v| f64::from(*v)).collect();
        self.bridge_linearly(&mut start);
        let at = DMatrix::from_vec(basis.nrows(), 1, self.coordinates_of(&start));
        let along = basis.tr_mul(&at);
        let centre = at - basis * &along;
        let change = to_cells * along;
        let cells = self.missing.iter().zip(change.iter()).map(|(cell, by)| start[*cell] - by).collect();
        (centre.as_slice().to_vec(), cells)
    }

    /// Whether each of `cells` cells is missing.
    fn mask(&self, cells: usize) -> Vec<bool> {
        let mut missing = vec![false; cells];
        self.missing.iter().for_each(|cell| missing[*cell] = true);
        missing
    }

    /// Puts the straight line between the known values around into missing cells: a start that loses no digits.
    fn bridge_linearly(&self, frames: &mut [f64]) {
        let d = self.sizes[2];
        let missing = self.mask(frames.len());
        for channel in 0..d {
            let known: Vec<usize> = (channel..frames.len()).step_by(d).filter(|cell| !missing[*cell]).collect();
            for cell in self.missing.iter().filter(|cell| **cell % d == channel) {
                let after = known.partition_point(|at| at < cell);
                let before = known[after - 1];
                frames[*cell] = match known.get(after) {
                    None => frames[before],
                    Some(after) => {
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
        let missing = self.mask(frames.len());
        let fit = self.coordinates.fit();
        let width = c * d;
        let mut all = Vec::with_capacity(chunks * width);
        for chunk in 0..chunks {
            let window = &frames[chunk * c * d..(chunk * c + k + c) * d];
            let missing = &missing[chunk * c * d..];
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
                // A glitch in what is known counts as the model has learned it; what is missing stays affine.
                let limit = f64::from(DELTA_LIMIT);
                let delta = if missing[i] || missing[i + d] { delta } else { delta.clamp(-limit, limit) };
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
