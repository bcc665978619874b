//! What comes next: one trait for the energy-based model and for every baseline.

use crate::error::Result;
use crate::noise::Noise;
use candle_core::Tensor;

pub mod baseline;

/// What is asked of a [`Forecaster`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// Frames to predict.
    pub horizon: usize,
    /// Possible futures per window.
    pub samples: usize,
}

/// Predicted futures of a batch of windows, z-scored.
#[derive(Debug, Clone)]
pub struct Forecast {
    /// `(B, S, H, D)`, f32; `S` is the requested number of samples, or 1 where the forecaster knows only one future.
    pub samples: Tensor,
    /// `(B, S, H)`: energy of the chunk that each predicted frame belongs to, nats; `None` where there is no energy.
    pub energies: Option<Tensor>,
}

/// Predicts the future of z-scored motion.
///
/// The report, the command line and the viewer know only this trait; the model and the baselines are told apart by
/// [`Forecaster::name`] alone.
pub trait Forecaster {
    /// Short name, `snake_case`: the key in `report.json`.
    fn name(&self) -> &str;

    /// Frames of history it reads.
    fn context_frames(&self) -> usize;

    /// Trainable parameters.
    fn parameters(&self) -> usize;

    /// Network evaluations (forward, or forward with input gradient) per predicted chunk; 0 where there is no network.
    fn evaluations_per_chunk(&self) -> usize;

    /// Forecasts from `history`, `(B, K, D)`, f32, z-scored, `K` at least [`Forecaster::context_frames`] (the last
    /// frames count).
    ///
    /// # Errors
    /// [`crate::Error::Shape`] when the history is too short or has other channels; [`crate::Error::NonFinite`] when a
    /// chain diverges.
    fn forecast(&self, history: &Tensor, request: &Request, noise: &mut Noise) -> Result<Forecast>;
}
