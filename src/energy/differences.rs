//! How far frames may go, and how much neighbouring ones may differ: positions, velocities and accelerations, with
//! frames for seconds.

use super::constraint::check_weight;
use super::rows::{like, row_sum, rows};
use super::{Energy, Evaluated};
use crate::error::{Error, Result};
use candle_core::{DType, Device, Tensor};
use ebmotion_engine::engine::{Program, Term, TileEnergy};
use std::ops::Range;
use std::sync::Arc;

/// Weights of neighbouring frames in differences of order 0, 1 and 2.
const WEIGHTS: [&[f64]; 3] = [&[1.0], &[-1.0, 1.0], &[1.0, -2.0, 1.0]];

/// Lowest and highest difference of a channel, and the weight of what is beyond.
type Bound = ([f64; 2], f64);

/// Soft bounds on the differences of neighbouring frames: `sum_c weight_c (max(low_c - delta_c, 0)^2 + max(delta_c -
/// high_c, 0)^2)` over windows `(B, (order + 1) D)` of `order + 1` frames, with `delta` the difference of that order;
/// that of order 0 is the frame itself. With bounds of 0 it asks for smooth motion.
#[derive(Debug, Clone)]
pub(crate) struct Differences {
    weights: &'static [f64],
    /// `(D,)`
    bounds: Vec<Bound>,
}

impl Differences {
    /// Of `order` 0, 1 or 2, with bounds and a weight for each channel `(D,)`; an infinite bound is none.
    ///
    /// # Errors
    /// [`Error::Config`] for another order; [`Error::Data`] for bounds that hold nothing, or a weight that is negative
    /// or not finite.
    pub(crate) fn new(order: usize, bounds: Vec<([f64; 2], f64)>) -> Result<Self> {
        let Some(weights) = WEIGHTS.get(order) else {
            return Err(Error::config("order of differences", order, "0, 1 or 2"));
        };
        for ([low, high], weight) in &bounds {
            check_weight(*weight)?;
            if low.is_nan() || high.is_nan() || low > high {
                return Err(Error::data("bounds of a difference", format!("{low} to {high}"), "lower <= upper"));
            }
        }
        Ok(Self { weights, bounds })
    }

    /// No second derivative in any direction is larger.
    pub(crate) fn curvature(&self) -> f64 {
        let most = self.bounds.iter().map(|(_, weight)| *weight).fold(0.0, f64::max);
        2.0 * most * self.weights.iter().map(|w| w * w).sum::<f64>()
    }

    /// By how much the differences `(B, D)` of windows are beyond their bounds, below and above.
    fn beyond(&self, x: &Tensor) -> Result<(Tensor, Tensor)> {
        let (flat, d) = (rows(x)?, self.bounds.len());
        if flat.dim(1)? != self.weights.len() * d {
            let expected = format!("(B, {}): {} frames of {d}", self.weights.len() * d, self.weights.len());
            return Err(Error::Shape { what: "window of frames", found: x.dims().to_vec(), expected });
        }
        let zero = flat.narrow(1, 0, d)?.zeros_like()?;
        let frame = |(i, w): (usize, &f64)| flat.narrow(1, i * d, d)? * *w;
        let delta = self.weights.iter().enumerate().try_fold(zero, |sum, part| sum + frame(part)?)?;
        let bound = |end: usize| self.row(&|(bounds, _)| bounds[end], &delta);
        Ok((delta.broadcast_sub(&bound(0)?)?.neg()?.relu()?, delta.broadcast_sub(&bound(1)?)?.relu()?))
    }

    /// A number of each channel, like `x`.
    fn row(&self, of: &dyn Fn(&Bound) -> f64, x: &Tensor) -> Result<Tensor> {
        like(&Tensor::from_iter(self.bounds.iter().map(of), &Device::Cpu)?, x)
    }

    fn cost(&self, below: &Tensor, above: &Tensor) -> Result<Tensor> {
        let squares = (below.sqr()? + above.sqr()?)?;
        row_sum(&squares.broadcast_mul(&self.row(&|(_, weight)| *weight, below)?)?)
    }
}

impl Energy for Differences {
    fn energy(&self, x: &Tensor) -> Result<Tensor> {
        let (below, above) = self.beyond(x)?;
        self.cost(&below, &above)
    }

    fn evaluate(&self, x: &Tensor) -> Result<Evaluated> {
        let (below, above) = self.beyond(&x.detach())?;
        let slope = (&above - &below)?.broadcast_mul(&self.row(&|(_, weight)| 2.0 * weight, &above)?)?;
        let frames = self.weights.iter().map(|w| &slope * *w).collect::<std::result::Result<Vec<_>, _>>()?;
        let grad = Tensor::cat(&frames, 1)?.reshape(x.shape())?;
        Ok(Evaluated { energy: self.cost(&below, &above)?, grad })
    }

    fn program(&self, shape: &[usize]) -> Result<Option<Program>> {
        let width: usize = shape[1..].iter().product();
        self.beyond(&Tensor::zeros((1, width), DType::F32, &Device::Cpu)?)?;
        let term = Term::Custom { energy: Arc::new(self.clone()), factor: 1.0 };
        Ok(Some(Program::new(width, vec![term])?))
    }
}

impl TileEnergy for Differences {
    fn add(&self, _: Range<usize>, x: &[f32], factor: f32, energy: &mut [f32], grad: &mut [f32], _: &mut [f32]) {
        let d = self.bounds.len();
        let width = self.weights.len() * d;
        for ((x, energy), grad) in x.chunks_exact(width).zip(energy).zip(grad.chunks_exact_mut(width)) {
            for (c, ([low, high], weight)) in self.bounds.iter().enumerate() {
                let at = |i: usize| i * d + c;
                let delta: f32 = self.weights.iter().enumerate().map(|(i, w)| *w as f32 * x[at(i)]).sum();
                let beyond = (delta - *high as f32).max(0.0) - (*low as f32 - delta).max(0.0);
                if beyond != 0.0 {
                    let weight = factor * *weight as f32;
                    *energy += weight * beyond * beyond;
                    let slope = 2.0 * weight * beyond;
                    self.weights.iter().enumerate().for_each(|(i, w)| grad[at(i)] += *w as f32 * slope);
                }
            }
        }
    }
}
