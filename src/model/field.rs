//! A vector field on the way from noise to data: conditional diffusion and flow matching.
//!
//! Both regress the velocity of a path from noise `eps` to data `u`; they differ in the path. On the circle
//! `x = cos(t) u + sin(t) eps` this is a diffusion model with the velocity parameterisation (Salimans & Ho 2022, "Progressive
//! distillation", section 4), sampled by the deterministic rule of Song et al. 2021 ("Denoising diffusion implicit models",
//! eq. 12) in the angle itself, whose straight steps unlike the rule's own rotations keep a Gaussian's width at any number of
//! them. On the straight line `x = (1 - s) eps + s u` it is flow matching (Lipman et al. 2023, "Flow
//! matching for generative modeling", eq. 23 with a minimal variance of 0). Both walk by [`super::walk`].

use super::density::{given, rows_of};
use super::level_features::{ANGLES, level_features, with_level};
use super::walk::{self, Stirring, WalkStop};
use super::{Generative, Generator, Mlp, MlpConfig, Parameters};
use crate::error::{Error, Result};
use crate::noise::Noise;
use candle_core::{D, DType, Device, Tensor};
use serde::{Deserialize, Serialize};
use std::f64::consts::FRAC_PI_2;

/// The way from noise to data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Path {
    /// A quarter of a circle: diffusion.
    Circle,
    /// A straight line: flow matching.
    Line,
}

/// How a draw walks from noise to data.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FieldWalk {
    /// Network evaluations, at least 1; the last takes away the noise left.
    pub evaluations: usize,
    /// Noise angle at which the walk ends, in `(0, pi / 2)`; on the line the place whose share of noise has its tangent.
    pub end: f64,
    /// How strongly the field is followed against the standard normal's, above 0 (1 as it was learned).
    pub guidance: f64,
    /// Scale of the noise that it begins as, above 0.
    pub temperature: f64,
}

impl Default for FieldWalk {
    fn default() -> Self {
        Self { evaluations: 5, end: walk::TO, guidance: 1.0, temperature: 1.0 }
    }
}

impl FieldWalk {
    fn check(self) -> Result<Self> {
        if self.evaluations == 0 {
            return Err(Error::config("evaluations", 0, "at least 1"));
        }
        if !(self.end > 0.0 && self.end < FRAC_PI_2) {
            return Err(Error::config("end", self.end, "an angle above 0 and below pi / 2"));
        }
        for (key, value) in [("guidance", self.guidance), ("temperature", self.temperature)] {
            if !(value > 0.0 && value.is_finite()) {
                return Err(Error::config(key, value, "a positive number"));
            }
        }
        Ok(self)
    }
}

/// A network `(x, level, context) -> velocity`.
#[derive(Debug, Clone)]
pub struct VectorField {
    net: Mlp,
    path: Path,
    walk: FieldWalk,
    weights: Option<Tensor>,
}

impl VectorField {
    /// A fresh network. `config.context` counts the numbers of the context alone, `config.outputs` is set to
    /// `config.inputs`; draws walk as `walk` says.
    ///
    /// # Errors
    /// As [`Mlp::new`]; [`Error::Config`] for a walk that is none.
    pub fn new(mut config: MlpConfig, path: Path, walk: FieldWalk, noise: &mut Noise) -> Result<Self> {
        let walk = walk.check()?;
        let level = level_features(&Tensor::full(1.0f32, (1, 1), &Device::Cpu)?)?.dim(1)?;
        config.context += level;
        config.outputs = config.inputs;
        Ok(Self { net: Mlp::new(config, noise, DType::F32, &Device::Cpu)?, path, walk, weights: None })
    }

    /// The same with weights of the coordinates' errors, one each, `(1, S)`, in the mean 1, or a matrix `(S, S)` of their
    /// products; without, all are alike.
    pub fn weighted(mut self, weights: Tensor) -> Self {
        self.weights = Some(weights);
        self
    }

    /// The way from noise to data, by the noise's angle or its share of the line.
    fn stops(&self) -> Vec<WalkStop> {
        match self.path {
            Path::Circle => {
                walk::circle((walk::FROM, self.walk.end), self.walk.evaluations - 1, 1.0, Stirring::default())
            }
            Path::Line => {
                let tan = self.walk.end.tan();
                let steps = self.walk.evaluations - 1;
                let way = tan / (1.0 + tan) - 1.0;
                let places: Vec<f64> = (0..=steps).map(|i| 1.0 + way * i as f64 / steps.max(1) as f64).collect();
                let mut stops = walk::multistep(&places);
                let at = places[steps];
                stops.push(WalkStop { at, keep: 1.0, pull: at, push: 0.0, fresh: 0.0 });
                stops
            }
        }
    }

    /// Velocity away from the data `(B, S)` at `x` `(B, S)` and one place of the way a row `(B, 1)`.
    fn against(&self, x: &Tensor, at: &Tensor, context: &Tensor) -> Result<Tensor> {
        match self.path {
            Path::Circle => self.velocity(x, at, context),
            Path::Line => Ok(self.velocity(x, &line_angle(&at.affine(-1.0, 1.0)?)?, context)?.neg()?),
        }
    }

    /// The factor of `x` by which this velocity is given where data are standard normal.
    fn of_standard_normal(&self, at: f64) -> f64 {
        match self.path {
            Path::Circle => 0.0,
            Path::Line => (2.0 * at - 1.0) / (at * at + (1.0 - at) * (1.0 - at)),
        }
    }

    /// Velocity `(B, S)` at `x` `(B, S)`, at one angle a row `(B, 1)`.
    fn velocity(&self, x: &Tensor, angle: &Tensor, context: &Tensor) -> Result<Tensor> {
        self.net.forward(x, Some(&with_level(angle, Some(context))?))
    }
}

impl Generative for VectorField {
    fn name(&self) -> &'static str {
        match self.path {
            Path::Circle => "diffusion",
            Path::Line => "flow",
        }
    }

    fn parameters(&self) -> &Parameters {
        self.net.parameters()
    }

    fn loss(&self, x: &Tensor, context: Option<&Tensor>, noise: &mut Noise) -> Result<Tensor> {
        let context = given(context)?;
        let u = x.flatten_from(1)?;
        let (rows, width) = u.dims2()?;
        let at = noise.uniform((rows, 1), DType::F32, u.device())?;
        let eps = noise.normal((rows, width), DType::F32, u.device())?;
        let (angle, point, target) = match self.path {
            Path::Circle => {
                let t = at.affine(ANGLES.1 - ANGLES.0, ANGLES.0)?;
                let (cos, sin) = (t.cos()?, t.sin()?);
                let point = (u.broadcast_mul(&cos)? + eps.broadcast_mul(&sin)?)?;
                (t, point, (eps.broadcast_mul(&cos)? - u.broadcast_mul(&sin)?)?)
            }
            Path::Line => {
                let towards = (&u - &eps)?;
                let point = (&eps + towards.broadcast_mul(&at)?)?;
                (line_angle(&at)?, point, towards)
            }
        };
        let errors = (self.velocity(&point, &angle, context)? - target)?;
        Ok((weigh(&errors, self.weights.as_ref())? * errors)?.mean(D::Minus1)?)
    }
}

impl Generator for VectorField {
    fn evaluations(&self) -> usize {
        self.walk.evaluations
    }

    fn count(&self) -> usize {
        self.net.parameters().count()
    }

    fn draw(&self, context: &Tensor, noise: &mut Noise) -> Result<Tensor> {
        let rows = rows_of(context)?;
        let column = |v: f64| Ok::<_, Error>(Tensor::full(v as f32, (rows, 1), &Device::Cpu)?);
        let mut x =
            (noise.normal((rows, self.net.config().inputs), DType::F32, &Device::Cpu)? * self.walk.temperature)?;
        let mut before = x.zeros_like()?;
        for (evaluated, stop) in self.stops().into_iter().enumerate() {
            let mut velocity = self.against(&x, &column(stop.at)?, context)?.detach();
            let guidance = self.walk.guidance;
            if guidance != 1.0 && evaluated + 1 < self.walk.evaluations {
                let unguided = (&x * ((1.0 - guidance) * self.of_standard_normal(stop.at)))?;
                velocity = ((velocity * guidance)? + unguided)?;
            }
            x = stop.step(&x, [&velocity, &before], self.walk.temperature, noise)?;
            before = velocity;
        }
        Ok(x)
    }
}

/// Errors `(B, S)` times their weights: `(1, S)` or `(S,)`, one a coordinate, or a matrix `(S, S)` of errors' products.
pub(crate) fn weigh(errors: &Tensor, weights: Option<&Tensor>) -> Result<Tensor> {
    let Some(weights) = weights else { return Ok(errors.clone()) };
    let weights = weights.to_dtype(errors.dtype())?.to_device(errors.device())?;
    match *weights.dims() {
        [rows, _] if rows > 1 => Ok(errors.matmul(&weights)?),
        _ => Ok(errors.broadcast_mul(&weights)?),
    }
}

/// The angle whose features stand for the place `s` on the line.
fn line_angle(s: &Tensor) -> Result<Tensor> {
    Ok(s.affine(-FRAC_PI_2, FRAC_PI_2)?.clamp(ANGLES.0, ANGLES.1)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Activation;

    /// Hardly guided, a draw is the standard normal's on either path, whatever the network says.
    #[test]
    fn without_guidance_a_walk_stays_with_the_standard_normal() -> Result<()> {
        for path in [Path::Circle, Path::Line] {
            let mut noise = Noise::new(3);
            let config = MlpConfig {
                inputs: 4,
                context: 2,
                hidden: vec![16],
                outputs: 1,
                activation: Activation::Swish,
                positions: None,
                spectral_norm: false,
            };
            let walk = FieldWalk { evaluations: 60, guidance: 1e-6, ..FieldWalk::default() };
            let field = VectorField::new(config, path, walk, &mut noise)?;
            let context = noise.normal((4000, 2), DType::F32, &Device::Cpu)?;
            let drawn = field.draw(&context, &mut noise)?;
            let variance = drawn.sqr()?.mean_all()?.to_scalar::<f32>()?;
            assert!((variance - 1.0).abs() < 0.05, "{path:?}: {variance}");
        }
        Ok(())
    }

    #[test]
    fn walks_that_are_none_are_refused() {
        let walk = FieldWalk::default();
        for (walk, key) in [
            (FieldWalk { evaluations: 0, ..walk }, "evaluations"),
            (FieldWalk { end: 1.6, ..walk }, "end"),
            (FieldWalk { guidance: 0.0, ..walk }, "guidance"),
            (FieldWalk { temperature: f64::NAN, ..walk }, "temperature"),
        ] {
            assert!(walk.check().is_err_and(|e| e.to_string().contains(key)), "{key}");
        }
    }
}
