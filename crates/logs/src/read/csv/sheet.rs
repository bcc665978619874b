//! The numbers of a text log before they are channels: what is a counter, what is empty, what unit time has.

use super::super::Input;
use super::super::options::TimeUnit;
use super::super::table::{Fault, FaultKind, Run, Table};
use super::super::units::guessed;
use super::columns::Output;
use crate::Values;
use crate::error::{Error, Result};
use crate::files::FileRecord;
use std::ops::Range;

/// A cell without anything in it, as a NaN of its own: sparse logs have more of them than numbers.
pub(super) const EMPTY: f64 = f64::from_bits(0x7ff8_0000_0000_e0e0);
/// A column of unknown name that counts by one over so many rows is an index.
const COUNTS: usize = 20;

/// Whether a value is an empty cell.
pub(super) fn is_empty(value: f64) -> bool {
    value.to_bits() == EMPTY.to_bits()
}

/// The numbers of a text log.
#[derive(Debug)]
pub(super) struct Sheet {
    /// What messages call the time.
    pub time_column: String,
    /// Unit of the stamps, where it is said.
    pub unit: Option<TimeUnit>,
    /// Whether stamps have a unit; else they are seconds.
    pub has_unit: bool,
    /// `(rows,)`.
    pub time: Vec<f64>,
    pub outputs: Vec<Output>,
    /// `(rows, outputs)`.
    pub values: Values,
    /// `(rows,)`.
    pub lines: Vec<u64>,
    /// Cells that are neither numbers nor empty; their channel is the output.
    pub faults: Vec<Fault>,
    pub runs: Vec<Run>,
    pub notes: Vec<String>,
}

impl Sheet {
    pub fn rows(&self) -> usize {
        self.time.len()
    }

    pub fn width(&self) -> usize {
        self.outputs.len()
    }

    /// Values of an output, by rows.
    pub fn column(&self, c: usize) -> impl Iterator<Item = f64> + '_ {
        self.column_in(0..self.rows(), c)
    }

    pub fn column_in(&self, rows: Range<usize>, c: usize) -> impl Iterator<Item = f64> + '_ {
        self.values[rows.start * self.width()..rows.end * self.width()].iter().skip(c).step_by(self.width()).copied()
    }

    pub fn error(&self, input: &Input, row: usize, column: Option<&str>, found: String, expected: String) -> Error {
        let line = self.lines.get(row).copied();
        Error::Log { path: input.path.clone(), line, column: column.map(Into::into), found, expected }
    }

    /// Takes out the columns that are no motion by what they hold: those that count, and those without any value.
    pub fn leave_out(&mut self) {
        let text: Vec<bool> = {
            let mut text = vec![false; self.width()];
            self.faults
                .iter()
                .filter(|f| f.kind != FaultKind::Nan)
                .filter_map(|f| f.channel)
                .for_each(|c| text[c] = true);
            text
        };
        let free = |c: &usize| !self.outputs[*c].asked;
        let all = || (0..self.width()).filter(free);
        let empty: Vec<usize> = all().filter(|c| !text[*c] && self.column(*c).all(f64::is_nan)).collect();
        let counting: Vec<usize> = all().filter(|c| !text[*c] && !empty.contains(c) && self.counts(*c)).collect();
        // Something has to be left, also of a log of nothing but an index.
        let mut out: Vec<usize> = Vec::new();
        let kinds = [(counting, "counts the rows", "count the rows"), (empty, "holds no value", "hold no value")];
        for (columns, one, many) in kinds {
            if columns.is_empty() || out.len() + columns.len() == self.width() {
                continue;
            }
            let names = columns.iter().map(|c| self.outputs[*c].channel.name.as_str());
            let verb = if columns.len() == 1 { one } else { many };
            self.notes.push(format!("{} {verb}: left out", super::super::header::list(names)));
            out.extend(columns);
        }
        if !out.is_empty() {
            self.keep(&(0..self.width()).filter(|c| !out.contains(c)).collect::<Vec<_>>());
        }
    }

    /// Whether an output counts up by the same from row to row.
    fn counts(&self, c: usize) -> bool {
        let output = &self.outputs[c];
        let (mut step, mut same, mut other, mut values) = (0.0, 0_usize, 0_usize, 0_usize);
        for run in &self.runs {
            let mut before: Option<f64> = None;
            for now in self.column_in(run.rows.clone(), c).filter(|v| !v.is_nan()) {
                values += 1;
                if now.fract().abs() > 0.0 {
                    return false;
                }
                let Some(before) = before.replace(now) else { continue };
                let by = now - before;
                if same + other == 0 {
                    step = by;
                }
                if (by - step).abs() > 0.0 {
                    other += 1
                } else {
                    same += 1
                }
                // By its name: frames may be missing. By its values alone: not one.
                let few = if output.counting { other > 2 + same / 10 } else { other > 0 };
                if few {
                    return false;
                }
            }
        }
        let known = output.counting && (same + other == 0 || step.abs() > 0.0 && same >= other);
        let unknown = output.channel.unit.is_none() && values >= COUNTS && (step - 1.0).abs() <= 0.0;
        known || unknown
    }

    /// Keeps these outputs, in their order.
    pub fn keep(&mut self, columns: &[usize]) {
        let width = self.width();
        let mut place: Vec<Option<usize>> = vec![None; width];
        columns.iter().enumerate().for_each(|(new, old)| place[*old] = Some(new));
        let mut kept = 0;
        let (rows, values) = (self.rows(), &mut *self.values);
        for row in 0..rows {
            for old in columns {
                values[kept] = values[row * width + old];
                kept += 1;
            }
        }
        self.values.truncate(kept);
        self.outputs = columns.iter().map(|c| self.outputs[*c].clone()).collect();
        self.faults.retain_mut(|fault| match fault.channel {
            None => true,
            Some(old) => {
                fault.channel = place[old];
                fault.channel.is_some()
            }
        });
    }

    /// Keeps the rows for which `kept` holds; episodes without rows vanish.
    pub fn keep_rows(&mut self, kept: &[bool]) {
        let width = self.width();
        let mut new_row = Vec::with_capacity(kept.len());
        let mut rows = 0;
        let values = &mut *self.values;
        for (row, keep) in kept.iter().enumerate() {
            new_row.push(rows);
            if *keep {
                self.time[rows] = self.time[row];
                self.lines[rows] = self.lines[row];
                values.copy_within(row * width..(row + 1) * width, rows * width);
                rows += 1;
            }
        }
        new_row.push(rows);
        self.time.truncate(rows);
        self.lines.truncate(rows);
        self.values.truncate(rows * width);
        self.faults.retain_mut(|fault| {
            let keep = kept[fault.row];
            fault.row = new_row[fault.row];
            keep
        });
        self.runs.iter_mut().for_each(|run| run.rows = new_row[run.rows.start]..new_row[run.rows.end]);
        self.runs.retain(|run| !run.rows.is_empty());
    }

    /// Brings the stamps to seconds.
    ///
    /// # Errors
    /// [`Error::Log`] where nothing says their unit.
    fn bring_to_secs(&mut self, input: &Input) -> Result<()> {
        if !self.has_unit {
            return Ok(());
        }
        let unit = match self.unit {
            Some(unit) => unit,
            None => {
                let in_run =
                    |run: &Run| self.time[run.rows.clone()].windows(2).map(|w| w[1] - w[0]).collect::<Vec<_>>();
                let (unit, note) = guessed(&self.time, &mut self.runs.iter().flat_map(in_run).collect())
                    .map_err(|(found, expected)| self.error(input, 0, Some(&self.time_column), found, expected))?;
                self.notes.extend(note);
                unit
            }
        };
        // Dividing by a whole number rounds once: 2040 ms become exactly the number written as 2.04.
        self.time.iter_mut().for_each(|t| *t /= unit.per_sec());
        Ok(())
    }

    /// The sheet as a table.
    ///
    /// # Errors
    /// [`Error::Log`] where nothing says the unit of its stamps.
    pub fn table(mut self, input: &Input, source: FileRecord) -> Result<Table> {
        self.bring_to_secs(input)?;
        let width = self.width();
        let mut faults = self.faults;
        let before = faults.len();
        for (row, values) in self.values.rows(width).enumerate() {
            let empty = values.iter().enumerate().filter(|(_, v)| is_empty(**v));
            let fault = |(c, _)| Fault { row, channel: Some(c), kind: FaultKind::Empty, text: String::new() };
            faults.extend(empty.map(fault));
        }
        if faults.len() > before {
            faults.sort_by_key(|fault| (fault.row, fault.channel));
        }
        Ok(Table {
            path: input.path.clone(),
            source,
            time_column: self.time_column,
            channels: self.outputs.into_iter().map(|output| output.channel).collect(),
            time_secs: self.time,
            values: self.values,
            lines: self.lines,
            faults,
            runs: self.runs,
            notes: self.notes,
            parts: Default::default(),
        })
    }
}
