//! A vector field on the way from noise to data: conditional diffusion and flow matching.
//!
//! Both regress the velocity of a path from noise `eps` to data `u`; they differ in the path. On the circle `x = cos(t)
//! u + sin(t) eps` this is a diffusion model with the velocity parameterisation (Salimans & Ho 2022, "Progressive
//! distillation", section 4), sampled by the deterministic rule of Song et al. 2021 ("Denoising diffusion implicit
//! models", eq. 12) in the angle itself, whose straight steps unlike the rule's own rotations keep a Gaussian's width
//! at any number of them. On the straight line `x = (1 - s) eps + s u` it is flow matching (Lipman et al. 2023, "Flow
//! matching for generative modeling", eq. 23 with a minimal variance of 0). Both are drawn by
//! [`crate::sample::diffusion`].

use super::density::{given, rows_of};
use super::level_features::{ANGLES, level_features, with_level};
use super::{Generative, Generator, Mlp, MlpConfig, Parameters};
use crate::error::Result;
use crate::noise::Noise;
use crate::sample::diffusion::{Sampler, SamplerConfig, Stop, straight};
use candle_core::{D, DType, Device, Tensor};
use serde::{Deserialize, Serialize};
use std::f64::consts::FRAC_PI_2;

/// The way from noise to data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum NoisePath {
    /// A quarter of a circle: diffusion.
    Circle,
    /// A straight line: flow matching.
    Line,
}

/// A network `(x, level, context) -> velocity`.
#[derive(Debug, Clone)]
pub(crate) struct VectorField {
    net: Mlp,
    path: NoisePath,
    sampler: SamplerConfig,
    weights: Option<Tensor>,
}

impl VectorField {
    /// A fresh network. `config.context` counts the numbers of the context alone, `config.outputs` is set to
    /// `config.inputs`. Of `sampler` a straight line heeds levels, end, guidance and temperature; its end is the place
    /// whose shares of noise and data have the angle's tangent.
    ///
    /// # Errors
    /// As [`Mlp::new`] and [`SamplerConfig::check`]; [`crate::Error::Config`] for a temperature of 0.
    pub fn new(mut config: MlpConfig, path: NoisePath, sampler: SamplerConfig, noise: &mut Noise) -> Result<Self> {
        sampler.check_random()?;
        let level = level_features(&Tensor::full(1.0f32, (1, 1), &Device::Cpu)?)?.dim(1)?;
        config.context += level;
        config.outputs = config.inputs;
        Ok(Self { net: Mlp::new(config, noise, DType::F32, &Device::Cpu)?, path, sampler, weights: None })
    }

    /// The same with weights of the coordinates' errors, one each, `(1, S)`, in the mean 1, or a matrix `(S, S)` of
    /// their products; without, all are alike.
    pub fn weighted(mut self, weights: Tensor) -> Self {
        self.weights = Some(weights);
        self
    }

    /// The stops of a draw, by the noise's angle or its share of the line.
    fn stops(&self) -> Vec<Stop> {
        let steps = self.sampler.levels - 1;
        match self.path {
            NoisePath::Circle => self.sampler.stops(),
            NoisePath::Line => {
                let tan = self.sampler.end().tan();
                let way = tan / (1.0 + tan) - 1.0;
                straight(&(0..=steps).map(|i| 1.0 + way * i as f64 / steps.max(1) as f64).collect::<Vec<_>>())
            }
        }
    }

    /// Velocity away from the data `(B, S)` at `x` `(B, S)` and one place of the way a row `(B, 1)`.
    fn against(&self, x: &Tensor, at: &Tensor, context: &Tensor) -> Result<Tensor> {
        match self.path {
            NoisePath::Circle => self.velocity(x, at, context),
            NoisePath::Line => Ok(self.velocity(x, &line_angle(&at.affine(-1.0, 1.0)?)?, context)?.neg()?),
        }
    }

    /// What guidance makes of a velocity on the line before its `end`: away from that of standard normal data, which is
    /// a multiple of `x`. On the circle that is 0, and the stops hold the guidance.
    fn guided(&self, x: &Tensor, velocity: Tensor, at: f64, end: f64) -> Result<Tensor> {
        let guidance = self.sampler.guidance();
        if matches!(self.path, NoisePath::Circle) || guidance == 1.0 || at <= end {
            return Ok(velocity);
        }
        let of_normal = (2.0 * at - 1.0) / (at * at + (1.0 - at) * (1.0 - at));
        Ok(((velocity * guidance)? + (x * ((1.0 - guidance) * of_normal))?)?)
    }

    /// Velocity `(B, S)` at `x` `(B, S)`, at one angle a row `(B, 1)`.
    fn velocity(&self, x: &Tensor, angle: &Tensor, context: &Tensor) -> Result<Tensor> {
        self.net.forward(x, Some(&with_level(angle, Some(context))?))
    }
}

impl Generative for VectorField {
    fn name(&self) -> &'static str {
        match self.path {
            NoisePath::Circle => "diffusion",
            NoisePath::Line => "flow",
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
            NoisePath::Circle => {
                let t = at.affine(ANGLES.1 - ANGLES.0, ANGLES.0)?;
                let (cos, sin) = (t.cos()?, t.sin()?);
                let point = (u.broadcast_mul(&cos)? + eps.broadcast_mul(&sin)?)?;
                (t, point, (eps.broadcast_mul(&cos)? - u.broadcast_mul(&sin)?)?)
            }
            NoisePath::Line => {
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
        self.stops().len()
    }

    fn count(&self) -> usize {
        self.net.parameters().count()
    }

    fn draw(&self, context: &Tensor, noise: &mut Noise) -> Result<Tensor> {
        let rows = rows_of(context)?;
        let start = noise.normal((rows, self.net.config().inputs), DType::F32, &Device::Cpu)?;
        let stops = self.stops();
        let end = stops.last().map_or(0.0, |stop| stop.at);
        let model = |x: &Tensor, at: f64| {
            let places = Tensor::full(at as f32, (rows, 1), &Device::Cpu)?;
            self.guided(x, self.against(x, &places, context)?.detach(), at, end)
        };
        Sampler::over(stops, self.sampler.temperature).run(&model, (start * self.sampler.temperature)?, noise)
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
    fn without_guidance_a_draw_stays_with_the_standard_normal() -> Result<()> {
        for path in [NoisePath::Circle, NoisePath::Line] {
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
            let sampler = SamplerConfig { levels: 60, guidance: 1e-6.into(), ..SamplerConfig::default() };
            let field = VectorField::new(config, path, sampler, &mut noise)?;
            let context = noise.normal((4000, 2), DType::F32, &Device::Cpu)?;
            let drawn = field.draw(&context, &mut noise)?;
            let variance = drawn.sqr()?.mean_all()?.to_scalar::<f32>()?;
            assert!((variance - 1.0).abs() < 0.05, "{path:?}: {variance}");
        }
        Ok(())
    }
}
