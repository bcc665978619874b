//! Settings of a training run on images.

use super::super::history::History;
use super::super::learning::Learning;
use crate::image::Augment;
use crate::model::{ConvConfig, StageConfig};
use crate::objective::EnergyMatchingConfig;
use ebmotion::model::Activation;
use ebmotion::train::objective::{ContrastiveConfig, Form, ImprovedConfig, RecoveryConfig, Spacing};
use ebmotion::train::{AdamConfig, Clip, Decay, Divergence, TrainConfig};
use ebmotion::{Error, Result};
use serde::{Deserialize, Serialize};

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
    /// What is done to training images, and to chains that are resumed from the replay buffer.
    #[serde(default)]
    pub augment: Augment,
    /// How it is learned.
    pub learning: Learning,
    /// Weights kept besides the last, for `generate` to walk by in turn.
    pub history: History,
    /// How long.
    pub train: TrainConfig,
}

/// Names of [`ImageTrainConfig::preset`].
pub const IMAGE_PRESETS: [&str; 5] = ["denoising", "paper", "improved", "recovery", "energy_matching"];

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
            augment: Augment::default(),
            learning: Learning::Denoising { contrast: 0.03 },
            history: History { count: 0, every: 300 },
            train: TrainConfig {
                steps: 12_000.into(),
                batch: 64,
                optimizer: AdamConfig {
                    learning_rate: 1e-3,
                    beta1: 0.9,
                    beta2: 0.999,
                    weight_decay: 0.0,
                    warmup_steps: 100,
                    decay: Decay::Cosine,
                    clip: Clip::Norm(1.0),
                    whitening: None,
                },
                average_decay: 0.999,
                validate_every: 500,
                log_every: 50,
                checkpoint_every: 500,
                divergence: Divergence::default(),
                compact_checkpoints: false,
            },
        }
    }
}

impl ImageTrainConfig {
    /// Settings by name: `denoising` (the default), `paper` (Du & Mordatch 2019, with the CIFAR-10 experiment's chains
    /// and buffer), `improved` (Du et al. 2021), `recovery` (Gao et al. 2021) and `energy_matching` (Balcerak et al.
    /// 2025).
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
        let learning = match name {
            "denoising" => return Ok(Self::default()),
            "paper" => Learning::Contrastive(chains),
            "improved" => Learning::Improved(ImprovedConfig { contrastive: chains, energy: 1.0, entropy: 0.0 }),
            "recovery" => Learning::Recovery(RecoveryConfig {
                levels: 6,
                lowest: 0.05,
                spacing: Spacing::Geometric,
                ..RecoveryConfig::default()
            }),
            "energy_matching" => Learning::EnergyMatching(EnergyMatchingConfig {
                warmup: 8000,
                temperature: 0.01,
                // `V` is a sum over pixels and is divided by the temperature, velocities' errors are a mean: weight 1
                // diverges at once.
                contrast: 1e-5,
                ..EnergyMatchingConfig::default()
            }),
            _ => return Err(Error::config("preset", name, format!("one of {}", IMAGE_PRESETS.join(", ")))),
        };
        let mut config = Self { learning, ..Self::default() };
        if config.learning.in_pixels() {
            config.width = 1.0;
            config.label_dropout = 0.0;
            config.train.optimizer = AdamConfig {
                learning_rate: 1e-4,
                beta1: 0.0,
                decay: Decay::Constant,
                clip: Clip::Running { multiple: 3.0, floor: 0.1 },
                ..config.train.optimizer
            };
            config.history.count = 10;
        }
        if name == "improved" {
            config.augment.shift = 1;
        }
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
        if !self.learning.in_pixels() {
            // The gradient of a network of straight pieces cannot follow a score or a velocity.
            net = ConvConfig { activation: Activation::Swish, spectral_norm: false, ..net };
        }
        let net = net.scaled(self.width)?;
        net.check()?;
        Ok(net)
    }

    pub(super) fn check(&self) -> Result<()> {
        if !(0.0..=1.0).contains(&self.label_dropout) {
            return Err(Error::config("label_dropout", self.label_dropout, "0 to 1"));
        }
        if self.validation == 0 {
            return Err(Error::config("validation", 0, "at least 1"));
        }
        Ok(())
    }
}
