//! From log files to a [`Recording`]. A new format is one file and one row in the table of formats.

mod csv;
mod episodes;
pub(crate) mod header;
mod input;
mod options;
mod paths;
pub(crate) mod table;

use super::Recording;
use crate::error::{Error, Result};
use crate::files::FileRecord;
use episodes::Reference;
pub(crate) use episodes::id as episode_id;
use input::Input;
pub use options::{OnGap, ReadOptions};
use std::borrow::Cow;
use std::io::Read;
use std::path::{Path, PathBuf};
use table::Table;

/// One row per format: the ending of its files (also with `.gz`) and its parser.
const FORMATS: &[Format] = &[Format { extension: ".csv", parse: csv::parse }];

struct Format {
    extension: &'static str,
    parse: fn(Input, &ReadOptions) -> Result<Table>,
}

impl Recording {
    /// The files that [`Recording::read`] would read: files as they are, of a folder the log files directly in it.
    ///
    /// # Errors
    /// [`Error::Io`] for a folder that cannot be listed; [`Error::Data`] without any log file.
    pub fn files(paths: &[impl AsRef<Path>]) -> Result<Vec<PathBuf>> {
        paths::log_files(paths, &extensions())
    }

    /// Reads log files; a folder stands for all log files directly in it, sorted by name.
    ///
    /// Formats are told by the ending: `.csv`, and `.csv.gz`. All files must hold the same channels with the same
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
        let files = paths::log_files(paths, &extensions())?;
        let stems = paths::stems(&files, &extensions());
        for (path, stem) in files.iter().zip(stems) {
            let bytes = std::fs::read(path).map_err(Error::io(path, "read"))?;
            into.add(&stem, table(path, &bytes, options)?, options)?;
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
            into.add(&stem, table(path, bytes, options)?, options)?;
        }
        into.finish()
    }
}

fn extensions() -> Vec<&'static str> {
    FORMATS.iter().map(|f| f.extension).collect()
}

/// Reads the tables of all files, without judging their rows.
pub(crate) fn tables(paths: &[impl AsRef<Path>], options: &ReadOptions) -> Result<Vec<(String, Table)>> {
    let files = paths::log_files(paths, &extensions())?;
    let stems = paths::stems(&files, &extensions());
    let read = |(path, stem): (&PathBuf, String)| {
        let bytes = std::fs::read(path).map_err(Error::io(path, "read"))?;
        Ok((stem, table(path, &bytes, options)?))
    };
    files.iter().zip(stems).map(read).collect()
}

/// Unpacks and parses one file.
fn table(path: &Path, bytes: &[u8], options: &ReadOptions) -> Result<Table> {
    options.validate()?;
    let error = |found: String, expected: &str| Error::Log {
        path: path.to_path_buf(),
        line: None,
        column: None,
        found,
        expected: expected.into(),
    };
    let source = FileRecord::of(path, bytes);
    let name = source.path.to_lowercase();
    let inner = name.strip_suffix(".gz").unwrap_or(&name);
    let format = FORMATS.iter().find(|f| inner.ends_with(f.extension)).ok_or_else(|| {
        let known: Vec<String> = FORMATS.iter().map(|f| format!("`{0}`, `{0}.gz`", f.extension)).collect();
        error("a file of an unknown kind".into(), &format!("a file that ends in {}", known.join(", ")))
    })?;
    let bytes: Cow<[u8]> = if bytes.starts_with(b"\x1f\x8b") {
        let mut unpacked = Vec::new();
        flate2::read::MultiGzDecoder::new(bytes)
            .read_to_end(&mut unpacked)
            .map_err(|e| error(format!("a damaged gzip file ({e})"), "a complete gzip file"))?;
        unpacked.into()
    } else if name.ends_with(".gz") {
        return Err(error("no gzip file".into(), "gzip data in a file that ends in `.gz`"));
    } else {
        bytes.into()
    };
    (format.parse)(Input { path: path.to_path_buf(), source, bytes: &bytes }, options)
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
                let sources = vec![table.source];
                self.recording = Some(Recording { channels: table.channels, episodes, sources });
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
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Recording> {
        self.recording.ok_or_else(|| Error::data("logs", "no file", "at least one log file"))
    }
}
