//! Chains of images down the noise levels of an energy, or in the one level that it has.

use super::model::{ImageModel, Learned};
use super::train::Learning;
use crate::image::Images;
use crate::objective::EnergyMatchingConfig;
use candle_core::{DType, Device, Tensor};
use ebmotion::energy::Energy;
use ebmotion::event::{Event, Sink};
use ebmotion::model::Fixed;
use ebmotion::noise::Noise;
use ebmotion::sample::diffusion::{Conditions, Eta, Moment, Replaced, Sampler, SamplerConfig, Solver};
use ebmotion::sample::{Place, Transition};
use ebmotion::{Error, Result};
use std::cell::Cell;

/// A listener to a sampler; its error ends the run.
type SamplerWatch<'a> = dyn FnMut(&Moment<'_>) -> Result<()> + 'a;

/// How images are drawn from an energy, unless told otherwise: more and smaller steps than for motion, with new noise
/// at each. The guidance is the class's: `E(x) + guidance (E(x | c) - E(x))` (Ho & Salimans 2022), 1 for the energy
/// given the class, more for images that are more typical of it.
pub fn image_sampler() -> SamplerConfig {
    SamplerConfig {
        levels: 40,
        end: 0.05.into(),
        spacing: 1.0,
        solver: Solver::Ddim,
        eta: Eta::OfPosterior(1.0),
        ..SamplerConfig::default()
    }
}

/// Where chains begin.
#[derive(Debug, Clone)]
pub enum ChainsFrom<'a> {
    /// At the first level's noise.
    Noise,
    /// At images (standardised, `(B, C, H, W)`) with the noise of a level, given as its angle. An energy without levels
    /// begins at the images as they are.
    Images(&'a Tensor, f64),
}

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
    let images = model.images("chains", &moment.denoised.narrow(0, 0, count)?)?;
    let at = model.evaluate_at(&moment.x.narrow(0, 0, count)?, &labels[..count], moment.at)?;
    show(moment.level, &images, &at.energy, sink)
}

/// The velocity of the path at `x` by the gradient of `E_t` there, both `(B, *S)`: `tan(t) (grad E_t - x)`.
pub(super) fn velocity_of(x: &Tensor, grad: &Tensor, t: f64) -> Result<Tensor> {
    Ok(((grad - x)? * t.tan())?)
}

/// What an energy `E_t` takes the images behind the noise to be: `cos(t) x - sin(t) v` with the path's velocity `v`
/// (Song et al. 2021, "Denoising diffusion implicit models", in angular form).
pub(super) fn denoised(x: &Tensor, grad: &Tensor, t: f64) -> Result<Tensor> {
    Ok(((x * t.cos())? - (velocity_of(x, grad, t)? * t.sin())?)?)
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

/// Draws images, one a label, standardised, `(B, C, H, W)`, on the CPU wherever the chains walked. With several members
/// step `k` goes down the energy of member `k`, counted round (Du & Mordatch 2019, the "historical ensemble").
///
/// # Errors
/// [`Error::Config`] for settings out of range; [`Error::NonFinite`] when a chain diverges; as
/// [`super::ImageModelInfo::context`].
pub fn draw(
    members: Ensemble<'_>,
    labels: &[Option<u32>],
    start: &ChainsFrom<'_>,
    known: Option<&Replaced<'_>>,
    config: &SamplerConfig,
    noise: &mut Noise,
    watch: &mut SamplerWatch<'_>,
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
        ChainsFrom::Noise => &ChainsFrom::Noise,
        ChainsFrom::Images(images, t) => {
            there = images.to_device(&device)?;
            &ChainsFrom::Images(&there, *t)
        }
    };
    let held = known.map(|k| -> Result<_> { Ok((k.values.to_device(&device)?, k.mask.to_device(&device)?)) });
    let held = held.transpose()?;
    let known = held.as_ref().map(|(values, mask)| Replaced { values, mask });
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
    start: &ChainsFrom<'_>,
    known: Option<&Replaced<'_>>,
    steps: usize,
    dims: (usize, usize, usize, usize),
    noise: &mut Noise,
    watch: &mut SamplerWatch<'_>,
) -> Result<Tensor> {
    let mut x = match (start, members[0].learning()) {
        (ChainsFrom::Images(images, _), _) => (*images).clone(),
        (ChainsFrom::Noise, Learning::EnergyMatching(_)) => noise.normal(dims, DType::F32, &members[0].device())?,
        (ChainsFrom::Noise, _) => noise.uniform(dims, DType::F32, &members[0].device())?,
    };
    for k in 0..steps {
        let member = &members[k % members.len()];
        let (sampler, shares) = match (member.learning(), start) {
            (Learning::Contrastive(c), _) => (c.sampler(), [1.0, 0.0]),
            (Learning::Improved(c), _) => (c.contrastive.sampler(), [1.0, 0.0]),
            (Learning::EnergyMatching(c), start) => {
                let c = EnergyMatchingConfig { steps, ..c.clone() };
                match start {
                    ChainsFrom::Images(..) => (c.stay(), [1.0, 0.0]),
                    ChainsFrom::Noise => {
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
        watch(&Moment { level: k, at: 0.0, x: &x, denoised: &x })?;
    }
    Ok(x)
}

fn mixed() -> Error {
    Error::data("members of an ensemble", "energies with and without noise levels", "energies of one kind")
}

#[allow(clippy::too_many_arguments)]
fn levels(
    members: Ensemble<'_>,
    labels: &[Option<u32>],
    start: &ChainsFrom<'_>,
    known: Option<&Replaced<'_>>,
    config: &SamplerConfig,
    dims: (usize, usize, usize, usize),
    noise: &mut Noise,
    watch: &mut SamplerWatch<'_>,
) -> Result<Tensor> {
    let device = members[0].device();
    let normal = |noise: &mut Noise| noise.normal(dims, DType::F32, &device);
    let (x, from) = match start {
        ChainsFrom::Noise => (normal(noise)?, config.start),
        ChainsFrom::Images(images, t) => (((*images * t.cos())? + (normal(noise)? * t.sin())?)?, *t),
    };
    // The class's guidance is the velocity's; away from the standard normal there is none.
    let plain = SamplerConfig { guidance: 1.0.into(), start: from, ..*config };
    let conditions = Conditions { replaced: known.cloned(), ..Conditions::default() };
    let sampler = Sampler::new(&plain)?.given(conditions);
    let evaluated = Cell::new(0);
    let model = |x: &Tensor, t: f64| {
        let step = evaluated.replace(evaluated.get() + 1);
        velocity(&members[step % members.len()], x, labels, t, config.guidance())
    };
    sampler.run_watched(&model, x, noise, Some(watch))
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
