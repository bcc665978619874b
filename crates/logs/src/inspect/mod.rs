//! What is in a log, and what is wrong with it, before anything is learned from it.

mod channel;
mod episode;
mod report;
mod show;

pub use report::{
    ChannelFaults, ChannelReport, ConstantStretch, EpisodeReport, GapReport, Inspection, LogGroup, Stuck,
};

use super::read::table::Table;
use super::read::{ReadOptions, tables};
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
    let mut groups: Vec<Vec<(String, Table)>> = Vec::new();
    for (stem, table) in tables(paths, options)? {
        match groups.iter_mut().find(|g| g[0].1.channels == table.channels) {
            Some(group) => group.push((stem, table)),
            None => groups.push(vec![(stem, table)]),
        }
    }
    Ok(Inspection { groups: groups.iter().map(|group| look(group, options)).collect() })
}

fn look(group: &[(String, Table)], options: &ReadOptions) -> LogGroup {
    let stretches: Vec<episode::Stretch> = group
        .iter()
        .flat_map(|(stem, table)| table.runs.iter().map(move |run| episode::Stretch::new(stem, table, run)))
        .collect();
    LogGroup {
        sources: group.iter().map(|(_, t)| t.source.clone()).collect(),
        rows: group.iter().map(|(_, t)| t.rows()).sum(),
        episodes: stretches.iter().map(|s| s.report(options.max_gap)).collect(),
        channels: (0..group[0].1.channels.len()).map(|c| channel::report(group, &stretches, c)).collect(),
    }
}
