//! Missing cells of a log, in its own units.

use crate::error::{Error, Result};
use crate::forecast::{Forecast, FutureArray, Model, Origin};
use crate::noise::Noise;
use crate::trajectory::Frames;
use candle_core::{Device, Tensor};
use std::ops::Range;

impl Model {
    /// Fills the missing cells (NaN) in the frames `gap` of an episode, given all that is known before and after them.
    ///
    /// The answer is a forecast of those frames: `samples` possible ones, in which known cells are as they were. Its
    /// origin's history are the frames before the gap. At least [`Forecaster::context_frames`] complete frames lie
    /// before it; what follows may be incomplete. Drawn values stay within the range of the training motion, where what
    /// is known does. Of a channel that wraps the frames after the gap are in the turn in which they are given. One
    /// seed gives the same values each time.
    ///
    /// ```
    /// # use ebmotion::forecast::{Dataset, RunConfig};
    /// # use ebmotion::{event::Silent, forecast::Model};
    /// # fn main() -> ebmotion::Result<()> {
    /// # let mut config = RunConfig::default();
    /// # for (key, value) in [("train.steps", "20"), ("model.hidden", "[16]")] {
    /// #     config = config.with_one(key, value)?;
    /// # }
    /// # let data = Dataset::read(&["data/hand_gestures/hand_gestures.csv.gz"], &config)?;
    /// # let model = Model::train(&data, &config, None, false, &mut Silent)?;
    /// let mut log = data.frames.clone(); // as the model has them: `Model::frames` reads others
    /// let d = log.channels.len();
    /// log.episodes[0].values[60 * d..70 * d].fill(f64::NAN); // ten frames are lost
    /// let filled = model.fill(&log, 0, 60..70, 64, 7)?;
    /// let middle = filled.quantiles(&[0.05, 0.5, 0.95])?; // (1, quantiles, frames, channels)
    /// println!("{:.2} to {:.2}", middle[[0, 0, 5, 3]], middle[[0, 2, 5, 3]]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Model::check_fits`] and [`Forecaster::fill`]; [`Error::Data`] where there is no such episode or no such
    /// frames; [`Error::Config`] when no sample is asked for.
    ///
    /// [`Forecaster::fill`]: crate::forecast::Forecaster::fill
    /// [`Forecaster::context_frames`]: crate::forecast::Forecaster::context_frames
    pub fn fill(
        &self,
        frames: &Frames,
        episode: usize,
        gap: Range<usize>,
        samples: usize,
        seed: u64,
    ) -> Result<Forecast> {
        self.check_fits(frames)?;
        if samples == 0 {
            return Err(Error::config("samples", samples, "at least 1"));
        }
        let Some(episode) = frames.episodes.get(episode) else {
            return Err(Error::data("episode", episode, format!("one of {}", frames.episodes.len())));
        };
        let (d, length) = (frames.channels.len(), episode.values.len() / frames.channels.len().max(1));
        let what = || format!("gap in `{}`", episode.id);
        if gap.is_empty() || gap.end > length {
            let expected = format!("frames of {length}, at least one");
            return Err(Error::data(what(), format!("frames {} to {}", gap.start, gap.end), expected));
        }
        let k = self.forecaster().context_frames();
        let missing = |frame: &usize| episode.values[frame * d..(frame + 1) * d].iter().any(|v| v.is_nan());
        let Some(first) = gap.clone().find(missing) else {
            return Err(Error::data(what(), "no missing cell", "at least one, which is NaN"));
        };
        let complete = (0..first).rev().take_while(|frame| !missing(frame)).count();
        if complete < k {
            let expected = format!("at least {k}: the model reads as many before it fills anything");
            let what = format!("complete frames before frame {first} of `{}`", episode.id);
            return Err(Error::data(what, complete, expected));
        }
        let window = first - k..self.reach(first, gap.end).min(length);
        let known = &episode.values[window.start * d..window.end * d];
        let drawn = self.fill_window(known, samples, seed)?;
        // Frames of the gap before its first missing cell are known too.
        let from = gap.start.min(first);
        let cell = |s: usize, frame: usize, c: usize| {
            let value = episode.values[frame * d + c];
            if value.is_nan() { drawn[(s * window.len() + frame - window.start) * d + c] } else { value }
        };
        let rows = |s: usize| gap.clone().flat_map(move |frame| (0..d).map(move |c| (s, frame, c)));
        let values = (0..samples).flat_map(rows).map(|(s, frame, c)| cell(s, frame, c)).collect();
        let start_secs = from as f64 / frames.rate_hz;
        let origin = Origin {
            episode: Some(episode.id.clone()),
            start_secs,
            time_secs: episode.time_secs.first().copied().unwrap_or_default() + start_secs,
            history: episode.values[from.saturating_sub(k) * d..from * d].to_vec(),
            truth: Vec::new(),
            truth_energy: None,
            p_value: None,
        };
        Ok(Forecast {
            model: self.forecaster().name().into(),
            seed,
            channels: frames.channels.clone(),
            rate_hz: frames.rate_hz,
            origins: vec![origin],
            futures: FutureArray::new(values, [1, samples, gap.len(), d])?,
            energies: None,
            constraints: Vec::new(),
            notes: frames.notes.clone(),
        })
    }

    /// The frame up to which what is known tells of missing frames from `first` until `end`: the end of the chunk in
    /// which a whole context follows them.
    fn reach(&self, first: usize, end: usize) -> usize {
        let (context, chunk) = self.info().config.model.frames();
        let chunk = chunk.max(1);
        first + (end - first + context).div_ceil(chunk) * chunk
    }

    /// A window `(T, D)` in the channels' units, its first frames complete, filled: `(S, T, D)`.
    fn fill_window(&self, window: &[f64], samples: usize, seed: u64) -> Result<Vec<f64>> {
        let info = self.info();
        let (d, k) = (info.channels.len(), self.forecaster().context_frames());
        let (_, turns) = self.z_history(&window[..k * d])?;
        let relative: Vec<f64> = window.iter().zip(turns.iter().cycle()).map(|(v, turn)| v - turn).collect();
        let mut z = vec![0f32; relative.len()];
        info.normaliser.to_z(&relative, &mut z)?;
        let z = Tensor::from_vec(z, (1, window.len() / d, d), &Device::Cpu)?;
        let drawn = self.forecaster().fill(&z, samples, &mut Noise::new(seed))?;
        Ok(self.units(&self.periods()).restore(&drawn.flatten_all()?.to_vec1::<f32>()?, &turns))
    }
}
