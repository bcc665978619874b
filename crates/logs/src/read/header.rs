//! What the column names of a log mean: names and units; and which channels are wanted.

use super::ReadOptions;
pub(crate) use super::glob::glob;
use super::of_model::by_name;
use super::periods::declared;
use super::units::is_unit;
use super::wrap::Wrap;
use crate::Channel;
pub(crate) use crate::angle::period;
use crate::error::{Error, Result};
use std::path::Path;

/// The columns that are wanted.
pub(crate) struct Selected {
    /// Their places.
    pub columns: Vec<usize>,
    /// What they are as channels.
    pub channels: Vec<Channel>,
    /// What was left out or taken for granted, a sentence each.
    pub notes: Vec<String>,
}

/// The wanted ones of the columns `all`, whose names and units `named` has.
///
/// # Errors
/// [`Error::Log`] for a pattern that fits nothing, a selection that leaves nothing, and a unit that does not wrap.
pub(crate) fn select(
    path: &Path,
    named: &[(&str, Option<&str>)],
    all: &[usize],
    options: &ReadOptions,
) -> Result<Selected> {
    if let Some(model) = &options.of_model {
        let (columns, notes) = by_name(path, named, all, model)?;
        return Ok(Selected { columns, channels: model.clone(), notes });
    }
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
    let wrap: Result<Vec<String>> = options.wrap.iter().map(|w| Ok(Wrap::parse(w)?.pattern.to_string())).collect();
    check(&wrap?, &columns, "wrap")?;
    let channels = columns
        .iter()
        .map(|i| {
            let (name, unit) = named[*i];
            let period = declared(name, unit, options).map_err(|unit| {
                let found = format!("the unit `{unit}` on a channel that is to wrap");
                error(Some(name.into()), found, format!("rad, deg, or the period (`wrap = {name}=PERIOD`)"))
            })?;
            Ok(Channel { name: name.into(), unit: unit.map(Into::into), period })
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(Selected { columns, channels, notes: Vec::new() })
}

/// `q_FFJ3 [rad]` and `q_FFJ3 (rad)` -> (`q_FFJ3`, `rad`). A number in brackets is an index and belongs to the name:
/// `position[0]`.
pub(super) fn name_and_unit(cell: &str) -> (&str, Option<&str>) {
    let within = |open: char, close: char| cell.strip_suffix(close).and_then(|c| c.rsplit_once(open));
    // In parentheses also other things stand: only what is known for a unit is one.
    let known = |(_, unit): &(&str, &str)| is_unit(unit.trim());
    match within('[', ']').or_else(|| within('(', ')').filter(known)) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_units() {
        assert_eq!(name_and_unit("q_FFJ3 [rad]"), ("q_FFJ3", Some("rad")));
        assert_eq!(name_and_unit("q[0] [deg]"), ("q[0]", Some("deg")));
        assert_eq!(name_and_unit("q[0]"), ("q[0]", None));
        assert_eq!(name_and_unit("q (deg)"), ("q", Some("deg")));
        assert_eq!(name_and_unit("q(0)"), ("q(0)", None));
        assert_eq!(name_and_unit("x"), ("x", None));
        assert_eq!(name_and_unit("x []"), ("x", None));
    }
}
