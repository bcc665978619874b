//! How fast neighbouring frames may differ: velocities and accelerations in units of frames.

use super::constraint::check_weight;
use super::rows::{like, row_sum, rows};
use super::{Energy, Evaluated};
use crate::error::{Error, Result};
use candle_core::{DType, Device, Tensor};
use ebmotion_engine::engine::{Program, Term, TileEnergy};
use std::ops::Range;
use std::sync::Arc;

/// Weights of neighbouring frames in the differences of first and second order.
const WEIGHTS: [&[f64]; 2] = [&[-1.0, 1.0], &[1.0, -2.0, 1.0]];

/// Soft limits on the differences of neighbouring frames: `weight * sum_c max(|delta_c| - limit_c, 0)^2` over windows
/// `(B, (order + 1) D)` of `order + 1` frames, with `delta` the difference of that order. With limits of 0 it asks for
/// smooth motion.
#[derive(Debug, Clone)]
pub(crate) struct Differences {
    weights: &'static [f64],
    limits: Vec<f64>,
    weight: f64,
}

impl Differences {
    /// Of `order` 1 or 2, with a limit `(D,)` for each channel; infinity is none.
    ///
    /// # Errors
    /// [`Error::Config`] for another order; [`Error::Data`] for a limit that is negative or NaN, or a weight that is
    /// negative or not finite.
    pub(crate) fn new(order: usize, limits: Vec<f64>, weight: f64) -> Result<Self> {
        check_weight(weight)?;
        let Some(weights) = order.checked_sub(1).and_then(|at| WEIGHTS.get(at)) else {
            return Err(Error::config("order of differences", order, "1 or 2"));
        };
        if let Some(bad) = limits.iter().find(|l| l.is_nan() || **l < 0.0) {
            return Err(Error::data("limit of a difference", bad, "0 or more"));
        }
        Ok(Self { weights, limits, weight })
    }

    /// No second derivative in any direction is larger.
    pub(crate) fn curvature(&self) -> f64 {
        2.0 * self.weight * self.weights.iter().map(|w| w * w).sum::<f64>()
    }

    /// The differences `(B, D)` of windows.
    fn differences(&self, x: &Tensor) -> Result<Tensor> {
        let (flat, d) = (rows(x)?, self.limits.len());
        if flat.dim(1)? != self.weights.len() * d {
            let expected = format!("(B, {}): {} frames of {d}", self.weights.len() * d, self.weights.len());
            return Err(Error::Shape { what: "window of frames", found: x.dims().to_vec(), expected });
        }
        let zero = flat.narrow(1, 0, d)?.zeros_like()?;
        let frame = |i: usize| flat.narrow(1, i * d, d);
        self.weights.iter().enumerate().try_fold(zero, |sum, (i, w)| Ok((sum + (frame(i)? * *w)?)?))
    }

    /// By how much differences are beyond their limits, at least 0, `(B, D)`.
    fn beyond(&self, differences: &Tensor) -> Result<Tensor> {
        let limits = like(&Tensor::new(self.limits.as_slice(), &Device::Cpu)?, differences)?;
        Ok(differences.abs()?.broadcast_sub(&limits)?.relu()?)
    }
}

impl Energy for Differences {
    fn energy(&self, x: &Tensor) -> Result<Tensor> {
        Ok((row_sum(&self.beyond(&self.differences(x)?)?.sqr()?)? * self.weight)?)
    }

    fn evaluate(&self, x: &Tensor) -> Result<Evaluated> {
        let differences = self.differences(&x.detach())?;
        let beyond = self.beyond(&differences)?;
        let sign = (differences.gt(0.0)?.to_dtype(x.dtype())? - differences.lt(0.0)?.to_dtype(x.dtype())?)?;
        let slope = ((&beyond * sign)? * (2.0 * self.weight))?;
        let frames = self.weights.iter().map(|w| &slope * *w).collect::<std::result::Result<Vec<_>, _>>()?;
        let grad = Tensor::cat(&frames, 1)?.reshape(x.shape())?;
        Ok(Evaluated { energy: (row_sum(&beyond.sqr()?)? * self.weight)?, grad })
    }

    fn program(&self, shape: &[usize]) -> Result<Option<Program>> {
        let width: usize = shape[1..].iter().product();
        self.differences(&Tensor::zeros((1, width), DType::F32, &Device::Cpu)?)?;
        let term = Term::Custom { energy: Arc::new(self.clone()), factor: 1.0 };
        Ok(Some(Program::new(width, vec![term])?))
    }
}

impl TileEnergy for Differences {
    fn add(&self, _: Range<usize>, x: &[f32], factor: f32, energy: &mut [f32], grad: &mut [f32], _: &mut [f32]) {
        let (d, weight) = (self.limits.len(), factor * self.weight as f32);
        let width = self.weights.len() * d;
        for ((x, energy), grad) in x.chunks_exact(width).zip(energy).zip(grad.chunks_exact_mut(width)) {
            for (c, limit) in self.limits.iter().enumerate() {
                let at = |i: usize| i * d + c;
                let delta: f32 = self.weights.iter().enumerate().map(|(i, w)| *w as f32 * x[at(i)]).sum();
                let beyond = delta.abs() - *limit as f32;
                if beyond > 0.0 {
                    *energy += weight * beyond * beyond;
                    let slope = 2.0 * weight * beyond * delta.signum();
                    self.weights.iter().enumerate().for_each(|(i, w)| grad[at(i)] += *w as f32 * slope);
                }
            }
        }
    }
}
