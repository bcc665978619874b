//! Baseline: what principal components cannot rebuild.

use super::gaussian::Gaussian;
use super::saved::{numbers, vector};
use super::score::{AnomalyScore, CHUNK, ScoreSpec, mean_over_pieces, pieces};
use crate::error::{Error, Result};
use crate::forecast::WindowArray;
use candle_core::Tensor;
use nalgebra::DMatrix;

/// Share of the variance that the kept components explain.
const KEPT: f64 = 0.99;

/// Squared error of rebuilding `CHUNK` frames from the principal components that explain 99 % of the variance (the Q
/// statistic of Jackson and Mudholkar, Technometrics 21, 1979), mean over overlapping pieces of the window.
pub(super) struct Reconstruction {
    mean: Vec<f64>,
    /// `(components, width)`.
    components: DMatrix<f64>,
}

/// Names of what it keeps.
const KEPT_TENSORS: [&str; 2] = ["reconstruction.mean", "reconstruction.components"];

pub(super) static SPEC: ScoreSpec = ScoreSpec {
    fit: |_, windows| Ok(Some(Box::new(Reconstruction::fit(windows)))),
    restore: |model, get| {
        let [mean, components] = KEPT_TENSORS;
        let width = CHUNK * model.info().channels.len();
        let (mean, components) = (numbers(get, mean, Some(width))?, numbers(get, components, None)?);
        if components.len() % width != 0 {
            let found = format!("{} numbers of `{}`", components.len(), KEPT_TENSORS[1]);
            return Err(Error::data("calibration for anomalies", found, format!("rows of {width} numbers")));
        }
        let components = DMatrix::from_row_slice(components.len() / width, width, &components);
        Ok(Some(Box::new(Reconstruction { mean, components })))
    },
};

impl Reconstruction {
    /// Components of training windows.
    pub(super) fn fit(windows: &WindowArray) -> Self {
        let width = CHUNK * windows.channels;
        let (mean, covariance) = Gaussian::moments(&rows(windows), width);
        let eigen = DMatrix::from_column_slice(width, width, &covariance).symmetric_eigen();
        let mut order: Vec<usize> = (0..width).collect();
        order.sort_by(|a, b| eigen.eigenvalues[*b].total_cmp(&eigen.eigenvalues[*a]));
        let total = eigen.eigenvalues.sum();
        let mut explained = 0.0;
        let kept: Vec<_> = order
            .into_iter()
            .take_while(|i| {
                let more = explained < KEPT * total;
                explained += eigen.eigenvalues[*i];
                more
            })
            .map(|i| eigen.eigenvectors.column(i).transpose())
            .collect();
        Self { mean, components: DMatrix::from_rows(&kept) }
    }
}

fn rows(windows: &WindowArray) -> Vec<f64> {
    pieces(windows, CHUNK, CHUNK / 2).into_iter().map(f64::from).collect()
}

impl AnomalyScore for Reconstruction {
    fn name(&self) -> &'static str {
        "reconstruction"
    }

    fn score(&self, windows: &WindowArray) -> Result<Vec<f64>> {
        let rows = rows(windows);
        let mut centred = DMatrix::from_column_slice(self.mean.len(), rows.len() / self.mean.len(), &rows);
        centred.column_iter_mut().for_each(|mut c| c.iter_mut().zip(&self.mean).for_each(|(v, m)| *v -= m));
        let rest = &centred - self.components.tr_mul(&(&self.components * &centred));
        let errors: Vec<f64> = rest.column_iter().map(|c| c.norm_squared()).collect();
        Ok(mean_over_pieces(&errors, windows.len(), 1))
    }

    fn state(&self) -> Result<Vec<(String, Tensor)>> {
        let components: Vec<f64> =
            self.components.row_iter().flat_map(|row| row.iter().copied().collect::<Vec<_>>()).collect();
        Ok(vec![vector(KEPT_TENSORS[0], &self.mean)?, vector(KEPT_TENSORS[1], &components)?])
    }
}
