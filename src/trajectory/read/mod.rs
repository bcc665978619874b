//! Log files to a [`Recording`]: one file per format, and a row in [`FORMATS`].

mod csv;
pub(super) mod table;

use super::{Recording, Source};
use crate::error::{Error, Result};
use crate::files::sha256_hex;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
pub(super) use table::Table;

/// What to do where a log has a gap: a missing time step, or a cell that holds no finite number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnGap {
    /// Refuse the log, naming the place.
    #[default]
    Error,
    /// End the episode there and begin another; rows without a finite number are left out.
    Split,
}

/// How log files are read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReadOptions {
    /// What to do at gaps.
    pub on_gap: OnGap,
    /// A step longer than this many median steps of its episode is a gap; above 1.
    pub max_gap: f64,
    /// Only these channels, in the file's order (`*` stands for any text); all where it is not given.
    pub channels: Option<Vec<String>>,
    /// Columns left out.
    pub ignore: Vec<String>,
    /// Channels that wrap around: every 360 for the unit `deg`, every 2 pi for `rad` and without a unit.
    pub wrap: Vec<String>,
    /// Column of the time stamps. Their unit stands in the header (`time [s]`, `[ms]`, `[us]`, `[ns]`); without one they
    /// are nanoseconds where all are whole numbers at least 1000 apart, else seconds.
    pub time_column: String,
    /// Column that numbers the episodes of a file; where it is not given, `episode` if there is such a column.
    pub episode_column: Option<String>,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            on_gap: OnGap::Error,
            max_gap: 1.5,
            channels: None,
            ignore: Vec::new(),
            wrap: Vec::new(),
            time_column: "time".into(),
            episode_column: None,
        }
    }
}

/// Reads the bytes of one file, uncompressed, into a table.
type Reader = fn(&Path, &[u8], &ReadOptions) -> Result<Table>;

/// File name endings and their readers. gzip is undone before, by the file's first bytes.
const FORMATS: &[(&str, Reader)] = &[(".csv", csv::read), (".csv.gz", csv::read)];

impl Recording {
    /// Reads log files; a folder stands for the log files in it, in the order of their names.
    ///
    /// # Errors
    /// [`Error::Io`] for a path that cannot be read; [`Error::Log`] naming file, line and column for anything that a log
    /// must not hold, for files that differ in channels, and for two sampling rates mixed.
    pub fn read(paths: &[impl AsRef<Path>], options: &ReadOptions) -> Result<Self> {
        let mut parts = Vec::new();
        for path in log_files(paths)? {
            let bytes = std::fs::read(&path).map_err(Error::io(&path, "read"))?;
            parts.push(Self::from_bytes(&path.display().to_string(), &bytes, options)?);
        }
        let mut parts = parts.into_iter();
        let Some(mut all) = parts.next() else {
            return Err(Error::data("log files", "none", format!("files ending in {}", endings())));
        };
        for part in parts {
            same_channels(&all, &part)?;
            all.episodes.extend(part.episodes);
            all.sources.extend(part.sources);
        }
        table::one_rate(&all)?;
        Ok(all)
    }

    /// Reads a log at hand; `name` stands for its path in errors and tells the format by its ending.
    ///
    /// # Errors
    /// As [`Recording::read`].
    pub fn from_bytes(name: &str, bytes: &[u8], options: &ReadOptions) -> Result<Self> {
        let path = Path::new(name);
        let table = read_table(path, bytes, options)?;
        let source = Source { path: name.to_string(), sha256: sha256_hex(bytes) };
        let recording = table.into_recording(path, options, source)?;
        table::one_rate(&recording)?;
        Ok(recording)
    }
}

/// Reads one file into its table.
pub(super) fn read_table(path: &Path, bytes: &[u8], options: &ReadOptions) -> Result<Table> {
    if options.max_gap.is_nan() || options.max_gap <= 1.0 {
        return Err(Error::config("data.read.max_gap", options.max_gap, "a number above 1"));
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let reader = FORMATS.iter().find(|(ending, _)| name.ends_with(ending)).map(|(_, reader)| reader);
    let Some(reader) = reader else {
        return Err(whole(path, format!("the name `{name}`"), format!("a log file, ending in {}", endings())));
    };
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut plain = Vec::new();
        std::io::Read::read_to_end(&mut flate2::read::MultiGzDecoder::new(bytes), &mut plain)
            .map_err(|e| whole(path, format!("broken gzip data ({e})"), "a whole gzip file"))?;
        return reader(path, &plain, options);
    }
    reader(path, bytes, options)
}

/// The log files that paths stand for.
pub(super) fn log_files(paths: &[impl AsRef<Path>]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        let path = path.as_ref();
        if !path.is_dir() {
            files.push(path.to_path_buf());
            continue;
        }
        let mut inside = Vec::new();
        for entry in std::fs::read_dir(path).map_err(Error::io(path, "list the folder"))? {
            let file = entry.map_err(Error::io(path, "list the folder"))?.path();
            let name = file.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
            if FORMATS.iter().any(|(ending, _)| name.ends_with(ending)) {
                inside.push(file);
            }
        }
        if inside.is_empty() {
            return Err(whole(path, "a folder without a log file".into(), format!("files ending in {}", endings())));
        }
        inside.sort();
        files.extend(inside);
    }
    Ok(files)
}

fn endings() -> String {
    FORMATS.iter().map(|(ending, _)| *ending).collect::<Vec<_>>().join(", ")
}

/// An error about a file as a whole.
pub(super) fn whole(path: &Path, found: String, expected: impl Into<String>) -> Error {
    Error::Log { path: path.to_path_buf(), line: None, column: None, found, expected: expected.into() }
}

fn same_channels(all: &Recording, part: &Recording) -> Result<()> {
    if all.channels == part.channels {
        return Ok(());
    }
    let describe = |c: &super::Channel| match &c.unit {
        Some(unit) => format!("`{} [{unit}]`", c.name),
        None => format!("`{}`", c.name),
    };
    let at = (0..).find(|i| all.channels.get(*i) != part.channels.get(*i)).unwrap_or(0);
    let show = |r: &Recording| r.channels.get(at).map_or("no further channel".to_string(), describe);
    let first = &all.sources[0].path;
    let path = Path::new(&part.sources[0].path);
    let found = format!("{} as channel {}", show(part), at + 1);
    Err(whole(path, found, format!("{}, as in {first}: all files need the same channels", show(all))))
}

/// True where `name` fits `pattern`, in which `*` stands for any text.
pub(super) fn fits(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(rest) = parts.next().and_then(|head| name.strip_prefix(head)) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((tail, middle)) = parts.split_last() else { return rest.is_empty() };
    let mut rest = rest;
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_names() {
        for (pattern, name, expected) in [
            ("q_*", "q_FFJ3", true),
            ("q_*", "dq_FFJ3", false),
            ("*", "", true),
            ("a*c", "abc", true),
            ("a*c", "ab", false),
            ("*J*3", "q_FFJ3", true),
            ("q", "q", true),
            ("q", "qq", false),
            ("a*a", "a", false),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }
}
