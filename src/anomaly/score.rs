//! What scores windows, and how windows are cut for it.

use crate::error::Result;
use crate::forecast::{Model, WindowArray};
use candle_core::Tensor;

/// Frames of a scored window (chosen with the frames of standing still among 32, 40, 48 and 64); those that the model
/// sees at once where that is more ([`Detector::frames`](super::Detector::frames)).
pub(super) const FRAMES: usize = 48;
/// Frames between the starts of two scored windows.
pub(super) const STRIDE: usize = 4;
/// Frames that the Gaussians look at together.
pub(super) const CHUNK: usize = 8;
/// Frames over which a joint must stand still to be noticed.
pub(super) const STILL: usize = 23;

/// A score of windows of z-scored frames.
pub trait AnomalyScore: Send + Sync {
    /// Name in tables and of its tensors in a model file, `snake_case`.
    fn name(&self) -> &'static str;

    /// Whether there is a score for every channel.
    fn by_channel(&self) -> bool {
        false
    }

    /// Scores `(N,)`, or `(N, D)` row-major where they are [by channel](AnomalyScore::by_channel); higher is stranger.
    /// Windows are [`Detector::frames`](super::Detector::frames) long.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] or [`crate::Error::Tensor`] when the windows do not fit.
    fn score(&self, windows: &WindowArray) -> Result<Vec<f64>>;

    /// What [`ScoreSpec::restore`] makes it from again besides the model: tensors, each named `name.` and something.
    ///
    /// # Errors
    /// [`crate::Error::Tensor`].
    fn state(&self) -> Result<Vec<(String, Tensor)>> {
        Ok(Vec::new())
    }
}

/// The tensors of a file by the names that [`AnomalyScore::state`] gave them.
pub(super) type Saved<'a> = dyn Fn(&str) -> Result<Tensor> + 'a;

/// A score, or `None` for a model that it is not made for.
pub(super) type MadeScore<'a> = Result<Option<Box<dyn AnomalyScore + 'a>>>;

/// A row of the table of scores: how one comes to be. Either way there is `None` for a model that it is not made for.
///
/// One of your own goes into [`Detector::fit_with`](super::Detector::fit_with) and
/// [`Detector::load_with`](super::Detector::load_with), beside [`ScoreSpec::ALL`] or without them.
/// `tests/from_outside.rs` has one.
pub struct ScoreSpec {
    /// From windows of the training episodes, z-scored, each [`Detector::frames`](super::Detector::frames) long.
    pub fit: for<'a> fn(&'a Model, &WindowArray) -> MadeScore<'a>,
    /// From what [`AnomalyScore::state`] gave: a tensor by its name.
    pub restore: for<'a> fn(&'a Model, &Saved<'_>) -> MadeScore<'a>,
}

/// Pieces of `frames` frames of every window, one every `stride`: `(N, pieces, frames, D)`.
pub(super) fn pieces(windows: &WindowArray, frames: usize, stride: usize) -> Vec<f32> {
    let d = windows.channels;
    let length = windows.context + windows.future;
    let starts = |w| (0..=length - frames).step_by(stride).map(move |s| (w, s));
    let all = windows.values.chunks_exact(length * d).flat_map(starts);
    all.flat_map(|(w, s): (&[f32], usize)| &w[s * d..(s + frames) * d]).copied().collect()
}

/// `(N, pieces, columns)` to its mean over the pieces, `(N, columns)`.
pub(super) fn mean_over_pieces(scores: &[f64], n: usize, columns: usize) -> Vec<f64> {
    let pieces = (scores.len() / (n * columns).max(1)).max(1);
    let mean = |window: &[f64]| -> Vec<f64> {
        (0..columns).map(|c| window.iter().skip(c).step_by(columns).sum::<f64>() / pieces as f64).collect()
    };
    scores.chunks_exact(pieces * columns).flat_map(mean).collect()
}
