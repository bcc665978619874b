//! A report as files.

use super::{Figure, Report, html, markdown};
use crate::error::Result;
use crate::files::write_bytes;
use std::path::{Path, PathBuf};

impl Report {
    /// Writes `report.json`, `report.md`, `report.html` and `plots/<name>.svg` of each figure under `folder`; returns
    /// the files written.
    ///
    /// # Errors
    /// As [`Report::validate`], before anything is written; [`crate::Error::Io`] naming the file that cannot be written.
    pub fn write(&self, folder: &Path, figures: &[Figure]) -> Result<Vec<PathBuf>> {
        let mut files = vec![
            (folder.join("report.json"), self.to_json()?),
            (folder.join("report.md"), markdown(self, figures)),
            (folder.join("report.html"), html(self, figures)),
        ];
        let plot = |figure: &Figure| (folder.join("plots").join(format!("{}.svg", figure.name)), figure.svg.clone());
        files.extend(figures.iter().map(plot));
        for (path, text) in &files {
            write_bytes(path, text.as_bytes())?;
        }
        Ok(files.into_iter().map(|(path, _)| path).collect())
    }
}
