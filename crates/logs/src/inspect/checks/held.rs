//! Channels that stand still: for ever, or where they should move.

use super::super::finding::{FindingKind, FindingPlace, LogFinding, Severity};
use super::super::group::Group;
use super::super::piece::Piece;
use super::super::text::{count, short};
use std::ops::RangeInclusive;

/// A channel that keeps its value longer than this while others move may be stuck, seconds and rows.
const LONG: (f64, usize) = (1.0, 8);
/// Share of the other steps in which a stuck channel changes: one that often rests is not stuck when it does.
const LIVE: f64 = 0.9;
/// Share of the changes that go back on the one before, from which on a channel is noisy: it never keeps one value.
const NOISY: f64 = 0.25;
/// A stuck channel comes to rest by a step of at least this many usual ones and this share of the one before: a joint
/// that is braked slows down first.
const ABRUPT: (f64, f64) = (0.1, 0.4);
/// A jump of this many usual steps at the end, and of the second many of those after it: the channel catches up with
/// the joint. Without the second it is a joint that starts to move.
const CATCHES_UP: (f64, f64) = (5.0, 3.0);

/// The stretches of equal values in a piece: places of the first and last.
pub(in super::super) fn holds(piece: &Piece<'_>) -> Vec<RangeInclusive<usize>> {
    let v = &piece.values;
    let (mut holds, mut start) = (Vec::new(), 0);
    for i in 1..=v.len() {
        if i == v.len() || (v[i] - v[start]).abs() > 0.0 {
            holds.push(start..=i - 1);
            start = i;
        }
    }
    holds
}

/// Where a channel is stuck: places, and how long, seconds.
pub(in super::super) fn stuck(group: &Group<'_>, c: usize) -> Vec<(FindingPlace, f64)> {
    let facts = &group.facts[c];
    if facts.constant() || facts.is_state() || facts.usual_step <= 0.0 {
        return Vec::new();
    }
    let mut found = Vec::new();
    for piece in group.pieces(c) {
        for hold in holds(&piece) {
            let (first, last) = (*hold.start(), *hold.end());
            let (secs, rows) = (piece.secs(first, last), last - first + 1);
            if secs <= LONG.0 || rows < LONG.1 || !facts.is_live_beside(last - first, LIVE) {
                continue;
            }
            let (from, to) = (piece.rows[first].min(piece.rows[last]), piece.rows[first].max(piece.rows[last]));
            // Others move in both halves of it.
            let middle = from + (to - from) / 2;
            let others = piece.stretch.moves(from, middle) && piece.stretch.moves(middle, to);
            if others && should_move(&piece, first, last, facts.usual_step, facts.reversals) {
                found.push((piece.stretch.place(piece.rows[first]), secs));
            }
        }
    }
    found
}

/// Whether a hold is no rest: it begins or ends abruptly, or the channel is never still otherwise.
fn should_move(piece: &Piece<'_>, first: usize, last: usize, usual: f64, reversals: f64) -> bool {
    let v = &piece.values;
    let step = |i: usize| Some((v.get(i)? - v.get(i.checked_sub(1)?)?).abs());
    let abrupt = |step: Option<f64>, other: Option<f64>| {
        step.is_some_and(|s| s >= ABRUPT.0 * usual && other.is_none_or(|other| s >= ABRUPT.1 * other))
    };
    let stops = abrupt(step(first), first.checked_sub(1).and_then(step));
    let starts = abrupt(step(last + 1), step(last + 2));
    let catches_up = || {
        let (held, next) = (v[last], *v.get(last + 1)?);
        let after = v[last + 1..v.len().min(last + 5)].windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f64::max);
        Some((next - held).abs() > (CATCHES_UP.0 * usual).max(CATCHES_UP.1 * after))
    };
    let noisy = reversals >= NOISY && (stops || first == 0) && (starts || last + 1 == v.len());
    catches_up().unwrap_or(false) || noisy || (last + 1 == v.len() && stops)
}

pub(super) fn check(group: &Group<'_>) -> Vec<LogFinding> {
    let of = |c: usize| {
        let found = stuck(group, c);
        let (place, longest) = found.iter().max_by(|a, b| a.1.total_cmp(&b.1)).cloned()?;
        let name = &group.channels[c].name;
        let seen = format!(
            "keeps exactly one value {} while others move, the longest {} s from {} s on (line {} of {})",
            count(found.len(), "time"),
            short(Some(longest)),
            short(place.secs),
            place.line,
            place.episode
        );
        let finding = LogFinding::new(FindingKind::Stuck, Severity::Warning, seen)
            .channel(name)
            .at(found.into_iter().map(|(place, _)| place))
            .figure("longest_secs", longest)
            .advice(format!("was its sensor alive? `ignore = {name}` leaves the channel out"));
        Some(finding)
    };
    (0..group.channels.len()).filter_map(of).collect()
}

/// Channels of one value.
pub(super) fn constant(group: &Group<'_>) -> Vec<LogFinding> {
    let of = |c: usize| {
        let facts = &group.facts[c];
        let name = &group.channels[c].name;
        let finding = LogFinding::new(
            FindingKind::Constant,
            Severity::Note,
            format!("always {}{}", short(Some(facts.min)), group.unit(c)),
        );
        let told = finding
            .channel(name)
            .figure("value", facts.min)
            .advice(format!("forecasts keep it; `ignore = {name}` leaves it out"));
        facts.constant().then_some(told)
    };
    (0..group.channels.len()).filter_map(of).collect()
}
