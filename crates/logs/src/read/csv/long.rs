//! Logs with a row for each channel and time: which column names the channel, and the rows that they stand for.

use super::super::header::{Selected, select};
use super::super::table::{Fault, Run};
use super::super::{Input, ReadOptions};
use super::columns::Output;
use super::names;
use super::rows::Keys;
use super::sheet::{EMPTY, Sheet, is_empty};
use crate::error::{Error, Result};
use crate::{Growing, Values};

/// How many times as many cells the rows of a log may have when they are put together.
const EMPTIER: usize = 64;

/// A row for each time, with the channels beside each other.
///
/// # Errors
/// [`crate::Error::Log`] for a channel twice at the same time, for names of which nearly every row has another one, and
/// as [`select`].
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
    let Selected { columns: chosen, channels, notes: of_selection } =
        select(&input.path, &named, &(0..all.len()).collect::<Vec<_>>(), options)?;

    let same = |row: usize| sheet.time[row].to_bits() == sheet.time[row - 1].to_bits();
    let times: usize =
        sheet.runs.iter().map(|run| 1 + run.rows.clone().skip(1).filter(|row| !same(*row)).count()).sum();
    if times.saturating_mul(chosen.len()) > EMPTIER * sheet.values.len() {
        let found = format!("{} names at {times} times in {} rows", keys.names.len(), sheet.rows());
        return Err(sheet.error(input, 0, Some(column), found, "a column that names each channel many times".into()));
    }
    let mut place = vec![None; keys.names.len() * sheet.width()];
    for (output, i) in chosen.iter().enumerate() {
        place[all[*i].0 * sheet.width() + all[*i].1] = Some(output);
    }
    let mut notes = sheet.notes.clone();
    notes.extend(of_selection);
    notes.push(format!("each row is of one channel, named in `{column}`: rows of the same time are put together"));
    let mut new = Sheet {
        time_column: sheet.time_column.clone(),
        unit: sheet.unit,
        has_unit: sheet.has_unit,
        time: Vec::new(),
        outputs: channels.into_iter().map(|channel| Output::new(channel, options)).collect(),
        values: Values::default(),
        lines: Vec::new(),
        faults: Vec::new(),
        runs: Vec::new(),
        notes,
    };
    let twice = |row: usize, key: usize| {
        let found = format!("`{}` twice at the same time", keys.names[key]);
        sheet.error(input, row, Some(column), found, "each channel once at a time".into())
    };
    put_together(&sheet, &mut new, &kinds, &place, (keys, &twice))?;
    Ok(new)
}

/// Fills `new` with the rows of `old`; `place` has the output, or none, of each kind of quantity of each channel.
///
/// # Errors
/// `twice` of a row and its channel, where that has been seen at the same time.
fn put_together(
    old: &Sheet,
    new: &mut Sheet,
    kinds: &[usize],
    place: &[Option<usize>],
    (keys, twice): (&Keys, &dyn Fn(usize, usize) -> Error),
) -> Result<()> {
    let (width, mut values) = (old.width(), Growing::default());
    // The present row.
    let mut now = vec![EMPTY; new.width()];
    let mut faults = old.faults.iter().peekable();
    // Last row in which each channel was seen.
    let mut seen = vec![usize::MAX; keys.names.len()];
    for run in &old.runs {
        let first = new.rows();
        for row in run.rows.clone() {
            let same = new.rows() > first && old.time[row].to_bits() == old.time[row - 1].to_bits();
            if !same {
                new.time.push(old.time[row]);
                new.lines.push(old.lines[row]);
                if new.rows() > 1 {
                    values.extend(&now)?;
                }
                now.fill(EMPTY);
            }
            let at = new.rows() - 1;
            let key = keys.of_row[row] as usize;
            if std::mem::replace(&mut seen[key], at) == at {
                return Err(twice(row, key));
            }
            for kind in kinds {
                if let Some(output) = place[key * width + kind] {
                    now[output] = old.values[row * width + kind];
                }
            }
            while let Some(fault) = faults.next_if(|fault| fault.row == row) {
                let channel = fault.channel.map(|kind| place[key * width + kind]);
                if channel != Some(None) {
                    let (channel, kind, text) = (channel.flatten(), fault.kind, fault.text.clone());
                    new.faults.push(Fault { row: at, channel, kind, text });
                }
            }
        }
        new.runs.push(Run { episode: run.episode.clone(), rows: first..new.rows() });
    }
    values.extend(&now)?;
    new.values = values.finish()?;
    Ok(())
}
