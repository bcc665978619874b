//! Recordings at one fixed rate.

use super::read::table::{median, significant, steps};
use super::{Channel, Episode, Frames, Recording};
use crate::error::{Error, Result};

/// A rate above the recorded one by more than this share would invent frames.
const FASTER: f64 = 1.01;

impl Frames {
    /// Brings every episode to `rate_hz`, or to the recording's own rate (its median) where none is given.
    ///
    /// Where every sample of an episode lies within `tolerance` frames of a grid point the values are taken as they are;
    /// otherwise they are interpolated linearly, channels that wrap along the shorter arc. Nothing is extrapolated. A
    /// lower rate is interpolated too, not low-pass filtered: motion faster than half the new rate aliases.
    ///
    /// # Errors
    /// [`Error::Config`] when the rate is not positive or above the recorded one, or the tolerance not in `[0, 0.5)`.
    pub fn resample(recording: &Recording, rate_hz: Option<f64>, tolerance: f64) -> Result<Self> {
        if !(0.0..0.5).contains(&tolerance) {
            return Err(Error::config("data.rate_tolerance", tolerance, "at least 0 and below 0.5 frames"));
        }
        let all = recording.episodes.iter().flat_map(|e| steps(&e.time_secs)).collect();
        let own = significant(1.0 / median(all));
        let rate_hz = rate_hz.unwrap_or(own);
        if !(rate_hz > 0.0 && rate_hz <= own * FASTER) {
            let expected = format!("above 0 and at most {own} Hz, the recorded rate");
            return Err(Error::config("data.rate_hz", rate_hz, expected));
        }
        let episodes = recording
            .episodes
            .iter()
            .map(|e| resample(e, &recording.channels, rate_hz, tolerance))
            .collect();
        Ok(Self { channels: recording.channels.clone(), rate_hz, episodes, sources: recording.sources.clone() })
    }
}

fn resample(episode: &Episode, channels: &[Channel], rate_hz: f64, tolerance: f64) -> Episode {
    let d = channels.len();
    let values = unwrapped(&episode.values, channels);
    let start = episode.time_secs[0];
    let at = |i: usize| (episode.time_secs[i] - start) * rate_hz; // in frames
    let rows = episode.time_secs.len();
    let on_grid = (0..rows).all(|i| (at(i) - i as f64).abs() <= tolerance);
    let count = if on_grid { rows } else { (at(rows - 1) + tolerance).floor() as usize + 1 };
    let values = if on_grid {
        values
    } else {
        let mut out = Vec::with_capacity(count * d);
        let mut before = 0;
        for frame in 0..count {
            while before + 2 < rows && at(before + 1) <= frame as f64 {
                before += 1;
            }
            let share = ((frame as f64 - at(before)) / (at(before + 1) - at(before))).clamp(0.0, 1.0);
            let (a, b) = (&values[before * d..][..d], &values[(before + 1) * d..][..d]);
            out.extend(a.iter().zip(b).map(|(a, b)| a + share * (b - a)));
        }
        out
    };
    let time_secs = (0..count).map(|frame| start + frame as f64 / rate_hz).collect();
    Episode { id: episode.id.clone(), time_secs, values }
}

/// `(T, D)` with every channel that wraps made continuous: no step is longer than half a period.
fn unwrapped(values: &[f64], channels: &[Channel]) -> Vec<f64> {
    let d = channels.len();
    let mut out = values.to_vec();
    for (c, channel) in channels.iter().enumerate() {
        let Some(period) = channel.period else { continue };
        for row in 1..values.len() / d {
            let before = out[(row - 1) * d + c];
            let step = values[row * d + c] - before;
            out[row * d + c] = before + step - period * (step / period).round();
        }
    }
    out
}
