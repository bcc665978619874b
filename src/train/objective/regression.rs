//! Least squares: the objective of the deterministic baselines.

use crate::error::{Error, Result};
use crate::model::{Mlp, Parameters};
use crate::noise::Noise;
use crate::train::{Batch, Loss, Objective};
use candle_core::{DType, Tensor};

/// Fits a network's output, given the context as its input, to `x` by mean squared error.
#[derive(Debug, Clone)]
pub struct Regression {
    /// The network: `(B, *C) -> (B, *S)` flattened.
    pub net: Mlp,
}

impl Regression {
    fn error(&self, batch: &Batch) -> Result<Tensor> {
        let Some(context) = &batch.context else {
            return Err(Error::data("batch", "no context", "one, for a regression to predict from"));
        };
        Ok((self.net.forward(context, None)? - batch.x.flatten_from(1)?)?.sqr()?.mean_all()?)
    }
}

impl Objective for Regression {
    fn name(&self) -> &'static str {
        "regression"
    }

    fn parameters(&self) -> &Parameters {
        self.net.parameters()
    }

    fn prepare(&mut self) -> Result<()> {
        self.net.power_iteration()
    }

    fn loss(&mut self, batch: &Batch, _: &mut Noise) -> Result<Loss> {
        Ok(Loss { total: self.error(batch)?, figures: Vec::new() })
    }

    fn validate(&self, batch: &Batch, _: &mut Noise) -> Result<f64> {
        Ok(self.error(batch)?.to_dtype(DType::F64)?.to_scalar::<f64>()?)
    }

    fn state(&self) -> Result<Vec<(String, Tensor)>> {
        Ok(self.net.state())
    }

    fn restore(&mut self, get: &dyn Fn(&str) -> Option<Tensor>) -> Result<()> {
        self.net.restore(&|name| Parameters::required(name, get(name)))
    }
}
