//! A Gaussian over some frames of all channels, and what it says of one channel given the others.

use crate::error::{Error, Result};
use nalgebra::{DMatrix, DVector};

/// Mean and covariance (row-major) of rows.
pub(super) type Moments = (Vec<f64>, Vec<f64>);

/// Mean and precision of rows of `frames` x `channels` numbers, frame by frame.
#[derive(Debug, Clone)]
pub(super) struct Gaussian {
    channels: usize,
    mean: Vec<f64>,
    precision: DMatrix<f64>,
    /// Of each channel, the covariance of its frames given all other channels: the inverse of its block of the
    /// precision.
    conditional: Vec<DMatrix<f64>>,
}

/// Each channel of `d` with every one before it.
pub(super) fn pairs(d: usize) -> impl Iterator<Item = (usize, usize)> {
    (1..d).flat_map(|a| (0..a).map(move |b| (a, b)))
}

impl Gaussian {
    /// From mean and covariance (row-major); `ridge` is what is added to the diagonal, as a share of its mean, so that
    /// channels that move as one can be inverted.
    pub(super) fn new(channels: usize, mean: &[f64], covariance: &[f64], ridge: f64) -> Result<Self> {
        let width = mean.len();
        let mut matrix = DMatrix::from_row_slice(width, width, covariance);
        let add = (ridge * matrix.trace() / width as f64).max(f64::MIN_POSITIVE);
        (0..width).for_each(|i| matrix[(i, i)] += add);
        let singular = || Error::data("covariance of the anomaly scores", "a singular matrix", "channels that move");
        let inverse = |m: DMatrix<f64>| m.cholesky().map(|c| c.inverse()).ok_or_else(singular);
        let precision = inverse(matrix)?;
        let frames = width / channels;
        let block = |c: usize| DMatrix::from_fn(frames, frames, |i, j| precision[(i * channels + c, j * channels + c)]);
        let conditional = (0..channels).map(|c| inverse(block(c))).collect::<Result<_>>()?;
        Ok(Self { channels, mean: mean.to_vec(), precision, conditional })
    }

    /// Mean and covariance (divisor `N`) of rows.
    pub(super) fn moments(rows: &[f64], width: usize) -> (Vec<f64>, Vec<f64>) {
        let n = (rows.len() / width) as f64;
        let mut mean = vec![0.0; width];
        rows.chunks_exact(width).for_each(|row| mean.iter_mut().zip(row).for_each(|(m, v)| *m += v / n));
        let mut covariance = DMatrix::zeros(width, width);
        for block in rows.chunks(width * 1024) {
            let mut z = DMatrix::from_column_slice(width, block.len() / width, block);
            z.column_iter_mut().for_each(|mut c| c.iter_mut().zip(&mean).for_each(|(v, m)| *v -= m));
            covariance.gemm(1.0 / n, &z, &z.transpose(), 1.0);
        }
        (mean, covariance.as_slice().to_vec())
    }

    /// Squared Mahalanobis distance of each row.
    pub(super) fn distances(&self, rows: &[f64]) -> Vec<f64> {
        let (centred, weighted) = self.weighted(rows);
        centred.column_iter().zip(weighted.column_iter()).map(|(a, b)| a.dot(&b)).collect()
    }

    /// `(N, D)`: squared Mahalanobis distance of each channel's frames from what all other channels make of them
    /// (the conditional of a Gaussian: deviation `P_jj^-1 (P x)_j`, covariance `P_jj^-1`; Bishop, "Pattern Recognition
    /// and Machine Learning", 2006, eq. 2.73 and 2.75). Sums of such terms are Besag's pseudo-likelihood (1975).
    pub(super) fn given_others(&self, rows: &[f64]) -> Vec<f64> {
        let (_, weighted) = self.weighted(rows);
        let mut distances = Vec::with_capacity(weighted.ncols() * self.channels);
        for column in weighted.column_iter() {
            for (c, covariance) in self.conditional.iter().enumerate() {
                let own =
                    DVector::from_iterator(covariance.nrows(), column.iter().skip(c).step_by(self.channels).copied());
                distances.push(own.dot(&(covariance * &own)));
            }
        }
        distances
    }

    /// `(N, 1 + D (D - 1) / 2)`: squared distance of each row, and what it is when two channels are exchanged, the
    /// others being as they are, in the order of [`pairs`].
    pub(super) fn exchanged(&self, rows: &[f64]) -> Vec<f64> {
        let (centred, weighted) = self.weighted(rows);
        let (d, frames) = (self.channels, self.mean.len() / self.channels);
        let p = |i: usize, c: usize, j: usize, e: usize| self.precision[(i * d + c, j * d + e)];
        // Of the difference that is added to one of the two and taken from the other.
        let curvature = |a: usize, b: usize| {
            DMatrix::from_fn(frames, frames, |i, j| p(i, a, j, a) + p(i, b, j, b) - p(i, a, j, b) - p(i, b, j, a))
        };
        let curvatures: Vec<_> = pairs(d).map(|(a, b)| (a, b, curvature(a, b))).collect();
        let mut distances = Vec::with_capacity(weighted.ncols() * (1 + curvatures.len()));
        let columns = centred.column_iter().zip(weighted.column_iter());
        for (row, (centred, weighted)) in rows.chunks_exact(self.mean.len()).zip(columns) {
            let recorded = centred.dot(&weighted);
            distances.push(recorded);
            for (a, b, curvature) in &curvatures {
                let change = DVector::from_fn(frames, |t, _| row[t * d + b] - row[t * d + a]);
                let slope = DVector::from_fn(frames, |t, _| weighted[t * d + a] - weighted[t * d + b]);
                distances.push(recorded + 2.0 * change.dot(&slope) + change.dot(&(curvature * &change)));
            }
        }
        distances
    }

    /// `(N, D)` for rows of one frame: each channel less its expectation from all others, in standard deviations.
    pub(super) fn surprise(&self, rows: &[f64]) -> Vec<f64> {
        let (_, weighted) = self.weighted(rows);
        let std: Vec<f64> = self.conditional.iter().map(|v| v[(0, 0)].sqrt()).collect();
        weighted.column_iter().flat_map(|w| w.iter().zip(&std).map(|(w, s)| w * s).collect::<Vec<_>>()).collect()
    }

    /// Columns `x - mean` and `P (x - mean)`.
    fn weighted(&self, rows: &[f64]) -> (DMatrix<f64>, DMatrix<f64>) {
        let width = self.mean.len();
        let mut centred = DMatrix::from_column_slice(width, rows.len() / width, rows);
        centred.column_iter_mut().for_each(|mut c| c.iter_mut().zip(&self.mean).for_each(|(v, m)| *v -= m));
        let weighted = &self.precision * &centred;
        (centred, weighted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_correlated_channels_by_hand() {
        // Covariance [[1, .6], [.6, 1]]: given b, a has mean .6 b and variance .64.
        let g = Gaussian::new(2, &[1.0, 0.0], &[1.0, 0.6, 0.6, 1.0], 0.0).unwrap();
        let row = [2.0, -1.0];
        let given = g.given_others(&row);
        assert!((given[0] - 1.6_f64.powi(2) / 0.64).abs() < 1e-9, "{given:?}");
        assert!((g.surprise(&row)[0] - 1.6 / 0.8).abs() < 1e-9);
        // x' S^-1 x = (1 + 1 + 2 * .6) / .64.
        assert!((g.distances(&row)[0] - 3.2 / 0.64).abs() < 1e-9);
        // Exchanged it is (-1, 2), (-2, 2) from the mean: (4 + 4 + 2 * .6 * 4) / .64.
        let exchanged = g.exchanged(&row);
        assert!((exchanged[0] - 3.2 / 0.64).abs() < 1e-9 && (exchanged[1] - 12.8 / 0.64).abs() < 1e-9, "{exchanged:?}");
        let (mean, covariance) = Gaussian::moments(&[0.0, 0.0, 2.0, 4.0], 2);
        assert_eq!((mean, covariance), (vec![1.0, 2.0], vec![1.0, 2.0, 2.0, 4.0]));
    }
}
