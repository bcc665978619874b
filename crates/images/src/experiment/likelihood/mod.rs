//! The likelihood of images under an energy of noise levels: bounds on its constant by annealing through the levels (Burda, Grosse &
//! Salakhutdinov 2015; Grosse, Ghahramani & Adams 2015, "Sandwiching the marginal likelihood with bidirectional Monte Carlo").
//!
//! What is bounded is the density `p_t(x) = exp(-E_t(x)) / Z_t` of images with the noise of level `t`,
//! `x = cos(t) u + sin(t) eps` for the standardised image `u`. From exact draws of a standard normal down the levels to `t` the
//! estimate of `ln Z_t` is too small on average, and by more than `c` nats too large with a probability below `exp(-c)`: with it
//! `-E_t(x) - ln Z_t` is a bound of the log-likelihood from above, without further assumption. From draws of `p_t` back to the normal
//! one the estimate is too large, which bounds the log-likelihood from below. Exact draws there are none: chains of the first
//! direction are drawn by their weights and moved on by Hamiltonian Monte Carlo, and this side holds as far as that makes them draws of
//! `p_t`; it knows nothing of places that no chain has found. (The model's own walk will not do: it leads to images, and
//! an energy learned by its gradient may have more mass elsewhere.) A Gaussian of as many numbers goes the same way beside the model,
//! with exact draws, and shows what the bounds are worth.

mod config;
mod levels;
#[cfg(test)]
mod tests;

pub use config::LikelihoodConfig;
pub use levels::Bounds;

use super::model::Learned;
use super::{ImageModel, Journal};
use crate::image::Images;
use candle_core::{DType, Device, Tensor};
use ebmotion::energy::Energy;
use ebmotion::energy::analytic::Diagonal;
use ebmotion::energy::compose::Scaled;
use ebmotion::event::Sink;
use ebmotion::noise::Noise;
use ebmotion::{Error, Result};
use levels::Levels;
use serde::Serialize;
use std::f64::consts::{LN_2, TAU};

/// Streams of the experiment's noise.
const CHECK: u64 = 1;
const MODEL: u64 = 2;
const IMAGES: u64 = 3;
/// The Gaussian's energy is this multiple of a normalised one, so that its constant is not 0.
const FACTOR: f64 = 0.5;

/// The constant of an energy, bounded from both sides.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Constant {
    /// Of what.
    pub of: String,
    /// `ln Z`, where it is known.
    pub truth: Option<f64>,
    /// From the standard normal to the energy: a lower bound of `ln Z`.
    pub lower: Bounds,
    /// From the energy to the standard normal: an upper bound.
    pub upper: Bounds,
}

/// How likely test images are; each pair is a lower and an upper bound of the mean over the images.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Likelihood {
    /// Images.
    pub images: usize,
    /// Standard deviation of the level's noise, in grey levels of 256.
    pub noise_grey_levels: f64,
    /// `ln p_t` of the noised standardised images, nats.
    pub nats: [f64; 2],
    /// Standard error of the mean by the spread over images, nats.
    pub std_error: f64,
    /// `-log2` of the density of the noised pixels, in grey levels of 256, for each number of an image. Its lower bound comes from the
    /// upper one of the likelihood. To be compared with bits per dimension of pixels without noise only where the noise is well below
    /// one grey level.
    pub bits_per_dimension: [f64; 2],
}

/// What was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LikelihoodFigures {
    /// Noise level.
    pub at: f64,
    /// The Gaussian's, then the model's.
    pub constants: Vec<Constant>,
    /// Test images under the model.
    pub likelihood: Likelihood,
}

/// Runs the experiment. Returns the figures, and where the chains from the standard normal came out, as images. A listener is shown the
/// model's chains, first down the levels, then back: what the energy takes the images behind the noise to be.
///
/// # Errors
/// [`Error::Config`] for settings out of range; [`Error::Data`] when images do not fit the model, or for an energy without levels, whose
/// integral over all images need not be finite; [`Error::Interrupted`] when the sink asks to stop; as [`Journal::begin`] for what was kept.
pub fn run(
    model: &ImageModel,
    test: &Images,
    config: &LikelihoodConfig,
    journal: &Journal,
    sink: &mut dyn Sink,
) -> Result<(LikelihoodFigures, Images)> {
    config.validate()?;
    model.check_fits(test)?;
    let Learned::Levels(energy) = model.learned() else {
        return Err(Error::data("energy of the model", "one without noise levels", "one of noise levels"));
    };
    let noise = Noise::new(config.seed);
    let shape = model.shape();
    let check = gaussian(shape, config, &noise.fork(CHECK), &journal.within("gaussian"), sink)?;
    let context = model.context(&[None])?;
    let at = |t: f64| Ok(Box::new(energy.at(t, context.as_ref())?) as Box<dyn Energy + '_>);
    let noise_of_model = noise.fork(MODEL);
    let journal = &journal.within("model");
    let path = Levels::adapted(&at, shape, config, &noise_of_model.fork(0), journal, sink)?.shown(model);
    let (lower, ends) =
        path.forward("model, from the normal", config.chains, &noise_of_model.fork(1), journal, sink)?;
    let uniforms = noise_of_model.fork(2).uniform(config.chains, DType::F64, &Device::Cpu)?.to_vec1::<f64>()?;
    let mixed = || Ok([path.mixed(&ends.drawn(&uniforms)?, config.mixing, &mut noise_of_model.fork(4))?]);
    let [drawn] = journal.array("mixed", mixed)?;
    let upper = path.backward("model, to the normal", &drawn, &noise_of_model.fork(3), journal, sink)?;
    let likelihood = likelihood(model, test, config, [lower.estimate, upper.estimate], &noise.fork(IMAGES))?;
    let of_model = Constant { of: "model".into(), truth: None, lower, upper };
    let shown = model.images("chains", &(ends.x / config.at.cos())?)?;
    Ok((LikelihoodFigures { at: config.at, constants: vec![check, of_model], likelihood }, shown))
}

/// The same way for a Gaussian of independent numbers, whose levels are Gaussians too.
fn gaussian(
    shape: [usize; 3],
    config: &LikelihoodConfig,
    noise: &Noise,
    journal: &Journal,
    sink: &mut dyn Sink,
) -> Result<Constant> {
    let count: usize = shape.iter().product();
    let [low, high] = config.check.map(f64::ln);
    let place = |i: usize| i as f64 / (count - 1).max(1) as f64;
    let stds: Vec<f64> = (0..count).map(|i| (low + (high - low) * place(i)).exp()).collect();
    let at_level = |t: f64| stds.iter().map(|s| (s * t.cos()).hypot(t.sin())).collect::<Vec<_>>();
    let at = |t: f64| {
        let stds: Vec<f64> = at_level(t).iter().map(|s| s * FACTOR.sqrt()).collect();
        let energy = Diagonal::new(&vec![0.0; count], &stds)?;
        Ok(Box::new(Scaled { energy, factor: FACTOR }) as Box<dyn Energy>)
    };
    let path = Levels::adapted(&at, shape, config, &noise.fork(0), journal, sink)?;
    let (lower, _) = path.forward("gaussian, from the normal", config.chains, &noise.fork(1), journal, sink)?;
    let stds = at_level(config.at);
    let scale: Vec<f32> = stds.iter().map(|s| *s as f32).collect();
    let [c, h, w] = shape;
    let eps = noise.fork(2).normal((config.chains, c, h, w), DType::F32, &Device::Cpu)?;
    let exact = eps.broadcast_mul(&Tensor::from_vec(scale, (1, c, h, w), &Device::Cpu)?)?;
    let upper = path.backward("gaussian, to the normal", &exact, &noise.fork(3), journal, sink)?;
    // E = FACTOR (sum x^2 / (2 FACTOR s^2) + n), n = sum ln(sqrt(2 pi FACTOR) s).
    let normaliser = |factor: f64| stds.iter().map(|s| 0.5 * (TAU * factor * s * s).ln()).sum::<f64>();
    let truth = normaliser(1.0) - FACTOR * normaliser(FACTOR);
    Ok(Constant { of: "gaussian".into(), truth: Some(truth), lower, upper })
}

/// Test images by the bounds `[lower, upper]` of `ln Z`.
fn likelihood(
    model: &ImageModel,
    test: &Images,
    config: &LikelihoodConfig,
    [lower, upper]: [f64; 2],
    noise: &Noise,
) -> Result<Likelihood> {
    let order = noise.fork(0).permutation(test.len());
    let chosen = &order[..config.images.min(order.len())];
    let t = config.at;
    let mut energies = Vec::with_capacity(chosen.len());
    for part in chosen.chunks(config.batch) {
        let u = model.standardised(test, part)?;
        let eps = noise.fork(1).from_chain(energies.len() as u64).normal(u.dims(), DType::F32, &Device::Cpu)?;
        let x = ((u * t.cos())? + (eps * t.sin())?)?;
        let at = model.evaluate_at(&x, &vec![None; part.len()], t)?;
        energies.extend(at.energy.to_dtype(DType::F64)?.to_vec1::<f64>()?);
    }
    let n = energies.len() as f64;
    let mean = energies.iter().sum::<f64>() / n;
    let variance = energies.iter().map(|e| (e - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    let nats = [-mean - upper, -mean - lower];
    let dimensions = test.size() as f64;
    let scale = model.info().scale;
    // One grey level is 1 / (255 scale) of a standardised pixel, cos(t) / (255 scale) of x.
    let steepness = (t.cos() / (255.0 * scale)).ln();
    let bits = nats.map(|ln| -(ln / dimensions + steepness) / LN_2);
    Ok(Likelihood {
        images: energies.len(),
        noise_grey_levels: 255.0 * scale * t.tan(),
        nats,
        std_error: (variance / n).sqrt(),
        bits_per_dimension: [bits[1], bits[0]],
    })
}
