//! Numpy archives: a zip file with the arrays `data` and, where there are any, `labels`. Written for drawn images; read
//! also as of the downsampled ImageNet (Chrabaszcz et al. 2017, arXiv 1707.08819).

use super::input::Input;
use crate::image::Images;
use ebmotion::{Error, Result};
use ebmotion_logs::files::write_bytes;
use std::io::{Cursor, Read, Write};
use std::path::Path;

/// Images `(N, C, H, W)` with labels as they are; or `(N, 3 S S)`, red, green, blue, with labels as they are where the
/// smallest is 0, less 1 where it is 1.
pub(super) fn parse(input: &Input) -> Result<Images> {
    let mut archive = zip::ZipArchive::new(Cursor::new(&input.bytes[..]))
        .map_err(|e| input.error(format!("a file that is no zip archive ({e})"), "a numpy archive"))?;
    let data = entry(input, &mut archive, "data.npy")?;
    let array = Array::parse(input, "data.npy", &data)?;
    let shape = array.image_shape(input)?;
    if array.kind != "|u1" {
        let expected = "unsigned bytes (`|u1`)";
        return Err(input.error(format!("numbers of type `{}`", array.kind), expected).at("data.npy"));
    }
    let pixels = array.contents.to_vec();
    let labels = match archive.index_for_name("labels.npy") {
        None => None,
        Some(_) => {
            let bytes = entry(input, &mut archive, "labels.npy")?;
            let first = usize::from(array.sizes.len() == 2);
            Some(Array::parse(input, "labels.npy", &bytes)?.labels(input, array.sizes[0], first)?)
        }
    };
    input.images(shape, pixels, labels)
}

/// The bytes of an archive of images `(N, C, H, W)` and their labels, where they have any.
///
/// # Errors
/// [`Error::Unwritable`] when it cannot be put together.
fn encode(images: &Images) -> Result<Vec<u8>> {
    let [c, h, w] = images.shape();
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let wrong = |e: &dyn std::fmt::Display| Error::unwritable("images", "a numpy archive")(e);
    let mut add = |name: &str, kind: &str, shape: &str, contents: &[u8]| -> Result<()> {
        // The header ends with a line feed at a multiple of 64 bytes.
        let mut header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({shape}), }}");
        let padded = (10 + header.len() + 1).next_multiple_of(64) - 10;
        header.push_str(&" ".repeat(padded - header.len() - 1));
        header.push('\n');
        let options = zip::write::SimpleFileOptions::default().last_modified_time(zip::DateTime::default());
        archive.start_file(format!("{name}.npy"), options).map_err(|e| wrong(&e))?;
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(contents);
        archive.write_all(&bytes).map_err(|e| wrong(&e))
    };
    let n = images.len();
    add("data", "|u1", &format!("{n}, {c}, {h}, {w}"), images.pixels())?;
    if let Some(labels) = images.labels() {
        let bytes: Vec<u8> = labels.iter().flat_map(|l| l.to_le_bytes()).collect();
        add("labels", "<u4", &format!("{n},"), &bytes)?;
    }
    Ok(archive.finish().map_err(|e| wrong(&e))?.into_inner())
}

fn entry(input: &Input, archive: &mut zip::ZipArchive<Cursor<&[u8]>>, name: &str) -> Result<Vec<u8>> {
    let names: Vec<String> = archive.file_names().flatten().map(String::from).collect();
    let mut file = match archive.by_name(name) {
        Ok(file) => file,
        Err(zip::result::ZipError::FileNotFound) => {
            return Err(input.error(format!("the entries {}", names.join(", ")), format!("an entry `{name}`")));
        }
        Err(e) => return Err(input.error(e, "an entry stored or deflated, without a password").at(name)),
    };
    // The size in the archive may be a lie: the buffer grows with what is there.
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(|e| input.error(format!("a damaged entry ({e})"), "a whole one").at(name))?;
    Ok(bytes)
}

/// A `.npy` file: magic, version, a Python dictionary as header, the numbers. Described in numpy's `numpy.lib.format`.
struct Array<'a> {
    name: &'static str,
    kind: String,
    sizes: Vec<usize>,
    contents: &'a [u8],
}

impl<'a> Array<'a> {
    fn parse(input: &Input, name: &'static str, bytes: &'a [u8]) -> Result<Self> {
        let wrong = |found: String, expected: &str| input.error(found, expected).at(name);
        if !bytes.starts_with(b"\x93NUMPY") || bytes.len() < 12 {
            return Err(wrong("no numpy array".into(), "an array that begins with `\\x93NUMPY`"));
        }
        let (begin, length) = match bytes[6] {
            1 => (10, usize::from(u16::from_le_bytes([bytes[8], bytes[9]]))),
            2 | 3 => (12, u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]) as usize),
            v => return Err(wrong(format!("version {v}"), "version 1, 2 or 3 of the numpy format")),
        };
        let header = bytes.get(begin..begin + length).and_then(|h| std::str::from_utf8(h).ok());
        let header = header.ok_or_else(|| wrong("a header that is cut off".into(), "a whole header"))?;
        let value = |key: &str| {
            let at = header.find(&format!("'{key}'"))?;
            Some(header[at + key.len() + 2..].trim_start().strip_prefix(':')?.trim_start())
        };
        let kind = value("descr").and_then(|v| v.strip_prefix('\'')?.split('\'').next());
        let order = value("fortran_order").map(|v| v.starts_with("True"));
        let sizes = value("shape").and_then(|v| {
            let inside = v.strip_prefix('(')?.split(')').next()?;
            inside.split(',').map(str::trim).filter(|t| !t.is_empty()).map(|t| t.parse::<usize>().ok()).collect()
        });
        let (Some(kind), Some(false), Some(sizes)) = (kind, order, sizes) else {
            let expected = "`descr`, `shape`, and `fortran_order` False";
            return Err(wrong(format!("the header {}", header.trim()), expected));
        };
        let sizes: Vec<usize> = sizes;
        let width = kind.trim_start_matches(|c: char| !c.is_ascii_digit()).parse::<usize>().ok();
        let length = sizes.iter().try_fold(width.unwrap_or(0), |n, size| n.checked_mul(*size));
        let contents = &bytes[begin + header.len()..];
        if length != Some(contents.len()) || contents.is_empty() {
            let expected = format!("{sizes:?} numbers of type `{kind}`");
            return Err(wrong(format!("{} bytes", contents.len()), &expected));
        }
        Ok(Self { name, kind: kind.into(), sizes, contents })
    }

    /// `[C, H, W]` of an array `(N, C, H, W)`, `[3, S, S]` of one `(N, 3 S S)`.
    fn image_shape(&self, input: &Input) -> Result<[usize; 3]> {
        let side = |n: usize| (1..=n).find(|s| 3 * s * s >= n).filter(|s| 3 * s * s == n);
        match self.sizes[..] {
            [_, c, h, w] if [1, 3].contains(&c) => Ok([c, h, w]),
            [_, n] if side(n).is_some() => Ok([3, side(n).unwrap_or_default(), side(n).unwrap_or_default()]),
            _ => {
                let found = format!("an array of shape {:?}", self.sizes);
                Err(input
                    .error(found, "shape (N, C, H, W) with 1 or 3 channels, or (N, 3 S S), S the side of an image")
                    .at(self.name))
            }
        }
    }

    /// Where the smallest label is at least 1, all are taken less `first`.
    fn labels(&self, input: &Input, images: usize, first: usize) -> Result<Vec<u32>> {
        let wrong = |found: String, expected: String| -> Error { input.error(found, expected).at(self.name) };
        if self.sizes != [images] {
            return Err(wrong(format!("an array of shape {:?}", self.sizes), format!("[{images}], a label an image")));
        }
        let little = |bytes: &[u8]| bytes.iter().rev().fold(0u64, |n, b| n << 8 | u64::from(*b));
        let width = match self.kind.as_str() {
            "|u1" => 1,
            "<i2" | "<u2" => 2,
            "<i4" | "<u4" => 4,
            "<i8" | "<u8" => 8,
            kind => return Err(wrong(format!("numbers of type `{kind}`"), "little-endian integers".into())),
        };
        let mut labels: Vec<u32> = Vec::with_capacity(images);
        for (i, bytes) in self.contents.chunks_exact(width).enumerate() {
            // A negative number is a huge one here.
            match u32::try_from(little(bytes)).ok().filter(|l| *l <= 1_000_000) {
                Some(label) => labels.push(label),
                None => return Err(wrong(format!("label {i} of {}", little(bytes)), "0 to 1000000".into())),
            }
        }
        let first = labels.iter().min().copied().unwrap_or(0).min(first as u32);
        labels.iter_mut().for_each(|l| *l -= first);
        Ok(labels)
    }
}

impl Images {
    /// Writes a numpy archive (`.npz`) that [`Images::read`] reads: `data` `(N, C, H, W)` of bytes, `labels` where
    /// there are any.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be written.
    pub fn write_npz(&self, path: &Path) -> Result<()> {
        write_bytes(path, &encode(self)?)
    }
}
