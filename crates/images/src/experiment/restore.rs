//! What mending images has in common: chains that start at damaged images, several an image, and their errors.

use super::advance;
use super::draw::{ChainsFrom, WATCHED, draw, tell};
use super::generate::known_labels;
use super::journal::Journal;
use super::model::ImageModel;
use crate::image::Images;
use candle_core::{Device, Tensor};
use ebmotion::event::{Event, Sink};
use ebmotion::noise::Noise;
use ebmotion::sample::diffusion::{Moment, Replaced, SamplerConfig};
use ebmotion::{Error, Result};
use serde::Serialize;

/// Chains that walk together.
const TILE: usize = 100;

/// Error of a way of mending: the mean over images of the mean squared error over the pixels in question, in `[0, 1]`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RestorationError {
    /// Part of the set, `train` or `test`.
    pub part: String,
    /// What was done.
    pub way: String,
    /// Mean squared error.
    pub error: f64,
    /// Its standard error over images.
    pub standard_error: f64,
    /// Images.
    pub images: usize,
}

impl RestorationError {
    /// Of the errors of single images.
    pub(super) fn new(part: &str, way: &str, errors: &[f64]) -> Self {
        let n = errors.len() as f64;
        let mean = errors.iter().sum::<f64>() / n;
        let variance = errors.iter().map(|e| (e - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
        let (part, way) = (part.into(), way.into());
        Self { part, way, error: mean, standard_error: (variance / n).sqrt(), images: errors.len() }
    }
}

/// Images to be mended.
pub(super) struct Task<'a> {
    /// How they are, in `[0, 1]`, `(N, C, H, W)` row-major.
    pub(super) damaged: &'a [f32],
    /// A label an image, or none.
    pub(super) labels: &'a [Option<u32>],
    /// The angle of the noise at which chains start from the damaged images; without it they start from noise.
    pub(super) from: Option<f64>,
    /// True where a pixel is known and stays, `(C, H, W)`.
    pub(super) known: Option<&'a [bool]>,
}

/// `samples` chains an image; pixels in `[0, 1]` of each set of chains, `(N, C, H, W)` row-major. A listener is shown the first that
/// walk in this run.
pub(super) fn chains(
    model: &ImageModel,
    task: &Task<'_>,
    samples: usize,
    sampler: &SamplerConfig,
    noise: &Noise,
    journal: &Journal,
    sink: &mut dyn Sink,
) -> Result<Vec<Vec<f32>>> {
    if samples == 0 {
        return Err(Error::config("samples", 0, "at least 1"));
    }
    let [c, h, w] = model.shape();
    let (size, count) = (c * h * w, task.labels.len());
    sink.emit(&Event::Begin { phase: "restore", total: (samples * count) as u64 })?;
    let (mut all, mut watched) = (Vec::with_capacity(samples), None);
    for sample in 0..samples {
        let base = noise.fork(sample as u64);
        let mut pixels = Vec::with_capacity(size * count);
        for first in (0..count).step_by(TILE) {
            let rows = first..(first + TILE).min(count);
            let values = task.damaged[rows.start * size..rows.end * size].to_vec();
            let images = model.from_pixels(&Tensor::from_vec(values, (rows.len(), c, h, w), &Device::Cpu)?)?;
            let mask = match task.known {
                None => None,
                Some(known) => {
                    let one: Vec<f32> = known.iter().map(|k| f32::from(u8::from(*k))).collect();
                    Some(Tensor::from_vec(one, (1, c, h, w), &Device::Cpu)?.broadcast_as(images.dims())?.contiguous()?)
                }
            };
            let known = mask.as_ref().map(|mask| Replaced { values: &images, mask });
            let start = task.from.map_or(ChainsFrom::Noise, |t| ChainsFrom::Images(&images, t));
            let members = std::slice::from_ref(model);
            let labels = &task.labels[rows.clone()];
            let work = || {
                let mut noise = base.from_chain(first as u64);
                let watched = *watched.get_or_insert((sample, first)) == (sample, first);
                let mut watch = |at: &Moment<'_>| if watched { tell(model, labels, at, WATCHED, sink) } else { Ok(()) };
                let x = draw(members, labels, &start, known.as_ref(), sampler, &mut noise, &mut watch)?;
                Ok([model.to_pixels(&x)?.clamp(0.0, 1.0)?])
            };
            let [x] = journal.array(&format!("sample {sample} tile {first}"), work)?;
            pixels.extend(x.flatten_all()?.to_vec1::<f32>()?);
            advance(sink, sample * count + rows.end, samples * count, "")?;
        }
        all.push(pixels);
    }
    sink.emit(&Event::End)?;
    Ok(all)
}

/// Images of one part of a set, to be damaged and mended.
pub(super) struct Sample {
    /// `train` or `test`.
    pub(super) part: &'static str,
    /// In `[0, 1]`, `(N, C, H, W)` row-major.
    pub(super) truth: Vec<f32>,
    /// What the energy is given of each.
    pub(super) labels: Vec<Option<u32>>,
    /// The part's own.
    pub(super) noise: Noise,
}

impl Sample {
    /// `count` images of each part, evenly spread over it.
    ///
    /// # Errors
    /// [`Error::Data`] for images that the model does not take, or without labels where those are wanted.
    pub(super) fn both(
        model: &ImageModel,
        [train, test]: [&Images; 2],
        count: usize,
        conditional: bool,
        noise: &Noise,
    ) -> Result<[Self; 2]> {
        let one = |part: &'static str, images: &Images| -> Result<Self> {
            model.check_fits(images)?;
            let images = some(images, count)?;
            let labels = known_labels(model, &images, conditional)?;
            Ok(Self { part, truth: images.to_unit(), labels, noise: noise.named(part) })
        };
        Ok([one("train", train)?, one("test", test)?])
    }
}

/// Mean of several sets of pixels.
pub(super) fn mean(sets: &[Vec<f32>]) -> Vec<f32> {
    let count = sets.len() as f32;
    (0..sets.first().map_or(0, Vec::len)).map(|i| sets.iter().map(|s| s[i]).sum::<f32>() / count).collect()
}

/// Mean squared error of each image over the pixels that `counted` `(C, H, W)` marks.
pub(super) fn errors(found: &[f32], truth: &[f32], counted: &[bool]) -> Vec<f64> {
    let pixels = counted.iter().filter(|c| **c).count() as f64;
    let one = |(a, b): (&[f32], &[f32])| {
        let squares = a.iter().zip(b).zip(counted).filter(|(_, c)| **c).map(|((a, b), _)| f64::from(a - b).powi(2));
        squares.sum::<f64>() / pixels
    };
    found.chunks_exact(counted.len()).zip(truth.chunks_exact(counted.len())).map(one).collect()
}

/// `count` images of a set, evenly spread over it.
fn some(images: &Images, count: usize) -> Result<Images> {
    let count = count.min(images.len());
    images.select(&(0..count).map(|i| i * images.len() / count.max(1)).collect::<Vec<_>>())
}

/// Rows of one image each: image `i` of every set side by side.
pub(super) fn side_by_side(name: &str, shape: [usize; 3], sets: &[&[f32]], count: usize) -> Result<Images> {
    let size: usize = shape.iter().product();
    let rows = (0..count).flat_map(|i| sets.iter().flat_map(move |s| &s[i * size..(i + 1) * size]));
    Images::from_unit(name, shape, &rows.copied().collect::<Vec<_>>())
}
