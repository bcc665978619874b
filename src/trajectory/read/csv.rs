//! CSV: one header row, commas, a time column, any number of channels with their units in the header.

use super::{ReadOptions, Table, fits, whole};
use crate::error::{Error, Result};
use crate::trajectory::Channel;
use std::path::Path;

/// What a column holds.
#[derive(Clone, Copy, PartialEq)]
enum Role {
    Time,
    Episode,
    Channel,
    Ignored,
}

/// Reads a table. Cells that are empty, NaN or infinite become NaN: what they mean is decided later.
///
/// # Errors
/// [`Error::Log`] for a file that is empty or not UTF-8, for missing, unnamed or duplicate columns, ragged rows, and cells
/// that are neither numbers nor empty.
pub(super) fn read(path: &Path, bytes: &[u8], options: &ReadOptions) -> Result<Table> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = ::csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes);
    let mut record = ::csv::ByteRecord::new();
    let place = |line: u64, column: Option<String>, found: String, expected: String| Error::Log {
        path: path.to_path_buf(),
        line: Some(line),
        column,
        found,
        expected,
    };
    let mut next = |record: &mut ::csv::ByteRecord| -> Result<bool> {
        reader.read_byte_record(record).map_err(|e| whole(path, e.to_string(), "CSV"))
    };
    if !next(&mut record)? {
        return Err(whole(path, "an empty file".into(), "a header row and at least two rows of numbers"));
    }
    let header = columns(path, &record, options)?;
    let width = header.len();
    let channels: Vec<Channel> =
        header.iter().filter(|(_, r)| *r == Role::Channel).map(|(c, _)| c.clone()).collect();
    let time_unit = header.iter().find(|(_, r)| *r == Role::Time).and_then(|(c, _)| c.unit.clone());
    let mut table = Table { channels, time_unit, lines: vec![], episodes: vec![], times: vec![], values: vec![] };
    while next(&mut record)? {
        let line = record.position().map_or(0, ::csv::Position::line);
        if record.len() != width {
            let expected = format!("{width}, as in the header");
            return Err(place(line, None, format!("a row of {} fields", record.len()), expected));
        }
        table.lines.push(line);
        let mut episode = String::new();
        for ((column, role), cell) in header.iter().zip(&record) {
            let name = || Some(column.name.clone());
            if *role == Role::Ignored {
                continue;
            }
            let Ok(text) = std::str::from_utf8(cell) else {
                let found = format!("bytes that are not UTF-8 ({cell:02x?})");
                return Err(place(line, name(), found, "UTF-8 text".into()));
            };
            let text = text.trim();
            if *role == Role::Episode {
                episode = text.to_string();
                continue;
            }
            let value = match text {
                "" => f64::NAN,
                _ => text.parse::<f64>().map_err(|_| {
                    let expected = match role {
                        Role::Time => "a time stamp".to_string(),
                        _ => format!("a number (or leave the column out: --ignore '{}')", column.name),
                    };
                    place(line, name(), format!("`{text}`"), expected)
                })?,
            };
            match role {
                Role::Time if !value.is_finite() => {
                    let found = if text.is_empty() { "an empty cell".into() } else { format!("`{text}`") };
                    return Err(place(line, name(), found, "a time stamp".into()));
                }
                Role::Time => table.times.push(value),
                _ => table.values.push(if value.is_finite() { value } else { f64::NAN }),
            }
        }
        if table.episodes.last().is_none_or(|(id, _)| *id != episode) {
            if table.episodes.iter().any(|(id, _)| *id == episode) {
                let column = header.iter().find(|(_, r)| *r == Role::Episode).map(|(c, _)| c.name.clone());
                let expected = "the rows of an episode one after another".to_string();
                return Err(place(line, column, format!("episode `{episode}` again"), expected));
            }
            table.episodes.push((episode, table.times.len() - 1));
        }
    }
    if table.times.len() < 2 {
        let found = format!("{} rows below the header", table.times.len());
        return Err(whole(path, found, "at least two"));
    }
    Ok(table)
}

/// Names, units and roles of the header's columns.
fn columns(path: &Path, header: &::csv::ByteRecord, options: &ReadOptions) -> Result<Vec<(Channel, Role)>> {
    let bad = |column: String, found: String, expected: String| Error::Log {
        path: path.to_path_buf(),
        line: Some(1),
        column: Some(column),
        found,
        expected,
    };
    let mut columns: Vec<(Channel, Role)> = Vec::new();
    for (i, cell) in header.iter().enumerate() {
        let Ok(text) = std::str::from_utf8(cell) else {
            return Err(bad((i + 1).to_string(), "bytes that are not UTF-8".into(), "a name in UTF-8".into()));
        };
        let (name, unit) = name_and_unit(text);
        if name.is_empty() {
            return Err(bad((i + 1).to_string(), "an empty name".into(), "a name, and perhaps a unit: `q1 [rad]`".into()));
        }
        if columns.iter().any(|(c, _)| c.name == name) {
            return Err(bad(name.into(), "the name twice".into(), "each name once".into()));
        }
        let matches = |patterns: &[String]| patterns.iter().any(|p| fits(p, name));
        let episode = options.episode_column.as_deref().unwrap_or("episode");
        let role = if name == options.time_column {
            Role::Time
        } else if name == episode {
            Role::Episode
        } else if matches(&options.ignore) || options.channels.as_ref().is_some_and(|c| !matches(c)) {
            Role::Ignored
        } else {
            Role::Channel
        };
        let turn = if unit == Some("deg") { 360.0 } else { std::f64::consts::TAU };
        let period = (role == Role::Channel && matches(&options.wrap)).then_some(turn);
        columns.push((Channel { name: name.to_string(), unit: unit.map(String::from), period }, role));
    }
    let names = columns.iter().map(|(c, _)| c.name.as_str()).collect::<Vec<_>>().join(", ");
    let missing = |what: &str| bad(what.into(), format!("no such column, only {names}"), format!("a column `{what}`"));
    if !columns.iter().any(|(_, r)| *r == Role::Time) {
        return Err(missing(&options.time_column));
    }
    if let Some(name) = options.episode_column.as_deref().filter(|n| columns.iter().all(|(c, _)| c.name != **n)) {
        return Err(missing(name));
    }
    let asked = options.channels.iter().flatten().chain(&options.wrap);
    for pattern in asked {
        if !columns.iter().any(|(c, _)| fits(pattern, &c.name)) {
            return Err(missing(pattern));
        }
    }
    if !columns.iter().any(|(_, r)| *r == Role::Channel) {
        return Err(whole(path, format!("no channel among the columns {names}"), "at least one column beside the time"));
    }
    Ok(columns)
}

/// `q_FFJ3 [rad]` as `q_FFJ3` and `rad`.
fn name_and_unit(text: &str) -> (&str, Option<&str>) {
    let text = text.trim();
    match text.strip_suffix(']').and_then(|t| t.rsplit_once('[')) {
        Some((name, unit)) if !unit.trim().is_empty() => (name.trim(), Some(unit.trim())),
        _ => (text, None),
    }
}
