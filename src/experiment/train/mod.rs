//! Learning an energy from images.

mod config;
mod pictures;

pub use config::{Architecture, IMAGE_PRESETS, ImageTrainConfig, Learning};
pub(super) use pictures::standardised;

use super::DataRecord;
use super::classify::{Judge, accuracy};
use super::history::Remembering;
use super::model::{ImageModel, ImageModelInfo, Learned};
use crate::error::{Error, Result};
use crate::event::Sink;
use crate::image::Images;
use crate::noise::Noise;
use crate::train::objective::{Contrastive, DenoisingByDifference, EnergyMatching, ImprovedContrastive, Recovery};
use crate::train::{CheckpointPlan, Objective, Outcome, train};
use candle_core::{Device, Tensor};
use pictures::{Moved, Pictures};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// Streams of a run's noise.
const WEIGHTS: u64 = 1;
const STEPS: u64 = 2;
const SPLIT: u64 = 3;
const JUDGED: u64 = 4;

/// Trains an energy on images; with a `checkpoint` the run is saved there from time to time and when the sink asks to
/// stop, and with `resume` it goes on from there to the same weights, to the last bit.
///
/// # Errors
/// [`Error::Config`] for settings out of range; [`Error::Data`] when images and settings do not fit; as [`train()`].
pub fn run(
    images: &Images,
    config: &ImageTrainConfig,
    checkpoint: Option<&Path>,
    resume: bool,
    sink: &mut dyn Sink,
) -> Result<ImageModel> {
    let begun = Instant::now();
    config.check()?;
    let noise = Noise::new(config.seed);
    let chosen = match config.classes.is_empty() {
        true => images.clone(),
        false => images.of_classes(&config.classes)?,
    };
    let mut classes = chosen.labels().map(<[u32]>::to_vec).unwrap_or_default();
    classes.sort_unstable();
    classes.dedup();
    if config.conditional {
        chosen.known_labels().map_err(|e| match e {
            Error::Data { what, found, expected } => {
                Error::Data { what, found, expected: format!("{expected}, or the setting conditional=false") }
            }
            other => other,
        })?;
    }
    if config.validation >= chosen.len() {
        let expected = format!("at most {}, one image less than there are", chosen.len() - 1);
        return Err(Error::config("validation", config.validation, expected));
    }
    let order = noise.fork(SPLIT).permutation(chosen.len());
    let (validation, training) = order.split_at(config.validation);
    let scale = if config.learning.in_pixels() { [0.0, 1.0] } else { moments(&chosen, training)? };
    let network = config.network(chosen.shape(), if config.conditional { classes.len() } else { 0 })?;
    let mut info = ImageModelInfo::new(network, config.learning.leveled(), classes, scale, DataRecord::of(&chosen));
    info.settings = serde_json::to_value(config).map_err(|e| Error::Other(format!("settings: {e}")))?;
    let plan = checkpoint.map(|path| CheckpointPlan {
        path: path.to_path_buf(),
        resume,
        identity: serde_json::json!({ "settings": info.settings, "data": info.data }),
    });
    let source = Pictures {
        images: &chosen,
        info: &info,
        train: training.to_vec(),
        validation: validation.to_vec(),
        dropout: config.label_dropout,
        chains: config.learning.in_pixels(),
        augment: config.augment,
    };
    let energy = info.fresh(&mut noise.fork(WEIGHTS), &Device::Cpu)?;
    let steps = noise.fork(STEPS);
    let shape = chosen.shape();
    let context = [info.classes.len()];
    let context = info.conditional.then_some(&context[..]);
    let moved = (!config.augment.is_none()).then(|| Arc::new(Moved { augment: config.augment, shape }));
    let learning = (&config.learning, energy);
    let mut taught = |objective: &mut dyn Objective| -> Result<(Outcome, Vec<Vec<Tensor>>)> {
        let mut run = Remembering::new(objective, config.history.clone(), config.train.steps);
        let outcome = train(&mut run, &source, &config.train, &steps, plan.as_ref(), sink)?;
        Ok((outcome, run.kept))
    };
    let (energy, (outcome, kept)) = match learning {
        (Learning::Denoising { contrast }, Learned::Levels(energy)) => {
            let mut objective = DenoisingByDifference::new(energy).contrasted(*contrast)?;
            let ended = taught(&mut objective)?;
            (Learned::Levels(objective.energy), ended)
        }
        (Learning::Recovery(chains), Learned::Levels(energy)) => {
            let mut objective = Recovery::new(energy, chains.clone())?;
            let ended = taught(&mut objective)?;
            (Learned::Levels(objective.into_energy()), ended)
        }
        (Learning::Contrastive(chains), Learned::Single(energy)) => {
            let mut objective = Contrastive::new(energy, chains.clone(), &shape, context)?;
            if let Some(moved) = moved {
                objective = objective.augmented(moved);
            }
            let ended = taught(&mut objective)?;
            (Learned::Single(objective.into_network()), ended)
        }
        (Learning::Improved(chains), Learned::Single(energy)) => {
            let mut objective = ImprovedContrastive::new(energy, chains.clone(), &shape, context)?;
            if let Some(moved) = moved {
                objective = objective.augmented(moved);
            }
            let ended = taught(&mut objective)?;
            (Learned::Single(objective.into_network()), ended)
        }
        (Learning::EnergyMatching(settings), Learned::Single(energy)) => {
            let mut objective = EnergyMatching::new(energy, settings.clone())?;
            let ended = taught(&mut objective)?;
            (Learned::Single(objective.into_network()), ended)
        }
        _ => return Err(Error::Other("an energy of another kind than its objective".into())),
    };
    let validation = validation.to_vec();
    let mut model = ImageModel::new(info, config.learning.clone(), energy, kept);
    if model.classes() > 0 {
        let noise = noise.fork(JUDGED);
        let accuracy = accuracy(&model, &chosen, &validation, &Judge::default(), &noise)?;
        model.info_mut().validation_accuracy = Some(accuracy);
    }
    model.info_mut().outcome = outcome;
    model.info_mut().train_seconds = begun.elapsed().as_secs_f64();
    Ok(model)
}

/// Mean and standard deviation of all pixels of some images, in `[0, 1]`.
fn moments(images: &Images, indices: &[usize]) -> Result<[f64; 2]> {
    let (mut sum, mut squares, mut count) = (0.0, 0.0, 0.0);
    for &i in indices {
        for v in images.row(i) {
            let v = f64::from(*v) / 255.0;
            sum += v;
            squares += v * v;
            count += 1.0;
        }
    }
    let mean: f64 = sum / count;
    let variance: f64 = squares / count - mean * mean;
    match variance > 1e-12 {
        true => Ok([mean, variance.sqrt()]),
        false => Err(Error::data(format!("pixels of `{}`", images.name), "all alike", "images that differ")),
    }
}
