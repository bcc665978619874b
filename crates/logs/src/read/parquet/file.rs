//! A Parquet file as columns of numbers, without arrow.

use super::super::Input;
use super::super::guard::{guarded, too_many};
use super::bytes::{Chunk, Source};
use super::leaf::{Kind, Leaf};
use super::numbers::{self, Reader};
use crate::error::{Error, Result};
use crate::{Growing, Values, stays};
use ebmotion_engine::parallel;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use parquet::file::serialized_reader::SerializedPageReader;
use std::path::PathBuf;
use std::sync::Arc;

/// Below so many numbers one thread is faster than several.
const FOR_ONE_THREAD: usize = 200_000;
/// Numbers that are read at a time, few enough for the cache: 4 MB.
const BLOCK: usize = 1 << 19;
/// Widest list that becomes columns.
const WIDEST: usize = 65_536;

/// An open Parquet file.
pub(crate) struct ParquetFile {
    path: PathBuf,
    source: Source,
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
        let source = Source::of(input)?;
        let length = source.length().map_err(Error::io(&input.path, "read"))?;
        let whole = Chunk { source: source.clone(), range: 0..length };
        let metadata = guarded(|| ParquetMetaDataReader::new().parse_and_finish(&whole));
        let damaged = |why: String| input.error(format!("a file that cannot be read ({why})"), "a whole Parquet file");
        let metadata = metadata.map_err(damaged)?.map_err(|e| damaged(e.to_string()))?;
        let schema = metadata.file_metadata().schema_descr();
        let leaves = (0..schema.num_columns()).map(|column| Leaf::new(schema, column)).collect();
        let file = Self { path: input.path.clone(), source, length, metadata, leaves };
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
        // A damaged file may say more than it has: beyond this the memory grows with what is there.
        let expected = self.checked(wanted)?;
        let (mut all, mut begin) = (vec![0.0; if stays(expected) { expected } else { 0 }], 0);
        self.each_block(wanted, &mut |length, fill| {
            let end = begin + length;
            all.resize(end.max(all.len()), 0.0);
            fill(&mut all[begin..end]);
            begin = end;
            Ok(())
        })?;
        Ok(all)
    }

    /// As [`ParquetFile::numbers`], in a temporary file where they are many.
    ///
    /// # Errors
    /// As [`ParquetFile::numbers`]; [`Error::Io`] where there is no room for them.
    pub fn values(&self, wanted: &[Place<'_>]) -> Result<Values> {
        if stays(self.checked(wanted)?) {
            return self.numbers(wanted).map(Values::from);
        }
        let mut block = Vec::new();
        Growing::filled(|values| {
            self.each_block(wanted, &mut |length, fill| {
                block.resize(length, 0.0);
                fill(&mut block);
                values.extend(&block)
            })
        })
    }

    /// How many numbers the columns have, where there can be so many.
    fn checked(&self, wanted: &[Place<'_>]) -> Result<usize> {
        self.check_size(spans(wanted).0.iter().map(|(_, width)| width).sum())?;
        Ok(usize::try_from(self.rows()).unwrap_or(usize::MAX).saturating_mul(wanted.len()))
    }

    /// Hands the rows of some columns to `each`, some at a time: how many numbers they are, and what writes them.
    fn each_block<'a>(&self, wanted: &[Place<'a>], each: Each<'_>) -> Result<()> {
        let (leaves, spans) = spans(wanted);
        let threads = if self.checked(wanted)? < FOR_ONE_THREAD { 1 } else { parallel::available() };
        let at_once = (BLOCK / leaves.iter().map(|(_, width)| width).sum::<usize>().max(1)).max(1);
        let mut before = 0;
        for group in 0..self.metadata.num_row_groups() {
            let rows = usize::try_from(self.metadata.row_group(group).num_rows()).unwrap_or(0);
            let reader = |(leaf, width): &(&'a Leaf, usize)| {
                self.guarded(leaf, || Reader::new(self.pages(leaf, group)?, leaf, *width, before))
            };
            let mut readers = leaves.iter().map(reader).collect::<Result<Vec<_>>>()?;
            for begin in (0..rows).step_by(at_once) {
                let count = at_once.min(rows - begin);
                let all_readers: Vec<&mut Reader> = readers.iter_mut().collect();
                let read = |i: usize, reader: &mut Reader| self.guarded(leaves[i].0, || reader.read(count));
                parallel::each(threads, all_readers, read).into_iter().collect::<Result<()>>()?;
                let columns: Vec<&[f64]> = readers.iter().map(|reader| reader.numbers.as_slice()).collect();
                let fill = &mut |all: &mut [f64]| fill_rows(all, &columns, &spans, wanted.len(), threads);
                each(count * wanted.len(), fill)?;
            }
            for (reader, (leaf, _)) in readers.iter_mut().zip(&leaves) {
                self.guarded(leaf, || reader.finish())?;
            }
            before += rows;
        }
        Ok(())
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
        let chunk = Arc::new(Chunk { source: self.source.clone(), range: start..start + length });
        let rows = usize::try_from(group.num_rows()).map_err(|e| ParquetError::General(e.to_string()))?;
        let pages = SerializedPageReader::new(chunk, column, rows, None)?;
        Ok(numbers::Pages { described: column.column_descr_ptr(), pages: Box::new(pages) })
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

/// Takes so many numbers, which the function writes.
type Each<'a> = &'a mut dyn FnMut(usize, &mut dyn FnMut(&mut [f64])) -> Result<()>;

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

/// Fills rows of `stride` numbers, which lie in `columns` leaf after leaf.
fn fill_rows(all: &mut [f64], columns: &[&[f64]], spans: &[Span], stride: usize, threads: usize) {
    /// Numbers that are put together at a time: they stay in the nearest cache.
    const TILE: usize = 2048;
    if stride == 0 {
        return;
    }
    let rows = (TILE / stride).max(1);
    let share = (all.len() / stride).div_ceil(threads).next_multiple_of(rows);
    let shares: Vec<&mut [f64]> = all.chunks_mut(share * stride).collect();
    parallel::each(threads, shares, |i, out| {
        for (tile, out) in out.chunks_mut(rows * stride).enumerate() {
            let (begin, mut left) = (i * share + tile * rows, 0);
            for Span { leaf, width, at, length } in spans {
                let column = &columns[*leaf][begin * width..];
                if (*width, *length) == (1, 1) {
                    out[left..].iter_mut().step_by(stride).zip(column).for_each(|(to, number)| *to = *number);
                } else {
                    for (to, cell) in out.chunks_exact_mut(stride).zip(column.chunks_exact(*width)) {
                        to[left..left + length].copy_from_slice(&cell[*at..at + length]);
                    }
                }
                left += length;
            }
        }
    });
}
