//! Scores of images, low for what is like the training images, and how well they tell two sets apart.

use super::super::classifier::pixels;
use super::super::{ImageModel, Journal, advance};
use super::OodBaseline;
use crate::image::Images;
use candle_core::{DType, Device, Tensor};
use ebmotion::eval::metric::Detection;
use ebmotion::event::{Event, Sink};
use ebmotion::model::Generative;
use ebmotion::noise::Noise;
use ebmotion::{Error, Result};

/// What judges an image.
pub(super) enum Scorer<'a> {
    /// `E(x)`, no class given.
    Energy { model: &'a ImageModel, at: f64, draws: usize },
    /// `-ln sum_y exp(-E(x | y))` over the model's classes.
    Classes { model: &'a ImageModel, at: f64, draws: usize },
    /// Bits per dimension.
    Likelihood { kind: OodBaseline, network: Box<dyn Generative>, draws: usize },
}

impl Scorer<'_> {
    /// Name in the table.
    pub(super) fn name(&self) -> String {
        match self {
            Scorer::Energy { .. } => "energy".into(),
            Scorer::Classes { .. } => "energy_of_classes".into(),
            Scorer::Likelihood { kind, .. } => kind.name().into(),
        }
    }

    /// Noise level of an energy that has levels.
    pub(super) fn at(&self) -> Option<f64> {
        match self {
            Scorer::Energy { model, at, .. } | Scorer::Classes { model, at, .. } => model.info().leveled.then_some(*at),
            Scorer::Likelihood { .. } => None,
        }
    }

    pub(super) fn is_likelihood(&self) -> bool {
        matches!(self, Scorer::Likelihood { .. })
    }

    /// One number an image of each set, higher for what is less like the training images.
    pub(super) fn scores(
        &self,
        sets: &[&Images],
        batch: usize,
        noise: &Noise,
        journal: &Journal,
        sink: &mut dyn Sink,
    ) -> Result<Vec<Vec<f64>>> {
        let phase = match self.at() {
            Some(at) => format!("{} {at}", self.name()),
            None => self.name(),
        };
        let (mut done, total) = (0, sets.iter().map(|s| s.len()).sum());
        sink.emit(&Event::Begin { phase: &phase, total: total as u64 })?;
        let journal = journal.within(&phase);
        let mut all = Vec::with_capacity(sets.len());
        for (i, images) in sets.iter().enumerate() {
            let work = || {
                let mut scores = Vec::with_capacity(images.len());
                let order: Vec<usize> = (0..images.len()).collect();
                for part in order.chunks(batch) {
                    // A set that is done is kept before the work stops.
                    if !scores.is_empty() {
                        advance(sink, done + scores.len(), total, &images.name)?;
                    }
                    scores.extend(self.batch(&pixels(images, part)?, noise)?);
                }
                // Infinitely unlikely is an answer, not a number is none.
                if let Some(at) = scores.iter().position(|s| s.is_nan() || *s == f64::NEG_INFINITY) {
                    let what = format!("{phase} of an image of `{}`", images.name);
                    return Err(Error::NonFinite { what, value: scores[at], step: at as u64 });
                }
                Ok([Tensor::new(scores, &Device::Cpu)?])
            };
            let [scores] = journal.array(&format!("set {i}"), work)?;
            all.push(scores.to_vec1()?);
            done += images.len();
            advance(sink, done, total, &images.name)?;
        }
        sink.emit(&Event::End)?;
        Ok(all)
    }

    fn batch(&self, pixels: &Tensor, noise: &Noise) -> Result<Vec<f64>> {
        match self {
            Scorer::Energy { model, at, draws } => energies(model, pixels, None, (*at, *draws), noise),
            Scorer::Classes { model, at, draws } => {
                let classes = &model.info().classes;
                let each = classes.iter().map(|y| energies(model, pixels, Some(*y), (*at, *draws), noise));
                let each = each.collect::<Result<Vec<_>>>()?;
                let of = |i: usize| {
                    let lowest = each.iter().map(|e| e[i]).fold(f64::INFINITY, f64::min);
                    lowest - each.iter().map(|e| (lowest - e[i]).exp()).sum::<f64>().ln()
                };
                Ok((0..pixels.dim(0)?).map(of).collect())
            }
            Scorer::Likelihood { network, draws, .. } => {
                let draw = |k: usize| plain(&network.loss(pixels, None, &mut noise.fork(k as u64))?);
                averaged((0..*draws).map(draw))
            }
        }
    }
}

/// Energies `(B,)` of pixels, averaged over draws of the level's noise.
fn energies(
    model: &ImageModel,
    pixels: &Tensor,
    class: Option<u32>,
    (at, draws): (f64, usize),
    noise: &Noise,
) -> Result<Vec<f64>> {
    let (rows, c, h, w) = pixels.dims4()?;
    let labels = vec![class; rows];
    if draws == 0 || !model.info().leveled {
        return plain(&model.evaluate(pixels, &labels, at, None)?.energy);
    }
    let draw = |k: usize| {
        let eps = noise.fork(k as u64).normal((1, c, h, w), DType::F32, &Device::Cpu)?;
        plain(&model.evaluate(pixels, &labels, at, Some(&eps))?.energy)
    };
    averaged((0..draws).map(draw))
}

fn averaged(draws: impl ExactSizeIterator<Item = Result<Vec<f64>>>) -> Result<Vec<f64>> {
    let count = draws.len() as f64;
    let mut sum: Vec<f64> = Vec::new();
    for draw in draws {
        let draw = draw?;
        sum.resize(draw.len(), 0.0);
        sum.iter_mut().zip(draw).for_each(|(s, d)| *s += d / count);
    }
    Ok(sum)
}

fn plain(values: &Tensor) -> Result<Vec<f64>> {
    Ok(values.detach().to_dtype(DType::F64)?.to_vec1()?)
}

/// AUROC, average precision and false positive rate at 95 % true positives of telling `own` from `other` by lower
/// scores.
pub(super) fn against(own: &[f64], other: &[f64]) -> Result<(f64, f64, f64)> {
    let labels: Vec<bool> = own.iter().map(|_| true).chain(other.iter().map(|_| false)).collect();
    let scores: Vec<f64> = own.iter().chain(other).map(|s| -s).collect();
    let found = Detection::of(&labels, &scores)?;
    Ok((found.auroc, found.average_precision, found.fpr_at_95_tpr))
}

/// The 2.5 % and 97.5 % quantiles of the AUROC over resamples of both sets; the AUROC itself, twice, without
/// replicates.
pub(super) fn interval(own: &[f64], other: &[f64], replicates: usize, noise: &mut Noise) -> Result<[f64; 2]> {
    let labels: Vec<bool> = own.iter().map(|_| true).chain(other.iter().map(|_| false)).collect();
    let mut all = Vec::with_capacity(replicates);
    for _ in 0..replicates {
        let mut draw = |of: &[f64]| noise.indices(of.len(), of.len()).into_iter().map(|i| -of[i]).collect::<Vec<f64>>();
        let scores = [draw(own), draw(other)].concat();
        all.push(Detection::of(&labels, &scores)?.auroc);
    }
    if all.is_empty() {
        let point = against(own, other)?.0;
        return Ok([point; 2]);
    }
    all.sort_by(f64::total_cmp);
    Ok([0.025, 0.975].map(|q: f64| all[((all.len() - 1) as f64 * q).round() as usize]))
}
