//! How logs are read.

pub use super::units::TimeUnit;
use super::wrap::Wrap;
use crate::Channel;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// How logs are read.
///
/// ```
/// use ebmotion_logs::{OnGap, ReadOptions, Recording};
///
/// let options = ReadOptions {
///     on_gap: OnGap::Split,
///     ignore: vec!["temperature*".into()],
///     wrap: vec!["yaw".into()],
///     ..ReadOptions::default()
/// };
/// let log = b"time [ms],yaw [deg],temperature_1\n0,179,40\n10,-179,40\n20,-177,40\n200,0,41\n210,1,41\n";
/// let recording = Recording::from_bytes("head.csv", log, &options)?;
/// assert_eq!(recording.channels[0].period, Some(360.0));
/// assert_eq!(recording.episodes.len(), 2); // before and after the gap
/// # Ok::<(), ebmotion_logs::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReadOptions {
    /// What happens at a gap in time and at a cell without a finite number.
    pub on_gap: OnGap,
    /// A step longer than this many typical steps of the file is a gap. Above 1, default 1.5. From 2 on, where rows may
    /// be missing without a gap, missing rows and cells are interpolated up to there: linearly in time, along the
    /// shorter arc where a channel wraps.
    pub max_gap: f64,
    /// The channels to keep, by name without unit; `*` stands for any characters. `None` keeps all.
    pub channels: Option<Vec<String>>,
    /// Channels to leave out, as in `channels`.
    pub ignore: Vec<String>,
    /// Channels that wrap, as in `channels`, each alone or as `NAME=PERIOD`. Alone the period is 2 pi for the unit rad
    /// and 360 for deg; without a unit it is the one of the two at which the channel is seen to jump.
    pub wrap: Vec<String>,
    /// Name of the time column, or `FIRST+SECOND` for seconds and nanoseconds, or a date and a time of day, in two
    /// columns. Without it columns called `time`, `timestamp`, `%time` and the like are found.
    pub time_column: Option<String>,
    /// The topic of a log of ROS that is read, `NAME`, or `NAME#N` for the Nth of several streams on it. Without it the
    /// only topic with numbers, or the only one of joint states.
    pub topic: Option<String>,
    /// Unit of the time column. Without it the column's name or header says it, or else the size of the stamps.
    pub time_unit: Option<TimeUnit>,
    /// Whether dates of a text log that end in the year begin with the day or with the month. Without it a number above
    /// 12 says it, or that they are written with dots, which is day first.
    pub date_order: Option<DateOrder>,
    /// Rows per second of a text log without times, above 0.
    pub hz: Option<f64>,
    /// Name of the episode column. Without it `episode` or `episode_index` is taken where there is one.
    pub episode_column: Option<String>,
    /// What separates the columns of a text log, an ASCII character. Without it the log's content says it.
    pub delimiter: Option<char>,
    /// Whether numbers of a text log are written as `0,5`. Without it the log's content says it.
    pub decimal_comma: Option<bool>,
    /// Names of the columns, with units as in a header, of a text log that has no header.
    pub header: Option<Vec<String>>,
    /// Cells of a text log that stand for a missing value beside `nan`, `NA` and the like, such as `-9999`. Numbers
    /// are compared as numbers.
    pub missing: Vec<String>,
    /// The column that names the channel in a text log with a row for each channel and time.
    pub pivot: Option<String>,
    /// What the channels of a text log have where a row holds only those of another rate.
    pub fill: Option<Fill>,
    /// What happens where rows repeat a time or come between those of another source.
    pub on_repeat: OnRepeat,
    /// What happens where time runs backwards.
    pub on_backwards: OnBackwards,
    /// The channels of a model, where a log is read for one: they are taken by name and in this order, others are left
    /// out, with a note. In place of `channels`, `ignore` and `wrap`.
    #[serde(skip)]
    pub of_model: Option<Vec<Channel>>,
    /// Keeps what is missing as missing, where a log is read to be filled: a cell without a finite number is NaN, and
    /// rows of NaN stand where up to a thousand rows are missing. In place of `on_gap`.
    #[serde(skip)]
    pub keep_missing: bool,
}

/// How channels of several rates are brought to the stamps of the fastest one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fill {
    /// By the last value before.
    Last,
    /// By the straight line between the values around.
    Linear,
}

/// What dates that end in the year begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DateOrder {
    /// As in `17/04/2025`.
    DayFirst,
    /// As in `04/17/2025`.
    MonthFirst,
}

/// What to do where a log has a gap: missing rows, or cells without a finite number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnGap {
    /// Refuse the log and say where the gap is.
    #[default]
    Error,
    /// End the episode before the gap and begin another one after it. A row with a cell that is not a finite number
    /// is left out.
    Split,
}

/// What to do with rows at the time of another row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnRepeat {
    /// Refuse the log and say where the first one is.
    #[default]
    Error,
    /// Leave out rows that repeat the row above in time and all values, and rows of a second source: far closer to
    /// another row than the log's pace, and not on the way between their neighbours.
    Drop,
    /// Spread rows with the same time, or nearly, evenly up to the next time. Where most rows share a stamp (too few
    /// digits, bursts of rows) all rows between gaps are put on the straight line fitted to their stamps.
    Spread,
}

/// What to do where the time of a row lies before that of the row above.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnBackwards {
    /// Refuse the log and say where.
    #[default]
    Error,
    /// Sort the rows of an episode by time: rows that were swapped.
    Sort,
    /// Begin another episode: a clock that was set back, a log that begins anew.
    Split,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            on_gap: OnGap::Error,
            max_gap: 1.5,
            channels: None,
            ignore: Vec::new(),
            wrap: Vec::new(),
            time_column: None,
            topic: None,
            time_unit: None,
            date_order: None,
            hz: None,
            episode_column: None,
            delimiter: None,
            decimal_comma: None,
            header: None,
            missing: Vec::new(),
            pivot: None,
            fill: None,
            on_repeat: OnRepeat::Error,
            on_backwards: OnBackwards::Error,
            of_model: None,
            keep_missing: false,
        }
    }
}

impl ReadOptions {
    pub(super) fn validate(&self) -> Result<()> {
        if !(self.max_gap.is_finite() && self.max_gap > 1.0) {
            return Err(Error::config("max_gap", self.max_gap, "a number of typical steps above 1"));
        }
        if self.decimal_comma == Some(true) && self.delimiter_byte()? == Some(b',') {
            return Err(Error::config("decimal_comma", true, "another delimiter than `,`"));
        }
        if let Some(hz) = self.hz
            && !(hz.is_finite() && hz > 0.0)
        {
            return Err(Error::config("hz", hz, "a number of rows per second above 0"));
        }
        self.wrap.iter().try_for_each(|text| Wrap::parse(text).map(|_| ()))
    }

    /// Whether missing rows are interpolated: a step over one of them is two steps long.
    pub(super) fn bridges(&self) -> bool {
        self.max_gap >= 2.0
    }

    /// The delimiter, where one is set.
    pub(super) fn delimiter_byte(&self) -> Result<Option<u8>> {
        let Some(set) = self.delimiter else { return Ok(None) };
        let usable = u8::try_from(set).ok().filter(|d| d.is_ascii() && !matches!(d, b'"' | b'\n' | b'\r'));
        usable.map(Some).ok_or_else(|| Error::config("delimiter", set.escape_default(), "one ASCII character"))
    }

    /// Whether a column is asked for by its full name.
    pub(super) fn asks_for(&self, name: &str) -> bool {
        self.channels.as_ref().is_some_and(|wanted| wanted.iter().any(|w| w == name))
            || self.of_model.as_ref().is_some_and(|model| model.iter().any(|c| c.name == name))
    }
}
