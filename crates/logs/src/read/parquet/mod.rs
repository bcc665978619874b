//! Parquet: a table of named columns. Time, episode and channels are told by the columns' names, as those of CSV.

mod bytes;
mod file;
mod leaf;
mod numbers;

use super::header::Selected;
use super::header::{list, name_and_unit};
use super::numbers::{Column, Numbers, chosen};
use super::options::TimeUnit;
use super::roles::{episode, is_bookkeeping, name_unit, time, units_per_sec};
use super::runs::runs;
use super::table::{Run, Table};
use super::{Input, ReadOptions};
use crate::Channel;
use crate::error::Result;
pub(super) use file::{ParquetFile, Place};
use leaf::Kind;
use std::collections::HashSet;

/// Reads a table with named columns.
pub(super) fn read(input: &Input, options: &ReadOptions) -> Result<Table> {
    // The hash takes as long as the numbers do.
    std::thread::scope(|scope| {
        let source = scope.spawn(|| input.record(&[]));
        let (numbers, channels) = wanted(input, options)?;
        let source = source.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        numbers.of_channels(input, source, channels)
    })
}

/// The numbers of the chosen channels.
fn wanted(input: &Input, options: &ReadOptions) -> Result<(Numbers, Vec<Channel>)> {
    let file = ParquetFile::open(input)?;
    let all = Columns::of(&file, options)?;
    let mut numbers = Numbers { time_column: all.name(all.time).into(), ..Numbers::default() };
    let Selected { columns, channels, notes } = chosen(input, &all.motion(), options)?;
    numbers.notes.extend(notes);

    numbers.time_secs = file.numbers(&[all.numbers(&file, all.time)?])?;
    all.to_seconds(&file, options, &mut numbers)?;
    let rows = numbers.time_secs.len();
    numbers.runs = match all.episode {
        None => vec![Run { episode: None, rows: 0..rows }],
        Some(column) => {
            let (name, leaf) = (all.name(column), all.places[column].leaf);
            if leaf.kind == Kind::Text {
                runs(&input.path, name, file.texts(leaf)?)?
            } else {
                let numbers = file.numbers(&[all.numbers(&file, column)?])?;
                runs(&input.path, name, numbers.into_iter().map(Number))?
            }
        }
    };
    let places: Vec<Place> = columns.iter().map(|column| all.places[*column]).collect();
    numbers.values = file.values(&places)?;
    numbers.lines = (1..=rows as u64).collect();
    numbers.notes.extend(all.notes);
    Ok((numbers, channels))
}

/// The columns of a file: its numbers, lists as so many columns; time stamps and text only as time and episode.
struct Columns<'a> {
    names: Vec<String>,
    places: Vec<Place<'a>>,
    time: usize,
    episode: Option<usize>,
    notes: Vec<String>,
}

impl<'a> Columns<'a> {
    fn of(file: &'a ParquetFile, options: &ReadOptions) -> Result<Self> {
        let leaves = file.leaves();
        let bare: Vec<&str> = leaves.iter().map(|leaf| name_and_unit(&leaf.name).0).collect();
        let find = |name: &String, what: &str| {
            let found = || format!("no such column, only {}", list(bare.iter().copied()));
            let error = || file.error(Some(name), found(), format!("the {what} column that was asked for"));
            leaves.iter().zip(&bare).position(|(leaf, n)| n == name && !leaf.is_list()).ok_or_else(error)
        };
        let single: Vec<&str> =
            leaves.iter().zip(&bare).map(|(leaf, name)| if leaf.is_list() { "" } else { name }).collect();
        let time = match &options.time_column {
            Some(name) => Some(find(name, "time")?),
            None => time(&single).or_else(|| only_stamp(file)),
        };
        let episode = match &options.episode_column {
            Some(name) => Some(find(name, "episode")?),
            None => episode(&single),
        };
        let Some(time) = time else {
            let expected = "a column `time`, `timestamp` or the like (`time_column = NAME` for another name)";
            return Err(file.error(None, format!("no time among {}", list(bare.iter().copied())), expected));
        };
        let mut all = Self { names: Vec::new(), places: Vec::new(), time: 0, episode: None, notes: Vec::new() };
        let mut left_out = Vec::new();
        for (at, leaf) in leaves.iter().enumerate() {
            let named = at == time || Some(at) == episode;
            let width = if leaf.is_number() { file.width(leaf)? } else { usize::from(named) };
            if width == 0 {
                left_out.push(leaf.name.as_str());
            }
            if at == time {
                all.time = all.places.len();
            }
            if Some(at) == episode {
                all.episode = Some(all.places.len());
            }
            all.names.extend(leaf.names(width));
            all.places.extend((0..width).map(|at| Place { leaf, width, at }));
        }
        if !left_out.is_empty() {
            let columns = if left_out.len() == 1 { "a column" } else { "columns" };
            let left_out = list(left_out.into_iter());
            all.notes.push(format!("{}: {columns} without numbers left out: {left_out}", file.name()));
        }
        let mut seen = HashSet::new();
        if let Some(twin) = all.names.iter().find(|name| !seen.insert(name_and_unit(name).0)) {
            return Err(file.error(Some(twin), "the name twice", "each name once"));
        }
        all.tell_bookkeeping(file, options);
        Ok(all)
    }

    /// Name of a column, without its unit.
    fn name(&self, column: usize) -> &str {
        name_and_unit(&self.names[column]).0
    }

    /// Whether a column is neither time nor episode, but no motion.
    fn is_bookkeeping(&self, column: usize) -> bool {
        is_bookkeeping(self.name(column), self.places[column].leaf.is_whole())
    }

    /// All columns; time and episode are never channels, whoever asks for them.
    fn motion(&self) -> Vec<Column> {
        let column = |i: usize| {
            let (name, unit) = name_and_unit(&self.names[i]);
            if i == self.time || Some(i) == self.episode {
                return Column { name: String::new(), unit: None, bookkeeping: true };
            }
            Column { name: name.into(), unit: unit.map(Into::into), bookkeeping: self.is_bookkeeping(i) }
        };
        (0..self.names.len()).map(column).collect()
    }

    /// A note of the columns that are left out for their names.
    fn tell_bookkeeping(&mut self, file: &ParquetFile, options: &ReadOptions) {
        let others = |i: &usize| *i != self.time && Some(*i) != self.episode && self.is_bookkeeping(*i);
        let asked = |name: &str| options.channels.as_ref().is_some_and(|all| all.iter().any(|wanted| wanted == name));
        let names: Vec<&str> = (0..self.names.len()).filter(others).map(|i| self.name(i)).collect();
        let names: Vec<&str> = names.into_iter().filter(|name| !asked(name)).collect();
        if !names.is_empty() {
            let names = list(names.into_iter());
            self.notes.push(format!("{}: left out, since they are no motion by their names: {names}", file.name()));
        }
    }

    /// The place of a column that has to be one of numbers, or of time stamps.
    fn numbers(&self, file: &ParquetFile, column: usize) -> Result<Place<'a>> {
        let place = self.places[column];
        match place.leaf.kind {
            Kind::Text | Kind::Other => Err(file.error(Some(&place.leaf.name), "no numbers", "numbers")),
            _ => Ok(place),
        }
    }

    /// Brings the times to seconds: by the unit in brackets, by that in the name, or by their size.
    fn to_seconds(&self, file: &ParquetFile, options: &ReadOptions, numbers: &mut Numbers) -> Result<()> {
        if matches!(self.places[self.time].leaf.kind, Kind::Stamp(_)) {
            return Ok(());
        }
        let (name, unit) = name_and_unit(&self.names[self.time]);
        let units_per_sec = match (unit, name_unit(name)) {
            (Some(unit), _) => TimeUnit::of_word(unit).map(TimeUnit::per_sec).ok_or_else(|| {
                file.error(Some(name), format!("the unit `{unit}`"), "one of the units s, ms, us, ns, or none")
            })?,
            (None, Some(per_sec)) => per_sec,
            (None, None) => {
                let told = units_per_sec(&numbers.time_secs, options);
                let (per_sec, note) = told.map_err(|(found, expected)| file.error(Some(name), found, expected))?;
                numbers.notes.extend(note);
                per_sec
            }
        };
        // Dividing by a whole number rounds once.
        numbers.time_secs.iter_mut().for_each(|t| *t /= units_per_sec);
        Ok(())
    }
}

/// The only column of time stamps, where there is one.
fn only_stamp(file: &ParquetFile) -> Option<usize> {
    let mut stamps = file.leaves().iter().enumerate().filter(|(_, l)| matches!(l.kind, Kind::Stamp(_)) && !l.is_list());
    stamps.next().filter(|_| stamps.next().is_none()).map(|(at, _)| at)
}

/// An episode's number: two that are not numbers are alike.
struct Number(f64);

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_nan() { Ok(()) } else { self.0.fmt(f) }
    }
}
