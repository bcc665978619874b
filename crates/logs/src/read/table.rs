//! What every format reads a file into: all its rows, with the faults noted and nothing judged.

use crate::error::Error;
use crate::files::FileRecord;
use crate::{Channel, SplitPart, Values};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

/// The rows of one file. Cells that are not finite numbers are NaN in the arrays and listed in `faults`.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    pub path: PathBuf,
    pub source: FileRecord,
    /// Name of the time column, without its unit.
    pub time_column: String,
    /// The selected channels.
    pub channels: Vec<Channel>,
    /// `(rows,)` seconds.
    pub time_secs: Vec<f64>,
    /// `(rows, D)`.
    pub values: Values,
    /// `(rows,)`: 1-based line in the file.
    pub lines: Vec<u64>,
    /// Cells that are not finite numbers, in file order.
    pub faults: Vec<Fault>,
    /// The recorded episodes, in file order; together they are all rows.
    pub runs: Vec<Run>,
    /// What was guessed, left out or counted while reading, a sentence each.
    pub notes: Vec<String>,
    /// What recorded episodes serve, by the value of the episode column, where the log says it.
    pub parts: BTreeMap<String, SplitPart>,
}

/// A recorded episode: consecutive rows with the same value in the episode column.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    /// The episode column's value; `None` where there is no such column.
    pub episode: Option<String>,
    pub rows: Range<usize>,
}

/// A cell that is not a finite number.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub row: usize,
    /// Channel, or `None` for the time column.
    pub channel: Option<usize>,
    pub kind: FaultKind,
    /// The cell.
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FaultKind {
    Empty,
    Nan,
    Infinite,
    Text,
}

impl Fault {
    /// What an error says was found.
    pub fn found(&self) -> String {
        match self.kind {
            FaultKind::Empty => "an empty cell".into(),
            FaultKind::Infinite => format!("`{}`, an infinite value", self.text),
            FaultKind::Nan | FaultKind::Text => format!("`{}`", self.text),
        }
    }
}

impl Table {
    pub fn rows(&self) -> usize {
        self.time_secs.len()
    }

    /// Name of a channel, or of the time column for `None`.
    pub fn column(&self, channel: Option<usize>) -> &str {
        channel.map_or(&self.time_column, |c| &self.channels[c].name)
    }

    /// An error at a row and a column.
    pub fn error(
        &self,
        row: usize,
        channel: Option<usize>,
        found: impl Into<String>,
        expected: impl Into<String>,
    ) -> Error {
        Error::Log {
            path: self.path.clone(),
            line: self.lines.get(row).copied(),
            column: Some(self.column(channel).to_string()),
            found: found.into(),
            expected: expected.into(),
        }
    }
}
