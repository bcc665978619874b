//! What can go wrong.

use std::path::PathBuf;

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VizError {
    /// A scene's arrays do not fit together.
    #[error("scene `{scene}`, {what}: found {found}, expected {expected}")]
    Scene {
        /// The scene's name.
        scene: String,
        /// Which array, and where in it.
        what: String,
        /// What was found.
        found: String,
        /// What was expected.
        expected: String,
    },
    /// The file could not be written; nothing of it is left.
    #[error("{}: cannot {action}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was being done.
        action: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The viewer could not be started or did not take the data.
    #[error(
        "cannot show the forecast in the rerun viewer: {0} (install it with `cargo install rerun-cli` or \
     `pip install rerun-sdk`, version 0.36)"
    )]
    Viewer(String),
    /// Rerun refused the data.
    #[error("rerun refused the data: {0}")]
    Rerun(String),
}

pub(super) fn refused(error: impl std::fmt::Display) -> VizError {
    VizError::Rerun(error.to_string())
}
