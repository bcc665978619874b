//! What a writer is, and how it is asked.

use crate::Recording;
use crate::error::Result;
use std::path::Path;

/// A format in which recordings are written.
pub(crate) struct Writer {
    /// What messages call it.
    pub name: &'static str,
    /// How paths of it end; empty for a folder.
    pub ending: &'static str,
    /// Writes all of a recording or nothing; returns what a person has to know of it, a sentence each.
    pub write: fn(&Recording, &Path, &WriteOptions) -> Result<Vec<String>>,
}

/// How recordings are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteOptions {
    /// Replace what is there. A folder is replaced only by a dataset of its own kind.
    pub overwrite: bool,
    /// What the robot does, in words: LeRobot's task of every episode.
    pub task: String,
}

impl Default for WriteOptions {
    fn default() -> Self {
        Self { overwrite: false, task: "motion".into() }
    }
}
