//! Reads the rows of a text log, keeping nothing but their numbers.

use super::super::table::{Fault, FaultKind, Run};
use super::super::{Input, ReadOptions};
use super::batches::{Row, for_each};
use super::cell::{Cells, NoNumber, is_nothing, list};
use super::columns::Role;
use super::dialect::{Dialect, not_utf8};
use super::layout::Layout;
use super::records::Records;
use super::sheet::{EMPTY, Sheet};
use crate::error::{Error, Result};
use crate::{Growing, Values};
use std::collections::{HashMap, HashSet};

/// Longest piece of a cell that a message shows, letters.
const SHOWN: usize = 60;

/// The rows of a log, and of a log with a row for each channel what each row's channel is.
pub(super) struct Rows<'a> {
    input: &'a Input<'a>,
    layout: &'a Layout,
    cells: Cells,
    /// All but its values, which are in `values`.
    sheet: Sheet,
    values: Growing,
    /// Values of the present row.
    row: Vec<f64>,
    /// Columns of the header.
    columns: usize,
    /// Where the columns begin that have neither name nor values.
    named: usize,
    /// Episodes that were left.
    done: HashSet<String>,
    /// Lines at which episodes begin.
    begun: HashMap<String, u64>,
    /// Names of joints in the present row, and which joint each slot is.
    slots: Vec<(Vec<u8>, usize)>,
    /// Rows in which only other columns have values.
    of_others: usize,
    keys: Keys,
}

/// What each row of a log with a row for each channel is about.
#[derive(Debug, Default)]
pub(super) struct Keys {
    pub names: Vec<String>,
    index: HashMap<String, u32>,
    /// `(rows,)`.
    pub of_row: Vec<u32>,
}

/// Reads the rows of `input`.
///
/// # Errors
/// [`Error::Io`] where it cannot be read; [`Error::Log`] for rows of another length than the header, lists of another
/// length, joints that are not known, numbers that might be others, episodes in two places, and as
/// [`Records::advance`].
pub(super) fn read(input: &Input, dialect: &Dialect, layout: &Layout, options: &ReadOptions) -> Result<(Sheet, Keys)> {
    let records = Records::new(input, dialect.delimiter, dialect.first_line)?;
    let named = layout.roles.iter().rposition(|role| *role != Role::Blank).map_or(0, |i| i + 1);
    let sheet = Sheet {
        time_column: layout.time_column.clone(),
        unit: layout.unit,
        has_unit: layout.time.has_unit(),
        time: Vec::new(),
        outputs: layout.outputs.clone(),
        values: Values::default(),
        lines: Vec::new(),
        faults: Vec::new(),
        runs: Vec::new(),
        notes: [&dialect.notes[..], &layout.notes[..]].concat(),
    };
    let mut rows = Rows {
        input,
        layout,
        cells: Cells::new(dialect.decimal_comma, options),
        row: vec![EMPTY; sheet.outputs.len()],
        sheet,
        values: Growing::default(),
        columns: layout.roles.len(),
        named,
        done: HashSet::new(),
        begun: HashMap::new(),
        slots: Vec::new(),
        of_others: 0,
        keys: Keys::default(),
    };
    let records = for_each(records, |row| rows.add(row))?;
    rows.end(&records, dialect)
}

impl Rows<'_> {
    /// Adds a row.
    fn add(&mut self, row: &Row) -> Result<()> {
        self.check_length(row)?;
        self.row.fill(EMPTY);
        if !self.layout.joints.is_empty() {
            self.name_slots(row)?;
        }
        let layout = self.layout;
        for (i, role) in layout.roles.iter().enumerate() {
            match role {
                Role::Value(output) => match self.cells.plain(row.field(i)) {
                    Some(value) => self.row[*output] = value,
                    None => self.put(row, i, *output)?,
                },
                Role::List(items) => self.put_list(row, i, items)?,
                Role::OfJoint { slot, kind } => {
                    let joint = self.slots.get(*slot).map_or(0, |(_, joint)| *joint);
                    if let Some(output) = layout.of_joint[*kind][joint] {
                        self.put(row, i, output)?;
                    }
                }
                Role::Blank if !row.field(i).is_empty() => {
                    let found = format!("`{}` in a column without a name", shown(row.field(i)));
                    return Err(self.error(row, Some(&(i + 1).to_string()), found, "a name for every column"));
                }
                Role::Skip | Role::Blank | Role::Other | Role::Name(_) => {}
            }
        }
        if self.is_of_others(row) {
            self.of_others += 1;
            let number = self.sheet.rows();
            while self.sheet.faults.pop_if(|fault| fault.row == number).is_some() {}
            return Ok(());
        }
        if let Some(key) = layout.pivot {
            self.key(row, key)?;
        }
        self.values.extend(&self.row)?;
        self.sheet.lines.push(row.line());
        self.episode(row)?;
        self.stamp(row)
    }

    /// A row has as many fields as the header; those without a name at its end may be missing, an empty one more be
    /// there.
    fn check_length(&self, row: &Row) -> Result<()> {
        let fields = row.len();
        let empty_end = |from: usize| (from..fields).all(|i| row.field(i).is_empty());
        if fields < self.named || fields > self.columns && !empty_end(self.columns) {
            let found = format!("a row of {fields} fields");
            return Err(self.error(row, None, found, &format!("{} fields as in the header", self.columns)));
        }
        Ok(())
    }

    fn put(&mut self, row: &Row, column: usize, output: usize) -> Result<()> {
        let cell = row.field(column);
        match self.cells.number(cell) {
            Ok(value) => self.row[output] = value,
            Err(NoNumber::Fault(FaultKind::Empty)) => {}
            Err(why) => self.fault(row, column, Some(output), why, cell)?,
        }
        Ok(())
    }

    fn put_list(&mut self, row: &Row, column: usize, items: &[Option<usize>]) -> Result<()> {
        let cell = row.field(column);
        if cell.is_empty() {
            return Ok(());
        }
        let name = self.list_name(items);
        let Some(found) = list(cell) else {
            let found = format!("`{}`", shown(cell));
            return Err(self.error(row, Some(&name), found, "a list of numbers as in the first row"));
        };
        let found: Vec<&[u8]> = found.collect();
        if found.len() != items.len() {
            let expected = format!("{} as in the first row", items.len());
            return Err(self.error(row, Some(&name), format!("a list of {} numbers", found.len()), &expected));
        }
        for (item, output) in found.iter().zip(items) {
            let Some(output) = *output else { continue };
            match self.cells.number(item) {
                Ok(value) => self.row[output] = value,
                Err(why) => self.fault(row, column, Some(output), why, item)?,
            }
        }
        Ok(())
    }

    fn list_name(&self, items: &[Option<usize>]) -> String {
        let output = items.iter().flatten().next().map(|output| &self.layout.outputs[*output].channel.name);
        output
            .map_or_else(String::new, |name| name.rsplit_once('[').map_or(name.as_str(), |(name, _)| name).to_string())
    }

    /// Notes a cell that is no number; one that would be another number is refused at once.
    fn fault(&mut self, row: &Row, column: usize, channel: Option<usize>, why: NoNumber, cell: &[u8]) -> Result<()> {
        let name = channel.map_or(&self.layout.time_column, |c| &self.layout.outputs[c].channel.name);
        let kind = match why {
            NoNumber::Fault(kind) => kind,
            NoNumber::Dot => {
                let found = format!("`{}`, a dot in a log of decimal commas", shown(cell));
                let expected = "numbers with a comma and without separators of thousands (`decimal_comma = false` for \
                                a log of decimal dots)";
                return Err(self.error(row, Some(name), found, expected));
            }
        };
        if let Err(e) = std::str::from_utf8(cell)
            && let Some(byte) = cell.get(e.valid_up_to())
        {
            return Err(not_utf8(self.input, row.line(), column, *byte));
        }
        if let Some(channel) = channel {
            self.row[channel] = f64::NAN;
        }
        let text = String::from_utf8_lossy(cell).into_owned();
        self.sheet.faults.push(Fault { row: self.sheet.rows(), channel, kind, text });
        Ok(())
    }

    /// Finds which joint stands in each slot.
    fn name_slots(&mut self, row: &Row) -> Result<()> {
        for (i, role) in self.layout.roles.iter().enumerate() {
            let Role::Name(slot) = role else { continue };
            let cell = row.field(i);
            if self.slots.get(*slot).is_some_and(|(known, _)| known == cell) {
                continue;
            }
            let Some(joint) = self.layout.joints.iter().position(|joint| joint.as_bytes() == cell) else {
                let found = format!("the joint `{}`", shown(cell));
                let known = super::super::header::list(self.layout.joints.iter().map(String::as_str));
                return Err(self.error(
                    row,
                    Some(&format!("{}", i + 1)),
                    found,
                    &format!("one of {known} as in the first row"),
                ));
            };
            self.slots.resize((*slot + 1).max(self.slots.len()), (Vec::new(), 0));
            self.slots[*slot] = (cell.to_vec(), joint);
        }
        let mut seen = vec![false; self.layout.joints.len()];
        for (name, joint) in &self.slots {
            if std::mem::replace(&mut seen[*joint], true) {
                let found = format!("the joint `{}` twice", shown(name));
                return Err(self.error(row, None, found, "each joint once a row"));
            }
        }
        Ok(())
    }

    /// Whether only columns that are not wanted have values in this row: it is one of another topic.
    fn is_of_others(&self, row: &Row) -> bool {
        let outputs = self.layout.outputs.iter().zip(&self.row);
        let none = outputs.filter(|(output, _)| !output.counting).all(|(_, value)| value.is_nan());
        let number = self.sheet.rows();
        let of_row = self.sheet.faults.iter().rev().take_while(|fault| fault.row == number);
        let other = |(i, role): (usize, &Role)| {
            *role == Role::Other && !is_nothing(std::str::from_utf8(row.field(i)).unwrap_or("text"))
        };
        none && of_row.into_iter().all(|fault| fault.kind == FaultKind::Nan)
            && self.layout.roles.iter().enumerate().any(other)
    }

    /// The channel that a row is about, where each row is about one.
    fn key(&mut self, row: &Row, column: usize) -> Result<()> {
        let name = String::from_utf8_lossy(row.field(column)).into_owned();
        if name.is_empty() {
            return Err(self.error(
                row,
                Some(&(column + 1).to_string()),
                "an empty cell".into(),
                "the name of the row's channel",
            ));
        }
        let keys = &mut self.keys;
        let number = *keys.index.entry(name.clone()).or_insert_with(|| {
            keys.names.push(name);
            keys.names.len() as u32 - 1
        });
        keys.of_row.push(number);
        Ok(())
    }

    /// Puts the row into its episode.
    fn episode(&mut self, row: &Row) -> Result<()> {
        let number = self.sheet.rows();
        let episode = self.layout.episode.as_ref();
        let id = episode.map(|(i, _)| std::str::from_utf8(row.field(*i)).unwrap_or_default());
        if let Some(run) = self.sheet.runs.last_mut()
            && run.episode.as_deref() == id
        {
            run.rows.end += 1;
            return Ok(());
        }
        if let (Some(id), Some((_, column))) = (id, &self.layout.episode) {
            if id.is_empty() {
                return Err(self.error(row, Some(column), "an empty cell".into(), "the row's episode"));
            }
            if let Some(before) = self.sheet.runs.last().and_then(|run| run.episode.clone()) {
                self.done.insert(before);
            }
            if self.done.contains(id) {
                let first = self.begun.get(id).copied().unwrap_or_default();
                let found = format!("episode `{id}` again, after other episodes (it began at line {first})");
                return Err(self.error(row, Some(column), found, "the rows of an episode one after the other"));
            }
            self.begun.insert(id.into(), row.line());
        }
        self.sheet.runs.push(Run { episode: id.map(Into::into), rows: number..number + 1 });
        Ok(())
    }

    /// Adds the row's time.
    fn stamp(&mut self, row: &Row) -> Result<()> {
        let number = self.sheet.rows();
        let place = self.sheet.runs.last().map_or(0, |run| number - run.rows.start);
        match self.layout.time.read(row, &self.cells, place) {
            Ok(time) => self.sheet.time.push(time),
            Err(why) => {
                let cell = self.layout.time.shown(row).into_bytes();
                let column = self.layout.time.columns().first().copied().unwrap_or_default();
                // A log whose first stamp cannot be read has none that can.
                if number == 0 && why == NoNumber::Fault(FaultKind::Text) {
                    let expected = "a time as a number, or as date and time such as 2025-04-17T17:00:08.02+02:00";
                    let name = self.layout.time_column.clone();
                    return Err(self.error(row, Some(&name), format!("`{}`", shown(&cell)), expected));
                }
                self.fault(row, column, None, why, &cell)?;
                self.sheet.time.push(f64::NAN);
            }
        }
        Ok(())
    }

    /// Says what was at the end and beside the rows.
    fn end(mut self, records: &Records, dialect: &Dialect) -> Result<(Sheet, Keys)> {
        let path = self.input.path.display();
        let notes = &mut self.sheet.notes;
        if let Some(line) = records.rest.row {
            notes.push(format!("{path}, line {line}: the last row has no end and is left out"));
        }
        if records.rest.zeros > 0 {
            notes.push(format!("{path}: {} bytes of value 0 at the end are left out", records.rest.zeros));
        }
        if records.comments > 0 {
            notes.push(format!("{path}: {} comment lines between the rows are left out", records.comments));
        }
        if self.of_others > 0 {
            notes.push(format!("{path}: {} rows hold none of the chosen channels and are left out", self.of_others));
        }
        if self.sheet.rows() == 0 {
            let found =
                if self.of_others > 0 { "no row with a value of the chosen channels" } else { "a header and no rows" };
            return Err(Error::Log {
                path: self.input.path.clone(),
                line: Some(dialect.header_line),
                column: None,
                found: found.into(),
                expected: "at least one row of values".into(),
            });
        }
        self.sheet.values = self.values.finish()?;
        Ok((self.sheet, self.keys))
    }

    fn error(&self, row: &Row, column: Option<&str>, found: String, expected: &str) -> Error {
        Error::Log {
            path: self.input.path.clone(),
            line: Some(row.line()),
            column: column.map(Into::into),
            found,
            expected: expected.into(),
        }
    }
}

/// A cell for a message: its first letters, none that would not be seen.
fn shown(cell: &[u8]) -> String {
    let text = String::from_utf8_lossy(cell);
    let mut short: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    if text.chars().count() > SHOWN {
        short += "...";
    }
    short
}
