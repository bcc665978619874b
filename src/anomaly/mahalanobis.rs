//! Residuals of a vector autoregression: what the frames before do not explain.

use super::gaussian::Gaussian;
use super::score::{AnomalyScore, CHUNK, Saved, ScoreSpec, mean_over_pieces, pieces};
use crate::error::{Error, Result};
use crate::forecast::WindowArray;
use crate::forecast::baseline::VarFit;
use candle_core::Tensor;

/// Added to the residual's covariance, as a share of its mean variance.
const RIDGE: f64 = 1e-5;
/// Ridge penalty of the regression.
const VAR_RIDGE: f64 = 10.0;

/// Residuals of consecutive chunks, `CHUNK` frames from as many before them, and their Gaussian.
#[derive(Debug, Clone)]
pub(super) struct Residuals {
    fit: VarFit,
    gaussian: Gaussian,
}

impl Residuals {
    /// Of training windows.
    ///
    /// # Errors
    /// As [`VarFit::fit`]; [`Error::Data`] when no channel moves.
    pub(super) fn fit(windows: &WindowArray) -> Result<Self> {
        let pairs = pieces(windows, 2 * CHUNK, CHUNK);
        Self::new(VarFit::fit(&pairs, windows.channels, CHUNK, CHUNK, VAR_RIDGE)?)
    }

    /// Of `channels` channels, from what a regression kept.
    fn restore(channels: usize, get: &Saved<'_>) -> Result<Self> {
        let fit = VarFit::from_tensors(&get)?;
        let found = (fit.context(), fit.chunk(), fit.channels());
        if found != (CHUNK, CHUNK, channels) {
            let expected = format!("{CHUNK} frames from {CHUNK}, {channels} channels");
            return Err(Error::data("regression of the anomaly scores", format!("{found:?}"), expected));
        }
        Self::new(fit)
    }

    /// From a regression of `CHUNK` frames on `CHUNK` frames.
    ///
    /// # Errors
    /// [`Error::Data`] when no channel moves.
    pub(super) fn new(fit: VarFit) -> Result<Self> {
        let gaussian = Gaussian::new(fit.channels(), fit.residual_mean(), fit.residual_covariance(), RIDGE)?;
        Ok(Self { fit, gaussian })
    }

    /// `(N, pieces, C D)`.
    fn rows(&self, windows: &WindowArray) -> Result<Vec<f64>> {
        let d = windows.channels;
        let pairs = pieces(windows, 2 * CHUNK, CHUNK);
        let (width, past) = (2 * CHUNK * d, CHUNK * d);
        let history: Vec<f32> = pairs.chunks_exact(width).flat_map(|p| &p[..past]).copied().collect();
        let expected = self.fit.predict(&self.fit.features(&history)?)?;
        let residual = |(pair, expected): (&[f32], &[f32])| -> Vec<f64> {
            let last = pair[past - d..past].iter().cycle();
            let future = pair[past..].iter().zip(expected).zip(last);
            future.map(|((v, e), last)| f64::from(*v) - f64::from(*last) - f64::from(*e)).collect()
        };
        Ok(pairs.chunks_exact(width).zip(expected.chunks_exact(past)).flat_map(residual).collect())
    }
}

/// Squared Mahalanobis distance of all residuals, mean over the chunks.
pub(super) struct Mahalanobis(pub(super) Residuals);

pub(super) static MAHALANOBIS: ScoreSpec = ScoreSpec {
    fit: |_, windows| Ok(Some(Box::new(Mahalanobis(Residuals::fit(windows)?)))),
    restore: |model, get| Ok(Some(Box::new(Mahalanobis(Residuals::restore(model.info().channels.len(), get)?)))),
};

impl AnomalyScore for Mahalanobis {
    fn name(&self) -> &'static str {
        "mahalanobis"
    }

    fn score(&self, windows: &WindowArray) -> Result<Vec<f64>> {
        Ok(mean_over_pieces(&self.0.gaussian.distances(&self.0.rows(windows)?), windows.len(), 1))
    }

    fn state(&self) -> Result<Vec<(String, Tensor)>> {
        self.0.fit.to_tensors()
    }
}

/// Of each channel, the squared distance of its residuals from what the other channels' residuals make of them.
pub(super) struct Innovation(pub(super) Residuals);

pub(super) static INNOVATION: ScoreSpec = ScoreSpec {
    fit: |_, windows| Ok(Some(Box::new(Innovation(Residuals::fit(windows)?)))),
    restore: |model, get| Ok(Some(Box::new(Innovation(Residuals::restore(model.info().channels.len(), get)?)))),
};

impl AnomalyScore for Innovation {
    fn name(&self) -> &'static str {
        "innovation"
    }

    fn by_channel(&self) -> bool {
        true
    }

    fn score(&self, windows: &WindowArray) -> Result<Vec<f64>> {
        let channels = self.0.gaussian.given_others(&self.0.rows(windows)?);
        Ok(mean_over_pieces(&channels, windows.len(), windows.channels))
    }

    fn state(&self) -> Result<Vec<(String, Tensor)>> {
        self.0.fit.to_tensors()
    }
}
