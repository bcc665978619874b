//! What keeps a log from being read, or from being learned from.

use super::super::episode::Stretch;
use super::super::finding::{FindingKind, FindingPlace, LogFinding, PLACES, Severity};
use super::super::group::Group;
use super::super::text::{count, lines, short};
use crate::error::Error;
use crate::read::table::FaultKind;

/// Values beyond this are no measurements: `f64` no longer holds whole numbers, and a model's squares overflow soon.
const LARGEST: f64 = 1e15;
/// Frames that a model looks back: its regression has so many inputs for each channel.
const CONTEXT: usize = 8;
/// Share of the frames that a model learns from; the others are kept for validation and test.
const LEARNED: f64 = 0.6;

/// Reading, with the settings as they are.
pub(super) fn refused(group: &Group<'_>) -> Vec<LogFinding> {
    let Some(error) = &group.refusal else { return Vec::new() };
    let finding = LogFinding::new(FindingKind::Refused, Severity::Error, error.to_string());
    let Error::Log { path, line, column, found, expected } = error else { return vec![finding] };
    let places: Vec<FindingPlace> = line
        .and_then(|line| {
            let at =
                |s: &&Stretch<'_>| s.table.path == *path && s.run.rows.clone().any(|row| s.table.lines[row] == line);
            let stretch = group.stretches.iter().find(at)?;
            let row = stretch.run.rows.clone().find(|row| stretch.table.lines[*row] == line)?;
            Some(stretch.place(row))
        })
        .into_iter()
        .collect();
    let line = line.map_or_else(String::new, |line| format!(", line {line}"));
    let column_text = column.as_ref().map_or_else(String::new, |column| format!(", column `{column}`"));
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    let mut finding = LogFinding::new(
        FindingKind::Refused,
        Severity::Error,
        format!("reading stops at {name}{line}{column_text}: {found}"),
    )
    .at(places)
    .advice(format!("expected: {expected}"));
    finding.channel = column.clone().filter(|c| group.channels.iter().any(|channel| channel.name == *c));
    vec![finding]
}

/// Cells that hold no finite number.
pub(super) fn missing_values(group: &Group<'_>) -> Vec<LogFinding> {
    let of = |c: usize| {
        let (mut kinds, mut places) = ([0_usize; 4], Vec::new());
        let mut at = group.stretches.iter().peekable();
        for (_, table) in group.tables {
            for fault in table.faults.iter().filter(|f| f.channel == Some(c)) {
                kinds[match fault.kind {
                    FaultKind::Empty => 0,
                    FaultKind::Nan => 1,
                    FaultKind::Infinite => 2,
                    FaultKind::Text => 3,
                }] += 1;
                // Faults and episodes stand in the order of rows.
                let own = |s: &&Stretch<'_>| std::ptr::eq(s.table, table) && s.run.rows.contains(&fault.row);
                while at.peek().is_some_and(|s| !own(s)) {
                    at.next();
                }
                if places.len() < PLACES {
                    places.extend(at.peek().map(|s| s.place(fault.row)));
                }
            }
        }
        let total: usize = kinds.iter().sum();
        places.first()?;
        let rows: usize = group.stretches.iter().map(|s| s.run.rows.len()).sum();
        let named: Vec<String> = ["empty", "NaN", "infinite", "text"]
            .iter()
            .zip(kinds)
            .filter(|(_, n)| *n > 0)
            .map(|(kind, n)| format!("{n} {kind}"))
            .collect();
        let seen = format!("{} without a number ({}), {}", count(total, "cell"), named.join(", "), lines(&places));
        let name = &group.channels[c].name;
        let advice = if kinds[3] > 0 || 2 * total > rows {
            format!("`ignore = {name}` leaves the channel out")
        } else {
            "`on_gap = split` leaves these rows out and begins a new episode after each".to_string()
        };
        let mut finding = LogFinding::new(FindingKind::MissingValues, Severity::Warning, seen)
            .channel(name)
            .at(places)
            .counted(total)
            .advice(advice);
        for (name, n) in ["empty", "nan", "infinite", "text"].into_iter().zip(kinds) {
            finding = finding.figure(name, n as f64);
        }
        Some(finding)
    };
    (0..group.channels.len()).filter_map(of).collect()
}

/// Values that no sensor gives.
pub(super) fn impossible_values(group: &Group<'_>) -> Vec<LogFinding> {
    let of = |c: usize| {
        let facts = &group.facts[c];
        if facts.max.max(-facts.min) <= LARGEST || group.counts[c].is_some() {
            return None;
        }
        let large: Vec<(FindingPlace, f64)> = group
            .all_values(c)
            .filter(|(.., v)| v.abs() > LARGEST)
            .map(|(stretch, row, v)| (stretch.place(row), v))
            .collect();
        let worst = large.iter().map(|(_, v)| *v).max_by(|a, b| a.abs().total_cmp(&b.abs()))?;
        let places: Vec<FindingPlace> = large.into_iter().map(|(place, _)| place).collect();
        let name = &group.channels[c].name;
        let seen = format!("{} up to {}, {}", count(places.len(), "value"), short(Some(worst)), lines(&places));
        let finding = LogFinding::new(FindingKind::ImpossibleValue, Severity::Error, seen)
            .channel(name)
            .at(places)
            .figure("worst", worst)
            .advice(format!("mend the log, or leave the channel out: `ignore = {name}`"));
        Some(finding)
    };
    (0..group.channels.len()).filter_map(of).collect()
}

/// Fewer frames than a model's regression has inputs.
pub(super) fn too_few_frames(group: &Group<'_>) -> Vec<LogFinding> {
    let moving = group.facts.iter().filter(|facts| facts.values > 0 && !facts.constant()).count();
    let rows: usize = group.stretches.iter().map(|s| s.run.rows.len()).sum();
    let weighed = CONTEXT * moving;
    let needed = (weighed as f64 / LEARNED).ceil() as usize;
    if rows >= needed {
        return Vec::new();
    }
    // One log alone may be there to be continued, not to be learned from.
    let severity = if group.stretches.len() > 1 { Severity::Warning } else { Severity::Note };
    let seen = format!(
        "{} of {} that move: a model weighs {weighed} numbers ({CONTEXT} frames back), \
         and learns from about {:.0} of the rows",
        count(rows, "row"),
        count(moving, "channel"),
        LEARNED * rows as f64
    );
    let finding = LogFinding::new(FindingKind::TooFewFrames, severity, seen)
        .figure("rows", rows as f64)
        .figure("channels", moving as f64)
        .figure("needed", needed as f64)
        .advice("to learn from: more logs, or fewer channels (`channels = NAMES`)");
    vec![finding]
}
