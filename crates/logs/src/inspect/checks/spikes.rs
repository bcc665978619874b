//! Single readings far from those before and after.

use super::super::facts::Facts;
use super::super::finding::{FindingKind, FindingPlace, LogFinding, Severity};
use super::super::group::Group;
use super::super::piece::Piece;
use super::super::text::{count, lines, short};
use super::wraps::jumps;
use crate::angle::unwrap;

/// Readings in a row that a spike lasts at most.
const WIDTH: usize = 3;
/// How far a spike lies from the line between the readings around it, in usual bends (median and median distance from
/// it of second differences), and at least in usual steps.
const FAR: (f64, f64) = (10.0, 2.5);
/// The same in the steps around it: fast motion has large ones.
const FASTER: f64 = 4.0;
/// Readings before and after it that are looked at.
const AROUND: usize = 5;
/// By how much the readings before and after may differ, as a share of the spike: otherwise the value has moved.
const BACK: f64 = 0.25;
/// Least size, as a share of the channel's range.
const VISIBLE: f64 = 0.05;
/// And in the sharpest bends of the channel elsewhere, of which this share is left out: impacts bend sharply, too.
const SHARPER: f64 = 2.0;
const SHARPEST: f64 = 0.9995;
/// The size, in the channel's range, from which on the first and the last reading are a spike as well.
const WILD: f64 = 3.0;

pub(super) fn check(group: &Group<'_>) -> Vec<LogFinding> {
    let of = |c: usize| {
        let facts = &group.facts[c];
        if facts.is_state() || group.counts[c].is_some() {
            return None;
        }
        let least = threshold(facts);
        let pieces = unwrapped(group, c);
        let found: Vec<Vec<(usize, f64)>> = pieces.iter().map(|piece| spikes(piece, least, facts)).collect();
        if found.iter().all(Vec::is_empty) {
            return None;
        }
        let sharp = SHARPER * sharpest_elsewhere(&pieces, &found);
        let of = |(piece, own): (&Piece<'_>, &Vec<(usize, f64)>)| {
            let own = own.iter().filter(|(_, size)| *size >= sharp);
            own.map(|(i, size)| (piece.stretch.place(piece.rows[*i]), piece.values[*i], *size)).collect::<Vec<_>>()
        };
        let found: Vec<(FindingPlace, f64, f64)> = pieces.iter().zip(&found).flat_map(of).collect();
        let (place, value, size) = found.iter().max_by(|a, b| a.2.total_cmp(&b.2)).cloned()?;
        let places: Vec<FindingPlace> = found.into_iter().map(|(place, ..)| place).collect();
        let seen = format!(
            "{} far from those around, the largest {} at line {} of {} ({} off), {}",
            count(places.len(), "reading"),
            short(Some(value)),
            place.line,
            place.episode,
            short(Some(size)),
            lines(&places)
        );
        let finding = LogFinding::new(FindingKind::Spike, Severity::Warning, seen)
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

/// The values of a channel, continuous where it wraps.
fn unwrapped<'a>(group: &'a Group<'_>, c: usize) -> Vec<Piece<'a>> {
    let mut pieces = group.pieces(c);
    let period = group.channels[c].period.or_else(|| jumps(group, c).map(|jumps| jumps.period));
    if let Some(period) = period {
        pieces.iter_mut().for_each(|piece| unwrap(&mut piece.values, period));
    }
    pieces
}

/// The sharpest bend of the readings that do not touch those found.
fn sharpest_elsewhere(pieces: &[Piece<'_>], found: &[Vec<(usize, f64)>]) -> f64 {
    let of = |(piece, own): (&Piece<'_>, &Vec<(usize, f64)>)| {
        let mut touched = vec![false; piece.values.len()];
        for (i, _) in own {
            touched[i.saturating_sub(1)..(i + 2).min(piece.values.len())].fill(true);
        }
        let bends = piece.values.windows(3).zip(&touched[1.min(touched.len())..]);
        bends.filter(|(_, touched)| !**touched).map(|(w, _)| (w[0] - 2.0 * w[1] + w[2]).abs()).collect::<Vec<_>>()
    };
    let mut bends: Vec<f64> = pieces.iter().zip(found).flat_map(of).collect();
    bends.sort_by(f64::total_cmp);
    let at = (SHARPEST * bends.len() as f64) as usize;
    bends.get(at.min(bends.len().saturating_sub(1))).copied().unwrap_or(0.0)
}

/// How far a reading must lie off.
fn threshold(facts: &Facts) -> f64 {
    let bend = facts.curvature.0 + 1.4826 * facts.curvature.1;
    (FAR.0 * bend).max(FAR.1 * facts.usual_step).max(VISIBLE * (facts.range.1 - facts.range.0)).max(f64::MIN_POSITIVE)
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
        let local = before.max(after);
        // What the motion itself makes meanwhile is no difference.
        let back = (b - a).abs() <= BACK * size + (width + 1) as f64 * local;
        let stands_out = size >= least && back && size >= FASTER * local;
        stands_out.then_some((width, size))
    })
}

fn largest_step(v: &[f64]) -> f64 {
    v.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f64::max)
}
