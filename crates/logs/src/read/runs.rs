//! The recorded episodes of a table with an episode column.

use super::table::Run;
use crate::error::{Error, Result};
use std::collections::HashMap;
use std::fmt::Display;
use std::path::Path;

/// The episodes of a table, by what its episode column `column` holds from row to row.
///
/// # Errors
/// [`Error::Log`] for an empty cell, and for an episode that goes on after others.
pub(crate) fn runs<N: PartialEq + Display>(
    path: &Path,
    column: &str,
    episodes: impl IntoIterator<Item = N>,
) -> Result<Vec<Run>> {
    let mut runs: Vec<Run> = Vec::new();
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut last = None;
    for (row, episode) in episodes.into_iter().enumerate() {
        if let Some(run) = runs.last_mut()
            && last.as_ref() == Some(&episode)
        {
            run.rows.end = row + 1;
            continue;
        }
        let name = episode.to_string();
        let error = |found: String, expected: &str| Error::Log {
            path: path.to_path_buf(),
            line: Some(row as u64 + 1),
            column: Some(column.into()),
            found,
            expected: expected.into(),
        };
        if name.is_empty() {
            return Err(error("an empty cell".into(), "the row's episode"));
        }
        if let Some(first) = seen.insert(name.clone(), row + 1) {
            let found = format!("episode `{name}` again, after other episodes (it began at line {first})");
            return Err(error(found, "the rows of an episode one after the other"));
        }
        runs.push(Run { episode: Some(name), rows: row..row + 1 });
        last = Some(episode);
    }
    Ok(runs)
}
