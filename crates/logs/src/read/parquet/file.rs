//! A Parquet file as columns of numbers, without arrow.

use super::super::Input;
use super::super::guard::{guarded, too_many};
use super::leaf::{Kind, Leaf};
use super::numbers;
use crate::error::{Error, Result};
use bytes::{Buf, Bytes};
use ebmotion_engine::parallel;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::serialized_reader::SerializedPageReader;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// Below so many numbers one thread is faster than several.
const FOR_ONE_THREAD: usize = 200_000;
/// Widest list that becomes columns.
const WIDEST: usize = 65_536;

/// An open Parquet file.
pub(crate) struct ParquetFile {
    path: PathBuf,
    /// All bytes; `None` where they are read from the file as they are needed.
    bytes: Option<Bytes>,
    length: u64,
    metadata: ParquetMetaData,
    leaves: Vec<Leaf>,
}

impl ParquetFile {
    /// Reads what the file says of itself.
    ///
    /// # Errors
    /// [`Error::Io`] naming the file; [`Error::Log`] for one that is damaged.
    pub fn open(input: &Input) -> Result<Self> {
        let in_place = input.is_file() && !input.is_packed()?;
        let (bytes, length) = if in_place {
            let length = std::fs::metadata(&input.path).map_err(Error::io(&input.path, "read"))?.len();
            (None, length)
        } else {
            let bytes = Bytes::from(input.bytes()?.into_owned());
            let length = bytes.len() as u64;
            (Some(bytes), length)
        };
        let metadata = guarded(|| match &bytes {
            Some(bytes) => Ok::<_, Error>(ParquetMetaDataReader::new().parse_and_finish(bytes)),
            None => {
                let file = File::open(&input.path).map_err(Error::io(&input.path, "read"))?;
                Ok(ParquetMetaDataReader::new().parse_and_finish(&file))
            }
        });
        let damaged = |why: String| input.error(format!("a file that cannot be read ({why})"), "a whole Parquet file");
        let metadata = metadata.map_err(damaged)??.map_err(|e| damaged(e.to_string()))?;
        let schema = metadata.file_metadata().schema_descr();
        let leaves = (0..schema.num_columns()).map(|column| Leaf::new(schema, column)).collect();
        let file = Self { path: input.path.clone(), bytes, length, metadata, leaves };
        file.check_lengths()?;
        Ok(file)
    }

    /// The columns.
    pub fn leaves(&self) -> &[Leaf] {
        &self.leaves
    }

    /// Rows, as the file says.
    pub fn rows(&self) -> u64 {
        self.metadata.row_groups().iter().map(|g| g.num_rows().unsigned_abs()).fold(0, u64::saturating_add)
    }

    /// Its path, for messages.
    pub fn name(&self) -> std::path::Display<'_> {
        self.path.display()
    }

    /// The column of that name.
    pub fn find(&self, name: &str) -> Option<&Leaf> {
        self.leaves.iter().find(|leaf| leaf.name == name)
    }

    /// An error of the file, at a column where one is given.
    pub fn error(&self, column: Option<&str>, found: impl Into<String>, expected: impl Into<String>) -> Error {
        Error::Log {
            path: self.path.clone(),
            line: None,
            column: column.map(Into::into),
            found: found.into(),
            expected: expected.into(),
        }
    }

    /// Lengths and places that cannot be; the reader would panic, or ask for all the memory there is.
    fn check_lengths(&self) -> Result<()> {
        for (number, group) in self.metadata.row_groups().iter().enumerate() {
            let wrong = |what: String| {
                Err(self.error(None, format!("{what} in row group {number}"), "lengths within the file"))
            };
            if group.num_rows() < 0 {
                return wrong(format!("{} rows", group.num_rows()));
            }
            for column in group.columns() {
                let start = column.dictionary_page_offset().unwrap_or_else(|| column.data_page_offset());
                let length = column.compressed_size();
                let end = u64::try_from(start).ok().zip(u64::try_from(length).ok()).and_then(|(s, l)| s.checked_add(l));
                if end.is_none_or(|end| end > self.length) {
                    return wrong(format!("{length} bytes from byte {start} on of {}", self.length));
                }
            }
        }
        self.check_size(1)
    }

    /// Refuses numbers that would fill the memory.
    fn check_size(&self, columns: usize) -> Result<()> {
        let numbers = self.rows().saturating_mul(columns as u64);
        if too_many(numbers, self.length) {
            let found = format!("{} rows of {columns} numbers in {} bytes", self.rows(), self.length);
            return Err(self.error(None, found, "as many as are there"));
        }
        Ok(())
    }

    /// How many numbers a row has in a column of lists, by its first row that has any; 1 in a column of numbers.
    ///
    /// # Errors
    /// [`Error::Log`] for a file that is damaged, and for lists that are too long to be a row of channels.
    pub fn width(&self, leaf: &Leaf) -> Result<usize> {
        if !leaf.is_list() {
            return Ok(1);
        }
        for group in 0..self.metadata.num_row_groups() {
            let width = self.guarded(leaf, || numbers::first_width(self.pages(leaf, group)?, leaf))?;
            match width {
                Some(width) if width > WIDEST => {
                    let found = format!("a list of {width} numbers");
                    return Err(self.error(Some(&leaf.name), found, format!("at most {WIDEST}")));
                }
                Some(width) => return Ok(width),
                None => {}
            }
        }
        Ok(0)
    }

    /// `(rows, wanted)`: the numbers of columns; NaN where a cell is empty.
    ///
    /// # Errors
    /// [`Error::Log`] with the column for a file that is damaged, and for lists of another length.
    pub fn numbers(&self, wanted: &[Place<'_>]) -> Result<Vec<f64>> {
        self.check_size(wanted.len())?;
        let (leaves, spans) = spans(wanted);
        let mut all = Vec::new();
        let mut before = 0;
        for group in 0..self.metadata.num_row_groups() {
            let rows = usize::try_from(self.metadata.row_group(group).num_rows()).unwrap_or(0);
            let threads = if rows * wanted.len() < FOR_ONE_THREAD { 1 } else { parallel::available() };
            let columns = parallel::map(threads, leaves.len(), |i| {
                let (leaf, width) = leaves[i];
                self.guarded(leaf, || numbers::column(self.pages(leaf, group)?, leaf, width, before..before + rows))
            });
            let columns = columns.into_iter().collect::<Result<Vec<_>>>()?;
            append_rows(&mut all, &columns, &spans, rows, wanted.len(), threads);
            before += rows;
        }
        Ok(all)
    }

    /// `(rows,)`: a column of text; empty where a cell is empty.
    ///
    /// # Errors
    /// [`Error::Log`] with the column for a file that is damaged.
    pub fn texts(&self, leaf: &Leaf) -> Result<Vec<String>> {
        if leaf.kind != Kind::Text || leaf.is_list() {
            return Err(self.error(Some(&leaf.name), "no text", "text"));
        }
        let mut all = Vec::new();
        for group in 0..self.metadata.num_row_groups() {
            let rows = usize::try_from(self.metadata.row_group(group).num_rows()).unwrap_or(0);
            all.append(&mut self.guarded(leaf, || numbers::texts(self.pages(leaf, group)?, leaf, rows))?);
        }
        Ok(all)
    }

    /// What `work` reads of a column; panics of the reader and its errors become errors of the column.
    fn guarded<T>(&self, leaf: &Leaf, work: impl FnOnce() -> Result<T, ParquetError>) -> Result<T> {
        let damaged = |why: String| self.error(Some(&leaf.name), format!("a damaged column ({why})"), "a whole one");
        guarded(work).map_err(damaged)?.map_err(|e| match e {
            ParquetError::External(fault) => match fault.downcast::<numbers::Misfit>() {
                Ok(fault) => Error::Log {
                    path: self.path.clone(),
                    line: Some(fault.row as u64 + 1),
                    column: Some(leaf.name.clone()),
                    found: fault.found,
                    expected: fault.expected,
                },
                Err(other) => damaged(other.to_string()),
            },
            other => damaged(other.to_string()),
        })
    }

    /// The pages of a column in a row group.
    fn pages(&self, leaf: &Leaf, group: usize) -> Result<numbers::Pages, ParquetError> {
        let group = self.metadata.row_group(group);
        let column = group.column(leaf.column);
        let (start, length) = column.byte_range();
        let bytes = match &self.bytes {
            Some(bytes) => bytes.slice(start as usize..(start + length) as usize),
            None => {
                let mut file = File::open(&self.path)?;
                file.seek(SeekFrom::Start(start))?;
                let mut bytes = Vec::new();
                file.take(length).read_to_end(&mut bytes)?;
                bytes.into()
            }
        };
        let chunk = Arc::new(Chunk { start, bytes });
        let rows = usize::try_from(group.num_rows()).map_err(|e| ParquetError::General(e.to_string()))?;
        let pages = SerializedPageReader::new(chunk, column, rows, None)?;
        Ok(numbers::Pages { described: column.column_descr_ptr(), pages: Box::new(pages) })
    }
}

/// The bytes of one column in one row group, at their places in the file.
struct Chunk {
    start: u64,
    bytes: Bytes,
}

impl Chunk {
    fn part(&self, range: Range<u64>) -> Result<Bytes, ParquetError> {
        let place = |at: u64| at.checked_sub(self.start).and_then(|at| usize::try_from(at).ok());
        match (place(range.start), place(range.end)) {
            (Some(from), Some(to)) if from <= to && to <= self.bytes.len() => Ok(self.bytes.slice(from..to)),
            _ => Err(ParquetError::EOF(format!("bytes {range:?} outside of the column"))),
        }
    }
}

impl Length for Chunk {
    fn len(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}

impl ChunkReader for Chunk {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(self.part(start..self.len())?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        self.part(start..start.saturating_add(length as u64))
    }
}

/// A column of numbers: one of the numbers that a cell of a leaf is.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub leaf: &'a Leaf,
    /// Numbers in a cell.
    pub width: usize,
    /// Which of them.
    pub at: usize,
}

/// Consecutive numbers of each cell of a leaf.
struct Span {
    /// Which of the leaves that are read.
    leaf: usize,
    width: usize,
    at: usize,
    length: usize,
}

/// The leaves of `wanted`, each once, with its width, and what to take from them.
fn spans<'a>(wanted: &[Place<'a>]) -> (Vec<(&'a Leaf, usize)>, Vec<Span>) {
    let mut leaves: Vec<(&Leaf, usize)> = Vec::new();
    let mut spans: Vec<Span> = Vec::new();
    for place in wanted {
        let known = leaves.iter().position(|(leaf, _)| leaf.column == place.leaf.column);
        let leaf = known.unwrap_or_else(|| {
            leaves.push((place.leaf, place.width));
            leaves.len() - 1
        });
        match spans.last_mut() {
            Some(span) if span.leaf == leaf && span.at + span.length == place.at => span.length += 1,
            _ => spans.push(Span { leaf, width: place.width, at: place.at, length: 1 }),
        }
    }
    (leaves, spans)
}

/// Appends `rows` rows of `stride` numbers, which lie in `columns` leaf after leaf.
fn append_rows(all: &mut Vec<f64>, columns: &[Vec<f64>], spans: &[Span], rows: usize, stride: usize, threads: usize) {
    /// Rows that are put together at a time: they stay in the cache.
    const BLOCK: usize = 512;
    if stride == 0 {
        return;
    }
    let begin = all.len();
    all.resize(begin + rows * stride, 0.0);
    let blocks: Vec<(usize, &mut [f64])> = all[begin..].chunks_mut(BLOCK * stride).enumerate().collect();
    parallel::each(threads, blocks, |_, (block, out)| {
        let mut left = 0;
        for Span { leaf, width, at, length } in spans {
            let cells = columns[*leaf][block * BLOCK * width..].chunks_exact(*width);
            for (to, cell) in out.chunks_exact_mut(stride).zip(cells) {
                to[left..left + length].copy_from_slice(&cell[*at..at + length]);
            }
            left += length;
        }
    });
}
