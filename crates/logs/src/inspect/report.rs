//! What can be found in a log.

use super::{LogFinding, Severity};
use crate::Channel;
use crate::files::FileRecord;
use serde::Serialize;

/// The first word of an inspection as JSON: its form, which `docs/inspect.md` describes.
pub(super) const FORMAT: &str = "ebmotion inspection 1";

/// What [`inspect`](super::inspect) found in some logs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspection {
    /// Always `ebmotion inspection 1`.
    pub format: &'static str,
    /// Everything that was found, the gravest first.
    pub findings: Vec<LogFinding>,
    /// Files with the same channels and units, together; more than one group cannot be read as one recording.
    pub groups: Vec<LogGroup>,
}

impl Inspection {
    /// The gravest severity of all findings; `None` where nothing was found.
    pub fn gravest(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.severity).max()
    }
}

/// Files with the same channels.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LogGroup {
    /// The files.
    pub sources: Vec<FileRecord>,
    /// Rows in all files.
    pub rows: usize,
    /// The rate of training, frames per second; where reading refuses the files, that of their rows in the order of
    /// time. `None` with fewer than two different times.
    pub rate_hz: Option<f64>,
    /// What was guessed, left out or counted while reading, a sentence each.
    pub notes: Vec<String>,
    /// Each recorded episode, in file order.
    pub episodes: Vec<EpisodeReport>,
    /// Each channel, over all episodes.
    pub channels: Vec<ChannelReport>,
    /// The course of each channel, to be drawn; not in the JSON.
    #[serde(skip)]
    pub curves: Vec<ChannelCurve>,
}

/// The time of one recorded episode.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EpisodeReport {
    /// Name.
    pub id: String,
    /// File.
    pub path: String,
    /// Rows.
    pub rows: usize,
    /// From the earliest to the latest time stamp, seconds.
    pub duration_secs: f64,
    /// Its rate by itself, told as training does; `None` with fewer than two different times.
    pub rate_hz: Option<f64>,
    /// Standard deviation of the steps, those over missing rows left out, as a share of the usual step.
    pub jitter: Option<f64>,
    /// Missing rows, counted after sorting by time. A long step that the steps around it make up for is none.
    pub gaps: Option<GapReport>,
    /// Rows whose time lies before that of the row above.
    pub backwards: usize,
    /// Line of the first of them.
    pub backwards_line: Option<u64>,
    /// Rows at exactly the time of another one: repeated rows or stamps.
    pub repeated: usize,
    /// Line of the first of them.
    pub repeated_line: Option<u64>,
    /// Rows whose time is not a finite number.
    pub bad_times: usize,
}

/// Missing rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GapReport {
    /// Number of steps over them.
    pub count: usize,
    /// Frames missing in all gaps together.
    pub missing_frames: usize,
    /// Longest step, seconds.
    pub longest_secs: f64,
    /// Line of the first row after the longest gap.
    pub longest_line: u64,
    /// Time at which the longest gap begins, seconds, as recorded.
    pub longest_from_secs: f64,
}

/// The values of one channel.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChannelReport {
    /// Name, unit and declared period.
    #[serde(flatten)]
    pub channel: Channel,
    /// Cells with a finite number, over which all figures are taken.
    pub values: usize,
    /// Smallest value.
    pub min: Option<f64>,
    /// Largest value.
    pub max: Option<f64>,
    /// Mean.
    pub mean: Option<f64>,
    /// Population standard deviation.
    pub std: Option<f64>,
    /// Share of steps in which the value changes: a sensor read less often than logged shows here.
    pub changes: Option<f64>,
    /// Cells without a finite number.
    pub faults: ChannelFaults,
    /// The longest stretch with exactly the same value.
    pub longest_hold: Option<ConstantStretch>,
    /// Whether the channel stands still when it should not.
    pub stuck: Option<Stuck>,
    /// Stretches of more than one second with exactly the same value while other channels move, of a channel that
    /// changes all the time otherwise.
    pub stuck_holds: usize,
    /// Steps of a whole period but for the motion before and after: an angle that wraps.
    pub wrap_jumps: usize,
    /// The period of those steps, where none is declared.
    pub suspected_period: Option<f64>,
}

/// Cells that hold no finite number.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ChannelFaults {
    /// Empty cells.
    pub empty: usize,
    /// NaN.
    pub nan: usize,
    /// Infinite values.
    pub infinite: usize,
    /// Cells that are no numbers.
    pub text: usize,
    /// File of the first of them.
    pub first_path: Option<String>,
    /// Line of the first of them.
    pub first_line: Option<u64>,
}

impl ChannelFaults {
    /// All of them together.
    pub fn total(&self) -> usize {
        self.empty + self.nan + self.infinite + self.text
    }
}

/// A stretch of one episode with exactly the same value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ConstantStretch {
    /// The episode.
    pub episode: String,
    /// Line of its first row.
    pub line: u64,
    /// Rows.
    pub frames: usize,
    /// From its first to its last row, seconds.
    pub secs: f64,
    /// The value.
    pub value: f64,
}

/// How a channel stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stuck {
    /// It never changes.
    Constant,
    /// It keeps exactly one value for more than one second while other channels move, although it changes all the time
    /// otherwise.
    Run,
}

/// The course of a channel over all rows of a group, in the order of the files.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ChannelCurve {
    /// Rows that each point stands for; the last one may stand for fewer.
    pub rows_per_point: usize,
    /// Least and largest value of each point; `None` where there is no finite number.
    pub points: Vec<Option<(f64, f64)>>,
}
