//! The values of one channel over all episodes.

use super::episode::Stretch;
use super::{ChannelFaults, ChannelReport, ConstantStretch, Stuck};
use crate::normalise::moments;
use crate::read::header::period;
use crate::read::table::{FaultKind, Table};
use std::f64::consts::TAU;

/// A channel that keeps its value longer than this while others move is stuck, seconds.
const STUCK_SECS: f64 = 1.0;
/// A jump within this share of a period of the whole period is a wrap.
const WRAP_SLACK: f64 = 0.1;

pub(super) fn report(group: &[(String, Table)], stretches: &[Stretch], c: usize) -> ChannelReport {
    let channel = group[0].1.channels[c].clone();
    let width = group[0].1.channels.len();
    let all = group.iter().flat_map(move |(_, t)| t.values.iter().skip(c).step_by(width).copied());
    let finite = all.filter(|v| v.is_finite());
    let values = finite.clone().count();
    let some = |v: f64| (values > 0).then_some(v);
    let (mean, std) = moments(finite.clone());
    let (min, max) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));

    let mut runs = Runs::default();
    for stretch in stretches {
        runs.scan(stretch, c, width);
    }
    let constant = values > 1 && runs.changes == 0 && max - min <= 0.0;
    let stuck = match (constant, runs.stuck) {
        (true, _) => Some(Stuck::Constant),
        (false, 0) => None,
        (false, _) => Some(Stuck::Run),
    };
    let candidates = match channel.period.or(period(channel.unit.as_deref())) {
        _ if channel.unit.is_none() && channel.period.is_none() => vec![TAU, 360.0],
        Some(period) => vec![period],
        None => Vec::new(),
    };
    let wraps = |period: f64| {
        // An angle that wraps stays within one period; larger ranges are something else.
        if max - min > 1.02 * period {
            return 0;
        }
        runs.large_steps.iter().filter(|step| (**step - period).abs() < WRAP_SLACK * period).count()
    };
    let (wrap_jumps, suspected) =
        candidates.iter().map(|p| (wraps(*p), *p)).max_by_key(|(count, _)| *count).unwrap_or((0, TAU));
    ChannelReport {
        values,
        min: some(min),
        max: some(max),
        mean: some(mean),
        std: some(std),
        changes: (runs.steps > 0).then(|| runs.changes as f64 / runs.steps as f64),
        faults: faults(group, c),
        longest_hold: runs.longest,
        stuck,
        stuck_holds: if constant { 0 } else { runs.stuck },
        wrap_jumps,
        suspected_period: (wrap_jumps > 0 && channel.period.is_none()).then_some(suspected),
        channel,
    }
}

fn faults(group: &[(String, Table)], c: usize) -> ChannelFaults {
    let mut counts = ChannelFaults::default();
    for (_, table) in group {
        for fault in table.faults.iter().filter(|f| f.channel == Some(c)) {
            *match fault.kind {
                FaultKind::Empty => &mut counts.empty,
                FaultKind::Nan => &mut counts.nan,
                FaultKind::Infinite => &mut counts.infinite,
                FaultKind::Text => &mut counts.text,
            } += 1;
            if counts.first_line.is_none() {
                counts.first_line = Some(table.lines[fault.row]);
                counts.first_path = Some(table.source.path.clone());
            }
        }
    }
    counts
}

/// Stretches with the same value, and steps between values, in file order.
#[derive(Default)]
struct Runs {
    longest: Option<ConstantStretch>,
    stuck: usize,
    steps: usize,
    changes: usize,
    /// Sizes of the steps that could be a wrap of the smallest period.
    large_steps: Vec<f64>,
}

impl Runs {
    fn scan(&mut self, stretch: &Stretch, c: usize, width: usize) {
        let value = |row: usize| stretch.table.values[row * width + c];
        // Row at which the current value began; the last row before the present one.
        let mut current: Option<(usize, usize)> = None;
        for row in stretch.run.rows.clone() {
            let now = value(row);
            if !now.is_finite() {
                self.close(stretch, current.take(), &value);
                continue;
            }
            current = match current {
                None => Some((row, row)),
                Some((first, last)) => {
                    let step = (now - value(last)).abs();
                    self.steps += 1;
                    if step > 0.0 {
                        self.changes += 1;
                        if step > TAU * (1.0 - WRAP_SLACK) {
                            self.large_steps.push(step);
                        }
                        self.close(stretch, Some((first, last)), &value);
                        Some((row, row))
                    } else {
                        Some((first, row))
                    }
                }
            };
        }
        self.close(stretch, current, &value);
    }

    fn close(&mut self, stretch: &Stretch, run: Option<(usize, usize)>, value: &impl Fn(usize) -> f64) {
        let Some((first, last)) = run else { return };
        let frames = last - first + 1;
        let secs = (frames - 1) as f64 * stretch.pace.map_or(0.0, |p| p.median);
        if secs > STUCK_SECS && stretch.moves(first, last) {
            self.stuck += 1;
        }
        if self.longest.as_ref().is_none_or(|longest| secs > longest.secs) {
            let line = stretch.table.lines[first];
            self.longest =
                Some(ConstantStretch { episode: stretch.id.clone(), line, frames, secs, value: value(first) });
        }
    }
}
