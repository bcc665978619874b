//! A trained model: everything that a forecast in the log's own units needs, in one file.

use super::conditions::{ForecastConditions, Units as ChannelUnits};
use super::config::RunConfig;
use super::dataset::Dataset;
use super::file::{self, VERSION};
use super::future_array::FutureArray;
use super::motion::{MotionModel, TrainedMotion, of_kind};
use super::result::{Forecast, Origin};
use super::{Forecaster, LevelForecaster, Request};
use crate::error::{Error, Result};
use crate::files::FileRecord;
use crate::noise::Noise;
use crate::sample::diffusion::SamplerConfig;
use crate::settings::Settings;
use crate::train::{Archive, Outcome};
use crate::trajectory::{Channel, Frames, Normaliser};
use candle_core::{DType, Device, Tensor};
use ebmotion_runtime::{ROLLOUT, Units};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;

const KIND: &str = "model";

/// What a model file says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelInfo {
    /// Always `model`.
    pub kind: String,
    /// Version of the file's layout.
    pub version: u32,
    /// Settings of the run.
    pub config: RunConfig,
    /// Channels it was trained on, in order.
    pub channels: Vec<Channel>,
    /// Frames per second.
    pub rate_hz: f64,
    /// Means and standard deviations of the training episodes.
    pub normaliser: Normaliser,
    /// Files it was trained on.
    pub sources: Vec<FileRecord>,
    /// Fingerprints of the episodes used for training and validation, so that a report can refuse to test on them.
    pub seen: Vec<String>,
    /// `(D)`: lowest and highest value of each channel in those episodes, in its unit; none in files of before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seen_range: Vec<[f64; 2]>,
    /// What was guessed, left out or mended when the logs were read and brought to one rate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// How the training ended.
    pub outcome: Outcome,
    /// Seconds of training, earlier parts of a resumed run left out.
    pub train_seconds: f64,
}

/// A trained model.
#[derive(Debug, Clone)]
pub struct Model {
    pub(super) info: ModelInfo,
    /// Of its kind.
    pub(super) row: &'static dyn MotionModel,
    pub(super) motion: Arc<dyn TrainedMotion>,
}

impl Model {
    /// What the file says of itself.
    pub fn info(&self) -> &ModelInfo {
        &self.info
    }

    /// The forecaster over z-scored frames.
    pub fn forecaster(&self) -> &(dyn Forecaster + Sync) {
        self.motion.as_ref()
    }

    /// How models of its kind learn and are read.
    pub fn kind(&self) -> &'static dyn MotionModel {
        self.row
    }

    /// The same model with its forecasts as tensor operations on `device`; on the CPU it stays in the engine.
    ///
    /// # Errors
    /// [`Error::Tensor`] when the device has no room.
    pub fn on(self, device: &Device) -> Result<Self> {
        match device.is_cpu() {
            true => Ok(self),
            false => Ok(Self { motion: self.motion.on(device)?.into(), ..self }),
        }
    }

    /// The same model with its chunks drawn another way, which needs no other training; on the CPU.
    ///
    /// # Errors
    /// [`Error::Config`] for a sampler that is none and for a model without noise levels.
    pub fn with_sampler(self, sampler: SamplerConfig) -> Result<Self> {
        let motion = self.motion.with_sampler(sampler)?.into();
        let info = ModelInfo { config: RunConfig { sampler, ..self.info.config }, ..self.info };
        Ok(Self { info, motion, row: self.row })
    }

    /// The forecaster whose energy knows its noise level, where the model is one.
    pub fn level(&self) -> Option<&LevelForecaster> {
        self.motion.level()
    }

    /// Writes the model whole or not at all.
    ///
    /// # Errors
    /// As [`Archive::save`].
    pub fn save(&self, path: &Path) -> Result<()> {
        let meta = self.info.as_json()?;
        let mut archive = Archive { meta, ..Archive::default() };
        if let Some(level) = self.level() {
            let (rollout, tensors) = file::rollout(level)?;
            archive.meta[ROLLOUT] = rollout;
            archive.tensors.extend(tensors);
        }
        archive.tensors.extend(self.motion.tensors()?);
        archive.save(path)
    }

    /// Reads a model.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be read; [`Error::Model`] when it is truncated, damaged, of another version
    /// or not a model.
    pub fn load(path: &Path) -> Result<Self> {
        Self::load_with(path, &[])
    }

    /// As [`Model::load`], of a kind among those of the library and `kinds`.
    ///
    /// # Errors
    /// As [`Model::load`]; [`Error::Model`] for another kind.
    pub fn load_with(path: &Path, kinds: &[&'static dyn MotionModel]) -> Result<Self> {
        let archive = Archive::load(path)?;
        if let Some(kind) = archive.meta.get("kind").and_then(|k| k.as_str()).filter(|k| *k != KIND) {
            return Err(Error::model(path, format!("a {kind} file"), "a model, as training leaves it"));
        }
        let whole = archive.digested || archive.meta.get("version") == Some(&serde_json::json!(1));
        if !whole {
            return Err(Error::model(path, "no digest of the content", "a whole model file, as training leaves it"));
        }
        let mut meta = file::upgrade(path, archive.meta.clone())?;
        if let Some(meta) = meta.as_object_mut() {
            meta.remove(ROLLOUT); // what the runtime reads follows from the rest
        }
        let info: ModelInfo = serde_json::from_value(meta)
            .map_err(|e| Error::model(path, format!("a description that says {e}"), "a model of this version"))?;
        if info.version != VERSION {
            let expected = format!("version {VERSION} or 1: a newer program, or train again");
            return Err(Error::model(path, format!("version {}", info.version), expected));
        }
        let get = |name: &str| archive.tensor(path, name);
        let damaged = |e: Error| match e {
            e @ (Error::Io { .. } | Error::Model { .. }) => e,
            other => Error::model(path, other, "tensors that fit the model's description"),
        };
        let row = of_kind(info.config.model.kind(), kinds).map_err(|e| match e {
            Error::Config { found, expected, .. } => {
                Error::model(path, format!("a model of the kind {found}"), expected)
            }
            other => other,
        })?;
        let motion = row.load(&info.config, info.channels.len(), &get).map_err(damaged)?.into();
        Ok(Self { info, row, motion })
    }

    pub(super) fn header(config: &RunConfig, dataset: &Dataset, outcome: Outcome, train_seconds: f64) -> ModelInfo {
        let frames = &dataset.frames;
        let mut config = config.clone();
        // A log in which an angle never turns that far is to be read with the same period.
        config.data.read = config.data.read.with_periods(&frames.channels);
        ModelInfo {
            kind: KIND.into(),
            version: VERSION,
            config,
            channels: frames.channels.clone(),
            rate_hz: frames.rate_hz,
            normaliser: dataset.normaliser.clone(),
            sources: frames.sources.clone(),
            seen: dataset.seen(),
            seen_range: dataset.seen_range(),
            notes: frames.notes.clone(),
            outcome,
            train_seconds,
        }
    }

    /// Possible continuations of `history`, without their energies, which [`Model::with_energies`] adds.
    ///
    /// `history` holds at least [`Forecaster::context_frames`] frames, `(K, D)` row-major, in the channels' units and
    /// at the model's rate; the last ones count. One seed gives the same futures each time.
    ///
    /// # Errors
    /// [`Error::Config`] when no frame or no sample is asked for; [`Error::Data`] when the history is too short or not
    /// a whole number of frames; [`Error::NonFinite`] when it or the forecast holds a number that is not finite.
    pub fn forecast(&self, history: &[f64], request: &Request, seed: u64) -> Result<Forecast> {
        self.forecast_given(history, request, &ForecastConditions::default(), seed)
    }

    /// As [`Model::forecast`], under conditions in the channels' units: a joint held, a goal, an energy of frames.
    ///
    /// # Errors
    /// As [`Model::forecast`]; [`Error::Data`] for conditions that do not fit; [`Error::Config`] from a model that
    /// takes none (preset `igebm`).
    pub fn forecast_given(
        &self,
        history: &[f64],
        request: &Request,
        conditions: &ForecastConditions,
        seed: u64,
    ) -> Result<Forecast> {
        request.check()?;
        let (past, turns) = self.z_history(history)?;
        let d = turns.len();
        let noise = &mut Noise::new(seed);
        let drawn = match self.level() {
            Some(level) if !conditions.is_empty() => {
                let of_channel = |(mean, turn): (&f64, &f64)| mean + turn;
                let offset = self.info.normaliser.mean.iter().zip(&turns).map(of_channel).collect();
                let scale = self.info.normaliser.std.clone();
                level.forecast_in(&past, request, (conditions, &ChannelUnits { offset, scale }, None), noise)?
            }
            _ => self.forecaster().forecast_given(&past, request, conditions, noise)?,
        };
        let (_, samples, horizon, _) = drawn.dims4()?;
        let periods = self.periods();
        let values = self.units(&periods).restore(&drawn.flatten_all()?.to_vec1::<f32>()?, &turns);
        Ok(Forecast { futures: FutureArray::new(values, [1, samples, horizon, d])?, ..self.empty(history, seed)? })
    }

    /// A forecast after `history` in which nothing is drawn yet.
    pub(super) fn empty(&self, history: &[f64], seed: u64) -> Result<Forecast> {
        let d = self.info.channels.len();
        let origin = Origin {
            episode: None,
            start_secs: (history.len() / d) as f64 / self.info.rate_hz,
            time_secs: (history.len() / d) as f64 / self.info.rate_hz,
            history: history[history.len() - self.forecaster().context_frames() * d..].to_vec(),
            truth: Vec::new(),
            truth_energy: None,
            p_value: None,
        };
        Ok(Forecast {
            model: self.forecaster().name().into(),
            seed,
            channels: self.info.channels.clone(),
            rate_hz: self.info.rate_hz,
            origins: vec![origin],
            futures: FutureArray::new(Vec::new(), [0, 1, 1, d.max(1)])?,
            energies: None,
            constraints: Vec::new(),
            notes: Vec::new(),
        })
    }

    /// Possible continuations of an episode of a log from frame `at` on (from its end at its length), beside what
    /// followed there, and the energies of both: of whole chunks, also where the horizon ends within one.
    ///
    /// # Errors
    /// As [`Model::check_fits`] and [`Model::forecast`]; [`Error::Data`] where there is no such episode, or too few of
    /// its frames lie before `at`.
    pub fn forecast_episode(
        &self,
        frames: &Frames,
        episode: usize,
        at: usize,
        request: &Request,
        seed: u64,
    ) -> Result<Forecast> {
        self.of_episode(frames, (episode, at), request, &|history, request| self.forecast(history, request, seed))
    }

    /// What `draw` says of an episode from frame `at` on.
    pub(super) fn of_episode(
        &self,
        frames: &Frames,
        (episode, at): (usize, usize),
        request: &Request,
        draw: &dyn Fn(&[f64], &Request) -> Result<Forecast>,
    ) -> Result<Forecast> {
        self.check_fits(frames)?;
        let Some(episode) = frames.episodes.get(episode) else {
            return Err(Error::data("episode", episode, format!("one of {}", frames.episodes.len())));
        };
        let (d, length) = (frames.channels.len(), episode.time_secs.len());
        let context = self.forecaster().context_frames();
        if at < context || at > length {
            let found = format!("frame {at} of {length}");
            let expected = format!("{context} to {length}: the model reads {context} frames before it");
            return Err(Error::data(format!("start of the forecast in `{}`", episode.id), found, expected));
        }
        request.check()?;
        // An energy is that of a chunk: a future that ends within one is drawn to its end, and cut.
        let drawn = Request { horizon: request.horizon.max(self.info.config.model.frames().1), ..*request };
        let mut forecast = draw(&episode.values[(at - context) * d..at * d], &drawn)?;
        forecast.rate_hz = frames.rate_hz;
        let end = at.saturating_add(drawn.horizon).min(length);
        for origin in &mut forecast.origins {
            origin.episode = Some(episode.id.clone());
            origin.start_secs = at as f64 / frames.rate_hz;
            origin.time_secs = episode.time_secs[0] + origin.start_secs;
            origin.truth = episode.values[at * d..end * d].to_vec();
        }
        forecast.notes.clone_from(&frames.notes);
        Ok(self.with_energies(forecast)?.until(request.horizon))
    }

    /// The same forecast with the energies of its futures and of its truth, as far as they reach over a chunk.
    ///
    /// # Errors
    /// [`Error::Data`] for a forecast of other channels; as [`Model::forecast`] for its history.
    pub fn with_energies(&self, mut forecast: Forecast) -> Result<Forecast> {
        self.check_channels(&forecast.channels)?;
        let [_, samples, horizon, d] = forecast.futures.shape();
        let width = samples * horizon * d;
        let mut energies = Some(Vec::new());
        for (origin, futures) in forecast.origins.iter_mut().zip(forecast.futures.values().chunks_exact(width)) {
            match (self.energies(&origin.history, futures, horizon)?, &mut energies) {
                (Some(these), Some(all)) => all.extend(these),
                _ => energies = None,
            }
            origin.truth_energy = self.energies(&origin.history, &origin.truth, origin.truth.len() / d)?;
        }
        forecast.energies = energies;
        Ok(forecast)
    }

    /// Energy of given futures `(S, H, D)` after one history `(K, D)`, both in the channels' units: `(S, H)`, nats.
    /// `None` where the horizon is shorter than the model's chunk.
    fn energies(&self, history: &[f64], futures: &[f64], horizon: usize) -> Result<Option<Vec<f64>>> {
        let d = self.info.channels.len();
        if horizon < self.info.config.model.frames().1 || futures.is_empty() {
            return Ok(None);
        }
        let (past, turns) = self.z_history(history)?;
        let samples = futures.len() / (horizon * d);
        let relative: Vec<f64> = futures.iter().zip(turns.iter().cycle()).map(|(v, turn)| v - turn).collect();
        let mut z = vec![0f32; relative.len()];
        self.info.normaliser.to_z(&relative, &mut z)?;
        let future = Tensor::from_vec(z, (samples, horizon, d), &Device::Cpu)?;
        let (_, k, _) = past.dims3()?;
        let past = past.broadcast_as((samples, k, d))?.contiguous()?;
        match self.forecaster().energy(&past, &future)? {
            Some(e) => Ok(Some(e.to_dtype(DType::F64)?.flatten_all()?.to_vec1()?)),
            None => Ok(None),
        }
    }

    /// The last frames of a history, z-scored, `(1, K, D)`; and the whole periods, `(D,)`, that were taken from
    /// channels that wrap, as training windows have it.
    pub(super) fn z_history(&self, history: &[f64]) -> Result<(Tensor, Vec<f64>)> {
        let (d, k) = (self.info.channels.len(), self.forecaster().context_frames());
        let periods = self.periods();
        let recent = history.len().saturating_sub(k * d);
        if let Some(at) = history[recent..].iter().position(|v| !v.is_finite()) {
            let what = format!("history, channel `{}`", self.info.channels[at % d].name);
            return Err(Error::NonFinite { what, value: history[recent + at], step: (at / d) as u64 });
        }
        let (z, turns) = self.units(&periods).standardise(history, k)?;
        Ok((Tensor::from_vec(z, (1, k, d), &Device::Cpu)?, turns))
    }

    /// Of channels that wrap, `(D,)`.
    pub(super) fn periods(&self) -> Vec<Option<f64>> {
        self.info.channels.iter().map(|c| c.period).collect()
    }

    pub(super) fn units<'a>(&'a self, periods: &'a [Option<f64>]) -> Units<'a> {
        Units { mean: &self.info.normaliser.mean, std: &self.info.normaliser.std, periods }
    }
}
