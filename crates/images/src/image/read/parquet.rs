//! Parquet files of pictures: a column of PNG or JPEG bytes (alone, or as `bytes` of a struct) and a column of labels.

use super::input::Input;
use super::picture::{self, Picture};
use crate::image::Images;
use bytes::Bytes;
use ebmotion::Result;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;

/// Names of the column of pictures, the first one there is taken.
const IMAGE: [&str; 2] = ["image", "img"];
/// Names of the column of labels.
const LABEL: [&str; 2] = ["label", "fine_label"];

pub(super) fn parse(input: &Input) -> Result<Images> {
    let damaged =
        |e: parquet::errors::ParquetError| input.error(format!("a file that cannot be read ({e})"), "Parquet");
    let reader = SerializedFileReader::new(Bytes::copy_from_slice(&input.bytes)).map_err(damaged)?;
    let schema = reader.metadata().file_metadata().schema();
    let names: Vec<&str> = schema.get_fields().iter().map(|f| f.name()).collect();
    let find = |known: [&'static str; 2]| known.into_iter().find(|k| names.contains(k));
    let Some(image) = find(IMAGE) else {
        return Err(input.error(format!("the columns {}", names.join(", ")), "a column `image` or `img`"));
    };
    let label = find(LABEL);
    let mut shape = None;
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for (i, row) in reader.get_row_iter(None).map_err(damaged)?.enumerate() {
        let place = format!("row {i}");
        let row = row.map_err(|e| damaged(e).at(&place))?;
        for (name, field) in row.get_column_iter() {
            if name == image {
                let Some(bytes) = picture_bytes(field) else {
                    let expected = "the bytes of a PNG or JPEG picture, or a struct with them in `bytes`";
                    return Err(input.error(kind(field), expected).at(format!("{place}, column `{name}`")));
                };
                let place = format!("{place}, column `{name}`");
                let Picture { shape: found, pixels: mut new } = picture::decode(bytes, &input.path, Some(&place))?;
                let first = *shape.get_or_insert(found);
                if found != first {
                    let expected = format!("{first:?}, as in row 0");
                    return Err(input.error(format!("a picture of shape {found:?}"), expected).at(place));
                }
                pixels.append(&mut new);
            } else if Some(name.as_str()) == label {
                let Some(value) = integer(field) else {
                    let found = format!("{} {field}", kind(field));
                    return Err(input.error(found, "a label of at least 0").at(format!("{place}, column `{name}`")));
                };
                labels.push(value);
            }
        }
    }
    if pixels.is_empty() {
        return Err(input.error("no rows", "at least one"));
    }
    input.images(shape.unwrap_or_default(), pixels, label.map(|_| labels))
}

fn picture_bytes(field: &Field) -> Option<&[u8]> {
    match field {
        Field::Bytes(bytes) => Some(bytes.data()),
        Field::Group(row) => row.get_column_iter().find(|(n, _)| *n == "bytes").and_then(|(_, f)| picture_bytes(f)),
        _ => None,
    }
}

fn integer(field: &Field) -> Option<u32> {
    match *field {
        Field::Byte(v) => u32::try_from(v).ok(),
        Field::Short(v) => u32::try_from(v).ok(),
        Field::Int(v) => u32::try_from(v).ok(),
        Field::Long(v) => u32::try_from(v).ok(),
        Field::UByte(v) => Some(v.into()),
        Field::UShort(v) => Some(v.into()),
        Field::UInt(v) => Some(v),
        Field::ULong(v) => u32::try_from(v).ok(),
        _ => None,
    }
}

fn kind(field: &Field) -> &'static str {
    match field {
        Field::Null => "an empty cell",
        Field::Group(_) => "a struct without `bytes`",
        Field::Str(_) => "text",
        Field::Bytes(_) => "bytes",
        _ => "a number",
    }
}
