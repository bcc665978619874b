//! What is looked for in a log. A new check is a function here and one row in the table.

mod counters;
mod held;
mod order;
mod publishers;
mod rates;
mod reading;
mod resolution;
mod spikes;
mod units;
mod wraps;

pub(super) use held::{holds, stuck};
pub(super) use wraps::jumps;

use super::finding::LogFinding;
use super::group::Group;
use super::limits;

/// Looks for one or a few kinds of findings.
type Check = fn(&Group<'_>) -> Vec<LogFinding>;

/// Every check.
pub(super) const CHECKS: &[Check] = &[
    reading::refused,
    reading::missing_values,
    reading::impossible_values,
    reading::too_few_frames,
    order::clock,
    order::rows,
    order::stamps,
    order::holes,
    rates::mixed,
    rates::unlikely,
    rates::jitter,
    publishers::check,
    spikes::check,
    wraps::check,
    held::check,
    held::constant,
    units::check,
    limits::check,
    counters::index,
    counters::copy,
    resolution::saturated,
    resolution::quantised,
];
