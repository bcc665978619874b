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
mod findings;
mod gaussian;
mod judge;
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
pub use findings::{Finding, Findings, Stretch};
pub use mahalanobis::{Innovation, Mahalanobis, Residuals};
pub use reconstruction::Reconstruction;
pub use trial::{Outcome, trial};

#[cfg(test)]
mod tests;

pub use judge::{FRAMES, Judge, STRIDE};
