//! Logs with a row for each channel and time: which column names the channel, and the rows that they stand for.

use super::super::header::{glob, select};
use super::super::table::{Fault, Run};
use super::super::{Input, ReadOptions};
use super::cell::is_value;
use super::layout::{Columns, Layout, Output};
use super::names;
use super::rows::Keys;
use super::sheet::{EMPTY, Sheet, is_empty};
use super::time::Time;
use crate::error::Result;

/// The column that names the channel of each row, where one does.
///
/// # Errors
/// [`crate::Error::Log`] for one that is asked for and not there.
pub(super) fn key(columns: &Columns, left: &[usize], layout: &Layout, options: &ReadOptions) -> Result<Option<usize>> {
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
    let is_text = |i: usize| columns.sample(i).all(|cell| !cell.is_empty() && !is_value(cell) && !cell.starts_with('['));
    let texts: Vec<usize> = left().filter(|i| is_text(*i)).collect();
    let ([key], Time::Column(time, _)) = (texts.as_slice(), layout.time) else { return Ok(None) };
    let rows: Vec<(&str, &str)> = columns.sample(time).zip(columns.sample(*key)).collect();
    let share = |of: &dyn Fn(&[(&str, &str)]) -> bool| {
        let count = rows.windows(2).filter(|w| of(w)).count();
        2 * count + 1 >= rows.len()
    };
    // Several channels at each time, or a single column of values that are not all of one thing.
    let at_once = share(&|w| w[0].0 == w[1].0 && w[0].1 != w[1].1);
    let in_turn = left().count() == 2 && share(&|w| w[0].1 != w[1].1);
    Ok((rows.len() > 1 && (at_once || in_turn)).then_some(*key))
}

/// A row for each time, with the channels beside each other.
///
/// # Errors
/// [`crate::Error::Log`] for a channel twice at the same time, and as [`select`].
pub(super) fn pivoted(sheet: Sheet, keys: &Keys, column: &str, input: &Input, options: &ReadOptions) -> Result<Sheet> {
    let kinds: Vec<usize> = (0..sheet.width()).filter(|c| !sheet.column(*c).all(is_empty)).collect();
    let all: Vec<(usize, usize)> =
        (0..keys.names.len()).flat_map(|key| kinds.iter().map(move |kind| (key, *kind))).collect();
    let named: Vec<String> = all
        .iter()
        .map(|(key, kind)| names::of_joint("", &keys.names[*key], &sheet.outputs[*kind].channel.name))
        .collect();
    let units = || all.iter().map(|(_, kind)| sheet.outputs[*kind].channel.unit.as_deref());
    let named: Vec<(&str, Option<&str>)> = named.iter().map(String::as_str).zip(units()).collect();
    let (chosen, channels) = select(&input.path, &named, &(0..all.len()).collect::<Vec<_>>(), options)?;

    let mut place = vec![None; keys.names.len() * sheet.width()];
    for (output, i) in chosen.iter().enumerate() {
        place[all[*i].0 * sheet.width() + all[*i].1] = Some(output);
    }
    let outputs = channels.into_iter().map(|channel| Output::new(channel, options)).collect();
    let mut notes = sheet.notes.clone();
    notes.push(format!("each row is of one channel, named in `{column}`: rows of the same time are put together"));
    let (time_column, unit) = (sheet.time_column.clone(), sheet.unit);
    let (time, values, lines) = (Vec::new(), Vec::new(), Vec::new());
    let (faults, runs) = (Vec::new(), Vec::new());
    let mut new = Sheet { time_column, unit, has_unit: sheet.has_unit, time, outputs, values, lines, faults, runs, notes };
    let mut old_faults = sheet.faults.iter().peekable();
    // Last row in which each channel of the old sheet was seen.
    let mut seen = vec![usize::MAX; keys.names.len()];
    for run in &sheet.runs {
        let first = new.rows();
        for row in run.rows.clone() {
            let same = new.rows() > first && new.time.last().is_some_and(|t| t.to_bits() == sheet.time[row].to_bits());
            if !same {
                new.time.push(sheet.time[row]);
                new.lines.push(sheet.lines[row]);
                new.values.resize(new.values.len() + new.outputs.len(), EMPTY);
            }
            let at = new.rows() - 1;
            let key = keys.of_row[row] as usize;
            if std::mem::replace(&mut seen[key], at) == at {
                let found = format!("`{}` twice at the same time", keys.names[key]);
                return Err(sheet.error(input, row, Some(column), found, "each channel once at a time".into()));
            }
            for kind in &kinds {
                if let Some(output) = place[key * sheet.width() + kind] {
                    let width = new.outputs.len();
                    new.values[at * width + output] = sheet.values[row * sheet.width() + kind];
                }
            }
            while let Some(fault) = old_faults.next_if(|fault| fault.row == row) {
                let channel = match fault.channel {
                    None => None,
                    Some(kind) => match place[key * sheet.width() + kind] {
                        None => continue,
                        output => output,
                    },
                };
                new.faults.push(Fault { row: at, channel, kind: fault.kind, text: fault.text.clone() });
            }
        }
        new.runs.push(Run { episode: run.episode.clone(), rows: first..new.rows() });
    }
    Ok(new)
}
