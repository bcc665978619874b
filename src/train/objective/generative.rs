//! The objective of networks that bring their own loss.

use crate::error::Result;
use crate::model::{Generative, Parameters};
use crate::noise::Noise;
use crate::train::{Batch, Loss, Objective};
use candle_core::{DType, Tensor};

/// Minimises a [`Generative`] network's mean loss.
#[derive(Debug, Clone)]
pub struct GenerativeLoss<M> {
    /// The network.
    pub model: M,
}

impl<M: Generative> GenerativeLoss<M> {
    fn mean(&self, batch: &Batch, noise: &mut Noise) -> Result<Tensor> {
        Ok(self.model.loss(&batch.x, batch.context.as_ref(), noise)?.mean_all()?)
    }
}

impl<M: Generative> Objective for GenerativeLoss<M> {
    fn name(&self) -> &'static str {
        self.model.name()
    }

    fn parameters(&self) -> &Parameters {
        self.model.parameters()
    }

    fn loss(&mut self, batch: &Batch, noise: &mut Noise) -> Result<Loss> {
        Ok(Loss { total: self.mean(batch, noise)?, figures: Vec::new() })
    }

    fn validate(&self, batch: &Batch, noise: &mut Noise) -> Result<f64> {
        Ok(self.mean(batch, noise)?.to_dtype(DType::F64)?.to_scalar::<f64>()?)
    }
}
