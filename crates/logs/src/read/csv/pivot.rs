//! Which column names the channel, in a log with a row for each channel.

use super::super::ReadOptions;
use super::super::header::glob;
use super::columns::Columns;
use super::names;
use super::time::{Time, is_value};
use crate::error::Result;

/// The column that names the channel of each row, where one does.
///
/// # Errors
/// [`crate::Error::Log`] for one that is asked for and not there.
pub(super) fn key(columns: &Columns, left: &[usize], stamps: Time, options: &ReadOptions) -> Result<Option<usize>> {
    if let Some(name) = &options.pivot {
        return match columns.find(name).filter(|i| left.contains(i)) {
            Some(i) => Ok(Some(i)),
            None => {
                let found = format!("no such column, only {}", columns.all());
                Err(columns.error(Some(name), found, "the column of the channels' names that was asked for"))
            }
        };
    }
    let fits = |patterns: &[String], i: usize| patterns.iter().any(|p| glob(p, &columns.names[i]));
    // Whoever chooses among the columns as they stand there takes them as they are.
    let chosen = |wanted: &Vec<String>| wanted.iter().all(|p| left.iter().any(|i| glob(p, &columns.names[*i])));
    if options.channels.as_ref().is_some_and(chosen) {
        return Ok(None);
    }
    let left = || {
        let wanted = |i: &usize| !fits(&options.ignore, *i) && !names::is_bookkeeping(columns.plain_name(*i));
        left.iter().copied().filter(wanted)
    };
    let is_text =
        |i: usize| columns.sample(i).all(|cell| !cell.is_empty() && !is_value(cell) && !cell.starts_with('['));
    let texts: Vec<usize> = left().filter(|i| is_text(*i)).collect();
    let ([key], Time::Column(time, _)) = (texts.as_slice(), stamps) else { return Ok(None) };
    let rows: Vec<(&str, &str)> = columns.sample(time).zip(columns.sample(*key)).collect();
    // Whether something holds for at least half of the steps from row to row.
    let mostly = |steps: usize| 2 * steps + 1 >= rows.len();
    let steps = || rows.windows(2).filter(|w| w[0].1 != w[1].1);
    // Several channels at each time, or a single column of values that are not all of one thing.
    let at_once = mostly(steps().filter(|w| w[0].0 == w[1].0).count());
    let in_turn = left().count() == 2 && mostly(steps().count());
    Ok((rows.len() > 1 && (at_once || in_turn)).then_some(*key))
}
