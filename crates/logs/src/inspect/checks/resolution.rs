//! Channels that are cut off at their ends, and channels that move in visible steps.

use super::super::finding::{FindingKind, FindingPlace, LogFinding, Severity};
use super::super::group::Group;
use super::super::text::{count, lines, short};
use super::held::holds;

/// Rows at the largest or smallest value, one after the other, that say that a channel is cut off; and how often.
const CUT: (usize, usize) = (3, 2);
/// Most of a channel's rows that it is cut off: one that rests at an end is not.
const MOST: f64 = 0.5;
/// Share of the other steps in which a channel that is cut off changes.
const LIVE: f64 = 0.9;
/// Steps, in usual ones, with which it comes to the end.
const ABRUPT: f64 = 0.5;
/// Share of the changes that go by exactly one level, from which on a channel's steps are visible.
const BY_ONE: f64 = 0.7;
/// Or, of a channel that changes in this share of the rows, levels of its usual step.
const FEW: (f64, f64) = (0.3, 3.5);

/// Channels that stay at their largest or smallest value while they come there at speed.
pub(super) fn saturated(group: &Group<'_>) -> Vec<LogFinding> {
    let of = |c: usize| {
        let facts = &group.facts[c];
        if facts.constant() || facts.levels.is_some() || group.counts[c].is_some() {
            return None;
        }
        let (mut places, mut held, mut ends) = (Vec::<FindingPlace>::new(), 0, [false; 2]);
        for piece in group.pieces(c) {
            for hold in holds(&piece) {
                let (first, last) = (*hold.start(), *hold.end());
                let value = piece.values[first];
                let end = [value <= facts.min, value >= facts.max];
                let speed = first.checked_sub(1).map_or(0.0, |before| (value - piece.values[before]).abs());
                if last + 1 - first >= CUT.0 && (end[0] || end[1]) && speed >= ABRUPT * facts.usual_step {
                    places.push(piece.stretch.place(piece.rows[first]));
                    held += last - first;
                    ends = [ends[0] || end[0], ends[1] || end[1]];
                }
            }
        }
        if places.len() < CUT.1 || held as f64 > MOST * facts.steps as f64 || !facts.is_live_beside(held, LIVE) {
            return None;
        }
        let name = &group.channels[c].name;
        let values: Vec<String> =
            [facts.min, facts.max].iter().zip(ends).filter(|(_, is)| *is).map(|(v, _)| short(Some(*v))).collect();
        let seen = format!(
            "stays at {}{} {}, having come there at speed, {}",
            values.join(" and "),
            group.unit(c),
            count(places.len(), "time"),
            lines(&places)
        );
        let finding = LogFinding::new(FindingKind::Saturated, Severity::Note, seen)
            .channel(name)
            .at(places)
            .figure("min", facts.min)
            .figure("max", facts.max)
            .advice("an end stop, or a sensor or converter whose range is too small?");
        Some(finding)
    };
    (0..group.channels.len()).filter_map(of).collect()
}

/// Channels whose changes are mostly by one level.
pub(super) fn quantised(group: &Group<'_>) -> Vec<LogFinding> {
    let of = |c: usize| {
        let facts = &group.facts[c];
        let levels = facts.levels.as_ref().filter(|_| !facts.is_state() && group.counts[c].is_none())?;
        let unit = levels.windows(2).map(|w| w[1] - w[0]).fold(f64::INFINITY, f64::min);
        let even = levels.windows(2).all(|w| {
            let units = (w[1] - w[0]) / unit;
            (units - units.round()).abs() < 0.01
        });
        let one = |w: &&[f64]| ((w[1] - w[0]).abs() / unit - 1.0).abs() < 0.01;
        let by_one: usize = group.pieces(c).iter().map(|p| p.values.windows(2).filter(one).count()).sum();
        let creeps = by_one as f64 >= BY_ONE * facts.changes as f64;
        let moves = facts.changes as f64 >= FEW.0 * facts.steps as f64 && facts.usual_step <= FEW.1 * unit;
        if !even || facts.changes < levels.len() || !(creeps || moves) {
            return None;
        }
        let name = &group.channels[c].name;
        let seen = format!(
            "{} different values, {}{} apart, one after the other",
            levels.len(),
            short(Some(unit)),
            group.unit(c)
        );
        let finding = LogFinding::new(FindingKind::Quantised, Severity::Note, seen)
            .channel(name)
            .figure("levels", levels.len() as f64)
            .figure("unit", unit)
            .advice("log it with more digits, if there are any");
        Some(finding)
    };
    (0..group.channels.len()).filter_map(of).collect()
}
