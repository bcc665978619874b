//! Recordings as files that others read. A new format is one file and one row in the table of writers.

#[cfg(feature = "parquet")]
mod columns;
mod csv;
#[cfg(feature = "parquet")]
mod lerobot;
#[cfg(feature = "ros")]
mod mcap;
#[cfg(feature = "parquet")]
mod parquet;

use crate::error::{Error, Result};
use crate::{Channel, Recording};
use std::collections::HashSet;
use std::path::Path;

/// One row per format; the first whose ending a path has writes it.
const WRITERS: &[Writer] = &[
    csv::WRITER,
    csv::PACKED,
    #[cfg(feature = "ros")]
    mcap::WRITER,
    #[cfg(feature = "parquet")]
    parquet::WRITER,
    #[cfg(feature = "parquet")]
    lerobot::WRITER,
];

/// A format in which recordings are written.
pub(crate) struct Writer {
    /// What messages call it.
    name: &'static str,
    /// How paths of it end; empty for a folder.
    ending: &'static str,
    /// Writes all of a recording or nothing; returns what a person has to know of it, a sentence each.
    write: fn(&Recording, &Path, &WriteOptions) -> Result<Vec<String>>,
}

/// How recordings are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteOptions {
    /// Replace what is there. A folder is replaced only by a dataset of its own kind.
    pub overwrite: bool,
    /// What the robot does, in words: LeRobot's task of every episode.
    pub task: String,
}

impl Default for WriteOptions {
    fn default() -> Self {
        Self { overwrite: false, task: "motion".into() }
    }
}

impl Recording {
    /// The format in which a path is written, by its ending: `.csv`, `.csv.gz`, `.mcap`, `.parquet`, and for a path without an
    /// ending a folder, a LeRobot dataset of version 3.0.
    ///
    /// # Errors
    /// [`Error::Config`] for another ending.
    pub fn written_as(path: &Path) -> Result<&'static str> {
        writer(path).map(|writer| writer.name)
    }

    /// Writes the recording to a file, or a folder, in the format of its ending ([`Recording::written_as`]): whole or
    /// not at all. Times are seconds, a channel's unit stands after its name (`q_elbow [rad]`), an episode is called
    /// what it was in its log. Every number is written such that the same number is read again.
    ///
    /// Returns what a person has to know of what was written, a sentence each.
    ///
    /// ```
    /// use ebmotion_logs::{ReadOptions, Recording, WriteOptions};
    ///
    /// let log = b"episode,time [s],x [m]\n0,0.0,0.1\n0,0.1,0.2\n1,5.0,0.3\n1,5.1,0.2\n";
    /// let recording = Recording::from_bytes("arm.csv", log, &ReadOptions::default())?;
    /// # let folder = tempfile::tempdir().map_err(ebmotion_logs::Error::io(".", "create a folder"))?;
    /// let path = folder.path().join("arm.csv.gz");
    /// recording.write(&path, &WriteOptions::default())?;
    /// assert_eq!(Recording::read(&[path], &ReadOptions::default())?.episodes, recording.episodes);
    /// # Ok::<(), ebmotion_logs::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Config`] for an ending of no format, and for a path that is there already and is not to be replaced;
    /// [`Error::Io`] when it cannot be written; [`Error::Data`] for a recording that the format cannot hold: channels
    /// of the same name, for LeRobot times that are at no fixed rate.
    pub fn write(&self, path: &Path, options: &WriteOptions) -> Result<Vec<String>> {
        let writer = writer(path)?;
        if path.exists() && !options.overwrite {
            let found = format!("`{}`, which is there already", path.display());
            return Err(Error::config("output", found, "a new path (`overwrite = true` replaces what is there)"));
        }
        check_names(&self.channels)?;
        (writer.write)(self, path, options)
    }
}

/// The writer of a path.
fn writer(path: &Path) -> Result<&'static Writer> {
    let text = path.to_string_lossy().to_lowercase();
    let file = WRITERS.iter().find(|w| !w.ending.is_empty() && text.ends_with(w.ending));
    // A folder is meant by a path without an ending, by one with a `/` at its end, and by a folder that is there.
    let folder = path.extension().is_none() || text.ends_with(std::path::is_separator) || path.is_dir();
    let folder = WRITERS.iter().find(|w| w.ending.is_empty()).filter(|_| folder);
    file.or(folder).ok_or_else(|| {
        let known = WRITERS.iter().map(|w| match w.ending {
            "" => format!("a folder without an ending ({})", w.name),
            ending => format!("`{ending}`"),
        });
        let known: Vec<String> = known.collect();
        Error::config("output", format!("`{}`", path.display()), format!("a path that ends in {}", known.join(", ")))
    })
}

/// Columns with the same name could not be read again.
fn check_names(channels: &[Channel]) -> Result<()> {
    let mut seen = HashSet::from(["time", "episode"]);
    match channels.iter().find(|channel| !seen.insert(&channel.name)) {
        None => Ok(()),
        Some(twin) => {
            let found = format!("a second column `{}`", twin.name);
            Err(Error::data("channels", found, "names that are used once, and neither `time` nor `episode`"))
        }
    }
}

/// A channel as a column is called: `q_elbow [rad]`.
fn column_name(channel: &Channel) -> String {
    match &channel.unit {
        Some(unit) => format!("{} [{unit}]", channel.name),
        None => channel.name.clone(),
    }
}

/// What the episodes are called within one file: their names without the folder that all have in common, which is the
/// name of the log from which they came. None for a log that is one episode.
fn episode_names(recording: &Recording) -> Option<Vec<&str>> {
    let ids: Vec<&[u8]> = recording.episodes.iter().map(|e| e.id.as_bytes()).collect();
    let alike = |a: &[u8], b: &[u8]| a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let same = ids.iter().map(|id| alike(ids[0], id)).min().unwrap_or(0);
    let common = ids.first().and_then(|id| id[..same].iter().rposition(|b| *b == b'/')).map_or(0, |at| at + 1);
    match &recording.episodes[..] {
        [_] if common == 0 => None,
        episodes => Some(episodes.iter().map(|episode| &episode.id[common..]).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Episode;

    fn names(ids: &[&str]) -> Option<Vec<String>> {
        let episode = |id: &&str| Episode { id: (*id).into(), time_secs: vec![0.0], values: vec![0.0] };
        let episodes = ids.iter().map(episode).collect();
        let recording = Recording { channels: Vec::new(), episodes, sources: Vec::new(), notes: Vec::new() };
        episode_names(&recording).map(|names| names.into_iter().map(Into::into).collect())
    }

    #[test]
    fn episodes_lose_what_they_have_in_common() {
        let some = |names: &[&str]| Some(names.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert_eq!(names(&["log"]), None);
        assert_eq!(names(&["log/3"]), some(&["3"]));
        assert_eq!(names(&["log/3", "log/31"]), some(&["3", "31"]));
        assert_eq!(names(&["log#1", "log#2"]), some(&["log#1", "log#2"]));
        assert_eq!(names(&["run1", "run2"]), some(&["run1", "run2"]));
        assert_eq!(names(&["a/0", "b/0"]), some(&["a/0", "b/0"]));
        assert_eq!(names(&["x/a/0", "x/b/0"]), some(&["a/0", "b/0"]));
        assert_eq!(names(&["ä/0", "ö/0"]), some(&["ä/0", "ö/0"]));
    }

    #[test]
    fn a_path_has_one_format() {
        let as_what = |path: &str| writer(Path::new(path)).map(|w| w.ending).ok();
        assert_eq!(as_what("a/log.csv"), Some(".csv"));
        assert_eq!(as_what("LOG.CSV.GZ"), Some(".csv.gz"));
        assert_eq!(as_what("log.txt"), None);
        assert_eq!(as_what("log.gz"), None);
        let parquet = cfg!(feature = "parquet");
        assert_eq!(as_what("log.parquet"), parquet.then_some(".parquet"));
        assert_eq!(as_what("sets/arm"), parquet.then_some(""));
        assert_eq!(as_what("sets/arm.v2/"), parquet.then_some(""));
    }
}
