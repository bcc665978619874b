//! What is in a log, and what is wrong with it, before anything is learned from it.
//!
//! Rows are brought into order first ([`order`]), then their pace is told ([`timing`]), then every check of
//! [`checks::CHECKS`] looks at them. A new check is a function there and one row in that table.

mod channel;
mod checks;
mod counts;
mod curve;
mod episode;
mod facts;
mod finding;
mod group;
mod joint;
mod limits;
mod order;
mod page;
mod piece;
mod report;
mod show;
mod text;
mod timing;

pub use finding::{FindingKind, FindingPlace, LogFinding, Severity};
pub use joint::JointLimits;
pub use report::{
    ChannelCurve, ChannelFaults, ChannelReport, ConstantStretch, EpisodeReport, GapReport, Inspection, LogGroup, Stuck,
};

use super::read::table::Table;
use super::read::{ReadOptions, tables};
use crate::Channel;
use crate::error::Result;
use episode::Stretch;
use group::Group;
use report::FORMAT;
use std::path::Path;

/// Looks at log files or folders of them, leniently: whatever is wrong is a [`LogFinding`], not an error.
///
/// `options` select and name columns as in reading, and say what reading would refuse.
///
/// ```
/// use ebmotion_logs::{FindingKind, ReadOptions, files, inspect};
///
/// # let folder = tempfile::tempdir().map_err(ebmotion_logs::Error::io(".", "create a folder"))?;
/// let path = folder.path().join("log.csv");
/// files::write_bytes(&path, b"time [s],x\n0.0,1\n0.1,nan\n0.2,3\n0.9,4\n1.0,4\n")?;
/// let found = inspect(&[&path], &ReadOptions::default())?;
/// let (episode, channel) = (&found.groups[0].episodes[0], &found.groups[0].channels[0]);
/// assert_eq!(episode.gaps.as_ref().map(|gaps| gaps.missing_frames), Some(6));
/// assert_eq!((channel.faults.nan, channel.max), (1, Some(4.0)));
/// let gap = found.findings.iter().find(|f| f.kind == FindingKind::Gap).expect("a gap");
/// assert_eq!((gap.places[0].line, gap.places[0].secs), (5, Some(0.9)));
/// println!("{found}"); // the same as a table
/// # Ok::<(), ebmotion_logs::Error>(())
/// ```
///
/// # Errors
/// As [`super::Recording::read`] for what has no lenient reading: unreadable files, no time column, no channel, empty
/// or repeated names, ragged rows, no rows, an episode in two places, text that is not UTF-8.
pub fn inspect(paths: &[impl AsRef<Path>], options: &ReadOptions) -> Result<Inspection> {
    inspect_with(paths, options, |_| Ok(Vec::new()))
}

/// As [`inspect`], and holds channels to what their joints can do; `limits` is asked once for each set of channels.
///
/// ```
/// use ebmotion_logs::{FindingKind, JointLimits, ReadOptions, files, inspect_with};
///
/// # let folder = tempfile::tempdir().map_err(ebmotion_logs::Error::io(".", "create a folder"))?;
/// let path = folder.path().join("log.csv");
/// files::write_bytes(&path, b"time [s],elbow\n0.0,1.0\n0.1,1.1\n0.2,1.7\n0.3,1.6\n")?;
/// let elbow = JointLimits { name: "elbow".into(), lower: Some(0.0), upper: Some(1.5), velocity: Some(2.0) };
/// let found = inspect_with(&[&path], &ReadOptions::default(), |_| Ok(vec![elbow.clone()]))?;
/// let of = |kind| found.findings.iter().find(|f| f.kind == kind).map(|f| (f.count, f.places[0].line));
/// assert_eq!(of(FindingKind::OutsideLimits), Some((2, 4)));
/// assert_eq!(of(FindingKind::TooFast), Some((1, 4)));
/// # Ok::<(), ebmotion_logs::Error>(())
/// ```
///
/// # Errors
/// As [`inspect`], and those of `limits`.
pub fn inspect_with(
    paths: &[impl AsRef<Path>],
    options: &ReadOptions,
    mut limits: impl FnMut(&[Channel]) -> Result<Vec<JointLimits>>,
) -> Result<Inspection> {
    let mut groups: Vec<Vec<(String, Table)>> = Vec::new();
    for (stem, table) in tables(paths, options)? {
        match groups.iter_mut().find(|g| g.first().is_some_and(|(_, first)| first.channels == table.channels)) {
            Some(group) => group.push((stem, table)),
            None => groups.push(vec![(stem, table)]),
        }
    }
    let mut inspection = Inspection { format: FORMAT, findings: Vec::new(), groups: Vec::new() };
    for (number, tables) in groups.iter().enumerate() {
        let known = tables.first().map_or(Ok(Vec::new()), |(_, table)| limits(&table.channels))?;
        let group = Group::new(tables, options, &known);
        let found = checks::CHECKS.iter().flat_map(|check| check(&group));
        inspection.findings.extend(found.map(|finding| LogFinding { group: number, ..finding }));
        inspection.groups.push(look(&group));
    }
    inspection.findings.extend(different_channels(&inspection.groups));
    // The gravest first, then by kind; otherwise as they were found.
    inspection.findings.sort_by_key(|f| (std::cmp::Reverse(f.severity), f.kind));
    Ok(inspection)
}

fn look(group: &Group<'_>) -> LogGroup {
    let channels = 0..group.channels.len();
    LogGroup {
        sources: group.tables.iter().map(|(_, t)| t.source.clone()).collect(),
        rows: group.tables.iter().map(|(_, t)| t.rows()).sum(),
        rate_hz: group.rate_hz,
        notes: group.tables.iter().flat_map(|(_, t)| t.notes.clone()).collect(),
        episodes: group.stretches.iter().map(Stretch::report).collect(),
        channels: channels.clone().map(|c| channel::report(group, c)).collect(),
        curves: channels.map(|c| curve::curve(group, c)).collect(),
    }
}

fn different_channels(groups: &[LogGroup]) -> Option<LogFinding> {
    let [first, second, ..] = groups else { return None };
    let name = |group: &LogGroup| group.sources.first().map_or_else(String::new, |s| s.path.clone());
    let names = |group: &LogGroup| group.channels.iter().map(|c| c.channel.name.clone()).collect::<Vec<_>>();
    let (a, b) = (names(first), names(second));
    let only = |a: &[String], b: &[String]| a.iter().filter(|name| !b.contains(name)).cloned().collect::<Vec<_>>();
    let difference = match (only(&a, &b), only(&b, &a)) {
        (a, b) if a.is_empty() && b.is_empty() => "the same names in another order or with other units".to_string(),
        (a, b) if b.is_empty() => format!("only the first has {}", a.join(", ")),
        (a, b) if a.is_empty() => format!("only the second has {}", b.join(", ")),
        (a, b) => format!("{} against {}", a.join(", "), b.join(", ")),
    };
    let seen = format!("{} sets of channels: {} and {} differ ({difference})", groups.len(), name(first), name(second));
    let finding = LogFinding::new(FindingKind::DifferentChannels, Severity::Error, seen)
        .counted(groups.len())
        .advice("the files cannot be read as one recording: `channels = NAMES` takes what all have");
    Some(finding)
}
