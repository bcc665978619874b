//! Columns as a Parquet file, without arrow.

use parquet::basic::{Compression, ConvertedType, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, FloatType, Int64Type};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::{Type, TypePtr};
use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

/// Rows of a row group.
const GROUP: usize = 64 * 1024;

/// Cells of a column, list after list where they are lists.
pub(super) enum Cells {
    Doubles(Vec<f64>),
    Floats(Vec<f32>),
    Longs(Vec<i64>),
    Texts(Vec<String>),
}

/// A column, whose cells are made as they are written.
pub(super) struct Column<'a> {
    name: String,
    /// Numbers in a cell that is a list.
    list: Option<usize>,
    /// The cells of some rows.
    cells: Box<dyn Fn(Range<usize>) -> Cells + 'a>,
}

impl<'a> Column<'a> {
    /// A column of single cells.
    pub fn new(name: impl Into<String>, cells: impl Fn(Range<usize>) -> Cells + 'a) -> Self {
        Self { name: name.into(), list: None, cells: Box::new(cells) }
    }

    /// A column of lists of `width` cells each, at least 1.
    pub fn lists(name: impl Into<String>, width: usize, cells: impl Fn(Range<usize>) -> Cells + 'a) -> Self {
        Self { name: name.into(), list: Some(width), cells: Box::new(cells) }
    }

    /// Its type, as arrow has it: every cell may be empty, lists are of three levels.
    fn kind(&self) -> Result<TypePtr> {
        let (physical, text) = match (self.cells)(0..0) {
            Cells::Doubles(_) => (Physical::DOUBLE, false),
            Cells::Floats(_) => (Physical::FLOAT, false),
            Cells::Longs(_) => (Physical::INT64, false),
            Cells::Texts(_) => (Physical::BYTE_ARRAY, true),
        };
        let name = if self.list.is_some() { "element" } else { &self.name };
        let mut cell = Type::primitive_type_builder(name, physical).with_repetition(Repetition::OPTIONAL);
        if text {
            cell = cell.with_logical_type(Some(LogicalType::String)).with_converted_type(ConvertedType::UTF8);
        }
        let cell = Arc::new(cell.build()?);
        if self.list.is_none() {
            return Ok(cell);
        }
        let list = Type::group_type_builder("list").with_repetition(Repetition::REPEATED).with_fields(vec![cell]);
        let whole = Type::group_type_builder(&self.name)
            .with_repetition(Repetition::OPTIONAL)
            .with_logical_type(Some(LogicalType::List))
            .with_converted_type(ConvertedType::LIST)
            .with_fields(vec![Arc::new(list.build()?)]);
        Ok(Arc::new(whole.build()?))
    }

    fn write(&self, rows: Range<usize>, to: &mut SerializedColumnWriter<'_>) -> Result<()> {
        let (defined, repeated) = match self.list {
            None => (vec![1; rows.len()], None),
            Some(width) => {
                let levels = rows.clone().flat_map(|_| (0..width).map(|at| i16::from(at > 0)));
                (vec![3; rows.len() * width], Some(levels.collect::<Vec<i16>>()))
            }
        };
        let levels = (&defined[..], repeated.as_deref());
        match (self.cells)(rows) {
            Cells::Doubles(cells) => put::<DoubleType>(to, &cells, levels),
            Cells::Floats(cells) => put::<FloatType>(to, &cells, levels),
            Cells::Longs(cells) => put::<Int64Type>(to, &cells, levels),
            Cells::Texts(cells) => {
                let cells: Vec<ByteArray> = cells.iter().map(|text| text.as_str().into()).collect();
                put::<ByteArrayType>(to, &cells, levels)
            }
        }
    }
}

fn put<T: DataType>(
    to: &mut SerializedColumnWriter<'_>,
    cells: &[T::T],
    (defined, repeated): (&[i16], Option<&[i16]>),
) -> Result<()> {
    if cells.len() != defined.len() {
        return Err(ParquetError::General(format!("{} cells where there are to be {}", cells.len(), defined.len())));
    }
    to.typed::<T>().write_batch(cells, Some(defined), repeated).map(drop)
}

/// Writes a file of `rows` rows; `notes` are texts about the file by their keys.
pub(super) fn write(
    out: &mut (dyn Write + Send),
    columns: &[Column<'_>],
    rows: usize,
    notes: &[(&str, String)],
) -> std::io::Result<()> {
    all(out, columns, rows, notes).map_err(|e| match e {
        // What the operating system says is not lost.
        ParquetError::External(why) => match why.downcast::<std::io::Error>() {
            Ok(why) => *why,
            Err(why) => std::io::Error::other(why.to_string()),
        },
        other => std::io::Error::other(other.to_string()),
    })
}

fn all(out: &mut (dyn Write + Send), columns: &[Column<'_>], rows: usize, notes: &[(&str, String)]) -> Result<()> {
    let fields = columns.iter().map(Column::kind).collect::<Result<Vec<_>>>()?;
    let schema = Arc::new(Type::group_type_builder("schema").with_fields(fields).build()?);
    let notes: Vec<KeyValue> =
        notes.iter().map(|(key, text)| KeyValue::new((*key).to_string(), text.clone())).collect();
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_key_value_metadata((!notes.is_empty()).then_some(notes))
        .build();
    let mut file = SerializedFileWriter::new(out, schema, Arc::new(properties))?;
    for begin in (0..rows).step_by(GROUP) {
        let mut group = file.next_row_group()?;
        let mut left = columns.iter();
        while let (Some(column), Some(mut to)) = (left.next(), group.next_column()?) {
            column.write(begin..(begin + GROUP).min(rows), &mut to)?;
            to.close()?;
        }
        group.close()?;
    }
    file.close().map(drop)
}
