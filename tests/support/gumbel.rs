//! An asymmetric density, for tests.

use candle_core::{Device, Tensor};
use ebmotion::Result;
use ebmotion::energy::{Energy, Evaluated};

/// Independent Gumbel coordinates: with `z = (x - location) / scale` each adds `z + exp(-z) + ln scale`.
///
/// Mean `location + 0.5772.. scale`, variance `(pi scale)^2 / 6`, skewness 1.1395.., `p`-quantile
/// `location - scale ln(-ln p)` (Johnson, Kotz and Balakrishnan, "Continuous univariate distributions", volume 2,
/// chapter 22).
#[derive(Debug, Clone)]
pub struct Gumbel {
    location: Tensor,
    scale: Tensor,
    normaliser: f64,
}

impl Gumbel {
    /// By location (the mode) and scale of each of `F` coordinates.
    pub fn new(location: &[f64], scale: &[f64]) -> Result<Self> {
        let normaliser = scale.iter().map(|s| s.ln()).sum();
        let tensor = |values: &[f64]| Tensor::new(values, &Device::Cpu);
        Ok(Self { location: tensor(location)?, scale: tensor(scale)?, normaliser })
    }

    /// `(B, F)`: `z`, and `exp(-z)`.
    fn standardised(&self, x: &Tensor) -> Result<[Tensor; 2]> {
        let like = |t: &Tensor| t.to_dtype(x.dtype());
        let flat = x.flatten_from(1)?;
        let z = flat.broadcast_sub(&like(&self.location)?)?.broadcast_div(&like(&self.scale)?)?;
        let decay = z.neg()?.exp()?;
        Ok([z, decay])
    }

    fn value(&self, [z, decay]: &[Tensor; 2]) -> Result<Tensor> {
        Ok(((z + decay)?.sum(1)? + self.normaliser)?)
    }
}

impl Energy for Gumbel {
    fn energy(&self, x: &Tensor) -> Result<Tensor> {
        self.value(&self.standardised(x)?)
    }

    fn evaluate(&self, x: &Tensor) -> Result<Evaluated> {
        let standardised = self.standardised(&x.detach())?;
        let scale = self.scale.to_dtype(x.dtype())?;
        let grad = standardised[1].affine(-1.0, 1.0)?.broadcast_div(&scale)?.reshape(x.shape())?;
        Ok(Evaluated { energy: self.value(&standardised)?, grad })
    }
}
