//! From log files to a [`Recording`]. A new format is one file and one row in the table of formats.

#[cfg(any(feature = "numpy", feature = "hdf5"))]
mod arrays;
mod csv;
mod episodes;
#[cfg(any(feature = "parquet", feature = "numpy", feature = "hdf5"))]
mod guard;
#[cfg(feature = "hdf5")]
mod hdf5;
pub(crate) mod header;
mod input;
#[cfg(feature = "parquet")]
mod lerobot;
mod numbers;
#[cfg(feature = "numpy")]
mod numpy;
mod options;
#[cfg(feature = "parquet")]
mod parquet;
mod paths;
#[cfg(any(feature = "parquet", feature = "numpy", feature = "hdf5"))]
#[cfg_attr(not(feature = "parquet"), allow(dead_code))]
mod roles;
#[cfg(feature = "parquet")]
mod runs;
pub(crate) mod table;

use super::Recording;
use crate::error::{Error, Result};
use episodes::Reference;
pub(crate) use episodes::id as episode_id;
use input::Input;
pub use options::{OnGap, ReadOptions};
use std::path::{Path, PathBuf};
use table::Table;

/// One row per format; the first whose `is` says so reads the log.
const FORMATS: &[Format] = &[
    #[cfg(feature = "parquet")]
    lerobot::FORMAT,
    #[cfg(feature = "parquet")]
    parquet::FORMAT,
    #[cfg(feature = "numpy")]
    numpy::FORMAT,
    #[cfg(feature = "hdf5")]
    hdf5::FORMAT,
    csv::FORMAT,
];

/// A format of logs.
pub(crate) struct Format {
    /// What messages call it.
    pub name: &'static str,
    /// Endings by which files of a folder are taken for logs (also with `.gz`), and which an episode's name leaves out.
    pub extensions: &'static [&'static str],
    /// Whether a log is of this format, by its first bytes (none of a folder). Files are told by content alone.
    pub is: fn(&Input, &[u8]) -> bool,
    /// Reads a log. What it holds is judged afterwards, for all formats alike.
    pub read: fn(&Input, &ReadOptions) -> Result<Table>,
}

impl Recording {
    /// The files that [`Recording::read`] would read: files as they are, of a folder the log files directly in it.
    ///
    /// # Errors
    /// [`Error::Io`] for a folder that cannot be listed; [`Error::Data`] without any log file.
    pub fn files(paths: &[impl AsRef<Path>]) -> Result<Vec<PathBuf>> {
        paths::log_files(paths, &extensions(), is_one_log)
    }

    /// Reads log files; a folder stands for all log files directly in it, sorted by name.
    ///
    /// Formats are told by content: CSV (also packed by gzip); with the feature `parquet` Parquet tables and LeRobot
    /// datasets, which are folders; with `numpy` and `hdf5` arrays of these. All files must hold the same channels with the same
    /// units at the same rate (the mean step of an episode within 1 % of the first episode's). An episode is named
    /// after its file's stem, then `/` and the value of the episode column where there is one, then `#` and the number
    /// of the piece, from 1, where a gap has split it.
    ///
    /// # Errors
    /// [`Error::Io`] when a path cannot be read; [`Error::Data`] without any log file; [`Error::Config`] for options
    /// out of range; [`Error::Log`] with file, line and column for a file that is not as described: no time column, no
    /// channel, a name that is empty or used twice, no rows, a row of another length, a cell without a finite number,
    /// time that stands still or runs backwards, a gap, another rate or other channels than before, a selected channel
    /// that is not there, text that is not UTF-8, a damaged gzip file, a file given twice. Of these only gaps and
    /// cells without a finite number become new episodes under [`OnGap::Split`]; nothing else is mended.
    pub fn read(paths: &[impl AsRef<Path>], options: &ReadOptions) -> Result<Self> {
        let mut into = Assembly::default();
        let files = paths::log_files(paths, &extensions(), is_one_log)?;
        let stems = paths::stems(&files, &extensions());
        for (path, stem) in files.iter().zip(stems) {
            into.add(&stem, table(&Input::at(path), options)?, options)?;
        }
        into.finish()
    }

    /// Reads one log from memory; `name` stands for its path, in messages and by its ending.
    ///
    /// ```
    /// use ebmotion_logs::{ReadOptions, Recording};
    ///
    /// let log = b"episode,time [s],q_elbow [rad]\n0,0.0,0.1\n0,0.1,0.2\n1,5.0,0.3\n1,5.1,0.2\n";
    /// let recording = Recording::from_bytes("arm.csv", log, &ReadOptions::default())?;
    /// assert_eq!(recording.channels[0].name, "q_elbow");
    /// assert_eq!(recording.channels[0].unit.as_deref(), Some("rad"));
    /// assert_eq!(recording.episodes[1].id, "arm/1");
    /// assert_eq!(recording.episodes[1].values, [0.3, 0.2]);
    /// # Ok::<(), ebmotion_logs::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Recording::read`].
    pub fn from_bytes(name: &str, bytes: &[u8], options: &ReadOptions) -> Result<Self> {
        Self::from_memory(&[(name, bytes)], options)
    }

    /// Reads several logs from memory, each with the name that stands for its path: [`Recording::read`] for embedded
    /// files.
    ///
    /// # Errors
    /// As [`Recording::read`].
    pub fn from_memory(logs: &[(&str, &[u8])], options: &ReadOptions) -> Result<Self> {
        let mut into = Assembly::default();
        let files: Vec<PathBuf> = logs.iter().map(|(name, _)| PathBuf::from(name)).collect();
        let stems = paths::stems(&files, &extensions());
        for ((path, stem), (_, bytes)) in files.iter().zip(stems).zip(logs) {
            into.add(&stem, table(&Input::in_memory(path, bytes), options)?, options)?;
        }
        into.finish()
    }
}

/// Whether a folder is one log and not a place where logs lie.
fn is_one_log(folder: &Path) -> bool {
    let input = Input::at(folder);
    FORMATS.iter().any(|format| (format.is)(&input, &[]))
}

fn extensions() -> Vec<&'static str> {
    FORMATS.iter().flat_map(|f| f.extensions).copied().collect()
}

/// Reads the tables of all files, without judging their rows.
pub(crate) fn tables(paths: &[impl AsRef<Path>], options: &ReadOptions) -> Result<Vec<(String, Table)>> {
    let files = paths::log_files(paths, &extensions(), is_one_log)?;
    let stems = paths::stems(&files, &extensions());
    let read = |(path, stem): (&PathBuf, String)| Ok((stem, table(&Input::at(path), options)?));
    files.iter().zip(stems).map(read).collect()
}

/// Tells the format of a log and reads it.
fn table(input: &Input, options: &ReadOptions) -> Result<Table> {
    options.validate()?;
    let head = input.head()?;
    let packed = input.path.extension().is_some_and(|e| e.eq_ignore_ascii_case("gz"));
    if packed && !input.is_packed()? {
        return Err(input.error("no gzip file", "gzip data in a file that ends in `.gz`"));
    }
    let Some(format) = FORMATS.iter().find(|f| (f.is)(input, &head)) else {
        let known: Vec<&str> = FORMATS.iter().map(|f| f.name).collect();
        return Err(input.error("a file of an unknown kind", format!("one of {}", known.join(", "))));
    };
    (format.read)(input, options)
}

/// The files read so far.
#[derive(Default)]
struct Assembly {
    recording: Option<Recording>,
    /// The first episode's rate, by which all others are measured.
    reference: Option<Reference>,
}

impl Assembly {
    fn add(&mut self, stem: &str, table: Table, options: &ReadOptions) -> Result<()> {
        if let Some(first) = &self.recording {
            let error = |column: Option<&str>, found: String, expected: String| Error::Log {
                path: table.path.clone(),
                line: Some(1),
                column: column.map(Into::into),
                found,
                expected,
            };
            let first_path = &first.sources[0].path;
            if let Some(twin) = first.sources.iter().find(|s| s.sha256 == table.source.sha256) {
                let found = format!("the same contents as in {}", twin.path);
                return Err(error(None, found, "every log once".into()));
            }
            let (a, b) = (&first.channels, &table.channels);
            if let Some(i) = (0..a.len().max(b.len())).find(|i| a.get(*i) != b.get(*i)) {
                let name = |c: Option<&super::Channel>| match c {
                    Some(c) => format!(
                        "channel `{}` with {}",
                        c.name,
                        c.unit.as_ref().map_or("no unit".into(), |u| format!("unit `{u}`"))
                    ),
                    None => "no further channel".into(),
                };
                let column = b.get(i).or(a.get(i)).map(|c| c.name.as_str());
                let expected = format!("{} as in {first_path}", name(a.get(i)));
                return Err(error(column, name(b.get(i)), expected));
            }
        }
        let episodes = episodes::episodes(stem, &table, options, &mut self.reference)?;
        match &mut self.recording {
            None => {
                let (sources, notes) = (vec![table.source], table.notes);
                self.recording = Some(Recording { channels: table.channels, episodes, sources, notes });
            }
            Some(recording) => {
                // `a.csv` beside `a.csv.gz`: almost surely the same log, and reports could not tell the two apart.
                if let Some(twin) = episodes.iter().find(|e| recording.episodes.iter().any(|known| known.id == e.id)) {
                    return Err(Error::Log {
                        path: table.path,
                        line: None,
                        column: None,
                        found: format!("a second episode `{}`", twin.id),
                        expected: "every log once".into(),
                    });
                }
                recording.episodes.extend(episodes);
                recording.sources.push(table.source);
                recording.notes.extend(table.notes);
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Recording> {
        self.recording.ok_or_else(|| Error::data("logs", "no file", "at least one log file"))
    }
}
