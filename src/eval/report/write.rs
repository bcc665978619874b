//! A report as files.

use super::{Figure, Report, html, markdown};
use crate::error::Result;
use crate::files::write_bytes;
use std::path::{Path, PathBuf};

impl Report {
    /// The files that [`Comparison::write`](crate::eval::Comparison::write) leaves beside `plots/`: for programs, to
    /// read as text, and as a page.
    pub const FILES: [&str; 3] = ["report.json", "report.md", "report.html"];

    /// Writes `report.json`, `report.md`, `report.html` and `plots/<name>.svg` of each figure under `folder`; returns
    /// the files written.
    ///
    /// # Errors
    /// As [`Report::validate`], before anything is written; [`crate::Error::Io`] naming the file that cannot be
    /// written.
    pub(crate) fn write(&self, folder: &Path, figures: &[Figure]) -> Result<Vec<PathBuf>> {
        let texts = [self.to_json()?, markdown(self, figures), html(self, figures)];
        let mut files: Vec<_> = Self::FILES.iter().map(|name| folder.join(name)).zip(texts).collect();
        let plot = |figure: &Figure| (folder.join("plots").join(format!("{}.svg", figure.name)), figure.svg.clone());
        files.extend(figures.iter().map(plot));
        for (path, text) in &files {
            write_bytes(path, text.as_bytes())?;
        }
        Ok(files.into_iter().map(|(path, _)| path).collect())
    }
}
