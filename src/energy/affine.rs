//! Another system of coordinates: `x = mean + L z`.
//!
//! A sampler that suits round densities then suits stretched ones too. Running HMC with unit mass on `z` is running it
//! on `x` with mass matrix `(L L^T)^-1`, and Langevin on `z` is Langevin on `x` preconditioned by `L L^T` (Neal, "MCMC
//! using Hamiltonian dynamics", 2011, section 4.1), so no sampler needs a mass or a preconditioner of its own.

use super::rows::{like, rows_of};
use super::{Energy, Evaluated};
use crate::error::{Error, Result};
use candle_core::{Device, Tensor};
use ebmotion_engine::engine::cholesky::{cholesky, invert_lower, log_diagonal, transpose};

/// `x = mean + L z` on rows of `F` numbers, with `L` diagonal or lower triangular.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ebmotion::energy::affine::AffineMap;
///
/// let map = AffineMap::diagonal(&[10.0, 0.0], &[2.0, 0.5])?;
/// let x = map.to_x(&Tensor::new(&[[1.0, -1.0]], &Device::Cpu)?)?;
/// assert_eq!(x.to_vec2::<f64>()?, [[12.0, -0.5]]);
/// assert_eq!(map.to_z(&x)?.to_vec2::<f64>()?, [[1.0, -1.0]]);
/// # Ok::<(), ebmotion::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct AffineMap {
    mean: Tensor,
    factor: Factor,
    log_determinant: f64,
}

/// Each matrix is stored as it multiplies rows from the right.
#[derive(Debug, Clone)]
enum Factor {
    Diagonal { scale: Tensor },
    Lower { transposed: Tensor, plain: Tensor, inverse_transposed: Tensor },
}

/// What [`AffineMap::fit`] learns from draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MapShape {
    /// A scale for each coordinate.
    Diagonal,
    /// The whole covariance: for correlated coordinates, up to a few hundred.
    Dense,
}

impl AffineMap {
    /// Scales each coordinate: `x_i = mean_i + scale_i z_i`.
    ///
    /// # Errors
    /// [`Error::Data`] when the lengths differ or a scale is not positive and finite.
    pub fn diagonal(mean: &[f64], scale: &[f64]) -> Result<Self> {
        if mean.len() != scale.len() {
            return Err(Error::data("scales", scale.len(), format!("one for each of {} coordinates", mean.len())));
        }
        if let Some(s) = scale.iter().find(|s| !(s.is_finite() && **s > 0.0)) {
            return Err(Error::data("a coordinate's scale", s, "a positive number"));
        }
        let factor = Factor::Diagonal { scale: Tensor::new(scale, &Device::Cpu)? };
        let log_determinant = scale.iter().map(|s| s.ln()).sum();
        Ok(Self { mean: Tensor::new(mean, &Device::Cpu)?, factor, log_determinant })
    }

    /// The map under which a standard normal `z` gives `x` this mean and this `(F, F)` covariance, row-major.
    ///
    /// # Errors
    /// [`Error::Data`] when the covariance is not a symmetric, positive definite matrix of that size.
    pub fn dense(mean: &[f64], covariance: &[f64]) -> Result<Self> {
        let n = mean.len();
        let l = cholesky(covariance, n, "the covariance of a coordinate map")?;
        let inverse = invert_lower(&l, n);
        let matrix = |values: Vec<f64>| Tensor::from_vec(values, (n, n), &Device::Cpu);
        let log_determinant = log_diagonal(&l, n);
        let factor = Factor::Lower {
            transposed: matrix(transpose(&l, n))?,
            inverse_transposed: matrix(transpose(&inverse, n))?,
            plain: matrix(l)?,
        };
        Ok(Self { mean: Tensor::new(mean, &Device::Cpu)?, factor, log_determinant })
    }

    /// The map that whitens draws: `draws` holds one row of `features` numbers per draw.
    ///
    /// Variances are shrunk towards `1e-3` with a weight of 5 draws, so that few draws give no singular map (the
    /// regularisation of the Stan Reference Manual, section "HMC algorithm parameters: warm-up").
    ///
    /// ```
    /// use candle_core::{Device, Tensor};
    /// use ebmotion::energy::affine::{AffineMap, MapShape};
    ///
    /// // A coordinate in thousands beside one in thousandths.
    /// let draws: Vec<f64> = (0..1000).flat_map(|i| [1e3 * f64::from(i % 2), 1e-3 * f64::from(i % 3)]).collect();
    /// let map = AffineMap::fit(&draws, 2, MapShape::Diagonal)?;
    /// let x = Tensor::new(&[[1000.0, 0.001]], &Device::Cpu)?;
    /// let z = map.to_z(&x)?.to_vec2::<f64>()?;
    /// assert!((z[0][0] - 1.0).abs() < 0.01); // one standard deviation above the mean
    /// # Ok::<(), ebmotion::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Data`] when there are fewer than two draws, a ragged row, or a number that is not finite.
    pub fn fit(draws: &[f64], features: usize, shape: MapShape) -> Result<Self> {
        let n = draws.len().checked_div(features).unwrap_or(0);
        if n < 2 || n * features != draws.len() {
            let found = format!("{} numbers for {features} coordinates", draws.len());
            return Err(Error::data("draws to fit a coordinate map to", found, "two or more whole rows"));
        }
        let count = n as f64;
        let mut mean = vec![0.0; features];
        for row in draws.chunks_exact(features) {
            mean.iter_mut().zip(row).for_each(|(m, x)| *m += x / count);
        }
        let (keep, ridge) = (count / (count + 5.0), 1e-3 * 5.0 / (count + 5.0));
        let moment = |i: usize, j: usize| {
            let products = draws.chunks_exact(features).map(|row| (row[i] - mean[i]) * (row[j] - mean[j]));
            keep * products.sum::<f64>() / (count - 1.0)
        };
        match shape {
            MapShape::Diagonal => {
                let scale: Vec<f64> = (0..features).map(|i| (moment(i, i) + ridge).sqrt()).collect();
                Self::diagonal(&mean, &scale)
            }
            MapShape::Dense => {
                let mut covariance = vec![0.0; features * features];
                for i in 0..features {
                    for j in 0..=i {
                        let value = moment(i, j) + if i == j { ridge } else { 0.0 };
                        (covariance[i * features + j], covariance[j * features + i]) = (value, value);
                    }
                }
                Self::dense(&mean, &covariance)
            }
        }
    }

    /// `x` of `z`, both `(B, *S)` with `F` numbers per row; differentiable.
    ///
    /// # Errors
    /// [`Error::Shape`] when a row has another number of coordinates.
    pub fn to_x(&self, z: &Tensor) -> Result<Tensor> {
        let flat = rows_of(z, self.mean.elem_count(), WHAT)?;
        let stretched = match &self.factor {
            Factor::Diagonal { scale } => flat.broadcast_mul(&like(scale, z)?)?,
            Factor::Lower { transposed, .. } => flat.matmul(&like(transposed, z)?)?,
        };
        Ok(stretched.broadcast_add(&like(&self.mean, z)?)?.reshape(z.shape())?)
    }

    /// `z` of `x`: the inverse of [`AffineMap::to_x`].
    ///
    /// # Errors
    /// [`Error::Shape`] when a row has another number of coordinates.
    pub fn to_z(&self, x: &Tensor) -> Result<Tensor> {
        let flat = rows_of(x, self.mean.elem_count(), WHAT)?.broadcast_sub(&like(&self.mean, x)?)?;
        let round = match &self.factor {
            Factor::Diagonal { scale } => flat.broadcast_div(&like(scale, x)?)?,
            Factor::Lower { inverse_transposed, .. } => flat.matmul(&like(inverse_transposed, x)?)?,
        };
        Ok(round.reshape(x.shape())?)
    }

    /// Gradient in `z` of a gradient in `x`: `L^T dE/dx`.
    fn pull_back(&self, grad: &Tensor) -> Result<Tensor> {
        let flat = rows_of(grad, self.mean.elem_count(), WHAT)?;
        let pulled = match &self.factor {
            Factor::Diagonal { scale } => flat.broadcast_mul(&like(scale, grad)?)?,
            Factor::Lower { plain, .. } => flat.matmul(&like(plain, grad)?)?,
        };
        Ok(pulled.reshape(grad.shape())?)
    }
}

const WHAT: &str = "an array in other coordinates";

/// An energy seen in the coordinates `z` of a [`AffineMap`]: `E(mean + L z) - ln det L`.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ebmotion::energy::{Energy, affine::{Affine, AffineMap}, analytic::Diagonal};
///
/// // A stretched Gaussian is a standard one in coordinates that fit it.
/// let stretched = Diagonal::new(&[5.0, 0.0], &[100.0, 0.01])?;
/// let round = Affine::new(stretched, AffineMap::diagonal(&[5.0, 0.0], &[100.0, 0.01])?);
/// let z = Tensor::new(&[[1.0, -2.0]], &Device::Cpu)?;
/// let standard = Diagonal::isotropic(2, 0.0, 1.0)?.energy(&z)?.to_vec1::<f64>()?[0];
/// assert!((round.energy(&z)?.to_vec1::<f64>()?[0] - standard).abs() < 1e-9);
/// # Ok::<(), ebmotion::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Affine<E> {
    energy: E,
    map: AffineMap,
}

impl<E: Energy> Affine<E> {
    /// `energy` in the coordinates of `map`.
    pub fn new(energy: E, map: AffineMap) -> Self {
        Self { energy, map }
    }

    /// The coordinates.
    pub fn map(&self) -> &AffineMap {
        &self.map
    }

    /// The same energy in other coordinates.
    pub fn with_map(self, map: AffineMap) -> Self {
        Self { energy: self.energy, map }
    }
}

impl<E: Energy> Energy for Affine<E> {
    fn energy(&self, z: &Tensor) -> Result<Tensor> {
        Ok((self.energy.energy(&self.map.to_x(z)?)? - self.map.log_determinant)?)
    }

    fn evaluate(&self, z: &Tensor) -> Result<Evaluated> {
        let at = self.energy.evaluate(&self.map.to_x(&z.detach())?)?;
        Ok(Evaluated { energy: (at.energy - self.map.log_determinant)?, grad: self.map.pull_back(&at.grad)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fitted_map_whitens_and_inverts() {
        // Rows (a, 10 a + b) with a, b of unit sample variance and no correlation.
        let draws: Vec<f64> = [(1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0)]
            .iter()
            .cycle()
            .take(4000)
            .flat_map(|(a, b)| [3.0 + a, 10.0 * a + b])
            .collect();
        let x = Tensor::from_vec(draws.clone(), (4000, 2), &Device::Cpu).unwrap();
        for (shape, correlation) in [(MapShape::Diagonal, 10.0 / 101f64.sqrt()), (MapShape::Dense, 0.0)] {
            let map = AffineMap::fit(&draws, 2, shape).unwrap();
            let z = map.to_z(&x).unwrap();
            let back = (map.to_x(&z).unwrap() - &x).unwrap().abs().unwrap().max_all().unwrap();
            assert!(back.to_scalar::<f64>().unwrap() < 1e-12);
            let z = z.to_vec2::<f64>().unwrap();
            let moment = |i: usize, j: usize| z.iter().map(|r| r[i] * r[j]).sum::<f64>() / 4000.0;
            // The regularisation's weight is 5 draws of 4000.
            for (i, j, expected) in [(0, 0, 1.0), (1, 1, 1.0), (0, 1, correlation)] {
                assert!((moment(i, j) - expected).abs() < 3e-3, "{shape:?} {i} {j}: {}", moment(i, j));
            }
        }
    }

    #[test]
    fn useless_draws_are_refused() {
        assert!(AffineMap::fit(&[1.0, 2.0], 2, MapShape::Diagonal).is_err(), "one draw");
        assert!(AffineMap::fit(&[1.0, 2.0, 3.0], 2, MapShape::Diagonal).is_err(), "ragged");
        assert!(AffineMap::fit(&[1.0, f64::NAN, 0.0, 1.0], 2, MapShape::Dense).is_err(), "NaN");
        assert!(AffineMap::fit(&[1.0, f64::NAN, 0.0, 1.0], 2, MapShape::Diagonal).is_err(), "NaN");
    }
}
