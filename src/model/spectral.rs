//! Spectral norm: a weight divided by its largest singular value (Miyato et al. 2018, algorithm 1).

use crate::error::Result;
use crate::noise::Noise;
use candle_core::{DType, Device, Tensor};

/// Persistent singular vectors of one weight `(rows, columns)`, for networks that divide it by its norm.
#[derive(Debug, Clone)]
pub struct SpectralNorm {
    /// `(1, rows)`.
    pub u: Tensor,
    /// `(1, columns)`.
    pub v: Tensor,
}

impl SpectralNorm {
    /// For a weight of `rows` x `columns`, from vectors drawn from `noise`.
    ///
    /// # Errors
    /// [`crate::Error::Tensor`].
    pub fn new(rows: usize, columns: usize, noise: &mut Noise, dtype: DType, device: &Device) -> Result<Self> {
        let u = unit(&noise.normal((1, rows), dtype, device)?)?;
        let v = unit(&noise.normal((1, columns), dtype, device)?)?;
        Ok(Self { u, v })
    }

    /// One power iteration on a detached weight `(rows, columns)`.
    ///
    /// # Errors
    /// [`crate::Error::Tensor`], when the shape differs too.
    pub fn iterate(&mut self, weight: &Tensor) -> Result<()> {
        self.v = unit(&self.u.matmul(weight)?)?;
        self.u = unit(&self.v.matmul(&weight.t()?)?)?;
        Ok(())
    }

    /// Gradient in the weight of a gradient in the weight divided by its norm: `(G - <G, W / s> u v^T) / s`, `s` the
    /// norm.
    ///
    /// # Errors
    /// As [`SpectralNorm::iterate`].
    pub fn pull_back(&self, weight: &Tensor, gradient: &Tensor) -> Result<Tensor> {
        let sigma = self.sigma(weight)?;
        let along = (gradient * weight.broadcast_div(&sigma)?)?.sum_all()?.reshape((1, 1))?;
        let outer = self.u.t()?.matmul(&self.v)?.broadcast_mul(&along)?;
        Ok((gradient - outer)?.broadcast_div(&sigma)?)
    }

    /// `u^T W v` of shape `(1, 1)`: a graph in the weight, the vectors held fixed (section 2.1 of the source).
    ///
    /// # Errors
    /// As [`SpectralNorm::iterate`].
    pub fn sigma(&self, weight: &Tensor) -> Result<Tensor> {
        Ok(self.u.matmul(weight)?.matmul(&self.v.t()?)?)
    }
}

fn unit(x: &Tensor) -> Result<Tensor> {
    let norm = x.sqr()?.sum_all()?.sqrt()?;
    Ok(x.broadcast_div(&(norm + 1e-12)?)?.detach())
}
