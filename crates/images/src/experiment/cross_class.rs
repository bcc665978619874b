//! From one class to another: chains that start at an image of one class and walk by the energy given another (Du & Mordatch
//! 2019, section 4.2).

use super::draw::image_sampler;
use super::journal::Journal;
use super::model::ImageModel;
use super::restore::{Task, chains};
use crate::image::Images;
use ebmotion::event::Sink;
use ebmotion::noise::Noise;
use ebmotion::sample::diffusion::SamplerConfig;
use ebmotion::{Error, Result};
use serde::{Deserialize, Serialize};

/// Settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrossClassConfig {
    /// Seed of the chains.
    pub seed: u64,
    /// Images of each class, each of which is led to every class.
    pub count: usize,
    /// Angle of the noise at which chains start: the more, the less of the image is kept.
    pub start: f64,
    /// How images are drawn.
    pub sampler: SamplerConfig,
}

impl Default for CrossClassConfig {
    fn default() -> Self {
        let sampler = SamplerConfig { levels: 20, guidance: 4.0.into(), ..image_sampler() };
        Self { seed: 0, count: 10, start: 1.3, sampler }
    }
}

/// What came of the chains.
#[derive(Debug, Clone)]
pub struct CrossClassFigures {
    /// All ends, image by image and for each image class by class; their labels are the classes that were asked for.
    pub images: Images,
    /// Euclidean distance of each end from its start, pixels in `[0, 1]`; the mean over the ends.
    pub moved: f64,
    /// The same of the starts from starts of other classes, so from an image that keeps nothing.
    pub apart: f64,
    /// One row an image of the first of each class: the image, then its ends.
    pub picture: Images,
    /// The model's classes: the columns of the picture after the first.
    pub classes: Vec<u32>,
}

/// Leads images of every class to every class.
///
/// # Errors
/// [`Error::Data`] for a model that is not given the class, or images without labels; as [`super::draw`]; [`Error::Interrupted`]
/// when the sink asks to stop; as [`Journal::begin`] for what was kept.
pub fn run(
    model: &ImageModel,
    images: &Images,
    config: &CrossClassConfig,
    journal: &Journal,
    sink: &mut dyn Sink,
) -> Result<CrossClassFigures> {
    if model.classes() == 0 {
        return Err(Error::data("classes of the model", 0, "an energy that is given the class"));
    }
    model.check_fits(images)?;
    let classes = model.info().classes.clone();
    let labels = images.known_labels()?;
    let mut rows = Vec::new();
    for class in &classes {
        let of = (0..images.len()).filter(|i| labels[*i] == *class).take(config.count);
        let before = rows.len();
        rows.extend(of);
        if rows.len() == before {
            return Err(Error::data(format!("images of class {class} in `{}`", images.name), 0, "at least 1"));
        }
    }
    let k = classes.len();
    let starts: Vec<usize> = rows.iter().flat_map(|i| std::iter::repeat_n(*i, k)).collect();
    let mut damaged = Vec::new();
    images.fill_unit(&starts, &mut damaged);
    let asked: Vec<u32> = (0..starts.len()).map(|i| classes[i % k]).collect();
    let given: Vec<Option<u32>> = asked.iter().copied().map(Some).collect();
    let task = Task { damaged: &damaged, labels: &given, from: Some(config.start), known: None };
    let ends = chains(model, &task, 1, &config.sampler, &Noise::new(config.seed), journal, sink)?.concat();
    let size = images.size();
    let image = |i: usize| &damaged[i * size..(i + 1) * size];
    let ends_of = |i: usize| &ends[i * size..(i + 1) * size];
    let distance = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt();
    let n = starts.len();
    let moved = (0..n).map(|i| distance(image(i), ends_of(i))).sum::<f64>() / n as f64;
    // The start `count * k` places further on is an image of the next class.
    let next = n / k;
    let apart = (0..n).map(|i| distance(image(i), image((i + next) % n))).sum::<f64>() / n as f64;
    let mut picture = Vec::new();
    let mut last = None;
    for (n, row) in rows.iter().enumerate() {
        if last != Some(labels[*row]) {
            last = Some(labels[*row]);
            images.fill_unit(&[*row], &mut picture);
            picture.extend_from_slice(&ends[n * k * size..(n + 1) * k * size]);
        }
    }
    let shape = images.shape();
    Ok(CrossClassFigures {
        images: Images::from_unit("crossed", shape, &ends)?.labelled(asked)?,
        moved,
        apart,
        picture: Images::from_unit("cross-class", shape, &picture)?,
        classes,
    })
}
