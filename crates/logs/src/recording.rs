//! Motion as it was recorded, and at one fixed rate.

use super::read::header::glob;
use super::{Values, angle};
use crate::error::{Error, Result};
use crate::files::FileRecord;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Range;

/// One measured quantity of a log.
///
/// ```
/// use ebmotion_logs::Channel;
///
/// let yaw = Channel { name: "yaw".into(), unit: Some("deg".into()), period: Some(360.0) };
/// assert_eq!(yaw.whole_periods(725.0), 720.0); // what remains is 5 deg
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Channel {
    /// Name without the unit: `q_FFJ3`.
    pub name: String,
    /// Unit as the header gives it: `rad` in `q_FFJ3 [rad]`.
    pub unit: Option<String>,
    /// Period of a quantity that wraps (2 pi for an angle in rad, 360 in deg), `None` where it does not.
    pub period: Option<f64>,
}

impl Channel {
    /// The whole periods in `value` (as a value, not a count): what remains lies in `[-period / 2, period / 2)`. 0 for
    /// a channel that does not wrap.
    pub fn whole_periods(&self, value: f64) -> f64 {
        self.period.map_or(0.0, |period| angle::whole_periods(value, period))
    }

    /// Whether its name fits `pattern`, in which `*` stands for any characters, also none.
    pub fn is_named(&self, pattern: &str) -> bool {
        glob(pattern, &self.name)
    }
}

/// What an episode serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SplitPart {
    /// To learn from.
    Train,
    /// To judge a training run while it runs.
    Validation,
    /// Only for the report.
    Test,
}

/// A stretch of motion without gaps; with them, as NaN, where [`ReadOptions::keep_missing`] asked for it.
///
/// [`ReadOptions::keep_missing`]: super::ReadOptions::keep_missing
#[derive(Debug, Clone, PartialEq)]
pub struct Episode {
    /// Name in reports: the file's stem, with the episode column's value and the part after a split where there are
    /// any.
    pub id: String,
    /// `(T,)` seconds, strictly increasing.
    pub time_secs: Vec<f64>,
    /// `(T, D)` row-major, in the channels' units.
    pub values: Values,
}

/// What log files hold: the same channels for every episode, times as recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// The channels, in column order.
    pub channels: Vec<Channel>,
    /// The episodes, in the order in which they were read.
    pub episodes: Vec<Episode>,
    /// Path and SHA-256 of each file read.
    pub sources: Vec<FileRecord>,
    /// What was guessed, left out or counted while reading, a sentence each.
    pub notes: Vec<String>,
    /// What recorded episodes serve, by their names, where a log says it.
    pub parts: BTreeMap<String, SplitPart>,
}

/// A recording at one fixed rate: frame `k` of an episode lies `k / rate_hz` seconds after its first.
#[derive(Debug, Clone, PartialEq)]
pub struct Frames {
    /// The channels, in column order.
    pub channels: Vec<Channel>,
    /// Frames per second.
    pub rate_hz: f64,
    /// Episodes; `time_secs` is uniform, channels with a period are unwrapped (continuous).
    pub episodes: Vec<Episode>,
    /// As in [`Recording::sources`].
    pub sources: Vec<FileRecord>,
    /// [`Recording::notes`], and what was done to come to one rate, or to parts of a log, a sentence each.
    pub notes: Vec<String>,
    /// As in [`Recording::parts`].
    pub parts: BTreeMap<String, SplitPart>,
}

impl Frames {
    /// The stretches of frames with missing cells (NaN), in rising order: the episode, and the frames from the first
    /// incomplete one until after the last. Stretches with fewer than `apart` complete frames between them are one.
    ///
    /// ```
    /// use ebmotion_logs::{Frames, ReadOptions, Recording};
    ///
    /// let log = b"time [s],x,y\n0.0,0,0\n0.1,1,1\n0.2,2,nan\n0.3,3,3\n0.4,4,4\n0.7,7,7\n0.8,8,8\n";
    /// let options = ReadOptions { keep_missing: true, ..ReadOptions::default() };
    /// let frames = Frames::resample(&Recording::from_bytes("log.csv", log, &options)?, None, 0.02)?;
    /// assert_eq!(frames.missing(1), [(0, 2..3), (0, 5..7)]); // a cell, and the rows at 0.5 s and 0.6 s
    /// assert_eq!(frames.missing(3), [(0, 2..7)]);
    /// # Ok::<(), ebmotion_logs::Error>(())
    /// ```
    pub fn missing(&self, apart: usize) -> Vec<(usize, Range<usize>)> {
        let mut stretches: Vec<(usize, Range<usize>)> = Vec::new();
        for (e, episode) in self.episodes.iter().enumerate() {
            for (frame, row) in episode.values.chunks_exact(self.channels.len().max(1)).enumerate() {
                if !row.iter().any(|v| v.is_nan()) {
                    continue;
                }
                match stretches.last_mut() {
                    Some((of, gap)) if *of == e && (frame == gap.end || frame - gap.end < apart) => gap.end = frame + 1,
                    _ => stretches.push((e, frame..frame + 1)),
                }
            }
        }
        stretches
    }

    /// The places of the channels whose names fit one of `patterns`, in which `*` stands for any characters.
    ///
    /// # Errors
    /// [`Error::Config`] for a pattern that fits no channel.
    pub fn channels_named(&self, patterns: &[String]) -> Result<Vec<usize>> {
        let names = || self.channels.iter().map(|c| c.name.as_str());
        if let Some(unknown) = patterns.iter().find(|p| !names().any(|name| glob(p, name))) {
            let expected = format!("names of channels: {}", names().collect::<Vec<_>>().join(", "));
            return Err(Error::config("channels", format!("`{unknown}`, which fits none"), expected));
        }
        Ok(names().enumerate().filter(|(_, name)| patterns.iter().any(|p| glob(p, name))).map(|(c, _)| c).collect())
    }
}
