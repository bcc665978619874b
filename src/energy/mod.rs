//! One scalar field over a batch of arrays, low where an array is plausible.
//!
//! `x` has shape `(B, *S)`, batch first; the shape `S` is opaque here: a trajectory window and an image are both just
//! `x`. Energies are in nats at temperature 1: the density is proportional to `exp(-E(x))`.

use crate::error::Result;
use candle_core::{Tensor, Var};
use ebmotion_engine::engine::Program;

pub mod affine;
pub mod analytic;
pub mod clamp;
pub mod compose;
pub mod constraint;
pub mod coordinates;
pub(crate) mod differences;
#[cfg(test)]
#[path = "../../tests/support/gumbel.rs"]
pub(crate) mod gumbel;
pub(crate) mod rows;
#[cfg(test)]
mod tests;

/// Energy and its gradient at a batch of points, detached from any graph.
#[derive(Debug, Clone)]
pub struct Evaluated {
    /// `(B,)`, nats.
    pub energy: Tensor,
    /// dE/dx, `(B, *S)`. The score is its negative.
    pub grad: Tensor,
}

/// A scalar energy of a batch of arrays.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ebmotion::{Result, energy::Energy};
///
/// /// Two wells in each coordinate, at -1 and 1.
/// struct Wells;
///
/// impl Energy for Wells {
///     fn energy(&self, x: &Tensor) -> Result<Tensor> {
///         Ok((x.sqr()? - 1.0)?.sqr()?.sum(1)?)
///     }
/// }
///
/// let at = Wells.evaluate(&Tensor::new(&[[1.0, 2.0]], &Device::Cpu)?)?;
/// assert_eq!(at.energy.to_vec1::<f64>()?, [9.0]);
/// assert_eq!(at.grad.to_vec2::<f64>()?, [[0.0, 24.0]]); // 4 x (x^2 - 1), by autograd
/// # Ok::<(), ebmotion::Error>(())
/// ```
pub trait Energy {
    /// `E(x)` of shape `(B,)` for `x` of shape `(B, *S)`; differentiable in `x`.
    ///
    /// # Errors
    /// [`crate::Error`] when `x` has a shape this energy does not take, or a tensor operation fails.
    fn energy(&self, x: &Tensor) -> Result<Tensor>;

    /// Energy and input gradient. The default, [`by_autograd`], is the specification; an override is a faster way to
    /// the same numbers.
    ///
    /// # Errors
    /// As [`Energy::energy`].
    fn evaluate(&self, x: &Tensor) -> Result<Evaluated> {
        by_autograd(|x| self.energy(x), x)
    }

    /// The same energy written out as plain numbers for arrays of `shape` `(B, *S)`, so that
    /// [`ebmotion_engine::engine`] can run whole chains on it; `None`, the default, where it cannot be said so.
    ///
    /// # Errors
    /// As [`Energy::energy`].
    fn program(&self, shape: &[usize]) -> Result<Option<Program>> {
        let _ = shape;
        Ok(None)
    }
}

/// Reference gradient: reverse-mode differentiation of the batch's summed energy, correct for any network because
/// chains do not interact.
///
/// # Errors
/// Whatever `energy` returns, or [`crate::Error::Tensor`].
pub fn by_autograd(energy: impl Fn(&Tensor) -> Result<Tensor>, x: &Tensor) -> Result<Evaluated> {
    let x = Var::from_tensor(&x.detach())?;
    let value = energy(x.as_tensor())?;
    let grads = value.sum_all()?.backward()?;
    let grad = match grads.get(x.as_tensor()) {
        Some(g) => g.detach(),
        None => x.as_tensor().zeros_like()?, // an energy that does not depend on x
    };
    Ok(Evaluated { energy: value.detach(), grad })
}

/// An energy of `x` given a context of its own shape, row by row.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ebmotion::{Result, energy::{ConditionalEnergy, Energy}};
///
/// /// Half the squared distance from the context.
/// struct Near;
///
/// impl ConditionalEnergy for Near {
///     fn energy_given(&self, x: &Tensor, context: &Tensor) -> Result<Tensor> {
///         Ok(((x - context)?.sqr()?.sum(1)? * 0.5)?)
///     }
/// }
///
/// let context = Tensor::new(&[[1.0, 1.0]], &Device::Cpu)?;
/// let near = Near.given(&context); // an `Energy`: any sampler takes it
/// assert_eq!(near.energy(&Tensor::new(&[[1.0, 3.0]], &Device::Cpu)?)?.to_vec1::<f64>()?, [2.0]);
/// # Ok::<(), ebmotion::Error>(())
/// ```
pub trait ConditionalEnergy {
    /// `E(x | context)` of shape `(B,)`; `x` is `(B, *S)`, `context` is `(B, *C)`.
    ///
    /// # Errors
    /// As [`Energy::energy`].
    fn energy_given(&self, x: &Tensor, context: &Tensor) -> Result<Tensor>;

    /// Energy and gradient in `x` (not in the context); see [`Energy::evaluate`].
    ///
    /// # Errors
    /// As [`Energy::energy`].
    fn evaluate_given(&self, x: &Tensor, context: &Tensor) -> Result<Evaluated> {
        by_autograd(|x| self.energy_given(x, context), x)
    }

    /// As [`Energy::program`].
    ///
    /// # Errors
    /// As [`Energy::energy`].
    fn program_given(&self, shape: &[usize], context: &Tensor) -> Result<Option<Program>> {
        let _ = (shape, context);
        Ok(None)
    }

    /// The energy that remains when the context is held fixed.
    fn given<'a>(&'a self, context: &'a Tensor) -> Given<'a, Self> {
        Given { energy: self, context }
    }
}

/// A [`ConditionalEnergy`] with its context held fixed: an [`Energy`].
#[derive(Debug)]
pub struct Given<'a, E: ?Sized> {
    energy: &'a E,
    context: &'a Tensor,
}

impl<E: ConditionalEnergy + ?Sized> Energy for Given<'_, E> {
    fn energy(&self, x: &Tensor) -> Result<Tensor> {
        self.energy.energy_given(x, self.context)
    }

    fn evaluate(&self, x: &Tensor) -> Result<Evaluated> {
        self.energy.evaluate_given(x, self.context)
    }

    fn program(&self, shape: &[usize]) -> Result<Option<Program>> {
        self.energy.program_given(shape, self.context)
    }
}

impl<E: Energy + ?Sized> Energy for &E {
    fn energy(&self, x: &Tensor) -> Result<Tensor> {
        (**self).energy(x)
    }

    fn evaluate(&self, x: &Tensor) -> Result<Evaluated> {
        (**self).evaluate(x)
    }

    fn program(&self, shape: &[usize]) -> Result<Option<Program>> {
        (**self).program(shape)
    }
}

impl<E: Energy + ?Sized> Energy for Box<E> {
    fn energy(&self, x: &Tensor) -> Result<Tensor> {
        (**self).energy(x)
    }

    fn evaluate(&self, x: &Tensor) -> Result<Evaluated> {
        (**self).evaluate(x)
    }

    fn program(&self, shape: &[usize]) -> Result<Option<Program>> {
        (**self).program(shape)
    }
}
