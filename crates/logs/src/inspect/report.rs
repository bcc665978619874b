//! What can be found in a log.

use super::options::JointLimits;
use crate::Channel;
use crate::files::FileRecord;
use serde::Serialize;

/// What [`inspect`](super::inspect) found in some logs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspection {
    /// Files with the same channels and units, together; more than one group cannot be read as one recording.
    pub groups: Vec<LogGroup>,
}

/// Files with the same channels.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LogGroup {
    /// The files.
    pub sources: Vec<FileRecord>,
    /// Rows in all files.
    pub rows: usize,
    /// Each recorded episode, in file order.
    pub episodes: Vec<EpisodeReport>,
    /// Each channel, over all episodes.
    pub channels: Vec<ChannelReport>,
    /// Channels that go beyond the limits that were given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub beyond_limits: Vec<BeyondLimits>,
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
    /// One over the median step; `None` with fewer than two different times.
    pub rate_hz: Option<f64>,
    /// Standard deviation of the regular steps (within half a median of the median) as a share of the median step.
    pub jitter: Option<f64>,
    /// Gaps, counted after sorting by time.
    pub gaps: Option<GapReport>,
    /// Rows whose time lies before that of the row above.
    pub backwards: usize,
    /// Line of the first of them.
    pub backwards_line: Option<u64>,
    /// Rows that lie, after sorting, less than half a median step after another one: repeated rows or stamps.
    pub repeated: usize,
    /// Line of the first of them.
    pub repeated_line: Option<u64>,
    /// Rows whose time is not a finite number.
    pub bad_times: usize,
}

/// Steps longer than the allowed number of median steps.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GapReport {
    /// Number of gaps.
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
    /// Stretches of more than one second with exactly the same value while other channels move.
    pub stuck_holds: usize,
    /// Steps of nearly a whole period within a range of a period: an angle that wraps.
    pub wrap_jumps: usize,
    /// The period that those steps suggest, where none is declared.
    pub suspected_period: Option<f64>,
}

/// A channel that goes where, or as fast as, its joint cannot.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BeyondLimits {
    /// Its limits.
    #[serde(flatten)]
    pub limits: JointLimits,
    /// Values outside the limits by more than a thousandth of the range.
    pub values: Option<Beyond>,
    /// Steps that are faster than the limit; a step counts as long as the median step at least.
    pub steps: Option<Beyond>,
}

/// Values or steps beyond a limit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Beyond {
    /// How many.
    pub count: usize,
    /// The one farthest beyond: a value, or a speed without its sign.
    pub worst: f64,
    /// File of the first.
    pub first_path: String,
    /// Line of the first.
    pub first_line: u64,
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
    /// Its steps at the episode's median step, seconds.
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
    /// It keeps exactly its value for more than one second while other channels move.
    Run,
}
