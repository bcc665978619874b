//! A vector field on the way from noise to data: conditional diffusion and flow matching.
//!
//! Both regress the velocity of a path from noise `eps` to data `u`; they differ in the path. On the circle
//! `x = cos(t) u + sin(t) eps` this is a diffusion model with the velocity parameterisation (Salimans & Ho 2022, "Progressive
//! distillation", section 4), sampled by the deterministic rule of Song et al. 2021 ("Denoising diffusion implicit models",
//! eq. 12) in the angle itself, whose straight steps unlike the rule's own rotations keep a Gaussian's width at any number of
//! them. On the straight line `x = (1 - s) eps + s u` it is flow matching (Lipman et al. 2023, "Flow
//! matching for generative modeling", eq. 23 with a minimal variance of 0). Both walk by [`super::walk`].

use super::density::{given, rows_of};
use super::level::{level_features, with_level};
use super::walk::{self, Stirring, WalkStop};
use super::{Generative, Generator, Mlp, MlpConfig, Parameters};
use crate::error::{Error, Result};
use crate::noise::Noise;
use candle_core::{D, DType, Device, Tensor};
use serde::{Deserialize, Serialize};
use std::f64::consts::FRAC_PI_2;

/// Angles at which a level is told to the network, and between which the circle is trained: its feature `ln tan t` is
/// infinite at both ends.
const ANGLES: (f64, f64) = (0.015, 1.555);

/// The way from noise to data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Path {
    /// A quarter of a circle: diffusion.
    Circle,
    /// A straight line: flow matching.
    Line,
}

/// A network `(x, level, context) -> velocity`.
#[derive(Debug, Clone)]
pub struct VectorField {
    net: Mlp,
    path: Path,
    steps: usize,
    temperature: f64,
    weights: Option<Tensor>,
}

impl VectorField {
    /// A fresh network. `config.context` counts the numbers of the context alone, `config.outputs` is set to
    /// `config.inputs`; `steps` evaluations make a draw, which begins as noise of scale `temperature`.
    ///
    /// # Errors
    /// As [`Mlp::new`]; [`Error::Config`] when `steps` is 0 or the temperature not positive.
    pub fn new(
        mut config: MlpConfig,
        path: Path,
        (steps, temperature): (usize, f64),
        noise: &mut Noise,
    ) -> Result<Self> {
        if steps == 0 {
            return Err(Error::config("evaluations", steps, "at least 1"));
        }
        if !(temperature > 0.0 && temperature.is_finite()) {
            return Err(Error::config("temperature", temperature, "a positive number"));
        }
        let level = level_features(&Tensor::full(1.0f32, (1, 1), &Device::Cpu)?)?.dim(1)?;
        config.context += level;
        config.outputs = config.inputs;
        Ok(Self { net: Mlp::new(config, noise, DType::F32, &Device::Cpu)?, path, steps, temperature, weights: None })
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
            // The last evaluation takes what noise is left away.
            Path::Circle => walk::circle(walk::FROM, self.steps - 1, Stirring::default()),
            Path::Line => {
                let places: Vec<f64> = (0..=self.steps).map(|i| 1.0 - i as f64 / self.steps as f64).collect();
                walk::multistep(&places)
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
        self.steps
    }

    fn count(&self) -> usize {
        self.net.parameters().count()
    }

    fn draw(&self, context: &Tensor, noise: &mut Noise) -> Result<Tensor> {
        let rows = rows_of(context)?;
        let column = |v: f64| Ok::<_, Error>(Tensor::full(v as f32, (rows, 1), &Device::Cpu)?);
        let mut x = (noise.normal((rows, self.net.config().inputs), DType::F32, &Device::Cpu)? * self.temperature)?;
        let mut before = x.zeros_like()?;
        for stop in self.stops() {
            let velocity = self.against(&x, &column(stop.at)?, context)?.detach();
            x = stop.step(&x, [&velocity, &before], self.temperature, noise)?;
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
