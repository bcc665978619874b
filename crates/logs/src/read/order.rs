//! The rows of an episode in the order, and at the times, at which they are taken: rows that run backwards, repeat a
//! time, or come from two sources.

use super::repairs::{Repairs, others};
use super::second_source::second_source;
use super::spread::spread;
use super::table::Table;
use super::track::{Track, pace};
use super::{OnBackwards, OnRepeat, ReadOptions};
use crate::error::{Error, Result};

/// The tracks of a table, each strictly ascending in time.
///
/// # Errors
/// [`Error::Log`] for what the options do not mend, at the first row at fault.
pub(super) fn tracks(table: &Table, options: &ReadOptions, repairs: &mut Repairs) -> Result<Vec<Track>> {
    let mut tracks = Vec::new();
    for run in 0..table.runs.len() {
        tracks.extend(forward(table, run, options, repairs)?);
    }
    match options.on_repeat {
        OnRepeat::Error => {}
        OnRepeat::Drop => tracks.iter_mut().for_each(|track| drop_repeated(table, track, repairs)),
        OnRepeat::Spread => spread(table, &mut tracks, repairs),
    }
    check_repeated(table, &tracks)?;
    second_source(table, &mut tracks, options, repairs)?;
    Ok(tracks)
}

/// The rows with a time of one recorded episode, not descending in time. A row without a time ends a track as a missing
/// row does, unless missing rows are bridged.
fn forward(table: &Table, run: usize, options: &ReadOptions, repairs: &mut Repairs) -> Result<Vec<Track>> {
    let time = &table.time_secs;
    let bridged = options.bridges() || options.on_backwards == OnBackwards::Sort;
    let mut parts: Vec<Vec<usize>> = vec![Vec::new()];
    for row in table.runs[run].rows.clone() {
        match (time[row].is_finite(), parts.last_mut()) {
            (true, Some(part)) => part.push(row),
            (false, Some(part)) if !bridged && !part.is_empty() => parts.push(Vec::new()),
            _ => {}
        }
    }
    let mut tracks = Vec::new();
    for mut part in parts {
        let places: Vec<usize> = (1..part.len()).filter(|i| time[part[*i]] < time[part[*i - 1]]).collect();
        let Some(first) = places.first().copied() else {
            tracks.push(part);
            continue;
        };
        let row = part[first];
        match options.on_backwards {
            OnBackwards::Error => return Err(backwards(table, row, part[first - 1], places.len())),
            OnBackwards::Sort => {
                repairs.sorted.add(places.len(), table, row);
                part.sort_by(|a, b| time[*a].total_cmp(&time[*b]));
                tracks.push(part);
            }
            OnBackwards::Split => {
                repairs.restarts.add(places.len(), table, row);
                let begins = std::iter::once(0).chain(places.iter().copied());
                let ends = places.iter().copied().chain([part.len()]);
                tracks.extend(begins.zip(ends).map(|(begin, end)| part[begin..end].to_vec()));
            }
        }
    }
    let track = |rows: Vec<usize>| Track { run, time: rows.iter().map(|row| time[*row]).collect(), rows };
    Ok(tracks.into_iter().filter(|rows| !rows.is_empty()).map(track).collect())
}

fn backwards(table: &Table, row: usize, before: usize, rows: usize) -> Error {
    let (now, above) = (table.time_secs[row], table.time_secs[before]);
    let found = format!("{now} s, {:.6} s before the row above: time runs backwards{}", above - now, others(rows));
    let expected = "a later time than in the row above (`on_backwards = sort` sorts the rows, `on_backwards = split` \
                    begins a new episode here)";
    table.error(row, None, found, expected)
}

fn same_values(table: &Table, a: usize, b: usize) -> bool {
    let width = table.channels.len();
    let row = |r: usize| table.values[r * width..(r + 1) * width].iter().map(|v| v.to_bits());
    row(a).eq(row(b))
}

/// Positions at the time of the row before.
fn repeats(track: &Track) -> impl Iterator<Item = usize> + '_ {
    (1..track.time.len()).filter(|i| track.time[*i] <= track.time[*i - 1])
}

fn drop_repeated(table: &Table, track: &mut Track, repairs: &mut Repairs) {
    let exact: Vec<usize> = repeats(track).filter(|i| same_values(table, track.rows[*i - 1], track.rows[*i])).collect();
    let mut keep = vec![true; track.rows.len()];
    exact.iter().for_each(|i| keep[*i] = false);
    if let Some(first) = exact.first() {
        repairs.repeated.add(exact.len(), table, track.rows[*first]);
    }
    track.keep(&keep);
}

fn check_repeated(table: &Table, tracks: &[Track]) -> Result<()> {
    let at = |track: &Track, i: usize| (track.rows[i], same_values(table, track.rows[i - 1], track.rows[i]));
    let all: Vec<(usize, bool)> = tracks.iter().flat_map(|t| repeats(t).map(move |i| at(t, i))).collect();
    let Some((row, exact)) = all.iter().min_by_key(|(row, _)| *row).copied() else { return Ok(()) };
    let rows: usize = tracks.iter().map(|t| t.rows.len()).sum();
    let now = table.time_secs[row];
    let found =
        |what: &str, n: usize| format!("{now} s, the time of the row above{what}: time is repeated{}", others(n));
    // A few rows twice are rows written twice; many are stamps of too few digits.
    if exact && 16 * all.len() <= rows && all.iter().all(|(_, exact)| *exact) {
        let expected = "a later time than in the row above (`on_repeat = drop` leaves out rows that are repeated)";
        return Err(table.error(row, None, found(", with the same values", all.len()), expected));
    }
    let expected = match pace(tracks) {
        Some(pace) => format!(
            "a later time than in the row above (`on_repeat = spread` spreads such rows evenly up to the next time, at \
             about {:.1} Hz; `on_repeat = drop` leaves out those with the same values)",
            pace.rate_hz()
        ),
        None => "a later time than in the row above; no time passes in this log".into(),
    };
    let n = all.iter().filter(|(_, e)| *e == exact).count();
    let what = if exact { ", with the same values" } else { ", with other values" };
    Err(table.error(row, None, found(what, n), expected))
}
