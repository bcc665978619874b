//! What a kind of motion model is: how it learns, and what is kept of it.

use crate::error::{Error, Result};
use crate::event::Sink;
use crate::forecast::config::RunConfig;
use crate::forecast::dataset::Dataset;
use crate::forecast::ebm::LevelForecaster;
use crate::forecast::forecaster::Forecaster;
use crate::forecast::windows::WindowArray;
use crate::noise::Noise;
use crate::sample::diffusion::SamplerConfig;
use crate::train::{BatchSource, CheckpointPlan, Objective, Outcome, train};
use candle_core::{Device, Tensor};
use std::fmt::Debug;

/// Streams of a run's noise.
pub(in crate::forecast) const WEIGHTS: u64 = 1;
pub(in crate::forecast) const STEPS: u64 = 2;
/// Name of every model's forecaster.
pub(in crate::forecast) const NAME: &str = "ebm";

/// A kind of motion model that learns from a dataset and is kept in a file.
///
/// One of your own goes through [`Model::train_with`](crate::forecast::Model::train_with) and
/// [`Model::load_with`](crate::forecast::Model::load_with), its settings being
/// [`ModelConfig::Other`](crate::forecast::ModelConfig::Other). `tests/from_outside.rs` has one.
pub trait MotionModel: Debug + Send + Sync {
    /// The `kind` of its settings: `[model] kind = "..."`.
    fn kind(&self) -> &str;

    /// Learns from a run's training windows; the model that comes back is on the CPU, wherever it learned.
    ///
    /// # Errors
    /// [`Error::Config`] or [`Error::Data`] when settings and episodes do not fit; as [`MotionRun::train`].
    fn train(&self, run: &mut MotionRun<'_>) -> Result<Box<dyn TrainedMotion>>;

    /// The model of `channels` channels that [`TrainedMotion::tensors`] was told of; `get` finds a tensor by its name.
    ///
    /// # Errors
    /// What `get` returns for a name that it does not know; [`Error::Shape`] and the like for tensors that do not fit.
    fn load(
        &self,
        config: &RunConfig,
        channels: usize,
        get: &dyn Fn(&str) -> Result<Tensor>,
    ) -> Result<Box<dyn TrainedMotion>>;
}

/// A model that has learned: a forecaster that can be kept in a file. Its name is `ebm` whatever its kind: a report is
/// about the forecaster of that name.
pub trait TrainedMotion: Forecaster + Debug + Send + Sync {
    /// What [`MotionModel::load`] makes it from again, besides its settings: tensors by name.
    ///
    /// # Errors
    /// [`Error::Tensor`].
    fn tensors(&self) -> Result<Vec<(String, Tensor)>>;

    /// The same with its forecasts as tensor operations on `device`, which is not the CPU.
    ///
    /// # Errors
    /// [`Error::Config`] for a kind that knows only the CPU; [`Error::Tensor`] when the device has no room.
    fn on(&self, device: &Device) -> Result<Box<dyn TrainedMotion>> {
        Err(Error::config("device", format!("{device:?}"), "the CPU: models of this kind run nowhere else"))
    }

    /// The same with its chunks drawn another way, on the CPU.
    ///
    /// # Errors
    /// [`Error::Config`] for a sampler that is none and for a model without noise levels.
    fn with_sampler(&self, sampler: SamplerConfig) -> Result<Box<dyn TrainedMotion>> {
        let _ = sampler;
        Err(Error::config("sampler", "a model without noise levels", "a model that has them"))
    }

    /// The forecaster whose energy knows its noise level, where the model is one.
    fn level(&self) -> Option<&LevelForecaster> {
        None
    }
}

/// What a [`MotionModel`] learns with.
pub struct MotionRun<'a> {
    /// The episodes, and the device to learn on.
    pub dataset: &'a Dataset,
    /// The settings, what they leave to the data being chosen.
    pub config: &'a RunConfig,
    /// Windows of the training episodes, one every frame, of as many frames as the settings have in context and chunk.
    pub training: WindowArray,
    /// Windows of the validation episodes; empty where nothing is held out.
    pub validation: WindowArray,
    plan: Option<CheckpointPlan>,
    sink: &'a mut dyn Sink,
    outcome: Outcome,
}

impl<'a> MotionRun<'a> {
    /// The windows of a dataset for a run that is kept as `plan` says.
    pub(in crate::forecast) fn new(
        dataset: &'a Dataset,
        config: &'a RunConfig,
        plan: Option<CheckpointPlan>,
        sink: &'a mut dyn Sink,
    ) -> Result<Self> {
        let (context, chunk) = config.model.frames();
        let training = dataset.windows(&dataset.split.train, context, chunk, 1)?;
        let validation = dataset.windows(&dataset.split.validation, context, chunk, 1)?;
        let outcome = Outcome { steps: 0, best_validation: None, best_step: 0, earlier_seconds: 0.0 };
        Ok(Self { dataset, config, training, validation, plan, sink, outcome })
    }

    /// The noise that initial weights are drawn from.
    pub fn weights(&self) -> Noise {
        Noise::new(self.config.seed).fork(WEIGHTS)
    }

    /// Trains `objective` by the run's settings, with its checkpoints and telemetry; for a model without random batches
    /// there is nothing to call.
    ///
    /// # Errors
    /// As [`train()`].
    pub fn train(&mut self, objective: &mut dyn Objective, source: &dyn BatchSource) -> Result<()> {
        let steps = Noise::new(self.config.seed).fork(STEPS);
        self.outcome = train(objective, source, &self.config.train, &steps, self.plan.as_ref(), self.sink)?;
        Ok(())
    }

    /// How the training ended.
    pub(in crate::forecast) fn ended(self) -> Outcome {
        self.outcome
    }
}
