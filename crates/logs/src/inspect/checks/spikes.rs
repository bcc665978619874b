//! Single readings far from those before and after.

use super::super::facts::Facts;
use super::super::finding::{Finding, FindingKind, Place, Severity};
use super::super::group::{Group, Piece};
use super::super::text::{count, lines, short};

/// Readings in a row that a spike lasts at most.
const WIDTH: usize = 3;
/// How far a spike lies from the line between the readings around it, in usual bends (median and median distance from
/// it of second differences) and usual steps.
const FAR: f64 = 10.0;
/// The same in the steps around it: fast motion has large ones.
const FASTER: f64 = 4.0;
/// Readings before and after it that are looked at.
const AROUND: usize = 5;
/// By how much the readings before and after may differ, as a share of the spike: otherwise the value has moved.
const BACK: f64 = 0.25;
/// Least size, as a share of the channel's range.
const VISIBLE: f64 = 0.05;
/// The size, in the channel's range, from which on the first and the last reading are a spike as well.
const WILD: f64 = 3.0;

pub(super) fn check(group: &Group<'_>) -> Vec<Finding> {
    let of = |c: usize| {
        let facts = &group.facts[c];
        if facts.is_state() || group.counts[c].is_some() {
            return None;
        }
        let least = threshold(facts);
        let mut found: Vec<(Place, f64, f64)> = Vec::new();
        for piece in group.pieces(c) {
            let places = spikes(&piece, least, facts);
            found.extend(
                places.into_iter().map(|(i, size)| (piece.stretch.place(piece.rows[i]), piece.values[i], size)),
            );
        }
        let (place, value, size) = found.iter().max_by(|a, b| a.2.total_cmp(&b.2)).cloned()?;
        let places: Vec<Place> = found.into_iter().map(|(place, ..)| place).collect();
        let seen = format!(
            "{} far from those around, the largest {} at line {} of {} ({} off), {}",
            count(places.len(), "reading"),
            short(Some(value)),
            place.line,
            place.episode,
            short(Some(size)),
            lines(&places)
        );
        let finding = Finding::new(FindingKind::Spike, Severity::Warning, seen)
            .channel(&group.channels[c].name)
            .at(places)
            .figure("worst", value)
            .figure("off", size)
            .figure("usual_step", facts.usual_step)
            .advice("empty these cells and read with `on_gap = split`, or mend the log");
        Some(finding)
    };
    (0..group.channels.len()).filter_map(of).collect()
}

/// How far a reading must lie off.
fn threshold(facts: &Facts) -> f64 {
    let bend = facts.curvature.0 + 1.4826 * facts.curvature.1;
    let usual = FAR * bend.max(facts.usual_step);
    usual.max(VISIBLE * (facts.range.1 - facts.range.0)).max(f64::MIN_POSITIVE)
}

/// The readings of a piece that are spikes, and how far they lie off.
fn spikes(piece: &Piece<'_>, least: f64, facts: &Facts) -> Vec<(usize, f64)> {
    let v = &piece.values;
    let (mut found, mut i) = (Vec::new(), 1);
    while i + 1 < v.len() {
        // Without a step of that size nothing begins here.
        let width = if (v[i] - v[i - 1]).abs() < 0.5 * least { None } else { width(v, i, least) };
        if let Some((width, size)) = width {
            found.extend((i..i + width).map(|j| (j, size)));
            i += width;
        }
        i += 1;
    }
    let wild = least.max(WILD * (facts.max - facts.min).min(facts.range.1 - facts.range.0));
    let n = v.len();
    if n > 2 * AROUND {
        let ends = [(0, 1, 1..1 + AROUND), (n - 1, n - 2, n - 1 - AROUND..n - 1)];
        for (end, next, around) in ends {
            let off = (v[end] - v[next]).abs();
            if off > wild && off > FASTER * largest_step(&v[around]) && !found.iter().any(|(j, _)| *j == next) {
                found.push((end, off));
            }
        }
    }
    found
}

/// How many readings from `i` on are a spike, and how far they lie off.
fn width(v: &[f64], i: usize, least: f64) -> Option<(usize, f64)> {
    (1..=WIDTH.min(v.len() - 1 - i)).find_map(|width| {
        let (a, b) = (v[i - 1], v[i + width]);
        let line = |j: usize| a + (b - a) * (j + 1) as f64 / (width + 1) as f64;
        let off = |j: usize| v[i + j] - line(j);
        let side = off(0).signum();
        let size = (0..width).map(|j| side * off(j)).fold(f64::INFINITY, f64::min);
        let before = largest_step(&v[(i - 1).saturating_sub(AROUND)..i]);
        let after = largest_step(&v[i + width..v.len().min(i + width + 1 + AROUND)]);
        let stands_out = size >= least && (b - a).abs() <= BACK * size && size >= FASTER * before.max(after);
        stands_out.then_some((width, size))
    })
}

fn largest_step(v: &[f64]) -> f64 {
    v.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f64::max)
}
