//! "What if": energies that a user adds to a model's. A constraint is soft: it costs `weight` nats per squared unit of
//! violation, so `weight = 1 / (2 s^2)` lets it be missed by about `s`.

use super::coordinates::Coordinates;
use super::rows::{like, plain, row_sum};
use super::{Energy, Evaluated};
use crate::error::{Error, Result};
use candle_core::Tensor;
use ebmotion_engine::engine::{Program, Rows, Term};

/// Soft limits: `weight * sum(max(lo - x, 0)^2 + max(x - hi, 0)^2)`.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ebmotion::energy::{Energy, constraint::SoftLimits};
///
/// // The first channel stays within 1 rad, the second is free; a violation of 0.1 rad costs half a nat.
/// let low = Tensor::new(&[-1.0, f64::NEG_INFINITY], &Device::Cpu)?;
/// let limits = SoftLimits::new(&low, &low.neg()?, 50.0)?;
/// let x = Tensor::new(&[[0.9, 7.0], [1.1, 7.0]], &Device::Cpu)?;
/// let cost = limits.energy(&x)?.to_vec1::<f64>()?;
/// assert!(cost[0] == 0.0 && (cost[1] - 0.5).abs() < 1e-9);
/// # Ok::<(), ebmotion::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct SoftLimits {
    lo: Tensor,
    hi: Tensor,
    weight: f64,
}

impl SoftLimits {
    /// Limits for each coordinate. `lo` and `hi` have one shape that broadcasts to `S`: `(D,)` for one pair of
    /// limits per channel of `(B, H, D)`. An infinite limit is no limit.
    ///
    /// # Errors
    /// [`Error::Shape`] when the shapes differ; [`Error::Data`] when a lower limit is above its upper one or NaN, or
    /// `weight` is negative or not finite.
    pub fn new(lo: &Tensor, hi: &Tensor, weight: f64) -> Result<Self> {
        check_weight(weight)?;
        if lo.dims() != hi.dims() {
            let expected = format!("the lower limits' shape {:?}", lo.dims());
            return Err(Error::Shape { what: "upper limits", found: hi.dims().to_vec(), expected });
        }
        let values = |t: &Tensor| t.to_dtype(candle_core::DType::F64)?.flatten_all()?.to_vec1::<f64>();
        for (i, (a, b)) in values(lo)?.into_iter().zip(values(hi)?).enumerate() {
            if a.is_nan() || b.is_nan() || a > b {
                return Err(Error::data(format!("limits of coordinate {i}"), format!("{a} to {b}"), "lower <= upper"));
            }
        }
        Ok(Self { lo: lo.detach(), hi: hi.detach(), weight })
    }

    /// By how much each coordinate is below and above its limits.
    fn violations(&self, x: &Tensor) -> Result<(Tensor, Tensor)> {
        let below = x.broadcast_sub(&like(&self.lo, x)?)?.neg()?.relu()?;
        let above = x.broadcast_sub(&like(&self.hi, x)?)?.relu()?;
        Ok((below, above))
    }

    fn cost(&self, below: &Tensor, above: &Tensor) -> Result<Tensor> {
        Ok((row_sum(&(below.sqr()? + above.sqr()?)?)? * self.weight)?)
    }
}

impl Energy for SoftLimits {
    fn energy(&self, x: &Tensor) -> Result<Tensor> {
        let (below, above) = self.violations(x)?;
        self.cost(&below, &above)
    }

    fn evaluate(&self, x: &Tensor) -> Result<Evaluated> {
        let (below, above) = self.violations(&x.detach())?;
        Ok(Evaluated { energy: self.cost(&below, &above)?, grad: ((above - below)? * (2.0 * self.weight))? })
    }

    fn program(&self, shape: &[usize]) -> Result<Option<Program>> {
        let row = &shape[1..];
        let (lo, hi) = (plain(&self.lo.broadcast_as(row)?)?, plain(&self.hi.broadcast_as(row)?)?);
        let width = lo.len();
        let term = Term::Limits { lo: lo.into(), hi: hi.into(), weight: self.weight as f32 };
        Ok(Some(Program::new(width, vec![term])?))
    }
}

/// Pull to a goal: `weight * |x_c - target|^2` over chosen coordinates `c`.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use ebmotion::energy::{Energy, constraint::Goal, coordinates::Coordinates};
///
/// // Of rows of three numbers the last is pulled to 0.5.
/// let goal = Goal::new(Coordinates::new(&[2])?, &Tensor::new(&[0.5], &Device::Cpu)?, 8.0)?;
/// let at = goal.evaluate(&Tensor::new(&[[9.0, 9.0, 1.0]], &Device::Cpu)?)?;
/// assert_eq!(at.energy.to_vec1::<f64>()?, [2.0]);
/// assert_eq!(at.grad.to_vec2::<f64>()?, [[0.0, 0.0, 8.0]]);
/// # Ok::<(), ebmotion::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Goal {
    coordinates: Coordinates,
    target: Tensor,
    weight: f64,
}

impl Goal {
    /// A goal for `C` coordinates; `target` is `(C,)`, or `(B, C)` for one goal per chain.
    ///
    /// # Errors
    /// [`Error::Shape`] when `target` has another shape; [`Error::Data`] when `weight` is negative or not finite.
    pub fn new(coordinates: Coordinates, target: &Tensor, weight: f64) -> Result<Self> {
        check_weight(weight)?;
        if !matches!(target.dims(), [c] | [_, c] if *c == coordinates.count()) {
            let expected = format!("(C,) or (B, C) with C = {}", coordinates.count());
            return Err(Error::Shape { what: "a goal's target", found: target.dims().to_vec(), expected });
        }
        Ok(Self { coordinates, target: target.detach(), weight })
    }

    fn error(&self, x: &Tensor) -> Result<Tensor> {
        Ok(self.coordinates.gather(x)?.broadcast_sub(&like(&self.target, x)?)?)
    }
}

impl Energy for Goal {
    fn energy(&self, x: &Tensor) -> Result<Tensor> {
        Ok((row_sum(&self.error(x)?.sqr()?)? * self.weight)?)
    }

    fn evaluate(&self, x: &Tensor) -> Result<Evaluated> {
        let x = x.detach();
        let error = self.error(&x)?;
        Ok(Evaluated {
            energy: (row_sum(&error.sqr()?)? * self.weight)?,
            grad: self.coordinates.add(&x.zeros_like()?, &(error * (2.0 * self.weight))?)?,
        })
    }

    fn program(&self, shape: &[usize]) -> Result<Option<Program>> {
        let width: usize = shape[1..].iter().product();
        let free = self.coordinates.indices()?;
        let mut weight = vec![0.0; width];
        let target = plain(&self.target)?;
        let mut centre = vec![0.0; target.len() / free.len() * width];
        if let Some(out) = free.iter().find(|index| **index >= width) {
            return Err(Error::data("a goal's coordinate", out, format!("below {width}")));
        }
        for (c, index) in free.iter().enumerate() {
            weight[*index] = self.weight as f32;
            for (row, target) in centre.chunks_exact_mut(width).zip(target.chunks_exact(free.len())) {
                row[*index] = target[c];
            }
        }
        let term = Term::Quadratic { centre: Rows::new(width, centre)?, weight: weight.into() };
        Ok(Some(Program::new(width, vec![term])?))
    }
}

pub(super) fn check_weight(weight: f64) -> Result<()> {
    if weight.is_finite() && weight >= 0.0 {
        return Ok(());
    }
    Err(Error::data("a constraint's weight", weight, "a finite number, 0 or greater"))
}
