//! Chains of images down the noise levels of an energy, or in the one level that it has.

use super::model::{ImageModel, Learned};
use super::train::Learning;
use crate::energy::Energy;
use crate::error::{Error, Result};
use crate::event::{Event, Sink};
use crate::image::Images;
use crate::model::Fixed;
use crate::model::walk::posterior_std;
use crate::noise::Noise;
use crate::sample::{Place, Transition};
use crate::train::objective::EnergyMatchingConfig;
use candle_core::{DType, Device, Tensor};
use serde::{Deserialize, Serialize};

/// How images are drawn from an energy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WalkConfig {
    /// Noise levels walked through, at least 1. Of an energy without levels: Langevin steps. Chains of a replay buffer have on average seen
    /// `steps / fresh` of its training's settings; fewer from noise do not get as far. Energy matching divides its time into this many.
    pub levels: usize,
    /// Angle of the first level, in `(lowest, pi / 2)`; `pi / 2` is all noise.
    pub highest: f64,
    /// Angle of the last level, above 0; from there one evaluation leads to the image.
    pub lowest: f64,
    /// Share of the noise that is drawn anew from level to level, in `[0, 1]`: 0 for none (the probability flow), 1 for as
    /// much as the path's posterior has (ancestral sampling).
    pub churn: f64,
    /// Langevin steps at each level.
    pub corrections: usize,
    /// Their size in units of the level's noise variance, positive.
    pub step: f64,
    /// Weight of what the class adds to the energy without it: 1 for the energy given the class, more for images that are
    /// more typical of it, `E(x) + guidance (E(x | c) - E(x))` (Ho & Salimans 2022). Of an energy that is not given the class:
    /// without meaning.
    pub guidance: f64,
}

impl Default for WalkConfig {
    fn default() -> Self {
        Self { levels: 40, highest: 1.54, lowest: 0.05, churn: 1.0, corrections: 0, step: 0.1, guidance: 1.0 }
    }
}

impl WalkConfig {
    /// Checks ranges.
    ///
    /// # Errors
    /// [`Error::Config`] naming the setting.
    pub fn check(&self) -> Result<()> {
        if self.levels == 0 {
            return Err(Error::config("levels", 0, "at least 1"));
        }
        if !(self.lowest > 0.0 && self.highest > self.lowest && self.highest < std::f64::consts::FRAC_PI_2) {
            let found = format!("{} to {}", self.lowest, self.highest);
            return Err(Error::config("lowest, highest", found, "0 < lowest < highest < pi / 2"));
        }
        if !(0.0..=1.0).contains(&self.churn) {
            return Err(Error::config("churn", self.churn, "0 to 1"));
        }
        if !(self.step > 0.0 && self.step.is_finite()) {
            return Err(Error::config("step", self.step, "a positive number"));
        }
        if !self.guidance.is_finite() {
            return Err(Error::config("guidance", self.guidance, "a finite number"));
        }
        Ok(())
    }

    /// The angles from `from` down, evenly spaced.
    fn angles(&self, from: f64) -> Vec<f64> {
        let last = (self.levels - 1).max(1) as f64;
        let levels = (0..self.levels).map(|k| from + (self.lowest - from) * k as f64 / last);
        levels.collect()
    }
}

/// Where chains begin.
#[derive(Debug, Clone)]
pub enum Start<'a> {
    /// At the first level's noise.
    Noise,
    /// At images (standardised, `(B, C, H, W)`) with the noise of a level, given as its angle. An energy without levels
    /// begins at the images as they are.
    Images(&'a Tensor, f64),
}

/// Pixels that are known and stay.
#[derive(Debug, Clone)]
pub struct Known<'a> {
    /// The images, standardised, `(B, C, H, W)`.
    pub images: &'a Tensor,
    /// 1 where a pixel is known, 0 elsewhere, `(B, C, H, W)`.
    pub mask: &'a Tensor,
}

impl Known<'_> {
    /// `x` with the known pixels as they are on the way from noise: `shares` of the image and of noise.
    fn put(&self, x: &Tensor, shares: [f64; 2], noise: &mut Noise) -> Result<Tensor> {
        let eps = noise.normal(x.dims(), x.dtype(), x.device())?;
        let known = ((self.images * shares[0])? + (eps * shares[1])?)?;
        Ok(((&known * self.mask)? + (x * (1.0 - self.mask)?)?)?)
    }
}

/// Where a walk is.
#[derive(Debug)]
pub struct Moment<'a> {
    /// Steps done, counted from 0: levels, or steps of an energy without.
    pub step: usize,
    /// What the chains' images look like (standardised, `(B, C, H, W)`): at a noise level, what the energy takes the image
    /// behind the noise to be.
    pub images: &'a Tensor,
    /// The chains themselves.
    pub x: &'a Tensor,
    /// The level's angle.
    pub t: f64,
}

/// A listener to a walk.
pub type WatchImages<'a> = dyn FnMut(&Moment<'_>) -> Result<()> + 'a;

/// Tells a sink that asks for it where the first `count` chains are.
///
/// # Errors
/// As the sink's; as [`ImageModel::evaluate_at`].
pub fn tell(
    model: &ImageModel,
    labels: &[Option<u32>],
    moment: &Moment<'_>,
    count: usize,
    sink: &mut dyn Sink,
) -> Result<()> {
    if !sink.watches_chains() {
        return Ok(());
    }
    let count = count.min(labels.len());
    let images = model.images("chains", &moment.images.narrow(0, 0, count)?)?;
    let at = model.evaluate_at(&moment.x.narrow(0, 0, count)?, &labels[..count], moment.t)?;
    show(moment.step, &images, &at.energy, sink)
}

/// What an energy `E_t` takes the images behind the noise to be, by its gradient at `x`, both `(B, *S)`: with the path's velocity
/// `v = tan(t) (grad E_t - x)`, `cos(t) x - sin(t) v` (Song et al. 2021, "Denoising diffusion implicit models", in angular form).
pub(super) fn behind(x: &Tensor, grad: &Tensor, t: f64) -> Result<Tensor> {
    let velocity = ((grad - x)? * t.tan())?;
    Ok(((x * t.cos())? - (velocity * t.sin())?)?)
}

/// Tells a sink what chains look like at a step, and their energies `(B,)`.
pub(super) fn show(step: usize, images: &Images, energies: &Tensor, sink: &mut dyn Sink) -> Result<()> {
    let energies = energies.to_dtype(DType::F64)?.to_vec1::<f64>()?;
    let (step, shape) = (step as u64, images.shape());
    sink.emit(&Event::Chains { step, shape, pixels: images.pixels(), energies: &energies })
}

/// Chains that a listener is shown.
pub(super) const WATCHED: usize = 25;

/// The energies that the steps of a walk go down, one or several in turn.
pub type Ensemble<'a> = &'a [ImageModel];

/// Draws images, one a label, standardised, `(B, C, H, W)`, on the CPU wherever the chains walked. With several members step `k` goes down the energy of member
/// `k`, counted round (Du & Mordatch 2019, the "historical ensemble").
///
/// # Errors
/// [`Error::Config`] for settings out of range; [`Error::NonFinite`] when a chain diverges; as
/// [`super::ImageModelInfo::context`].
pub fn draw(
    members: Ensemble<'_>,
    labels: &[Option<u32>],
    start: &Start<'_>,
    known: Option<&Known<'_>>,
    config: &WalkConfig,
    noise: &mut Noise,
    watch: &mut WatchImages<'_>,
) -> Result<Tensor> {
    config.check()?;
    let Some(first) = members.first() else {
        return Err(Error::config("members of an ensemble", 0, "at least 1"));
    };
    let [c, h, w] = first.shape();
    let dims = (labels.len(), c, h, w);
    let (context, device) = (first.context(labels)?, first.device());
    let there;
    let start = match start {
        Start::Noise => &Start::Noise,
        Start::Images(images, t) => {
            there = images.to_device(&device)?;
            &Start::Images(&there, *t)
        }
    };
    let held = known.map(|k| -> Result<_> { Ok((k.images.to_device(&device)?, k.mask.to_device(&device)?)) });
    let held = held.transpose()?;
    let known = held.as_ref().map(|(images, mask)| Known { images, mask });
    let known = known.as_ref();
    let end = match first.learned() {
        Learned::Levels(_) => levels(members, labels, start, known, config, dims, noise, watch)?,
        Learned::Single(_) => single(members, context.as_ref(), start, known, config.levels, dims, noise, watch)?,
    };
    let end = match known {
        Some(known) => known.put(&end, [1.0, 0.0], noise)?,
        None => end,
    };
    let end = end.to_device(&Device::Cpu)?;
    let sum = end.sqr()?.sum_all()?.to_dtype(DType::F64)?.to_scalar::<f64>()?;
    match sum.is_finite() {
        true => Ok(end),
        false => {
            Err(Error::NonFinite { what: "a pixel of a drawn image".into(), value: sum, step: config.levels as u64 })
        }
    }
}

/// A walk in an energy without levels: as the chains by which it was learned.
#[allow(clippy::too_many_arguments)]
fn single(
    members: Ensemble<'_>,
    context: Option<&Tensor>,
    start: &Start<'_>,
    known: Option<&Known<'_>>,
    steps: usize,
    dims: (usize, usize, usize, usize),
    noise: &mut Noise,
    watch: &mut WatchImages<'_>,
) -> Result<Tensor> {
    let mut x = match (start, members[0].learning()) {
        (Start::Images(images, _), _) => (*images).clone(),
        (Start::Noise, Learning::EnergyMatching(_)) => noise.normal(dims, DType::F32, &members[0].device())?,
        (Start::Noise, _) => noise.uniform(dims, DType::F32, &members[0].device())?,
    };
    for k in 0..steps {
        let member = &members[k % members.len()];
        let (sampler, shares) = match (member.learning(), start) {
            (Learning::Contrastive(c), _) => (c.sampler(), [1.0, 0.0]),
            (Learning::Improved(c), _) => (c.contrastive.sampler(), [1.0, 0.0]),
            (Learning::EnergyMatching(c), start) => {
                let c = EnergyMatchingConfig { steps, ..c.clone() };
                match start {
                    Start::Images(..) => (c.stay(), [1.0, 0.0]),
                    Start::Noise => {
                        let time = (c.horizon * k as f64 / steps as f64).min(1.0);
                        (c.sampler().at(Place { step: k, of: steps }), [time, 1.0 - time])
                    }
                }
            }
            (Learning::Denoising { .. } | Learning::Recovery(_), _) => return Err(mixed()),
        };
        if let Some(known) = known {
            x = known.put(&x, shares, noise)?;
        }
        let Learned::Single(network) = member.learned() else { return Err(mixed()) };
        let energy = Fixed { network, context };
        x = sampler.run_from(&energy as &dyn Energy, &x, 1, noise)?.0.x;
        watch(&Moment { step: k, images: &x, x: &x, t: 0.0 })?;
    }
    Ok(x)
}

fn mixed() -> Error {
    Error::Other("an ensemble of energies with and without levels".into())
}

#[allow(clippy::too_many_arguments)]
fn levels(
    members: Ensemble<'_>,
    labels: &[Option<u32>],
    start: &Start<'_>,
    known: Option<&Known<'_>>,
    config: &WalkConfig,
    dims: (usize, usize, usize, usize),
    noise: &mut Noise,
    watch: &mut WatchImages<'_>,
) -> Result<Tensor> {
    let device = members[0].device();
    let normal = |noise: &mut Noise| noise.normal(dims, DType::F32, &device);
    let (mut x, from) = match start {
        Start::Noise => (normal(noise)?, config.highest),
        Start::Images(images, t) => (((*images * t.cos())? + (normal(noise)? * t.sin())?)?, *t),
    };
    if !(from > config.lowest && from < std::f64::consts::FRAC_PI_2) {
        let expected = format!("an angle above {} and below pi / 2", config.lowest);
        return Err(Error::config("start", from, expected));
    }
    let angles = config.angles(from);
    let mut step = 0;
    for (k, &t) in angles.iter().enumerate() {
        for _ in 0..config.corrections {
            if let Some(known) = known {
                x = known.put(&x, [t.cos(), t.sin()], noise)?;
            }
            let velocity = velocity(&members[step % members.len()], &x, labels, t, config.guidance)?;
            step += 1;
            let size = config.step * t.sin().powi(2);
            let grad = (&x + (velocity / t.tan())?)?;
            x = ((x - (grad * size)?)? + (normal(noise)? * (2.0 * size).sqrt())?)?;
        }
        if let Some(known) = known {
            x = known.put(&x, [t.cos(), t.sin()], noise)?;
        }
        let velocity = velocity(&members[step % members.len()], &x, labels, t, config.guidance)?;
        step += 1;
        let image = ((&x * t.cos())? - (&velocity * t.sin())?)?;
        watch(&Moment { step: k, images: &image, x: &x, t })?;
        x = match angles.get(k + 1) {
            None => image,
            Some(&s) => {
                let eps = ((&x * t.sin())? + (&velocity * t.cos())?)?;
                let fresh = config.churn * posterior_std(t, s);
                let kept = (s.sin().powi(2) - fresh * fresh).max(0.0).sqrt();
                (((image * s.cos())? + (eps * kept)?)? + (normal(noise)? * fresh)?)?
            }
        };
    }
    Ok(x)
}

/// Gradient of `g` at a level, with guidance.
fn velocity(model: &ImageModel, x: &Tensor, labels: &[Option<u32>], t: f64, guidance: f64) -> Result<Tensor> {
    let Learned::Levels(energy) = model.learned() else {
        return Err(mixed());
    };
    let given = |labels: &[Option<u32>]| energy.at(t, model.context(labels)?.as_ref())?.velocity(x);
    let plain = guidance == 1.0 || model.classes() == 0 || labels.iter().all(Option::is_none);
    if plain {
        return given(labels);
    }
    let without = given(&vec![None; labels.len()])?;
    Ok(((given(labels)? * guidance)? + (without * (1.0 - guidance))?)?)
}
