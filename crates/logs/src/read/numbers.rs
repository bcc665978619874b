//! What formats that hold numbers, and no text, read a log into: all columns, nothing chosen and nothing judged.

use super::header::{Selected, select};
use super::table::{Fault, FaultKind, Run, Table};
use super::{Input, ReadOptions};
use crate::error::Result;
use crate::files::FileRecord;
use crate::{Channel, Growing, SplitPart, Values};
use std::collections::BTreeMap;

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
    pub values: Values,
    /// `(rows,)` 1-based number of the row in the file, of the message on its topic; what stands for a line in
    /// messages.
    pub lines: Vec<u64>,
    /// The recorded episodes, in order; together they are all rows. Empty where the log is one.
    pub runs: Vec<Run>,
    /// What was guessed, left out or counted, a sentence each.
    pub notes: Vec<String>,
    /// What the episodes serve, where the log says it.
    pub parts: BTreeMap<String, SplitPart>,
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

/// The wanted ones of the columns: their places, and what they are as channels.
///
/// # Errors
/// [`crate::Error::Log`] for a log without columns, and as [`select`].
pub(crate) fn chosen(input: &Input, columns: &[Column], options: &ReadOptions) -> Result<Selected> {
    let named: Vec<(&str, Option<&str>)> = columns.iter().map(|c| (c.name.as_str(), c.unit.as_deref())).collect();
    // Names that are asked for are taken whatever they are.
    let taken = |column: &Column| !column.bookkeeping || options.asks_for(&column.name);
    let all: Vec<usize> = (0..columns.len()).filter(|i| taken(&columns[*i])).collect();
    if all.is_empty() {
        return Err(input.error("no column of measured values", "at least one"));
    }
    select(&input.path, &named, &all, options)
}

impl Numbers {
    /// The chosen columns as a table.
    ///
    /// # Errors
    /// [`crate::Error::Log`] for a log without rows or columns, and as [`select`].
    pub fn table(mut self, input: &Input, source: FileRecord, options: &ReadOptions) -> Result<Table> {
        let width = self.columns.len();
        let Selected { columns, channels, notes } = chosen(input, &self.columns, options)?;
        self.notes.extend(notes);
        if !columns.iter().copied().eq(0..width) {
            let (all, mut kept) = (std::mem::take(&mut self.values), vec![0.0; columns.len()]);
            self.values = Growing::filled(|values| {
                all.rows(width).try_for_each(|row| {
                    kept.iter_mut().zip(&columns).for_each(|(value, column)| *value = row[*column]);
                    values.extend(&kept)
                })
            })?;
        }
        self.of_channels(input, source, channels)
    }

    /// A table of channels, whose values are all that there are.
    ///
    /// # Errors
    /// [`crate::Error::Log`] for a log without rows.
    pub fn of_channels(mut self, input: &Input, source: FileRecord, channels: Vec<Channel>) -> Result<Table> {
        let rows = self.time_secs.len();
        if rows == 0 {
            return Err(input.error("no row", "at least one row of values"));
        }
        let mut faults = Vec::new();
        let mut check = |row: usize, channel: Option<usize>, value: f64| {
            let kind = if value.is_nan() { FaultKind::Nan } else { FaultKind::Infinite };
            faults.push(Fault { row, channel, kind, text: value.to_string() });
        };
        let mut infinite = Vec::new();
        for (row, (time, values)) in self.time_secs.iter().zip(self.values.rows(channels.len())).enumerate() {
            if !time.is_finite() {
                check(row, None, *time);
            }
            // Without branches, since nearly all rows are whole.
            if values.iter().fold(true, |whole, value| whole & value.is_finite()) {
                continue;
            }
            for (channel, value) in values.iter().enumerate().filter(|(_, value)| !value.is_finite()) {
                check(row, Some(channel), *value);
                infinite.push(row * channels.len() + channel);
            }
        }
        if !infinite.is_empty() {
            let values = &mut *self.values;
            infinite.into_iter().for_each(|at| values[at] = f64::NAN);
        }
        let whole = || vec![Run { episode: None, rows: 0..rows }];
        Ok(Table {
            path: input.path.clone(),
            source,
            time_column: self.time_column,
            channels,
            time_secs: self.time_secs,
            values: self.values,
            lines: self.lines,
            faults,
            runs: if self.runs.is_empty() { whole() } else { self.runs },
            notes: self.notes,
            parts: self.parts,
        })
    }
}
