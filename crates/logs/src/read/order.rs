//! The rows of an episode in the order, and at the times, at which they are taken: rows that run backwards, repeat a
//! time, or come from two sources.

use super::repairs::Repairs;
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

/// How many more of the first one there are.
fn others(rows: usize) -> String {
    if rows > 1 { format!(" (and {} more times)", rows - 1) } else { String::new() }
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
             {:.6} Hz; `on_repeat = drop` leaves out those with the same values)",
            pace.rate_hz()
        ),
        None => "a later time than in the row above; no time passes in this log".into(),
    };
    let n = all.iter().filter(|(_, e)| *e == exact).count();
    let what = if exact { ", with the same values" } else { ", with other values" };
    Err(table.error(row, None, found(what, n), expected))
}

/// Refuses, or leaves out, rows of a second source: rows far ahead of the log's pace whose values are not on the way
/// between their neighbours. Rows that are merely early are on the way.
fn second_source(table: &Table, tracks: &mut [Track], options: &ReadOptions, repairs: &mut Repairs) -> Result<()> {
    let Some(pace) = pace(tracks) else { return Ok(()) };
    let step = if pace.even { pace.median } else { pace.step };
    let early: Vec<Vec<bool>> = tracks.iter().map(|track| early(&track.time, step)).collect();
    let count = early.iter().flatten().filter(|early| **early).count();
    if count == 0 || !disagree(table, tracks, &early) {
        return Ok(());
    }
    let places = tracks.iter().zip(&early).flat_map(|(t, e)| (0..e.len()).filter(|i| e[*i]).map(move |i| (t, i)));
    let first = places.min_by_key(|(track, i)| track.rows[*i]);
    if let (OnRepeat::Error | OnRepeat::Spread, Some((track, i))) = (options.on_repeat, first) {
        let found = format!(
            "a row {:.6} s after the row above, with values that are not on the way from that to the next{}",
            track.time[i] - track.time[i - 1],
            others(count)
        );
        let expected = format!(
            "steps of about {step:.6} s from one source (`on_repeat = drop` leaves out rows that come in between)"
        );
        return Err(table.error(track.rows[i], None, found, expected));
    }
    for (track, early) in tracks.iter_mut().zip(&early) {
        if let Some(first) = early.iter().position(|early| *early) {
            repairs.second_source.add(early.iter().filter(|e| **e).count(), table, track.rows[first]);
        }
        let keep: Vec<bool> = early.iter().map(|early| !early).collect();
        track.keep(&keep);
    }
    Ok(())
}

/// `(rows,)`: the rows without which the others keep a pace of one row every `step`.
///
/// A row is in between where it, or the next one, comes almost half a step ahead of the pace of those kept; rows that
/// only catch up after a late one are not. Of the two the one is told without which the others are more even.
fn early(time: &[f64], step: f64) -> Vec<bool> {
    const AHEAD: f64 = 0.45;
    const FORGOTTEN: f64 = 0.1;
    let mut early = vec![false; time.len()];
    let mut kept: Vec<usize> = Vec::new();
    let mut late = 0.0_f64;
    for i in 0..time.len() {
        let Some(before) = kept.last().copied() else {
            kept.push(i);
            continue;
        };
        let ahead = late + time[i] - time[before] - step;
        if ahead >= -AHEAD * step {
            late = (ahead * (1.0 - FORGOTTEN)).max(0.0);
            kept.push(i);
            continue;
        }
        let across = |from: Option<usize>, to: Option<usize>| match (from, to) {
            (Some(from), Some(to)) => (time[to] - time[from] - step).abs(),
            _ => f64::INFINITY,
        };
        let without_this = across(Some(before), Some(i + 1).filter(|next| *next < time.len()));
        let without_last = across(kept.len().checked_sub(2).map(|k| kept[k]), Some(i));
        if without_last < without_this {
            early[before] = true;
            kept.pop();
            kept.push(i);
        } else {
            early[i] = true;
        }
    }
    early
}

/// Whether early rows lie off the straight line between the rows around them, far more than other rows do.
fn disagree(table: &Table, tracks: &[Track], early: &[Vec<bool>]) -> bool {
    const FAR: f64 = 3.0;
    let width = table.channels.len();
    let value = |row: usize, c: usize| table.values[row * width + c];
    // Off the line from `a` to `b`, positions of a track.
    let off = |track: &Track, a: usize, i: usize, b: usize, c: usize| {
        let share = (track.time[i] - track.time[a]) / (track.time[b] - track.time[a]);
        let [from, to] = [a, b].map(|i| value(track.rows[i], c));
        let mut off = value(track.rows[i], c) - from - share * (to - from);
        if let Some(period) = table.channels[c].period {
            off -= crate::angle::whole_periods(off, period);
        }
        off.abs()
    };
    let mut ratio = (0.0, 0_usize);
    for c in 0..width {
        let mut kept_off: Vec<Vec<f64>> = Vec::new();
        for (track, early) in tracks.iter().zip(early) {
            let kept: Vec<usize> = (0..early.len()).filter(|i| !early[*i]).collect();
            let mut offs = vec![f64::NAN; early.len()];
            kept.windows(3).for_each(|w| offs[w[1]] = off(track, w[0], w[1], w[2], c));
            kept_off.push(offs);
        }
        let finite = || kept_off.iter().flatten().filter(|v| v.is_finite());
        let mean = finite().sum::<f64>() / finite().count().max(1) as f64;
        for ((track, early), offs) in tracks.iter().zip(early).zip(&kept_off) {
            for i in (0..early.len()).filter(|i| early[*i]) {
                let before = (0..i).rev().find(|k| !early[*k]);
                let after = (i + 1..early.len()).find(|k| !early[*k]);
                let (Some(before), Some(after)) = (before, after) else { continue };
                let usual = mean.max(offs[before]).max(offs[after]);
                let own = off(track, before, i, after, c);
                // A channel that stands still, or without a number here, says nothing.
                if own.is_finite() && usual > 0.0 {
                    ratio = (ratio.0 + own / usual, ratio.1 + 1);
                }
            }
        }
    }
    ratio.1 > 0 && ratio.0 > FAR * ratio.1 as f64
}
