//! Learning an energy from images.

use super::DataRecord;
use super::classify::{Judge, accuracy};
use super::history::{History, Remembering};
use super::model::{ImageModel, ImageModelInfo, Learned, standardised};
use crate::error::{Error, Result};
use crate::event::Sink;
use crate::image::Images;
use crate::model::{Activation, ConvConfig, StageConfig};
use crate::noise::Noise;
use crate::train::objective::{
    Contrastive, ContrastiveConfig, DenoisingByDifference, Form, ImprovedConfig, ImprovedContrastive,
};
use crate::train::{
    AdamConfig, Batch, CheckpointPlan, Clip, Decay, Divergence, Objective, Outcome, Source, TrainConfig, train,
};
use candle_core::{DType, Device, Tensor};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::Instant;

/// Streams of a run's noise.
const WEIGHTS: u64 = 1;
const STEPS: u64 = 2;
const SPLIT: u64 = 3;
const JUDGED: u64 = 4;

/// Networks by name; each is taken for images of any shape that it can halve often enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Architecture {
    /// [`ConvConfig::mnist`].
    Mnist,
    /// [`ConvConfig::dsprites`].
    Dsprites,
    /// [`ConvConfig::cifar10_conditional`].
    Cifar10,
    /// [`ConvConfig::cifar10_large`].
    Cifar10Large,
    /// [`ConvConfig::imagenet32`].
    Imagenet32,
    /// [`ConvConfig::imagenet128`].
    Imagenet128,
}

/// How the energy is learned, which decides what it is an energy of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Learning {
    /// One energy for every noise level, by denoising score matching; standardised pixels, swish, no spectral norm.
    Denoising {
        /// Weight of the contrast between an image's own class and another, which makes energies of different classes comparable;
        /// see [`DenoisingByDifference::contrasted`].
        contrast: f64,
    },
    /// One energy of pixels in `[0, 1]`, by contrast with chains: the paper's recipe.
    Contrastive(ContrastiveConfig),
    /// The same with gradients through the last step of each chain (Du et al. 2021).
    Improved(ImprovedConfig),
}

/// Settings of a training run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageTrainConfig {
    /// Seed of weights, batches and chains.
    pub seed: u64,
    /// The network.
    pub network: Architecture,
    /// Factor of all its widths.
    pub width: f64,
    /// Its stages, in place of the named network's; none for those.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<StageConfig>,
    /// The energy is given the class.
    pub conditional: bool,
    /// Share of the training images whose class is withheld, so that the energy without a class is learned too.
    pub label_dropout: f64,
    /// Only images of these labels; none for all.
    pub classes: Vec<u32>,
    /// Images held out for validation, from the training set.
    pub validation: usize,
    /// How it is learned.
    pub learning: Learning,
    /// Weights kept besides the last, for `generate` to walk by in turn.
    pub history: History,
    /// How long.
    pub train: TrainConfig,
}

/// Names of [`ImageTrainConfig::preset`].
pub const IMAGE_PRESETS: [&str; 3] = ["denoising", "paper", "improved"];

impl Default for ImageTrainConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            network: Architecture::Mnist,
            width: 0.5,
            stages: Vec::new(),
            conditional: true,
            label_dropout: 0.1,
            classes: Vec::new(),
            validation: 500,
            learning: Learning::Denoising { contrast: 0.03 },
            history: History { count: 0, every: 300 },
            train: TrainConfig {
                steps: 12_000,
                batch: 64,
                optimizer: AdamConfig {
                    learning_rate: 1e-3,
                    beta1: 0.9,
                    beta2: 0.999,
                    weight_decay: 0.0,
                    warmup_steps: 100,
                    decay: Decay::Cosine,
                    clip: Clip::Norm(1.0),
                },
                average_decay: 0.999,
                validate_every: 500,
                log_every: 50,
                checkpoint_every: 500,
                divergence: Divergence::default(),
            },
        }
    }
}

impl ImageTrainConfig {
    /// Settings by name: `denoising` (the default), `paper` (Du & Mordatch 2019, with the CIFAR-10 experiment's chains and buffer) and
    /// `improved` (Du et al. 2021).
    ///
    /// # Errors
    /// [`Error::Config`] for another name.
    pub fn preset(name: &str) -> Result<Self> {
        let chains = ContrastiveConfig {
            form: Form::Linear,
            energy_l2: 1.0,
            steps: 60,
            step_size: 10.0,
            noise: 0.005,
            gradient_clip: Some(0.01),
            bounds: Some((0.0, 1.0)),
            replay: 10_000,
            fresh: 0.05,
        };
        let mut config = Self { width: 1.0, label_dropout: 0.0, ..Self::default() };
        config.train.optimizer = AdamConfig {
            learning_rate: 1e-4,
            beta1: 0.0,
            decay: Decay::Constant,
            clip: Clip::Running { multiple: 3.0, floor: 0.1 },
            ..config.train.optimizer
        };
        config.history.count = 10;
        config.learning = match name {
            "denoising" => return Ok(Self::default()),
            "paper" => Learning::Contrastive(chains),
            "improved" => Learning::Improved(ImprovedConfig { contrastive: chains, energy: 1.0, entropy: 0.0 }),
            _ => return Err(Error::config("preset", name, format!("one of {}", IMAGE_PRESETS.join(", ")))),
        };
        Ok(config)
    }

    /// The network for images of `shape` with `context` classes.
    ///
    /// # Errors
    /// As [`ConvConfig::scaled`] and [`ConvConfig::check`].
    pub fn network(&self, shape: [usize; 3], context: usize) -> Result<ConvConfig> {
        let mut net = match self.network {
            Architecture::Mnist => ConvConfig::mnist(context),
            Architecture::Dsprites => ConvConfig::dsprites(context),
            Architecture::Cifar10 => ConvConfig::cifar10_conditional(context),
            Architecture::Cifar10Large => ConvConfig { context, ..ConvConfig::cifar10_large() },
            Architecture::Imagenet32 => ConvConfig::imagenet32(context),
            Architecture::Imagenet128 => ConvConfig::imagenet128(context),
        };
        if !self.stages.is_empty() {
            net = ConvConfig { stages: self.stages.clone(), dense: None, ..net };
        }
        [net.channels, net.height, net.width] = shape;
        if matches!(self.learning, Learning::Denoising { .. }) {
            // The gradient of a network of straight pieces cannot follow a score.
            net = ConvConfig { activation: Activation::Swish, spectral_norm: false, ..net };
        }
        let net = net.scaled(self.width)?;
        net.check()?;
        Ok(net)
    }

    fn check(&self) -> Result<()> {
        if !(0.0..=1.0).contains(&self.label_dropout) {
            return Err(Error::config("label_dropout", self.label_dropout, "0 to 1"));
        }
        if self.validation == 0 {
            return Err(Error::config("validation", 0, "at least 1"));
        }
        Ok(())
    }
}

/// Images as batches.
struct Pictures<'a> {
    images: &'a Images,
    info: &'a ImageModelInfo,
    train: Vec<usize>,
    validation: Vec<usize>,
    dropout: f64,
    /// Chains start from uniform noise.
    chains: bool,
}

impl Pictures<'_> {
    fn of(&self, indices: &[usize], shown: &[bool], noise: &mut Noise) -> Result<Batch> {
        let x = standardised(self.images, indices, [self.info.shift, self.info.scale])?;
        let context = match self.info.conditional {
            true => {
                let labels = self.images.known_labels()?;
                let labels: Vec<_> = indices.iter().zip(shown).map(|(i, shown)| shown.then_some(labels[*i])).collect();
                self.info.context(&labels)?
            }
            false => None,
        };
        let start = match self.chains {
            true => Some(noise.uniform(x.dims(), DType::F32, &Device::Cpu)?),
            false => None,
        };
        Ok(Batch { x, context, start })
    }
}

impl Source for Pictures<'_> {
    fn batch(&self, size: usize, noise: &mut Noise) -> Result<Batch> {
        let chosen: Vec<usize> = noise.indices(size, self.train.len()).into_iter().map(|i| self.train[i]).collect();
        let lots = noise.uniform(size, DType::F64, &Device::Cpu)?.to_vec1::<f64>()?;
        let shown: Vec<bool> = lots.iter().map(|lot| *lot >= self.dropout).collect();
        self.of(&chosen, &shown, noise)
    }

    fn validation(&self) -> Result<Option<Batch>> {
        let shown = vec![true; self.validation.len()];
        self.of(&self.validation, &shown, &mut Noise::new(0)).map(Some)
    }
}

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
    let leveled = matches!(config.learning, Learning::Denoising { .. });
    let scale = if leveled { moments(&chosen, training)? } else { [0.0, 1.0] };
    let network = config.network(chosen.shape(), if config.conditional { classes.len() } else { 0 })?;
    let mut info = ImageModelInfo::new(network, leveled, classes, scale, DataRecord::of(&chosen));
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
        chains: !leveled,
    };
    let energy = info.fresh(&mut noise.fork(WEIGHTS), &Device::Cpu)?;
    let steps = noise.fork(STEPS);
    let shape = chosen.shape();
    let context = [info.classes.len()];
    let context = info.conditional.then_some(&context[..]);
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
        (Learning::Contrastive(chains), Learned::Single(energy)) => {
            let mut objective = Contrastive::new(energy, chains.clone(), &shape, context)?;
            let ended = taught(&mut objective)?;
            (Learned::Single(objective.into_network()), ended)
        }
        (Learning::Improved(chains), Learned::Single(energy)) => {
            let mut objective = ImprovedContrastive::new(energy, chains.clone(), &shape, context)?;
            let ended = taught(&mut objective)?;
            (Learned::Single(objective.into_network()), ended)
        }
        _ => return Err(Error::Other("an energy of another kind than its objective".into())),
    };
    let validation = validation.to_vec();
    let mut model = ImageModel::new(info, energy, kept);
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
