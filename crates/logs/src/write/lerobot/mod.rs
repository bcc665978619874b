//! A LeRobot dataset of version 3.0, as LeRobot's own loader opens it.

mod rate;
mod stats;

use super::columns::{Cells, Column, write as write_columns};
use super::names::{column_name, episode_names};
use super::parquet::Rows;
use super::writer::{WriteOptions, Writer};
use crate::Recording;
use crate::error::{Error, Result};
use crate::files::{write_atomically, write_bytes, write_folder_atomically};
use rate::Rate;
use serde_json::{Map, Value, json};
use stats::Stats;
use std::path::Path;

/// Datasets of LeRobot.
pub(super) const WRITER: Writer = Writer { name: "a LeRobot dataset", ending: "", write };

const DATA: &str = "data/chunk-000/file-000.parquet";
const EPISODES: &str = "meta/episodes/chunk-000/file-000.parquet";

fn write(recording: &Recording, path: &Path, options: &WriteOptions) -> Result<Vec<String>> {
    check_replaced(path)?;
    let dataset = Dataset::of(recording, options)?;
    write_folder_atomically(path, |folder| {
        let columns: Vec<Column> = dataset.features.iter().map(Feature::column).collect();
        write_atomically(&folder.join(DATA), |out| write_columns(out, &columns, dataset.rows.count, &[]))?;
        dataset.write_episodes(&folder.join(EPISODES))?;
        dataset.write_tasks(&folder.join("meta/tasks.parquet"))?;
        write_json(&folder.join("meta/stats.json"), &dataset.stats())?;
        write_json(&folder.join("meta/info.json"), &dataset.info())
    })?;
    Ok(dataset.notes)
}

/// A folder that is no dataset of LeRobot's, and holds anything, is not replaced.
fn check_replaced(path: &Path) -> Result<()> {
    if !path.exists() || path.join("meta/info.json").is_file() {
        return Ok(());
    }
    let empty = path.is_dir() && std::fs::read_dir(path).map_err(Error::io(path, "list"))?.next().is_none();
    if empty {
        return Ok(());
    }
    let found = format!("`{}`, which is there and is no LeRobot dataset", path.display());
    Err(Error::config("output", found, "a new path, or a dataset to replace"))
}

fn write_json(path: &Path, value: &Value) -> Result<()> {
    let text = serde_json::to_string_pretty(value).map_err(Error::unwritable(path.display().to_string(), "JSON"))?;
    write_bytes(path, text.as_bytes())
}

/// What is written.
struct Dataset<'a> {
    rows: Rows,
    /// Frames of each episode.
    lengths: Vec<usize>,
    fps: f64,
    task: &'a str,
    features: Vec<Feature<'a>>,
    notes: Vec<String>,
}

/// A column of the dataset.
struct Feature<'a> {
    name: &'static str,
    dtype: &'static str,
    /// What its numbers are called; none of a column of single numbers.
    names: Option<Vec<String>>,
    /// A number of a row.
    number: Box<dyn Fn(usize, usize) -> f64 + 'a>,
    rows: Rows,
}

impl<'a> Dataset<'a> {
    fn of(recording: &'a Recording, options: &'a WriteOptions) -> Result<Self> {
        let rate = Rate::of(recording)?;
        let episodes = &recording.episodes;
        let width = recording.channels.len();
        let mut notes = rate.notes();
        let names = episode_names(recording).unwrap_or_default();
        if names.iter().enumerate().any(|(e, name)| *name != e.to_string()) {
            let shown: Vec<String> =
                names.iter().take(3).enumerate().map(|(e, name)| format!("`{name}` is {e}")).collect();
            let more = if names.len() > shown.len() { " and so on" } else { "" };
            notes.push(format!("LeRobot numbers its episodes: {}{more}", shown.join(", ")));
        }
        let of_rows = || Rows::of(recording);
        let motion = |name, channels: Vec<usize>, names: Vec<String>| Feature {
            name,
            dtype: type_of(
                channels
                    .iter()
                    .flat_map(|c| episodes.iter().flat_map(move |e| e.values.iter().skip(*c).step_by(width).copied())),
            ),
            names: Some(names),
            number: Box::new(move |e, at| {
                episodes[e].values[at / channels.len() * width + channels[at % channels.len()]]
            }),
            rows: of_rows(),
        };
        let single = |name, dtype, number: Box<dyn Fn(usize, usize) -> f64 + 'a>| Feature {
            name,
            dtype,
            names: None,
            number,
            rows: of_rows(),
        };
        let (state, action): (Vec<usize>, Vec<usize>) =
            (0..width).partition(|c| !recording.channels[*c].name.starts_with("action."));
        let called = |channels: &[usize], prefix: &str| {
            let name = |c: &usize| column_name(&recording.channels[*c]);
            let short = |name: String| name.strip_prefix(prefix).unwrap_or(&name).to_string();
            channels.iter().map(name).map(short).collect()
        };
        let mut features = Vec::new();
        if !state.is_empty() {
            features.push(motion("observation.state", state.clone(), called(&state, "")));
        }
        if !action.is_empty() {
            features.push(motion("action", action.clone(), called(&action, "action.")));
        }
        let times = move |e: usize, row: usize| episodes[e].time_secs[row] - episodes[e].time_secs[0];
        let stamps =
            episodes.iter().enumerate().flat_map(|(e, episode)| (0..episode.time_secs.len()).map(move |r| (e, r)));
        let rows = of_rows();
        let begins = rows.begins().to_vec();
        features.push(single("timestamp", type_of(stamps.map(|(e, row)| times(e, row))), Box::new(times)));
        features.push(single("frame_index", "int64", Box::new(|_, row| row as f64)));
        features.push(single("episode_index", "int64", Box::new(|e, _| e as f64)));
        features.push(single("index", "int64", Box::new(move |e, row| (begins[e] + row) as f64)));
        features.push(single("task_index", "int64", Box::new(|_, _| 0.0)));
        let lengths = episodes.iter().map(|e| e.time_secs.len()).collect();
        Ok(Self { rows, lengths, fps: rate.fps, task: &options.task, features, notes })
    }

    /// `meta/info.json`.
    fn info(&self) -> Value {
        let features: Map<String, Value> = self.features.iter().map(|f| (f.name.to_string(), f.described())).collect();
        let whole = self.fps.fract().abs() < f64::EPSILON;
        json!({
            "codebase_version": "v3.0",
            "robot_type": null,
            "total_episodes": self.lengths.len(),
            "total_frames": self.rows.count,
            "total_tasks": 1,
            "chunks_size": 1000,
            "data_files_size_in_mb": 100,
            "video_files_size_in_mb": 200,
            "fps": if whole { json!(self.fps as u64) } else { json!(self.fps) },
            "splits": { "train": format!("0:{}", self.lengths.len()) },
            "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
            "video_path": null,
            "features": features,
        })
    }

    /// `meta/stats.json`.
    fn stats(&self) -> Value {
        let of = |feature: &Feature| (feature.name.to_string(), feature.stats(0..self.lengths.len()).json());
        Value::Object(self.features.iter().map(of).collect())
    }

    /// One row an episode: where it lies, and its statistics.
    fn write_episodes(&self, path: &Path) -> Result<()> {
        let long = |name, of: Box<dyn Fn(usize) -> usize>| {
            Column::new(name, move |range| Cells::Longs(range.map(|e| of(e) as i64).collect()))
        };
        let (begins, lengths) = (self.rows.begins().to_vec(), self.lengths.clone());
        let ends: Vec<usize> = begins.iter().zip(&lengths).map(|(begin, length)| begin + length).collect();
        let mut columns = vec![
            long("episode_index", Box::new(|e| e)),
            Column::lists("tasks", 1, |range| Cells::Texts(range.map(|_| self.task.to_string()).collect())),
            long("length", Box::new(move |e| lengths[e])),
            long("data/chunk_index", Box::new(|_| 0)),
            long("data/file_index", Box::new(|_| 0)),
            long("dataset_from_index", Box::new(move |e| begins[e])),
            long("dataset_to_index", Box::new(move |e| ends[e])),
        ];
        for feature in &self.features {
            let stats: Vec<Stats> = (0..self.lengths.len()).map(|e| feature.stats(e..e + 1)).collect();
            columns.extend(stats::columns(feature.name, stats));
        }
        columns.push(long("meta/episodes/chunk_index", Box::new(|_| 0)));
        columns.push(long("meta/episodes/file_index", Box::new(|_| 0)));
        write_atomically(path, |out| write_columns(out, &columns, self.lengths.len(), &[]))
    }

    /// A table of pandas, whose index is the task in words.
    fn write_tasks(&self, path: &Path) -> Result<()> {
        const INDEX: &str = "__index_level_0__";
        let columns = [
            Column::new("task_index", |range| Cells::Longs(range.map(|row| row as i64).collect())),
            Column::new(INDEX, |range| Cells::Texts(range.map(|_| self.task.to_string()).collect())),
        ];
        let column = |name: Value, field: &str, kind: &str, numpy: &str| {
            json!({
                "name": name, "field_name": field, "pandas_type": kind, "numpy_type": numpy, "metadata": null
            })
        };
        let pandas = json!({
            "index_columns": [INDEX],
            "column_indexes": [{
                "name": null, "field_name": null, "pandas_type": "unicode", "numpy_type": "object",
                "metadata": { "encoding": "UTF-8" },
            }],
            "columns": [
                column(json!("task_index"), "task_index", "int64", "int64"),
                column(Value::Null, INDEX, "unicode", "object"),
            ],
            "creator": { "library": "ebmotion", "version": env!("CARGO_PKG_VERSION") },
            "pandas_version": "2.2.0",
        });
        let notes = [("pandas", pandas.to_string())];
        write_atomically(path, |out| write_columns(out, &columns, 1, &notes))
    }
}

impl Feature<'_> {
    fn width(&self) -> usize {
        self.names.as_ref().map_or(1, Vec::len)
    }

    fn described(&self) -> Value {
        json!({ "dtype": self.dtype, "shape": [self.width()], "names": self.names })
    }

    fn column(&self) -> Column<'_> {
        let width = self.width();
        let cells = move |range| {
            let rows = self.rows.each(range, |e, row| (0..width).map(move |i| (self.number)(e, row * width + i)));
            let numbers = rows.into_iter().flatten();
            match self.dtype {
                "int64" => Cells::Longs(numbers.map(|v| v as i64).collect()),
                "float32" => Cells::Floats(numbers.map(|v| v as f32).collect()),
                _ => Cells::Doubles(numbers.collect()),
            }
        };
        match self.names {
            None => Column::new(self.name, cells),
            Some(_) => Column::lists(self.name, width, cells),
        }
    }

    /// Over all rows of some episodes.
    fn stats(&self, episodes: std::ops::Range<usize>) -> Stats {
        let width = self.width();
        let begin = |e: usize| self.rows.begins().get(e).copied().unwrap_or(self.rows.count);
        let range = begin(episodes.start)..begin(episodes.end);
        let channel = |i| self.rows.each(range.clone(), |e, row| (self.number)(e, row * width + i));
        Stats::of(self.dtype == "int64", (0..width).map(channel))
    }
}

/// LeRobot's `float32`, where that keeps every number as it is.
fn type_of(mut numbers: impl Iterator<Item = f64>) -> &'static str {
    let kept = numbers.all(|v| f64::from(v as f32).to_bits() == v.to_bits());
    if kept { "float32" } else { "float64" }
}
