//! The cells of a column as numbers or text.

use super::leaf::{Kind, Leaf};
use parquet::basic::Type as Physical;
use parquet::column::page::PageReader;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl, get_column_reader, get_typed_column_reader};
use parquet::data_type::{
    BoolType, ByteArrayType, DataType, DoubleType, FixedLenByteArray, FixedLenByteArrayType, FloatType, Int32Type,
    Int64Type, Int96, Int96Type,
};
use parquet::errors::{ParquetError, Result};
use parquet::schema::types::ColumnDescPtr;

/// Rows of text read at a time.
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

/// A column of numbers in a row group, read some rows at a time.
pub(super) struct Reader<'a> {
    leaf: &'a Leaf,
    width: usize,
    /// The next row in the file.
    row: usize,
    batches: Box<dyn Batches>,
    batch: Batch,
    /// `(rows, width)`: the numbers read last; NaN for an empty cell, and for all numbers of an empty list.
    pub numbers: Vec<f64>,
}

impl<'a> Reader<'a> {
    /// Of a column whose first row is row `row` of the file.
    pub fn new(pages: Pages, leaf: &'a Leaf, width: usize, row: usize) -> Result<Self> {
        let batches = batches(pages, leaf)?;
        Ok(Self { leaf, width, row, batches, batch: Batch::default(), numbers: Vec::new() })
    }

    /// Reads the next rows; none are left out.
    pub fn read(&mut self, rows: usize) -> Result<()> {
        self.batches.next(rows, &mut self.batch)?;
        if self.batch.rows != rows {
            let found = format!("{} of {rows} rows from row {} on", self.batch.rows, self.row + 1);
            return Err(ParquetError::General(found));
        }
        self.numbers.clear();
        if self.leaf.is_list() {
            lists(&mut self.batch, self.leaf, self.width, self.row, &mut self.numbers)?;
        } else {
            cells(&mut self.batch, self.leaf, &mut self.numbers);
        }
        self.row += rows;
        Ok(())
    }

    /// There must be no more rows.
    pub fn finish(&mut self) -> Result<()> {
        self.batches.next(1, &mut self.batch)?;
        match self.batch.rows {
            0 => Ok(()),
            _ => Err(ParquetError::General("more rows than the row group has".into())),
        }
    }
}

/// Length of the first list that is not empty.
pub(super) fn first_width(pages: Pages, leaf: &Leaf) -> Result<Option<usize>> {
    let mut batches = batches(pages, leaf)?;
    let mut batch = Batch::default();
    loop {
        // A list's length is all that is asked for: a few rows are enough.
        batches.next(64, &mut batch)?;
        let width = lengths(&batch, leaf).into_iter().find(|length| *length > 0);
        if width.is_some() || batch.rows == 0 {
            return Ok(width);
        }
    }
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
#[derive(Default)]
struct Batch {
    rows: usize,
    /// Definition levels; empty where every cell is there.
    defined: Vec<i16>,
    /// Repetition levels; empty where cells are no lists.
    repeated: Vec<i16>,
    /// The numbers that are there.
    values: Vec<f64>,
}

impl Batch {
    fn clear(&mut self) {
        self.defined.clear();
        self.repeated.clear();
        self.values.clear();
    }
}

/// A column of any type as numbers.
trait Batches: Send {
    /// Reads up to `rows` rows, fewer only at the end.
    fn next(&mut self, rows: usize, batch: &mut Batch) -> Result<()>;
}

/// A column of one type that is to be converted.
struct Typed<T: DataType, F> {
    reader: ColumnReaderImpl<T>,
    cells: Vec<T::T>,
    number: F,
}

impl<T: DataType, F: Fn(&T::T) -> f64 + Send> Batches for Typed<T, F> {
    fn next(&mut self, rows: usize, batch: &mut Batch) -> Result<()> {
        batch.clear();
        self.cells.clear();
        let (defined, repeated) = (&mut batch.defined, &mut batch.repeated);
        (batch.rows, ..) = self.reader.read_records(rows, Some(defined), Some(repeated), &mut self.cells)?;
        batch.values.extend(self.cells.iter().map(&self.number));
        Ok(())
    }
}

/// Numbers that are stored as they are wanted.
impl Batches for ColumnReaderImpl<DoubleType> {
    fn next(&mut self, rows: usize, batch: &mut Batch) -> Result<()> {
        batch.clear();
        let (defined, repeated) = (&mut batch.defined, &mut batch.repeated);
        (batch.rows, ..) = self.read_records(rows, Some(defined), Some(repeated), &mut batch.values)?;
        Ok(())
    }
}

fn batches(pages: Pages, leaf: &Leaf) -> Result<Box<dyn Batches>> {
    fn typed<T: DataType>(reader: ColumnReader, number: impl Fn(&T::T) -> f64 + Send + 'static) -> Box<dyn Batches> {
        Box::new(Typed { reader: get_typed_column_reader::<T>(reader), cells: Vec::new(), number })
    }
    let physical = pages.described.physical_type();
    let reader = get_column_reader(pages.described, pages.pages);
    Ok(match (physical, leaf.kind) {
        (Physical::BOOLEAN, _) => typed::<BoolType>(reader, |v| f64::from(u8::from(*v))),
        (Physical::FLOAT, _) => typed::<FloatType>(reader, |v| f64::from(*v)),
        (Physical::DOUBLE, _) => Box::new(get_typed_column_reader::<DoubleType>(reader)),
        (Physical::INT32, Kind::Unsigned) => typed::<Int32Type>(reader, |v| f64::from(v.cast_unsigned())),
        (Physical::INT32, Kind::Number(by)) => typed::<Int32Type>(reader, move |v| f64::from(*v) / by),
        (Physical::INT64, Kind::Unsigned) => typed::<Int64Type>(reader, |v| v.cast_unsigned() as f64),
        (Physical::INT64, Kind::Number(by) | Kind::Stamp(by)) => typed::<Int64Type>(reader, move |v| *v as f64 / by),
        (Physical::INT96, _) => typed::<Int96Type>(reader, int96_secs),
        (Physical::FIXED_LEN_BYTE_ARRAY, Kind::Half) => typed::<FixedLenByteArrayType>(reader, half),
        _ => return Err(ParquetError::General("cells that are no numbers".into())),
    })
}

/// Puts a batch of numbers into `all`, which is empty.
fn cells(batch: &mut Batch, leaf: &Leaf, all: &mut Vec<f64>) {
    if batch.values.len() == batch.rows {
        std::mem::swap(all, &mut batch.values);
        return;
    }
    let mut values = batch.values.iter();
    let cell = |defined: &i16| if *defined == leaf.defined { values.next().copied() } else { None };
    all.extend(batch.defined.iter().map(cell).map(|value| value.unwrap_or(f64::NAN)));
}

/// Puts a batch of lists, all of length `width` or empty, into `all`, which is empty.
fn lists(batch: &mut Batch, leaf: &Leaf, width: usize, first: usize, all: &mut Vec<f64>) -> Result<()> {
    // Most lists are whole: every level has its number, and every list begins where it is to.
    let whole = width > 0 && batch.values.len() == batch.rows * width && batch.repeated.len() == batch.values.len();
    let begins = |list: &[i16]| list[0] == 0 && list[1..].iter().all(|level| *level != 0);
    if whole && batch.repeated.chunks_exact(width).all(begins) {
        std::mem::swap(all, &mut batch.values);
        return Ok(());
    }
    let mut values = batch.values.iter();
    let mut next = || values.next().copied().unwrap_or(f64::NAN);
    let lengths = lengths(batch, leaf);
    if let Some((at, length)) = lengths.iter().enumerate().find(|(_, length)| **length != width && **length != 0) {
        let (found, expected) = (format!("a list of {length} numbers"), format!("{width} as in the first row"));
        return Err(ParquetError::External(Box::new(Misfit { row: first + at, found, expected })));
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
