//! One recorded episode while it is looked at: its rows by time, its pace, where rows are missing.

use super::finding::FindingPlace;
use super::order::{COARSE, Order};
use super::timing::{self, Hole};
use super::{EpisodeReport, GapReport};
use crate::pace::median;
use crate::read::episode_id;
use crate::read::table::{Run, Table};
use crate::{Episode, Recording, Values};

/// Missing rows over which values are not compared.
const APART: usize = 2;
/// Missing rows at which the clock may have been set instead.
const JUMP: usize = 20;
/// Rows before and after a hole by which motion is told.
const NEAR: usize = 5;
/// A clock was set where moving channels go on so well that it had at most this probability by chance.
const BY_CHANCE: f64 = 0.1;

/// A recorded episode while it is looked at.
pub(super) struct Stretch<'a> {
    pub id: String,
    pub table: &'a Table,
    pub run: &'a Run,
    /// Rows of the group before this table's.
    pub offset: usize,
    pub order: Order,
    /// The usual step, seconds.
    pub step: Option<f64>,
    pub holes: Vec<Hole>,
    /// Steps by which the clock was set forward: the motion goes on as if it were one row later.
    pub set_forward: Vec<Hole>,
    /// Standard deviation of the steps as a share of the usual one.
    pub jitter: Option<f64>,
    /// Whether many rows share a stamp: the stamps are rounded.
    pub coarse: bool,
    /// The earliest time, seconds.
    start_secs: f64,
    /// `moved[i]`: channels that changed in all steps up to row `i` of the run, counted together.
    moved: Vec<usize>,
}

impl<'a> Stretch<'a> {
    pub fn new(stem: &str, table: &'a Table, run: &'a Run, offset: usize) -> Self {
        let time = &table.time_secs;
        let order = Order::of(table, run);
        let times: Vec<Vec<f64>> = order.sections.iter().map(|s| s.iter().map(|row| time[*row]).collect()).collect();
        let step = timing::step(&times);
        let rows: usize = times.iter().map(Vec::len).sum();
        let shared = times.iter().flat_map(|s| s.windows(2)).filter(|w| w[1] - w[0] <= 0.0).count();
        let coarse = shared as f64 > COARSE * rows as f64;
        // Of stamps that many rows share neither holes nor scatter can be told.
        let all = step.filter(|_| !coarse).map_or_else(Vec::new, |step| {
            order.sections.iter().flat_map(|rows| timing::holes(rows, time, step)).collect()
        });
        let width = table.channels.len();
        let mut moved = vec![0; run.rows.len()];
        for (i, row) in run.rows.clone().enumerate().skip(1) {
            let two = &table.values[(row - 1) * width..(row + 1) * width];
            let changed = two[..width].iter().zip(&two[width..]).filter(|(a, b)| (*a - *b).abs() > 0.0).count();
            moved[i] = moved[i - 1] + changed;
        }
        let start_secs = times.iter().flatten().copied().fold(f64::INFINITY, f64::min);
        let (set_forward, mut holes): (Vec<Hole>, Vec<Hole>) =
            all.into_iter().partition(|hole| hole.missing >= JUMP && goes_on(table, run, hole));
        let mut gone: Vec<Hole> = holes.iter().chain(&set_forward).copied().collect();
        for list in [&mut gone, &mut holes] {
            list.sort_by(|a, b| time[a.after].total_cmp(&time[b.after]));
        }
        let jitter = step.filter(|_| !coarse).and_then(|step| timing::jitter(&times, &gone, time, step));
        let id = episode_id(stem, run);
        Self { id, table, run, offset, order, step, holes, set_forward, jitter, coarse, start_secs, moved }
    }

    /// Whether any channel changes between two rows of the table.
    pub fn moves(&self, first: usize, last: usize) -> bool {
        let start = self.run.rows.start;
        self.moved[last - start] > self.moved[first - start]
    }

    /// Where a row of the table lies.
    pub fn place(&self, row: usize) -> FindingPlace {
        let time = self.table.time_secs[row];
        FindingPlace {
            path: self.table.source.path.clone(),
            episode: self.id.clone(),
            line: self.table.lines[row],
            secs: time.is_finite().then_some(time - self.start_secs),
            row: self.offset + row,
        }
    }

    /// The rows by time, in pieces within which values may be compared from row to row. Of rows at one time the first
    /// counts, unless the stamps are rounded.
    pub fn pieces(&self) -> Vec<Vec<usize>> {
        let time = &self.table.time_secs;
        let apart = self.holes.iter().chain(&self.set_forward).filter(|h| h.missing >= APART);
        let mut cuts: Vec<usize> = apart.map(|h| h.after).collect();
        cuts.sort_unstable();
        let mut pieces: Vec<Vec<usize>> = Vec::new();
        for rows in &self.order.sections {
            let mut piece: Vec<usize> = Vec::with_capacity(rows.len());
            for row in rows {
                if cuts.binary_search(row).is_ok() {
                    pieces.push(std::mem::take(&mut piece));
                }
                let again = piece.last().is_some_and(|last| time[*row] - time[*last] <= 0.0);
                if self.coarse || !again {
                    piece.push(*row);
                }
            }
            pieces.push(piece);
        }
        pieces
    }

    /// The times of each section, without repeated ones: what a rate is told from.
    pub fn as_read(&self) -> impl Iterator<Item = Episode> {
        self.order.sections.iter().map(|rows| {
            let mut time_secs: Vec<f64> = rows.iter().map(|row| self.table.time_secs[*row]).collect();
            time_secs.dedup();
            Episode { id: self.id.clone(), time_secs, values: Values::default() }
        })
    }

    pub fn report(&self) -> EpisodeReport {
        let (time, lines) = (&self.table.time_secs, &self.table.lines);
        let gaps = self.holes.iter().max_by(|a, b| a.secs.total_cmp(&b.secs)).map(|longest| GapReport {
            count: self.holes.len(),
            missing_frames: self.holes.iter().map(|h| h.missing).sum(),
            longest_secs: longest.secs,
            longest_line: lines[longest.after],
            longest_from_secs: time[longest.before],
        });
        let in_file_order: Vec<usize> = self.run.rows.clone().filter(|row| time[*row].is_finite()).collect();
        let backwards: Vec<usize> =
            in_file_order.windows(2).filter(|w| time[w[1]] < time[w[0]]).map(|w| w[1]).collect();
        let latest = in_file_order.iter().map(|row| time[*row]).fold(self.start_secs, f64::max);
        let repeated = self.repeated();
        EpisodeReport {
            id: self.id.clone(),
            path: self.table.source.path.clone(),
            rows: self.run.rows.len(),
            duration_secs: if in_file_order.is_empty() { 0.0 } else { latest - self.start_secs },
            rate_hz: rate_hz(self.as_read()),
            jitter: self.jitter,
            gaps,
            backwards: backwards.len(),
            backwards_line: backwards.first().map(|r| lines[*r]),
            repeated: self.order.duplicated.len() + repeated.len(),
            repeated_line: self.order.duplicated.iter().chain(&repeated).min().map(|r| lines[*r]),
            bad_times: self.order.bad_times.len(),
        }
    }

    /// Rows at the time of another one, repeated rows left out.
    pub fn repeated(&self) -> Vec<usize> {
        let time = &self.table.time_secs;
        let pairs = self.order.sections.iter().flat_map(|rows| rows.windows(2));
        pairs.filter(|w| time[w[1]] - time[w[0]] <= 0.0).map(|w| w[0].max(w[1])).collect()
    }
}

/// The rate that training would use for these episodes.
pub(super) fn rate_hz(episodes: impl Iterator<Item = Episode>) -> Option<f64> {
    let recording = Recording {
        channels: Vec::new(),
        episodes: episodes.collect(),
        sources: Vec::new(),
        notes: Vec::new(),
        parts: Default::default(),
    };
    recording.rate_hz().ok()
}

/// Whether the motion goes on over a hole as if no row were missing: every channel is where one more step takes it, and
/// those that move would hardly all be there by chance.
fn goes_on(table: &Table, run: &Run, hole: &Hole) -> bool {
    let width = table.channels.len();
    let value = |row: usize, c: usize| table.values[row * width + c];
    let (before, after) = (hole.before, hole.after);
    if after != before + 1 || before < run.rows.start + NEAR || after + NEAR >= run.rows.end {
        return false;
    }
    let mut by_chance = 1.0;
    for c in 0..width {
        let own = || run.rows.clone().map(|r| value(r, c)).filter(|v| v.is_finite());
        let (least, most) = own().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
        let mut steps: Vec<f64> = own().zip(own().skip(1)).map(|(a, b)| (b - a).abs()).filter(|s| *s > 0.0).collect();
        let Some(usual) = median(&mut steps) else { continue };
        let speed = |from: usize| (value(from + NEAR, c) - value(from, c)) / NEAR as f64;
        let (to, over, from) = (speed(before - NEAR), value(after, c) - value(before, c), speed(after));
        if (over - 0.5 * (to + from)).abs() > 1.5 * usual + 0.5 * to.abs().max(from.abs()) {
            return false;
        }
        if to.abs().min(from.abs()) > 0.5 * usual {
            by_chance *= (4.0 * usual / (most - least)).min(1.0);
        }
    }
    by_chance < BY_CHANCE
}
