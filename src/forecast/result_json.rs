//! A forecast as JSON, and several of them as one file.

use super::constraints::ConstraintCheck;
use super::future_array::FutureArray;
use super::result::{Forecast, Origin, ROW};
use crate::error::{Error, Result};
use crate::files;
use crate::trajectory::Channel;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The first word of a forecast's file.
const FORMAT: &str = "ebmotion forecast 1";

/// A forecast of one window as a file; a `Row` holds numbers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ForecastFile<Row> {
    /// Always [`FORMAT`].
    format: String,
    model: String,
    seed: u64,
    /// Empty where the forecast is of no episode.
    episode: String,
    start_secs: f64,
    /// Files of before had none.
    #[serde(default)]
    time_secs: Option<f64>,
    channels: Vec<Channel>,
    rate_hz: f64,
    /// `(K)(D)`
    history: Vec<Row>,
    /// `(H')(D)`
    truth: Vec<Row>,
    /// `(S)(H)(D)`
    samples: Vec<Vec<Row>>,
    /// `(S)(H)`
    energies: Option<Vec<Row>>,
    /// `(H')`
    truth_energy: Option<Row>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    p_value: Option<f64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    constraints: Vec<ConstraintCheck>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

impl Forecast {
    /// The forecast of one window as an object.
    pub(super) fn to_json(&self) -> Result<String> {
        let origin = self.only()?;
        let [_, _, horizon, d] = self.futures.shape();
        let file = ForecastFile::<&[f64]> {
            format: FORMAT.into(),
            model: self.model.clone(),
            seed: self.seed,
            episode: origin.episode.clone().unwrap_or_default(),
            start_secs: origin.start_secs,
            time_secs: Some(origin.time_secs),
            channels: self.channels.clone(),
            rate_hz: self.rate_hz,
            history: origin.history.chunks_exact(d).collect(),
            truth: origin.truth.chunks_exact(d).collect(),
            samples: self.futures.values().chunks_exact(horizon * d).map(|s| s.chunks_exact(d).collect()).collect(),
            energies: self.energies.as_ref().map(|e| e.chunks_exact(horizon).collect()),
            truth_energy: origin.truth_energy.as_deref(),
            p_value: origin.p_value,
            constraints: self.constraints.clone(),
            notes: self.notes.clone(),
        };
        serde_json::to_string(&file).map_err(Error::unwritable("a forecast", "JSON"))
    }

    /// What [`Forecast::to_json`] gave, in the file `path`.
    pub(super) fn of_json(path: &Path, text: &str) -> Result<Self> {
        let file = serde_json::from_str(text);
        Self::of_file(path, file.map_err(|e| Error::model(path, e, "a forecast in JSON, as ebmotion writes it"))?)
    }

    fn of_file(path: &Path, file: ForecastFile<Vec<f64>>) -> Result<Self> {
        if file.format != FORMAT {
            return Err(Error::model(path, format!("format `{}`", file.format), format!("`{FORMAT}`")));
        }
        let d = file.channels.len();
        let (samples, horizon) = (file.samples.len(), file.samples.first().map_or(0, Vec::len));
        let frames = file.history.iter().chain(&file.truth).chain(file.samples.iter().flatten());
        if let Some(bad) = frames.into_iter().find(|f| f.len() != d) {
            return Err(Error::model(path, format!("a frame of {} numbers", bad.len()), format!("{d}, one a channel")));
        }
        let energies = file.energies.iter().flatten().map(Vec::len);
        let known = file.energies.as_ref().map_or(samples, Vec::len);
        if samples * horizon * d == 0
            || known != samples
            || file.samples.iter().map(Vec::len).chain(energies).any(|frames| frames != horizon)
        {
            let expected = format!("{samples} futures of {horizon} frames, at least 1 of 1, and energies of as many");
            return Err(Error::model(path, "futures of several lengths, or none", expected));
        }
        let origin = Origin {
            episode: Some(file.episode).filter(|name| !name.is_empty()),
            start_secs: file.start_secs,
            time_secs: file.time_secs.unwrap_or(file.start_secs),
            history: file.history.concat(),
            truth: file.truth.concat(),
            truth_energy: file.truth_energy,
            p_value: file.p_value,
        };
        Ok(Self {
            model: file.model,
            seed: file.seed,
            channels: file.channels,
            rate_hz: file.rate_hz,
            origins: vec![origin],
            futures: FutureArray::new(
                file.samples.into_iter().flatten().flatten().collect(),
                [1, samples, horizon, d],
            )?,
            energies: file.energies.map(|e| e.concat()),
            constraints: file.constraints,
            notes: file.notes,
        })
    }

    /// Writes forecasts of the same channels as one table, as [`Forecast::write_csv`] writes one, with the episode
    /// before each row.
    ///
    /// # Errors
    /// As [`Forecast::write_csv`]; [`Error::Data`] for none.
    pub fn write_csv_of(forecasts: &[Self], path: &Path) -> Result<()> {
        let first = forecasts.first().ok_or_else(|| Error::data("forecasts", "none", "at least one"))?;
        let header = ["episode"].into_iter().chain(ROW).map(str::to_string).chain(first.columns()).collect();
        let mut rows: Vec<Vec<String>> = vec![header];
        for forecast in forecasts {
            let name = forecast.only()?.episode.clone().unwrap_or_default();
            let [_, samples, horizon, d] = forecast.futures.shape();
            for (i, frame) in forecast.futures.values().chunks_exact(d).enumerate().take(samples * horizon) {
                let values = frame.iter().map(|v| format!("{v:.6}"));
                rows.push([name.clone()].into_iter().chain(forecast.row(i)).chain(values).collect());
            }
        }
        files::write_csv(path, rows.into_iter())
    }

    /// Writes forecasts as a list of what [`Forecast::write_json`] writes; one alone as that does.
    ///
    /// # Errors
    /// As [`Forecast::write_json`].
    pub fn write_json_of(forecasts: &[Self], path: &Path) -> Result<()> {
        let all = forecasts.iter().map(Self::to_json).collect::<Result<Vec<_>>>()?;
        let text = if let [one] = &all[..] { one.clone() } else { format!("[{}]", all.join(",\n")) };
        files::write_bytes(path, (text + "\n").as_bytes())
    }

    /// Reads what [`Forecast::write_json_of`] wrote.
    ///
    /// # Errors
    /// As [`Forecast::read_json`]; [`Error::Model`] for an empty list.
    pub fn read_json_of(path: &Path) -> Result<Vec<Self>> {
        let text = std::fs::read_to_string(path).map_err(Error::io(path, "read"))?;
        if !text.trim_start().starts_with('[') {
            return Ok(vec![Self::of_json(path, &text)?]);
        }
        let wrong = |found: String| Error::model(path, found, "forecasts in JSON, as ebmotion writes them");
        let all: Vec<ForecastFile<Vec<f64>>> = serde_json::from_str(&text).map_err(|e| wrong(e.to_string()))?;
        if all.is_empty() {
            return Err(wrong("an empty list".into()));
        }
        all.into_iter().map(|one| Self::of_file(path, one)).collect()
    }
}
