//! Numbers that are being read: into memory, and beyond a size into a temporary file.

use super::file::Spill;
use super::stored::{Store, Values};
use crate::error::Result;

/// Numbers up to which they stay in memory: 64 MB.
const MOST: usize = 8 << 20;
/// Numbers up to which those of one table stay in memory, where it is known beforehand how many there are: 256 MB.
#[cfg(feature = "parquet")]
const MOST_OF_TABLE: usize = 32 << 20;
/// Numbers that are written to a file at once.
const BLOCK: usize = 1 << 17;

/// Numbers at whose end others are added.
#[derive(Debug)]
pub(crate) struct Growing {
    /// What was written so far; none of what is in memory.
    spill: Option<Spill>,
    /// Those after it.
    tail: Vec<f64>,
    /// So many may be in memory without a file.
    most: usize,
}

impl Default for Growing {
    fn default() -> Self {
        Self { spill: None, tail: Vec::new(), most: most(MOST) }
    }
}

#[cfg(not(test))]
fn most(usual: usize) -> usize {
    usual
}

/// Tests of this crate write small logs to files too.
#[cfg(test)]
fn most(usual: usize) -> usize {
    super::tests::MOST_OF_TEST.get().unwrap_or(usual)
}

/// Whether the numbers of a table stay in memory.
#[cfg(feature = "parquet")]
pub(crate) fn stays(length: usize) -> bool {
    length <= most(MOST_OF_TABLE)
}

impl Growing {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.spill.as_ref().map_or(0, Spill::len) + self.tail.len()
    }

    /// Adds numbers.
    ///
    /// # Errors
    /// [`crate::Error::Io`] naming the folder where no temporary file can be made, or where it is full.
    pub fn extend(&mut self, values: &[f64]) -> Result<()> {
        self.tail.extend_from_slice(values);
        if self.spill.is_none() && self.tail.len() > self.most {
            self.spill = Some(Spill::new()?);
        }
        if let Some(spill) = &mut self.spill
            && self.tail.len() >= BLOCK.min(self.most)
        {
            self.tail.chunks(BLOCK).try_for_each(|block| spill.append(block))?;
            match self.tail.capacity() > 2 * BLOCK {
                true => self.tail = Vec::with_capacity(BLOCK),
                false => self.tail.clear(),
            }
        }
        Ok(())
    }

    /// Takes away all from place `length` on.
    ///
    /// # Errors
    /// [`crate::Error::Io`] where the file cannot be shortened.
    #[cfg(any(test, feature = "ros"))]
    pub fn truncate(&mut self, length: usize) -> Result<()> {
        let written = self.spill.as_ref().map_or(0, Spill::len);
        self.tail.truncate(length.saturating_sub(written));
        match &mut self.spill {
            Some(spill) if length < written => spill.truncate(length),
            _ => Ok(()),
        }
    }

    /// All of them.
    ///
    /// # Errors
    /// As [`Growing::extend`]; [`crate::Error::Io`] where the file cannot be mapped into memory.
    pub fn finish(mut self) -> Result<Values> {
        match self.spill.take() {
            None => Ok(self.tail.into()),
            Some(mut spill) => {
                spill.append(&self.tail)?;
                Ok(Values::of(Store::File(spill.map()?)))
            }
        }
    }

    /// The only values of what is collected by `fill`.
    ///
    /// # Errors
    /// Those of `fill` and of [`Growing::finish`].
    pub fn filled(fill: impl FnOnce(&mut Self) -> Result<()>) -> Result<Values> {
        let mut growing = Self::default();
        fill(&mut growing)?;
        growing.finish()
    }
}
