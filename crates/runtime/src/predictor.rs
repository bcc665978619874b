//! A trained model that forecasts.

use super::file::File;
use super::units::{Units, keep_within};
use ebmotion_engine::engine::{Rollout, RunOptions};
use ebmotion_engine::error::{Error, Result};
use ebmotion_engine::noise::Noise;
use std::path::Path;

/// A channel of motion.
#[derive(Debug, Clone, PartialEq)]
pub struct PredictorChannel {
    /// As in the logs' header, without the unit.
    pub name: String,
    /// As in the logs' header.
    pub unit: Option<String>,
    /// Of an angle that wraps around, in the channel's unit.
    pub period: Option<f64>,
}

/// Possible continuations of a history, in the channels' units.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    values: Vec<f64>,
    shape: [usize; 3],
}

impl Prediction {
    /// Samples, frames and channels, `[S, H, D]`.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// `(S, H, D)`, row-major.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// One number.
    ///
    /// # Panics
    /// Where there is no such sample, frame or channel, as a slice does.
    pub fn at(&self, sample: usize, frame: usize, channel: usize) -> f64 {
        let [samples, horizon, channels] = self.shape;
        assert!(sample < samples && frame < horizon && channel < channels, "{sample}, {frame}, {channel}");
        self.values[(sample * horizon + frame) * channels + channel]
    }
}

/// A trained model that forecasts, as plain numbers.
#[derive(Debug, Clone)]
pub struct Predictor {
    rollout: Rollout,
    channels: Vec<PredictorChannel>,
    rate_hz: f64,
    mean: Vec<f64>,
    std: Vec<f64>,
    periods: Vec<Option<f64>>,
    limits: Vec<[f32; 2]>,
}

impl Predictor {
    /// Reads a model file.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be read; [`Error::Model`] when it is damaged, of an earlier version, no model, or
    /// one that is not drawn down noise levels (preset `igebm`).
    pub fn load(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(Error::io(path, "read"))?;
        Self::from_bytes(path, &bytes)
    }

    /// As [`Predictor::load`], for bytes at hand (such as those of `include_bytes!`); `path` names them in errors.
    ///
    /// # Errors
    /// As [`Predictor::load`].
    pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Self> {
        let file = File::open(path, bytes)?;
        let rollout = file.rollout().map_err(|e| match e {
            e @ Error::Model { .. } => e,
            other => file.error(other, "tensors that fit the model's description"),
        })?;
        let d = rollout.channels;
        let text = |v: &serde_json::Value| v.as_str().map(String::from);
        let channel = |i: usize| -> Result<PredictorChannel> {
            let value = file.value(&format!("/channels/{i}"))?;
            let nameless = || file.error(format!("channel {i} without a name"), "a name");
            let name = text(&value["name"]).ok_or_else(nameless)?;
            Ok(PredictorChannel { name, unit: text(&value["unit"]), period: value["period"].as_f64() })
        };
        let channels: Vec<PredictorChannel> = (0..d).map(channel).collect::<Result<_>>()?;
        let limits = match file.value("/config/model/limits")?.as_bool() {
            Some(true) => file.tensor("limits")?.0.chunks_exact(2).map(|v| [v[0], v[1]]).collect(),
            _ => vec![[f32::NEG_INFINITY, f32::INFINITY]; d],
        };
        let (mean, std) = (file.numbers("/normaliser/mean")?, file.numbers("/normaliser/std")?);
        if [mean.len(), std.len(), limits.len()] != [d; 3] {
            let found = format!("{} means, {} deviations, {} limits", mean.len(), std.len(), limits.len());
            return Err(file.error(found, format!("one for each of {d} channels")));
        }
        let rate_hz = file.number("/rate_hz")?;
        let periods = channels.iter().map(|c| c.period).collect();
        Ok(Self { rollout, channels, rate_hz, mean, std, periods, limits })
    }

    /// The channels, in order.
    pub fn channels(&self) -> &[PredictorChannel] {
        &self.channels
    }

    /// Frames per second of history and forecast.
    pub fn rate_hz(&self) -> f64 {
        self.rate_hz
    }

    /// Frames of history that a forecast reads.
    pub fn context_frames(&self) -> usize {
        self.rollout.context
    }

    /// `samples` possible continuations of `history` over `horizon` frames. The history holds at least
    /// [`Predictor::context_frames`] frames, `(K, D)` row-major, in the channels' units and at [`Predictor::rate_hz`];
    /// the last ones count. One seed gives the same futures each time.
    ///
    /// # Errors
    /// [`Error::Config`] when nothing is asked for; [`Error::Data`] when the history is too short or no whole number of
    /// frames; [`Error::NonFinite`] when it or the forecast holds a number that is not finite.
    pub fn forecast(&self, history: &[f64], horizon: usize, samples: usize, seed: u64) -> Result<Prediction> {
        for (key, value) in [("horizon", horizon), ("samples", samples)] {
            if value == 0 {
                return Err(Error::config(key, value, "at least 1"));
            }
        }
        let units = Units { mean: &self.mean, std: &self.std, periods: &self.periods };
        let (past, turns) = units.standardise(history, self.context_frames())?;
        let mut noise = Noise::new(seed).split_off();
        let mut drawn = self.rollout.run(&past, samples, horizon, &mut noise, &RunOptions::default())?;
        keep_within(&self.limits, &mut drawn, &past, samples * horizon, &[]);
        Ok(Prediction { values: units.restore(&drawn, &turns), shape: [samples, horizon, self.channels.len()] })
    }
}
