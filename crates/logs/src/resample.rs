//! One fixed rate for all episodes.

use super::angle::Unwrapped;
use super::lowpass::{CUTOFF, LowPass};
use super::{Channel, Episode, Frames, Gathering, Growing, Recording, Values};
use crate::error::{Error, Result};

/// How far, as a share of a frame, a sample may lie from the frame it is taken for: 0.02, at 25 Hz 0.8 ms.
pub const DEFAULT_TOLERANCE: f64 = 0.02;

/// A rate above the recorded one by more than this factor invents frames.
const MAX_UPSAMPLING: f64 = 1.01;

/// Frames that may be made of one sample, on average.
const MOST_INTERPOLATED: f64 = 1000.0;

/// Rounding that a product of times and rates may gather, frames.
const ROUNDING: f64 = 1e-6;

impl Frames {
    /// Brings a recording to `rate_hz` frames per second; `None` stands for [`Recording::rate_hz`].
    ///
    /// Frame `k` of an episode lies `k / rate_hz` seconds after its first sample. Where every frame of an episode has a
    /// sample within `tolerance` frames (a share of a frame, from 0 to below 0.5, see [`DEFAULT_TOLERANCE`]), the
    /// samples are taken as they are; otherwise all its frames are interpolated linearly between the two samples
    /// around them. There is no extrapolation: the last frame is the last one that samples reach.
    ///
    /// Channels with a period are made continuous first, so they are interpolated along the shorter arc and come out
    /// unwrapped; a joint that really turns more than half a period between two samples cannot be told from one that
    /// turns the other way.
    ///
    /// A rate more than 1 % below the recorded one thins the recording: it is brought to the recorded rate, low-pass
    /// filtered without delay (a windowed sinc with half the amplitude at 0.4 of the new rate, and less than 1/400 from
    /// half of it on), and then picked or interpolated, so that faster motion does not fold into slower motion. A note
    /// says so ([`Frames::notes`]).
    ///
    /// ```
    /// use ebmotion_logs::{DEFAULT_TOLERANCE, Frames, ReadOptions, Recording};
    ///
    /// let log = b"time [s],x\n0.0,0\n0.1,1\n0.2,2\n0.3,3\n0.4,4\n";
    /// let recording = Recording::from_bytes("log.csv", log, &ReadOptions::default())?;
    /// let frames = Frames::resample(&recording, Some(5.0), DEFAULT_TOLERANCE)?;
    /// assert!(frames.episodes[0].values.iter().zip([0.0, 2.0, 4.0]).all(|(a, b)| (a - b).abs() < 1e-9));
    /// assert!(frames.notes[0].contains("thinned"));
    /// assert!(Frames::resample(&recording, Some(20.0), DEFAULT_TOLERANCE).is_err()); // recorded at 10 Hz
    /// # Ok::<(), ebmotion_logs::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Config`] when `rate_hz` is not positive and finite or `tolerance` is out of range; [`Error::Data`] when
    /// `rate_hz` is more than 1.01 times the recorded rate, when no rate can be told, when an episode's arrays do not
    /// fit the channels or its times do not increase, or when it would be interpolated to a thousand times its samples.
    pub fn resample(recording: &Recording, rate_hz: Option<f64>, tolerance: f64) -> Result<Self> {
        if !(0.0..0.5).contains(&tolerance) {
            return Err(Error::config("tolerance", tolerance, "a share of a frame, from 0 to below 0.5"));
        }
        let width = recording.channels.len();
        for episode in &recording.episodes {
            check(episode, width)?;
        }
        let recorded = recording.rate_hz()?;
        let rate_hz = rate_hz.unwrap_or(recorded);
        if !(rate_hz.is_finite() && rate_hz > 0.0) {
            return Err(Error::config("rate_hz", rate_hz, "a positive number of frames per second"));
        }
        if rate_hz > MAX_UPSAMPLING * recorded {
            let expected = format!("at most the recorded {recorded:.6} Hz: frames in between would be invented");
            return Err(Error::data("rate", format!("{rate_hz} Hz"), expected));
        }
        let ratio = recorded / rate_hz;
        let filter = (ratio > MAX_UPSAMPLING).then(|| LowPass::new(ratio));
        let mut notes = recording.notes.clone();
        if filter.is_some() {
            notes.push(format!(
                "recorded at {} Hz and thinned to {rate_hz} Hz; before, a low-pass filter without delay took faster \
                 motion away (half the amplitude at {} Hz)",
                rounded(recorded),
                rounded(CUTOFF * rate_hz)
            ));
        }
        let (mut episodes, mut gathering) = (Vec::new(), Gathering::default());
        for (number, episode) in recording.episodes.iter().enumerate() {
            let own = if filter.is_some() { recorded } else { rate_hz };
            check_length(episode, own)?;
            let at_rate = brought(&episode.time_secs, &continuous(episode, &recording.channels)?, own, tolerance)?;
            let values = match &filter {
                None if at_rate.in_file() => at_rate,
                None => {
                    gathering.add(number, |to| to.extend(&at_rate))?;
                    Values::default()
                }
                Some(filter) => {
                    gathering.add(number, |to| thinned(filter, &at_rate, width, ratio, tolerance, to))?;
                    Values::default()
                }
            };
            episodes.push(Episode { id: episode.id.clone(), time_secs: Vec::new(), values });
        }
        gathering.finish(&mut episodes)?;
        for (episode, recorded) in episodes.iter_mut().zip(&recording.episodes) {
            let frames = episode.values.len() / width;
            episode.time_secs = (0..frames).map(|k| recorded.time_secs[0] + k as f64 / rate_hz).collect();
        }
        let (channels, sources) = (recording.channels.clone(), recording.sources.clone());
        Ok(Self { channels, rate_hz, episodes, sources, notes, parts: recording.parts.clone() })
    }
}

/// The values of an episode, those of channels with a period made continuous.
fn continuous(episode: &Episode, channels: &[Channel]) -> Result<Values> {
    let mut wrapping: Vec<(usize, Unwrapped)> = channels
        .iter()
        .enumerate()
        .filter_map(|(c, channel)| channel.period.map(|period| (c, Unwrapped::new(period))))
        .collect();
    if wrapping.is_empty() {
        return Ok(episode.values.clone());
    }
    let mut now = vec![0.0; channels.len()];
    Growing::filled(|values| {
        episode.values.rows(channels.len()).try_for_each(|row| {
            now.copy_from_slice(row);
            wrapping.iter_mut().for_each(|(c, unwrapped)| now[*c] = unwrapped.next(row[*c]));
            values.extend(&now)
        })
    })
}

/// The values `(T, D)` at `time` as frames of `rate_hz`: the same ones where every sample is a frame.
fn brought(time: &[f64], values: &Values, rate_hz: f64, tolerance: f64) -> Result<Values> {
    let width = values.len() / time.len();
    match nearest(time, rate_hz, tolerance) {
        Some(samples) if samples.len() == time.len() && samples.iter().enumerate().all(|(k, sample)| k == *sample) => {
            Ok(values.clone())
        }
        Some(samples) => {
            Growing::filled(|to| samples.iter().try_for_each(|k| to.extend(&values[k * width..(k + 1) * width])))
        }
        None => Growing::filled(|to| interpolated(time, values, width, rate_hz, to)),
    }
}

/// One of every `ratio` filtered rows of `values`; between two rows, what lies on the line between them.
fn thinned(filter: &LowPass, values: &[f64], width: usize, ratio: f64, tolerance: f64, to: &mut Growing) -> Result<()> {
    let last = (values.len() / width - 1) as f64;
    let frames = ((last + tolerance.max(ROUNDING)) / ratio).floor() as usize + 1;
    let ends = filter.ends(values, width);
    let (mut out, mut next) = (vec![0.0; width], vec![0.0; width]);
    for frame in 0..frames {
        let position = (frame as f64 * ratio).min(last);
        let near = position.round();
        if (position - near).abs() <= tolerance.max(ROUNDING) {
            filter.row(values, &ends, near as usize, &mut out);
        } else {
            filter.row(values, &ends, position.floor() as usize, &mut out);
            filter.row(values, &ends, position.ceil() as usize, &mut next);
            out.iter_mut().zip(&next).for_each(|(a, b)| *a += position.fract() * (b - *a));
        }
        to.extend(&out)?;
    }
    Ok(())
}

/// Steps may be long where that was asked for, but frames are not made without end.
fn check_length(episode: &Episode, rate_hz: f64) -> Result<()> {
    let samples = episode.time_secs.len();
    let frames = (episode.time_secs[samples - 1] - episode.time_secs[0]) * rate_hz;
    let most = MOST_INTERPOLATED * samples as f64;
    if frames > most {
        let found = format!("{frames:.0} frames to be made of {samples} samples");
        return Err(Error::data(format!("episode `{}`", episode.id), found, format!("at most {most:.0}")));
    }
    Ok(())
}

/// To the digits that a person reads.
fn rounded(rate_hz: f64) -> f64 {
    (rate_hz * 1e6).round() / 1e6
}

fn check(episode: &Episode, width: usize) -> Result<()> {
    let rows = episode.time_secs.len();
    let what = || format!("episode `{}`", episode.id);
    if rows == 0 || width == 0 || episode.values.len() != rows * width {
        let found = format!("{rows} times, {} values, {width} channels", episode.values.len());
        return Err(Error::data(what(), found, "one value per time and channel, at least one"));
    }
    if let Some(w) = episode.time_secs.windows(2).find(|w| !(w[1] - w[0] > 0.0 && (w[1] - w[0]).is_finite())) {
        return Err(Error::data(what(), format!("{} s after {} s", w[1], w[0]), "times that increase"));
    }
    Ok(())
}

/// For every frame the sample within `tolerance` frames of it; `None` where a frame has none.
fn nearest(time: &[f64], rate_hz: f64, tolerance: f64) -> Option<Vec<usize>> {
    let tolerance = tolerance.max(ROUNDING);
    let position = |k: usize| (time[k] - time[0]) * rate_hz;
    let frames = (position(time.len() - 1) + tolerance).floor() as usize + 1;
    let mut sample = 0;
    (0..frames)
        .map(|frame| {
            // The last sample reaches the last frame, but rounding may say that it does not.
            while sample + 1 < time.len() && position(sample) < frame as f64 - tolerance {
                sample += 1;
            }
            let first = sample;
            // Of several samples within the tolerance the nearest counts.
            let offset = |k: usize| (position(k) - frame as f64).abs();
            (first..time.len())
                .take_while(|k| position(*k) <= frame as f64 + tolerance)
                .min_by(|a, b| offset(*a).total_cmp(&offset(*b)))
        })
        .collect()
}

fn interpolated(time: &[f64], values: &[f64], width: usize, rate_hz: f64, to: &mut Growing) -> Result<()> {
    let position = |k: usize| (time[k] - time[0]) * rate_hz;
    let last = time.len() - 1;
    let frames = (position(last) + ROUNDING).floor() as usize + 1;
    let mut out = Vec::with_capacity(width);
    let mut after = 0;
    for frame in 0..frames {
        let frame = (frame as f64).min(position(last));
        while position(after) < frame {
            after += 1;
        }
        let before = after.saturating_sub(usize::from(position(after) > frame));
        let share =
            if before == after { 0.0 } else { (frame - position(before)) / (position(after) - position(before)) };
        let row = |k: usize| &values[k * width..(k + 1) * width];
        out.clear();
        out.extend(row(before).iter().zip(row(after)).map(|(a, b)| a + share * (b - a)));
        to.extend(&out)?;
    }
    Ok(())
}
