//! Denoising score matching of a scalar energy over all noise levels.
//!
//! For `x = cos(t) u + sin(t) eps` the gradient of the network's scalar is fitted to the path's velocity
//! `cos(t) eps - sin(t) u` (Vincent 2011, eq. 11, in the angular parameterisation of Salimans & Ho 2022, section 4).

use crate::error::{Error, Result};
use crate::model::{LevelEnergy, Parameters, weigh};
use crate::noise::Noise;
use crate::train::{Batch, Loss, Objective};
use candle_core::Tensor;

/// Noise angles between which training draws uniformly: from almost data to almost noise.
pub const ANGLES: (f64, f64) = (0.015, 1.555);

/// Fits a [`LevelEnergy`] to the data's scores at all noise levels.
#[derive(Debug, Clone)]
pub struct Denoising {
    /// The network.
    pub energy: LevelEnergy,
    /// Weight of each coordinate's error, `(1, S)` or `(S,)`, nonnegative, in the mean 1, or a positive semidefinite matrix `(S, S)`
    /// of errors' products, with a trace of `S`; none weights all alike. The best energy is the same; weights say where a
    /// network that cannot be perfect should be good.
    pub weights: Option<Tensor>,
}

impl Denoising {
    /// Squared errors `(B, S)`, weighted.
    fn errors(&self, batch: &Batch, noise: &mut Noise) -> Result<Tensor> {
        let (x, t, target) = noised(batch, noise)?;
        let (_, grad) = self.energy.correction_and_gradient(&x, &t, batch.context.as_ref())?;
        let errors = (grad - target)?;
        Ok((weigh(&errors, self.weights.as_ref())? * errors)?)
    }
}

/// A batch along the path: `x` `(B, F)`, its angle `(B, 1)` and the velocity there `(B, F)`.
pub(super) fn noised(batch: &Batch, noise: &mut Noise) -> Result<(Tensor, Tensor, Tensor)> {
    let u = batch.x.flatten_from(1)?;
    let (rows, width) = u.dims2()?;
    let (dtype, device) = (u.dtype(), u.device().clone());
    let t = noise.uniform((rows, 1), dtype, &device)?.affine(ANGLES.1 - ANGLES.0, ANGLES.0)?;
    let eps = noise.normal((rows, width), dtype, &device)?;
    let (cos, sin) = (t.cos()?, t.sin()?);
    let x = (u.broadcast_mul(&cos)? + eps.broadcast_mul(&sin)?)?;
    let target = (eps.broadcast_mul(&cos)? - u.broadcast_mul(&sin)?)?;
    Ok((x, t, target))
}

impl Objective for Denoising {
    fn name(&self) -> &'static str {
        "denoising"
    }

    fn parameters(&self) -> &Parameters {
        self.energy.parameters()
    }

    fn prepare(&mut self) -> Result<()> {
        self.energy.network_mut().power_iteration()
    }

    fn loss(&mut self, batch: &Batch, noise: &mut Noise) -> Result<Loss> {
        Ok(Loss { total: self.errors(batch, noise)?.mean_all()?, figures: Vec::new() })
    }

    fn validate(&self, batch: &Batch, noise: &mut Noise) -> Result<f64> {
        let mean = self.errors(batch, noise)?.mean_all()?;
        Ok(mean.to_dtype(candle_core::DType::F64)?.to_scalar::<f64>()?)
    }

    fn state(&self) -> Result<Vec<(String, Tensor)>> {
        Ok(self.energy.network().state())
    }

    fn restore(&mut self, get: &dyn Fn(&str) -> Option<Tensor>) -> Result<()> {
        self.energy.network_mut().restore(&|name| get(name).ok_or_else(|| Error::Other(format!("no tensor `{name}`"))))
    }
}
