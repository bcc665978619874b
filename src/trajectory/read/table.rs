//! A file's numbers before they are judged, and their judgement: time, gaps, rates, episodes.

use super::{OnGap, ReadOptions, whole};
use crate::error::{Error, Result};
use crate::trajectory::{Channel, Episode, Recording, Source};
use std::path::Path;

/// Two rates are one if they differ by at most this share.
const SAME_RATE: f64 = 0.01;

/// The content of one log file, whatever its format.
#[derive(Debug, Clone)]
pub(in crate::trajectory) struct Table {
    pub(in crate::trajectory) channels: Vec<Channel>,
    /// Unit of the time stamps, where the file states one.
    pub(in crate::trajectory) time_unit: Option<String>,
    /// `(T,)`: line of each row in the file.
    pub(in crate::trajectory) lines: Vec<u64>,
    /// Name and first row of each episode.
    pub(in crate::trajectory) episodes: Vec<(String, usize)>,
    /// `(T,)`, in the file's unit.
    pub(in crate::trajectory) times: Vec<f64>,
    /// `(T, D)`; NaN where there is no finite number.
    pub(in crate::trajectory) values: Vec<f64>,
}

impl Table {
    /// Rows of episode `e`.
    pub(in crate::trajectory) fn rows(&self, e: usize) -> std::ops::Range<usize> {
        let end = self.episodes.get(e + 1).map_or(self.times.len(), |(_, row)| *row);
        self.episodes[e].1..end
    }

    /// Seconds per unit of the time stamps.
    pub(in crate::trajectory) fn time_scale(&self, path: &Path, options: &ReadOptions) -> Result<f64> {
        match self.time_unit.as_deref() {
            Some("s" | "sec" | "secs") => Ok(1.0),
            Some("ms") => Ok(1e-3),
            Some("us" | "µs") => Ok(1e-6),
            Some("ns") => Ok(1e-9),
            Some(other) => Err(Error::Log {
                path: path.to_path_buf(),
                line: Some(1),
                column: Some(options.time_column.clone()),
                found: format!("the unit `{other}`"),
                expected: "s, ms, us or ns".into(),
            }),
            None => {
                let whole_numbers = self.times.iter().all(|t| t.fract() == 0.0);
                let steps = (0..self.episodes.len()).flat_map(|e| steps(&self.times[self.rows(e)])).collect();
                Ok(if whole_numbers && median(steps) >= 1000.0 { 1e-9 } else { 1.0 })
            }
        }
    }

    /// Name of an episode: the file's stem, and the episode's own name where it has one.
    pub(in crate::trajectory) fn id(&self, path: &Path, e: usize) -> String {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let stem = name.split('.').next().unwrap_or_default();
        match self.episodes[e].0.as_str() {
            "" => stem.to_string(),
            episode => format!("{stem}/{episode}"),
        }
    }

    /// Judges times and cells and cuts the rows into episodes.
    pub(super) fn into_recording(self, path: &Path, options: &ReadOptions, source: Source) -> Result<Recording> {
        let scale = self.time_scale(path, options)?;
        let d = self.channels.len();
        let mut episodes = Vec::new();
        for e in 0..self.episodes.len() {
            let rows = self.rows(e);
            let id = self.id(path, e);
            let typical = self.check_times(path, rows.clone(), options)?;
            let mut pieces: Vec<Vec<usize>> = vec![Vec::new()];
            for row in rows {
                if let Some(c) = (0..d).find(|c| self.values[row * d + c].is_nan()) {
                    if options.on_gap == OnGap::Error {
                        return Err(self.place(
                            path,
                            row,
                            &self.channels[c].name,
                            "an empty cell, NaN or infinity".into(),
                            "a finite number (or --on-gap split, to end the episode there)",
                        ));
                    }
                    pieces.push(Vec::new());
                    continue;
                }
                let before = pieces.last().and_then(|p| p.last()).copied();
                if let Some(before) = before {
                    let step = self.times[row] - self.times[before];
                    if step > options.max_gap * typical {
                        if options.on_gap == OnGap::Error {
                            let found = format!("a step of {} s", significant(step * scale));
                            let expected = format!(
                                "about {} s (or --on-gap split, to end the episode there)",
                                significant(typical * scale)
                            );
                            return Err(self.place(path, row, &options.time_column, found, &expected));
                        }
                        pieces.push(Vec::new());
                    }
                }
                if let Some(piece) = pieces.last_mut() {
                    piece.push(row);
                }
            }
            let pieces: Vec<Vec<usize>> = pieces.into_iter().filter(|p| p.len() > 1).collect();
            let whole = pieces.len() == 1;
            for (k, piece) in pieces.into_iter().enumerate() {
                let first = self.times[piece[0]];
                episodes.push(Episode {
                    id: if whole { id.clone() } else { format!("{id}#{}", k + 1) },
                    // Relative to the piece's start: time stamps of nanoseconds since 1970 would lose their digits.
                    time_secs: piece.iter().map(|row| (self.times[*row] - first) * scale).collect(),
                    values: piece.iter().flat_map(|row| &self.values[row * d..(row + 1) * d]).copied().collect(),
                });
            }
        }
        if episodes.is_empty() {
            return Err(whole(path, "no two rows in a row without a gap".into(), "an episode"));
        }
        Ok(Recording { channels: self.channels, episodes, sources: vec![source] })
    }

    /// Checks that time goes forward and returns the median step, in the file's unit.
    fn check_times(&self, path: &Path, rows: std::ops::Range<usize>, options: &ReadOptions) -> Result<f64> {
        let times = &self.times[rows.clone()];
        if let Some(i) = (1..times.len()).find(|i| times[*i] <= times[i - 1]) {
            let how = if times[i] < times[i - 1] { "earlier than" } else { "the same as" };
            let found = format!("{}, {how} the row before", times[i]);
            let expected = format!("a time after {}", times[i - 1]);
            return Err(self.place(path, rows.start + i, &options.time_column, found, &expected));
        }
        Ok(median(steps(times)))
    }

    fn place(&self, path: &Path, row: usize, column: &str, found: String, expected: &str) -> Error {
        Error::Log {
            path: path.to_path_buf(),
            line: Some(self.lines[row]),
            column: Some(column.to_string()),
            found,
            expected: expected.to_string(),
        }
    }
}

/// Refuses two sampling rates in one recording: every episode's median step must be the recording's.
pub(super) fn one_rate(recording: &Recording) -> Result<()> {
    let step = |e: &Episode| median(steps(&e.time_secs));
    let Some(first) = recording.episodes.first() else { return Ok(()) };
    let expected = step(first);
    for episode in &recording.episodes {
        let found = step(episode);
        if (found / expected - 1.0).abs() > SAME_RATE {
            return Err(Error::data(
                format!("sampling rate of episode `{}`", episode.id),
                format!("{} Hz", significant(1.0 / found)),
                format!("{} Hz, as in `{}`: one rate for all", significant(1.0 / expected), first.id),
            ));
        }
    }
    Ok(())
}

/// Differences of neighbours.
pub(in crate::trajectory) fn steps(times: &[f64]) -> Vec<f64> {
    times.windows(2).map(|w| w[1] - w[0]).collect()
}

/// The middle value; NaN of nothing.
pub(in crate::trajectory) fn median(mut values: Vec<f64>) -> f64 {
    if values.is_empty() {
        return f64::NAN;
    }
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { 0.5 * (values[middle - 1] + values[middle]) }
}

/// Six significant digits: enough to tell a rate, without the digits of a rounded time stamp.
pub(in crate::trajectory) fn significant(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let scale = 10f64.powi(5 - value.abs().log10().floor() as i32);
    (value * scale).round() / scale
}
