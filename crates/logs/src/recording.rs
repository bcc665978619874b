//! Motion as it was recorded, and at one fixed rate.

use super::{Values, angle};
use crate::files::FileRecord;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

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

/// A stretch of motion without gaps.
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
