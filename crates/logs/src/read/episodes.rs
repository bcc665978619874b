//! From a file's rows to its episodes: what a log must be, checked row by row.

use super::table::{FaultKind, Run, Table};
use super::{OnGap, ReadOptions};
use crate::Episode;
use crate::error::{Error, Result};
use crate::pace::{Pace, median};

/// So many steps in a row that are all too long, or all too short, are another rate and not gaps.
const RUN_OF_ANOTHER_RATE: usize = 10;

/// The rate of the first episode.
pub(crate) struct Reference {
    pace: Pace,
    id: String,
}

/// The episodes of a table, named after `stem`.
pub(crate) fn episodes(
    stem: &str,
    table: &Table,
    options: &ReadOptions,
    reference: &mut Option<Reference>,
) -> Result<Vec<Episode>> {
    let usable = usable_rows(table, options)?;
    check_order(table)?;
    for run in &table.runs {
        check_rate(stem, table, run, reference)?;
    }
    let mut steps: Vec<f64> = table.runs.iter().flat_map(|run| steps(table, run)).map(|(_, step)| step).collect();
    let median_step = median(&mut steps).unwrap_or(f64::INFINITY);
    let longest = options.max_gap * median_step;
    let width = table.channels.len();

    let mut episodes = Vec::new();
    for run in &table.runs {
        check_one_rate(table, run, median_step, options)?;
        let id = id(stem, run);
        let mut pieces: Vec<Vec<usize>> = Vec::new();
        let mut before: Option<usize> = None;
        for row in run.rows.clone().filter(|row| usable[*row]) {
            let step = before.map(|b| table.time_secs[row] - table.time_secs[b]);
            let gap = step.filter(|step| *step > longest);
            if let (Some(step), OnGap::Error) = (gap, options.on_gap) {
                let found = format!("a gap of {step:.6} s ({:.1} median steps)", step / median_step);
                let expected = format!(
                    "steps of at most {} median steps of {median_step:.6} s (`on_gap = split` begins a new episode \
                     here)",
                    options.max_gap
                );
                return Err(table.error(row, None, found, expected));
            }
            // A row left out splits the episode, however little time it took.
            let adjacent = before.is_some_and(|b| b + 1 == row);
            match pieces.last_mut() {
                Some(piece) if adjacent && gap.is_none() => piece.push(row),
                _ => pieces.push(vec![row]),
            }
            before = Some(row);
        }
        let split = pieces.len() > 1;
        for (part, rows) in pieces.into_iter().enumerate() {
            episodes.push(Episode {
                id: if split { format!("{id}#{}", part + 1) } else { id.clone() },
                time_secs: rows.iter().map(|r| table.time_secs[*r]).collect(),
                values: rows.iter().flat_map(|r| &table.values[r * width..(r + 1) * width]).copied().collect(),
            });
        }
    }
    if episodes.is_empty() {
        return Err(Error::Log {
            path: table.path.clone(),
            line: None,
            column: None,
            found: "no row in which every cell is a finite number".into(),
            expected: "at least one (a channel without values can be left out by `ignore = NAME`)".into(),
        });
    }
    Ok(episodes)
}

/// `(rows,)`: whether every cell of the row is a finite number.
fn usable_rows(table: &Table, options: &ReadOptions) -> Result<Vec<bool>> {
    let mut usable = vec![true; table.rows()];
    for fault in &table.faults {
        let name = table.column(fault.channel);
        let expected = match (fault.kind, fault.channel) {
            (FaultKind::Text, Some(_)) => format!("a number (`ignore = {name}` leaves the column out)"),
            (FaultKind::Text, None) => "a time as a number".into(),
            _ if options.on_gap == OnGap::Error => {
                "a finite number (`on_gap = split` leaves the row out and begins a new episode after it)".into()
            }
            _ => {
                usable[fault.row] = false;
                continue;
            }
        };
        return Err(table.error(fault.row, fault.channel, fault.found(), expected));
    }
    Ok(usable)
}

/// Time must run forward within every recorded episode.
fn check_order(table: &Table) -> Result<()> {
    let mut all = table.runs.iter().flat_map(|run| steps(table, run));
    let Some((row, step)) = all.find(|(_, step)| *step <= 0.0) else { return Ok(()) };
    let now = table.time_secs[row];
    let found = if step < 0.0 {
        format!("{now} s, {:.6} s before the row above: time runs backwards", -step)
    } else {
        format!("{now} s, the time of the row above: time is repeated")
    };
    Err(table.error(row, None, found, "a later time than in the row above"))
}

/// All recorded episodes must have the first one's rate.
fn check_rate(stem: &str, table: &Table, run: &Run, reference: &mut Option<Reference>) -> Result<()> {
    let Some(pace) = Pace::of(&mut steps(table, run).map(|(_, step)| step).collect()) else { return Ok(()) };
    match reference {
        None => *reference = Some(Reference { pace, id: id(stem, run) }),
        Some(Reference { pace: first, id: first_id }) if pace.differs_from(first) => {
            let found = format!("another rate in episode `{}`, {:.6} Hz", id(stem, run), pace.rate_hz());
            let expected = format!("{:.6} Hz within 1 %, as in episode `{first_id}`", first.rate_hz());
            return Err(table.error(run.rows.start, None, found, expected));
        }
        Some(_) => {}
    }
    Ok(())
}

/// One episode must not change its rate.
fn check_one_rate(table: &Table, run: &Run, median_step: f64, options: &ReadOptions) -> Result<()> {
    let (mut side, mut length) = (0, 0);
    let mut begin = run.rows.start;
    for (row, step) in steps(table, run) {
        let now = i32::from(step > options.max_gap * median_step) - i32::from(step * options.max_gap < median_step);
        if now != side {
            (side, length, begin) = (now, 0, row);
        }
        length += 1;
        if side != 0 && length >= RUN_OF_ANOTHER_RATE {
            let found =
                format!("another rate within an episode, {length} steps of about {step:.6} s one after the other");
            return Err(table.error(begin, None, found, format!("one rate, steps of about {median_step:.6} s")));
        }
    }
    Ok(())
}

/// Rows of `run` from the second one on, each with its time after the row before; rows without a time are passed over.
fn steps<'a>(table: &'a Table, run: &Run) -> impl Iterator<Item = (usize, f64)> + 'a {
    let mut before = None;
    run.rows.clone().filter(|row| table.time_secs[*row].is_finite()).filter_map(move |row| {
        let now = table.time_secs[row];
        before.replace(now).map(|before: f64| (row, now - before))
    })
}

pub(crate) fn id(stem: &str, run: &Run) -> String {
    run.episode.as_ref().map_or_else(|| stem.to_string(), |episode| format!("{stem}/{episode}"))
}
