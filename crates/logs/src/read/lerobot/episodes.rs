//! Which rows of which data file are an episode.

use super::info::{Info, wrong};
use crate::error::{Error, Result};
use crate::read::Input;
use crate::read::parquet::{ParquetFile, Place};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// An episode in a data file.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub file: PathBuf,
    pub index: u64,
    /// Frames.
    pub length: u64,
    /// Number of its first row in the dataset; `None` where the file is the episode.
    from: Option<u64>,
}

/// The episodes of a dataset.
pub(super) struct Pieces {
    pub all: Vec<Piece>,
    /// The files that list them.
    pub listed: Vec<PathBuf>,
}

impl Piece {
    /// Whether a row with the episode's number is in its place. In version 3 rows are left behind when a dataset is
    /// edited.
    pub fn has(&self, frame: f64, index: f64) -> bool {
        let right = |from: u64| frame < self.length as f64 && index.to_bits() == (from as f64 + frame).to_bits();
        self.from.is_none_or(right)
    }
}

/// The episodes, in the order of their numbers.
pub(super) fn pieces(info: &Info) -> Result<Pieces> {
    let mut pieces = if info.three { of_version_3(info)? } else { of_version_2(info)? };
    pieces.all.sort_by_key(|piece| piece.index);
    let list = info.folder.join("meta");
    if let Some(twins) = pieces.all.windows(2).find(|w| w[0].index == w[1].index) {
        let found = format!("episode {} twice", twins[0].index);
        return Err(wrong(&list, Some(info.episodes_name().trim_matches('`')), found, "each episode once"));
    }
    if pieces.all.is_empty() {
        return Err(wrong(&list, Some(info.episodes_name().trim_matches('`')), "no episode", "at least one"));
    }
    Ok(pieces)
}

/// `meta/episodes.jsonl`, an object a line.
fn of_version_2(info: &Info) -> Result<Pieces> {
    let list = info.folder.join("meta/episodes.jsonl");
    let text = std::fs::read_to_string(&list).map_err(Error::io(&list, "read"))?;
    let mut all = Vec::new();
    for (line, text) in text.lines().enumerate().filter(|(_, text)| !text.trim().is_empty()) {
        let error = |found: String, expected: &str| Error::Log {
            path: list.clone(),
            line: Some(line as u64 + 1),
            column: None,
            found,
            expected: expected.into(),
        };
        let episode: Value = serde_json::from_str(text)
            .map_err(|e| error(format!("JSON that cannot be read ({e})"), "an object a line"))?;
        let (Some(index), Some(length)) = (episode["episode_index"].as_u64(), episode["length"].as_u64()) else {
            return Err(error("an episode without numbers".into(), "`episode_index` and `length`"));
        };
        let numbers = [("episode_chunk", index / info.chunks_size), ("episode_index", index)];
        all.push(Piece { file: info.data_file(&numbers)?, index, length, from: None });
    }
    Ok(Pieces { all, listed: vec![list] })
}

/// The Parquet files in `meta/episodes`.
fn of_version_3(info: &Info) -> Result<Pieces> {
    const COLUMNS: [&str; 5] = ["episode_index", "length", "data/chunk_index", "data/file_index", "dataset_from_index"];
    let mut listed = Vec::new();
    parquet_files(&info.folder.join("meta/episodes"), 2, &mut listed)?;
    listed.sort();
    let mut all = Vec::new();
    for path in &listed {
        let file = ParquetFile::open(&Input::at(path))?;
        let mut places = Vec::new();
        for name in COLUMNS {
            match file.find(name) {
                Some(leaf) if leaf.is_number() && !leaf.is_list() => places.push(Place { leaf, width: 1, at: 0 }),
                _ => return Err(file.error(Some(name), "no such column of numbers", "the columns of `meta/episodes`")),
            }
        }
        for row in file.numbers(&places)?.as_chunks::<5>().0 {
            let mut whole = [0; 5];
            for ((whole, number), name) in whole.iter_mut().zip(row).zip(COLUMNS) {
                // Up to 2^53 a number is exactly what the file says.
                if number.fract().abs() > 0.0 || !(0.0..=9e15).contains(number) {
                    return Err(file.error(Some(name), format!("{number}"), "a whole number of at least 0"));
                }
                *whole = *number as u64;
            }
            let [index, length, chunk, number, from] = whole;
            let data = info.data_file(&[("chunk_index", chunk), ("file_index", number)])?;
            all.push(Piece { file: data, index, length, from: Some(from) });
        }
    }
    Ok(Pieces { all, listed })
}

/// The Parquet files in a folder, and in the folders in it down to a depth.
fn parquet_files(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder).map_err(Error::io(folder, "list"))? {
        let path = entry.map_err(Error::io(folder, "list"))?.path();
        if path.is_dir() {
            if depth > 1 {
                parquet_files(&path, depth - 1, found)?;
            }
        } else if path.extension().is_some_and(|end| end == "parquet") {
            found.push(path);
        }
    }
    Ok(())
}
