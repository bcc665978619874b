//! Which columns hold the time.

use super::super::ReadOptions;
use super::super::options::TimeUnit;
use super::columns::Columns;
use super::dates::order;
use super::iso::Order;
use super::names::{is_plain, stamp_part, time_unit};
use super::time::{Kind, Time, kind_of};
use crate::error::Result;

/// Where the time stands.
pub(super) struct Stamps {
    pub time: Time,
    /// What messages call it.
    pub name: String,
    /// The unit of its numbers, where it is said.
    pub unit: Option<TimeUnit>,
    /// Columns of other stamps' seconds and nanoseconds.
    pub beside: Vec<usize>,
}

/// Finds the time among the columns.
///
/// # Errors
/// [`crate::Error::Log`] where there is none or more than one, and for a unit that is none of time.
pub(super) fn find(columns: &Columns, options: &ReadOptions, notes: &mut Vec<String>) -> Result<Stamps> {
    let pairs = pairs(columns);
    let beside = pairs.iter().flat_map(|(i, j)| [*i, *j]).collect();
    if let Some(hz) = options.hz {
        notes.push(format!("rows are taken to come at {hz} Hz"));
        return Ok(Stamps { time: Time::Rate(hz), name: "time".into(), unit: None, beside });
    }
    if let Some((first, second)) = options.time_column.as_deref().and_then(|name| two_columns(columns, name)) {
        let nanos = stamp_part(&columns.names[second]).is_some_and(|(_, nanos)| nanos);
        let time = match nanos {
            true => Time::SecsAndNanos(first, second),
            false => date_and_clock(columns, first, second, options, notes)?,
        };
        return Ok(Stamps { time, name: columns.names[first].clone(), unit: None, beside });
    }
    let i = match &options.time_column {
        Some(name) => columns.find(name).ok_or_else(|| no_column(columns, name))?,
        None => match guess(columns, &pairs)? {
            Guess::Column(i) => i,
            Guess::Pair(i, j) => return Ok(pair(columns, i, j, beside, notes)),
        },
    };
    // Whole seconds beside their nanoseconds are half a stamp.
    if let Some((i, j)) = pairs.iter().find(|(first, _)| *first == i) {
        return Ok(pair(columns, *i, *j, beside, notes));
    }
    let name = columns.names[i].clone();
    let first = columns.sample(i).find(|cell| !cell.is_empty()).unwrap_or_default();
    let kind = kind_of(first).unwrap_or(Kind::Number);
    let date = columns.names.iter().position(|n| n.eq_ignore_ascii_case("date"));
    if let (Kind::Clock, Some(date)) = (kind, date) {
        notes.push(format!("the time is the columns `{}` and `{name}`, taken as UTC", columns.names[date]));
        let time = date_and_clock(columns, date, i, options, notes)?;
        return Ok(Stamps { time, name, unit: None, beside });
    }
    if options.time_column.is_none() && name != "time" {
        notes.push(format!("the time is the column `{name}`"));
    }
    let kind = match kind {
        Kind::Zoned(_) => Kind::Zoned(order(columns, i, Kind::Zoned, str::to_string, options, notes)?),
        Kind::Local(_) => Kind::Local(order(columns, i, Kind::Local, str::to_string, options, notes)?),
        other => other,
    };
    match kind {
        Kind::Local(_) => notes.push(format!("the stamps of `{name}` are dates without a zone: taken as UTC")),
        Kind::Clock => notes.push(format!("the stamps of `{name}` are times of day without a date")),
        Kind::Number | Kind::Zoned(_) => {}
    }
    let unit = unit(columns, i, options, notes)?;
    Ok(Stamps { time: Time::Column(i, kind), name, unit, beside })
}

/// The date in column `i` and the time of day in column `j`.
fn date_and_clock(
    columns: &Columns,
    i: usize,
    j: usize,
    options: &ReadOptions,
    notes: &mut Vec<String>,
) -> Result<Time> {
    let midnight = |date: &str| format!("{date}T00:00:00");
    // What is no date at all is told where its row is read.
    let dated = columns.sample(i).find(|cell| !cell.is_empty()).is_some_and(|cell| kind_of(&midnight(cell)).is_some());
    let order = if dated { order(columns, i, Kind::Local, midnight, options, notes)? } else { Order::Year };
    Ok(Time::DateAndClock(i, j, order))
}

/// The unit that an option, the header or the name of a column says.
fn unit(columns: &Columns, i: usize, options: &ReadOptions, notes: &mut Vec<String>) -> Result<Option<TimeUnit>> {
    if options.time_unit.is_some() {
        return Ok(options.time_unit);
    }
    let name = &columns.names[i];
    match &columns.units[i] {
        Some(word) => match TimeUnit::of_word(word) {
            Some(unit) => Ok(Some(unit)),
            None => {
                let expected = "one of the units s, ms, us, ns, or none (`time_unit = s` and the like says another)";
                Err(columns.error(Some(name), format!("the unit `{word}`"), expected))
            }
        },
        None => {
            let unit = time_unit(name).flatten();
            notes.extend(unit.map(|unit| format!("the stamps of `{name}` are {} by its name", unit.word())));
            Ok(unit)
        }
    }
}

/// The columns of seconds and of nanoseconds of the same stamp.
fn pairs(columns: &Columns) -> Vec<(usize, usize)> {
    let parts: Vec<Option<(String, bool)>> = columns.names.iter().map(|name| stamp_part(name)).collect();
    let of = |wanted: &str, nanos: bool| {
        parts.iter().position(|part| part.as_ref().is_some_and(|(begin, is)| begin == wanted && *is == nanos))
    };
    let begins = parts.iter().flatten().filter(|(_, nanos)| !nanos);
    begins.filter_map(|(begin, _)| of(begin, false).zip(of(begin, true))).collect()
}

fn pair(columns: &Columns, i: usize, j: usize, beside: Vec<usize>, notes: &mut Vec<String>) -> Stamps {
    let name = columns.names[i].clone();
    notes.push(format!("the time is `{name}` and the nanoseconds in `{}`", columns.names[j]));
    Stamps { time: Time::SecsAndNanos(i, j), name, unit: None, beside }
}

/// `sec+nanosec`.
fn two_columns(columns: &Columns, name: &str) -> Option<(usize, usize)> {
    let (first, second) = name.split_once('+').filter(|_| columns.find(name).is_none())?;
    columns.find(first.trim()).zip(columns.find(second.trim()))
}

enum Guess {
    Column(usize),
    Pair(usize, usize),
}

/// The best of the columns that are called as stamps are.
fn guess(columns: &Columns, pairs: &[(usize, usize)]) -> Result<Guess> {
    if let Some(i) = columns.find("time").or_else(|| columns.find("%time")) {
        return Ok(Guess::Column(i));
    }
    let in_pair = |i: usize| pairs.iter().any(|(a, b)| *a == i || *b == i);
    let called = (0..columns.names.len()).filter(|i| time_unit(columns.plain_name(*i)).is_some() && !in_pair(*i));
    let (plain, parts): (Vec<usize>, Vec<usize>) = called.partition(|i| is_plain(&columns.names[*i]));
    match (plain.as_slice(), pairs, parts.as_slice()) {
        ([one], ..) | ([], [], [one]) => Ok(Guess::Column(*one)),
        ([], [(i, j)], _) => Ok(Guess::Pair(*i, *j)),
        ([], [], []) => Err(no_column(columns, "time")),
        _ => {
            let all = plain.iter().chain(pairs.iter().map(|(i, _)| i)).chain(&parts);
            let found = super::super::header::list(all.map(|i| columns.names[*i].as_str()));
            Err(columns.error(
                None,
                format!("more than one column of stamps: {found}"),
                "one time (`time_column = NAME` says which)",
            ))
        }
    }
}

fn no_column(columns: &Columns, name: &str) -> crate::Error {
    let found = format!("no such column, only {}", columns.all());
    let expected = "a time column: `time`, `time [s]`, `time [ms]`, `time [us]` or `time [ns]` (`time_column = NAME` \
                    for another name, `hz = RATE` for a log without times)";
    columns.error(Some(name), found, expected)
}
