//! What a sample has to be besides likely: observations of it, and energies added to the model's.
//!
//! Both act on the denoised estimate. Given `x` at a noise level, the data that it may have come from are taken as
//! Gaussian about the estimate, with the variance `C` that they would have were all data standard normal
//! ([`Stop::variance`]). An observation moves the estimate to the mean of that Gaussian given the observation; an
//! energy `F` moves it to the Gaussian's mode with `exp(-F)`:
//!
//! ```text
//! u' = argmin |u - estimate|^2 / (2 C) + F(u) + sum_i (a_i u - b_i)^2 / (2 s_i^2)
//! ```
//!
//! For standard normal data and quadratic `F` this is exact at every level, so samples then have the exact conditional
//! distribution, up to the sampler's own steps. For other data it is an approximation: `C` stands for the covariance
//! that the data have given `x`. The error is of first order in their difference, and of first order in what the
//! condition says (`1 / s^2`); `tests/diffusion.rs` measures both. So coordinates should be standardised. Observations
//! without noise are met exactly all the same, and [`super::Particles`] give modes their right weights.

use super::Stop;
use crate::energy::Energy;
use crate::energy::rows::{row_sum, rows};
use crate::error::{Error, Result};
use candle_core::{DType, Device, Tensor};
use ebmotion_engine::engine::estimate::{gain, momentum};

/// Linear observations of an array: `A u = b`, each exact or with normal noise.
#[derive(Debug, Clone)]
pub struct Observations {
    /// `(M, F)`, row-major.
    matrix: Vec<f64>,
    width: usize,
    /// `(B, M)`, or `(1, M)` for all arrays alike.
    values: Tensor,
    /// `(M,)`.
    std: Vec<f64>,
}

impl Observations {
    /// Rows `matrix` `(M, F)` of weights on an array's `F` numbers, their observed `values` `(B, M)` or `(1, M)`, and
    /// the standard deviation `(M,)` of each: 0 for one that is exact.
    ///
    /// # Errors
    /// [`Error::Shape`] when these do not fit each other; [`Error::Data`] for a number that is not finite, a negative
    /// standard deviation, or exact observations that are not independent.
    pub fn new(matrix: Vec<f64>, values: Tensor, std: Vec<f64>) -> Result<Self> {
        let count = std.len();
        let bad = |what, found: Vec<usize>, expected: String| Err(Error::Shape { what, found, expected });
        if count == 0 || matrix.is_empty() || !matrix.len().is_multiple_of(count) {
            return bad("observations", vec![matrix.len()], format!("{count} rows of equal length"));
        }
        if values.rank() != 2 || values.dim(1)? != count {
            return bad("observed values", values.dims().to_vec(), format!("(B, {count}) or (1, {count})"));
        }
        if let Some(s) = std.iter().find(|s| !(s.is_finite() && **s >= 0.0)) {
            return Err(Error::data("standard deviation of an observation", s, "0 or a positive number"));
        }
        if let Some(v) = matrix.iter().find(|v| !v.is_finite()) {
            return Err(Error::data("weight of an observation", v, "a finite number"));
        }
        let width = matrix.len() / count;
        let observations = Self { matrix, width, values: values.to_dtype(DType::F64)?, std };
        observations.gain(1.0)?;
        Ok(observations)
    }

    /// The coordinates `indices` of arrays of `width` numbers, held exactly at `values` `(B, M)` or `(1, M)`.
    ///
    /// ```
    /// use candle_core::{DType, Device, Tensor};
    /// use ebmotion::noise::Noise;
    /// use ebmotion::sample::diffusion::{Conditions, Observations, Sampler, SamplerConfig};
    ///
    /// let first = Observations::held(2, &[0], Tensor::new(&[[0.5f64]], &Device::Cpu)?)?;
    /// let conditions = Conditions { observations: Some(first), ..Conditions::default() };
    /// let sampler = Sampler::new(&SamplerConfig::default())?.given(conditions);
    /// let standard = |x: &Tensor, _: f64| Ok(x.zeros_like()?);
    /// let mut noise = Noise::new(1);
    /// let start = noise.normal((4, 2), DType::F64, &Device::Cpu)?;
    /// let samples = sampler.run(&standard, start, &mut noise)?.to_vec2::<f64>()?;
    /// assert!(samples.iter().all(|row| (row[0] - 0.5).abs() < 1e-9));
    /// # Ok::<(), ebmotion::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Observations::new`]; [`Error::Data`] for an index beyond the array.
    pub fn held(width: usize, indices: &[usize], values: Tensor) -> Result<Self> {
        let mut matrix = vec![0.0; indices.len() * width];
        for (row, index) in indices.iter().enumerate() {
            if *index >= width {
                return Err(Error::data("held coordinate", index, format!("below {width}")));
            }
            matrix[row * width + index] = 1.0;
        }
        Self::new(matrix, values, vec![0.0; indices.len()])
    }

    /// Number of observations, `M`.
    pub fn count(&self) -> usize {
        self.std.len()
    }

    /// What an estimate moves by for each unit that it misses the observations, `(F, M)`: `C A^T (C A A^T + S)^-1`, the
    /// gain of the Kalman filter, for data of variance `C` in all directions.
    fn gain(&self, variance: f64) -> Result<Vec<f64>> {
        gain(&self.matrix, &self.std, variance)
    }
}

/// An energy added to the model's.
pub struct ExtraEnergy<'a> {
    /// Over arrays like the denoised estimate, `(B, *S)`, nats. [`crate::energy::affine::Affine`] puts one over other
    /// units into these coordinates.
    pub energy: &'a dyn Energy,
    /// No second derivative of the energy in any direction is larger, nats per squared unit. Steps towards the energy's
    /// mode are this much shorter.
    pub curvature: f64,
}

/// What a sample has to be besides likely.
#[derive(Default)]
pub struct Conditions<'a> {
    /// Linear observations.
    pub observations: Option<Observations>,
    /// Energies added to the model's.
    pub energies: Vec<ExtraEnergy<'a>>,
    /// Least and largest number that a denoised estimate may hold.
    pub bounds: Option<(f64, f64)>,
    /// Numbers that are put back on their own way from noise at every stop.
    pub replaced: Option<Replaced<'a>>,
    /// Steps towards the mode of the added energies at each stop, at least 1; 8 where none is given.
    pub steps: Option<usize>,
}

/// Steps towards the mode of the added energies at each stop.
pub(crate) const STEPS: usize = 8;

/// Known numbers that are put back with as much noise as a level has (Lugmayr et al. 2022, "RePaint", eq. 8, without
/// resampling). Unlike with [`Observations`] the others are not moved towards them, but by the model.
#[derive(Debug, Clone)]
pub struct Replaced<'a> {
    /// The known numbers, `(B, *S)`.
    pub values: &'a Tensor,
    /// 1 where a number is known, 0 elsewhere, `(B, *S)`.
    pub mask: &'a Tensor,
}

impl Conditions<'_> {
    /// True where the denoised estimate is moved.
    pub(super) fn move_estimates(&self) -> bool {
        self.observations.is_some() || !self.energies.is_empty() || self.bounds.is_some()
    }

    /// Checks ranges.
    ///
    /// # Errors
    /// [`Error::Config`] for a curvature that is not positive, bounds that hold nothing or no steps; [`Error::Shape`]
    /// for observations of arrays of another width than `width`.
    pub(super) fn check(&self, width: usize) -> Result<()> {
        if self.steps == Some(0) {
            return Err(Error::config("steps of conditions", 0, "at least 1"));
        }
        if let Some(bad) = self.energies.iter().find(|e| !(e.curvature > 0.0 && e.curvature.is_finite())) {
            return Err(Error::config("curvature of an extra energy", bad.curvature, "a positive number"));
        }
        if let Some((lo, hi)) = self.bounds.filter(|(lo, hi)| lo.is_nan() || hi.is_nan() || lo > hi) {
            return Err(Error::config("bounds of an estimate", format!("{lo} to {hi}"), "lower <= upper"));
        }
        match &self.observations {
            Some(seen) if seen.width != width => {
                let (what, expected) = ("numbers of an observed array", format!("{width}"));
                Err(Error::Shape { what, found: vec![seen.width], expected })
            }
            _ => Ok(()),
        }
    }

    /// The denoised estimate `(B, *S)` at a stop, moved to where the conditions want it.
    ///
    /// With a bound `k` on the second derivatives of the energies, each step minimises what lies above the sum: the
    /// energies' tangent and `k |u - w|^2 / 2` about the estimate `w` so far, with momentum (Beck & Teboulle 2009, "A
    /// fast iterative shrinkage-thresholding algorithm", with the constant momentum of strongly convex functions).
    pub(super) fn moved(&self, estimate: &Tensor, stop: &Stop) -> Result<Tensor> {
        let flat = rows(estimate)?;
        let curvature: f64 = self.energies.iter().map(|e| e.curvature).sum();
        let variance = 1.0 / (curvature + 1.0 / stop.variance);
        let seen = self.observations.as_ref().map(|seen| seen.at(&flat, variance)).transpose()?;
        let steps = if self.energies.is_empty() { 1 } else { self.steps.unwrap_or(STEPS) };
        let share = curvature * variance;
        let (mut moved, mut ahead) = (flat.clone(), flat.clone());
        for _ in 0..steps {
            let mut to = flat.clone();
            if curvature > 0.0 {
                let mut grad = ahead.zeros_like()?;
                for extra in &self.energies {
                    grad = (grad + rows(&extra.energy.evaluate(&ahead.reshape(estimate.shape())?)?.grad)?)?;
                }
                to = (((&flat * (1.0 - share))? + (&ahead * share)?)? - (grad * variance)?)?;
            }
            if let Some(seen) = &seen {
                to = seen.meet(&to)?;
            }
            ahead = (&to + ((&to - &moved)? * momentum(share))?)?;
            moved = to;
        }
        let moved = match self.bounds {
            Some((lo, hi)) => moved.clamp(lo, hi)?,
            None => moved,
        };
        Ok(moved.reshape(estimate.shape())?)
    }

    /// Minus the logarithm of how well the conditions are met by an estimate that was `moved`, `(B,)` f64, up to a
    /// constant: the least value of the sum that [`Conditions::moved`] minimises.
    pub(super) fn cost(&self, estimate: &Tensor, moved: &Tensor, stop: &Stop) -> Result<Tensor> {
        let mut cost = (row_sum(&(moved - estimate)?.sqr()?)? / (2.0 * stop.variance))?.to_dtype(DType::F64)?;
        for extra in &self.energies {
            cost = (cost + extra.energy.evaluate(moved)?.energy.to_dtype(DType::F64)?)?;
        }
        if let Some(seen) = &self.observations {
            cost = (cost + seen.misfit(&rows(moved)?)?)?;
        }
        Ok(cost)
    }
}

/// Observations with their gain.
struct Met {
    /// `(F, M)`: an array to what is observed of it.
    observe: Tensor,
    /// `(M, F)`: what is missing to how far the array moves.
    gain: Tensor,
    values: Tensor,
}

impl Met {
    fn meet(&self, x: &Tensor) -> Result<Tensor> {
        let missing = self.values.broadcast_sub(&x.matmul(&self.observe)?)?;
        Ok((x + missing.matmul(&self.gain)?)?)
    }
}

impl Observations {
    fn at(&self, like: &Tensor, variance: f64) -> Result<Met> {
        let (count, device, dtype) = (self.count(), like.device(), like.dtype());
        let put = |t: Tensor| -> Result<Tensor> { Ok(t.to_dtype(dtype)?.to_device(device)?.contiguous()?) };
        let gain = Tensor::from_vec(self.gain(variance)?, (self.width, count), &Device::Cpu)?;
        let matrix = Tensor::from_slice(&self.matrix, (count, self.width), &Device::Cpu)?;
        Ok(Met { observe: put(matrix.t()?)?, gain: put(gain.t()?)?, values: put(self.values.clone())? })
    }

    /// Half the squared misses in standard deviations of arrays `(B, F)`, `(B,)` f64; exact observations count nothing.
    fn misfit(&self, x: &Tensor) -> Result<Tensor> {
        let (count, x) = (self.count(), x.to_dtype(DType::F64)?.to_device(&Device::Cpu)?);
        let matrix = Tensor::from_slice(&self.matrix, (count, self.width), &Device::Cpu)?;
        let missing = self.values.broadcast_sub(&x.matmul(&matrix.t()?)?)?;
        let weights: Vec<f64> = self.std.iter().map(|s| if *s > 0.0 { 0.5 / (s * s) } else { 0.0 }).collect();
        Ok(missing.sqr()?.broadcast_mul(&Tensor::new(weights, &Device::Cpu)?)?.sum(1)?)
    }
}

impl Replaced<'_> {
    /// `x` with the known numbers in the shares of data and noise that a stop has, `[cos(t), sin(t)]`.
    ///
    /// # Errors
    /// [`crate::Error::Tensor`] when the known numbers have not the shape of `x`.
    pub fn put(&self, x: &Tensor, [data, noise]: [f64; 2], source: &mut crate::noise::Noise) -> Result<Tensor> {
        let eps = source.normal(x.dims(), x.dtype(), x.device())?;
        let known = ((self.values * data)? + (eps * noise)?)?;
        Ok(((&known * self.mask)? + (x * (1.0 - self.mask)?)?)?)
    }
}
