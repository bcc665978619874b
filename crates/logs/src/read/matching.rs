//! Files of one recording hold the same channels; their order may differ, and names say which is which.

use super::table::Table;
use super::{ReadOptions, periods};
use crate::Channel;
use crate::error::{Error, Result};

/// The places in `table` of the channels `first`, or `None` where it does not hold the same ones.
fn places(first: &[Channel], table: &Table) -> Option<Vec<usize>> {
    let place = |channel: &Channel| table.channels.iter().position(|own| own == channel);
    let places: Option<Vec<usize>> = first.iter().map(place).collect();
    places.filter(|places| places.len() == table.channels.len())
}

/// Brings the channels of `table` to the order of `first`, with a note if that is another one; `false` where it does
/// not hold the same channels.
pub(super) fn bring_to_order(first: &[Channel], table: &mut Table) -> bool {
    let Some(places) = places(first, table) else { return false };
    if places.iter().enumerate().all(|(i, place)| i == *place) {
        return true;
    }
    let mut row = vec![0.0; places.len()];
    for values in table.values.chunks_exact_mut(places.len()) {
        row.copy_from_slice(values);
        values.iter_mut().zip(&places).for_each(|(value, place)| *value = row[*place]);
    }
    table.channels = places.iter().map(|place| table.channels[*place].clone()).collect();
    for fault in &mut table.faults {
        fault.channel = fault.channel.map(|old| places.iter().position(|place| *place == old).unwrap_or(old));
    }
    table.faults.sort_by_key(|fault| (fault.row, fault.channel));
    table.notes.push(format!(
        "{}: the channels stand in another order than in the first file and are matched by name",
        table.path.display()
    ));
    true
}

/// The error for channels that are not those of the first file, at `first_path`.
pub(super) fn other_channels(first: &[Channel], first_path: &str, table: &Table) -> Error {
    let unit = |c: &Channel| c.unit.as_ref().map_or("no unit".into(), |unit| format!("unit `{unit}`"));
    let names = |of: &[Channel], without: &[Channel]| -> Vec<String> {
        let new = |c: &&Channel| !without.iter().any(|w| w.name == c.name);
        of.iter().filter(new).map(|c| c.name.clone()).collect()
    };
    let (extra, missing) = (names(&table.channels, first), names(first, &table.channels));
    let error = |column: &str, found: String, expected: String| Error::Log {
        path: table.path.clone(),
        line: Some(1),
        column: Some(column.into()),
        found,
        expected,
    };
    let list = |names: &[String]| super::header::list(names.iter().map(String::as_str));
    match (extra.as_slice(), missing.as_slice()) {
        ([], []) => {
            let differs = |own: &&Channel| first.iter().any(|c| c.name == own.name && c != *own);
            let Some(own) = table.channels.iter().find(differs) else {
                return Error::data("channels", "the same name twice", "each name once");
            };
            let expected = first.iter().find(|c| c.name == own.name).map_or(String::new(), unit);
            error(
                &own.name,
                format!("channel `{}` with {}", own.name, unit(own)),
                format!("{expected} as in {first_path}"),
            )
        }
        ([column, ..], []) => error(
            column,
            format!("channels that are not in {first_path}: {}", list(&extra)),
            format!("the same channels (`ignore = {column}` leaves one out)"),
        ),
        ([], [column, ..]) => {
            error(column, format!("no channel {}", list(&missing)), format!("the same channels as in {first_path}"))
        }
        ([column, ..], _) => error(
            column,
            format!("no channel {}, and {} instead", list(&missing), list(&extra)),
            format!("the same channels as in {first_path}"),
        ),
    }
}

/// Brings all tables with the same channels to one order, and tells the periods that their values show.
///
/// # Errors
/// As [`periods::settle`].
pub(super) fn settle(tables: &mut [(String, Table)], options: &ReadOptions) -> Result<()> {
    let mut settled = vec![false; tables.len()];
    for first in 0..tables.len() {
        if settled[first] {
            continue;
        }
        let mut channels = tables[first].1.channels.clone();
        let mut alike = vec![first];
        for other in first + 1..tables.len() {
            if !settled[other] && bring_to_order(&channels, &mut tables[other].1) {
                alike.push(other);
            }
        }
        let width = channels.len();
        let blocks: Vec<&[f64]> = alike
            .iter()
            .flat_map(|i| {
                let table = &tables[*i].1;
                table.runs.iter().map(|run| &table.values[run.rows.start * width..run.rows.end * width])
            })
            .collect();
        let notes = periods::settle(&mut channels, &blocks, options)?;
        tables[first].1.notes.extend(notes);
        for i in alike {
            tables[i].1.channels.clone_from(&channels);
            settled[i] = true;
        }
    }
    Ok(())
}
