//! Standard output, and checks before long work begins: can the outputs be written, and do they spare the inputs?

use ebmotion::{Error, Result};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Prints to standard output; a reader that has gone away (`| head`) is no error.
pub(crate) fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(Error::io("standard output", "write")(e)),
        _ => Ok(()),
    }
}

/// A model's name: that of its file without `.safetensors`. Other ends stay: `run.1` and `run.2` are two names.
pub(crate) fn name(model: &Path) -> String {
    let end = model.extension().is_some_and(|end| end == "safetensors");
    let name = if end { model.file_stem() } else { model.file_name() };
    name.unwrap_or(model.as_os_str()).to_string_lossy().into_owned()
}

/// `model.safetensors` -> `model.SUFFIX`.
pub(crate) fn beside(model: &Path, suffix: &str) -> PathBuf {
    model.with_file_name(format!("{}.{suffix}", name(model)))
}

/// The files that a run reads. Nothing that it writes may take the place of one of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Inputs(Vec<PathBuf>);

impl Inputs {
    /// Of these paths; a folder counts as no file.
    pub(crate) fn new<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Self {
        let mut inputs = Self::default();
        inputs.add(paths);
        inputs
    }

    /// With these as well.
    pub(crate) fn add<P: AsRef<Path>>(&mut self, paths: impl IntoIterator<Item = P>) {
        self.0.extend(paths.into_iter().map(|path| path.as_ref().to_path_buf()).filter(|path| !path.is_dir()));
    }

    /// Refuses an output that is one of the inputs, be it by another name: a link, another way to its folder.
    pub(crate) fn spared_by<P: AsRef<Path>>(&self, outputs: impl IntoIterator<Item = P>) -> Result<()> {
        for output in outputs {
            let output = output.as_ref();
            let Some(written) = identity(output) else { continue };
            if let Some(input) = self.0.iter().find(|input| identity(input).as_ref() == Some(&written)) {
                let found = format!("`{}`, which this run reads (as `{}`)", output.display(), input.display());
                return Err(Error::config("output", found, "another file: a run never replaces what it reads"));
            }
        }
        Ok(())
    }
}

/// What makes two paths the same file; `None` where there is no file.
#[cfg(unix)]
fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

/// What makes two paths the same file; `None` where there is no file.
#[cfg(not(unix))]
fn identity(path: &Path) -> Option<PathBuf> {
    path.canonicalize().ok()
}

/// Whether a table of results is written as CSV, and not as JSON, by the end of the file's name.
pub(crate) fn is_csv(path: Option<&Path>) -> Result<bool> {
    match path.map(|p| (p, p.extension().and_then(|e| e.to_str()))) {
        None | Some((_, Some("json"))) => Ok(false),
        Some((_, Some("csv"))) => Ok(true),
        Some((path, _)) => Err(Error::config("output", path.display(), "a file that ends in .csv or .json")),
    }
}

/// Fails now rather than after the work when nothing can be written to the file's folder.
pub(crate) fn check_writable(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Err(Error::io(path, "write")(std::io::Error::from(std::io::ErrorKind::IsADirectory)));
    }
    let folder = match path.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("."),
    };
    check_folder(folder)
}

/// Refuses to lose an earlier run's model or checkpoint, and finds out now whether they can be written.
pub(crate) fn check_model(path: &Path, checkpoint: &Path, resume: bool, overwrite: bool) -> Result<()> {
    check_writable(path)?;
    if checkpoint.exists() && !resume && !overwrite {
        let expected = "--resume to go on with it, or --overwrite to start anew";
        return Err(Error::model(checkpoint, "the checkpoint of a run that did not end", expected));
    }
    if path.exists() && !overwrite && !resume {
        return Err(Error::model(path, "a file that is already there", "--overwrite to replace it"));
    }
    if resume && !checkpoint.exists() {
        return Err(Error::model(checkpoint, "no checkpoint", "one, for --resume"));
    }
    if overwrite && checkpoint.exists() {
        std::fs::remove_file(checkpoint).map_err(Error::io(checkpoint, "remove"))?;
    }
    Ok(())
}

/// Fails now rather than after the work when nothing can be written to the folder, which is created.
pub(crate) fn check_folder(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(Error::io(folder, "create the folder"))?;
    tempfile::Builder::new()
        .prefix(".ebmotion-")
        .tempfile_in(folder)
        .map(drop)
        .map_err(Error::io(folder, "write into the folder"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_that_differ_have_companions_that_differ() {
        for (model, companion) in [
            ("a/model.safetensors", "a/model.checkpoint"),
            ("model", "model.checkpoint"),
            ("run.1", "run.1.checkpoint"),
            ("run.2", "run.2.checkpoint"),
            ("run.2.safetensors", "run.2.checkpoint"),
        ] {
            assert_eq!(beside(Path::new(model), "checkpoint"), Path::new(companion));
        }
    }
}
