//! Energies made of energies: and, not, or (Du, Li and Mordatch, "Compositional visual generation with energy based
//! models", NeurIPS 2020, section 3.1; Hinton, "Training products of experts", Neural Computation 14, 2002).
//!
//! Each `evaluate` combines the `evaluate` of its parts, so a part's fast path stays in use.

use super::rows::column;
use super::{Energy, Evaluated};
use crate::error::{Error, Result};
use candle_core::Tensor;
use ebmotion_engine::engine::Program;

/// `factor` times an energy: an inverse temperature, the strength of a guide; negative for "not".
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ebmotion::energy::{Energy, analytic::Diagonal, compose::Scaled};
///
/// let energy = Diagonal::isotropic(2, 0.0, 1.0)?;
/// let x = Tensor::new(&[[3.0, -1.0]], &Device::Cpu)?;
/// let plain = energy.energy(&x)?.to_vec1::<f64>()?[0];
/// let cold = Scaled { energy, factor: 2.0 }; // temperature 1/2
/// assert_eq!(cold.energy(&x)?.to_vec1::<f64>()?, [2.0 * plain]);
/// # Ok::<(), ebmotion::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Scaled<E> {
    /// What is scaled.
    pub energy: E,
    /// By what.
    pub factor: f64,
}

impl<E: Energy> Energy for Scaled<E> {
    fn energy(&self, x: &Tensor) -> Result<Tensor> {
        Ok((self.energy.energy(x)? * self.factor)?)
    }

    fn evaluate(&self, x: &Tensor) -> Result<Evaluated> {
        let at = self.energy.evaluate(x)?;
        Ok(Evaluated { energy: (at.energy * self.factor)?, grad: (at.grad * self.factor)? })
    }

    fn program(&self, shape: &[usize]) -> Result<Option<Program>> {
        Ok(self.energy.program(shape)?.map(|program| program.scaled(self.factor as f32)))
    }
}

/// Conjunction of any number of energies, chosen while the program runs: a model and a user's constraints.
///
/// With no part it is zero everywhere.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ebmotion::energy::{Energy, analytic::Diagonal, compose::Sum, constraint::SoftLimits};
///
/// let model = Diagonal::isotropic(1, 0.0, 1.0)?;
/// let (low, high) = (Tensor::new(&[-1.0], &Device::Cpu)?, Tensor::new(&[1.0], &Device::Cpu)?);
/// let sum = Sum::new().with(&model).with(SoftLimits::new(&low, &high, 50.0)?);
/// let x = Tensor::new(&[[1.1]], &Device::Cpu)?;
/// let more = (sum.energy(&x)? - model.energy(&x)?)?.to_vec1::<f64>()?[0];
/// assert!((more - 0.5).abs() < 1e-9); // 50 * 0.1^2
/// # Ok::<(), ebmotion::Error>(())
/// ```
#[derive(Default)]
pub struct Sum<'a> {
    parts: Vec<Box<dyn Energy + 'a>>,
}

impl<'a> Sum<'a> {
    /// Zero everywhere.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a part; pass a reference to borrow it.
    pub fn with(mut self, part: impl Energy + 'a) -> Self {
        self.parts.push(Box::new(part));
        self
    }

    /// Number of parts.
    pub fn len(&self) -> usize {
        self.parts.len()
    }

    /// True for the energy that is zero everywhere.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }
}

impl<'a> FromIterator<Box<dyn Energy + 'a>> for Sum<'a> {
    fn from_iter<I: IntoIterator<Item = Box<dyn Energy + 'a>>>(parts: I) -> Self {
        Self { parts: parts.into_iter().collect() }
    }
}

impl std::fmt::Debug for Sum<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sum").field("parts", &self.parts.len()).finish()
    }
}

impl Energy for Sum<'_> {
    fn energy(&self, x: &Tensor) -> Result<Tensor> {
        match self.parts.split_first() {
            Some((first, rest)) => rest.iter().try_fold(first.energy(x)?, |sum, part| Ok((sum + part.energy(x)?)?)),
            None => Ok(Tensor::zeros(x.dim(0)?, x.dtype(), x.device())?),
        }
    }

    fn evaluate(&self, x: &Tensor) -> Result<Evaluated> {
        match self.parts.split_first() {
            Some((first, rest)) => rest.iter().try_fold(first.evaluate(x)?, |sum, part| plus(sum, part.evaluate(x)?)),
            None => Ok(Evaluated { energy: self.energy(x)?, grad: x.zeros_like()?.detach() }),
        }
    }

    fn program(&self, shape: &[usize]) -> Result<Option<Program>> {
        let mut sum = Program::new(shape.iter().skip(1).product(), Vec::new())?;
        for part in &self.parts {
            match part.program(shape)? {
                Some(program) => sum = sum.plus(program)?,
                None => return Ok(None),
            }
        }
        Ok(Some(sum))
    }
}

/// Disjunction: `-ln sum_k w_k exp(-E_k(x))`. Where each part is normalised and the weights sum to 1 it is the energy
/// of the mixture of their densities.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ebmotion::energy::{Energy, analytic::Diagonal, compose::MixtureEnergy};
///
/// let at = |mean: f64| -> ebmotion::Result<Box<dyn Energy>> { Ok(Box::new(Diagonal::isotropic(1, mean, 0.5)?)) };
/// let mixture = MixtureEnergy::new([(0.75, at(-3.0)?), (0.25, at(3.0)?)])?;
/// let energies = mixture.energy(&Tensor::new(&[[-3.0], [3.0]], &Device::Cpu)?)?.to_vec1::<f64>()?;
/// assert!((energies[1] - energies[0] - 3f64.ln()).abs() < 1e-9); // three times as likely at -3
/// # Ok::<(), ebmotion::Error>(())
/// ```
pub struct MixtureEnergy<'a> {
    log_weights: Vec<f64>,
    parts: Vec<Box<dyn Energy + 'a>>,
}

impl<'a> MixtureEnergy<'a> {
    /// The mixture of `(weight, energy)` pairs.
    ///
    /// # Errors
    /// [`Error::Data`] when there is no part or a weight is not a positive, finite number.
    pub fn new(parts: impl IntoIterator<Item = (f64, Box<dyn Energy + 'a>)>) -> Result<Self> {
        let (weights, parts): (Vec<f64>, Vec<_>) = parts.into_iter().unzip();
        if parts.is_empty() {
            return Err(Error::data("a mixture", "no part", "at least one"));
        }
        if let Some(weight) = weights.iter().find(|w| !(w.is_finite() && **w > 0.0)) {
            return Err(Error::data("a mixture's weight", weight, "a positive number"));
        }
        Ok(Self { log_weights: weights.iter().map(|w| w.ln()).collect(), parts })
    }

    /// `ln w_k - E_k` of all parts, `(K, B)`.
    fn log_terms(&self, energies: &[Tensor]) -> Result<Tensor> {
        let terms = energies.iter().zip(&self.log_weights).map(|(e, w)| e.affine(-1.0, *w));
        Ok(Tensor::stack(&terms.collect::<candle_core::Result<Vec<_>>>()?, 0)?)
    }
}

impl std::fmt::Debug for MixtureEnergy<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MixtureEnergy").field("log_weights", &self.log_weights).finish_non_exhaustive()
    }
}

impl Energy for MixtureEnergy<'_> {
    fn energy(&self, x: &Tensor) -> Result<Tensor> {
        let energies = self.parts.iter().map(|part| part.energy(x)).collect::<Result<Vec<_>>>()?;
        Ok(self.log_terms(&energies)?.log_sum_exp(0)?.neg()?)
    }

    /// The gradient is the mean of the parts' gradients under their posterior probabilities.
    fn evaluate(&self, x: &Tensor) -> Result<Evaluated> {
        let parts = self.parts.iter().map(|part| part.evaluate(x)).collect::<Result<Vec<_>>>()?;
        let energies: Vec<Tensor> = parts.iter().map(|at| at.energy.clone()).collect();
        let terms = self.log_terms(&energies)?;
        let log_total = terms.log_sum_exp(0)?;
        let posterior = terms.broadcast_sub(&log_total)?.exp()?;
        let mut grad = x.zeros_like()?.detach();
        for (k, at) in parts.iter().enumerate() {
            grad = (grad + at.grad.broadcast_mul(&column(&posterior.get(k)?, x)?)?)?;
        }
        Ok(Evaluated { energy: log_total.neg()?, grad })
    }
}

fn plus(a: Evaluated, b: Evaluated) -> Result<Evaluated> {
    Ok(Evaluated { energy: (a.energy + b.energy)?, grad: (a.grad + b.grad)? })
}
