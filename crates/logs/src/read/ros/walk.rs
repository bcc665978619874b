//! Through the bytes of a message by its schema.

use super::schema::{Count, Field, Primitive, Schema, Type, Wire};

/// What hears of a message's contents, in the order in which they lie there.
pub(super) trait Sink {
    /// A field begins; those in it follow.
    fn field(&mut self, _name: &str) {}
    /// The field ends.
    fn end(&mut self) {}
    /// Entry `index` of the field's `of` entries begins; it ends as a field does.
    fn entry(&mut self, _index: usize, _of: usize) {}
    /// A key of a message without a schema.
    fn key(&mut self, _key: &str) {}
    /// How many entries an array of any length has.
    fn count(&mut self, count: usize);
    /// A string that tells what numbers are.
    fn text(&mut self, text: &[u8]);
    /// A number, and whether it is no motion whatever its name.
    fn number(&mut self, value: f64, bookkeeping: bool);
    /// The time of the whole message, nanoseconds.
    fn stamp(&mut self, nanos: i64);
}

/// Hears all of a message of the `schema`.
///
/// # Errors
/// What does not fit the schema, in words.
pub(super) fn walk(schema: &Schema, bytes: &[u8], sink: &mut impl Sink) -> Result<(), String> {
    let (bytes, big) = match schema.wire {
        Wire::Ros1 => (bytes, false),
        Wire::Cdr => match bytes {
            [0, order @ (0 | 1), _, _, rest @ ..] => (rest, *order == 0),
            [high, low, _, _, ..] => return Err(format!("the encapsulation {high:#04x} {low:#04x}, not plain CDR")),
            _ => return Err(format!("{} bytes", bytes.len())),
        },
    };
    let mut cursor = Cursor { bytes, at: 0, big, aligned: schema.wire == Wire::Cdr };
    message(schema, schema.root, &mut cursor, sink)?;
    // Writers of CDR may fill up the last 8 bytes.
    match cursor.left() {
        left if left >= if cursor.aligned { 8 } else { 1 } => Err(format!("{left} bytes after its end")),
        _ => Ok(()),
    }
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    big: bool,
    aligned: bool,
}

impl<'a> Cursor<'a> {
    fn left(&self) -> usize {
        self.bytes.len().saturating_sub(self.at)
    }

    fn align(&mut self, to: usize) {
        if self.aligned {
            self.at = self.at.next_multiple_of(to);
        }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let bytes = self.at.checked_add(count).and_then(|end| self.bytes.get(self.at..end));
        let bytes = bytes.ok_or_else(|| format!("{} bytes left where {count} are needed", self.left()))?;
        self.at += count;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        self.align(N);
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.take(N)?);
        if self.big {
            bytes.reverse();
        }
        Ok(bytes)
    }

    fn u32(&mut self) -> Result<u32, String> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn text(&mut self) -> Result<&'a [u8], String> {
        let length = self.u32()? as usize;
        let text = self.take(length)?;
        Ok(if self.aligned { text.strip_suffix(b"\0").unwrap_or(text) } else { text })
    }

    /// Seconds and nanoseconds as nanoseconds.
    fn time(&mut self) -> Result<i64, String> {
        let seconds = self.u32()?;
        // Whether ROS 1 counts seconds with a sign depends on the type; they begin in 1970 either way.
        let seconds = if self.aligned { i64::from(seconds.cast_signed()) } else { i64::from(seconds) };
        Ok(seconds * 1_000_000_000 + i64::from(self.u32()?))
    }

    fn number(&mut self, of: Primitive) -> Result<f64, String> {
        Ok(match of {
            Primitive::Bool => f64::from(u8::from(self.array::<1>()? != [0])),
            Primitive::I8 => f64::from(i8::from_le_bytes(self.array()?)),
            Primitive::U8 => f64::from(u8::from_le_bytes(self.array()?)),
            Primitive::I16 => f64::from(i16::from_le_bytes(self.array()?)),
            Primitive::U16 => f64::from(u16::from_le_bytes(self.array()?)),
            Primitive::I32 => f64::from(i32::from_le_bytes(self.array()?)),
            Primitive::U32 => f64::from(u32::from_le_bytes(self.array()?)),
            Primitive::I64 => i64::from_le_bytes(self.array()?) as f64,
            Primitive::U64 => u64::from_le_bytes(self.array()?) as f64,
            Primitive::F32 => f64::from(f32::from_le_bytes(self.array()?)),
            Primitive::F64 => f64::from_le_bytes(self.array()?),
        })
    }
}

fn message(schema: &Schema, index: usize, cursor: &mut Cursor, sink: &mut impl Sink) -> Result<(), String> {
    let Some(message) = schema.messages.get(index) else { return Err("a type that is not there".into()) };
    for field in &message.fields {
        if field.carries {
            sink.field(&field.name);
            carried(schema, field, cursor, sink).map_err(|e| place(field, &e))?;
            sink.end();
        } else {
            passed(schema, field, cursor).map_err(|e| place(field, &e))?;
        }
    }
    Ok(())
}

/// `header.stamp: 3 bytes left where 4 are needed`.
fn place(field: &Field, error: &str) -> String {
    let dot = error.split_once(": ").is_some_and(|(name, _)| !name.contains(' '));
    format!("{}{}{error}", field.name, if dot { "." } else { ": " })
}

/// How many entries the field has, each of which takes `least` bytes at least.
fn entries(field: &Field, least: u64, cursor: &mut Cursor) -> Result<usize, String> {
    let count = match field.count {
        Count::One => 1,
        Count::Fixed(count) => count,
        Count::Many => u64::from(cursor.u32()?),
    };
    let left = cursor.left() as u64;
    if field.count != Count::One && count.saturating_mul(least) > left {
        return Err(format!("{count} entries in {left} bytes"));
    }
    Ok(if least == 0 { 0 } else { usize::try_from(count).map_err(|e| e.to_string())? })
}

fn carried(schema: &Schema, field: &Field, cursor: &mut Cursor, sink: &mut impl Sink) -> Result<(), String> {
    let least = least(schema, field.of);
    let count = entries(field, least, cursor)?;
    if field.count == Count::One {
        return one(schema, field, cursor, sink);
    }
    if field.count == Count::Many {
        sink.count(count);
    }
    for entry in 0..count {
        sink.entry(entry, count);
        one(schema, field, cursor, sink)?;
        sink.end();
    }
    Ok(())
}

#[inline]
fn one(schema: &Schema, field: &Field, cursor: &mut Cursor, sink: &mut impl Sink) -> Result<(), String> {
    match field.of {
        Type::Number(of) => sink.number(cursor.number(of)?, of == Primitive::Bool),
        Type::Text => sink.text(cursor.text()?),
        Type::Time => {
            let nanos = cursor.time()?;
            match field.stamp {
                true => sink.stamp(nanos),
                false => sink.number(nanos as f64 / 1e9, true),
            }
        }
        Type::Message(index) => message(schema, index, cursor, sink)?,
    }
    Ok(())
}

fn least(schema: &Schema, of: Type) -> u64 {
    match of {
        Type::Number(number) => number.bytes() as u64,
        Type::Text => 4,
        Type::Time => 8,
        Type::Message(index) => schema.messages.get(index).map_or(0, |m| m.least),
    }
}

/// Goes past a field that carries nothing.
fn passed(schema: &Schema, field: &Field, cursor: &mut Cursor) -> Result<(), String> {
    let count = entries(field, least(schema, field.of), cursor)?;
    if let Type::Number(of) = field.of
        && count > 0
    {
        cursor.align(of.bytes());
        return cursor.take(count.saturating_mul(of.bytes())).map(|_| ());
    }
    for _ in 0..count {
        match field.of {
            Type::Number(_) => {}
            Type::Text => {
                cursor.text()?;
            }
            Type::Time => {
                cursor.time()?;
            }
            Type::Message(index) => {
                let Some(message) = schema.messages.get(index) else { continue };
                for field in &message.fields {
                    passed(schema, field, cursor)?;
                }
            }
        }
    }
    Ok(())
}
