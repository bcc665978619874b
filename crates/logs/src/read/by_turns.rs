//! Rows of two sources of one rate: by turns they lie on two motions.

use super::table::Table;
use super::track::Track;
use crate::angle::whole_periods;
use crate::pace::median;
use std::ops::Range;

/// Fewest rows that say something.
const FEWEST: usize = 40;
/// Blocks of rows that are looked at: single rows far apart would bring the whole file of a large log into memory.
const BLOCKS: usize = 8;
/// Rows of a block.
const BLOCK: usize = 256;
/// Values that a channel may take and still be a switch, a mode or a gripper's command.
const FEW_LEVELS: usize = 8;
/// Least distance of the two motions, in the usual steps of a channel.
const APART: f64 = 0.25;

/// Whether the rows lie on two motions by turns: in most of the channels that move, readings lie more than `times` as
/// far from the line between their neighbours as from the line between the rows two before and after. Of one smooth
/// motion they lie a quarter as far, of noise as far. They are one of so many `stretches` of a log.
pub(crate) fn by_turns(table: &Table, rows: &[usize], time: &[f64], times: f64, stretches: usize) -> bool {
    if rows.len() < FEWEST {
        return false;
    }
    let blocks = blocks(rows.len(), stretches);
    let looked = || blocks.iter().cloned().flatten();
    let (mut moving, mut turning) = (0, 0);
    for c in 0..table.channels.len() {
        let value = |i: usize| table.values[rows[i] * table.channels.len() + c];
        let mut levels: Vec<f64> = looked().map(value).filter(|v| v.is_finite()).collect();
        levels.sort_unstable_by(f64::total_cmp);
        levels.dedup();
        if levels.len() <= FEW_LEVELS {
            continue;
        }
        let bend = |apart: usize| {
            // By the stamps or evenly, whatever fits better: stamps may jitter by turns as well.
            let of = |i: usize| {
                let at = [i - apart, i, i + apart];
                let by = |time: [f64; 3]| off(table, at.map(|i| rows[i]), time, c);
                by(at.map(|i| time[i])).min(by([0.0, 1.0, 2.0]))
            };
            median(&mut looked().map(of).filter(|bend| bend.is_finite()).collect::<Vec<_>>()).unwrap_or(0.0)
        };
        let mut steps: Vec<f64> = looked().map(|i| (value(i) - value(i - 1)).abs()).filter(|s| *s > 0.0).collect();
        let (near, step) = (bend(1), median(&mut steps).unwrap_or(0.0));
        moving += 1;
        turning += usize::from(near > APART * step && near > times * bend(2));
    }
    2 * turning > moving
}

/// The rows to look at, each with two more on either side: all, or blocks that lie evenly over all. Of many stretches
/// each is looked at less.
fn blocks(rows: usize, stretches: usize) -> Vec<Range<usize>> {
    let stretches = stretches.max(1);
    let count = (BLOCKS / stretches).max(2);
    let length = (BLOCKS * BLOCK / (count * stretches)).max(FEWEST);
    let inner = 2..rows - 2;
    if inner.len() <= count * length {
        return vec![inner];
    }
    let begin = |block: usize| inner.start + block * (inner.len() - length) / (count - 1);
    (0..count).map(|block| begin(block)..begin(block) + length).collect()
}

/// How far the middle one of three rows lies off the straight line between the others, in a channel.
pub(super) fn off(table: &Table, rows: [usize; 3], [before, at, after]: [f64; 3], c: usize) -> f64 {
    let [a, i, b] = rows.map(|row| table.values[row * table.channels.len() + c]);
    let share = (at - before) / (after - before);
    let around = |off: f64| table.channels[c].period.map_or(off, |period| off - whole_periods(off, period));
    // Over the seam of an angle its neighbours lie a period apart.
    around(i - a - share * around(b - a)).abs()
}

/// `(rows,)`: the rows of the second of two sources that come by turns. Where a row is missing the next one is told by
/// when it comes: whole periods after the last one of its source.
pub(super) fn second(track: &Track) -> Vec<bool> {
    const SURER: f64 = 0.1;
    let time = &track.time;
    let mut periods: Vec<f64> = time.windows(3).map(|w| w[2] - w[0]).collect();
    let period = median(&mut periods).unwrap_or(1.0);
    let mut second = vec![false; time.len()];
    // Where the last row of either source is.
    let mut last: [Option<usize>; 2] = [Some(0), None];
    for i in 1..second.len() {
        let (before, turn) = (second[i - 1], !second[i - 1]);
        let off = |source: bool| {
            let periods = last[usize::from(source)].map(|k| (time[i] - time[k]) / period);
            periods.map_or(0.0, |periods| (periods - periods.round()).abs())
        };
        second[i] = if off(before) + SURER < off(turn) { before } else { turn };
        last[usize::from(second[i])] = Some(i);
    }
    second
}
