//! Filling in a half of an image that is hidden: the known half is held while the chains walk (Du & Mordatch 2019, section
//! 4.2).

use super::draw::image_sampler;
use super::journal::Journal;
use super::model::ImageModel;
use super::restore::{RestorationError, Sample, Task, chains, errors, mean, side_by_side};
use crate::image::Images;
use crate::image::corrupt::{self, Half};
use ebmotion::Result;
use ebmotion::event::Sink;
use ebmotion::noise::Noise;
use ebmotion::sample::diffusion::SamplerConfig;
use serde::{Deserialize, Serialize};

/// Settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InpaintConfig {
    /// Seed of the chains.
    pub seed: u64,
    /// The half that is hidden.
    pub hidden: Half,
    /// Images of each part, evenly spread over it.
    pub count: usize,
    /// Chains an image; their mean is one of the answers.
    pub samples: usize,
    /// The energy is given the image's class, where it can be.
    pub conditional: bool,
    /// How images are drawn.
    pub sampler: SamplerConfig,
    /// Images shown of the test part.
    pub shown: usize,
}

impl Default for InpaintConfig {
    fn default() -> Self {
        let sampler = SamplerConfig { corrector_steps: 4, corrector_size: 0.3, ..image_sampler() };
        Self { seed: 0, hidden: Half::Bottom, count: 200, samples: 8, conditional: false, sampler, shown: 12 }
    }
}

/// Fills in images of each part. The picture's columns: hidden, a chain, the mean of all chains, the truth.
///
/// # Errors
/// [`ebmotion::Error::Data`] for images that the model does not take; as [`super::draw`]; [`ebmotion::Error::Interrupted`] when the sink
/// asks to stop; as [`Journal::begin`] for what was kept.
pub fn run(
    model: &ImageModel,
    train: &Images,
    test: &Images,
    config: &InpaintConfig,
    journal: &Journal,
    sink: &mut dyn Sink,
) -> Result<(Vec<RestorationError>, Images)> {
    let noise = Noise::new(config.seed);
    let hidden = config.hidden.mask(model.shape());
    let known: Vec<bool> = hidden.iter().map(|h| !h).collect();
    let filling = fillings(train);
    let [first, second] = Sample::both(model, [train, test], config.count, config.conditional, &noise)?;
    let mut table = Vec::new();
    let mut mend = |sample: &Sample| -> Result<[Vec<f32>; 3]> {
        let Sample { part, truth, labels, noise } = sample;
        let mut damaged = truth.clone();
        corrupt::hide(&mut damaged, &hidden, &mut noise.fork(0))?;
        let task = Task { damaged: &damaged, labels, from: None, known: Some(&known) };
        let mut all =
            chains(model, &task, config.samples, &config.sampler, &noise.fork(1), &journal.within(part), sink)?;
        let mean = mean(&all);
        let mut add = |way: &str, found: &[f32]| {
            table.push(RestorationError::new(part, way, &errors(found, truth, &hidden)));
        };
        add("ebm, one chain", &all[0]);
        add(&format!("ebm, mean of {}", config.samples), &mean);
        add("mean image", &filling.repeat(labels.len()));
        add("mean grey", &vec![grey(&filling, &hidden); truth.len()]);
        add("nearest image", &nearest(truth, train, &known));
        Ok([damaged, all.swap_remove(0), mean])
    };
    mend(&first)?;
    let [damaged, one, mean] = mend(&second)?;
    let sets: [&[f32]; 4] = [&damaged, &one, &mean, &second.truth];
    let picture = side_by_side("inpaint", model.shape(), &sets, config.shown.min(second.labels.len()))?;
    Ok((table, picture))
}

/// Mean of every pixel over a set, in `[0, 1]`.
fn fillings(images: &Images) -> Vec<f32> {
    let mut sums = vec![0u64; images.size()];
    for i in 0..images.len() {
        sums.iter_mut().zip(images.row(i)).for_each(|(s, v)| *s += u64::from(*v));
    }
    sums.iter().map(|s| (*s as f64 / images.len() as f64 / 255.0) as f32).collect()
}

/// Mean over the pixels that `counted` marks.
fn grey(filling: &[f32], counted: &[bool]) -> f32 {
    let of: Vec<f32> = filling.iter().zip(counted).filter(|(_, c)| **c).map(|(v, _)| *v).collect();
    of.iter().sum::<f32>() / of.len() as f32
}

/// For each image the one of `among` whose `known` pixels are nearest.
fn nearest(images: &[f32], among: &Images, known: &[bool]) -> Vec<f32> {
    let places: Vec<usize> = (0..known.len()).filter(|i| known[*i]).collect();
    let bytes = |row: &[f32]| -> Vec<i32> { places.iter().map(|p| (row[*p] * 255.0).round() as i32).collect() };
    let rows: Vec<Vec<i32>> =
        (0..among.len()).map(|i| places.iter().map(|p| i32::from(among.row(i)[*p])).collect()).collect();
    let mut found = Vec::with_capacity(images.len());
    for image in images.chunks_exact(known.len()) {
        let own = bytes(image);
        let away = |row: &Vec<i32>| -> i64 { row.iter().zip(&own).map(|(a, b)| i64::from((a - b) * (a - b))).sum() };
        // An image of the set itself is not its own neighbour.
        let itself = |i: usize| image.iter().zip(among.row(i)).all(|(a, b)| (a * 255.0).round() as u8 == *b);
        let mut order: Vec<(i64, usize)> = rows.iter().enumerate().map(|(i, row)| (away(row), i)).collect();
        order.sort_unstable();
        let best = order.iter().map(|(_, i)| *i).find(|i| !itself(*i)).unwrap_or(0);
        found.extend(among.row(best).iter().map(|v| f32::from(*v) / 255.0));
    }
    found
}
