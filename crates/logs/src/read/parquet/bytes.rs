//! The bytes of a Parquet file, read where they are needed by several threads at once.

use super::super::Input;
use crate::error::{Error, Result};
use ::bytes::{Buf, Bytes};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};
use std::fs::File;
use std::io::{BufReader, Read};
use std::ops::Range;
use std::sync::Arc;

/// Where the bytes are.
#[derive(Clone)]
pub(super) enum Source {
    Memory(Bytes),
    File(Arc<File>),
}

impl Source {
    /// A file as it lies there; what is packed, or lies in memory, is kept there.
    ///
    /// # Errors
    /// [`Error::Io`] naming the file; [`Error::Log`] for a damaged archive.
    pub fn of(input: &Input) -> Result<Self> {
        if cfg!(unix) && input.is_file() && !input.is_packed()? {
            let file = File::open(&input.path).map_err(Error::io(&input.path, "read"))?;
            return Ok(Self::File(Arc::new(file)));
        }
        Ok(Self::Memory(input.bytes()?.into_owned().into()))
    }

    /// Bytes.
    pub fn length(&self) -> std::io::Result<u64> {
        match self {
            Self::Memory(bytes) => Ok(bytes.len() as u64),
            Self::File(file) => file.metadata().map(|data| data.len()),
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
            Source::File(file) => read_at(file, &mut buffer[..wanted], self.range.start)?,
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
        if let Source::Memory(bytes) = &self.source {
            return Ok(bytes.slice(range.start as usize..range.end as usize));
        }
        // The part lies within the file: so much is there.
        let mut bytes = vec![0; length];
        Onward { source: self.source.clone(), range }.read_exact(&mut bytes)?;
        Ok(bytes.into())
    }
}
