//! What is minimised.

use super::batch::Batch;
use crate::error::Result;
use crate::model::Parameters;
use crate::noise::Noise;
use candle_core::Tensor;

/// What is minimised.
#[derive(Debug, Clone)]
pub struct Loss {
    /// A scalar, as a graph in the weights.
    pub total: Tensor,
    /// Figures for telemetry.
    pub figures: Vec<(&'static str, f64)>,
}

/// One step's loss and what it asks of the weights.
#[derive(Debug, Clone)]
pub struct Gradients {
    /// The loss.
    pub loss: f64,
    /// Its gradient in each parameter, in their order; `None` where it does not depend on one.
    pub by_parameter: Vec<Option<Tensor>>,
    /// Figures for telemetry.
    pub figures: Vec<(&'static str, f64)>,
}

impl Gradients {
    /// Of a loss that depends on every parameter.
    pub fn of(loss: f64, all: Vec<Tensor>, figures: Vec<(&'static str, f64)>) -> Self {
        Self { loss, by_parameter: all.into_iter().map(Some).collect(), figures }
    }
}

/// A way of learning: it owns the network and whatever else its steps remember.
pub trait Objective {
    /// Short name for telemetry.
    fn name(&self) -> &'static str;

    /// The trainable tensors.
    fn parameters(&self) -> &Parameters;

    /// Work on the network before a step (a power iteration of the spectral norm).
    ///
    /// # Errors
    /// [`crate::Error::Tensor`].
    fn prepare(&mut self) -> Result<()> {
        Ok(())
    }

    /// The loss of a batch. May change what the objective remembers (a replay buffer), never the weights.
    ///
    /// # Errors
    /// [`crate::Error`] when shapes do not fit or a chain diverges.
    fn loss(&mut self, batch: &Batch, noise: &mut Noise) -> Result<Loss>;

    /// Loss and gradient of a batch by a way of the objective's own; `None`, the default, leaves it to differentiating
    /// [`Objective::loss`], which is the specification of what this may compute faster.
    ///
    /// # Errors
    /// As [`Objective::loss`].
    fn gradients(&mut self, batch: &Batch, noise: &mut Noise) -> Result<Option<Gradients>> {
        let _ = (batch, noise);
        Ok(None)
    }

    /// Figure of merit on held-out examples, lower is better; changes nothing.
    ///
    /// # Errors
    /// As [`Objective::loss`].
    fn validate(&self, batch: &Batch, noise: &mut Noise) -> Result<f64>;

    /// Everything besides the weights that a resumed run needs, by name.
    ///
    /// # Errors
    /// [`crate::Error::Tensor`].
    fn state(&self) -> Result<Vec<(String, Tensor)>> {
        Ok(Vec::new())
    }

    /// Sets what [`Objective::state`] gave. `get` returns the tensor of a name, if there is one.
    ///
    /// # Errors
    /// [`crate::Error::Model`] when something is missing or has the wrong shape.
    fn restore(&mut self, _get: &dyn Fn(&str) -> Option<Tensor>) -> Result<()> {
        Ok(())
    }
}

/// An objective that is given an energy `E` and gives it back once it has learned.
pub trait EnergyObjective<E>: Objective {
    /// The energy, for good.
    fn into_learned(self: Box<Self>) -> E;
}
