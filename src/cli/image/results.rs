//! What an experiment leaves, and how it ends.

use crate::cli::args::{Again, Common};
use crate::cli::console::Console;
use crate::cli::output;
use ebmotion::experiment::Journal;
use ebmotion::image::Images;
use ebmotion::image::grid::{self, Layout};
use ebmotion::{Error, Result, files};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// True when only the settings were asked for, which are now printed.
pub(super) fn printed<C: Serialize>(common: &Common, config: &C) -> Result<bool> {
    if common.print_config {
        output::print(&config_text(config)?)?;
    }
    Ok(common.print_config)
}

/// Settings as TOML.
pub(super) fn config_text<C: Serialize>(config: &C) -> Result<String> {
    toml::to_string(config).map_err(|e| Error::Other(format!("settings as TOML: {e}")))
}

/// The folder of an experiment's results.
pub(super) struct Results {
    pub(super) folder: PathBuf,
}

impl Results {
    /// Finds out now whether anything can be written there.
    pub(super) fn new(common: &Common) -> Result<Self> {
        let folder = common.output()?.to_path_buf();
        output::check_folder(&folder)?;
        Ok(Self { folder })
    }

    /// What the experiment has done so far, in `NAME.unfinished` until it ends; `of` is all that this depends on.
    pub(super) fn journal(&self, name: &str, again: &Again, of: &impl Serialize) -> Result<Journal> {
        Journal::begin(&self.folder.join(format!("{name}.unfinished")), of, again.resume, again.overwrite)
    }

    /// Writes a file of text.
    pub(super) fn text(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.folder.join(name);
        files::write_bytes(&path, text.as_bytes())?;
        Ok(path)
    }

    /// Writes `NAME.json`.
    pub(super) fn json(&self, name: &str, value: &impl Serialize) -> Result<PathBuf> {
        let text = serde_json::to_string_pretty(value).map_err(|e| Error::Other(format!("{name} as JSON: {e}")))?;
        let path = self.folder.join(format!("{name}.json"));
        files::write_bytes(&path, (text + "\n").as_bytes())?;
        Ok(path)
    }

    /// Writes `NAME.npz`, the images for other programs and for `--data`.
    pub(super) fn archive(&self, name: &str, images: &Images) -> Result<PathBuf> {
        let path = self.folder.join(format!("{name}.npz"));
        images.write_npz(&path)?;
        Ok(path)
    }

    /// Writes `NAME.png`, a grid.
    pub(super) fn grid(&self, name: &str, images: &Images, layout: Layout) -> Result<PathBuf> {
        let path = self.folder.join(format!("{name}.png"));
        grid::write(&path, images, layout)?;
        Ok(path)
    }
}

/// What became of an experiment; who interrupted it is told how it goes on.
pub(super) fn ended<T>(outcome: Result<T>, journal: &Journal, console: &Console) -> Result<T> {
    match outcome {
        Err(Error::Interrupted { step, .. }) => {
            let saved = journal.saved().map(Path::to_path_buf);
            if saved.is_some() {
                console.say("to go on: the same command with --resume");
            }
            Err(Error::Interrupted { step, saved })
        }
        other => other,
    }
}

/// What a file of weights is known by, where only the same one goes on.
pub(super) fn fingerprint(path: &Path) -> Result<String> {
    Ok(files::sha256_hex(&std::fs::read(path).map_err(Error::io(path, "read"))?))
}
