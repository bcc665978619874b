//! The derivative of an input gradient in the weights, without second derivatives.
//!
//! With `v` held fixed and `d = v / |v|`, `v . grad_x E` is `|v|` times a derivative of `E` along `d`, hence
//!
//! ```text
//! d/dw (v . grad_x E(x)) = |v| d/dw (d . grad_x E(x))  ~  |v| / (2 h) d/dw (E(x + h d) - E(x - h d))
//! ```
//!
//! with an error of order `h^2`: a weight gradient of twice the batch, which every network has.

use crate::energy::rows::row_sum;
use crate::error::Result;
use crate::model::times;
use candle_core::{DType, Tensor};

/// Both points of each row, and the lengths of the `v`: what a loss of the input gradient needs of a network that only
/// has [`Network::learn`](crate::model::Network::learn).
#[derive(Debug, Clone)]
pub struct CentralDifference {
    /// `(2 B, *S)`: all `x + h d`, then all `x - h d`.
    pub points: Tensor,
    /// `|v|`, `(B,)`.
    norms: Vec<f64>,
}

impl CentralDifference {
    /// A distance `h` of both points from `x` that serves f32: rounding is of order `1e-7 |E| / h` of the gradient, the
    /// difference's own error of order `h^2`.
    pub const DISTANCE: f64 = 0.05;

    /// The points at `distance` from `x` along `v`, both `(B, *S)`.
    ///
    /// # Errors
    /// [`crate::Error::Tensor`] when shapes differ.
    pub fn new(x: &Tensor, v: &Tensor, distance: f64) -> Result<Self> {
        let norms = row_sum(&v.sqr()?)?.sqrt()?;
        let step = times(v, &(norms.clone() + 1e-12)?.recip()?.affine(distance, 0.0)?)?;
        let points = Tensor::cat(&[(x + &step)?, (x - &step)?], 0)?;
        Ok(Self { points, norms: norms.to_dtype(DType::F64)?.to_vec1::<f64>()? })
    }

    /// Coefficients of the energies at the points, `(2 B,)`. With `scale = c / (2 h)` the gradient of their sum in the
    /// weights is that of `c sum_b v_b . grad E(x_b)`.
    pub fn coefficients(&self, scale: f64) -> Vec<f32> {
        let one = |sign: f64| self.norms.iter().map(move |norm| (sign * scale * norm) as f32);
        one(1.0).chain(one(-1.0)).collect()
    }
}

/// `x` twice, `(2 B, *S)`: the contexts of the points.
pub(super) fn twice(x: Option<&Tensor>) -> Result<Option<Tensor>> {
    Ok(x.map(|x| Tensor::cat(&[x, x], 0)).transpose()?)
}

/// Batches below one another, of contexts that all have or none has.
pub(super) fn below(parts: &[Option<&Tensor>]) -> Result<Option<Tensor>> {
    match parts.iter().copied().collect::<Option<Vec<_>>>() {
        Some(parts) => Ok(Some(Tensor::cat(&parts, 0)?)),
        None => Ok(None),
    }
}
