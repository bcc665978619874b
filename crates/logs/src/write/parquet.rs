//! Parquet: the columns that a CSV file would have.

use super::columns::{Cells, Column, write as write_columns};
use super::names::{column_name, episode_names};
use super::writer::{WriteOptions, Writer};
use crate::Recording;
use crate::error::Result;
use crate::files::write_atomically;
use std::ops::Range;
use std::path::Path;

/// Tables with named columns.
pub(super) const WRITER: Writer = Writer { name: "Parquet", ending: ".parquet", write };

fn write(recording: &Recording, path: &Path, _: &WriteOptions) -> Result<Vec<String>> {
    let rows = Rows::of(recording);
    let mut columns = Vec::new();
    if let Some(names) = episode_names(recording) {
        // Numbers stay numbers, as long as they are written as they were.
        let number = |name: &&str| name.parse::<i64>().ok().filter(|number| number.to_string() == **name);
        let numbers: Option<Vec<i64>> = names.iter().map(number).collect();
        columns.push(match numbers {
            Some(numbers) => Column::new("episode", {
                let rows = &rows;
                move |range| Cells::Longs(rows.each(range, |e, _| numbers[e]))
            }),
            None => Column::new("episode", {
                let rows = &rows;
                move |range| Cells::Texts(rows.each(range, |e, _| names[e].to_string()))
            }),
        });
    }
    let times = |range| Cells::Doubles(rows.each(range, |e, row| recording.episodes[e].time_secs[row]));
    columns.push(Column::new("time [s]", times));
    let width = recording.channels.len();
    for (c, channel) in recording.channels.iter().enumerate() {
        let rows = &rows;
        let cells = move |range| Cells::Doubles(rows.each(range, |e, r| recording.episodes[e].values[r * width + c]));
        columns.push(Column::new(column_name(channel), cells));
    }
    write_atomically(path, |out| write_columns(out, &columns, rows.count, &[]))?;
    Ok(Vec::new())
}

/// The rows of all episodes, one after the other.
pub(super) struct Rows {
    /// First row of each episode.
    begins: Vec<usize>,
    pub count: usize,
}

impl Rows {
    pub fn of(recording: &Recording) -> Self {
        let mut count = 0;
        let begin = |episode: &crate::Episode| {
            count += episode.time_secs.len();
            count - episode.time_secs.len()
        };
        Self { begins: recording.episodes.iter().map(begin).collect(), count }
    }

    /// `cell(episode, row in it)` of some rows.
    pub fn each<T>(&self, range: Range<usize>, cell: impl Fn(usize, usize) -> T) -> Vec<T> {
        let mut episode = self.begins.partition_point(|begin| *begin <= range.start).saturating_sub(1);
        let place = |row: usize| {
            while self.begins.get(episode + 1).is_some_and(|next| *next <= row) {
                episode += 1;
            }
            cell(episode, row - self.begins[episode])
        };
        range.map(place).collect()
    }

    /// First row of each episode.
    pub fn begins(&self) -> &[usize] {
        &self.begins
    }
}
