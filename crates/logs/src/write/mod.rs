//! Recordings as files that others read. A new format is one file and one row in the table of writers.

#[cfg(feature = "parquet")]
mod columns;
mod csv;
#[cfg(feature = "parquet")]
mod lerobot;
#[cfg(feature = "ros")]
mod mcap;
mod names;
#[cfg(feature = "parquet")]
mod parquet;
mod writer;

use crate::error::{Error, Result};
use crate::{Channel, Recording};
use std::collections::HashSet;
use std::path::Path;
pub use writer::WriteOptions;
use writer::Writer;

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

impl Recording {
    /// The format in which a path is written, by its ending: `.csv`, `.csv.gz`, `.mcap`, `.parquet`, and for a path
    /// without an ending a folder, a LeRobot dataset of version 3.0.
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

#[cfg(test)]
mod tests {
    use super::*;

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
