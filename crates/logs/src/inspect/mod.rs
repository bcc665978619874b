//! What is in a log, and what is wrong with it, before anything is learned from it.

mod channel;
mod episode;
mod limits;
mod options;
mod report;
mod show;

pub use options::{InspectOptions, JointLimits};
pub use report::{
    Beyond, BeyondLimits, ChannelFaults, ChannelReport, ConstantStretch, EpisodeReport, GapReport, Inspection,
    LogGroup, Stuck,
};

use super::read::table::Table;
use super::read::{ReadOptions, tables};
use crate::Channel;
use crate::error::Result;
use std::path::Path;

/// Looks at log files or folders of them, leniently: missing values, gaps and disorder in time are counted, not
/// refused.
///
/// `options` select and name columns as in reading; [`ReadOptions::on_gap`] has no effect.
///
/// ```
/// use ebmotion_logs::{ReadOptions, files, inspect};
///
/// # let folder = tempfile::tempdir().map_err(ebmotion_logs::Error::io(".", "create a folder"))?;
/// let path = folder.path().join("log.csv");
/// files::write_bytes(&path, b"time [s],x\n0.0,1\n0.1,nan\n0.2,3\n0.9,4\n1.0,4\n")?;
/// let found = inspect(&[&path], &ReadOptions::default())?;
/// let (episode, channel) = (&found.groups[0].episodes[0], &found.groups[0].channels[0]);
/// assert_eq!(episode.gaps.as_ref().map(|gaps| gaps.missing_frames), Some(6));
/// assert_eq!((channel.faults.nan, channel.max), (1, Some(4.0)));
/// println!("{found}"); // the same as a table
/// # Ok::<(), ebmotion_logs::Error>(())
/// ```
///
/// # Errors
/// As [`super::Recording::read`] for what has no lenient reading: unreadable files, no time column, no channel, empty
/// or repeated names, ragged rows, no rows, an episode in two places, text that is not UTF-8.
pub fn inspect(paths: &[impl AsRef<Path>], options: &ReadOptions) -> Result<Inspection> {
    inspect_with(paths, options, |_| Ok(InspectOptions::default()))
}

/// As [`inspect`], with what is known of the robot; `known` is asked once for each set of channels.
///
/// ```
/// use ebmotion_logs::{InspectOptions, JointLimits, ReadOptions, files, inspect_with};
///
/// # let folder = tempfile::tempdir().map_err(ebmotion_logs::Error::io(".", "create a folder"))?;
/// let path = folder.path().join("log.csv");
/// files::write_bytes(&path, b"time [s],elbow\n0.0,1.0\n0.1,1.1\n0.2,1.7\n0.3,1.6\n")?;
/// let elbow = JointLimits { name: "elbow".into(), lower: Some(0.0), upper: Some(1.5), velocity: Some(2.0) };
/// let known = InspectOptions { limits: vec![elbow] };
/// let found = inspect_with(&[&path], &ReadOptions::default(), |_| Ok(known.clone()))?;
/// let beyond = &found.groups[0].beyond_limits[0];
/// assert_eq!(beyond.values.as_ref().map(|b| (b.count, b.worst, b.first_line)), Some((2, 1.7, 4)));
/// assert_eq!(beyond.steps.as_ref().map(|b| (b.count, b.first_line)), Some((1, 4)));
/// # Ok::<(), ebmotion_logs::Error>(())
/// ```
///
/// # Errors
/// As [`inspect`], and those of `known`.
pub fn inspect_with(
    paths: &[impl AsRef<Path>],
    options: &ReadOptions,
    mut known: impl FnMut(&[Channel]) -> Result<InspectOptions>,
) -> Result<Inspection> {
    let mut groups: Vec<Vec<(String, Table)>> = Vec::new();
    for (stem, table) in tables(paths, options)? {
        match groups.iter_mut().find(|g| g[0].1.channels == table.channels) {
            Some(group) => group.push((stem, table)),
            None => groups.push(vec![(stem, table)]),
        }
    }
    let groups = groups.iter().map(|group| Ok(look(group, options, &known(&group[0].1.channels)?)));
    Ok(Inspection { groups: groups.collect::<Result<_>>()? })
}

fn look(group: &[(String, Table)], options: &ReadOptions, known: &InspectOptions) -> LogGroup {
    let stretches: Vec<episode::Stretch> = group
        .iter()
        .flat_map(|(stem, table)| table.runs.iter().map(move |run| episode::Stretch::new(stem, table, run)))
        .collect();
    LogGroup {
        sources: group.iter().map(|(_, t)| t.source.clone()).collect(),
        rows: group.iter().map(|(_, t)| t.rows()).sum(),
        episodes: stretches.iter().map(|s| s.report(options.max_gap)).collect(),
        channels: (0..group[0].1.channels.len()).map(|c| channel::report(group, &stretches, c)).collect(),
        beyond_limits: limits::beyond(group, &stretches, &known.limits),
    }
}
