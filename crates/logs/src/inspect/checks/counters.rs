//! Channels that are no motion: indices and stamps, and other channels again.

use super::super::finding::{Finding, FindingKind, Severity};
use super::super::group::{Group, Piece};
use super::super::text::short;

/// Share of the steps that are alike.
const ALIKE: f64 = 0.9;
/// Steps that say that a channel counts.
const STEPS: usize = 10;
/// Rows by which two channels are first compared.
const SAMPLED: usize = 256;
/// How far a copy may lie from its original, as a share of its range.
const SAME: f64 = 1e-6;

/// What a channel counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in super::super) enum Counts {
    /// Rows, by this number.
    Rows(f64),
    /// Time, so many a second.
    Time(f64),
}

/// Whether a channel counts rows or time.
pub(in super::super) fn counts(group: &Group<'_>, c: usize) -> Option<Counts> {
    let facts = &group.facts[c];
    if facts.steps < STEPS || facts.changes as f64 <= ALIKE * facts.steps as f64 || facts.reversals > 0.1 {
        return None;
    }
    let pieces = group.pieces(c);
    let alike = |of: &dyn Fn(&Piece<'_>, usize) -> f64, usual: f64, slack: f64| {
        let count = |p: &Piece<'_>| (1..p.values.len()).filter(|i| (of(p, *i) - usual).abs() <= slack).count();
        pieces.iter().map(count).sum::<usize>() as f64 >= ALIKE * facts.steps as f64
    };
    let step = |p: &Piece<'_>, i: usize| p.values[i] - p.values[i - 1];
    // A stamp of its own clock scatters against the log's.
    let (first, last) = pieces.first().map(|p| (p, p.values.len() - 1))?;
    let slope = (first.values[last] - first.values[0]) / first.secs(0, last);
    let even = |p: &Piece<'_>, i: usize| step(p, i) / p.secs(i - 1, i).max(f64::MIN_POSITIVE);
    let units = [1.0, 1e3, 1e6, 1e9].into_iter().find(|units| (slope / units - 1.0).abs() < 0.01);
    if let Some(units) = units.filter(|units| alike(&even, *units, 0.5 * units)) {
        return Some(Counts::Time(units));
    }
    let usual = facts.usual_step;
    let by_one = facts.whole && (alike(&step, usual, 0.0) || alike(&step, -usual, 0.0));
    by_one.then_some(Counts::Rows(usual))
}

/// Indices, sequence numbers, stamps.
pub(super) fn index(group: &Group<'_>) -> Vec<Finding> {
    let of = |c: usize| {
        let name = &group.channels[c].name;
        let counts = group.counts[c]?;
        let (seen, figure) = match counts {
            Counts::Rows(by) => (format!("counts up or down by {by} every row: an index?"), ("by", by)),
            Counts::Time(1.0) => ("runs as the time does, in seconds: a stamp?".into(), ("per_second", 1.0)),
            Counts::Time(units) => {
                (format!("runs as the time does, {units} a second: a stamp?"), ("per_second", units))
            }
        };
        let finding = Finding::new(FindingKind::Counter, Severity::Warning, seen)
            .channel(name)
            .figure(figure.0, figure.1)
            .advice(format!("it is no motion: `ignore = {name}` leaves it out"));
        Some(finding)
    };
    (0..group.channels.len()).filter_map(of).collect()
}

/// Channels that are another one again, exactly or scaled and shifted.
pub(super) fn copy(group: &Group<'_>) -> Vec<Finding> {
    let rows: usize = group.tables.iter().map(|(_, table)| table.rows()).sum();
    let candidate = |c: &usize| {
        let facts = &group.facts[*c];
        facts.values > STEPS && !facts.is_state() && group.counts[*c].is_none()
    };
    let channels: Vec<usize> = (0..group.channels.len()).filter(candidate).collect();
    let column = |c: usize, every: usize| -> Vec<f64> {
        let width = group.channels.len();
        let all = group.tables.iter().flat_map(|(_, t)| t.values.iter().skip(c).step_by(width));
        all.step_by(every).copied().collect()
    };
    let every = (rows / SAMPLED).max(1);
    let sampled: Vec<Vec<f64>> = channels.iter().map(|c| column(*c, every)).collect();
    let mut findings: Vec<Finding> = Vec::new();
    let mut copies = vec![false; channels.len()];
    for i in 1..channels.len() {
        let of = |j: &usize| {
            !copies[*j]
                && scaled(&sampled[*j], &sampled[i]).is_some()
                && scaled(&column(channels[*j], 1), &column(channels[i], 1)).is_some()
        };
        let Some(j) = (0..i).find(of) else { continue };
        let Some((scale, shift)) = scaled(&column(channels[j], 1), &column(channels[i], 1)) else { continue };
        copies[i] = true;
        let (name, original) = (&group.channels[channels[i]].name, &group.channels[channels[j]].name);
        let exact = (scale - 1.0).abs() < SAME && shift.abs() < SAME * (group.facts[channels[i]].max.abs() + 1.0);
        let (severity, seen) = match exact {
            true => (Severity::Warning, format!("has the values of {original} in every row")),
            false => {
                let shift = if shift < 0.0 {
                    format!("- {}", short(Some(-shift)))
                } else {
                    format!("+ {}", short(Some(shift)))
                };
                (Severity::Note, format!("is {} times {original} {shift} in every row", short(Some(scale))))
            }
        };
        findings.push(
            Finding::new(FindingKind::Copy, severity, seen)
                .channel(name)
                .figure("scale", scale)
                .figure("shift", shift)
                .advice(format!("a coupled joint, or a column twice? `ignore = {name}` leaves it out")),
        );
    }
    findings
}

/// Factor and shift by which `copy` follows from `original`; `None` where it does not.
fn scaled(original: &[f64], copy: &[f64]) -> Option<(f64, f64)> {
    let pairs = || original.iter().zip(copy).filter(|(a, b)| a.is_finite() && b.is_finite()).map(|(a, b)| (*a, *b));
    let (low, high) = (pairs().min_by(|a, b| a.0.total_cmp(&b.0))?, pairs().max_by(|a, b| a.0.total_cmp(&b.0))?);
    let span = high.0 - low.0;
    let scale = (high.1 - low.1) / span;
    if !(span > 0.0 && scale.is_finite() && scale.abs() > 0.0) {
        return None;
    }
    let shift = low.1 - scale * low.0;
    let slack = SAME * (high.1 - low.1).abs() + 4.0 * f64::EPSILON * shift.abs();
    pairs().all(|(a, b)| (scale * a + shift - b).abs() <= slack).then_some((scale, shift))
}
