//! From frames to a trained model.

use super::config::RunConfig;
use super::dataset::Dataset;
use super::motion::{MotionModel, MotionRun, NAME, of_kind};
use super::trained::Model;
use crate::error::{Error, Result};
use crate::event::Sink;
use std::path::Path;
use std::time::Instant;

impl Model {
    /// Trains the energy that `config` describes, what it leaves to the data being chosen first
    /// ([`RunConfig::for_data`]).
    ///
    /// With a `checkpoint` the run is saved there from time to time and when the sink asks to stop; with `resume` it
    /// goes on from there, to the same weights, to the last bit, as if it had never stopped.
    ///
    /// # Errors
    /// As [`train()`](crate::train::train); [`Error::Config`] or [`Error::Data`] when settings and episodes do not
    /// fit.
    pub fn train(
        dataset: &Dataset,
        config: &RunConfig,
        checkpoint: Option<&Path>,
        resume: bool,
        sink: &mut dyn Sink,
    ) -> Result<Self> {
        Self::train_with(dataset, config, &[], checkpoint.map(|path| (path, resume)), sink)
    }

    /// As [`Model::train`], of a kind among those of the library and `kinds`; with a checkpoint goes whether to resume.
    ///
    /// # Errors
    /// As [`Model::train`]; [`Error::Config`] for another kind, and for one whose forecaster is not named `ebm`.
    pub fn train_with(
        dataset: &Dataset,
        config: &RunConfig,
        kinds: &[&'static dyn MotionModel],
        checkpoint: Option<(&Path, bool)>,
        sink: &mut dyn Sink,
    ) -> Result<Self> {
        let begun = Instant::now();
        let row = of_kind(config.model.kind(), kinds)?;
        let config = &config.for_data(dataset)?;
        let of = serde_json::json!({ "seed": config.seed, "data": config.data, "model": config.model });
        let plan = checkpoint.map(|(path, resume)| dataset.plan(path, resume, of));
        let mut run = MotionRun::new(dataset, config, plan, sink)?;
        let note = run.note();
        if let Some(note) = &note {
            run.warn(note)?;
        }
        let motion = row.train(&mut run)?;
        if motion.name() != NAME {
            return Err(Error::config("model.kind", format!("a forecaster `{}`", motion.name()), "one named `ebm`"));
        }
        let outcome = run.ended();
        let seconds = outcome.earlier_seconds + begun.elapsed().as_secs_f64();
        let mut info = Model::header(config, dataset, outcome, seconds);
        info.notes.extend(note);
        Ok(Model { info, row, motion: motion.into() })
    }

    /// This model and `count - 1` more of the same settings, trained with the seeds after its own on the same episodes,
    /// on the dataset's device. Where there is a folder in which trainings are `kept`, one that is there is taken, and
    /// one that was interrupted goes on.
    ///
    /// # Errors
    /// [`Error::Config`] for a count of 0; as [`Model::train`].
    pub fn train_seeds(
        self,
        count: u64,
        dataset: &Dataset,
        config: &RunConfig,
        kept: Option<&Path>,
        sink: &mut dyn Sink,
    ) -> Result<Vec<Model>> {
        if count == 0 {
            return Err(Error::config("seeds", count, "at least 1"));
        }
        let mut models = vec![self];
        for seed in 1..count {
            let config = RunConfig { seed: config.seed + seed, ..config.clone() };
            let checkpoint = kept.map(|folder| folder.join(format!("{NAME}.{}.checkpoint", config.seed)));
            let checkpoint = checkpoint.as_deref().map(|path| (path, true));
            let trained = Model::train_with(dataset, &config, &[models[0].kind()], checkpoint, sink)?;
            models.push(trained.on(&dataset.device)?);
        }
        Ok(models)
    }
}
