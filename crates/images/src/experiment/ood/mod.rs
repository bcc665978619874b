//! Images unlike those that a model was trained on, told from the others by their energy (Du & Mordatch 2019, section
//! 4.4) and, for comparison, by the likelihoods of an autoregressive network and of a flow trained on the same images.

mod baseline;
mod config;
mod levels;
mod score;
mod sets;
#[cfg(test)]
mod tests;

pub use baseline::BaselineRecord;
pub use config::{OodBaseline, OodBaselineConfig, OodConfig};
pub use sets::{OodData, SetRecord};

use super::{ImageModel, Journal};
use crate::image::Images;
use ebmotion::event::Sink;
use ebmotion::noise::Noise;
use ebmotion::{Error, Result};
use score::{Scorer, against};
use serde::Serialize;
use std::path::Path;

/// Streams of the experiment's noise.
const SETS: u64 = 1;
const PROXIES: u64 = 2;
const SCORES: u64 = 3;
const RESAMPLES: u64 = 4;
const BASELINES: u64 = 5;

/// How well one score tells the model's images from one set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SetFigures {
    /// The set.
    pub set: String,
    /// Probability that an image of the model's own set has the lower energy; .5 is chance.
    pub auroc: f64,
    /// 95 % of its bootstrap replicates, both sets resampled.
    pub interval: [f64; 2],
    /// Average precision of finding the model's own images.
    pub average_precision: f64,
    /// Share of the other set taken for the model's own, where 95 % of those are.
    pub fpr_at_95_tpr: f64,
}

/// A score, against every set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScoreRow {
    /// The score.
    pub score: String,
    /// Noise level of the energy, where it has one.
    pub at: Option<f64>,
    /// Each set.
    pub told: Vec<SetFigures>,
    /// Mean AUROC over the sets.
    pub mean_auroc: f64,
    /// Mean bits per dimension of the model's own test images and of each set, for likelihoods.
    pub bits_per_dimension: Option<Vec<f64>>,
}

/// How well a noise level tells training images from damaged ones.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LevelTrial {
    /// The noise level.
    pub at: f64,
    /// AUROC against each kind of damage.
    pub auroc: Vec<f64>,
    /// The least of them, by which the level is chosen: a level that is blind to one kind of damage is blind to images
    /// of that kind.
    pub worst: f64,
}

/// What was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OodFigures {
    /// Noise level at which the energy judges.
    pub at: f64,
    /// Kinds of damage, and how each level told them; empty where the level was given.
    pub damages: Vec<String>,
    /// One a level.
    pub trials: Vec<LevelTrial>,
    /// The model's own test images, then the sets that they are told from.
    pub sets: Vec<SetRecord>,
    /// All scores: the energy at the chosen level first, then by its energies at all levels, where there are several.
    pub rows: Vec<ScoreRow>,
    /// The likelihood baselines.
    pub baselines: Vec<BaselineRecord>,
}

/// Runs the experiment; trained baselines stay in `folder`. Returns the figures and some images of every set,
/// `config.shown` a set in the order of [`OodFigures::sets`].
///
/// # Errors
/// [`Error::Config`] for settings out of range; [`Error::Data`] when images do not fit the model or there are too few;
/// [`Error::Interrupted`] when the sink asks to stop; as [`Journal::begin`] for what was kept.
pub fn run(
    model: &ImageModel,
    data: OodData<'_>,
    config: &OodConfig,
    (folder, journal): (&Path, &Journal),
    sink: &mut dyn Sink,
) -> Result<(OodFigures, Images)> {
    config.validate()?;
    let noise = Noise::new(config.seed);
    let trained = sets::of_classes(data.train, &model.info().classes)?;
    model.check_fits(&trained)?;
    let sets = sets::all(model, &data, config, &noise.fork(SETS))?;
    let records: Vec<SetRecord> = sets.iter().map(|s| s.record.clone()).collect();
    // The figures' order is the table's: the energy at the level chosen first.
    let Choice { at, damages, trials, own } = choose(model, &trained, config, &noise, &journal.within("levels"), sink)?;
    let mut scorers = vec![Scorer::Energy { model, at, draws: config.draws }];
    if model.classes() > 0 {
        scorers.push(Scorer::Classes { model, at, draws: config.draws });
    }
    if model.info().leveled {
        let others = config.levels.iter().filter(|t| **t != at);
        scorers.extend(others.map(|t| Scorer::Energy { model, at: *t, draws: config.draws }));
    }
    let mut baselines = Vec::new();
    for kind in &config.baselines {
        let (network, record) =
            baseline::trained(*kind, &trained, config, &noise.fork(BASELINES), (folder, journal), sink)?;
        baselines.push(record);
        scorers.push(Scorer::Likelihood { kind: *kind, network, draws: config.draws.max(1) });
    }
    let judged: Vec<&Images> = sets.iter().map(|s| &s.images).collect();
    let (mut rows, mut by_level) = (Vec::new(), Vec::new());
    for scorer in &scorers {
        let scores = scorer.scores(&judged, config.batch, &noise.fork(SCORES), journal, sink)?;
        let of = Named { score: scorer.name(), at: scorer.at(), likelihood: scorer.is_likelihood() };
        rows.push(row(of, &records, &scores, config, &noise.fork(RESAMPLES))?);
        if let Scorer::Energy { at, .. } = scorer {
            by_level.push((*at, scores));
        }
    }
    if own.len() > 1 {
        let together = together(&own, &by_level)?;
        let of = Named { score: "energies_of_all_levels".into(), at: None, likelihood: false };
        rows.insert(1, row(of, &records, &together, config, &noise.fork(RESAMPLES))?);
    }
    let shown = sets::shown(&sets, config.shown)?;
    Ok((OodFigures { at, damages, trials, sets: records, rows, baselines }, shown))
}

/// How each set's images are judged by their energies at all levels, beside those of training images.
fn together(own: &levels::ByLevel, by_level: &[(f64, Vec<Vec<f64>>)]) -> Result<Vec<Vec<f64>>> {
    let gaussian = levels::gaussian(own)?;
    let of = |set: usize| {
        let at = |t: f64| match by_level.iter().find(|(at, _)| *at == t) {
            Some((_, sets)) => Ok(&sets[set][..]),
            None => Err(Error::data(format!("energies at the noise level {t}"), "none", "one an image")),
        };
        levels::judged(&gaussian, &own.iter().map(|(t, _)| at(*t)).collect::<Result<Vec<_>>>()?)
    };
    (0..by_level.first().map_or(0, |(_, sets)| sets.len())).map(of).collect()
}

/// What a row is of.
struct Named {
    score: String,
    at: Option<f64>,
    likelihood: bool,
}

fn row(of: Named, sets: &[SetRecord], scores: &[Vec<f64>], config: &OodConfig, noise: &Noise) -> Result<ScoreRow> {
    let Some((own, others)) = scores.split_first() else {
        return Err(Error::data("sets of images to score", 0, "at least the model's own"));
    };
    let told = others.iter().zip(&sets[1..]).map(|(other, set)| {
        let (auroc, average_precision, fpr_at_95_tpr) = against(own, other)?;
        let interval = score::interval(own, other, config.replicates, &mut noise.named(&set.name))?;
        Ok(SetFigures { set: set.name.clone(), auroc, interval, average_precision, fpr_at_95_tpr })
    });
    let told = told.collect::<Result<Vec<_>>>()?;
    let mean_auroc = told.iter().map(|t| t.auroc).sum::<f64>() / told.len() as f64;
    let bits = of.likelihood.then(|| scores.iter().map(|s| mean(s)).collect());
    Ok(ScoreRow { score: of.score, at: of.at, told, mean_auroc, bits_per_dimension: bits })
}

/// What training images alone say.
struct Choice {
    /// The noise level at which the energy judges.
    at: f64,
    damages: Vec<String>,
    trials: Vec<LevelTrial>,
    /// Levels, and the energies of the same training images at each; none where the level was given.
    own: Vec<(f64, Vec<f64>)>,
}

/// The noise level: as set, or the one of `config.levels` that best tells training images from damaged ones. No set
/// that the model is judged on has a part in it.
fn choose(
    model: &ImageModel,
    trained: &Images,
    config: &OodConfig,
    noise: &Noise,
    journal: &Journal,
    sink: &mut dyn Sink,
) -> Result<Choice> {
    if config.at > 0.0 || !model.info().leveled {
        return Ok(Choice { at: config.at, damages: Vec::new(), trials: Vec::new(), own: Vec::new() });
    }
    let noise = noise.fork(PROXIES);
    let order = noise.fork(0).permutation(trained.len());
    let undamaged = trained.select(&order[..config.images.min(order.len())])?;
    let damaged = sets::damaged(&undamaged, &noise)?;
    let judged: Vec<&Images> = std::iter::once(&undamaged).chain(&damaged).collect();
    let (mut trials, mut own) = (Vec::new(), Vec::new());
    for &at in &config.levels {
        let scorer = Scorer::Energy { model, at, draws: config.draws };
        let mut scores = scorer.scores(&judged, config.batch, &noise.fork(SCORES), journal, sink)?;
        let auroc = scores[1..].iter().map(|d| Ok(against(&scores[0], d)?.0)).collect::<Result<Vec<_>>>()?;
        let worst = auroc.iter().copied().fold(f64::INFINITY, f64::min);
        trials.push(LevelTrial { at, auroc, worst });
        own.push((at, scores.swap_remove(0)));
    }
    let best = trials.iter().max_by(|a, b| a.worst.total_cmp(&b.worst));
    let at = best.map(|t| t.at).ok_or_else(|| Error::config("levels", "none", "at least one"))?;
    Ok(Choice { at, damages: damaged.into_iter().map(|d| d.name).collect(), trials, own })
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
