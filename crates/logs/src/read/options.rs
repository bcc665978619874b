//! How logs are read.

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
    /// A step longer than this many median steps of the file is a gap. Above 1, default 1.5.
    pub max_gap: f64,
    /// The channels to keep, by name without unit; `*` stands for any characters. `None` keeps all.
    pub channels: Option<Vec<String>>,
    /// Channels to leave out, as in `channels`.
    pub ignore: Vec<String>,
    /// Channels that wrap, as in `channels`: their period is 2 pi for the unit rad or none, 360 for deg.
    pub wrap: Vec<String>,
    /// Name of the time column, default `time`. Its unit stands in the header (`[s]`, `[ms]`, `[us]`, `[ns]`); without
    /// one it is nanoseconds where every stamp is an integer and the median step at least 1000, else seconds.
    pub time_column: Option<String>,
    /// Name of the episode column. Without it the column `episode` is taken where there is one.
    pub episode_column: Option<String>,
    /// What separates the columns of a CSV file, an ASCII character, default `,`.
    pub delimiter: char,
    /// Numbers are written as `0,5` (with another delimiter than `,`).
    pub decimal_comma: bool,
    /// Rows per second of a log without times, above 0.
    pub hz: Option<f64>,
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

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            on_gap: OnGap::Error,
            max_gap: 1.5,
            channels: None,
            ignore: Vec::new(),
            wrap: Vec::new(),
            time_column: None,
            episode_column: None,
            delimiter: ',',
            decimal_comma: false,
            hz: None,
        }
    }
}

impl ReadOptions {
    pub(super) fn validate(&self) -> Result<()> {
        if !(self.max_gap.is_finite() && self.max_gap > 1.0) {
            return Err(Error::config("max_gap", self.max_gap, "a number of median steps above 1"));
        }
        if let Some(hz) = self.hz
            && !(hz.is_finite() && hz > 0.0)
        {
            return Err(Error::config("hz", hz, "a number of rows per second above 0"));
        }
        let delimiter = self.delimiter_byte()?;
        if self.decimal_comma && delimiter == b',' {
            return Err(Error::config("decimal_comma", true, "another delimiter than `,`"));
        }
        Ok(())
    }

    pub(super) fn delimiter_byte(&self) -> Result<u8> {
        u8::try_from(self.delimiter)
            .ok()
            .filter(|d| d.is_ascii() && !matches!(d, b'"' | b'\n' | b'\r'))
            .ok_or_else(|| Error::config("delimiter", self.delimiter.escape_default(), "one ASCII character"))
    }
}
