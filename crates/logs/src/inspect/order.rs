//! The order of an episode's rows: which stand twice, which too late, where the clock was set back.

use crate::pace::median;
use crate::read::table::{Run, Table};
use std::collections::HashMap;
use std::ops::Range;

/// Where more rows than this share have the time of another, the stamps are rounded.
pub(super) const COARSE: f64 = 0.2;

/// Rows after a step back in time that go on forward: with fewer, rows came late; with more, the clock was set back.
const LATE: usize = 10;

/// The rows of an episode by their time.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// Each stretch in which the clock was not set back: its rows by time, without those that are there already.
    pub sections: Vec<Vec<usize>>,
    /// Rows that are an earlier one again, time and all values.
    pub duplicated: Vec<usize>,
    /// The later-standing rows of exchanged neighbours.
    pub swapped: Vec<usize>,
    /// Other rows that stand after rows of a later time.
    pub late: Vec<usize>,
    /// Rows with which the clock was set back.
    pub set_back: Vec<usize>,
    /// Rows without a finite time.
    pub bad_times: Vec<usize>,
}

impl Order {
    pub fn of(table: &Table, run: &Run) -> Self {
        let time = &table.time_secs;
        let (timed, bad_times): (Vec<usize>, Vec<usize>) = run.rows.clone().partition(|row| time[*row].is_finite());
        let (kept, duplicated) = without_duplicates(table, timed);
        let mut order = Self { duplicated, bad_times, ..Self::default() };
        let mut start = 0;
        for part in forward(time, &kept) {
            let (before, rows) = (&kept[start..part.start], &kept[part.clone()]);
            if part.start > start && set_back(time, before, rows) {
                order.set_back.push(rows[0]);
                order.section(time, before);
                start = part.start;
            }
        }
        order.section(time, &kept[start..]);
        order.late_duplicates(table);
        order
    }

    /// A row that came late and has all values of a row around its time is that row again, stamped a little off.
    fn late_duplicates(&mut self, table: &Table) {
        let time = &table.time_secs;
        let mut again = Vec::new();
        for rows in &self.sections {
            let mut steps: Vec<f64> = rows.windows(2).map(|w| time[w[1]] - time[w[0]]).filter(|s| *s > 0.0).collect();
            let Some(step) = median(&mut steps) else { continue };
            for late in &self.late {
                let Some(i) = rows.iter().position(|row| row == late) else { continue };
                let near = [i.checked_sub(1), Some(i + 1)].into_iter().flatten().filter_map(|j| rows.get(j));
                let close = |row: &usize| (time[*row] - time[*late]).abs() < 0.5 * step && same(table, *row, *late);
                if near.into_iter().any(|row| !again.contains(row) && close(row)) {
                    again.push(*late);
                }
            }
        }
        self.late.retain(|row| !again.contains(row));
        self.sections.iter_mut().for_each(|rows| rows.retain(|row| !again.contains(row)));
        self.duplicated.extend(again);
        self.duplicated.sort_unstable();
    }

    fn section(&mut self, time: &[f64], rows: &[usize]) {
        let at = |i: usize| time[rows[i]];
        let mut latest = f64::NEG_INFINITY;
        for i in 0..rows.len() {
            if at(i) < latest {
                let exchanged = at(i) < at(i - 1)
                    && (i < 2 || at(i - 2) <= at(i))
                    && (i + 1 == rows.len() || at(i - 1) <= at(i + 1));
                if exchanged { &mut self.swapped } else { &mut self.late }.push(rows[i]);
            }
            latest = latest.max(at(i));
        }
        let mut sorted = rows.to_vec();
        sorted.sort_by(|a, b| time[*a].total_cmp(&time[*b]));
        self.sections.push(sorted);
    }
}

/// The rows without those that repeat an earlier one, and these.
fn without_duplicates(table: &Table, rows: Vec<usize>) -> (Vec<usize>, Vec<usize>) {
    let mut at: HashMap<u64, Vec<usize>> = HashMap::with_capacity(rows.len());
    let mut again = vec![false; rows.len()];
    for (i, row) in rows.iter().enumerate() {
        let earlier = at.entry(table.time_secs[*row].to_bits()).or_default();
        again[i] = earlier.iter().any(|other| same(table, *other, *row));
        if !again[i] {
            earlier.push(*row);
        }
    }
    if (at.len() as f64) < (1.0 - COARSE) * rows.len() as f64 {
        // Of rounded stamps equal rows are no repetition, but a robot at rest.
        let all_again = again.iter().filter(|again| **again).count();
        if at.len() + all_again < rows.len() {
            return (rows, Vec::new());
        }
    }
    let pick = |wanted: bool| rows.iter().zip(&again).filter(move |(_, a)| **a == wanted).map(|(row, _)| *row);
    (pick(false).collect(), pick(true).collect())
}

/// Whether two rows have the same values, missing ones too.
fn same(table: &Table, a: usize, b: usize) -> bool {
    let width = table.channels.len();
    let values = |row: usize| &table.values[row * width..(row + 1) * width];
    values(a).iter().zip(values(b)).all(|(a, b)| a.to_bits() == b.to_bits())
}

/// The parts of `rows` in which time does not run back.
fn forward(time: &[f64], rows: &[usize]) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let mut start = 0;
    for i in 1..=rows.len() {
        if i == rows.len() || time[rows[i]] < time[rows[i - 1]] {
            parts.push(start..i);
            start = i;
        }
    }
    parts
}

/// Whether the rows after a step back go on beside those before it: the clock was set. Rows that fill a hole, or a few,
/// only came late.
fn set_back(time: &[f64], before: &[usize], rows: &[usize]) -> bool {
    let (Some(first), Some(last)) = (rows.first().map(|r| time[*r]), rows.last().map(|r| time[*r])) else {
        return false;
    };
    if rows.len() < LATE {
        return false;
    }
    let beside = before.iter().filter(|row| (first..=last).contains(&time[**row])).count();
    let earliest = before.iter().map(|row| time[*row]).fold(f64::INFINITY, f64::min);
    2 * beside >= LATE || last < earliest
}
