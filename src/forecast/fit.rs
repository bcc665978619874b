//! From frames to a trained model.

use super::baseline::VarFit;
use super::by_data;
use super::config::{LevelObjective, ModelConfig, RunConfig};
use super::data::{ChunkSource, FrameSource, WindowArray};
use super::trained::{Kind, Model, chain_energy, chain_forecaster, level_energy};
use super::{LevelForecaster, Limits};
use crate::error::Result;
use crate::event::Sink;
use crate::files::sha256_hex;
use crate::model::MlpEnergy;
use crate::noise::Noise;
use crate::train::objective::{Contrastive, Denoising, Recovery};
use crate::train::{CheckpointPlan, Objective, train};
use crate::trajectory::{Frames, Normaliser, Split, WindowSpec, Windows};
use candle_core::Device;
use std::path::Path;
use std::time::Instant;

/// Streams of a run's noise.
pub(super) const WEIGHTS: u64 = 1;
pub(super) const STEPS: u64 = 2;

/// Frames cut into episodes for training, validation and test, with what was fitted on the training episodes alone.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The motion.
    pub frames: Frames,
    /// Which episode serves what.
    pub split: Split,
    /// Means and standard deviations of the training episodes.
    pub normaliser: Normaliser,
    /// Where [`Model::train`] trains: the CPU unless [`Prepared::on`] says otherwise.
    pub device: Device,
    pub(super) skip_short: bool,
}

impl Prepared {
    /// Splits by episode and fits the normaliser.
    ///
    /// # Errors
    /// As [`Split::by_episode`] and [`Normaliser::fit`].
    pub fn new(frames: Frames, config: &RunConfig) -> Result<Self> {
        let data = &config.data;
        let split = Split::by_episode(&frames, data.validation_share, data.test_share, config.seed)?;
        let normaliser = Normaliser::fit(&frames, &split.train)?;
        Ok(Self { frames, split, normaliser, device: Device::Cpu, skip_short: data.skip_short })
    }

    /// The same episodes, for training on `device`.
    pub fn on(mut self, device: Device) -> Self {
        self.device = device;
        self
    }

    /// The same episodes z-scored as a model's training data were.
    pub fn with_normaliser(mut self, normaliser: Normaliser) -> Self {
        self.normaliser = normaliser;
        self
    }

    /// z-scored windows of some episodes, one every `stride` frames.
    ///
    /// # Errors
    /// As [`Windows::new`].
    pub fn windows(&self, episodes: &[usize], context: usize, future: usize, stride: usize) -> Result<WindowArray> {
        self.filled(&self.listed(episodes, context, future, stride)?)
    }

    /// Listed windows, z-scored.
    ///
    /// # Errors
    /// As [`Windows::fill`].
    pub fn filled(&self, windows: &Windows<'_>) -> Result<WindowArray> {
        WindowArray::filled(windows, &self.normaliser)
    }

    /// The places of those windows.
    ///
    /// # Errors
    /// As [`Windows::new`].
    pub fn listed(&self, episodes: &[usize], context: usize, future: usize, stride: usize) -> Result<Windows<'_>> {
        let spec = WindowSpec { context, future, stride, skip_short: self.skip_short };
        Windows::new(&self.frames, episodes, spec)
    }

    /// SHA-256 of an episode's numbers: the same motion is recognised under any name.
    pub fn fingerprint(&self, episode: usize) -> String {
        let bytes: Vec<u8> = self.frames.episodes[episode].values.iter().flat_map(|v| v.to_le_bytes()).collect();
        sha256_hex(&bytes)[..16].to_string()
    }

    /// Fingerprints of the episodes that training sees and chooses weights by.
    pub(super) fn seen(&self) -> Vec<String> {
        self.split.train.iter().chain(&self.split.validation).map(|e| self.fingerprint(*e)).collect()
    }

    /// How a training is kept in a file: what it is of is these episodes and `of`, an object.
    pub(super) fn plan(&self, path: &Path, resume: bool, of: serde_json::Value) -> CheckpointPlan {
        let mut identity = of;
        identity["channels"] = serde_json::json!(self.frames.channels);
        identity["rate_hz"] = serde_json::json!(self.frames.rate_hz);
        identity["episodes"] = serde_json::json!(self.seen());
        identity["normaliser"] = serde_json::json!(self.normaliser);
        CheckpointPlan { path: path.to_path_buf(), resume, identity }
    }
}

impl Model {
    /// Trains the energy that `config` describes, what it leaves to the data being chosen first ([`RunConfig::for_data`]).
    ///
    /// With a `checkpoint` the run is saved there from time to time and when the sink asks to stop; with `resume` it goes
    /// on from there, to the same weights, to the last bit, as if it had never stopped.
    ///
    /// # Errors
    /// As [`train()`]; [`crate::Error::Config`] or [`crate::Error::Data`] when settings and episodes do not fit.
    pub fn train(
        prepared: &Prepared,
        config: &RunConfig,
        checkpoint: Option<&Path>,
        resume: bool,
        sink: &mut dyn Sink,
    ) -> Result<Self> {
        let begun = Instant::now();
        let config = &config.for_data(prepared)?;
        let noise = Noise::new(config.seed);
        let mut weights = noise.fork(WEIGHTS);
        let steps = noise.fork(STEPS);
        let (context, chunk) = config.model.frames();
        let training = prepared.windows(&prepared.split.train, context, chunk, 1)?;
        let validation = prepared.windows(&prepared.split.validation, context, chunk, 1)?;
        let of = serde_json::json!({ "seed": config.seed, "data": config.data, "model": config.model.learned()? });
        let plan = checkpoint.map(|path| prepared.plan(path, resume, of));
        let d = prepared.frames.channels.len();
        let (kind, outcome) = match &config.model {
            ModelConfig::Denoising(c) => {
                let fit = VarFit::fit(&training.values, d, context, chunk, c.ridge)?;
                let limits = match c.limits {
                    true => Limits::seen(&training, &prepared.frames.channels),
                    false => Limits::none(d),
                };
                let coordinates = c.coordinates(fit)?.within(limits);
                let source = ChunkSource::new(
                    &coordinates,
                    &training,
                    &validation,
                    by_data::context_noise(c.context_noise, chunk),
                )?;
                let energy = level_energy(&coordinates, c, &mut weights, &prepared.device)?;
                let mut run = |objective: &mut dyn Objective| {
                    train(objective, &source, &config.train, &steps, plan.as_ref(), sink)
                };
                let (energy, outcome) = match &c.objective {
                    LevelObjective::Denoising => {
                        let weights = coordinates.weights(c.weighting)?;
                        let mut objective = Denoising::new(energy.leveled()).weighted(weights);
                        let outcome = run(&mut objective)?;
                        (objective.energy.into_perceptron(), outcome)
                    }
                    LevelObjective::Recovery(settings) => {
                        let mut objective = Recovery::new(energy.leveled(), settings.clone())?;
                        let outcome = run(&mut objective)?;
                        (objective.into_energy().into_perceptron(), outcome)
                    }
                };
                let energy = energy.to_device(&Device::Cpu)?;
                (Kind::Level(Box::new(LevelForecaster::new(coordinates, energy, c.walk())?)), outcome)
            }
            ModelConfig::Igebm(c) => {
                let source = FrameSource::new(&training, &validation, c.start_noise)?;
                let energy = chain_energy(c, d, &mut weights, &prepared.device)?;
                let shapes = ([chunk, d], [context, d]);
                let mut objective = Contrastive::new(energy, c.contrastive.clone(), &shapes.0, Some(&shapes.1))?;
                let outcome = train(&mut objective, &source, &config.train, &steps, plan.as_ref(), sink)?;
                let energy = MlpEnergy { net: objective.into_network().net.to_device(&Device::Cpu)? };
                (Kind::Chain(Box::new(chain_forecaster(c, energy, d))), outcome)
            }
        };
        let seconds = outcome.earlier_seconds + begun.elapsed().as_secs_f64();
        let normaliser = prepared.normaliser.clone();
        let info = Model::header(config, &prepared.frames, normaliser, prepared.seen(), outcome, seconds);
        Ok(Model { info, kind })
    }
}
