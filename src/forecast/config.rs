//! Settings of a run, as a file and the command line give them and as the model file keeps them.

use super::baseline::VarFit;
use super::coordinates::{Eigen, ResidualCoordinates};
use super::network::{self, Convolution};
use crate::error::{Error, Result};
use crate::model::{Activation, MlpConfig};
use crate::sample::diffusion::SamplerConfig;
use crate::settings::{Auto, Settings};
use crate::train::objective::{ContrastiveConfig, Form, RecoveryConfig};
use crate::train::{AdamConfig, Clip, Decay, Divergence, TrainConfig, Whitening};
use crate::trajectory::ReadOptions;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// Everything that determines a trained model besides the logs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunConfig {
    /// Seed of the split, the initial weights and the training.
    pub seed: u64,
    /// How logs become frames.
    pub data: DataConfig,
    /// What is learned.
    pub model: ModelConfig,
    /// How it is learned.
    pub train: TrainConfig,
    /// How chunks are drawn from an energy with noise levels. Weights do not depend on it.
    pub sampler: SamplerConfig,
}

/// How logs become frames and frames become episodes for training, validation and test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// Frames per second; the log's own rate where it is not given.
    pub rate_hz: Option<f64>,
    /// How far from its grid point a sample may lie and still count as it is, in frames.
    pub rate_tolerance: f64,
    /// Share of the episodes held out for validation.
    pub validation_share: f64,
    /// Share of the episodes held out for the report.
    pub test_share: f64,
    /// Leaves out episodes that are too short for a window instead of refusing them.
    pub skip_short: bool,
    /// Episodes that are left out, by name; `*` stands for any characters. A name that fits none is an error.
    #[serde(default)]
    pub exclude_episodes: Vec<String>,
    /// How log files are read.
    pub read: ReadOptions,
}

/// The kinds of energy, and others.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ModelConfig {
    /// Noise-level-conditional energy over whitened residuals, learned by denoising score matching.
    Denoising(DenoisingConfig),
    /// The paper's energy over frames, learned by contrastive divergence.
    Igebm(IgebmConfig),
    /// A kind that the library does not know: [`Model::train_with`](super::Model::train_with) is given it.
    #[serde(untagged)]
    Other(OtherConfig),
}

/// Settings of a model of a kind of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OtherConfig {
    /// The name of the kind.
    pub kind: String,
    /// Frames of context.
    pub context: usize,
    /// Frames drawn at once.
    pub chunk: usize,
    /// All others.
    #[serde(flatten)]
    pub settings: serde_json::Map<String, Value>,
}

impl<'de> Deserialize<'de> for ModelConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let mut all = serde_json::Map::deserialize(deserializer)?;
        let Some(Value::String(kind)) = all.get("kind").cloned() else {
            return Err(D::Error::missing_field("kind"));
        };
        let read = match kind.as_str() {
            "denoising" | "igebm" => {
                all.remove("kind");
                match kind.as_str() {
                    "denoising" => serde_json::from_value(all.into()).map(ModelConfig::Denoising),
                    _ => serde_json::from_value(all.into()).map(ModelConfig::Igebm),
                }
            }
            _ => serde_json::from_value(all.into()).map(ModelConfig::Other),
        };
        read.map_err(|e| D::Error::custom(format!("{e}, in the settings of a model of the kind `{kind}`")))
    }
}

/// Settings of the default model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DenoisingConfig {
    /// Frames of context.
    pub context: usize,
    /// Frames drawn at once; left to the data: as many as the motion bears ([`RunConfig::for_data`]).
    pub chunk: Auto<usize>,
    /// Whitened coordinates that the energy is learned over, at most; the rest stays Gaussian.
    pub latent: usize,
    /// Exponent of each coordinate's variance by which denoising score matching weights its error: 0 for all alike, 1
    /// for errors in the motion's own units.
    #[serde(default)]
    pub weighting: f64,
    /// First layers that are convolutions over the chunk's time; none where all are fully connected.
    #[serde(default)]
    pub convolution: Option<Convolution>,
    /// Widths of the network's fully connected hidden layers.
    pub hidden: Vec<usize>,
    /// Ridge penalty of the vector autoregression behind the coordinates.
    pub ridge: f64,
    /// Largest noise on a training batch's context, in standard deviations of the frame-to-frame delta, where a chunk
    /// has 8 frames (for longer ones it is less, by the square of the length): it teaches the energy to answer contexts
    /// that it predicted itself.
    pub context_noise: f64,
    /// Puts predicted values beyond the range of the training motion back to its end.
    #[serde(default)]
    pub limits: bool,
    /// How the energy is learned.
    #[serde(default)]
    pub objective: LevelObjective,
}

/// How a noise-level-conditional energy is learned.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LevelObjective {
    /// Denoising score matching.
    #[default]
    Denoising,
    /// Diffusion recovery likelihood.
    Recovery(RecoveryConfig),
}

impl Default for DenoisingConfig {
    fn default() -> Self {
        Self {
            context: 8,
            chunk: Auto::Auto,
            latent: 1024,
            weighting: 0.5,
            convolution: None,
            hidden: vec![384; 3],
            ridge: 10.0,
            context_noise: 0.5,
            limits: true,
            objective: LevelObjective::Denoising,
        }
    }
}

impl DenoisingConfig {
    /// The coordinates that the energy is over.
    ///
    /// # Errors
    /// As [`ResidualCoordinates::new`]; [`Error::Config`] for a convolution that is none.
    pub(super) fn coordinates(&self, fit: VarFit) -> Result<ResidualCoordinates> {
        let eigen = Eigen::of(&fit);
        self.coordinates_along(fit, eigen)
    }

    /// The same where the directions of the residual's covariance are known.
    pub(super) fn coordinates_along(&self, fit: VarFit, eigen: Eigen) -> Result<ResidualCoordinates> {
        network::coordinates(ResidualCoordinates::along(fit, self.latent, eigen)?, self.convolution.as_ref())
    }

    /// The energy's network over them.
    pub(super) fn network(&self, coordinates: &ResidualCoordinates) -> MlpConfig {
        network::over(coordinates, self.convolution.as_ref(), &self.hidden)
    }
}

/// Settings of the paper's model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IgebmConfig {
    /// Frames of context.
    pub context: usize,
    /// Frames drawn at once.
    pub chunk: usize,
    /// Widths of the network's hidden layers.
    pub hidden: Vec<usize>,
    /// Activation of the hidden layers.
    pub activation: Activation,
    /// Divides weights by their largest singular value.
    pub spectral_norm: bool,
    /// Half width of the uniform noise on a chain's start, z units.
    pub start_noise: f64,
    /// Chains, buffer and loss.
    pub contrastive: ContrastiveConfig,
}

impl ModelConfig {
    /// Frames of context and frames drawn at once; 0 where these are still left to the data.
    pub fn frames(&self) -> (usize, usize) {
        match self {
            ModelConfig::Denoising(c) => (c.context, c.chunk.or(0)),
            ModelConfig::Igebm(c) => (c.context, c.chunk),
            ModelConfig::Other(c) => (c.context, c.chunk),
        }
    }

    /// The name of the kind.
    pub fn kind(&self) -> &str {
        match self {
            ModelConfig::Denoising(_) => "denoising",
            ModelConfig::Igebm(_) => "igebm",
            ModelConfig::Other(c) => &c.kind,
        }
    }
}

impl Default for RunConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            data: DataConfig {
                rate_hz: None,
                rate_tolerance: 0.02,
                validation_share: 0.1,
                test_share: 0.2,
                skip_short: false,
                exclude_episodes: Vec::new(),
                read: ReadOptions::default(),
            },
            model: ModelConfig::Denoising(DenoisingConfig::default()),
            train: TrainConfig {
                steps: Auto::Auto,
                batch: 128,
                optimizer: AdamConfig {
                    learning_rate: 1e-3,
                    beta1: 0.9,
                    beta2: 0.999,
                    weight_decay: 0.03,
                    warmup_steps: 200,
                    decay: Decay::Cosine,
                    clip: Clip::Norm(1.0),
                    whitening: Some(Whitening::default()),
                },
                average_decay: 0.999,
                validate_every: 250,
                log_every: 50,
                checkpoint_every: 500,
                divergence: Divergence::default(),
                compact_checkpoints: false,
            },
            sampler: SamplerConfig::default(),
        }
    }
}

impl RunConfig {
    /// Names of the presets, the default first.
    pub const PRESETS: [&str; 4] = ["denoising", "igebm", "recovery", "temporal"];

    /// The settings of a preset.
    ///
    /// # Errors
    /// [`Error::Config`] naming the presets for another name.
    pub fn preset(name: &str) -> Result<Self> {
        let default = Self::default();
        match name {
            "denoising" => Ok(default),
            "temporal" => {
                let convolution = Some(Convolution::default());
                let model = DenoisingConfig { convolution, hidden: vec![384; 2], ..DenoisingConfig::default() };
                Ok(Self { model: ModelConfig::Denoising(model), ..default })
            }
            "igebm" => Ok(Self {
                model: ModelConfig::Igebm(IgebmConfig {
                    context: 4,
                    chunk: 1,
                    hidden: vec![128; 3],
                    activation: Activation::LeakyRelu,
                    spectral_norm: true,
                    start_noise: 0.3,
                    contrastive: ContrastiveConfig {
                        form: Form::Softplus,
                        energy_l2: 1.0,
                        steps: 20,
                        step_size: 1.0,
                        noise: 0.001,
                        gradient_clip: None,
                        bounds: None,
                        // Chains start near the last frame, as they do in a forecast.
                        replay: 0,
                        fresh: 1.0,
                    },
                }),
                train: TrainConfig {
                    steps: Auto::Set(30_000),
                    batch: 128,
                    optimizer: AdamConfig {
                        learning_rate: 3e-4,
                        beta1: 0.0,
                        beta2: 0.999,
                        weight_decay: 0.0,
                        warmup_steps: 100,
                        decay: Decay::Constant,
                        clip: Clip::Running { multiple: 3.0, floor: 0.1 },
                        whitening: None,
                    },
                    ..default.train.clone()
                },
                ..default
            }),
            "recovery" => {
                let model = DenoisingConfig {
                    chunk: Auto::Set(8),
                    latent: 256,
                    objective: LevelObjective::Recovery(RecoveryConfig::default()),
                    ..DenoisingConfig::default()
                };
                let (end, guidance) = (default.sampler.end().into(), default.sampler.guidance().into());
                let sampler = SamplerConfig { end, guidance, ..default.sampler };
                let adam = AdamConfig { weight_decay: 0.01, whitening: None, ..default.train.optimizer.clone() };
                let train = TrainConfig { steps: Auto::Set(4500), optimizer: adam, ..default.train };
                Ok(Self { model: ModelConfig::Denoising(model), train, sampler, ..default })
            }
            other => Err(Error::config("preset", format!("`{other}`"), format!("one of {}", Self::PRESETS.join(", ")))),
        }
    }

    /// These settings with those of `changes` (an object of the same structure, of any depth) in their place.
    ///
    /// # Errors
    /// [`Error::Config`] naming the first key that does not exist, or whose value is of the wrong type.
    pub fn with(&self, changes: &Value) -> Result<Self> {
        Settings::with(self, changes)
    }

    /// These settings with one set by its dotted name, its value written as JSON or, failing that, as plain text.
    ///
    /// # Errors
    /// As [`RunConfig::with`].
    pub fn with_one(&self, key: &str, value: &str) -> Result<Self> {
        Settings::with_one(self, key, value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn settings_are_changed_by_name_and_unknown_ones_refused() -> Result<()> {
        let base = RunConfig::default();
        let changed = base.with(&json!({"train": {"steps": 7}}))?.with_one("model.hidden", "[64, 64]")?;
        assert_eq!(changed.train.steps, Auto::Set(7));
        let ModelConfig::Denoising(model) = &changed.model else { panic!("the kind changed") };
        assert_eq!(model.hidden, [64, 64]);
        assert_eq!(changed.with_one("data.read.on_gap", "split")?.seed, 0);

        let unknown = base.with_one("train.stepz", "7").expect_err("no such setting").to_string();
        assert!(unknown.contains("train.stepz") && unknown.contains("steps"), "{unknown}");
        let wrong = base.with_one("train.steps", "many").expect_err("not a number").to_string();
        assert!(wrong.contains("train.steps") && wrong.contains("many"), "{wrong}");
        assert!(RunConfig::preset("nothing").is_err());
        Ok(())
    }

    #[test]
    fn every_preset_survives_being_written_and_read() -> Result<()> {
        for name in RunConfig::PRESETS {
            let preset = RunConfig::preset(name)?;
            let text = serde_json::to_string(&preset).expect("settings are plain data");
            assert_eq!(preset, serde_json::from_str(&text).expect("what was just written"));
        }
        Ok(())
    }
}
