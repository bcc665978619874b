//! The cells of a column as numbers or text.

use super::leaf::{Kind, Leaf};
use parquet::basic::Type as Physical;
use parquet::column::page::PageReader;
use parquet::column::reader::{ColumnReaderImpl, get_column_reader, get_typed_column_reader};
use parquet::data_type::{
    BoolType, ByteArrayType, DataType, DoubleType, FixedLenByteArray, FixedLenByteArrayType, FloatType, Int32Type,
    Int64Type, Int96, Int96Type,
};
use parquet::errors::{ParquetError, Result};
use parquet::schema::types::ColumnDescPtr;
use std::ops::Range;

/// Rows read at a time.
const BATCH: usize = 16 * 1024;

/// The pages of a column in a row group.
pub(super) struct Pages {
    pub described: ColumnDescPtr,
    pub pages: Box<dyn PageReader>,
}

/// A cell that does not fit the others.
#[derive(Debug)]
pub(super) struct Misfit {
    /// Row in the file.
    pub row: usize,
    pub found: String,
    pub expected: String,
}

impl std::fmt::Display for Misfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "row {}: found {}, expected {}", self.row, self.found, self.expected)
    }
}

impl std::error::Error for Misfit {}

/// `(rows, width)`: the numbers of a column in a row group whose rows are `rows` in the file; NaN for an empty cell, and
/// for all numbers of an empty list.
pub(super) fn column(pages: Pages, leaf: &Leaf, width: usize, rows: Range<usize>) -> Result<Vec<f64>> {
    let mut all = Vec::new();
    let mut row = rows.start;
    each_batch(pages, leaf, BATCH, &mut |batch| {
        row += batch.rows;
        if row > rows.end {
            return Err(ParquetError::General(format!("more rows than the {} of the row group", rows.len())));
        }
        let first = row - batch.rows;
        if leaf.is_list() {
            lists(batch, leaf, width, first, &mut all)?
        } else {
            cells(batch, leaf, &mut all)
        }
        Ok(true)
    })?;
    if row != rows.end {
        let found = format!("{} rows of the {} of the row group", row - rows.start, rows.len());
        return Err(ParquetError::General(found));
    }
    Ok(all)
}

/// Length of the first list that is not empty.
pub(super) fn first_width(pages: Pages, leaf: &Leaf) -> Result<Option<usize>> {
    let mut width = None;
    // A list's length is all that is asked for: a few rows are enough.
    each_batch(pages, leaf, 64, &mut |batch| {
        width = lengths(batch, leaf).into_iter().find(|length| *length > 0);
        Ok(width.is_none())
    })?;
    Ok(width)
}

/// `(rows,)`: the text of a column in a row group.
pub(super) fn texts(pages: Pages, leaf: &Leaf, rows: usize) -> Result<Vec<String>> {
    let mut reader = get_typed_column_reader::<ByteArrayType>(get_column_reader(pages.described, pages.pages));
    let mut all = Vec::new();
    while all.len() < rows {
        let (mut defined, mut cells) = (Vec::new(), Vec::new());
        let (read, ..) = reader.read_records(BATCH.min(rows - all.len()), Some(&mut defined), None, &mut cells)?;
        if read == 0 {
            return Err(ParquetError::General(format!("{} rows of the {rows} of the row group", all.len())));
        }
        let mut cells = cells.into_iter();
        for at in 0..read {
            let there = leaf.defined == 0 || defined.get(at) == Some(&leaf.defined);
            let text = if there { cells.next() } else { None };
            let text = text.map(|t| String::from_utf8_lossy(t.data()).into_owned());
            all.push(text.unwrap_or_default());
        }
    }
    Ok(all)
}

/// Some rows of a column.
struct Batch {
    rows: usize,
    /// Definition levels; empty where every cell is there.
    defined: Vec<i16>,
    /// Repetition levels; empty where cells are no lists.
    repeated: Vec<i16>,
    /// The numbers that are there.
    values: Vec<f64>,
}

/// Gives `take` the batches of a column until there are no more, or it has enough.
fn each_batch(pages: Pages, leaf: &Leaf, rows: usize, take: &mut dyn FnMut(&mut Batch) -> Result<bool>) -> Result<()> {
    let physical = pages.described.physical_type();
    let reader = get_column_reader(pages.described, pages.pages);
    match (physical, leaf.kind) {
        (Physical::BOOLEAN, _) => typed::<BoolType>(reader_of(reader), rows, take, |v| f64::from(u8::from(*v))),
        (Physical::FLOAT, _) => typed::<FloatType>(reader_of(reader), rows, take, |v| f64::from(*v)),
        (Physical::DOUBLE, _) => typed::<DoubleType>(reader_of(reader), rows, take, |v| *v),
        (Physical::INT32, Kind::Unsigned) => {
            typed::<Int32Type>(reader_of(reader), rows, take, |v| f64::from(v.cast_unsigned()))
        }
        (Physical::INT32, Kind::Number(by)) => {
            typed::<Int32Type>(reader_of(reader), rows, take, |v| f64::from(*v) / by)
        }
        (Physical::INT64, Kind::Unsigned) => {
            typed::<Int64Type>(reader_of(reader), rows, take, |v| v.cast_unsigned() as f64)
        }
        (Physical::INT64, Kind::Number(by) | Kind::Stamp(by)) => {
            typed::<Int64Type>(reader_of(reader), rows, take, |v| *v as f64 / by)
        }
        (Physical::INT96, _) => typed::<Int96Type>(reader_of(reader), rows, take, int96_secs),
        (Physical::FIXED_LEN_BYTE_ARRAY, Kind::Half) => {
            typed::<FixedLenByteArrayType>(reader_of(reader), rows, take, half)
        }
        _ => Err(ParquetError::General("cells that are no numbers".into())),
    }
}

fn reader_of<T: DataType>(reader: parquet::column::reader::ColumnReader) -> ColumnReaderImpl<T> {
    get_typed_column_reader(reader)
}

fn typed<T: DataType>(
    mut reader: ColumnReaderImpl<T>,
    rows: usize,
    take: &mut dyn FnMut(&mut Batch) -> Result<bool>,
    number: impl Fn(&T::T) -> f64,
) -> Result<()> {
    let mut cells = Vec::new();
    let mut batch = Batch { rows: 0, defined: Vec::new(), repeated: Vec::new(), values: Vec::new() };
    loop {
        cells.clear();
        batch.defined.clear();
        batch.repeated.clear();
        batch.values.clear();
        (batch.rows, ..) =
            reader.read_records(rows, Some(&mut batch.defined), Some(&mut batch.repeated), &mut cells)?;
        batch.values.extend(cells.iter().map(&number));
        if batch.rows == 0 || !take(&mut batch)? {
            return Ok(());
        }
    }
}

/// Appends a batch of numbers.
fn cells(batch: &mut Batch, leaf: &Leaf, all: &mut Vec<f64>) {
    if batch.values.len() == batch.rows {
        all.append(&mut batch.values);
        return;
    }
    let mut values = batch.values.iter();
    let cell = |defined: &i16| if *defined == leaf.defined { values.next().copied() } else { None };
    all.extend(batch.defined.iter().map(cell).map(|value| value.unwrap_or(f64::NAN)));
}

/// Appends a batch of lists, all of length `width` or empty.
fn lists(batch: &Batch, leaf: &Leaf, width: usize, first: usize, all: &mut Vec<f64>) -> Result<()> {
    let mut values = batch.values.iter();
    let mut next = || values.next().copied().unwrap_or(f64::NAN);
    // Most lists are whole.
    let whole = batch.values.len() == batch.rows * width && batch.repeated.len() == batch.values.len();
    let lengths = lengths(batch, leaf);
    if let Some((at, length)) = lengths.iter().enumerate().find(|(_, length)| **length != width && **length != 0) {
        let (found, expected) = (format!("a list of {length} numbers"), format!("{width} as in the first row"));
        return Err(ParquetError::External(Box::new(Misfit { row: first + at, found, expected })));
    }
    if whole {
        all.extend_from_slice(&batch.values);
        return Ok(());
    }
    let mut levels = batch.defined.iter();
    for length in lengths {
        if length == 0 {
            levels.next();
            all.extend(std::iter::repeat_n(f64::NAN, width));
        }
        for _ in 0..length {
            let there = levels.next() == Some(&leaf.defined);
            all.push(if there { next() } else { f64::NAN });
        }
    }
    Ok(())
}

/// The lengths of a batch's lists.
fn lengths(batch: &Batch, leaf: &Leaf) -> Vec<usize> {
    let mut lengths = Vec::with_capacity(batch.rows);
    for (at, level) in batch.repeated.iter().enumerate() {
        let element = batch.defined.get(at).is_none_or(|defined| *defined >= leaf.element);
        if *level == 0 {
            lengths.push(0);
        }
        if let Some(length) = lengths.last_mut() {
            *length += usize::from(element);
        }
    }
    lengths
}

/// Seconds since 1970 of a stamp as Impala and old Spark write it: nanoseconds of a day, and the day.
fn int96_secs(stamp: &Int96) -> f64 {
    const DAY_OF_1970: f64 = 2_440_588.0;
    let &[low, high, day] = stamp.data() else { return f64::NAN };
    let nanos = u64::from(high) << 32 | u64::from(low);
    (f64::from(day) - DAY_OF_1970) * 86_400.0 + nanos as f64 / 1e9
}

fn half(cell: &FixedLenByteArray) -> f64 {
    match cell.data() {
        &[low, high] => half::f16::from_le_bytes([low, high]).to_f64(),
        _ => f64::NAN,
    }
}
