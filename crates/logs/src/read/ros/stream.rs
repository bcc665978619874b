//! Bytes of a file from front to back: nothing is allocated by a length that only the file claims.

use crate::error::Error;
use crate::read::Input;
use std::io::{BufRead, BufReader, ErrorKind, Read};

/// A length up to which memory is taken at once.
const AT_ONCE: u64 = 1 << 20;
/// No message is longer, bytes.
pub(super) const LONGEST: u64 = 1 << 28;

/// Why reading stopped.
#[derive(Debug)]
pub(super) enum Stop {
    /// The bytes are not there, or cannot be unpacked.
    Io(std::io::Error),
    /// They are not as the format has them.
    Bad(String),
    /// It is an error whatever else is there.
    Error(Error),
}

impl From<std::io::Error> for Stop {
    fn from(e: std::io::Error) -> Self {
        Stop::Io(e)
    }
}

impl From<Error> for Stop {
    fn from(e: Error) -> Self {
        Stop::Error(e)
    }
}

impl Stop {
    /// What is wrong with the file's contents, in words.
    ///
    /// # Errors
    /// Where it is not they: what the system refused, and errors that stand for themselves.
    pub fn damage(self, input: &Input) -> Result<String, Error> {
        match self {
            Stop::Error(error) => Err(error),
            Stop::Io(e) if e.raw_os_error().is_some() => Err(Error::io(&input.path, "read")(e)),
            Stop::Io(e) if e.kind() == ErrorKind::UnexpectedEof => Ok("the end of the file".into()),
            Stop::Io(e) => Ok(e.to_string()),
            Stop::Bad(why) => Ok(why),
        }
    }
}

/// The bytes of a log, counted.
pub(super) struct Bytes<'a> {
    inner: BufReader<Box<dyn Read + 'a>>,
    /// How many were read.
    pub at: u64,
    /// Whether more were asked for than there are.
    pub ended: bool,
}

impl<'a> Bytes<'a> {
    pub fn new(inner: Box<dyn Read + 'a>) -> Self {
        Self { inner: BufReader::with_capacity(1 << 17, inner), at: 0, ended: false }
    }

    /// Whether nothing is left.
    ///
    /// # Errors
    /// Of reading.
    pub fn is_at_end(&mut self) -> std::io::Result<bool> {
        Ok(self.inner.fill_buf()?.is_empty())
    }
}

impl Read for Bytes<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(into)?;
        self.at += count as u64;
        self.ended |= count == 0 && !into.is_empty();
        Ok(count)
    }
}

/// Exactly `length` bytes.
///
/// # Errors
/// Of reading; `UnexpectedEof` where there are fewer.
pub(super) fn fill(reader: &mut impl Read, length: u64, into: &mut Vec<u8>) -> Result<(), Stop> {
    into.clear();
    if length > LONGEST {
        return Err(Stop::Bad(format!("a record of {length} bytes")));
    }
    if length <= AT_ONCE {
        into.resize(length as usize, 0);
        return Ok(reader.read_exact(into)?);
    }
    match reader.take(length).read_to_end(into)? as u64 == length {
        true => Ok(()),
        false => Err(Stop::Io(ErrorKind::UnexpectedEof.into())),
    }
}

/// Goes past exactly `length` bytes.
///
/// # Errors
/// As [`fill`].
pub(super) fn skip(reader: &mut impl Read, length: u64) -> Result<(), Stop> {
    match std::io::copy(&mut reader.take(length), &mut std::io::sink())? == length {
        true => Ok(()),
        false => Err(Stop::Io(ErrorKind::UnexpectedEof.into())),
    }
}

/// The next `N` bytes.
///
/// # Errors
/// As [`fill`].
pub(super) fn array<const N: usize>(reader: &mut impl Read) -> Result<[u8; N], Stop> {
    let mut bytes = [0; N];
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}
