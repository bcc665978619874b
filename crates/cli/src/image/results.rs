//! What an experiment leaves, and how it ends.

use crate::args::{Again, Common};
use crate::console::Console;
use crate::output::{self, Inputs};
use ebmotion::{Error, Result};
use ebmotion_images::experiment::Journal;
use ebmotion_images::image::Images;
use ebmotion_images::image::grid::{self, Layout};
use ebmotion_logs::files;
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
    toml::to_string(config).map_err(Error::unwritable("settings", "TOML"))
}

/// The folder of an experiment's results, none of which takes the place of a file that the experiment reads.
pub(super) struct Results {
    pub(super) folder: PathBuf,
    /// The files that the experiment may leave there.
    names: Vec<String>,
    pub(super) inputs: Inputs,
}

impl Results {
    /// Finds out now whether anything can be written there. The experiment leaves `NAME.json` and so on, and the files
    /// called `others`; it reads the settings' file and `files`.
    pub(super) fn new(common: &Common, name: &str, others: &[&str], files: &[Option<&Path>]) -> Result<Self> {
        let folder = common.output()?.to_path_buf();
        let names = ["json", "txt", "png", "npz"].map(|end| format!("{name}.{end}"));
        let names = names.into_iter().chain(others.iter().map(|other| (*other).to_string())).collect();
        let mut results = Self { folder, names, inputs: Inputs::default() };
        results.spare(common.config.as_deref().into_iter().chain(files.iter().copied().flatten()))?;
        output::check_folder(&results.folder)?;
        Ok(results)
    }

    /// Refuses to go on where a result would take the place of one of `files`, now that they are known as inputs.
    pub(super) fn spare<P: AsRef<Path>>(&mut self, files: impl IntoIterator<Item = P>) -> Result<()> {
        self.inputs.add(files);
        self.inputs.spared_by(self.names.iter().map(|name| self.folder.join(name)))
    }

    /// The same for the files that sets of images were read from.
    pub(super) fn spare_images<'a>(&mut self, sets: impl IntoIterator<Item = &'a Images>) -> Result<()> {
        self.spare(sets.into_iter().flat_map(|images| &images.sources).map(|source| &source.path))
    }

    /// Where a result is written: never over an input, though its name was not foreseen.
    pub(super) fn place(&self, name: &str) -> Result<PathBuf> {
        let path = self.folder.join(name);
        self.inputs.spared_by([&path])?;
        Ok(path)
    }

    /// What the experiment has done so far, in `NAME.unfinished` until it ends; `of` is all that this depends on.
    pub(super) fn journal(&self, name: &str, again: &Again, of: &impl Serialize) -> Result<Journal> {
        Journal::begin(&self.folder.join(format!("{name}.unfinished")), of, again.resume, again.overwrite)
    }

    /// Writes a file of text.
    pub(super) fn text(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.place(name)?;
        files::write_bytes(&path, text.as_bytes())?;
        Ok(path)
    }

    /// Writes `NAME.json`.
    pub(super) fn json(&self, name: &str, value: &impl Serialize) -> Result<PathBuf> {
        let text = serde_json::to_string_pretty(value).map_err(Error::unwritable(name, "JSON"))?;
        let path = self.place(&format!("{name}.json"))?;
        files::write_bytes(&path, (text + "\n").as_bytes())?;
        Ok(path)
    }

    /// Writes `NAME.npz`, the images for other programs and for `--data`.
    pub(super) fn archive(&self, name: &str, images: &Images) -> Result<PathBuf> {
        let path = self.place(&format!("{name}.npz"))?;
        images.write_npz(&path)?;
        Ok(path)
    }

    /// Writes `NAME.png`, a grid.
    pub(super) fn grid(&self, name: &str, images: &Images, layout: Layout) -> Result<PathBuf> {
        let path = self.place(&format!("{name}.png"))?;
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
