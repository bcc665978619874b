//! What the column names of a log mean: time, episode, channels, units; and which channels are wanted.

use super::ReadOptions;
use crate::Channel;
use crate::error::{Error, Result};
use std::path::Path;

/// Where things stand in a row.
#[derive(Debug)]
pub(crate) struct Header {
    /// Column of the time.
    pub time: usize,
    /// Name of the time column, without its unit.
    pub time_column: String,
    /// Seconds per unit of the time column; `None` where the header names no unit.
    pub secs_per_unit: Option<f64>,
    /// Column of the episode.
    pub episode: Option<usize>,
    /// Columns of the selected channels.
    pub columns: Vec<usize>,
    /// The selected channels.
    pub channels: Vec<Channel>,
}

impl Header {
    /// Reads the column names of the file at `path` (`q_FFJ3 [rad]`: name and unit).
    pub fn new(path: &Path, cells: &[&str], options: &ReadOptions) -> Result<Self> {
        let error = |column: Option<String>, found: String, expected: String| Error::Log {
            path: path.to_path_buf(),
            line: Some(1),
            column,
            found,
            expected,
        };
        if !cells.is_empty() && cells.iter().all(|c| c.parse::<f64>().is_ok()) {
            return Err(error(
                None,
                "numbers in the first row".into(),
                "one header row with the columns' names".into(),
            ));
        }
        let named: Vec<(&str, Option<&str>)> = cells.iter().map(|c| name_and_unit(c)).collect();
        for (i, (name, _)) in named.iter().enumerate() {
            if name.is_empty() {
                let found = format!("an empty name in column {} of {}", i + 1, cells.len());
                return Err(error(Some((i + 1).to_string()), found, "a name for every column".into()));
            }
            if let Some(first) = named[..i].iter().position(|(earlier, _)| earlier == name) {
                let found = format!("the name twice, in columns {} and {}", first + 1, i + 1);
                return Err(error(Some((*name).into()), found, "each name once".into()));
            }
        }
        let find = |wanted: &str| named.iter().position(|(name, _)| *name == wanted);

        let time_column = options.time_column.as_deref().unwrap_or("time");
        let time = find(time_column).ok_or_else(|| {
            error(
                Some(time_column.into()),
                format!("no such column, only {}", list(named.iter().map(|n| n.0))),
                "a time column: `time`, `time [s]`, `time [ms]`, `time [us]` or `time [ns]` (`time_column = NAME` for \
                 another name)"
                    .into(),
            )
        })?;
        let secs_per_unit = match named[time].1 {
            None => None,
            Some("s" | "sec" | "secs" | "second" | "seconds") => Some(1.0),
            Some("ms") => Some(1e-3),
            Some("us" | "µs" | "μs") => Some(1e-6),
            Some("ns") => Some(1e-9),
            Some(unit) => {
                let expected = "one of the units s, ms, us, ns, or none".into();
                return Err(error(Some(time_column.into()), format!("the unit `{unit}`"), expected));
            }
        };
        let episode = match &options.episode_column {
            None => find("episode"),
            Some(name) => Some(find(name).ok_or_else(|| {
                let found = format!("no such column, only {}", list(named.iter().map(|n| n.0)));
                error(Some(name.clone()), found, "the episode column that was asked for".into())
            })?),
        };

        let all: Vec<usize> = (0..named.len()).filter(|i| *i != time && Some(*i) != episode).collect();
        if all.is_empty() {
            let found = format!("no channel beside {}", list(named.iter().map(|n| n.0)));
            return Err(error(None, found, "at least one column of measured values".into()));
        }
        let (columns, channels) = select(path, &named, &all, options)?;
        Ok(Self { time, time_column: time_column.into(), secs_per_unit, episode, columns, channels })
    }
}

/// The wanted ones of the columns `all`, whose names and units `named` has: their places, and what they are as channels.
///
/// # Errors
/// [`Error::Log`] for a pattern that fits nothing, a selection that leaves nothing, and a unit that does not wrap.
pub(crate) fn select(
    path: &Path,
    named: &[(&str, Option<&str>)],
    all: &[usize],
    options: &ReadOptions,
) -> Result<(Vec<usize>, Vec<Channel>)> {
    let error = |column: Option<String>, found: String, expected: String| Error::Log {
        path: path.to_path_buf(),
        line: Some(1),
        column,
        found,
        expected,
    };
    // A pattern that fits nothing is a slip that would silently select the wrong channels.
    let check = |patterns: &[String], among: &[usize], what: &str| match patterns
        .iter()
        .find(|p| !among.iter().any(|i| glob(p, named[*i].0)))
    {
        None => Ok(()),
        Some(pattern) => Err(error(
            Some(pattern.clone()),
            format!("no channel of this name to {what}"),
            format!("one of {} (`*` stands for any characters)", list(among.iter().map(|i| named[*i].0))),
        )),
    };
    let any = |patterns: &[String], i: usize| patterns.iter().any(|p| glob(p, named[i].0));
    let mut columns = all.to_vec();
    if let Some(wanted) = &options.channels {
        check(wanted, all, "select")?;
        columns.retain(|i| any(wanted, *i));
    }
    check(&options.ignore, all, "ignore")?;
    columns.retain(|i| !any(&options.ignore, *i));
    if columns.is_empty() {
        let found = format!("no channel left of {}", list(all.iter().map(|i| named[*i].0)));
        return Err(error(None, found, "a selection that leaves at least one".into()));
    }
    check(&options.wrap, &columns, "wrap")?;
    let channels = columns
        .iter()
        .map(|i| {
            let (name, unit) = named[*i];
            let period = any(&options.wrap, *i).then(|| period(unit)).map(|p| {
                p.ok_or_else(|| {
                    let found = format!("the unit `{}` on a channel that is to wrap", unit.unwrap_or_default());
                    error(Some(name.into()), found, "rad, deg, or no unit".into())
                })
            });
            Ok(Channel { name: name.into(), unit: unit.map(Into::into), period: period.transpose()? })
        })
        .collect::<Result<Vec<_>>>()?;
    Ok((columns, channels))
}

/// Period of an angle in `unit`; `None` where the unit is not one of angles.
pub(crate) fn period(unit: Option<&str>) -> Option<f64> {
    match unit {
        None | Some("rad" | "radian" | "radians") => Some(std::f64::consts::TAU),
        Some("deg" | "degree" | "degrees" | "°") => Some(360.0),
        Some(_) => None,
    }
}

/// `q_FFJ3 [rad]` -> (`q_FFJ3`, `rad`). A number in brackets is an index and belongs to the name: `position[0]`.
pub(super) fn name_and_unit(cell: &str) -> (&str, Option<&str>) {
    match cell.strip_suffix(']').and_then(|c| c.rsplit_once('[')) {
        Some((name, unit)) if unit.trim().parse::<u64>().is_err() => {
            (name.trim(), Some(unit.trim()).filter(|u| !u.is_empty()))
        }
        _ => (cell, None),
    }
}

/// The first names, for messages.
pub(super) fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    const SHOWN: usize = 24;
    let names: Vec<&str> = names.collect();
    let mut text = names.iter().take(SHOWN).map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        text += &format!(" and {} more", names.len() - SHOWN);
    }
    text
}

/// Whether `name` fits `pattern`, in which `*` stands for any characters, also none.
fn glob(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((before, after)) => name.strip_prefix(before).is_some_and(|rest| {
            rest.char_indices().map(|(i, _)| i).chain([rest.len()]).any(|i| glob(after, &rest[i..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        for (pattern, name, fits) in [
            ("q", "q", true),
            ("q", "qq", false),
            ("q_*", "q_FFJ3", true),
            ("*", "", true),
            ("*J3", "q_FFJ3", true),
            ("*J3", "q_FFJ3x", false),
            ("q*F*3", "q_FFJ3", true),
            ("q*X*3", "q_FFJ3", false),
            ("ä*", "ärm", true),
        ] {
            assert_eq!(glob(pattern, name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn names_and_units() {
        assert_eq!(name_and_unit("q_FFJ3 [rad]"), ("q_FFJ3", Some("rad")));
        assert_eq!(name_and_unit("q[0] [deg]"), ("q[0]", Some("deg")));
        assert_eq!(name_and_unit("q[0]"), ("q[0]", None));
        assert_eq!(name_and_unit("x"), ("x", None));
        assert_eq!(name_and_unit("x []"), ("x", None));
    }
}
