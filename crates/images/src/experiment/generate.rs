//! Drawing images from a learned energy.

use super::advance;
use super::classifier::classify;
use super::draw::{ChainsFrom, WATCHED, draw, image_sampler, tell};
use super::journal::Journal;
use super::model::ImageModel;
use crate::image::{Images, nearest};
use crate::model::Classifier;
use candle_core::{Device, Tensor};
use ebmotion::event::{Event, Sink};
use ebmotion::noise::Noise;
use ebmotion::sample::diffusion::{Moment, SamplerConfig};
use ebmotion::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Chains that walk together.
const TILE: usize = 100;

/// Settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenerateConfig {
    /// Seed of the chains.
    pub seed: u64,
    /// Images drawn, at least 1. With classes they take turns.
    pub count: usize,
    /// The energy is given the class, where it can be.
    pub conditional: bool,
    /// Only these classes; none for all that the model was trained on.
    pub classes: Vec<u32>,
    /// Step `k` of a chain goes down the energy with the `k`-th of the weights that training kept, counted round
    /// (`history` of `image train`).
    pub ensemble: bool,
    /// How images are drawn.
    pub sampler: SamplerConfig,
    /// Chains shown step by step in the film strip.
    pub strips: usize,
    /// Images of a strip, at least 2.
    pub frames: usize,
    /// Drawn images shown beside their nearest neighbours among the training images.
    pub neighbours: usize,
}

impl Default for GenerateConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            count: 100,
            conditional: true,
            classes: Vec::new(),
            ensemble: false,
            sampler: SamplerConfig { guidance: 1.5.into(), ..image_sampler() },
            strips: 10,
            frames: 12,
            neighbours: 10,
        }
    }
}

/// What was drawn.
#[derive(Debug, Clone)]
pub struct Generated {
    /// The images; their labels are the classes that the energy was given.
    pub images: Images,
    /// Some chains as they walked, a row a chain.
    pub film: Option<Images>,
}

/// The classes of `count` images: those asked for, or the model's, in turns.
///
/// # Errors
/// [`Error::Data`] where a class is asked of a model without.
pub fn labels(model: &ImageModel, conditional: bool, classes: &[u32], count: usize) -> Result<Vec<Option<u32>>> {
    let of = if classes.is_empty() { &model.info().classes[..] } else { classes };
    let given = conditional && (model.classes() > 0 || !classes.is_empty()) && !of.is_empty();
    let labels: Vec<_> = (0..count).map(|i| given.then(|| of[i % of.len()])).collect();
    model.context(&labels[..labels.len().min(of.len().max(1))])?;
    Ok(labels)
}

/// The labels of images as the model is to be given them.
pub(super) fn known_labels(model: &ImageModel, images: &Images, conditional: bool) -> Result<Vec<Option<u32>>> {
    match conditional && model.classes() > 0 {
        true => Ok(images.known_labels()?.iter().copied().map(Some).collect()),
        false => Ok(vec![None; images.len()]),
    }
}

/// Draws images, 100 chains at a time. A listener is shown the first that walk in this run.
///
/// # Errors
/// As [`draw`]; [`Error::Interrupted`] when the sink asks to stop; as [`Journal::begin`] for what was kept.
pub fn run(model: &ImageModel, config: &GenerateConfig, journal: &Journal, sink: &mut dyn Sink) -> Result<Generated> {
    let members = match config.ensemble {
        true => model.members()?,
        false => vec![model.clone()],
    };
    if config.ensemble && members.len() == 1 {
        let expected = "a model that kept some, trained with `history.count = 10`";
        return Err(Error::config("ensemble", "a model without weights of before", expected));
    }
    if config.count == 0 || config.frames < 2 {
        let found = format!("{}, {}", config.count, config.frames);
        return Err(Error::config("count, frames", found, "at least 1, at least 2"));
    }
    config.sampler.check()?;
    let labels = labels(model, config.conditional, &config.classes, config.count)?;
    let base = Noise::new(config.seed);
    let strips = config.strips.min(config.count).min(TILE);
    let shown: Vec<usize> = (0..config.frames).map(|k| k * (config.sampler.levels - 1) / (config.frames - 1)).collect();
    let (mut drawn, mut film, mut watched) = (Vec::new(), Vec::new(), None);
    sink.emit(&Event::Begin { phase: "generate", total: config.count as u64 })?;
    for first in (0..config.count).step_by(TILE) {
        let tile = &labels[first..(first + TILE).min(config.count)];
        // The images, then those of the film.
        let work = || {
            let (mut frames, watched) = (Vec::new(), *watched.get_or_insert(first) == first);
            let mut watch = |at: &Moment<'_>| {
                for _ in shown.iter().filter(|s| **s == at.level && strips > 0 && first == 0) {
                    frames.push(at.denoised.narrow(0, 0, strips)?.copy()?.to_device(&Device::Cpu)?);
                }
                if watched { tell(model, tile, at, WATCHED, sink) } else { Ok(()) }
            };
            let mut noise = base.from_chain(first as u64);
            let x = draw(&members, tile, &ChainsFrom::Noise, None, &config.sampler, &mut noise, &mut watch)?;
            Ok([vec![x], frames].concat())
        };
        let mut tensors = journal.tensors(&format!("tile {first}"), work)?.into_iter();
        drawn.extend(tensors.next());
        film.extend(tensors);
        advance(sink, first + tile.len(), config.count, "")?;
    }
    sink.emit(&Event::End)?;
    let mut images = model.images("generated", &Tensor::cat(&drawn, 0)?)?;
    if let Some(classes) = labels.iter().copied().collect::<Option<Vec<u32>>>() {
        images = images.labelled(classes)?;
    }
    let film = match film.is_empty() {
        true => None,
        // (frames, chains, ...) -> (chains, frames, ...)
        false => {
            let frames = Tensor::stack(&film, 1)?.flatten(0, 1)?;
            Some(model.images("film", &frames)?)
        }
    };
    Ok(Generated { images, film })
}

/// Images in the class that was asked for, by a classifier that took no part in drawing them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassAccuracy {
    /// Share of all images.
    pub accuracy: f64,
    /// Class, images of which it was asked, and share of them.
    pub by_class: Vec<(u32, usize, f64)>,
}

/// Counts the images whose class, by `classifier`, is the one that was asked for.
///
/// # Errors
/// [`Error::Data`] for images without labels, or of a shape that the classifier does not take.
pub fn class_accuracy(images: &Images, classifier: &Classifier) -> Result<ClassAccuracy> {
    let labels = images.known_labels()?;
    let found = classify(classifier, images)?;
    let mut by_class = BTreeMap::<u32, [usize; 2]>::new();
    for (label, found) in labels.iter().zip(&found) {
        let [asked, right] = by_class.entry(*label).or_default();
        (*asked, *right) = (*asked + 1, *right + usize::from(label == found));
    }
    let right: usize = by_class.values().map(|[_, right]| right).sum();
    let by_class = by_class.into_iter().map(|(class, [n, right])| (class, n, right as f64 / n as f64)).collect();
    Ok(ClassAccuracy { accuracy: right as f64 / images.len() as f64, by_class })
}

/// The first `count` images, each followed by its three nearest neighbours, in pixel space, among the training images.
///
/// # Errors
/// As [`nearest`].
pub fn neighbours(generated: &Images, among: &Images, count: usize) -> Result<(Images, Vec<f64>)> {
    const BESIDE: usize = 3;
    let first = generated.select(&(0..count.min(generated.len())).collect::<Vec<_>>())?;
    let found = nearest(&first, among, BESIDE)?;
    let (mut pixels, mut distances) = (Vec::new(), Vec::new());
    for (i, near) in found.iter().enumerate() {
        pixels.extend_from_slice(first.row(i));
        near.iter().for_each(|n| pixels.extend_from_slice(among.row(n.index)));
        distances.extend(near.first().map(|n| n.distance));
    }
    Ok((Images::new("neighbours", generated.shape(), pixels, None)?, distances))
}
