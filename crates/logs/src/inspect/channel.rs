//! The figures of one channel over all episodes.

use super::checks::{holds, jumps, stuck};
use super::finding::FindingPlace;
use super::group::Group;
use super::{ChannelFaults, ChannelReport, ConstantStretch, Stuck};
use crate::normalise::moments;
use crate::read::table::FaultKind;

pub(super) fn report(group: &Group<'_>, c: usize) -> ChannelReport {
    let channel = group.channels[c].clone();
    let finite = || group.all_values(c).map(|(.., value)| value);
    let values = finite().count();
    let some = |v: f64| (values > 0).then_some(v);
    let (mean, std) = moments(finite());
    let (min, max) = finite().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
    let facts = &group.facts[c];
    let stuck: Vec<(FindingPlace, f64)> = stuck(group, c);
    let wraps = jumps(group, c);
    ChannelReport {
        values,
        min: some(min),
        max: some(max),
        mean: some(mean),
        std: some(std),
        changes: (facts.steps > 0).then(|| facts.changes as f64 / facts.steps as f64),
        faults: faults(group, c),
        longest_hold: longest_hold(group, c),
        stuck: match (facts.constant(), stuck.is_empty()) {
            (true, _) => Some(Stuck::Constant),
            (false, false) => Some(Stuck::Run),
            (false, true) => None,
        },
        stuck_holds: stuck.len(),
        wrap_jumps: wraps.as_ref().map_or(0, |jumps| jumps.places.len()),
        suspected_period: wraps.filter(|_| channel.period.is_none()).map(|jumps| jumps.period),
        channel,
    }
}

fn longest_hold(group: &Group<'_>, c: usize) -> Option<ConstantStretch> {
    let mut longest: Option<ConstantStretch> = None;
    for piece in group.pieces(c) {
        for hold in holds(&piece) {
            let (first, last) = (*hold.start(), *hold.end());
            let secs = piece.secs(first, last);
            if longest.as_ref().is_none_or(|longest| secs > longest.secs) {
                longest = Some(ConstantStretch {
                    episode: piece.stretch.id.clone(),
                    line: piece.stretch.table.lines[piece.rows[first]],
                    frames: last - first + 1,
                    secs,
                    value: piece.values[first],
                });
            }
        }
    }
    longest
}

fn faults(group: &Group<'_>, c: usize) -> ChannelFaults {
    let mut counts = ChannelFaults::default();
    for (_, table) in group.tables {
        for fault in table.faults.iter().filter(|f| f.channel == Some(c)) {
            *match fault.kind {
                FaultKind::Empty => &mut counts.empty,
                FaultKind::Nan => &mut counts.nan,
                FaultKind::Infinite => &mut counts.infinite,
                FaultKind::Text => &mut counts.text,
            } += 1;
            if counts.first_line.is_none() {
                counts.first_line = Some(table.lines[fault.row]);
                counts.first_path = Some(table.source.path.clone());
            }
        }
    }
    counts
}
