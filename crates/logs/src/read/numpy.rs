//! NumPy: one array (`.npy`), or an archive of named ones (`.npz`).

use super::arrays::{Part, Plan, Shape};
use super::guard::too_many;
use super::table::Table;
use super::{Input, ReadOptions};
use crate::error::{Error, Result};
use std::io::{Cursor, Read};
use zip::ZipArchive;

/// First bytes of an array.
const MAGIC: &[u8] = b"\x93NUMPY";
/// Longest header that is read, bytes: it is a line of text.
const LONGEST_HEADER: u64 = 64 * 1024;
/// What the array of a file without names is called.
const ONLY: &str = "x";

/// Reads arrays.
pub(super) fn read(input: &Input, options: &ReadOptions) -> Result<Table> {
    let bytes = input.bytes()?;
    let mut log = Log::open(input, &bytes)?;
    let names = log.names();
    let mut shapes = Vec::new();
    for (at, name) in &names {
        let header = log.array(input, *at, name, false)?.0;
        let sizes = if header.kind.is_some() { header.sizes } else { Vec::new() };
        shapes.push(Shape { name: name.clone(), sizes });
    }
    let plan = Plan::new(input, "", &shapes, options)?;
    let mut numbers = |name: &String| {
        let at = names.iter().find(|(_, n)| n == name).map_or(0, |(at, _)| *at);
        log.array(input, at, name, true).map(|(_, numbers)| numbers)
    };
    let part = Part {
        episode: None,
        time: plan.time.as_ref().map(&mut numbers).transpose()?,
        ends: plan.ends.iter().map(&mut numbers).collect::<Result<_>>()?,
        kept: plan.kept.iter().map(|(name, ..)| numbers(name)).collect::<Result<_>>()?,
    };
    plan.numbers(input, vec![part], None, options)?.table(input, input.record(&[])?, options)
}

/// An open file.
enum Log<'a> {
    One(&'a [u8]),
    Many(ZipArchive<Cursor<&'a [u8]>>),
}

impl<'a> Log<'a> {
    fn open(input: &Input, bytes: &'a [u8]) -> Result<Self> {
        if bytes.starts_with(MAGIC) {
            return Ok(Self::One(bytes));
        }
        let archive = ZipArchive::new(Cursor::new(bytes));
        archive.map(Self::Many).map_err(|e| input.error(format!("a damaged archive ({e})"), "a whole numpy archive"))
    }

    /// The arrays with their places in the file; an archive may hold other files too.
    fn names(&self) -> Vec<(usize, String)> {
        match self {
            Self::One(_) => vec![(0, ONLY.into())],
            Self::Many(archive) => {
                let name = |at| Some((at, archive.name_for_index(at)?.ok()?.strip_suffix(".npy")?.to_string()));
                (0..archive.len()).filter_map(name).collect()
            }
        }
    }

    /// The header of an array, and its numbers where they are wanted.
    fn array(&mut self, input: &Input, at: usize, name: &str, wanted: bool) -> Result<(Header, Vec<f64>)> {
        let error = |found: String, expected: &str| Error::Log {
            path: input.path.clone(),
            line: None,
            column: Some(name.into()),
            found,
            expected: expected.into(),
        };
        let damaged = |why: String| error(format!("a damaged array ({why})"), "a whole one");
        match self {
            Self::One(bytes) => {
                let mut bytes = *bytes;
                let packed = bytes.len() as u64;
                one(&mut bytes, packed, wanted, &error)
            }
            Self::Many(archive) => {
                let mut file = archive.by_index(at).map_err(|e| damaged(e.to_string()))?;
                let packed = file.compressed_size();
                one(&mut file, packed, wanted, &error)
            }
        }
    }
}

/// Reads an array of `packed` bytes.
fn one(
    from: &mut dyn Read,
    packed: u64,
    wanted: bool,
    error: &dyn Fn(String, &str) -> Error,
) -> Result<(Header, Vec<f64>)> {
    let damaged = |e: std::io::Error| error(format!("a damaged array ({e})"), "a whole one");
    let header = Header::read(from, error)?;
    if !wanted {
        return Ok((header, Vec::new()));
    }
    let Some(kind) = header.kind else {
        return Err(error(format!("cells of type {}", header.described), "numbers"));
    };
    let count = header.sizes.iter().try_fold(1u64, |n, size| n.checked_mul(*size));
    let Some(count) = count.filter(|count| !too_many(*count, packed)) else {
        return Err(error(format!("an array of {:?} numbers in {packed} bytes", header.sizes), "as many as are there"));
    };
    let length = count * kind.bytes() as u64;
    // What is there is read, not what the header promises.
    let mut bytes = Vec::new();
    from.take(length + 1).read_to_end(&mut bytes).map_err(damaged)?;
    if bytes.len() as u64 != length {
        let found = if bytes.len() as u64 > length { "more".into() } else { bytes.len().to_string() };
        return Err(error(
            format!("{found} bytes after the header"),
            &format!("{length} for {:?} numbers", header.sizes),
        ));
    }
    let numbers = kind.numbers(&bytes, header.big);
    let numbers = match header.sizes[..] {
        [rows, width] if header.columns_first => by_rows(&numbers, rows as usize, width as usize),
        _ => numbers,
    };
    Ok((header, numbers))
}

/// Of numbers that lie column after column.
fn by_rows(numbers: &[f64], rows: usize, width: usize) -> Vec<f64> {
    (0..rows * width).map(|i| numbers[i % width * rows + i / width]).collect()
}

/// What stands before the numbers: `numpy.lib.format`.
struct Header {
    /// `None` where the cells are no numbers.
    kind: Option<Kind>,
    /// Whether the byte that counts most comes first.
    big: bool,
    /// Whether the first size runs fastest.
    columns_first: bool,
    sizes: Vec<u64>,
    /// The type of the cells as it stands there.
    described: String,
}

impl Header {
    fn read(from: &mut dyn Read, error: &dyn Fn(String, &str) -> Error) -> Result<Self> {
        let cut = |e: std::io::Error| error(format!("a header that cannot be read ({e})"), "a numpy array");
        let mut start = [0; 8];
        from.read_exact(&mut start).map_err(cut)?;
        if !start.starts_with(MAGIC) {
            return Err(error("no numpy array".into(), "an array that begins with `\\x93NUMPY`"));
        }
        let mut length = [0; 4];
        match start[6] {
            1 => from.read_exact(&mut length[..2]).map_err(cut)?,
            2 | 3 => from.read_exact(&mut length).map_err(cut)?,
            version => return Err(error(format!("version {version}"), "version 1, 2 or 3 of the numpy format")),
        }
        let length = u64::from(u32::from_le_bytes(length));
        if length > LONGEST_HEADER {
            return Err(error(format!("a header of {length} bytes"), &format!("at most {LONGEST_HEADER}")));
        }
        let mut text = String::new();
        from.take(length).read_to_string(&mut text).map_err(cut)?;
        let wrong = || error(format!("the header `{}`", text.trim()), "`descr`, `fortran_order` and `shape`");
        Self::parse(&text).filter(|_| text.len() as u64 == length).ok_or_else(wrong)
    }

    /// `{'descr': '<f8', 'fortran_order': False, 'shape': (300, 39), }`
    fn parse(text: &str) -> Option<Self> {
        let value = |key: &str| {
            let at = text.find(&format!("'{key}'"))?;
            Some(text[at + key.len() + 2..].trim_start().strip_prefix(':')?.trim_start())
        };
        let descr = value("descr")?;
        let described = match descr.strip_prefix('\'') {
            Some(plain) => plain.split('\'').next()?.to_string(),
            None => "of several parts".into(),
        };
        let columns_first = match value("fortran_order")? {
            order if order.starts_with("True") => true,
            order if order.starts_with("False") => false,
            _ => return None,
        };
        let inside = value("shape")?.strip_prefix('(')?.split_once(')')?.0;
        let sizes = inside.split(',').map(str::trim).filter(|size| !size.is_empty());
        let sizes = sizes.map(|size| size.parse().ok()).collect::<Option<Vec<u64>>>()?;
        let (order, kind) = described.split_at_checked(1)?;
        Some(Self { kind: Kind::new(kind), big: order == ">", columns_first, sizes, described })
    }
}

/// A type of numbers.
#[derive(Clone, Copy)]
enum Kind {
    Bool,
    Signed(usize),
    Unsigned(usize),
    Float(usize),
}

impl Kind {
    /// `f8`, `i4` and so on.
    fn new(text: &str) -> Option<Self> {
        Some(match text {
            "b1" => Self::Bool,
            "i1" | "i2" | "i4" | "i8" => Self::Signed(text[1..].parse().ok()?),
            "u1" | "u2" | "u4" | "u8" => Self::Unsigned(text[1..].parse().ok()?),
            "f2" | "f4" | "f8" => Self::Float(text[1..].parse().ok()?),
            _ => return None,
        })
    }

    fn bytes(self) -> usize {
        match self {
            Self::Bool => 1,
            Self::Signed(bytes) | Self::Unsigned(bytes) | Self::Float(bytes) => bytes,
        }
    }

    fn numbers(self, bytes: &[u8], big: bool) -> Vec<f64> {
        let width = self.bytes();
        let bits = |cell: &[u8]| {
            let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
            if big { cell.iter().fold(0, add) } else { cell.iter().rev().fold(0, add) }
        };
        let number = |cell: &[u8]| match (self, width) {
            (Self::Float(_), 2) => half::f16::from_bits(bits(cell) as u16).to_f64(),
            (Self::Float(_), 4) => f64::from(f32::from_bits(bits(cell) as u32)),
            (Self::Float(_), _) => f64::from_bits(bits(cell)),
            (Self::Signed(_), _) => {
                let unused = 64 - 8 * width as u32;
                ((bits(cell) << unused).cast_signed() >> unused) as f64
            }
            (Self::Bool | Self::Unsigned(_), _) => bits(cell) as f64,
        };
        bytes.chunks_exact(width).map(number).collect()
    }
}
