//! What is wrong in a log: scores of windows of motion, calibrated on motion that was normal.
//!
//! A [`Judge`] scores windows, higher being stranger, some of them channel by channel. A [`Detector`] joins the judges: each
//! score becomes a normal deviate by its distribution over validation windows, all of them one likelihood ratio of "higher than
//! normal" (Kudo 1963), and that again is compared with the validation windows, so a false-alarm rate can be asked for.

mod arrow;
mod corrupt;
mod denoising;
mod detector;
mod energy;
mod exchange;
mod gaussian;
mod mahalanobis;
mod reconstruction;
mod shift;
mod stillness;
mod tail;
mod trial;

pub use arrow::Arrow;
pub use corrupt::{Corruption, changed};
pub use denoising::DenoisingError;
pub use detector::{Detector, Verdict};
pub use energy::{Energy, Shape};
use exchange::Exchange;
pub use mahalanobis::{Innovation, Mahalanobis, Residuals};
pub use reconstruction::Reconstruction;
use stillness::Stillness;
pub use trial::{Outcome, trial};

use crate::error::Result;
use crate::forecast::WindowArray;

/// Frames of a judged window (chosen with the frames of standing still among 32, 40, 48 and 64); those that the model sees at once where that is
/// more ([`Detector::frames`]).
pub const FRAMES: usize = 48;
/// Frames between the starts of two judged windows.
pub const STRIDE: usize = 4;
/// Frames that the Gaussians look at together.
const CHUNK: usize = 8;
/// Frames over which a joint must stand still to be noticed.
const STILL: usize = 23;

/// A score of windows of z-scored frames.
pub trait Judge {
    /// Name in tables.
    fn name(&self) -> &'static str;

    /// Whether there is a score for every channel.
    fn by_channel(&self) -> bool {
        false
    }

    /// Scores `(N,)`, or `(N, D)` row-major where they are [by channel](Judge::by_channel); higher is stranger. Windows
    /// are [`Detector::frames`] long.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] or [`crate::Error::Tensor`] when the windows do not fit.
    fn score(&self, windows: &WindowArray) -> Result<Vec<f64>>;
}

impl<J: Judge> Judge for &J {
    fn name(&self) -> &'static str {
        (**self).name()
    }

    fn by_channel(&self) -> bool {
        (**self).by_channel()
    }

    fn score(&self, windows: &WindowArray) -> Result<Vec<f64>> {
        (**self).score(windows)
    }
}

/// Pieces of `frames` frames of every window, one every `stride`: `(N, pieces, frames, D)`.
fn pieces(windows: &WindowArray, frames: usize, stride: usize) -> Vec<f32> {
    let d = windows.channels;
    let length = windows.context + windows.future;
    let starts = |w| (0..=length - frames).step_by(stride).map(move |s| (w, s));
    let all = windows.values.chunks_exact(length * d).flat_map(starts);
    all.flat_map(|(w, s): (&[f32], usize)| &w[s * d..(s + frames) * d]).copied().collect()
}

/// `(N, pieces, columns)` to its mean over the pieces, `(N, columns)`.
fn mean_over_pieces(scores: &[f64], n: usize, columns: usize) -> Vec<f64> {
    let pieces = (scores.len() / (n * columns).max(1)).max(1);
    let mean = |window: &[f64]| -> Vec<f64> {
        (0..columns).map(|c| window.iter().skip(c).step_by(columns).sum::<f64>() / pieces as f64).collect()
    };
    scores.chunks_exact(pieces * columns).flat_map(mean).collect()
}

#[cfg(test)]
mod tests;
