//! Forecasts of a vector autoregression: its mean, or draws from it.

use super::spec::{Baseline, BaselineRun, CONTEXT, VAR_RIDGE};
use super::var_fit::{VarFit, rows_times};
use crate::error::{Error, Result};
use crate::forecast::{Forecaster, Request};
use crate::noise::Noise;
use candle_core::Tensor;
use ebmotion_engine::noise::Draw;
use nalgebra::DMatrix;
use serde_json::Value;

/// Frames drawn at once.
const CHUNK: usize = 8;
/// Rows rolled out together: their trajectories stay in the cache.
const TILE: usize = 256;

/// A vector autoregression rolled out chunk by chunk, each chunk's frames becoming the next one's context.
///
/// `var` predicts the mean and knows one future; `var_sampled` adds to each chunk a draw from the Gaussian of the
/// training residuals, its full covariance over frames and channels (but independent from chunk to chunk).
#[derive(Debug, Clone)]
pub(crate) struct Autoregression {
    fit: VarFit,
    /// `V diag(sqrt(l))` of the residual covariance `V diag(l) V'`, `(C D, C D)`; none for the mean.
    spread: Option<DMatrix<f32>>,
}

impl Autoregression {
    /// The forecaster `var`: the mean.
    pub fn mean(fit: VarFit) -> Self {
        Self { fit, spread: None }
    }

    /// The forecaster `var_sampled`.
    ///
    /// The covariance's square root comes from its eigenvectors, eigenvalues below 0 (rounding) counting as 0, so a
    /// covariance without full rank needs no jitter.
    pub fn sampled(fit: VarFit) -> Self {
        let o = fit.target_width();
        let eigen = DMatrix::from_column_slice(o, o, fit.residual_covariance()).symmetric_eigen();
        let mut spread = eigen.eigenvectors;
        for (mut column, value) in spread.column_iter_mut().zip(eigen.eigenvalues.iter()) {
            column *= value.max(0.0).sqrt();
        }
        Self { fit, spread: Some(spread.map(|v| v as f32)) }
    }

    /// Rolls rows out: `frames` holds `(R, K + H, D)`, the context filled in, the future to be filled; row `r` draws
    /// its residuals as chain `first + r`.
    fn roll_out(&self, frames: &mut [f32], horizon: usize, first: usize, draws: &[Draw]) -> Result<()> {
        let (k, d, o) = (self.fit.context(), self.fit.channels(), self.fit.target_width());
        let width = (k + horizon) * d;
        let mut histories = Vec::with_capacity(frames.len() / width * k * d);
        let mut normals = vec![0.0; o];
        for (chunk, draw) in draws.iter().enumerate() {
            let start = chunk * self.fit.chunk() * d; // of the context; the chunk begins k frames later
            histories.clear();
            for row in frames.chunks_exact(width) {
                histories.extend_from_slice(&row[start..start + k * d]);
            }
            let mut changes = self.fit.predict(&self.fit.features(&histories)?)?;
            if let Some(spread) = &self.spread {
                let mut rows = Vec::with_capacity(changes.len());
                for r in 0..frames.len() / width {
                    draw.normal((first + r) as u64, &mut normals);
                    rows.extend(normals.iter().map(|v| *v as f32));
                }
                for (i, (change, noise)) in changes.iter_mut().zip(rows_times(spread, &rows)).enumerate() {
                    *change += noise + self.fit.residual_mean()[i % o] as f32;
                }
            }
            for (row, change) in frames.chunks_exact_mut(width).zip(changes.chunks_exact(o)) {
                let (past, future) = row.split_at_mut(start + k * d);
                let last = &past[past.len() - d..];
                for (i, (value, change)) in future.iter_mut().zip(change).enumerate() {
                    *value = last[i % d] + change;
                }
            }
        }
        Ok(())
    }
}

/// The rows of `var` and `var_sampled`.
pub(super) struct VarBaseline {
    sampled: bool,
}

pub(super) static MEAN: VarBaseline = VarBaseline { sampled: false };
pub(super) static SAMPLED: VarBaseline = VarBaseline { sampled: true };

impl Baseline for VarBaseline {
    fn name(&self) -> &str {
        if self.sampled { "var_sampled" } else { "var" }
    }

    fn classic(&self) -> bool {
        true
    }

    fn note(&self) -> Option<&str> {
        Some("var and var_sampled: 8 frames to 8, ridge 10 on the sum of squares.")
    }

    fn fit(&self, _: &Value, run: &mut BaselineRun<'_>) -> Result<Box<dyn Forecaster + Sync>> {
        let training = run.dataset.windows(&run.dataset.split.train, CONTEXT, CHUNK, 1)?;
        let fit = VarFit::fit(&training.values, training.channels, CONTEXT, CHUNK, VAR_RIDGE)?;
        Ok(Box::new(if self.sampled { Autoregression::sampled(fit) } else { Autoregression::mean(fit) }))
    }
}

impl Forecaster for Autoregression {
    fn name(&self) -> &str {
        if self.spread.is_some() { "var_sampled" } else { "var" }
    }

    fn context_frames(&self) -> usize {
        self.fit.context()
    }

    fn parameters(&self) -> usize {
        let o = self.fit.target_width();
        self.fit.coefficients().len() + if self.spread.is_some() { o + o * (o + 1) / 2 } else { 0 }
    }

    fn evaluations_per_chunk(&self) -> usize {
        0
    }

    fn forecast(&self, history: &Tensor, request: &Request, noise: &mut Noise) -> Result<Tensor> {
        let (k, d, horizon) = (self.fit.context(), self.fit.channels(), request.horizon);
        let samples = if self.spread.is_some() { request.samples } else { 1 };
        request.check()?;
        let (batch, contexts) = Request::contexts(history, k, d)?;
        let draws: Vec<Draw> = (0..horizon.div_ceil(self.fit.chunk())).map(|_| noise.next_draw()).collect();
        let rows = batch * samples;
        let mut values = vec![0.0; rows * horizon * d];
        for (tile, out) in values.chunks_mut(TILE * horizon * d).enumerate() {
            let first = tile * TILE;
            let mut frames = vec![0.0; out.len() / horizon * (k + horizon)];
            for (r, row) in frames.chunks_exact_mut((k + horizon) * d).enumerate() {
                let window = (first + r) / samples;
                row[..k * d].copy_from_slice(&contexts[window * k * d..(window + 1) * k * d]);
            }
            self.roll_out(&mut frames, horizon, first, &draws)?;
            for (out, row) in out.chunks_exact_mut(horizon * d).zip(frames.chunks_exact((k + horizon) * d)) {
                out.copy_from_slice(&row[k * d..]);
            }
        }
        if let Some(at) = values.iter().position(|v| !v.is_finite()) {
            let (row, t) = (at / (horizon * d), at / d % horizon);
            let what = format!("forecast of `{}`, window {}", self.name(), row / samples);
            return Err(Error::NonFinite { what, value: f64::from(values[at]), step: t as u64 });
        }
        let samples = Tensor::from_vec(values, (batch, samples, horizon, d), history.device())?;
        Ok(samples)
    }
}
