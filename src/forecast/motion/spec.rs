//! What a kind of motion model is: how it learns, and what is kept of it.

use crate::error::{Error, Result};
use crate::event::{Event, Sink};
use crate::forecast::config::RunConfig;
use crate::forecast::data::{Cutter, Examples};
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
/// Bytes of windows above which they are cut as they are drawn.
const MOST_BYTES: usize = 256 << 20;
/// So many windows are at hand whatever they take.
const FEWEST: usize = 4096;
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
    /// Where these and those of validation would take more than 256 MB, at most 192 MB of them, evenly spread.
    pub training: WindowArray,
    /// Windows of the validation episodes; empty where nothing is held out. At most 64 MB of them, evenly spread, where
    /// all would take more than 256 MB.
    pub validation: WindowArray,
    /// All windows of the training episodes, where `training` are only some of them.
    cut: Option<Cutter<'a>>,
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
        Self::within(MOST_BYTES, dataset, config, plan, sink)
    }

    /// The same with at most so many bytes of windows.
    fn within(
        bytes: usize,
        dataset: &'a Dataset,
        config: &'a RunConfig,
        plan: Option<CheckpointPlan>,
        sink: &'a mut dyn Sink,
    ) -> Result<Self> {
        let ((context, chunk), normaliser) = (config.model.frames(), &dataset.normaliser);
        let list = |episodes: &[usize]| dataset.listed(episodes, context, chunk, 1);
        let (training, validation) = (list(&dataset.split.train)?, list(&dataset.split.validation)?);
        let window = (context + chunk) * dataset.frames.channels.len() * size_of::<f32>();
        let most = match training.len() + validation.len() <= bytes / window {
            true => [usize::MAX; 2],
            false => [(bytes / 4 * 3 / window).max(FEWEST), (bytes / 4 / window).max(FEWEST)],
        };
        let cut = (training.len() > most[0]).then(|| Cutter { windows: training.clone(), normaliser });
        let training = WindowArray::evenly(&training, normaliser, most[0])?;
        let validation = WindowArray::evenly(&validation, normaliser, most[1])?;
        let outcome = Outcome { steps: 0, best_validation: None, best_step: 0, earlier_seconds: 0.0 };
        Ok(Self { dataset, config, training, validation, cut, plan, sink, outcome })
    }

    /// What batches are drawn from: all windows of the training episodes.
    pub(in crate::forecast) fn examples(&self) -> Examples<'_, 'a> {
        match &self.cut {
            None => Examples::All(&self.training),
            Some(cut) => Examples::Cut(cut.clone()),
        }
    }

    /// What a person has to know where windows are cut as they are drawn.
    pub(in crate::forecast) fn note(&self) -> Option<String> {
        let cut = self.cut.as_ref()?;
        Some(format!(
            "all {} windows of the training episodes would take {:.1} GB: batches are cut from the frames as they are \
             drawn, what is fitted before is fitted on {} windows that lie evenly over all",
            cut.windows.len(),
            (cut.windows.len() * cut.windows.spec().frames() * cut.windows.channels() * size_of::<f32>()) as f64 / 1e9,
            self.training.len(),
        ))
    }

    /// Tells the outside of something.
    pub(in crate::forecast) fn warn(&mut self, text: &str) -> Result<()> {
        self.sink.emit(&Event::Warning { text })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forecast::auto;
    use crate::forecast::baseline::VarFit;
    use crate::forecast::coordinates::ResidualCoordinates;
    use crate::forecast::data::{ChunkSource, FrameSource};
    use crate::forecast::limits::Limits;
    use crate::train::Batch;
    use crate::trajectory::{Channel, Episode, Frames};
    use candle_core::DType;

    /// Four channels, the last of which is the sum of two others: the residual has no full rank.
    fn motion(frames: usize) -> Result<Dataset> {
        let channel = |c| Channel { name: format!("q{c}"), unit: None, period: (c == 2).then_some(6.0) };
        let episode = |e: u64| -> Result<Episode> {
            let draws = Noise::new(e).normal((frames, 3), DType::F64, &Device::Cpu)?.to_vec2::<f64>()?;
            let mut at = [0.0; 3];
            let rows = draws.iter().flat_map(|row| {
                at.iter_mut().zip(row).for_each(|(at, v)| *at = 0.95 * *at + v);
                [at[0], at[1], 3.0 * at[2], at[0] + at[1]]
            });
            let values = rows.collect();
            Ok(Episode { id: e.to_string(), time_secs: (0..frames).map(|t| t as f64 / 25.0).collect(), values })
        };
        let episodes = (0..8).map(episode).collect::<Result<_>>()?;
        let channels = (0..4).map(channel).collect();
        let (sources, notes, parts) = (Vec::new(), Vec::new(), Default::default());
        let frames = Frames { channels, rate_hz: 25.0, episodes, sources, notes, parts };
        Dataset::new(frames, &RunConfig::default())
    }

    /// The largest difference of two batches.
    fn apart(a: &Batch, b: &Batch) -> Result<f32> {
        let most = |a: &Tensor, b: &Tensor| -> Result<f32> { Ok((a - b)?.abs()?.max_all()?.to_scalar::<f32>()?) };
        let of = |batch: &Batch| [batch.context.clone(), batch.start.clone()];
        let mut all = vec![most(&a.x, &b.x)?];
        for pair in of(a).into_iter().zip(of(b)) {
            match pair {
                (Some(a), Some(b)) => all.push(most(&a, &b)?),
                pair => assert!(matches!(pair, (None, None))),
            }
        }
        Ok(all.into_iter().fold(0.0, f32::max))
    }

    #[test]
    fn windows_cut_as_they_are_drawn_give_the_same_batches() -> Result<()> {
        let dataset = motion(2000)?;
        let config = RunConfig::default().with_one("model.chunk", "8")?;
        let mut sinks = [crate::event::Silent, crate::event::Silent];
        let [first, second] = &mut sinks;
        let whole = MotionRun::new(&dataset, &config, None, first)?;
        let few = MotionRun::within(1 << 20, &dataset, &config, None, second)?;
        let all = whole.training.len();
        assert!(whole.note().is_none() && all > 2 * FEWEST, "{all}");
        let note = few.note().unwrap();
        assert!(
            note.contains(&format!("all {all} windows")) && note.contains(&format!("on {FEWEST} windows")),
            "{note}"
        );
        assert_eq!(few.training, whole.training.thinned(FEWEST));
        assert_eq!(few.validation, whole.validation.thinned(FEWEST));
        assert_eq!(
            dataset.limits(16)?,
            Limits::seen(&whole.training, &dataset.frames.channels),
            "the range is that of all windows"
        );
        let fit = VarFit::fit(&few.training.values, 4, 8, 8, 10.0)?;
        let plain = ResidualCoordinates::new(fit, 20)?;
        assert!(plain.latent() < plain.width());
        for coordinates in [plain.clone(), plain.by_frames()?] {
            let noise = auto::context_noise(0.5, 8);
            let source = |run: &MotionRun<'_>| {
                let source = ChunkSource::new(&coordinates, run.examples(), &run.validation, noise)?;
                source.batch(64, &mut Noise::new(5))
            };
            // Products of matrices of other sizes add in another order.
            assert!(apart(&source(&whole)?, &source(&few)?)? < 1e-4);
        }
        let source =
            |run: &MotionRun<'_>| FrameSource::new(run.examples(), &run.validation, 0.1)?.batch(64, &mut Noise::new(5));
        assert_eq!(apart(&source(&whole)?, &source(&few)?)?, 0.0);
        Ok(())
    }
}
