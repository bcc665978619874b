//! `ebmotion image`: one function an experiment, and what they share.

mod show;

use super::args::{Common, Experiment, ImageArgs};
use super::console::Console;
use super::output;
use ebmotion::image::Images;
use ebmotion::image::grid::{self, Layout};
use ebmotion::{Error, Result, files};
use serde::Serialize;
use std::path::PathBuf;

pub(super) fn run(args: &ImageArgs, console: &mut Console) -> Result<()> {
    match &args.experiment {
        Experiment::Show(args) => show::run(args, console),
    }
}

/// True when only the settings were asked for, which are now printed.
fn printed<C: Serialize>(common: &Common, config: &C) -> Result<bool> {
    if common.print_config {
        let body = toml::to_string(config).map_err(|e| Error::Other(format!("settings as TOML: {e}")))?;
        output::print(&body)?;
    }
    Ok(common.print_config)
}

/// The folder of an experiment's results.
struct Results {
    folder: PathBuf,
}

impl Results {
    /// Finds out now whether anything can be written there.
    fn new(common: &Common) -> Result<Self> {
        let folder = common.output()?.to_path_buf();
        output::check_folder(&folder)?;
        Ok(Self { folder })
    }

    /// Writes `NAME.json`.
    fn json(&self, name: &str, value: &impl Serialize) -> Result<PathBuf> {
        let text = serde_json::to_string_pretty(value).map_err(|e| Error::Other(format!("{name} as JSON: {e}")))?;
        let path = self.folder.join(format!("{name}.json"));
        files::write_bytes(&path, (text + "\n").as_bytes())?;
        Ok(path)
    }

    /// Writes `NAME.png`, a grid.
    fn grid(&self, name: &str, images: &Images, layout: Layout) -> Result<PathBuf> {
        let path = self.folder.join(format!("{name}.png"));
        grid::write(&path, images, layout)?;
        Ok(path)
    }
}
