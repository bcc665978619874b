//! What formats that hold numbers, and no text, read a log into: all columns, nothing chosen and nothing judged.

use super::header::select;
use super::table::{Fault, FaultKind, Run, Table};
use super::{Input, ReadOptions};
use crate::error::Result;
use crate::files::FileRecord;

/// A column beside the time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    /// Name, without the unit.
    pub name: String,
    /// Unit, where the log or its format says one.
    pub unit: Option<String>,
    /// Whether it is no motion: an index, a counter, a label. Such a column is taken only where it is asked for by
    /// name.
    pub bookkeeping: bool,
}

/// The numbers of one log.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    /// What messages call the time.
    pub time_column: String,
    /// `(rows,)` seconds.
    pub time_secs: Vec<f64>,
    /// The columns.
    pub columns: Vec<Column>,
    /// `(rows, columns)`; NaN where the log has no number.
    pub values: Vec<f64>,
    /// `(rows,)` 1-based number of the row in the file, of the message on its topic; what stands for a line in
    /// messages.
    pub lines: Vec<u64>,
    /// The recorded episodes, in order; together they are all rows. Empty where the log is one.
    pub runs: Vec<Run>,
    /// What was guessed, left out or counted, a sentence each.
    pub notes: Vec<String>,
}

/// Whether `channels` asks for columns that are no motion: a pattern begins with the name of what they are.
#[cfg(any(feature = "parquet", feature = "numpy", feature = "hdf5"))]
pub(crate) fn asks_for(options: &ReadOptions, name: &str) -> bool {
    let begins = |pattern: &String| {
        let rest = pattern.strip_prefix(name);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[', '*']))
    };
    options.channels.as_ref().is_some_and(|patterns| patterns.iter().any(begins))
}

impl Numbers {
    /// The chosen columns as a table.
    ///
    /// # Errors
    /// [`crate::Error::Log`] for a log without rows or columns, and as [`select`].
    pub fn table(self, input: &Input, source: FileRecord, options: &ReadOptions) -> Result<Table> {
        let rows = self.time_secs.len();
        let width = self.columns.len();
        if rows == 0 {
            return Err(input.error("no row", "at least one row of values"));
        }
        let named: Vec<(&str, Option<&str>)> =
            self.columns.iter().map(|c| (c.name.as_str(), c.unit.as_deref())).collect();
        // Names that are asked for are taken whatever they are.
        let asked = |name: &str| {
            let named = |wanted: &Vec<String>| wanted.iter().any(|w| w == name);
            options.channels.as_ref().is_some_and(named)
        };
        let all: Vec<usize> =
            (0..width).filter(|i| !self.columns[*i].bookkeeping || asked(&self.columns[*i].name)).collect();
        if all.is_empty() {
            return Err(input.error("no column of measured values", "at least one"));
        }
        let (columns, channels) = select(&input.path, &named, &all, options)?;
        let mut values = Vec::with_capacity(rows * columns.len());
        let mut faults = Vec::new();
        let fault = |row: usize, channel: Option<usize>, value: f64| Fault {
            row,
            channel,
            kind: if value.is_nan() { FaultKind::Nan } else { FaultKind::Infinite },
            text: value.to_string(),
        };
        for row in 0..rows {
            let time = self.time_secs[row];
            if !time.is_finite() {
                faults.push(fault(row, None, time));
            }
            for (channel, column) in columns.iter().enumerate() {
                let value = self.values[row * width + column];
                if !value.is_finite() {
                    faults.push(fault(row, Some(channel), value));
                }
                values.push(if value.is_finite() { value } else { f64::NAN });
            }
        }
        let whole = || vec![Run { episode: None, rows: 0..rows }];
        Ok(Table {
            path: input.path.clone(),
            source,
            time_column: self.time_column,
            channels,
            time_secs: self.time_secs,
            values,
            lines: self.lines,
            faults,
            runs: if self.runs.is_empty() { whole() } else { self.runs },
            notes: self.notes,
        })
    }
}
