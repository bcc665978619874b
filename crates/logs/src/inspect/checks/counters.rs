//! Channels that are no motion: indices and stamps, and other channels again.

use super::super::counts::{Counts, STEPS};
use super::super::finding::{FindingKind, LogFinding, Severity};
use super::super::group::Group;
use super::super::text::short;

/// Rows by which two channels are first compared.
const SAMPLED: usize = 256;
/// How far a copy may lie from its original, as a share of its range.
const SAME: f64 = 1e-6;

/// Indices, sequence numbers, stamps.
pub(super) fn index(group: &Group<'_>) -> Vec<LogFinding> {
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
        let finding = LogFinding::new(FindingKind::Counter, Severity::Warning, seen)
            .channel(name)
            .figure(figure.0, figure.1)
            .advice(format!("it is no motion: `ignore = {name}` leaves it out"));
        Some(finding)
    };
    (0..group.channels.len()).filter_map(of).collect()
}

/// Channels that are another one again, exactly or scaled and shifted.
pub(super) fn copy(group: &Group<'_>) -> Vec<LogFinding> {
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
    let mut findings: Vec<LogFinding> = Vec::new();
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
            LogFinding::new(FindingKind::Copy, severity, seen)
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
