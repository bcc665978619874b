//! From frames to a trained model.

use super::auto;
use super::baseline::VarFit;
use super::config::{LevelObjective, ModelConfig, RunConfig};
use super::data::{ChunkSource, FrameSource};
use super::dataset::Dataset;
use super::trained::{Kind, Model, chain_energy, chain_forecaster, level_energy};
use super::{LevelForecaster, Limits};
use crate::error::{Error, Result};
use crate::event::Sink;
use crate::model::MlpEnergy;
use crate::noise::Noise;
use crate::sample::diffusion::SamplerConfig;
use crate::train::objective::{Contrastive, Denoising, Recovery};
use crate::train::{Objective, train};
use candle_core::Device;
use std::path::Path;
use std::time::Instant;

/// Streams of a run's noise.
pub(super) const WEIGHTS: u64 = 1;
pub(super) const STEPS: u64 = 2;

impl Model {
    /// Trains the energy that `config` describes, what it leaves to the data being chosen first ([`RunConfig::for_data`]).
    ///
    /// With a `checkpoint` the run is saved there from time to time and when the sink asks to stop; with `resume` it goes
    /// on from there, to the same weights, to the last bit, as if it had never stopped.
    ///
    /// # Errors
    /// As [`train()`]; [`crate::Error::Config`] or [`crate::Error::Data`] when settings and episodes do not fit.
    pub fn train(
        dataset: &Dataset,
        config: &RunConfig,
        checkpoint: Option<&Path>,
        resume: bool,
        sink: &mut dyn Sink,
    ) -> Result<Self> {
        let begun = Instant::now();
        let config = &config.for_data(dataset)?;
        if matches!(config.model, ModelConfig::Igebm(_)) && config.sampler != SamplerConfig::default() {
            let expected = "none: this model is drawn by the chains of `model.contrastive`";
            return Err(Error::config("sampler", "settings of a sampler down noise levels", expected));
        }
        let noise = Noise::new(config.seed);
        let mut weights = noise.fork(WEIGHTS);
        let steps = noise.fork(STEPS);
        let (context, chunk) = config.model.frames();
        let training = dataset.windows(&dataset.split.train, context, chunk, 1)?;
        let validation = dataset.windows(&dataset.split.validation, context, chunk, 1)?;
        let of = serde_json::json!({ "seed": config.seed, "data": config.data, "model": config.model });
        let plan = checkpoint.map(|path| dataset.plan(path, resume, of));
        let d = dataset.frames.channels.len();
        let (kind, outcome) = match &config.model {
            ModelConfig::Denoising(c) => {
                let fit = VarFit::fit(&training.values, d, context, chunk, c.ridge)?;
                let limits = match c.limits {
                    true => Limits::seen(&training, &dataset.frames.channels),
                    false => Limits::none(d),
                };
                let coordinates = c.coordinates(fit)?.within(limits);
                let source = ChunkSource::new(
                    &coordinates,
                    &training,
                    &validation,
                    auto::context_noise(c.context_noise, chunk),
                )?;
                let energy = level_energy(&coordinates, c, &mut weights, &dataset.device)?;
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
                (Kind::Level(Box::new(LevelForecaster::new(coordinates, energy, config.sampler)?)), outcome)
            }
            ModelConfig::Igebm(c) => {
                let source = FrameSource::new(&training, &validation, c.start_noise)?;
                let energy = chain_energy(c, d, &mut weights, &dataset.device)?;
                let shapes = ([chunk, d], [context, d]);
                let mut objective = Contrastive::new(energy, c.contrastive.clone(), &shapes.0, Some(&shapes.1))?;
                let outcome = train(&mut objective, &source, &config.train, &steps, plan.as_ref(), sink)?;
                let energy = MlpEnergy { net: objective.into_network().net.to_device(&Device::Cpu)? };
                (Kind::Chain(Box::new(chain_forecaster(c, energy, d))), outcome)
            }
        };
        let seconds = outcome.earlier_seconds + begun.elapsed().as_secs_f64();
        let normaliser = dataset.normaliser.clone();
        let info = Model::header(config, &dataset.frames, normaliser, dataset.seen(), outcome, seconds);
        Ok(Model { info, kind })
    }
}
