//! Degrees where radians are meant.

use super::super::finding::{FindingKind, LogFinding, Severity};
use super::super::group::Group;
use super::super::text::short;
use std::f64::consts::TAU;

/// Beyond two turns an angle in rad is no joint's.
const LARGEST: f64 = 2.0 * TAU;
/// Beyond two turns an angle in degrees is no joint's either.
const DEGREES: f64 = 720.0;
/// Parts of names that are no angles.
const OTHERS: [&str; 20] = [
    "vel", "speed", "acc", "dq", "torque", "tau", "effort", "force", "current", "temp", "volt", "power", "press",
    "wrench", "weight", "count", "index", "time", "tick", "step",
];

/// Whether a name, in small letters, is not one of a force, a speed, a position.
fn may_be_an_angle(name: &str) -> bool {
    let last = name.rsplit(['.', '_', '/', ' ']).next().unwrap_or(name);
    let axis = matches!(last.strip_prefix(['f', 't', 'm', 'p', 'v', 'a']).unwrap_or(last), "x" | "y" | "z");
    !axis && !OTHERS.iter().any(|part| name.contains(part))
}

pub(super) fn check(group: &Group<'_>) -> Vec<LogFinding> {
    let of = |c: usize| {
        let (channel, facts) = (&group.channels[c], &group.facts[c]);
        let largest = facts.max.max(-facts.min);
        let radians = matches!(channel.unit.as_deref(), Some("rad" | "radian" | "radians"));
        let lower = channel.name.to_lowercase();
        let angle = radians || channel.unit.is_none() && may_be_an_angle(&lower);
        // What the clear majority of values reaches, so that one wild reading is no unit.
        let usual = facts.range.1.max(-facts.range.0);
        if !angle || usual <= LARGEST || largest > DEGREES && !radians || facts.is_state() {
            return None;
        }
        if channel.period.is_some_and(|p| p > LARGEST) || group.counts[c].is_some() {
            return None;
        }
        // The period of a wrap says what it is.
        if super::wraps::jumps(group, c).is_some() {
            return None;
        }
        let seen = format!(
            "from {} to {}{}: no joint's angle in rad, degrees?",
            short(Some(facts.min)),
            short(Some(facts.max)),
            group.unit(c)
        );
        let name = &channel.name;
        let (severity, advice): (Severity, String) = match radians {
            true => (
                Severity::Warning,
                "is the header's `[rad]` right? A model of radians takes these for many turns".into(),
            ),
            false => (
                Severity::Note,
                format!("if so, say it in the header (`{name} [deg]`): logs in other units are then refused"),
            ),
        };
        let finding = LogFinding::new(FindingKind::DegreesForRadians, severity, seen)
            .channel(name)
            .figure("min", facts.min)
            .figure("max", facts.max)
            .advice(advice);
        Some(finding)
    };
    (0..group.channels.len()).filter_map(of).collect()
}
