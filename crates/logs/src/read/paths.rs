//! Which files are meant, and what their episodes are called.

use super::packed::Packing;
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// Stands for standard input among the paths.
pub(crate) const STDIN: &str = "-";

/// The logs meant by `paths`: files, standard input and folders that are one log as they are, other folders as the logs
/// directly in them, sorted; where there are none, those in the folders within, in the same way. A path that is not
/// there and has `*`, `?` or `[` is a pattern and stands for all that it fits, sorted.
pub(crate) fn log_files(
    paths: &[impl AsRef<Path>],
    extensions: &[&str],
    is_one_log: fn(&Path) -> bool,
) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let paths = paths.iter().map(|path| fitting(path.as_ref())).collect::<Result<Vec<_>>>()?.concat();
    if paths.iter().filter(|path| path.as_os_str() == STDIN).count() > 1 {
        return Err(Error::data("logs", "standard input (`-`) twice", "every log once"));
    }
    for path in &paths {
        if !path.is_dir() || is_one_log(path) {
            files.push(path.to_path_buf());
            continue;
        }
        let mut inside = Vec::new();
        gather(path, extensions, is_one_log, &mut inside)?;
        if inside.is_empty() {
            let expected =
                format!("at least one file that ends in {} (or that and .gz or .zst)", extensions.join(", "));
            return Err(Error::data(format!("folder {}", path.display()), "no log file", expected));
        }
        files.append(&mut inside);
    }
    if files.is_empty() {
        return Err(Error::data("logs", "no path", "at least one log file or folder"));
    }
    Ok(files)
}

/// The paths that fit a pattern; a path that is there, or is no pattern, stands for itself.
fn fitting(path: &Path) -> Result<Vec<PathBuf>> {
    let text = path.to_string_lossy();
    if !text.contains(['*', '?', '[']) || path.exists() {
        return Ok(vec![path.to_path_buf()]);
    }
    let what = || format!("logs `{text}`");
    let found = glob::glob(&text).map_err(|e| Error::data(what(), e, "a file, a folder or a pattern of names"))?;
    let found: Vec<PathBuf> = found.collect::<std::result::Result<_, _>>().map_err(|e| {
        let place = e.path().to_path_buf();
        Error::io(&place, "list")(e.into())
    })?;
    match found.is_empty() {
        true => Err(Error::data(what(), "no file or folder that fits", "at least one")),
        false => Ok(found),
    }
}

/// Adds the logs in a folder. A link to a folder is not followed, so that this ends.
fn gather(folder: &Path, extensions: &[&str], is_one_log: fn(&Path) -> bool, into: &mut Vec<PathBuf>) -> Result<()> {
    let (mut logs, mut folders) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(folder).map_err(Error::io(folder, "list"))? {
        let entry = entry.map_err(Error::io(folder, "list"))?;
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if path.is_dir() && is_one_log(&path) || path.is_file() && stem(&path, extensions).is_some() {
            logs.push(path);
        } else if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            folders.push(path);
        }
    }
    logs.sort();
    folders.sort();
    if logs.is_empty() {
        folders.iter().try_for_each(|inner| gather(inner, extensions, is_one_log, into))?;
    }
    into.append(&mut logs);
    Ok(())
}

/// Names for the episodes of `files`: the file's name without its ending, with its folders where two would be alike.
pub(crate) fn stems(files: &[PathBuf], extensions: &[&str]) -> Vec<String> {
    let short = |path: &PathBuf| {
        if path.as_os_str() == STDIN {
            return "stdin".into();
        }
        let name = path.file_name().unwrap_or(path.as_os_str());
        let name = Path::new(name);
        stem(name, extensions).unwrap_or_else(|| name.display().to_string())
    };
    let all: Vec<String> = files.iter().map(short).collect();
    let alike = |name: &String| all.iter().filter(|other| *other == name).count() > 1;
    let pick = |(path, short): (&PathBuf, &String)| match alike(short) {
        true => stem(path, extensions).unwrap_or_else(|| path.display().to_string()),
        false => short.clone(),
    };
    files.iter().zip(&all).map(pick).collect()
}

/// `path` without the ending of a known format; `None` where it has none.
fn stem(path: &Path, extensions: &[&str]) -> Option<String> {
    let text = path.to_string_lossy();
    let lower = text.to_lowercase();
    let inner = Packing::ALL.iter().find_map(|p| lower.strip_suffix(p.ending())).unwrap_or(&lower);
    // Lowercasing may change the length of a letter; the endings themselves are ASCII.
    let ending = extensions.iter().find(|e| inner.ends_with(**e))?.len() + lower.len() - inner.len();
    text.get(..text.len().checked_sub(ending)?).map(Into::into)
}
