//! Values beyond what a joint can do.

use super::episode::Stretch;
use super::options::JointLimits;
use super::{Beyond, BeyondLimits};
use crate::read::table::Table;

/// Part of its range by which a value may lie beyond it: ends are rounded where they are written down, and a joint may
/// rest against its stop.
const SLACK: f64 = 1e-3;

/// The channels of a group of files that go beyond their limits.
pub(super) fn beyond(tables: &[(String, Table)], stretches: &[Stretch], limits: &[JointLimits]) -> Vec<BeyondLimits> {
    let channels = &tables[0].1.channels;
    let found = channels.iter().enumerate().filter_map(|(c, channel)| {
        let limits = limits.iter().find(|limits| limits.name == channel.name)?;
        let mut found = BeyondLimits { limits: limits.clone(), values: None, steps: None };
        for stretch in stretches {
            found.scan(stretch, c, channel.period);
        }
        (found.values.is_some() || found.steps.is_some()).then_some(found)
    });
    found.collect()
}

impl BeyondLimits {
    fn scan(&mut self, stretch: &Stretch, c: usize, period: Option<f64>) {
        let JointLimits { lower, upper, velocity, .. } = self.limits;
        let range = lower.zip(upper).map_or(0.0, |(lower, upper)| upper - lower);
        let (table, width) = (stretch.table, stretch.table.channels.len());
        let outside = |value: f64| {
            let below = lower.map_or(f64::NEG_INFINITY, |lower| lower - value);
            below.max(upper.map_or(f64::NEG_INFINITY, |upper| value - upper))
        };
        // The row before, with its time and value.
        let mut before: Option<(f64, f64)> = None;
        for row in stretch.run.rows.clone() {
            let (time, value) = (table.time_secs[row], table.values[row * width + c]);
            if !(value.is_finite() && time.is_finite()) {
                before = None;
                continue;
            }
            if outside(value) > SLACK * range {
                add(&mut self.values, table, row, value, |a, b| outside(a) > outside(b));
            }
            if let (Some((then, from)), Some(most), Some(pace)) = (before, velocity, stretch.pace) {
                let step = value - from;
                let step = period.map_or(step, |period| step - period * (step / period).round());
                let speed = (step / (time - then).max(pace.median)).abs();
                if speed > most {
                    add(&mut self.steps, table, row, speed, |a, b| a > b);
                }
            }
            before = Some((time, value));
        }
    }
}

fn add(found: &mut Option<Beyond>, table: &Table, row: usize, value: f64, worse: impl Fn(f64, f64) -> bool) {
    match found {
        None => {
            let first_path = table.source.path.clone();
            *found = Some(Beyond { count: 1, worst: value, first_path, first_line: table.lines[row] });
        }
        Some(found) => {
            found.count += 1;
            found.worst = if worse(value, found.worst) { value } else { found.worst };
        }
    }
}
