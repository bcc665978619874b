//! LeRobot datasets, versions 2.0, 2.1 and 3.0: a folder with `meta/info.json`, and Parquet files of frames.
//!
//! The state of the robot is its motion. What it was told to do (`action`) is left out unless it is asked for.

mod episodes;
mod features;
mod info;

use super::numbers::{Column, Numbers};
use super::parquet::{ParquetFile, Place};
use super::table::{Run, Table};
use super::{Input, ReadOptions};
use crate::error::Result;
use crate::pace::median;
use crate::{Growing, Values};
use episodes::Piece;
use features::Feature;
use info::{INFO, Info};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// LeRobot takes time stamps for those of its rate up to this, seconds.
const TOLERANCE_SECS: f64 = 1e-4;
/// Columns of every file that place a row, as they are read.
const PLACING: [&str; 4] = ["timestamp", "frame_index", "episode_index", "index"];

/// Reads a dataset.
pub(super) fn read(input: &Input, options: &ReadOptions) -> Result<Table> {
    let info = Info::read(&input.path)?;
    let features = features::chosen(&info, options);
    let pieces = episodes::pieces(&info)?;
    let mut numbers = Numbers { time_column: "timestamp".into(), ..Numbers::default() };
    numbers.columns = features.columns();
    numbers.notes = features.notes(&input.path);

    let data = by_file(&pieces.all);
    let mut files: Vec<PathBuf> = vec![input.path.join(INFO)];
    files.extend(pieces.listed.iter().cloned());
    files.extend(data.iter().map(|(file, _)| file.clone()));
    let source = std::thread::scope(|scope| {
        let source = scope.spawn(|| input.record(&files));
        take_all(input, &info, &features.all, &data, &mut numbers)?;
        source.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })?;
    check_rate(input, &info, &mut numbers, options)?;
    numbers.table(input, source, options)
}

/// Adds the rows of all data files to `numbers`.
fn take_all(
    input: &Input,
    info: &Info,
    features: &[Feature],
    data: &[(PathBuf, &[Piece])],
    numbers: &mut Numbers,
) -> Result<()> {
    let (mut orphans, mut values) = (0, Growing::default());
    for (file, of_file) in data {
        let rows = Rows::read(file, features)?;
        let taken = rows.take(of_file, info, numbers)?;
        orphans += rows.len() - taken.len();
        // In a single file the rows mostly lie as they are wanted.
        if data.len() == 1 && taken.iter().copied().eq(0..rows.len()) {
            numbers.values = rows.values;
        } else {
            let row = |row: usize| &rows.values[row * rows.width..(row + 1) * rows.width];
            taken.into_iter().try_for_each(|at| values.extend(row(at)))?;
        }
    }
    if values.len() > 0 {
        numbers.values = values.finish()?;
    }
    if orphans > 0 {
        let rows = if orphans == 1 { "row that belongs" } else { "rows that belong" };
        numbers.notes.push(format!("{}: {orphans} {rows} to no episode left out", input.path.display()));
    }
    Ok(())
}

/// The episodes of each data file, in their order.
fn by_file(pieces: &[Piece]) -> Vec<(PathBuf, &[Piece])> {
    pieces.chunk_by(|a, b| a.file == b.file).map(|of_file| (of_file[0].file.clone(), of_file)).collect()
}

/// The rows of one data file.
struct Rows {
    file: ParquetFile,
    /// `(rows, 4)`: as [`PLACING`] has them.
    placing: Vec<f64>,
    /// `(rows, width)`: the features.
    values: Values,
    width: usize,
}

impl Rows {
    fn read(path: &Path, features: &[Feature]) -> Result<Self> {
        let file = ParquetFile::open(&Input::at(path))?;
        let find = |name: &str| {
            let found = file.find(name);
            found.ok_or_else(|| file.error(Some(name), "no such column", "the columns of a LeRobot dataset"))
        };
        let mut placing = Vec::new();
        for name in PLACING {
            let leaf = find(name)?;
            if !leaf.is_number() || file.width(leaf)? > 1 {
                return Err(file.error(Some(name), "no column of numbers", "one number a row"));
            }
            placing.push(Place { leaf, width: 1, at: 0 });
        }
        let mut places = Vec::new();
        for feature in features {
            let leaf = find(&feature.name)?;
            let width = if leaf.is_number() { file.width(leaf)? } else { 0 };
            // A file without rows has no lists.
            if width != feature.width && file.rows() > 0 {
                let expected = format!("{} as in `{INFO}`", feature.width);
                return Err(file.error(Some(&feature.name), format!("{width} numbers a row"), expected));
            }
            places.extend((0..width).map(|at| Place { leaf, width, at }));
        }
        let (placing, values) = (file.numbers(&placing)?, file.values(&places)?);
        let width = features.iter().map(|f| f.width).sum();
        Ok(Self { file, placing, values, width })
    }

    /// How many there are.
    fn len(&self) -> usize {
        self.placing.len() / PLACING.len()
    }

    /// Adds the rows of the episodes to `numbers`, without their values; returns which they are, in their order.
    fn take(&self, episodes: &[Piece], info: &Info, numbers: &mut Numbers) -> Result<Vec<usize>> {
        let placing = self.placing.as_chunks::<4>().0;
        let mut rows_of: HashMap<u64, Vec<usize>> = HashMap::new();
        for (row, [_, _, episode, _]) in placing.iter().enumerate() {
            rows_of.entry(episode.to_bits()).or_default().push(row);
        }
        let mut taken = Vec::new();
        for episode in episodes {
            let begin = numbers.time_secs.len();
            for row in rows_of.remove(&(episode.index as f64).to_bits()).unwrap_or_default() {
                let [time, frame, _, index] = placing[row];
                if !episode.has(frame, index) {
                    continue;
                }
                let expected = (numbers.time_secs.len() - begin) as f64;
                if frame.to_bits() != expected.to_bits() {
                    let found = format!("frame {frame} of episode {} in row {}", episode.index, row + 1);
                    let expected = format!("frame {expected}: the frames of an episode in their order, each once");
                    return Err(self.file.error(Some("frame_index"), found, expected));
                }
                numbers.time_secs.push(time);
                numbers.lines.push((index as u64).saturating_add(1));
                taken.push(row);
            }
            let end = numbers.time_secs.len();
            if (end - begin) as u64 != episode.length {
                let found = format!("{} frames of episode {}", end - begin, episode.index);
                return Err(self.file.error(None, found, format!("{} as in {}", episode.length, info.episodes_name())));
            }
            if end > begin {
                numbers.runs.push(Run { episode: Some(episode.index.to_string()), rows: begin..end });
            }
        }
        Ok(taken)
    }
}

/// Holds the time stamps to the rate that the dataset states; where `hz` is set, that is the rate.
fn check_rate(input: &Input, info: &Info, numbers: &mut Numbers, options: &ReadOptions) -> Result<()> {
    if let Some(hz) = options.hz {
        for run in &numbers.runs {
            let times = numbers.time_secs[run.rows.clone()].iter_mut();
            times.enumerate().for_each(|(frame, time)| *time = frame as f64 / hz);
        }
        return Ok(());
    }
    let steps = numbers.runs.iter().flat_map(|run| {
        let times = &numbers.time_secs[run.rows.clone()];
        times.windows(2).map(|w| w[1] - w[0])
    });
    let mut steps: Vec<f64> = steps.filter(|step| step.is_finite()).collect();
    match median(&mut steps) {
        Some(step) if (step - 1.0 / info.fps).abs() > TOLERANCE_SECS.max(0.01 / info.fps) => {
            let found = format!("time stamps {step:.6} s apart at {} frames per second", info.fps);
            let expected = format!(
                "{:.6} s (`hz = {}`, or another rate, takes the rate and not the time stamps)",
                1.0 / info.fps,
                info.fps
            );
            Err(input.error(found, expected))
        }
        _ => Ok(()),
    }
}
