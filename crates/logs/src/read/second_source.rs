//! Rows of a second source: two nodes that publish on one topic, a state of before between those of now.

use super::by_turns::{by_turns, off, second};
use super::repairs::{Repairs, others};
use super::table::Table;
use super::track::{Track, pace};
use super::{OnRepeat, ReadOptions};
use crate::error::Result;
use ebmotion_engine::parallel;
use std::borrow::Cow;

/// Refuses, or leaves out, rows of a second source: rows far ahead of the log's pace whose values are not on the way
/// between their neighbours. Rows that are merely early are on the way.
pub(super) fn second_source(
    table: &Table,
    tracks: &mut [Track],
    options: &ReadOptions,
    repairs: &mut Repairs,
) -> Result<()> {
    let (early, step) = in_between(table, tracks);
    let count = early.iter().flatten().filter(|early| **early).count();
    if count == 0 || !disagree(table, tracks, &early) {
        return of_one_rate(table, tracks, options, repairs);
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
    tracks.iter_mut().zip(&early).for_each(|(track, early)| leave_out(table, track, early, repairs));
    Ok(())
}

fn leave_out(table: &Table, track: &mut Track, rows: &[bool], repairs: &mut Repairs) {
    if let Some(first) = rows.iter().position(|out| *out) {
        repairs.second_source.add(rows.iter().filter(|out| **out).count(), table, track.rows[first]);
    }
    let keep: Vec<bool> = rows.iter().map(|out| !out).collect();
    track.keep(&keep);
}

/// Refuses, or leaves out, rows of a second source of the first one's rate, which come by turns with it.
fn of_one_rate(table: &Table, tracks: &mut [Track], options: &ReadOptions, repairs: &mut Repairs) -> Result<()> {
    // Of one smooth motion this is 1 / 4, of noise 1.
    const TIMES: f64 = 4.0;
    let by_turns = |i: usize| by_turns(table, &tracks[i].rows, &tracks[i].time, TIMES, tracks.len());
    let turning = parallel::map(parallel::available(), tracks.len(), by_turns);
    for (track, _) in tracks.iter_mut().zip(turning).filter(|(_, turning)| *turning) {
        if options.on_repeat == OnRepeat::Drop {
            let second = second(track);
            leave_out(table, track, &second, repairs);
            continue;
        }
        let found = "rows of two sources by turns: every other row lies on one motion, the rows between on another";
        let expected = "rows of one source (`on_repeat = drop` takes those of the first row's source)";
        return Err(table.error(track.rows[1], None, found, expected));
    }
    Ok(())
}

/// Of each track the rows in between, and the step of the others. The pace is that of the rows kept, so it is told anew
/// until no more are found.
fn in_between(table: &Table, tracks: &[Track]) -> (Vec<Vec<bool>>, f64) {
    const PASSES: usize = 10;
    let mut found: Vec<Vec<bool>> = tracks.iter().map(|track| vec![false; track.rows.len()]).collect();
    let mut step = 0.0;
    for _ in 0..PASSES {
        let mut kept = Cow::Borrowed(tracks);
        if found.iter().flatten().any(|found| *found) {
            kept.to_mut().iter_mut().zip(&found).for_each(|(track, found)| {
                let keep: Vec<bool> = found.iter().map(|found| !found).collect();
                track.keep(&keep);
            });
        }
        let Some(pace) = pace(&kept) else { break };
        step = if pace.even { pace.median } else { pace.step };
        let mut more = false;
        for (track, found) in kept.iter().zip(&mut found) {
            let mut now = early(table, track, step).into_iter();
            for found in found.iter_mut().filter(|found| !**found) {
                *found = now.next().unwrap_or(false);
                more |= *found;
            }
        }
        if !more {
            break;
        }
    }
    (found, step)
}

/// `(rows,)`: the rows without which the others keep a pace of one row every `step`.
///
/// A row is in between where it, or the next one, comes almost half a step ahead of the pace of those kept; rows that
/// only catch up after a late one are not. Of the two the one is told without which the others are more even, or, where
/// that says little, whose values are further off the way.
fn early(table: &Table, track: &Track, step: f64) -> Vec<bool> {
    const AHEAD: f64 = 0.45;
    const FORGOTTEN: f64 = 0.2;
    const EVEN: f64 = 0.4;
    let time = &track.time;
    let mut early = vec![false; time.len()];
    // The last two that are kept.
    let (mut before, mut last) = (None, 0);
    let mut late = 0.0_f64;
    for i in 1..time.len() {
        let ahead = late + time[i] - time[last] - step;
        if ahead >= -AHEAD * step {
            late = (ahead * (1.0 - FORGOTTEN)).max(0.0);
            (before, last) = (Some(last), i);
            continue;
        }
        let next = Some(i + 1).filter(|i| *i < time.len());
        let uneven = |from: usize, to: usize| (time[to] - time[from] - step).abs();
        let the_last = match (before, next) {
            (Some(before), Some(next)) => {
                let (without_last, without_this) = (uneven(before, i), uneven(last, next));
                let further = |c: &usize| {
                    off_at(table, track, [before, last, next], *c) > off_at(table, track, [before, i, next], *c)
                };
                match (without_last - without_this).abs() > EVEN * step {
                    true => without_last < without_this,
                    false => 2 * (0..table.channels.len()).filter(further).count() > table.channels.len(),
                }
            }
            (Some(_), None) => uneven(last, i) > step,
            _ => false,
        };
        if the_last {
            early[last] = true;
            last = i;
        } else {
            early[i] = true;
        }
    }
    early
}

/// How far the middle one of three positions of a track lies off the straight line between the others, in a channel.
fn off_at(table: &Table, track: &Track, at: [usize; 3], c: usize) -> f64 {
    off(table, at.map(|i| track.rows[i]), at.map(|i| track.time[i]), c)
}

/// Whether early rows lie off the straight line between the rows around them, far more than other rows do.
fn disagree(table: &Table, tracks: &[Track], early: &[Vec<bool>]) -> bool {
    const FAR: f64 = 3.0;
    let (mut sum, mut count) = (0.0, 0_usize);
    for c in 0..table.channels.len() {
        let usual: Vec<Vec<f64>> =
            tracks.iter().zip(early).map(|(track, early)| usual(table, track, early, c)).collect();
        let finite = || usual.iter().flatten().filter(|v| v.is_finite());
        let mean = finite().sum::<f64>() / finite().count().max(1) as f64;
        for ((track, early), usual) in tracks.iter().zip(early).zip(&usual) {
            for i in (0..early.len()).filter(|i| early[*i]) {
                let before = (0..i).rev().find(|k| !early[*k]);
                let after = (i + 1..early.len()).find(|k| !early[*k]);
                let (Some(before), Some(after)) = (before, after) else { continue };
                let usual = mean.max(usual[before]).max(usual[after]);
                let own = off_at(table, track, [before, i, after], c);
                // A channel that stands still, or without a number here, says nothing.
                if own.is_finite() && usual > 0.0 {
                    (sum, count) = (sum + own / usual, count + 1);
                }
            }
        }
    }
    count > 0 && sum > FAR * count as f64
}

/// `(rows,)`: how far the rows kept lie off the lines between their neighbours; NaN for the others.
fn usual(table: &Table, track: &Track, early: &[bool], c: usize) -> Vec<f64> {
    let kept: Vec<usize> = (0..early.len()).filter(|i| !early[*i]).collect();
    let mut usual = vec![f64::NAN; early.len()];
    kept.windows(3).for_each(|w| usual[w[1]] = off_at(table, track, [w[0], w[1], w[2]], c));
    usual
}
