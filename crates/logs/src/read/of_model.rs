//! The channels of a model, found in a log by name.

use crate::Channel;
use crate::angle::period;
use crate::error::{Error, Result};
use std::path::Path;

/// The model's channels among the columns `named` (name and unit; `all` are those that hold values): their places in
/// the model's order, and notes of what was left out or taken for granted.
///
/// # Errors
/// [`Error::Log`] naming all channels that are missing, or one of another unit.
pub(crate) fn by_name(
    path: &Path,
    named: &[(&str, Option<&str>)],
    all: &[usize],
    model: &[Channel],
) -> Result<(Vec<usize>, Vec<String>)> {
    let error = |column: Option<String>, found: String, expected: String| Error::Log {
        path: path.to_path_buf(),
        line: Some(1),
        column,
        found,
        expected,
    };
    let place = |channel: &Channel| named.iter().position(|(name, _)| *name == channel.name);
    let missing: Vec<String> = model.iter().filter(|c| place(c).is_none()).map(|c| quoted(&c.name)).collect();
    let others = |columns: &[usize]| -> Vec<String> {
        all.iter().filter(|i| !columns.contains(i)).map(|i| quoted(named[*i].0)).collect()
    };
    let columns: Vec<usize> = model.iter().filter_map(place).collect();
    if !missing.is_empty() {
        let rest = match others(&columns) {
            rest if rest.is_empty() => String::new(),
            rest => format!("; unknown to the model: {}", rest.join(", ")),
        };
        let found = format!("no channel {}{rest}", missing.join(", "));
        return Err(error(None, found, format!("the model's {} channels, by name", model.len())));
    }
    let (mut of_log, mut of_model) = (Vec::new(), Vec::new());
    for (channel, column) in model.iter().zip(&columns) {
        match (named[*column].1, channel.unit.as_deref()) {
            (Some(unit), Some(own)) if !same_unit(unit, own) => {
                let name = &channel.name;
                let expected = format!("`{name} [{own}]`, the unit of the model's training");
                return Err(error(Some(name.clone()), format!("`{name} [{unit}]`"), expected));
            }
            (None, Some(own)) => of_log.push(format!("`{}` [{own}]", channel.name)),
            (Some(unit), None) => of_model.push(format!("`{}` [{unit}]", channel.name)),
            _ => {}
        }
    }
    let rest = others(&columns);
    let notes = [
        (rest, "channels that the model does not know are left out: "),
        (of_log, "channels without a unit in the log are taken to be in that of the model's training: "),
        (of_model, "channels whose unit the model's training did not name are taken as they are: "),
    ];
    let notes = notes.into_iter().filter(|(names, _)| !names.is_empty());
    Ok((columns, notes.map(|(names, what)| format!("{what}{}", names.join(", "))).collect()))
}

fn quoted(name: &str) -> String {
    format!("`{name}`")
}

/// Whether two units are one: `rad` and `radians`.
fn same_unit(a: &str, b: &str) -> bool {
    match (period(Some(a)), period(Some(b))) {
        (Some(a), Some(b)) => (a - b).abs() < 1e-9,
        _ => a == b,
    }
}
