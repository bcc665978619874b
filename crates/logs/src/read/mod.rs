//! From log files to a [`Recording`]. A new format is one file and one row in the table of formats (`format.rs`).

#[cfg(any(feature = "numpy", feature = "hdf5"))]
#[cfg_attr(not(feature = "hdf5"), allow(dead_code))]
mod arrays;
pub(crate) mod by_turns;
mod csv;
mod episodes;
mod extremes;
mod fill;
mod format;
mod glob;
#[cfg(any(feature = "parquet", feature = "numpy", feature = "hdf5"))]
#[cfg_attr(not(any(feature = "parquet", feature = "hdf5")), allow(dead_code))]
mod guard;
#[cfg(feature = "hdf5")]
mod hdf5;
pub(crate) mod header;
mod input;
#[cfg(feature = "parquet")]
mod lerobot;
mod matching;
#[cfg(any(feature = "parquet", feature = "numpy", feature = "hdf5", feature = "ros"))]
mod numbers;
#[cfg(feature = "numpy")]
mod numpy;
mod of_model;
mod options;
mod order;
mod packed;
#[cfg(feature = "parquet")]
mod parquet;
mod paths;
mod periods;
mod repairs;
#[cfg(any(feature = "parquet", feature = "numpy", feature = "hdf5"))]
#[cfg_attr(not(feature = "parquet"), allow(dead_code))]
mod roles;
#[cfg(feature = "ros")]
pub(crate) mod ros;
#[cfg(feature = "parquet")]
mod runs;
mod second_source;
mod signature;
mod spread;
pub(crate) mod table;
mod track;
mod units;
mod wrap;

use super::{Gathering, Recording};
use crate::error::{Error, Result};
use episodes::Reference;
pub(crate) use episodes::{episodes as episodes_of, id as episode_id};
use format::{Format, extensions, is_one_log};
use input::Input;
pub use options::{DateOrder, Fill, OnBackwards, OnGap, OnRepeat, ReadOptions, TimeUnit};
use packed::Packing;
pub(crate) use repairs::Repairs;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use table::Table;

impl Recording {
    /// The files that [`Recording::read`] would read: files as they are, of a folder the log files directly in it, of a
    /// pattern all that fit it.
    ///
    /// # Errors
    /// [`Error::Io`] for a folder that cannot be listed; [`Error::Data`] without any log file.
    pub fn files(paths: &[impl AsRef<Path>]) -> Result<Vec<PathBuf>> {
        paths::log_files(paths, &extensions(), is_one_log)
    }

    /// Reads log files; a folder stands for all log files directly in it, sorted by name, or, where there are none, for
    /// those in the folders within; a path that is not there and has `*`, `?` or `[` for all that fit it; `-` for
    /// standard input, which is held in memory.
    ///
    /// Formats are told by what files hold: text tables, packed or not; with the feature `parquet` Parquet tables and
    /// LeRobot datasets, which are folders; with `numpy` and `hdf5` arrays of these; with `ros` MCAP and bags. All
    /// files must hold the same channels, in any order, with the same units at the same rate (the mean step of an
    /// episode within 1 % of the first episode's); the first file's order counts. An episode is named after its file's
    /// stem, then `/` and the value of the episode column where there is one, then `#` and the number of the piece,
    /// from 1, where a gap has split it. What was guessed or left out is in [`Recording::notes`].
    ///
    /// # Errors
    /// [`Error::Io`] when a path cannot be read; [`Error::Data`] without any log file; [`Error::Config`] for options
    /// out of range, and for an angle without unit whose period nothing says; [`Error::Log`] with file, line and column
    /// for a file that is not as described: no time column or more than one, stamps of no known unit, no channel, a
    /// name that is empty or used twice, no rows, a row of another length, a cell without a finite number, a value
    /// beyond all measure, channels of several rates, time that stands still or runs backwards, a gap, another rate or
    /// other channels than before, a selected channel that is not there, text that is neither UTF-8 nor UTF-16, a quote
    /// that is not closed, a damaged packed file, a file given twice. Of these [`OnGap`], [`ReadOptions::max_gap`],
    /// [`OnBackwards`] and [`OnRepeat`] mend what they say, counted in [`Recording::notes`].
    pub fn read(paths: &[impl AsRef<Path>], options: &ReadOptions) -> Result<Self> {
        let mut into = Assembly::default();
        let files = paths::log_files(paths, &extensions(), is_one_log)?;
        let stems = paths::stems(&files, &extensions());
        for (path, stem) in files.iter().zip(stems) {
            into.add(&stem, table(&Input::of(path)?, options)?, options)?;
        }
        into.finish(options)
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
        into.finish(options)
    }
}

/// Reads the tables of all files, without judging their rows.
pub(crate) fn tables(paths: &[impl AsRef<Path>], options: &ReadOptions) -> Result<Vec<(String, Table)>> {
    let files = paths::log_files(paths, &extensions(), is_one_log)?;
    let stems = paths::stems(&files, &extensions());
    let read = |(path, stem): (&PathBuf, String)| Ok((stem, table(&Input::of(path)?, options)?));
    let mut tables: Vec<(String, Table)> = files.iter().zip(stems).map(read).collect::<Result<_>>()?;
    matching::settle(&mut tables, options)?;
    Ok(tables)
}

/// Tells the format of a log and reads it.
fn table(input: &Input, options: &ReadOptions) -> Result<Table> {
    options.validate()?;
    let head = input.head()?;
    let ends = |p: &Packing| input.path.to_string_lossy().to_lowercase().ends_with(p.ending());
    if let Some(said) = Packing::ALL.into_iter().find(ends)
        && !input.is_folder()
        && input.packing()? != Some(said)
    {
        let (name, ending) = (said.name(), said.ending());
        return Err(input.error(format!("no {name} file"), format!("{name} data in a file that ends in `{ending}`")));
    }
    Format::of(input, &head)?.reader(input)?(input, options)
}

/// The files read so far.
#[derive(Default)]
struct Assembly {
    recording: Option<Recording>,
    /// The first episode's rate, by which all others are measured.
    reference: Option<Reference>,
    /// What was mended so far.
    repairs: Repairs,
    /// Values of episodes that lie in no file, where there are several logs: many small ones are too much for the
    /// memory as one large one is.
    gathering: Gathering,
}

impl Assembly {
    fn add(&mut self, stem: &str, mut table: Table, options: &ReadOptions) -> Result<()> {
        if let Some(first) = &self.recording {
            let first_path = &first.sources[0].path;
            if let Some(twin) = first.sources.iter().find(|s| s.sha256 == table.source.sha256) {
                let found = format!("the same contents as in {}", twin.path);
                let (path, expected) = (table.path, "every log once".into());
                return Err(Error::Log { path, line: Some(1), column: None, found, expected });
            }
            if !matching::bring_to_order(&first.channels, &mut table) {
                return Err(matching::other_channels(&first.channels, first_path, &table));
            }
        }
        extremes::check(&mut table)?;
        let declared = table.channels.clone();
        table.channels = periods::seen_in(&declared, &table.values, options);
        let mut episodes = episodes::episodes(stem, &mut table, options, &mut self.reference, &mut self.repairs)?;
        table.channels = declared;
        let parts = std::mem::take(&mut table.parts).into_iter();
        let parts: BTreeMap<_, _> = parts.map(|(episode, part)| (format!("{stem}/{episode}"), part)).collect();
        if let Some(recording) = &mut self.recording {
            if recording.sources.len() == 1 {
                self.gathering.take(0, &mut recording.episodes)?;
            }
            self.gathering.take(recording.episodes.len(), &mut episodes)?;
        }
        match &mut self.recording {
            None => {
                let (sources, notes) = (vec![table.source], table.notes);
                self.recording = Some(Recording { channels: table.channels, episodes, sources, notes, parts });
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
                recording.parts.extend(parts);
            }
        }
        Ok(())
    }

    fn finish(self, options: &ReadOptions) -> Result<Recording> {
        let mut recording = self.recording.ok_or_else(|| Error::data("logs", "no file", "at least one log file"))?;
        recording.notes.extend(self.repairs.notes());
        self.gathering.finish(&mut recording.episodes)?;
        let blocks: Vec<&[f64]> = recording.episodes.iter().map(|e| &e.values[..]).collect();
        let notes = periods::settle(&mut recording.channels, &blocks, options)?;
        recording.notes.extend(notes);
        // What is so in every file is said once.
        let mut said = std::collections::HashSet::new();
        recording.notes.retain(|note| said.insert(note.clone()));
        Ok(recording)
    }
}
