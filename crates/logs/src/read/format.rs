//! What a format is.

use super::input::Input;
use super::options::ReadOptions;
use super::table::Table;
use crate::error::Result;

/// A format of logs.
pub(crate) struct Format {
    /// What messages call it.
    pub name: &'static str,
    /// Endings by which files of a folder are taken for logs (also with `.gz` or `.zst`), and which an episode's name
    /// leaves out.
    pub extensions: &'static [&'static str],
    /// Whether a log is of this format, by its first bytes (none of a folder). Files are told by content alone.
    pub is: fn(&Input, &[u8]) -> bool,
    /// Reads a log. What it holds is judged afterwards, for all formats alike.
    pub read: fn(&Input, &ReadOptions) -> Result<Table>,
}
