//! Limits of joints, and values outside them.

use super::finding::{Finding, FindingKind, Severity};
use super::group::Group;
use super::text::{count, short};
use serde::{Deserialize, Serialize};

/// By how much of its range a joint may pass its limits before that is a warning: controllers overshoot.
const SLACK: f64 = 0.01;

/// The limits of one joint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JointLimits {
    /// Name, as the channel's without unit.
    pub name: String,
    /// Least position, rad or m. A channel in deg is compared in deg.
    pub lower: f64,
    /// Largest position.
    pub upper: f64,
}

pub(super) fn check(group: &Group<'_>) -> Vec<Finding> {
    let of = |(c, channel): (usize, &crate::Channel)| {
        let limits = group.limits.iter().find(|limits| limits.name == channel.name)?;
        let scale = match channel.unit.as_deref() {
            Some("deg" | "degree" | "degrees" | "°") => 1f64.to_degrees(),
            _ => 1.0,
        };
        let (lower, upper) = (scale * limits.lower, scale * limits.upper);
        outside(group, c, lower, upper)
    };
    group.channels.iter().enumerate().filter_map(of).collect()
}

fn outside(group: &Group<'_>, c: usize, lower: f64, upper: f64) -> Option<Finding> {
    let excess = |v: f64| (lower - v).max(v - upper);
    let (mut places, mut worst, mut most) = (Vec::new(), 0.0_f64, 0.0_f64);
    // What is written with few digits may round beyond a limit.
    let rounding = 1e-6 * (upper - lower).abs();
    for (stretch, row, value) in group.all_values(c) {
        if excess(value) > rounding {
            places.push(stretch.place(row));
            if excess(value) > most {
                (most, worst) = (excess(value), value);
            }
        }
    }
    let first = places.first()?.clone();
    let severity = if most > SLACK * (upper - lower) { Severity::Warning } else { Severity::Note };
    let seen = format!(
        "{} outside [{}, {}], up to {}, first at line {} of {}",
        count(places.len(), "value"),
        short(Some(lower)),
        short(Some(upper)),
        short(Some(worst)),
        first.line,
        first.episode
    );
    let finding = Finding::new(FindingKind::OutsideLimits, severity, seen)
        .channel(&group.channels[c].name)
        .at(places)
        .figure("lower", lower)
        .figure("upper", upper)
        .figure("worst", worst)
        .advice("is it the joint of that name, in that unit, with that zero?");
    Some(finding)
}
