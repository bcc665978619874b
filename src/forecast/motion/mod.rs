//! Kinds of trainable motion models. A new one is one file with a [`MotionModel`], one row of [`MOTION_MODELS`], and
//! its settings in [`ModelConfig`](super::ModelConfig).

mod denoising;
mod igebm;
mod spec;

pub use spec::{MotionModel, MotionRun, TrainedMotion};
pub(super) use spec::{NAME, STEPS, WEIGHTS};

use crate::error::{Error, Result};

/// Every kind that the library knows.
static MOTION_MODELS: [&dyn MotionModel; 2] = [&denoising::DenoisingModel, &igebm::IgebmModel];

/// The row of a kind, among [`MOTION_MODELS`] and `more`.
///
/// # Errors
/// [`Error::Config`] naming all for another kind.
pub(super) fn of_kind(kind: &str, more: &[&'static dyn MotionModel]) -> Result<&'static dyn MotionModel> {
    let mut all = MOTION_MODELS.iter().chain(more).copied();
    all.find(|row| row.kind() == kind).ok_or_else(|| {
        let names: Vec<&str> = MOTION_MODELS.iter().chain(more).map(|row| row.kind()).collect();
        Error::config("model.kind", format!("`{kind}`"), format!("one of {}", names.join(", ")))
    })
}
