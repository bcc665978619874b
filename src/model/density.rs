//! Generative networks that are no energies: what an energy is compared with.

use super::Parameters;
use crate::error::{Error, Result};
use crate::noise::Noise;
use candle_core::Tensor;

/// A network that is fitted to `x` by a loss of its own, given a context or not.
pub trait Generative {
    /// Short name for telemetry.
    fn name(&self) -> &'static str;

    /// The trainable tensors.
    fn parameters(&self) -> &Parameters;

    /// Loss of each row of `x` `(B, *S)` given the context `(B, *C)`, `(B,)`, as a graph in the weights.
    ///
    /// # Errors
    /// [`crate::Error`] when shapes do not fit, or a context is missing or not wanted.
    fn loss(&self, x: &Tensor, context: Option<&Tensor>, noise: &mut Noise) -> Result<Tensor>;
}

/// Draws `x` given a context.
pub(crate) trait Generator: Send + Sync {
    /// Network evaluations of a draw.
    fn evaluations(&self) -> usize;

    /// Trainable numbers.
    fn count(&self) -> usize;

    /// Draws `(R, S)`, one row for each of the contexts `(R, C)`, detached.
    ///
    /// # Errors
    /// [`crate::Error`] when shapes do not fit.
    fn draw(&self, context: &Tensor, noise: &mut Noise) -> Result<Tensor>;
}

/// A context that must be there.
pub(crate) fn given(context: Option<&Tensor>) -> Result<&Tensor> {
    context.ok_or_else(|| Error::Shape {
        what: "context",
        found: Vec::new(),
        expected: "(B, ...): this network is conditional".into(),
    })
}

/// Rows of a context that must be there.
pub(super) fn rows_of(context: &Tensor) -> Result<usize> {
    context.dims().first().copied().ok_or_else(|| Error::Shape {
        what: "context",
        found: Vec::new(),
        expected: "(B, ...)".into(),
    })
}
