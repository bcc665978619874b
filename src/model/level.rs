//! A scalar energy for every noise level: one network that knows how much noise its input holds.
//!
//! Along the path `x_t = cos(t) u + sin(t) eps`, from data (`t = 0`) to noise (`t = pi / 2`), the energy is
//!
//! ```text
//! E_t(x | c) = |x|^2 / 2 + cot(t) g(x, t, c),      g = 10 MLP(x, level(t), c)
//! ```
//!
//! Where `g = 0` every `E_t` is the standard normal's, so in whitened coordinates the network learns only how the data
//! differ from a Gaussian. For the optimal `g`, `grad_x g(x, t, c) = E[cos(t) eps - sin(t) u | x_t = x, c]`, the
//! velocity of the path (Salimans & Ho 2022, appendix D, for this angular parameterisation; the gradient of a scalar in
//! its place), and `-grad E_t` is the score of `x_t` (Vincent 2011).

use super::level_features::{GAIN, LEVEL_FEATURES, level_features};
use super::{Mlp, MlpConfig, Parameters};
use crate::energy::{Energy, Evaluated};
use crate::error::Result;
use crate::noise::Noise;
use candle_core::{D, DType, Device, Tensor};
use ebmotion_engine::engine::{Program, Rows, Term};

/// The noise-level-conditional energy of arrays of `inputs` numbers given a context.
#[derive(Debug, Clone)]
pub(crate) struct LevelEnergy {
    net: Mlp,
}

impl LevelEnergy {
    /// A fresh network. `config.context` counts the numbers of the context alone; the level's features are added.
    ///
    /// # Errors
    /// As [`Mlp::new`].
    pub fn new(mut config: MlpConfig, noise: &mut Noise, dtype: DType, device: &Device) -> Result<Self> {
        config.context += LEVEL_FEATURES;
        config.outputs = 1;
        Ok(Self { net: Mlp::new(config, noise, dtype, device)? })
    }

    /// Around a network whose context begins with the level's features.
    pub(super) fn of(net: Mlp) -> Self {
        Self { net }
    }

    /// The network, for good.
    pub(super) fn into_network(self) -> Mlp {
        self.net
    }

    /// A copy on a device, with weights of its own.
    ///
    /// # Errors
    /// As [`Mlp::to_device`].
    pub fn to_device(&self, device: &Device) -> Result<Self> {
        Ok(Self { net: self.net.to_device(device)? })
    }

    /// The trainable tensors.
    pub fn parameters(&self) -> &Parameters {
        self.net.parameters()
    }

    /// The network inside.
    pub fn network(&self) -> &Mlp {
        &self.net
    }

    /// Fixes the context: its part of the first layer is computed here, once for all levels and steps.
    ///
    /// # Errors
    /// As [`Mlp::forward`].
    pub fn conditioned(&self, context: Option<&Tensor>, rows: usize) -> Result<Conditioned<'_>> {
        let (dtype, device) = self.dtype_device();
        let no_level = Tensor::zeros((rows, LEVEL_FEATURES), dtype, &device)?;
        let context = match context {
            Some(c) => Tensor::cat(&[&no_level, &c.flatten_from(1)?.detach()], 1)?,
            None => no_level,
        };
        Ok(Conditioned { energy: self, base: self.net.context_part(Some(&context))? })
    }

    /// The context's weight in the first layer, `(H, C)`, and the bias, `(H,)`.
    ///
    /// # Errors
    /// [`crate::Error::Tensor`].
    pub fn context_layer(&self) -> Result<(Tensor, Tensor)> {
        let (weight, bias) = self.net.context_layer()?;
        let width = weight.dim(1)? - LEVEL_FEATURES;
        Ok((weight.narrow(1, LEVEL_FEATURES, width)?.contiguous()?, bias))
    }

    /// What the noise level of angle `t` adds to the first layer, `(H,)`.
    ///
    /// # Errors
    /// [`crate::Error::Tensor`].
    pub fn level_shift(&self, t: f64) -> Result<Tensor> {
        let (weight, _) = self.net.context_layer()?;
        let angle = Tensor::full(t, (1, 1), weight.device())?.to_dtype(weight.dtype())?;
        let level = weight.narrow(1, 0, LEVEL_FEATURES)?;
        Ok(level_features(&angle)?.matmul(&level.t()?)?.squeeze(0)?)
    }

    fn dtype_device(&self) -> (DType, Device) {
        self.parameters().iter().next().map_or((DType::F32, Device::Cpu), |(_, v)| (v.dtype(), v.device().clone()))
    }
}

/// A [`LevelEnergy`] whose context is fixed.
#[derive(Debug, Clone)]
pub(crate) struct Conditioned<'a> {
    energy: &'a LevelEnergy,
    /// `(B, H)`.
    base: Tensor,
}

impl<'a> Conditioned<'a> {
    /// The energy at the noise level of angle `t`, in `(0, pi / 2)`.
    ///
    /// # Errors
    /// [`crate::Error::Tensor`].
    pub fn at(&self, t: f64) -> Result<AtLevel<'a>> {
        let (dtype, device) = self.energy.dtype_device();
        let angle = Tensor::full(t, (1, 1), &device)?.to_dtype(dtype)?;
        let width = self.energy.net.config().context - LEVEL_FEATURES;
        let none = Tensor::zeros((1, width + LEVEL_FEATURES), dtype, &device)?;
        let only_level = Tensor::cat(&[&level_features(&angle)?, &none.narrow(1, 0, width)?], 1)?;
        let net = &self.energy.net;
        // The first layer is linear, so the level's part is a difference of two context parts (the bias drops out).
        let shift = (net.context_part(Some(&only_level))? - net.context_part(Some(&none))?)?;
        Ok(AtLevel { energy: self.energy, part: self.base.broadcast_add(&shift)?, t })
    }
}

/// The energy of one noise level, given a context: an [`Energy`] with an analytic gradient.
#[derive(Debug, Clone)]
pub(crate) struct AtLevel<'a> {
    energy: &'a LevelEnergy,
    /// `(B, H)`: context and level in the first layer.
    part: Tensor,
    t: f64,
}

impl AtLevel<'_> {
    /// Gradient of `g` in `x`, `(B, inputs)`: the velocity of the path from data to noise.
    ///
    /// # Errors
    /// As [`Mlp::forward`].
    pub fn velocity(&self, x: &Tensor) -> Result<Tensor> {
        let (_, grad) = self.energy.net.value_and_gradient_at(x, &self.part)?;
        Ok((grad * GAIN)?)
    }

    /// `E_t(x | c)` without its gradient, `(B,)`, detached.
    ///
    /// # Errors
    /// As [`Mlp::forward`].
    pub fn value(&self, x: &Tensor) -> Result<Tensor> {
        self.energy(&x.detach())
    }
}

impl Energy for AtLevel<'_> {
    fn energy(&self, x: &Tensor) -> Result<Tensor> {
        let g = self.energy.net.forward_at(x, &self.part)?.squeeze(D::Minus1)?;
        combine(&x.flatten_from(1)?, &g, self.t)
    }

    fn evaluate(&self, x: &Tensor) -> Result<Evaluated> {
        let (g, grad) = self.energy.net.value_and_gradient_at(x, &self.part)?;
        let flat = x.flatten_from(1)?.detach();
        let grad = (&flat + (grad * (GAIN / self.t.tan()))?)?;
        Ok(Evaluated { energy: combine(&flat, &g, self.t)?, grad: grad.reshape(x.dims())? })
    }

    fn program(&self, _: &[usize]) -> Result<Option<Program>> {
        let width = self.energy.net.config().inputs;
        let (network, first) = (self.energy.net.packed()?.into(), super::mlp::rows(&self.part)?);
        let network = Term::Network { network, first, factor: (GAIN / self.t.tan()) as f32 };
        let centre = Rows::new(width, vec![0.0; width])?;
        Ok(Some(Program::new(width, vec![network, Term::Quadratic { centre, weight: vec![0.5; width].into() }])?))
    }
}

fn combine(flat: &Tensor, net: &Tensor, t: f64) -> Result<Tensor> {
    Ok(((flat.sqr()?.sum(D::Minus1)? * 0.5)? + (net * (GAIN / t.tan()))?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::energy::by_autograd;
    use crate::model::{Activation, Leveled, MlpEnergy};

    #[test]
    fn a_level_energy_is_its_own_gradient_at_every_level() -> Result<()> {
        let mut noise = Noise::new(4);
        let config = MlpConfig {
            inputs: 4,
            context: 3,
            hidden: vec![24, 16],
            outputs: 1,
            activation: Activation::Swish,
            positions: None,
            spectral_norm: false,
        };
        let energy = LevelEnergy::new(config, &mut noise, DType::F64, &Device::Cpu)?;
        let (x, context) =
            (noise.normal((6, 4), DType::F64, &Device::Cpu)?, noise.normal((6, 3), DType::F64, &Device::Cpu)?);
        let fixed = energy.conditioned(Some(&context), 6)?;
        let whole = Leveled::over(MlpEnergy { net: energy.network().clone() });
        for t in [0.05f64, 0.5, 1.2] {
            let level = fixed.at(t)?;
            let fast = level.evaluate(&x)?;
            let slow = by_autograd(|x| level.energy(x), &x)?;
            let error = (&fast.grad - &slow.grad)?.abs()?.flatten_all()?.max(0)?.to_scalar::<f64>()?;
            assert!(error < 1e-10, "level {t}: {error}");
            // Context part computed once, level added: the same as both together.
            let whole = whole.at(t, Some(&context))?.velocity(&x)?;
            let error = (level.velocity(&x)? - whole)?.abs()?.flatten_all()?.max(0)?.to_scalar::<f64>()?;
            assert!(error < 1e-10, "level {t}: {error}");
        }
        Ok(())
    }
}
