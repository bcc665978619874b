//! A classifier of images: trained, judged on images that it has not seen, kept in a file. Other experiments compare
//! energies with it, attack it, or measure sets of images in its features.

use super::{DataRecord, Journal};
use crate::image::Images;
use crate::model::{Classifier, ClassifierConfig};
use crate::objective::CrossEntropy;
use crate::sample::{Attack, Norm};
use candle_core::{DType, Device, Tensor};
use ebmotion::event::Sink;
use ebmotion::noise::Noise;
use ebmotion::train::{AdamConfig, Archive, Batch, BatchSource, Clip, Decay, Divergence, TrainConfig, train};
use ebmotion::{Error, Result};
use ebmotion_engine::parallel;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Settings of the experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingConfig {
    /// Seed of weights and batches.
    pub seed: u64,
    /// As [`ClassifierConfig::convolutions`].
    pub convolutions: Vec<[usize; 2]>,
    /// As [`ClassifierConfig::dense`].
    pub dense: usize,
    /// What is done to training images first; nothing at a radius of 0.
    pub attack: Attack,
    /// Steps over which the radius rises from 0: at once, a network learns nothing from strong attacks.
    pub attack_warmup_steps: u64,
    /// The training run. No image is held out.
    pub train: TrainConfig,
}

impl Default for TrainingConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            convolutions: vec![[32, 5], [64, 3]],
            dense: 128,
            attack: Attack { norm: Norm::Linf, radius: 0.0, steps: 5 },
            attack_warmup_steps: 2000,
            train: TrainConfig {
                steps: 4000.into(),
                batch: 100,
                optimizer: AdamConfig {
                    learning_rate: 0.002,
                    beta1: 0.9,
                    beta2: 0.999,
                    weight_decay: 0.0,
                    warmup_steps: 100,
                    decay: Decay::Cosine,
                    clip: Clip::None,
                    whitening: None,
                },
                average_decay: 0.99,
                validate_every: 1000,
                log_every: 100,
                checkpoint_every: 1000,
                divergence: Divergence::default(),
                compact_checkpoints: false,
            },
        }
    }
}

/// What was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassifierFigures {
    /// Trainable numbers.
    pub parameters: usize,
    /// Share of test images of which the likeliest class is the right one.
    pub accuracy: f64,
    /// The same for each class, in the order of the labels; `None` where the test set has none of it.
    pub per_class: Vec<Option<f64>>,
}

/// What [`save`]'s file says of itself.
const FORMAT: &str = "ebmotion image classifier 1";
/// Images classified at once.
const CHUNK: usize = 200;

/// Trains a classifier on `train` and judges it on `test`.
///
/// # Errors
/// [`Error::Data`] for sets without labels, of different shapes, or a test label that `train` does not have;
/// [`Error::Config`] for settings out of range; [`Error::Interrupted`] when the sink asks to stop; as
/// [`Journal::begin`] for what was kept.
pub fn run(
    images: &Images,
    test: &Images,
    config: &TrainingConfig,
    journal: &Journal,
    sink: &mut dyn Sink,
) -> Result<(Classifier, ClassifierFigures)> {
    config.attack.check()?;
    let labels = images.known_labels()?;
    let [channels, height, width] = images.shape();
    let classes = images.class_count();
    fits(test, images.shape(), classes)?;
    let noise = Noise::new(config.seed);
    let shape = ClassifierConfig {
        channels,
        height,
        width,
        classes,
        convolutions: config.convolutions.clone(),
        dense: config.dense,
    };
    let classifier = Classifier::new(shape, &mut noise.named("weights"), DType::F32)?;
    let attack = (config.attack.radius > 0.0).then(|| config.attack.clone());
    let mut objective = CrossEntropy::new(classifier, attack, config.attack_warmup_steps);
    let source = Labelled { images, labels, classes };
    let plan = journal.plan("classifier")?;
    train(&mut objective, &source, &config.train, &noise.named("training"), plan.as_ref(), sink)?;
    let classifier = objective.into_classifier();
    let figures = figures(&classifier, test)?;
    Ok((classifier, figures))
}

fn figures(classifier: &Classifier, test: &Images) -> Result<ClassifierFigures> {
    let classes = classifier.config().classes;
    let (mut right, mut all) = (vec![0usize; classes], vec![0usize; classes]);
    for (label, found) in test.known_labels()?.iter().zip(classify(classifier, test)?) {
        all[*label as usize] += 1;
        right[*label as usize] += usize::from(*label == found);
    }
    let share = |right: usize, all: usize| (all > 0).then(|| right as f64 / all as f64);
    Ok(ClassifierFigures {
        parameters: classifier.parameters().count(),
        accuracy: right.iter().sum::<usize>() as f64 / test.len() as f64,
        per_class: right.iter().zip(&all).map(|(r, a)| share(*r, *a)).collect(),
    })
}

/// Fails where a set's images are not of `shape`.
pub(super) fn in_shape(images: &Images, shape: [usize; 3]) -> Result<()> {
    match images.shape() == shape {
        true => Ok(()),
        false => {
            let what = format!("shape of `{}`", images.name);
            Err(Error::data(what, format!("{:?}", images.shape()), format!("{shape:?}, as the network's images")))
        }
    }
}

/// Fails where a labelled set is not one of `classes` classes of images of `shape`.
pub(super) fn fits(images: &Images, shape: [usize; 3], classes: usize) -> Result<()> {
    in_shape(images, shape)?;
    match images.known_labels()?.iter().find(|l| **l as usize >= classes) {
        Some(label) => {
            Err(Error::data(format!("a label of `{}`", images.name), label, format!("0 to {}", classes - 1)))
        }
        None => Ok(()),
    }
}

/// Images and labels as training batches.
struct Labelled<'a> {
    images: &'a Images,
    labels: &'a [u32],
    classes: usize,
}

impl BatchSource for Labelled<'_> {
    fn batch(&self, size: usize, noise: &mut Noise) -> Result<Batch> {
        let chosen = noise.indices(size, self.images.len());
        let labels: Vec<u32> = chosen.iter().map(|i| self.labels[*i]).collect();
        let context = Some(one_hot(&labels, self.classes)?);
        Ok(Batch { x: pixels(self.images, &chosen)?, context, start: None })
    }

    fn validation(&self) -> Result<Option<Batch>> {
        Ok(None)
    }
}

/// Images `chosen` in `[0, 1]`, `(B, C, H, W)`.
pub(super) fn pixels(images: &Images, chosen: &[usize]) -> Result<Tensor> {
    let [channels, height, width] = images.shape();
    let mut values = Vec::new();
    images.fill_unit(chosen, &mut values);
    Ok(Tensor::from_vec(values, (chosen.len(), channels, height, width), &Device::Cpu)?)
}

/// Labels, each below `classes`, as rows of zeros and a one, `(B, classes)`.
pub(super) fn one_hot(labels: &[u32], classes: usize) -> Result<Tensor> {
    let mut rows = vec![0.0f32; labels.len() * classes];
    labels.iter().enumerate().for_each(|(b, label)| rows[b * classes + *label as usize] = 1.0);
    Ok(Tensor::from_vec(rows, (labels.len(), classes), &Device::Cpu)?)
}

/// Work on images in chunks, results in the images' order.
pub(super) fn in_chunks<T: Send>(
    images: &Images,
    chunk: usize,
    work: impl Fn(&Tensor) -> Result<Vec<T>> + Sync,
) -> Result<Vec<T>> {
    let chunks = parallel::tiles(images.len(), chunk, |range| {
        let chosen: Vec<usize> = range.collect();
        work(&pixels(images, &chosen)?)
    })?;
    Ok(chunks.into_iter().flatten().collect())
}

/// The likeliest class of each image.
///
/// # Errors
/// [`Error::Shape`] when the images do not fit; [`Error::Tensor`].
pub fn classify(classifier: &Classifier, images: &Images) -> Result<Vec<u32>> {
    in_chunks(images, CHUNK, |x| Ok(classifier.logits(x)?.argmax(1)?.to_vec1::<u32>()?))
}

/// Share of labelled images of which the likeliest class is the right one.
///
/// # Errors
/// As [`classify`]; [`Error::Data`] for a set without labels.
pub fn accuracy(classifier: &Classifier, images: &Images) -> Result<f64> {
    let found = classify(classifier, images)?;
    let right = images.known_labels()?.iter().zip(&found).filter(|(a, b)| a == b).count();
    Ok(right as f64 / found.len() as f64)
}

/// Writes weights and shape, the settings and what it was trained on.
///
/// # Errors
/// [`Error::Io`] naming the file.
pub fn save(classifier: &Classifier, path: &Path, config: &TrainingConfig, images: &Images) -> Result<()> {
    let tensors = classifier.parameters().iter().map(|(name, var)| (name.to_string(), var.as_detached_tensor()));
    let meta = serde_json::json!({
        "format": FORMAT,
        "shape": classifier.config(),
        "settings": config,
        "data": DataRecord::of(images),
    });
    Archive { tensors: tensors.collect(), meta, ..Archive::default() }.save(path)
}

/// Reads a file written by [`save`].
///
/// # Errors
/// [`Error::Io`] when it cannot be read; [`Error::Model`] when it is damaged or no classifier's.
pub fn load(path: &Path) -> Result<Classifier> {
    let archive = Archive::load(path)?;
    if archive.meta["format"] != FORMAT {
        return Err(Error::model(
            path,
            &archive.meta["format"],
            format!("`{FORMAT}`, from `ebmotion image classifier`"),
        ));
    }
    let shape = serde_json::from_value(archive.meta["shape"].clone())
        .map_err(|e| Error::model(path, format!("a damaged shape ({e})"), "that of a classifier"))?;
    // Its weights are replaced at once, so that what they are drawn from does not matter.
    let classifier = Classifier::new(shape, &mut Noise::new(0), DType::F32)?;
    classifier.parameters().assign(|name| archive.tensor(path, name))?;
    Ok(classifier)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ebmotion::event::Silent;

    /// A bright left or a bright right half.
    fn halves(count: usize) -> Result<Images> {
        let pixel =
            |i: usize, x: usize| if (x < 3) == i.is_multiple_of(2) { 200 + (i % 50) as u8 } else { (i % 7) as u8 };
        let pixels = (0..count).flat_map(|i| (0..36).map(move |p| pixel(i, p % 6))).collect();
        Images::new("halves", [1, 6, 6], pixels, Some((0..count).map(|i| (i % 2) as u32).collect()))
    }

    fn quick(radius: f64) -> TrainingConfig {
        let mut config = TrainingConfig { convolutions: vec![[4, 3]], dense: 8, ..TrainingConfig::default() };
        config.attack.radius = radius;
        (config.train.steps, config.train.batch, config.train.optimizer.warmup_steps) = (60.into(), 20, 0);
        config
    }

    #[test]
    fn two_halves_are_told_apart_also_under_attack_and_after_a_file() -> Result<()> {
        let (images, folder) = (halves(60)?, tempfile::tempdir().map_err(Error::io("temporary", "create"))?);
        for radius in [0.0, 0.1] {
            let (classifier, figures) = run(&images, &halves(20)?, &quick(radius), &Journal::none(), &mut Silent)?;
            assert_eq!((figures.accuracy, &figures.per_class[..]), (1.0, &[Some(1.0), Some(1.0)][..]));
            let path = folder.path().join("classifier.safetensors");
            save(&classifier, &path, &quick(radius), &images)?;
            let again = load(&path)?;
            let x = pixels(&images, &[3, 4])?;
            assert_eq!(again.logits(&x)?.to_vec2::<f32>()?, classifier.logits(&x)?.to_vec2::<f32>()?);
            assert_eq!(accuracy(&again, &images)?, 1.0);
        }
        Ok(())
    }

    #[test]
    fn sets_that_do_not_fit_and_files_that_are_no_classifiers_are_refused() -> Result<()> {
        let (images, folder) = (halves(10)?, tempfile::tempdir().map_err(Error::io("temporary", "create"))?);
        let other = Images::new("other", [1, 6, 6], vec![0; 36], Some(vec![2]))?;
        assert!(matches!(run(&images, &other, &quick(0.0), &Journal::none(), &mut Silent), Err(Error::Data { .. })));
        let other = Images::new("other", [1, 4, 9], vec![0; 36], Some(vec![0]))?;
        assert!(matches!(run(&images, &other, &quick(0.0), &Journal::none(), &mut Silent), Err(Error::Data { .. })));
        let path = folder.path().join("other.safetensors");
        Archive { meta: serde_json::json!({"format": "another"}), ..Archive::default() }.save(&path)?;
        assert!(matches!(load(&path), Err(Error::Model { .. })));
        Ok(())
    }
}
