//! Activations with the derivative that an analytic input gradient needs.

use crate::error::Result;
use candle_core::Tensor;
use serde::{Deserialize, Serialize};

/// Slope of [`Activation::LeakyRelu`] below zero, as in the released code of Du & Mordatch 2019.
const LEAK: f64 = 0.2;

/// An elementwise activation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `z * sigmoid(z)` (Ramachandran, Zoph & Le 2017), also called SiLU.
    Swish,
    /// `z` above zero, `0.2 z` below.
    LeakyRelu,
}

impl Activation {
    /// The same for the engine.
    pub fn plain(self) -> ebmotion_engine::engine::Nonlinearity {
        match self {
            Activation::Swish => ebmotion_engine::engine::Nonlinearity::Swish,
            Activation::LeakyRelu => ebmotion_engine::engine::Nonlinearity::Leaky(LEAK as f32),
        }
    }

    /// The activation, as a graph in `z`.
    ///
    /// # Errors
    /// [`crate::Error::Tensor`].
    pub fn apply(self, z: &Tensor) -> Result<Tensor> {
        Ok(match self {
            Activation::Swish => z.silu()?,
            Activation::LeakyRelu => z.maximum(&(z * LEAK)?)?,
        })
    }

    /// The activation and its derivative, both as graphs in `z`.
    ///
    /// # Errors
    /// [`crate::Error::Tensor`].
    pub fn apply_with_slope(self, z: &Tensor) -> Result<(Tensor, Tensor)> {
        Ok(match self {
            Activation::Swish => {
                // h = z s; h' = s + z s (1 - s) = s + h - h s.
                let s = candle_nn::ops::sigmoid(z)?;
                let h = (z * &s)?;
                let slope = ((&s + &h)? - (&h * &s)?)?;
                (h, slope)
            }
            Activation::LeakyRelu => {
                let slope = z.detach().ge(0f64)?.to_dtype(z.dtype())?.affine(1.0 - LEAK, LEAK)?;
                ((z * &slope)?, slope)
            }
        })
    }
}
