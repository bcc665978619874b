//! Limits of joints, and what goes beyond them.

use super::episode::Stretch;
use super::finding::{FindingKind, FindingPlace, LogFinding, Severity};
use super::group::Group;
use super::joint::JointLimits;
use super::text::{count, short};

/// Part of its range by which a value may lie beyond it: ends are rounded where they are written down, and a joint may
/// rest against its stop.
const REST: f64 = 1e-3;
/// By how much of its range a joint may pass its limits before that is a warning: controllers overshoot.
const SLACK: f64 = 0.01;

impl JointLimits {
    /// By how much a value lies beyond them; below 0 within.
    fn excess(&self, value: f64) -> f64 {
        let below = self.lower.map_or(f64::NEG_INFINITY, |lower| lower - value);
        below.max(self.upper.map_or(f64::NEG_INFINITY, |upper| value - upper))
    }

    /// From the least to the largest value; 0 where one of them is not known.
    fn range(&self) -> f64 {
        self.lower.zip(self.upper).map_or(0.0, |(lower, upper)| upper - lower)
    }
}

pub(super) fn check(group: &Group<'_>) -> Vec<LogFinding> {
    let of = |(c, channel): (usize, &crate::Channel)| {
        let limits = group.limits.iter().find(|limits| limits.name == channel.name)?;
        Some([outside(group, c, limits), too_fast(group, c, limits)])
    };
    group.channels.iter().enumerate().filter_map(of).flatten().flatten().collect()
}

/// Places of what is beyond a limit, and the worst of it.
#[derive(Default)]
struct Beyond {
    places: Vec<FindingPlace>,
    worst: f64,
    most: f64,
}

impl Beyond {
    fn add(&mut self, place: FindingPlace, value: f64, excess: f64) {
        self.places.push(place);
        if excess > self.most {
            (self.most, self.worst) = (excess, value);
        }
    }

    fn finding(self, kind: FindingKind, severity: Severity, channel: &str, seen: String) -> Option<LogFinding> {
        let first = self.places.first()?;
        let seen =
            format!("{seen}, up to {}, first at line {} of {}", short(Some(self.worst)), first.line, first.episode);
        let worst = self.worst;
        Some(LogFinding::new(kind, severity, seen).channel(channel).at(self.places).figure("worst", worst))
    }
}

fn outside(group: &Group<'_>, c: usize, limits: &JointLimits) -> Option<LogFinding> {
    let mut beyond = Beyond::default();
    for (stretch, row, value) in group.all_values(c) {
        let excess = limits.excess(value);
        if excess > REST * limits.range() {
            beyond.add(stretch.place(row), value, excess);
        }
    }
    let severity = if beyond.most > SLACK * limits.range() { Severity::Warning } else { Severity::Note };
    let end = |value: Option<f64>| value.map_or_else(|| "-".into(), |v| short(Some(v)));
    let many = count(beyond.places.len(), "value");
    let seen = format!("{many} outside [{}, {}]", end(limits.lower), end(limits.upper));
    let mut finding = beyond.finding(FindingKind::OutsideLimits, severity, &limits.name, seen)?;
    for (name, value) in [("lower", limits.lower), ("upper", limits.upper)] {
        if let Some(value) = value {
            finding = finding.figure(name, value);
        }
    }
    Some(finding.advice("is it the joint of that name, in that unit, with that zero?"))
}

fn too_fast(group: &Group<'_>, c: usize, limits: &JointLimits) -> Option<LogFinding> {
    let velocity = limits.velocity?;
    let period = group.channels[c].period;
    let mut beyond = Beyond::default();
    // The value before, with its stretch and time.
    let mut before: Option<(&Stretch<'_>, f64, f64)> = None;
    for (stretch, row, value) in group.all_values(c) {
        let time = stretch.table.time_secs[row];
        if let (Some((same, then, from)), Some(usual)) = (before, stretch.step)
            && std::ptr::eq(same, stretch)
        {
            let step = value - from;
            let step = period.map_or(step, |period| step - period * (step / period).round());
            let speed = (step / (time - then).max(usual)).abs();
            if speed > velocity {
                beyond.add(stretch.place(row), speed, speed - velocity);
            }
        }
        before = time.is_finite().then_some((stretch, time, value));
    }
    let seen = format!("{} faster than {} a second", count(beyond.places.len(), "step"), short(Some(velocity)));
    let finding = beyond.finding(FindingKind::TooFast, Severity::Warning, &limits.name, seen)?;
    Some(finding.figure("velocity", velocity).advice("are there spikes, or rows missing?"))
}
