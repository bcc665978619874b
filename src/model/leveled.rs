//! A scalar energy for every noise level over any network: `LevelEnergy` for networks that are no perceptrons.

use super::level_features::{GAIN, LEVEL_FEATURES, level_features, with_level};
use super::{LevelEnergy, MlpEnergy, Network, Parameters};
use crate::energy::rows::{column, row_sum};
use crate::energy::{Energy, Evaluated};
use crate::error::Result;
use candle_core::{DType, Device, Tensor};
use ebmotion_engine::engine::{Program, Rows, Term};

/// `E_t(x | c) = |x|^2 / 2 + cot(t) g(x, t, c)` with `g = gain * N(x | level(t), c)`, along the path
/// `x_t = cos(t) u + sin(t) eps` from data to noise.
///
/// Where `g = 0` every `E_t` is the standard normal's. For the optimal `g`, `grad_x g` is the velocity of the path,
/// `E[cos(t) eps - sin(t) u | x_t = x, c]` (Salimans & Ho 2022, appendix D), and `-grad E_t` the score of `x_t`
/// (Vincent 2011).
///
/// The network's context is the level's features, then the context itself. Arrays should be such that a standard normal
/// is a fair first guess: images in `[0, 1]` as `2 x - 1` or whitened.
#[derive(Debug, Clone)]
pub struct Leveled<N> {
    network: N,
    gain: f64,
}

impl<N: Network> Leveled<N> {
    /// Numbers of the network's context that tell it its level: those of the context itself follow.
    pub const FEATURES: usize = LEVEL_FEATURES;

    /// Over a network whose context is [`Leveled::FEATURES`] numbers wider than the energy's.
    pub fn over(network: N) -> Self {
        Self { network, gain: GAIN }
    }

    /// The same with another scale of the network's output than 10.
    pub fn with_gain(self, gain: f64) -> Self {
        Self { gain, ..self }
    }

    /// The network.
    pub fn network(&self) -> &N {
        &self.network
    }

    /// The network.
    pub fn network_mut(&mut self) -> &mut N {
        &mut self.network
    }

    /// Scale of the network's output.
    pub fn gain(&self) -> f64 {
        self.gain
    }

    /// The trainable tensors.
    pub fn parameters(&self) -> &Parameters {
        self.network.parameters()
    }

    /// The network, for good.
    pub fn into_network(self) -> N {
        self.network
    }

    /// The network's context for angles `(B, 1)` and a context of as many rows, `(B, 9 + C)`.
    ///
    /// # Errors
    /// [`crate::Error::Tensor`].
    pub fn context(&self, angle: &Tensor, context: Option<&Tensor>) -> Result<Tensor> {
        with_level(angle, context)
    }

    /// The energy at the noise level of angle `t`, in `(0, pi / 2)`, given a context `(B, *C)` where it has one.
    ///
    /// # Errors
    /// [`crate::Error::Tensor`].
    pub fn at(&self, t: f64, context: Option<&Tensor>) -> Result<AtLevelOf<'_, N>> {
        let of = self.network.parameters().iter().next().map(|(_, v)| (v.dtype(), v.device().clone()));
        let (dtype, device) = of.unwrap_or((DType::F32, Device::Cpu));
        let level = level_features(&Tensor::full(t, (1, 1), &device)?.to_dtype(dtype)?)?;
        let context = match context {
            None => level,
            Some(c) => {
                let c = c.flatten_from(1)?;
                Tensor::cat(&[&level.broadcast_as((c.dim(0)?, LEVEL_FEATURES))?.contiguous()?, &c], 1)?
            }
        };
        Ok(AtLevelOf { energy: self, context, t })
    }
}

impl LevelEnergy {
    /// The same energy as one over any network, for objectives that take such.
    pub(crate) fn leveled(self) -> Leveled<MlpEnergy> {
        Leveled::over(MlpEnergy { net: self.into_network() })
    }
}

impl Leveled<MlpEnergy> {
    /// The same energy as the perceptron's own; undoes [`LevelEnergy::leveled`].
    pub(crate) fn into_perceptron(self) -> LevelEnergy {
        LevelEnergy::of(self.network.net)
    }
}

/// A [`Leveled`] energy at one noise level, given a context: an [`Energy`] that chains can walk in.
#[derive(Debug, Clone)]
pub struct AtLevelOf<'a, N> {
    energy: &'a Leveled<N>,
    /// `(B, 9 + C)`, or one row for all.
    context: Tensor,
    t: f64,
}

impl<N: Network> AtLevelOf<'_, N> {
    fn factor(&self) -> f64 {
        self.energy.gain / self.t.tan()
    }

    /// The network's context, a row for each array.
    fn context(&self, x: &Tensor) -> Result<Tensor> {
        Ok(self.context.broadcast_as((x.dim(0)?, self.context.dim(1)?))?.contiguous()?)
    }

    /// Gradient of `g` in `x`, `(B, *S)`: the velocity of the path from data to noise.
    ///
    /// # Errors
    /// As [`Network::evaluate`].
    pub fn velocity(&self, x: &Tensor) -> Result<Tensor> {
        let at = self.energy.network.evaluate(x, Some(&self.context(x)?))?;
        Ok((at.grad * self.energy.gain)?)
    }
}

impl<N: Network> Energy for AtLevelOf<'_, N> {
    fn energy(&self, x: &Tensor) -> Result<Tensor> {
        let g = self.energy.network.energy(x, Some(&self.context(x)?))?;
        Ok(((row_sum(&x.sqr()?)? * 0.5)? + (g * self.factor())?)?)
    }

    fn evaluate(&self, x: &Tensor) -> Result<Evaluated> {
        let x = x.detach();
        let at = self.energy.network.evaluate(&x, Some(&self.context(&x)?))?;
        let energy = ((row_sum(&x.sqr()?)? * 0.5)? + (at.energy * self.factor())?)?;
        Ok(Evaluated { energy, grad: (&x + (at.grad * self.factor())?)? })
    }

    fn program(&self, shape: &[usize]) -> Result<Option<Program>> {
        // One row of context serves all chains.
        let Some(network) = self.energy.network.program(shape, Some(&self.context))? else { return Ok(None) };
        let width = network.width();
        let centre = Rows::new(width, vec![0.0; width])?;
        let normal = Program::new(width, vec![Term::Quadratic { centre, weight: vec![0.5; width].into() }])?;
        Ok(Some(network.scaled(self.factor() as f32).plus(normal)?))
    }
}

/// `x` of any shape times one number a row, `(B, 1)`.
pub(crate) fn times(x: &Tensor, rows: &Tensor) -> Result<Tensor> {
    Ok(x.broadcast_mul(&column(&rows.flatten_all()?, x)?)?)
}
