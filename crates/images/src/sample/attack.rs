//! Attacks on classifiers: the images near given ones at which a loss is large.

use crate::arrays::{column, row_sum};
use candle_core::{DType, Tensor};
use ebmotion::energy::Evaluated;
use ebmotion::noise::Noise;
use ebmotion::{Error, Result};
use serde::{Deserialize, Serialize};

/// How far an attack may move an image, measured as
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Norm {
    /// the largest change of a pixel.
    Linf,
    /// the root of the sum of squared changes.
    L2,
}

impl Norm {
    /// The point nearest to `x` `(B, *S)` within the ball of `radius` around `origin`, and then within `[0, 1]`. The
    /// origin lies in there itself, so that the second step does not leave the ball.
    ///
    /// # Errors
    /// [`Error::Tensor`] when shapes differ.
    pub fn project(self, x: &Tensor, origin: &Tensor, radius: f64) -> Result<Tensor> {
        let moved = (x - origin)?;
        let moved = match self {
            Norm::Linf => moved.clamp(-radius, radius)?,
            Norm::L2 => {
                let length = row_sum(&moved.sqr()?)?.sqrt()?;
                let scale = (length.maximum(radius)?.recip()? * radius)?;
                moved.broadcast_mul(&column(&scale, &moved)?)?
            }
        };
        Ok((origin + moved)?.clamp(0.0, 1.0)?)
    }

    /// The direction of steepest ascent, of length 1 by this norm (0 where the gradient is).
    fn direction(self, gradient: &Tensor) -> Result<Tensor> {
        match self {
            Norm::Linf => Ok(gradient.sign()?),
            Norm::L2 => {
                let length = (row_sum(&gradient.sqr()?)?.sqrt()? + f64::from(f32::MIN_POSITIVE))?;
                Ok(gradient.broadcast_div(&column(&length, gradient)?)?)
            }
        }
    }

    /// A uniform draw from the ball of radius 1, a row an image.
    fn within(self, x: &Tensor, noise: &mut Noise) -> Result<Tensor> {
        match self {
            Norm::Linf => Ok(noise.uniform(x.shape(), x.dtype(), x.device())?.affine(2.0, -1.0)?),
            Norm::L2 => {
                let rows = x.dim(0)?;
                let direction = self.direction(&noise.normal(x.shape(), x.dtype(), x.device())?)?;
                let share = noise.uniform((rows, 1), x.dtype(), x.device())?.flatten_all()?;
                let share = share.powf(rows as f64 / x.elem_count() as f64)?;
                Ok(direction.broadcast_mul(&column(&share, x)?)?)
            }
        }
    }
}

/// Projected gradient ascent (Madry et al. 2018, "Towards deep learning models resistant to adversarial attacks",
/// section 2.1) from a random start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attack {
    /// Measure of the distance from the image.
    pub norm: Norm,
    /// Largest distance from the image, pixels in `[0, 1]`; 0 for no attack.
    pub radius: f64,
    /// Steps, each [`Attack::STRIDE`] times the radius over their number long; at least 1.
    pub steps: usize,
}

impl Attack {
    /// What the steps together are longer than the radius, so that every point of the ball can be reached from any
    /// start.
    pub const STRIDE: f64 = 2.5;

    /// # Errors
    /// [`Error::Config`] for a radius below 0 or no step.
    pub fn check(&self) -> Result<()> {
        if !(self.radius >= 0.0 && self.radius.is_finite()) {
            return Err(Error::config("radius of an attack", self.radius, "a number that is not negative"));
        }
        match self.steps {
            0 => Err(Error::config("steps of an attack", 0, "at least 1")),
            _ => Ok(()),
        }
    }

    /// Images `(B, *S)` around `x`, in `[0, 1]` like those, of a large loss: of all points on the way that of the
    /// largest. `loss` gives the loss of each image as its energy, and its gradient; row `b` takes the noise of chain
    /// `b`.
    ///
    /// # Errors
    /// As [`Attack::check`]; [`Error::NonFinite`] when a loss is not finite; whatever `loss` returns.
    pub fn run(
        &self,
        x: &Tensor,
        noise: &mut Noise,
        mut loss: impl FnMut(&Tensor) -> Result<Evaluated>,
    ) -> Result<Tensor> {
        self.check()?;
        let origin = x.detach();
        if self.radius == 0.0 {
            return Ok(origin);
        }
        let stride = Self::STRIDE * self.radius / self.steps as f64;
        let start = (self.norm.within(&origin, noise)? * self.radius)?;
        let mut at = self.norm.project(&(&origin + start)?, &origin, self.radius)?;
        let mut best: Option<(Tensor, Tensor)> = None;
        for step in 0..=self.steps {
            let Evaluated { energy, grad } = loss(&at)?;
            let sum = energy.to_dtype(DType::F64)?.sum_all()?.to_scalar::<f64>()?;
            if !sum.is_finite() {
                return Err(Error::NonFinite { what: "loss under attack".into(), value: sum, step: step as u64 });
            }
            best = Some(match best {
                None => (energy, at.clone()),
                Some((most, kept)) => {
                    let more = energy.gt(&most)?;
                    let rows = column(&more, &at)?.broadcast_as(at.shape())?;
                    (more.where_cond(&energy, &most)?, rows.where_cond(&at, &kept)?)
                }
            });
            if step < self.steps {
                let next = (&at + (self.norm.direction(&grad)? * stride)?)?;
                at = self.norm.project(&next, &origin, self.radius)?;
            }
        }
        Ok(best.map_or(at, |(_, kept)| kept))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    /// The largest value of a linear loss within a ball is known, and reached when the walls of `[0, 1]` are far:
    /// `radius` times the gradient's dual norm.
    #[test]
    fn a_linear_loss_is_raised_as_far_as_the_ball_allows() -> Result<()> {
        let x = Tensor::full(0.5f32, (3, 1, 4, 5), &Device::Cpu)?;
        let slope = Noise::new(1).normal((3, 1, 4, 5), DType::F32, &Device::Cpu)?;
        for norm in [Norm::Linf, Norm::L2] {
            let attack = Attack { norm, radius: 0.1, steps: 20 };
            let loss = |x: &Tensor| Ok(Evaluated { energy: row_sum(&(x * &slope)?)?, grad: slope.clone() });
            let found = attack.run(&x, &mut Noise::new(2), loss)?;
            let gained = row_sum(&((&found - &x)? * &slope)?)?.to_vec1::<f32>()?;
            let dual = match norm {
                Norm::Linf => row_sum(&slope.abs()?)?,
                Norm::L2 => row_sum(&slope.sqr()?)?.sqrt()?,
            };
            for (gained, dual) in gained.iter().zip(dual.to_vec1::<f32>()?) {
                // Steps of signs end in the corner. Along a sphere the angle to the pole falls by tan(a / 2) -> tan(a /
                // 2) / e a radius of way: from a right angle and with 2 of the 2.5 radii left a cosine of 0.96.
                let least = if norm == Norm::Linf { 0.999 } else { 0.96 };
                let share = gained / (0.1 * dual);
                assert!(share > least && share < 1.0 + 1e-5, "{norm:?}: {gained} of {}", 0.1 * dual);
            }
        }
        Ok(())
    }

    #[test]
    fn attacks_stay_in_the_ball_around_the_image_and_in_the_box() -> Result<()> {
        let x = Noise::new(3).uniform((4, 2, 3, 3), DType::F32, &Device::Cpu)?;
        for (norm, radius) in [(Norm::Linf, 0.3), (Norm::L2, 1.0)] {
            let attack = Attack { norm, radius, steps: 5 };
            // A loss that grows away from the image, so that the walk wants to leave the ball.
            let loss = |at: &Tensor| {
                let away = (at - &x)?;
                Ok(Evaluated { energy: row_sum(&away.sqr()?)?, grad: (away * 2.0)? })
            };
            let found = attack.run(&x, &mut Noise::new(4), loss)?;
            let moved = (&found - &x)?;
            let most = match norm {
                Norm::Linf => moved.abs()?.max_all()?,
                Norm::L2 => row_sum(&moved.sqr()?)?.sqrt()?.max_all()?,
            };
            assert!(f64::from(most.to_scalar::<f32>()?) < radius * (1.0 + 1e-5));
            assert!(found.min_all()?.to_scalar::<f32>()? >= 0.0 && found.max_all()?.to_scalar::<f32>()? <= 1.0);
        }
        let none = Attack { norm: Norm::L2, radius: 0.0, steps: 5 };
        let same = none.run(&x, &mut Noise::new(4), |_| Err(Error::data("gradient", "asked for", "not asked for")))?;
        assert_eq!((same - &x)?.abs()?.max_all()?.to_scalar::<f32>()?, 0.0);
        assert!(Attack { steps: 0, ..none }.check().is_err());
        Ok(())
    }
}
