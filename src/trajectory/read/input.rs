//! A log file before it is parsed.

use crate::trajectory::Source;
use std::path::PathBuf;

/// A file's contents, unpacked.
pub(crate) struct Input<'a> {
    pub path: PathBuf,
    pub source: Source,
    pub bytes: &'a [u8],
}
