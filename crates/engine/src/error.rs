//! The one error type of the workspace: every variant says where, what was found and what was expected.

use std::path::{Path, PathBuf};

/// Result of every fallible operation of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong, with its place and its values.
///
/// [`Error::exit_code`] maps each variant to the process's exit status: 2 for input that the user can mend,
/// 130 for an interruption, 1 for everything else.
///
/// ```
/// use ebmotion_engine::Error;
///
/// let error = Error::config("train.steps", 0, "at least 1");
/// assert_eq!(error.to_string(), "setting `train.steps`: found 0, expected at least 1");
/// assert_eq!(error.exit_code(), 2);
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused a file operation.
    #[error("{}: cannot {action}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was being done, as a verb phrase ("read", "create the folder").
        action: &'static str,
        /// The system's own reason.
        source: std::io::Error,
    },
    /// A log file, or the file of a robot, holds something it must not.
    #[error("{}{}{}: found {found}, expected {expected}", path.display(), line_text(*line), column_text(column))]
    Log {
        /// The log file.
        path: PathBuf,
        /// 1-based line in the file (the header is line 1), where there is one.
        line: Option<u64>,
        /// Column name, or its 1-based number where it has no name.
        column: Option<String>,
        /// What stands there.
        found: String,
        /// What should stand there.
        expected: String,
    },
    /// A file or folder of images holds something it must not, or is not there.
    #[error("{}{}: found {found}, expected {expected}", path.display(), place_text(place))]
    Image {
        /// The file, or the folder in which a set is looked for.
        path: PathBuf,
        /// Where in it ("byte 16", "row 3", "train/0.png"), where that can be said.
        place: Option<String>,
        /// What stands there.
        found: String,
        /// What should stand there.
        expected: String,
    },
    /// A model or checkpoint file is not one of ours, is damaged, or does not fit what it is used with.
    #[error("{}: found {found}, expected {expected}", path.display())]
    Model {
        /// The model file.
        path: PathBuf,
        /// What was found.
        found: String,
        /// What was expected.
        expected: String,
    },
    /// A setting is unknown, of the wrong type or out of its range.
    #[error("setting `{key}`: found {found}, expected {expected}")]
    Config {
        /// Dotted name of the setting.
        key: String,
        /// The given value.
        found: String,
        /// The permitted values.
        expected: String,
    },
    /// Data that are well formed but cannot serve the purpose (too few episodes, windows longer than an episode).
    #[error("{what}: found {found}, expected {expected}")]
    Data {
        /// The quantity concerned.
        what: String,
        /// What was found.
        found: String,
        /// What was expected.
        expected: String,
    },
    /// An array has the wrong shape.
    #[error("{what}: found shape {found:?}, expected {expected}")]
    Shape {
        /// The array.
        what: &'static str,
        /// Its shape.
        found: Vec<usize>,
        /// The shape it must have.
        expected: String,
    },
    /// A number that must be finite is NaN or infinite.
    #[error("{what} is {value} at step {step}, expected a finite number")]
    NonFinite {
        /// The quantity.
        what: String,
        /// The value found.
        value: f64,
        /// Step of the training run or of the chain.
        step: u64,
    },
    /// A training run went astray.
    #[error("training diverged at step {step}: {why}{}", saved.as_deref().map_or_else(
        String::new, |p| format!("; the last good checkpoint is {}", p.display())))]
    Diverged {
        /// What was seen, and what it was before.
        why: String,
        /// Step reached.
        step: u64,
        /// The last checkpoint before that.
        saved: Option<PathBuf>,
    },
    /// The user asked to stop; what was done so far is saved.
    #[error("interrupted at step {step}; {}", saved.as_deref().map_or_else(
        || "nothing was saved".to_string(), |p| format!("the state is saved in {}", p.display())))]
    Interrupted {
        /// Step reached.
        step: u64,
        /// Where the state was saved.
        saved: Option<PathBuf>,
    },
    /// The tensor library refused an operation.
    #[cfg(feature = "learning")]
    #[error("tensor operation failed: {0}")]
    Tensor(#[from] candle_core::Error),
    /// A part that this build leaves out.
    #[error("this build leaves {what} out: build with the feature `{feature}`")]
    LeftOut {
        /// The part.
        what: &'static str,
        /// The feature of the build that has it.
        feature: &'static str,
    },
    /// A result that a format cannot hold.
    #[error("{what} cannot be written as {format}: {why}")]
    Unwritable {
        /// The result.
        what: String,
        /// The format ("JSON", "PNG").
        format: &'static str,
        /// The writer's own reason.
        why: String,
    },
    /// A strict check does not let pass what it found, which was told where it was found.
    #[error("{count} findings of the kind warning or error, the gravest `{gravest}`: expected none")]
    NotClean {
        /// How many.
        count: usize,
        /// The kind of the gravest.
        gravest: &'static str,
    },
    /// Something asked of a part that does not do it.
    #[error("{what} cannot {action}: {why}")]
    Unsupported {
        /// The part asked ("this network", "cuDNN").
        what: &'static str,
        /// What was asked, as a verb phrase.
        action: &'static str,
        /// What stands in its way.
        why: String,
    },
}

impl Error {
    /// Wraps an operating system error with its file and the action that failed.
    pub fn io(path: impl AsRef<Path>, action: &'static str) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.as_ref().to_path_buf();
        move |source| Error::Io { path, action, source }
    }

    /// Shorthand for [`Error::Data`].
    pub fn data(what: impl Into<String>, found: impl std::fmt::Display, expected: impl Into<String>) -> Self {
        Error::Data { what: what.into(), found: found.to_string(), expected: expected.into() }
    }

    /// Shorthand for [`Error::Config`].
    pub fn config(key: impl Into<String>, found: impl std::fmt::Display, expected: impl Into<String>) -> Self {
        Error::Config { key: key.into(), found: found.to_string(), expected: expected.into() }
    }

    /// Shorthand for [`Error::Model`].
    pub fn model(path: impl AsRef<Path>, found: impl std::fmt::Display, expected: impl Into<String>) -> Self {
        Error::Model { path: path.as_ref().to_path_buf(), found: found.to_string(), expected: expected.into() }
    }

    /// Shorthand for [`Error::Image`] without a place.
    pub fn image(path: impl AsRef<Path>, found: impl std::fmt::Display, expected: impl Into<String>) -> Self {
        let path = path.as_ref().to_path_buf();
        Error::Image { path, place: None, found: found.to_string(), expected: expected.into() }
    }

    /// Makes an [`Error::Unwritable`] of a writer's error.
    pub fn unwritable<E: std::fmt::Display>(what: impl Into<String>, format: &'static str) -> impl Fn(E) -> Error {
        let what = what.into();
        move |e| Error::Unwritable { what: what.clone(), format, why: e.to_string() }
    }

    /// Shorthand for [`Error::Unsupported`].
    pub fn unsupported(what: &'static str, action: &'static str, why: impl std::fmt::Display) -> Self {
        Error::Unsupported { what, action, why: why.to_string() }
    }

    /// Says where in the file: only an [`Error::Image`] keeps it.
    #[must_use]
    pub fn at(mut self, at: impl std::fmt::Display) -> Self {
        if let Error::Image { place, .. } = &mut self {
            *place = Some(at.to_string());
        }
        self
    }

    /// Exit status of a process that ends with this error: 2 where the user's input is at fault, 130 after an
    /// interruption, 1 otherwise.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Io { .. } | Error::Log { .. } | Error::Image { .. } => 2,
            Error::Model { .. } | Error::Config { .. } | Error::Data { .. } | Error::LeftOut { .. } => 2,
            Error::Interrupted { .. } => 130,
            _ => 1,
        }
    }
}

fn line_text(line: Option<u64>) -> String {
    line.map_or_else(String::new, |l| format!(", line {l}"))
}

fn place_text(place: &Option<String>) -> String {
    place.as_ref().map_or_else(String::new, |p| format!(", {p}"))
}

fn column_text(column: &Option<String>) -> String {
    column.as_ref().map_or_else(String::new, |c| format!(", column `{c}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_tells_its_values_and_its_exit_code() {
        let refused = || std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        let log = |line, column| {
            let (found, expected) = ("`fast`".into(), "a number".into());
            Error::Log { path: "a.csv".into(), line, column, found, expected }
        };
        let text = || "a text".to_string();
        let saved = Some(PathBuf::from("m.checkpoint"));
        let cases = [
            (Error::io("a.csv", "read")(refused()), "a.csv: cannot read: permission denied", 2),
            (log(Some(5), Some("q".into())), "a.csv, line 5, column `q`: found `fast`, expected a number", 2),
            (log(None, None), "a.csv: found `fast`, expected a number", 2),
            (Error::image("i.png", 3, "4").at("row 1"), "i.png, row 1: found 3, expected 4", 2),
            (Error::image("i.png", 3, "4"), "i.png: found 3, expected 4", 2),
            (Error::model("m", 3, "4"), "m: found 3, expected 4", 2),
            (Error::config("a.b", 3, "4"), "setting `a.b`: found 3, expected 4", 2),
            (Error::data("rows", 3, "4"), "rows: found 3, expected 4", 2),
            (
                Error::LeftOut { what: "recordings", feature: "rerun" },
                "this build leaves recordings out: build with the feature `rerun`",
                2,
            ),
            (
                Error::Shape { what: "images", found: vec![1, 2], expected: "(B, 3)".into() },
                "images: found shape [1, 2], expected (B, 3)",
                1,
            ),
            (
                Error::NonFinite { what: "loss".into(), value: f64::NAN, step: 7 },
                "loss is NaN at step 7, expected a finite number",
                1,
            ),
            (
                Error::Diverged { why: text(), step: 7, saved: saved.clone() },
                "training diverged at step 7: a text; the last good checkpoint is m.checkpoint",
                1,
            ),
            (Error::Diverged { why: text(), step: 7, saved: None }, "training diverged at step 7: a text", 1),
            (Error::Interrupted { step: 7, saved }, "interrupted at step 7; the state is saved in m.checkpoint", 130),
            (Error::Interrupted { step: 7, saved: None }, "interrupted at step 7; nothing was saved", 130),
            (Error::unwritable("a plot", "SVG")("too wide"), "a plot cannot be written as SVG: too wide", 1),
            (
                Error::unsupported("this network", "give its gradient", "it has none"),
                "this network cannot give its gradient: it has none",
                1,
            ),
        ];
        for (error, message, code) in cases {
            assert_eq!(error.to_string(), message);
            assert_eq!(error.exit_code(), code, "{message}");
        }
    }

    #[test]
    fn only_images_keep_a_place() {
        assert_eq!(Error::data("rows", 3, "4").at("row 1").to_string(), "rows: found 3, expected 4");
    }
}
