//! A log file before it is parsed.

use crate::files::FileRecord;
use std::path::PathBuf;

/// A file's contents, unpacked.
pub(crate) struct Input<'a> {
    pub path: PathBuf,
    pub source: FileRecord,
    pub bytes: &'a [u8],
}
