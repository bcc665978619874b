//! A perceptron as the energy of arrays of any shape.

use super::Mlp;
use crate::energy::{ConditionalEnergy, Energy, Evaluated};
use crate::error::Result;
use candle_core::{D, Tensor};

/// An [`Mlp`] with one output as the energy of arrays of any shape, given a context of any shape (both flattened).
#[derive(Debug, Clone)]
pub struct MlpEnergy {
    /// The network.
    pub net: Mlp,
}

impl ConditionalEnergy for MlpEnergy {
    fn energy_given(&self, x: &Tensor, context: &Tensor) -> Result<Tensor> {
        Ok(self.net.forward(x, Some(context))?.squeeze(D::Minus1)?)
    }

    fn evaluate_given(&self, x: &Tensor, context: &Tensor) -> Result<Evaluated> {
        self.evaluate_with(x, Some(context))
    }
}

impl Energy for MlpEnergy {
    fn energy(&self, x: &Tensor) -> Result<Tensor> {
        Ok(self.net.forward(x, None)?.squeeze(D::Minus1)?)
    }

    fn evaluate(&self, x: &Tensor) -> Result<Evaluated> {
        self.evaluate_with(x, None)
    }
}

impl MlpEnergy {
    fn evaluate_with(&self, x: &Tensor, context: Option<&Tensor>) -> Result<Evaluated> {
        let part = self.net.context_part(context)?;
        let (energy, grad) = self.net.value_and_gradient_at(x, &part)?;
        Ok(Evaluated { energy, grad: grad.reshape(x.dims())? })
    }
}
