//! The columns of a text log under their names, what stands in each, and what is read from them.

use super::super::header::{list, name_and_unit};
use super::super::{Input, ReadOptions};
use super::dialect::Dialect;
use super::names;
use crate::Channel;
use crate::error::Error;

/// What stands in a column.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Role {
    /// Nothing that matters.
    Skip,
    /// Nothing at all: a delimiter at the end of each row.
    Blank,
    /// Values of a channel that is not wanted and has none in some rows.
    Other,
    /// Values of an output.
    Value(usize),
    /// A list with an output, or none, for each item.
    List(Vec<Option<usize>>),
    /// The name of the joint of a slot.
    Name(usize),
    /// A kind of quantity, by number, of the joint of a slot.
    OfJoint { slot: usize, kind: usize },
}

/// A channel that is read, and may turn out to be none.
#[derive(Debug, Clone)]
pub(super) struct Output {
    pub channel: Channel,
    /// Asked for by its full name: it is a channel whatever it holds.
    pub asked: bool,
    /// Called as a counter is.
    pub counting: bool,
}

impl Output {
    pub fn new(channel: Channel, options: &ReadOptions) -> Self {
        let (asked, counting) = (options.asks_for(&channel.name), names::is_counting(&channel.name));
        Self { channel, asked, counting }
    }
}

/// Columns under their names.
pub(super) struct Columns<'a> {
    pub input: &'a Input<'a>,
    pub dialect: &'a Dialect,
    /// Names without units, each once.
    pub names: Vec<String>,
    pub units: Vec<Option<String>>,
    /// Of a column whose name stood there before: that column.
    pub twin_of: Vec<Option<usize>>,
}

impl<'a> Columns<'a> {
    pub fn new(input: &'a Input<'a>, dialect: &'a Dialect) -> Self {
        let cells: Vec<String> = dialect.names.iter().map(|name| names::joined(name)).collect();
        let named = cells.iter().map(|cell| name_and_unit(cell));
        let (names, units): (Vec<_>, Vec<_>) =
            named.map(|(name, unit)| (name.to_string(), unit.map(Into::into))).unzip();
        let (twin_of, names) = names::each_once(names);
        Self { input, dialect, names, units, twin_of }
    }

    /// The name as it stands in the header, without its unit.
    pub fn plain_name(&self, i: usize) -> &str {
        &self.names[self.twin_of[i].unwrap_or(i)]
    }

    /// Cells of a column in the first rows.
    pub fn sample(&self, i: usize) -> impl Iterator<Item = &'a str> {
        self.dialect.rows.iter().map(move |row| row.get(i).map_or("", String::as_str))
    }

    pub fn find(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| known == name)
    }

    pub fn all(&self) -> String {
        list(self.names.iter().filter(|n| !n.is_empty()).map(String::as_str))
    }

    pub fn error(&self, column: Option<&str>, found: impl Into<String>, expected: impl Into<String>) -> Error {
        Error::Log {
            path: self.input.path.clone(),
            line: Some(self.dialect.header_line),
            column: column.map(Into::into),
            found: found.into(),
            expected: expected.into(),
        }
    }

    pub fn is_blank(&self, i: usize) -> bool {
        self.names[i].is_empty() && self.sample(i).all(str::is_empty)
    }

    /// Whether the cells of a column count up from row to row.
    pub fn counts(&self, i: usize) -> bool {
        let values: Option<Vec<i64>> = self.sample(i).map(|cell| cell.parse().ok()).collect();
        values.is_some_and(|v| v.windows(2).all(|w| w[1].checked_sub(w[0]) == Some(1)))
    }
}
