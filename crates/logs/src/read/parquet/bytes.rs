//! The bytes of a Parquet file, read where they are needed by several threads at once.

use super::super::Input;
use crate::error::{Error, Result};
use ::bytes::{Buf, Bytes};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};
use std::fs::File;
use std::io::{BufReader, Read};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

/// Where the bytes are.
#[derive(Clone)]
pub(super) enum Source {
    Memory(Bytes),
    File(Arc<File>, Buffers),
}

/// Buffers that pages are read into, one after the other: new memory for each page takes longer than reading it.
#[derive(Clone, Default)]
pub(super) struct Buffers(Arc<Mutex<Vec<Vec<u8>>>>);

impl Buffers {
    /// More are not kept.
    const MOST: usize = 8;
    /// Nor larger ones, bytes.
    const LARGEST: usize = 4 << 20;

    /// One of `length` bytes at least.
    fn take(&self, length: usize) -> Lent {
        let mut bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        bytes.resize(length.max(bytes.len()), 0);
        Lent { bytes, length, buffers: self.clone() }
    }
}

/// The first `length` bytes of a buffer that is given back.
struct Lent {
    bytes: Vec<u8>,
    length: usize,
    buffers: Buffers,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut kept = self.buffers.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < Buffers::MOST && self.bytes.len() <= Buffers::LARGEST {
            kept.push(std::mem::take(&mut self.bytes));
        }
    }
}

impl Source {
    /// A file as it lies there; what is packed, or lies in memory, is kept there.
    ///
    /// # Errors
    /// [`Error::Io`] naming the file; [`Error::Log`] for a damaged archive.
    pub fn of(input: &Input) -> Result<Self> {
        if cfg!(unix) && input.is_file() && !input.is_packed()? {
            let file = File::open(&input.path).map_err(Error::io(&input.path, "read"))?;
            return Ok(Self::File(Arc::new(file), Buffers::default()));
        }
        Ok(Self::Memory(input.bytes()?.into_owned().into()))
    }

    /// Bytes.
    pub fn length(&self) -> std::io::Result<u64> {
        match self {
            Self::Memory(bytes) => Ok(bytes.len() as u64),
            Self::File(file, _) => file.metadata().map(|data| data.len()),
        }
    }
}

/// Reads at a place, and leaves no trace in the file.
#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], at: u64) -> std::io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, at)
}

/// Elsewhere all bytes are in memory.
#[cfg(not(unix))]
fn read_at(_: &File, _: &mut [u8], _: u64) -> std::io::Result<usize> {
    Err(std::io::ErrorKind::Unsupported.into())
}

/// A part of the file, at its place there.
pub(super) struct Chunk {
    pub source: Source,
    pub range: Range<u64>,
}

/// The bytes of a chunk from a place on.
pub(super) struct Onward {
    source: Source,
    range: Range<u64>,
}

impl Read for Onward {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let left = usize::try_from(self.range.end - self.range.start).unwrap_or(usize::MAX);
        let wanted = buffer.len().min(left);
        let read = match &self.source {
            Source::Memory(bytes) => {
                let mut part = bytes.get(self.range.start as usize..).unwrap_or_default();
                let wanted = wanted.min(part.len());
                part.copy_to_slice(&mut buffer[..wanted]);
                wanted
            }
            Source::File(file, _) => read_at(file, &mut buffer[..wanted], self.range.start)?,
        };
        self.range.start += read as u64;
        Ok(read)
    }
}

impl Chunk {
    /// `length` bytes from `start` on.
    fn part(&self, start: u64, length: u64) -> Result<Range<u64>, ParquetError> {
        let end = start.checked_add(length).filter(|end| start >= self.range.start && *end <= self.range.end);
        let end =
            end.ok_or_else(|| ParquetError::EOF(format!("{length} bytes from byte {start} on: beyond its end")))?;
        Ok(start..end)
    }
}

impl Length for Chunk {
    fn len(&self) -> u64 {
        self.range.end
    }
}

impl ChunkReader for Chunk {
    type T = BufReader<Onward>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        let range = self.part(start, self.range.end.saturating_sub(start))?;
        Ok(BufReader::with_capacity(1024, Onward { source: self.source.clone(), range }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let range = self.part(start, length as u64)?;
        match &self.source {
            Source::Memory(bytes) => Ok(bytes.slice(range.start as usize..range.end as usize)),
            Source::File(_, buffers) => {
                // The part lies within the file: so much is there.
                let mut lent = buffers.take(length);
                Onward { source: self.source.clone(), range }.read_exact(&mut lent.bytes[..length])?;
                Ok(Bytes::from_owner(lent))
            }
        }
    }
}
