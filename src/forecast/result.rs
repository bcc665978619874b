//! A forecast in the log's own units: what was drawn, what it continues, and the files that keep it.

use super::constraints::ConstraintCheck;
use super::future_array::FutureArray;
use crate::error::{Error, Result};
use crate::files;
use crate::trajectory::Channel;
use std::path::Path;

/// The first columns of every table: which future, which frame of it, when that is.
pub(super) const ROW: [&str; 4] = ["sample", "step", "time [s]", "ahead [s]"];

/// Where a forecast begins and what it continues, in the channels' units.
#[derive(Debug, Clone, PartialEq)]
pub struct Origin {
    /// Name of the episode, where it is of one.
    pub episode: Option<String>,
    /// Seconds from the first frame of the episode (or of the history that was given) to the first frame of the
    /// forecast, which is the one after the last frame that the forecaster saw.
    pub start_secs: f64,
    /// The log's own time of the first frame of the forecast, seconds; `start_secs` where there is no log.
    pub time_secs: f64,
    /// `(K, D)`: the frames that the forecaster saw.
    pub history: Vec<f64>,
    /// `(H', D)`: the frames that followed, as far as they are known.
    pub truth: Vec<f64>,
    /// `(H',)`: energy of the chunk in which each frame of the truth lies, nats; none for a truth shorter than a chunk.
    pub truth_energy: Option<Vec<f64>>,
    /// Share of normal stretches that are at least as unlike the training motion as the one before the forecast
    /// ([`Detector::before`](crate::anomaly::Detector::before)); `None` where that was not asked.
    pub p_value: Option<f64>,
}

impl Origin {
    /// A name for people, such as `log.csv/3 at 2.50 s`.
    pub fn name(&self) -> String {
        format!("{} at {:.2} s", self.episode.as_deref().unwrap_or("history"), self.start_secs)
    }
}

/// Possible futures of one or more windows, in the log's own units.
///
/// A robot's program draws one of them again and again:
///
/// ```no_run
/// # fn main() -> ebmotion::Result<()> {
/// use ebmotion::forecast::{Model, Request};
/// let model = Model::load("arm.safetensors".as_ref())?;
/// # let past = vec![0.0; 8 * model.info().channels.len()];
/// let forecast = model.forecast(&past, &Request { horizon: 25, samples: 64 }, 7)?;
/// let elbow = forecast.channel("elbow")?;
/// let quantiles = forecast.quantiles(&[0.05, 0.5, 0.95])?;
/// println!("the elbow in 25 frames: {:.2} to {:.2}", quantiles[[0, 0, 24, elbow]], quantiles[[0, 2, 24, elbow]]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Forecast {
    /// What drew it: the forecaster's name, or a name that the caller puts in its place, such as the model's file.
    pub model: String,
    /// Seed of the draws.
    pub seed: u64,
    /// `(D,)`: the channels, with their units.
    pub channels: Vec<Channel>,
    /// Frames per second.
    pub rate_hz: f64,
    /// `(B,)`: where each window's forecast begins.
    pub origins: Vec<Origin>,
    /// `(B, S, H, D)`: the futures. Channels that wrap go on from the history without a jump.
    pub futures: FutureArray,
    /// `(B, S, H)` row-major: energy of the chunk in which each frame lies, nats. None before [`Model::with_energies`],
    /// from a forecaster without an energy, and from [`Model::with_energies`] for a horizon shorter than a chunk
    /// ([`Model::forecast_episode`] draws such a chunk to its end).
    ///
    /// [`Model::with_energies`]: super::Model::with_energies
    /// [`Model::forecast_episode`]: super::Model::forecast_episode
    pub energies: Option<Vec<f64>>,
    /// What became of the constraints under which it was drawn, one for each; empty where there were none.
    pub constraints: Vec<ConstraintCheck>,
    /// What was guessed, left out or mended in the log, and what stands out in it, a sentence each.
    pub notes: Vec<String>,
}

impl Forecast {
    /// The place of a channel, `0..D`.
    ///
    /// # Errors
    /// [`Error::Data`] with the channels' names where none has this one.
    pub fn channel(&self, name: &str) -> Result<usize> {
        self.channels.iter().position(|c| c.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.channels.iter().map(|c| c.name.as_str()).collect();
            Error::data("channel", format!("`{name}`"), format!("one of {}", names.join(", ")))
        })
    }

    /// Quantiles over the futures, each frame and channel for itself: `(B, Q, H, D)`. Between two futures they are
    /// interpolated linearly (definition 7 of Hyndman and Fan 1996, "Sample quantiles in statistical packages").
    ///
    /// ```
    /// # use ebmotion::forecast::{Forecast, FutureArray};
    /// # let forecast = Forecast {
    /// #     model: "ebm".into(),
    /// #     seed: 7,
    /// #     channels: Vec::new(),
    /// #     rate_hz: 25.0,
    /// #     origins: Vec::new(),
    /// #     futures: FutureArray::new(vec![0.3, 0.1, 0.2, 0.5, 0.4], [1, 5, 1, 1])?,
    /// #     energies: None,
    /// #     constraints: Vec::new(),
    /// #     notes: Vec::new(),
    /// # };
    /// // `forecast`: one window, of which five futures end at 0.1, 0.2, 0.3, 0.4 and 0.5 rad.
    /// let quantiles = forecast.quantiles(&[0.0, 0.5, 1.0])?;
    /// assert_eq!([0, 1, 2].map(|q| quantiles[[0, q, 0, 0]]), [0.1, 0.3, 0.5]);
    /// # Ok::<(), ebmotion::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Config`] where there are no shares or one is not from 0 to 1.
    pub fn quantiles(&self, shares: &[f64]) -> Result<FutureArray> {
        if shares.is_empty() || !shares.iter().all(|q| (0.0..=1.0).contains(q)) {
            return Err(Error::config("quantiles", format!("{shares:?}"), "shares from 0 to 1, at least one"));
        }
        Ok(self.futures.over_futures(shares.len(), |sorted, put| {
            for share in shares {
                let place = share * (sorted.len() - 1) as f64;
                let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
                put(low + (high - low) * place.fract());
            }
        }))
    }

    /// Mean over the futures: `(B, 1, H, D)`.
    pub fn mean(&self) -> FutureArray {
        self.futures.over_futures(1, |values, put| put(values.iter().sum::<f64>() / values.len() as f64))
    }

    /// The forecast of one window, `None` where there are fewer.
    pub fn window(&self, window: usize) -> Option<Self> {
        let [_, samples, horizon, _] = self.futures.shape();
        let origins = vec![self.origins.get(window)?.clone()];
        let futures = self.futures.window(window)?;
        let energies = match &self.energies {
            Some(all) => Some(all.chunks_exact(samples * horizon).nth(window)?.to_vec()),
            None => None,
        };
        let (model, channels, notes) = (self.model.clone(), self.channels.clone(), self.notes.clone());
        let constraints = self.constraints.clone();
        Some(Self { model, channels, origins, futures, energies, constraints, notes, ..*self })
    }

    /// Its first `frames` frames, all of them where there are fewer.
    pub(super) fn until(mut self, frames: usize) -> Self {
        let [_, _, horizon, d] = self.futures.shape();
        let kept = frames.clamp(1, horizon);
        self.futures = self.futures.until(kept);
        let cut = |all: &[f64]| all.chunks_exact(horizon).flat_map(|future| &future[..kept]).copied().collect();
        self.energies = self.energies.map(|energies| cut(&energies));
        for origin in &mut self.origins {
            origin.truth.truncate(kept * d);
            origin.truth_energy.iter_mut().for_each(|energy| energy.truncate(kept));
        }
        self
    }

    /// Writes a table: a row for each future and frame with `sample, step, time [s], ahead [s], energy [nats]` (the
    /// energy where there is one), then the channels. `time` is the log's own, `ahead` counts from the last frame that
    /// the forecaster saw.
    ///
    /// ```
    /// # use ebmotion::forecast::{Forecast, FutureArray, Origin};
    /// # use ebmotion::trajectory::Channel;
    /// # let (history, truth) = (vec![0.0], Vec::new());
    /// # let (episode, start_secs, time_secs, truth_energy, p_value) = (None, 7.0, 107.0, None, None);
    /// # let forecast = Forecast {
    /// #     model: "ebm".into(),
    /// #     seed: 7,
    /// #     channels: vec![Channel { name: "elbow".into(), unit: Some("rad".into()), period: None }],
    /// #     rate_hz: 25.0,
    /// #     origins: vec![Origin { episode, start_secs, time_secs, history, truth, truth_energy, p_value }],
    /// #     futures: FutureArray::new(vec![0.1, 0.25], [1, 1, 2, 1])?,
    /// #     energies: None,
    /// #     constraints: Vec::new(),
    /// #     notes: Vec::new(),
    /// # };
    /// # let folder = tempfile::tempdir().map_err(ebmotion::Error::io(".", "create a folder"))?;
    /// # let path = folder.path().join("forecast.csv");
    /// forecast.write_csv(&path)?; // one future of two frames at 25 Hz
    /// # let text = std::fs::read_to_string(&path).map_err(ebmotion::Error::io(&path, "read"))?;
    /// let rows = ["sample,step,time [s],ahead [s],elbow [rad]", "0,1,107.000000,0.040000,0.100000"];
    /// assert!(text.starts_with(&rows.join("\n")));
    /// # Ok::<(), ebmotion::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Data`] for more windows than one; [`Error::Io`] when the file cannot be written.
    pub fn write_csv(&self, path: &Path) -> Result<()> {
        self.only()?;
        let [_, samples, horizon, _] = self.futures.shape();
        let mut header = ROW.map(str::to_string).to_vec();
        if self.energies.is_some() {
            header.push("energy [nats]".into());
        }
        header.extend(self.columns());
        let row = |i: usize| {
            let mut row = self.row(i);
            row.extend(self.energies.iter().map(|energies| format!("{:.6}", energies[i])));
            let d = self.channels.len();
            row.extend(self.futures.values()[i * d..(i + 1) * d].iter().map(|v| format!("{v:.6}")));
            row
        };
        files::write_csv(path, std::iter::once(header).chain((0..samples * horizon).map(row)))
    }

    /// Writes all that is known of the forecast, for [`Forecast::read_json`] and for other programs.
    ///
    /// # Errors
    /// As [`Forecast::write_csv`].
    pub fn write_json(&self, path: &Path) -> Result<()> {
        files::write_bytes(path, (self.to_json()? + "\n").as_bytes())
    }

    /// Reads what [`Forecast::write_json`] wrote.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be read; [`Error::Model`] when it is no forecast, or one whose arrays do not
    /// fit.
    pub fn read_json(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(Error::io(path, "read"))?;
        Self::of_json(path, &text)
    }

    /// The first cells of row `i` of a table: what [`ROW`] calls.
    pub(super) fn row(&self, i: usize) -> Vec<String> {
        let [_, _, horizon, _] = self.futures.shape();
        let (sample, frame) = (i / horizon, i % horizon);
        let begin = self.origins.first().map_or(0.0, |origin| origin.time_secs);
        let (time, ahead) = (begin + frame as f64 / self.rate_hz, (frame + 1) as f64 / self.rate_hz);
        let [time, ahead] = [time, ahead].map(|secs| format!("{secs:.6}"));
        vec![sample.to_string(), (frame + 1).to_string(), time, ahead]
    }

    /// The channels' names with their units, as in a table's header.
    pub(super) fn columns(&self) -> Vec<String> {
        let name = |c: &Channel| match &c.unit {
            Some(unit) => format!("{} [{unit}]", c.name),
            None => c.name.clone(),
        };
        self.channels.iter().map(name).collect()
    }

    /// Where the one window begins.
    pub(super) fn only(&self) -> Result<&Origin> {
        match &self.origins[..] {
            [origin] => Ok(origin),
            several => {
                Err(Error::data("windows of a forecast that is written", several.len(), "1: `Forecast::window`"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two windows, five futures, two frames, two channels: the number's place, backwards along the futures.
    fn forecast() -> Forecast {
        let value = |i: usize| ((i / 20) * 100 + (4 - i / 4 % 5) * 10 + i % 4) as f64;
        let channel = |name: &str| Channel { name: name.into(), unit: Some("rad".into()), period: None };
        let origin = |episode: Option<&str>| Origin {
            episode: episode.map(str::to_string),
            start_secs: 0.5,
            time_secs: 1.7e9 + 0.5,
            history: vec![1.0, 2.0, 3.0, 4.0],
            truth: vec![5.0, 0.1 + 0.2],
            truth_energy: None,
            p_value: None,
        };
        Forecast {
            model: "ebm".into(),
            seed: 7,
            channels: vec![channel("a"), channel("b")],
            rate_hz: 10.0,
            origins: vec![origin(Some("log.csv/0")), origin(None)],
            futures: FutureArray::new((0..40).map(value).collect(), [2, 5, 2, 2]).unwrap(),
            energies: Some((0..20).map(f64::from).collect()),
            constraints: Vec::new(),
            notes: vec!["one row left out".into()],
        }
    }

    #[test]
    fn quantiles_and_means_go_over_the_futures() {
        let forecast = forecast();
        assert_eq!(forecast.futures[[1, 0, 1, 0]], 142.0);
        assert_eq!(forecast.futures.future(1, 4), [100.0, 101.0, 102.0, 103.0]);
        let quantiles = forecast.quantiles(&[0.0, 0.125, 0.5, 1.0]).unwrap();
        assert_eq!(quantiles.shape(), [2, 4, 2, 2]);
        let of = |q: usize| quantiles[[1, q, 1, 1]];
        assert_eq!([of(0), of(1), of(2), of(3)], [103.0, 108.0, 123.0, 143.0]); // 0.125 lies half way to the second
        assert_eq!(forecast.mean().values(), [20.0, 21.0, 22.0, 23.0, 120.0, 121.0, 122.0, 123.0]);
        for bad in [&[][..], &[-0.1], &[1.1], &[f64::NAN]] {
            assert!(matches!(forecast.quantiles(bad), Err(Error::Config { .. })), "{bad:?}");
        }
        assert_eq!(forecast.channel("b").unwrap(), 1);
        assert!(forecast.channel("c").unwrap_err().to_string().contains("one of a, b"));
        assert!(matches!(FutureArray::new(vec![0.0; 5], [1, 1, 2, 2]), Err(Error::Shape { .. })));
        assert!(matches!(FutureArray::new(Vec::new(), [1, 0, 2, 2]), Err(Error::Shape { .. })));
        assert!(FutureArray::new(Vec::new(), [0, 1, 2, 2]).unwrap().values().is_empty());
    }

    #[test]
    fn a_window_survives_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("forecast.json");
        let all = forecast();
        for window in 0..2 {
            let one = all.window(window).unwrap();
            assert_eq!(one.futures.future(0, 2), all.futures.future(window, 2));
            one.write_json(&path).unwrap();
            assert_eq!(Forecast::read_json(&path).unwrap(), one);
        }
        assert!(all.window(2).is_none());
        assert!(matches!(all.write_json(&path), Err(Error::Data { .. })), "two windows are two files");
        let text = std::fs::read_to_string(&path).unwrap();
        for (from, to) in
            [("forecast 1", "forecast 2"), ("[5.0,", "[5.0,1.0,"), ("[10.0,11.0]", "[10.0]"), ("\"seed\":7,", "")]
        {
            assert!(text.contains(from), "{from}");
            std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
            assert!(matches!(Forecast::read_json(&path), Err(Error::Model { .. })), "{from}");
        }
    }

    #[test]
    fn the_table_has_a_row_for_each_frame() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("forecast.csv");
        forecast().window(0).unwrap().write_csv(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "sample,step,time [s],ahead [s],energy [nats],a [rad],b [rad]");
        assert_eq!(lines[4], "1,2,1700000000.600000,0.200000,3.000000,32.000000,33.000000");
        assert_eq!(lines.len(), 11);
    }
}
