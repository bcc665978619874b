//! `meta/info.json`: what a dataset holds, and where.

use crate::error::{Error, Result};
use serde_json::{Map, Value};
use std::path::{Component, Path, PathBuf};

pub(super) use crate::read::signature::INFO;

/// What a dataset says of itself.
pub(super) struct Info {
    /// The dataset's folder.
    pub folder: PathBuf,
    /// Whether its layout is that of version 3.
    pub three: bool,
    /// Frames per second, above 0.
    pub fps: f64,
    /// Pattern of the data files' paths.
    pub data_path: String,
    /// Files or episodes in a chunk, at least 1.
    pub chunks_size: u64,
    /// What each column is.
    pub features: Map<String, Value>,
}

impl Info {
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(INFO);
        let text = std::fs::read(&path).map_err(Error::io(&path, "read"))?;
        let info: Value = serde_json::from_slice(&text)
            .map_err(|e| wrong(&path, None, format!("JSON that cannot be read ({e})"), "a JSON object"))?;
        let version = info["codebase_version"].as_str().unwrap_or("none");
        let (two, three) = (["v2.0", "v2.1"].contains(&version), version.starts_with("v3."));
        if !two && !three {
            let expected = "v2.0, v2.1 or v3 (LeRobot converts older datasets)";
            return Err(wrong(&path, Some("codebase_version"), format!("version {version}"), expected));
        }
        let Some(fps) = info["fps"].as_f64().filter(|fps| fps.is_finite() && *fps > 0.0) else {
            return Err(wrong(&path, Some("fps"), info["fps"].to_string(), "frames per second, above 0"));
        };
        let Some(features) = info["features"].as_object() else {
            return Err(wrong(&path, Some("features"), kind(&info["features"]), "an object with a feature a column"));
        };
        let Some(data_path) = info["data_path"].as_str().filter(|p| is_within(p)) else {
            let expected = "the pattern of paths within the folder";
            return Err(wrong(&path, Some("data_path"), info["data_path"].to_string(), expected));
        };
        Ok(Self {
            folder: folder.to_path_buf(),
            three,
            fps,
            data_path: data_path.into(),
            chunks_size: info["chunks_size"].as_u64().unwrap_or(1000).max(1),
            features: features.clone(),
        })
    }

    /// What lists the episodes, for messages.
    pub fn episodes_name(&self) -> &'static str {
        if self.three { "`meta/episodes`" } else { "`meta/episodes.jsonl`" }
    }

    /// The path of a data file: `{name:03d}` in the pattern is the number of that name.
    pub fn data_file(&self, numbers: &[(&str, u64)]) -> Result<PathBuf> {
        let mut path = self.data_path.clone();
        for (name, number) in numbers {
            for width in 0..=9 {
                path = path.replace(&format!("{{{name}:0{width}d}}"), &format!("{number:0width$}"));
            }
            path = path.replace(&format!("{{{name}}}"), &number.to_string());
        }
        if path.contains('{') {
            let known = numbers.iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(" and ");
            let found = format!("the pattern `{}`", self.data_path);
            return Err(wrong(&self.folder.join(INFO), Some("data_path"), found, &format!("one of {known}")));
        }
        Ok(self.folder.join(path))
    }
}

/// An error of a file of a dataset.
pub(super) fn wrong(path: &Path, key: Option<&str>, found: impl Into<String>, expected: &str) -> Error {
    Error::Log {
        path: path.to_path_buf(),
        line: None,
        column: key.map(Into::into),
        found: found.into(),
        expected: expected.into(),
    }
}

/// What kind of value stands there.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) | Value::Number(_) | Value::String(_) => "a single value",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Whether a path stays within the folder.
fn is_within(path: &str) -> bool {
    Path::new(path).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}
