//! Densities whose moments are known: oracles for the samplers, priors and goals for users. All are normalised, so the
//! integral of `exp(-E)` is 1.

use super::rows::{like, plain, row_sum, rows_of};
use super::{Energy, Evaluated};
use crate::error::{Error, Result};
use candle_core::{Device, Tensor};
use ebmotion_engine::engine::cholesky::{cholesky, gram, invert_lower, log_diagonal};
use ebmotion_engine::engine::{Program, Rows, Term};

/// `ln sqrt(2 pi)`, the normaliser of one standard normal coordinate.
const LN_SQRT_TWO_PI: f64 = 0.918_938_533_204_672_8;

/// Multivariate normal density over rows of `F` numbers.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ebmotion::energy::{Energy, analytic::Gaussian};
///
/// let gaussian = Gaussian::from_covariance(&[0.0, 0.0], &[4.0, 0.0, 0.0, 1.0])?;
/// let at = gaussian.evaluate(&Tensor::new(&[[2.0, 0.0]], &Device::Cpu)?)?;
/// // One standard deviation away in one direction: half a nat, and the normaliser ln(2 pi * 2).
/// let expected = 0.5 + (4.0 * std::f64::consts::PI).ln();
/// assert!((at.energy.to_vec1::<f64>()?[0] - expected).abs() < 1e-9);
/// assert_eq!(at.grad.to_vec2::<f64>()?, [[0.5, 0.0]]);
/// # Ok::<(), ebmotion::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Gaussian {
    mean: Tensor,
    precision: Tensor,
    normaliser: f64,
}

impl Gaussian {
    /// By mean `(F,)` and covariance `(F, F)`, row-major.
    ///
    /// # Errors
    /// [`Error::Data`] when the covariance is not a symmetric, positive definite matrix of that size.
    pub fn from_covariance(mean: &[f64], covariance: &[f64]) -> Result<Self> {
        let n = mean.len();
        let l = cholesky(covariance, n, "a Gaussian's covariance")?;
        Self::new(mean, gram(&invert_lower(&l, n), n), log_diagonal(&l, n))
    }

    /// By mean `(F,)` and precision (inverse covariance) `(F, F)`, row-major.
    ///
    /// # Errors
    /// [`Error::Data`] when the precision is not a symmetric, positive definite matrix of that size.
    pub fn from_precision(mean: &[f64], precision: &[f64]) -> Result<Self> {
        let l = cholesky(precision, mean.len(), "a Gaussian's precision")?;
        Self::new(mean, precision.to_vec(), -log_diagonal(&l, mean.len()))
    }

    fn new(mean: &[f64], precision: Vec<f64>, half_log_det_covariance: f64) -> Result<Self> {
        let n = mean.len();
        Ok(Self {
            mean: Tensor::new(mean, &Device::Cpu)?,
            precision: Tensor::from_vec(precision, (n, n), &Device::Cpu)?,
            normaliser: half_log_det_covariance + n as f64 * LN_SQRT_TWO_PI,
        })
    }

    /// Deviation from the mean, and the precision times it: the gradient.
    fn pull(&self, x: &Tensor) -> Result<(Tensor, Tensor)> {
        let away = rows_of(x, self.mean.elem_count(), "the argument of a Gaussian")?;
        let away = away.broadcast_sub(&like(&self.mean, x)?)?;
        let pull = away.matmul(&like(&self.precision, x)?)?;
        Ok((away, pull))
    }

    fn value(&self, away: &Tensor, pull: &Tensor) -> Result<Tensor> {
        Ok(row_sum(&(away * pull)?)?.affine(0.5, self.normaliser)?)
    }
}

impl Energy for Gaussian {
    fn energy(&self, x: &Tensor) -> Result<Tensor> {
        let (away, pull) = self.pull(x)?;
        self.value(&away, &pull)
    }

    fn evaluate(&self, x: &Tensor) -> Result<Evaluated> {
        let (away, pull) = self.pull(&x.detach())?;
        Ok(Evaluated { energy: self.value(&away, &pull)?, grad: pull.reshape(x.shape())? })
    }
}

/// Independent normal coordinates: [`Gaussian`] with a diagonal covariance, without its matrix product.
#[derive(Debug, Clone)]
pub struct Diagonal {
    mean: Tensor,
    std: Tensor,
    normaliser: f64,
}

impl Diagonal {
    /// By mean and standard deviation of each of `F` coordinates.
    ///
    /// # Errors
    /// [`Error::Data`] when the lengths differ or a deviation is not positive and finite.
    pub fn new(mean: &[f64], std: &[f64]) -> Result<Self> {
        check_scales(mean, std, "a Gaussian's standard deviation")?;
        let normaliser = std.iter().map(|s| s.ln() + LN_SQRT_TWO_PI).sum();
        Ok(Self { mean: Tensor::new(mean, &Device::Cpu)?, std: Tensor::new(std, &Device::Cpu)?, normaliser })
    }

    /// The same mean and standard deviation in each of `features` coordinates.
    ///
    /// # Errors
    /// As [`Diagonal::new`].
    pub fn isotropic(features: usize, mean: f64, std: f64) -> Result<Self> {
        Self::new(&vec![mean; features], &vec![std; features])
    }

    fn standardise(&self, x: &Tensor) -> Result<Tensor> {
        let flat = rows_of(x, self.mean.elem_count(), "the argument of a diagonal Gaussian")?;
        Ok(flat.broadcast_sub(&like(&self.mean, x)?)?.broadcast_div(&like(&self.std, x)?)?)
    }
}

impl Energy for Diagonal {
    fn energy(&self, x: &Tensor) -> Result<Tensor> {
        Ok(row_sum(&self.standardise(x)?.sqr()?)?.affine(0.5, self.normaliser)?)
    }

    fn evaluate(&self, x: &Tensor) -> Result<Evaluated> {
        let z = self.standardise(&x.detach())?;
        Ok(Evaluated {
            energy: row_sum(&z.sqr()?)?.affine(0.5, self.normaliser)?,
            grad: z.broadcast_div(&like(&self.std, x)?)?.reshape(x.shape())?,
        })
    }

    fn program(&self, _: &[usize]) -> Result<Option<Program>> {
        let weight: Vec<f32> = self.std.to_vec1::<f64>()?.iter().map(|s| (0.5 / (s * s)) as f32).collect();
        let width = weight.len();
        let centre = Rows::new(width, plain(&self.mean)?)?;
        let constant = Term::Constant(Rows::new(1, vec![self.normaliser as f32])?);
        Ok(Some(Program::new(width, vec![Term::Quadratic { centre, weight: weight.into() }, constant])?))
    }
}

fn check_scales(location: &[f64], scale: &[f64], what: &'static str) -> Result<()> {
    if location.len() != scale.len() || scale.is_empty() {
        return Err(Error::data(
            what,
            format!("{} values", scale.len()),
            format!("one for each of {} coordinates", location.len()),
        ));
    }
    match scale.iter().find(|s| !(s.is_finite() && **s > 0.0)) {
        Some(s) => Err(Error::data(what, s, "a positive number")),
        None => Ok(()),
    }
}
