//! Updates of weight matrices whose directions are all alike: momentum times the inverse root of the gradient's covariance.
//!
//! Adam scales each weight by itself; where a layer's inputs or outputs go together, some directions of its matrix then learn
//! many times more slowly than others. Whitening along one side of the matrix (Shampoo, Gupta et al. 2018, with the smaller
//! of its two sides; An et al. 2025, Xie et al. 2025) mends that at the price of two products a step.

use super::fused::Blend;
use crate::error::{Error, Result};
use candle_core::{Tensor, Var};
use serde::{Deserialize, Serialize};

/// How weight matrices learn in the place of Adam's step; vectors, and matrices with a side below 16, keep Adam's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Whitening {
    /// Step size of matrices after the warm-up, relative to an update whose singular values are all about 1, times
    /// `sqrt(max(1, outputs / inputs))`; positive. It follows the learning rate's warm-up and decay.
    pub rate: f64,
    /// Decay of the momentum and of the gradient's covariance, in `[0, 1)`.
    pub decay: f64,
    /// Steps between two inverse roots, at least 1.
    pub every: u64,
}

impl Default for Whitening {
    fn default() -> Self {
        Self { rate: 0.01, decay: 0.95, every: 20 }
    }
}

impl Whitening {
    pub(super) fn check(&self) -> Result<()> {
        if !(self.rate > 0.0 && self.rate.is_finite()) {
            return Err(Error::config("whitening.rate", self.rate, "a positive number"));
        }
        if !(0.0..1.0).contains(&self.decay) {
            return Err(Error::config("whitening.decay", self.decay, "at least 0 and below 1"));
        }
        if self.every == 0 {
            return Err(Error::config("whitening.every", self.every, "at least 1"));
        }
        Ok(())
    }
}

/// Smallest side of a matrix that is whitened.
const LEAST: usize = 16;
/// Added to the covariance's diagonal, as a share of its Frobenius norm.
const RIDGE: f64 = 1e-4;
/// Iterations of the inverse root: the first ones raise small eigenvalues quickly, none has to be exact.
const ITERATIONS: usize = 7;
/// Coefficients of the iteration's polynomial, which takes roots in `(0, 1]` to about 1 (Jordan et al. 2024).
const QUINTIC: [f64; 3] = [3.4445, -4.775, 2.0315];

/// What is kept of one matrix between steps.
#[derive(Debug)]
pub(super) struct Whitened {
    settings: Whitening,
    /// `(rows, columns)`: gradients, each step `decay` times as much as the last.
    pub(super) momentum: Tensor,
    /// `(s, s)`, `s` the smaller side: moving average of the gradient's products along it.
    pub(super) covariance: Tensor,
    /// `(s, s)`: inverse root of the covariance when it was last taken, up to a factor.
    pub(super) root: Tensor,
}

impl Whitened {
    /// Nothing seen yet; `None` for what is no matrix, or too narrow a one.
    pub(super) fn of(weight: &Tensor, settings: &Whitening) -> Result<Option<Self>> {
        let &[rows, columns] = weight.dims() else { return Ok(None) };
        let side = rows.min(columns);
        if side < LEAST {
            return Ok(None);
        }
        let square = Tensor::zeros((side, side), weight.dtype(), weight.device())?;
        let (settings, momentum) = (settings.clone(), weight.zeros_like()?);
        Ok(Some(Self { settings, momentum, covariance: square.copy()?, root: square }))
    }

    /// Moves the weights against the gradient of step `step` (from 0); `pace` is the learning rate relative to its largest.
    pub(super) fn descend(&mut self, weight: &Var, g: &Tensor, step: u64, pace: f64, weight_decay: f64) -> Result<()> {
        let rate = self.settings.rate * pace;
        let (rows, columns) = weight.dims2()?;
        let size = rate * (rows as f64 / columns as f64).max(1.0).sqrt();
        let direction = self.direction(g, step)?;
        let kept = (weight.as_detached_tensor() * (1.0 - rate * weight_decay))?;
        Ok(weight.set(&(kept - (direction * size)?)?)?)
    }

    /// Takes in the gradient of step `step` (from 0) and returns the direction to go against, its singular values about 1.
    fn direction(&mut self, gradient: &Tensor, step: u64) -> Result<Tensor> {
        let settings = &self.settings;
        let (rows, columns) = gradient.dims2()?;
        let wide = rows <= columns;
        let product = match wide {
            true => gradient.matmul(&gradient.t()?)?,
            false => gradient.t()?.matmul(gradient)?,
        };
        Blend { keep: settings.decay, add: 1.0 - settings.decay, square: false }
            .apply(&mut self.covariance, &product)?;
        Blend { keep: settings.decay, add: 1.0, square: false }.apply(&mut self.momentum, gradient)?;
        // At first the covariance is young and changes much.
        if step.is_multiple_of(settings.every) || step < settings.every && step.is_power_of_two() {
            self.root = inverse_root(&self.covariance)?;
        }
        let ahead = (gradient + (&self.momentum * settings.decay)?)?;
        let direction = match wide {
            true => self.root.matmul(&ahead)?,
            false => ahead.matmul(&self.root)?,
        };
        let norm = direction.sqr()?.sum_all()?.sqrt()?;
        // A gradient of 0 stays 0.
        let scale = ((norm + f64::from(f32::MIN_POSITIVE))?.recip()? * (rows.min(columns) as f64).sqrt())?;
        Ok(direction.broadcast_mul(&scale)?)
    }
}

/// `A^(-1/2)` of a symmetric matrix without negative eigenvalues, up to a factor, by coupled Newton-Schulz iterations (Higham 2008,
/// chapter 6, with another polynomial).
fn inverse_root(covariance: &Tensor) -> Result<Tensor> {
    let size = covariance.dim(0)?;
    let unit = Tensor::eye(size, covariance.dtype(), covariance.device())?;
    let norm = (covariance.sqr()?.sum_all()?.sqrt()? + f64::from(f32::MIN_POSITIVE))?;
    let mut y = ((covariance.broadcast_div(&norm)? + (&unit * RIDGE)?)? / (1.0 + RIDGE))?;
    let mut z = unit.clone();
    let [a, b, c] = QUINTIC;
    for _ in 0..ITERATIONS {
        let r = z.matmul(&y)?;
        let q = (((&unit * a)? + (&r * b)?)? + (r.matmul(&r)? * c)?)?;
        y = y.matmul(&q)?;
        z = q.matmul(&z)?;
    }
    Ok(((&z + z.t()?)? * 0.5)?)
}
