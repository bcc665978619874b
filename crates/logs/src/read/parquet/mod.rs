//! Parquet: a table of named columns. Time, episode and channels are told by the columns' names, as those of CSV.

mod file;
mod leaf;
mod numbers;

use super::csv::guessed_unit;
use super::header::{Header, list, name_and_unit};
use super::runs::runs;
use super::table::{Fault, FaultKind, Run, Table};
use super::{Format, Input, ReadOptions};
use crate::error::Result;
pub(super) use file::{ParquetFile, Place};
use leaf::Kind;

/// Tables with named columns.
pub(crate) const FORMAT: Format = Format { name: "Parquet", extensions: &[".parquet", ".pq"], is, read };

/// First and last bytes of a Parquet file.
const MAGIC: &[u8] = b"PAR1";

fn is(_: &Input, head: &[u8]) -> bool {
    head.starts_with(MAGIC)
}

fn read(input: &Input, options: &ReadOptions) -> Result<Table> {
    let file = ParquetFile::open(input)?;
    let columns = Columns::of(&file, options)?;
    let names: Vec<&str> = columns.names.iter().map(String::as_str).collect();
    let header = Header::new(&input.path, &names, options)?;
    let places = |of: &[usize]| of.iter().map(|column| columns.number(&file, *column)).collect::<Result<Vec<_>>>();

    let mut time_secs = file.numbers(&places(&[header.time])?)?;
    let rows = time_secs.len();
    if rows == 0 {
        return Err(input.error("no row", "at least one row of values"));
    }
    if !matches!(columns.places[header.time].leaf.kind, Kind::Stamp(_)) {
        let secs_per_unit = header.secs_per_unit.unwrap_or_else(|| guessed_unit(&time_secs));
        // Dividing by a whole number rounds once.
        let units_per_sec = (1.0 / secs_per_unit).round();
        time_secs.iter_mut().for_each(|t| *t /= units_per_sec);
    }
    let path = &input.path;
    let runs = match header.episode.map(|column| (names[column], columns.places[column].leaf, column)) {
        None => vec![Run { episode: None, rows: 0..rows }],
        Some((name, leaf, _)) if leaf.kind == Kind::Text => runs(path, name, file.texts(leaf)?)?,
        Some((name, _, column)) => runs(path, name, file.numbers(&places(&[column])?)?.into_iter().map(Number))?,
    };
    let mut values = file.numbers(&places(&header.columns)?)?;
    let faults = faults(&mut time_secs, &mut values, header.channels.len());
    Ok(Table {
        path: input.path.clone(),
        source: input.record(&[])?,
        time_column: header.time_column,
        channels: header.channels,
        time_secs,
        values,
        lines: (1..=rows as u64).collect(),
        faults,
        runs,
        notes: columns.notes,
    })
}

/// The columns that can be time, episode or channels.
struct Columns<'a> {
    names: Vec<String>,
    places: Vec<Place<'a>>,
    notes: Vec<String>,
}

impl<'a> Columns<'a> {
    /// Of a file: its numbers, lists as so many columns; time stamps and text only as time and episode.
    fn of(file: &'a ParquetFile, options: &ReadOptions) -> Result<Self> {
        let mut columns = Self { names: Vec::new(), places: Vec::new(), notes: Vec::new() };
        let time = options.time_column.as_deref().unwrap_or("time");
        let episode = options.episode_column.as_deref().unwrap_or("episode");
        let mut left_out = Vec::new();
        for leaf in file.leaves() {
            let bare = name_and_unit(&leaf.name).0;
            let named = !leaf.is_list() && (bare == time || bare == episode);
            let width = if leaf.is_number() { file.width(leaf)? } else { usize::from(named) };
            if width == 0 {
                left_out.push(leaf.name.as_str());
            }
            columns.names.extend(leaf.names(width));
            columns.places.extend((0..width).map(|at| Place { leaf, width, at }));
        }
        if !left_out.is_empty() {
            columns.notes.push(format!(
                "{}: {} without numbers left out: {}",
                file.name(),
                if left_out.len() == 1 { "a column" } else { "columns" },
                list(left_out.into_iter())
            ));
        }
        Ok(columns)
    }

    /// The place of a column that has to be one of numbers, or of time stamps.
    fn number(&self, file: &ParquetFile, column: usize) -> Result<Place<'a>> {
        let place = self.places[column];
        match place.leaf.kind {
            Kind::Text | Kind::Other => Err(file.error(Some(&place.leaf.name), "no numbers", "numbers")),
            _ => Ok(place),
        }
    }
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

/// The cells that are not finite numbers, in the order of the rows; they become NaN.
fn faults(time_secs: &mut [f64], values: &mut [f64], width: usize) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut check = |row: usize, channel: Option<usize>, value: &mut f64| {
        if !value.is_finite() {
            let kind = if value.is_nan() { FaultKind::Nan } else { FaultKind::Infinite };
            faults.push(Fault { row, channel, kind, text: value.to_string() });
            *value = f64::NAN;
        }
    };
    for (row, (time, values)) in time_secs.iter_mut().zip(values.chunks_exact_mut(width)).enumerate() {
        check(row, None, time);
        values.iter_mut().enumerate().for_each(|(channel, value)| check(row, Some(channel), value));
    }
    faults
}
