//! `ebmotion image`: one function an experiment, and what they share.

mod classifier;
mod compose;
mod continual;
mod cross_class;
mod generate;
mod likelihood;
mod live;
mod measure;
mod mend;
mod ood;
mod robust;
mod show;
mod train;

use super::args::{Again, Common, Experiment, ImageArgs};
use super::console::Console;
use super::output;
use ebmotion::image::Images;
use ebmotion::image::grid::{self, Layout};
use ebmotion::{Error, Result, files};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

pub(super) fn run(args: &ImageArgs, console: &mut Console) -> Result<()> {
    match &args.experiment {
        Experiment::Show(args) => show::run(args, console),
        Experiment::Train(args) => train::run(args, console),
        Experiment::Generate(args) => generate::run(args, console),
        Experiment::Inpaint(args) => mend::inpaint(args, console),
        Experiment::Denoise(args) => mend::denoise(args, console),
        Experiment::CrossClass(args) => cross_class::run(args, console),
        Experiment::Classifier(args) => classifier::run(args, console),
        Experiment::Fid(args) => measure::fid(args, console),
        Experiment::InceptionScore(args) => measure::inception_score(args, console),
        Experiment::Robust(args) => robust::run(args, console),
        Experiment::Likelihood(args) => likelihood::run(args, console),
        Experiment::Ood(args) => ood::run(args, console),
        Experiment::Continual(args) => continual::run(args, console),
        Experiment::Compose(args) => compose::run(args, console),
    }
}

/// True when only the settings were asked for, which are now printed.
fn printed<C: Serialize>(common: &Common, config: &C) -> Result<bool> {
    if common.print_config {
        output::print(&config_text(config)?)?;
    }
    Ok(common.print_config)
}

/// Settings as TOML.
fn config_text<C: Serialize>(config: &C) -> Result<String> {
    toml::to_string(config).map_err(|e| Error::Other(format!("settings as TOML: {e}")))
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

    /// Writes a file of text.
    fn text(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.folder.join(name);
        files::write_bytes(&path, text.as_bytes())?;
        Ok(path)
    }

    /// Writes `NAME.json`.
    fn json(&self, name: &str, value: &impl Serialize) -> Result<PathBuf> {
        let text = serde_json::to_string_pretty(value).map_err(|e| Error::Other(format!("{name} as JSON: {e}")))?;
        let path = self.folder.join(format!("{name}.json"));
        files::write_bytes(&path, (text + "\n").as_bytes())?;
        Ok(path)
    }

    /// Writes `NAME.npz`, the images for other programs and for `--data`.
    fn archive(&self, name: &str, images: &Images) -> Result<PathBuf> {
        let path = self.folder.join(format!("{name}.npz"));
        images.write_npz(&path)?;
        Ok(path)
    }

    /// Writes `NAME.png`, a grid.
    fn grid(&self, name: &str, images: &Images, layout: Layout) -> Result<PathBuf> {
        let path = self.folder.join(format!("{name}.png"));
        grid::write(&path, images, layout)?;
        Ok(path)
    }
}

/// What an experiment has done so far, kept in a file until it ends.
struct Unfinished {
    path: PathBuf,
    /// Settings and data: only the same experiment goes on.
    of: serde_json::Value,
}

#[derive(Serialize, Deserialize)]
struct Kept<T> {
    of: serde_json::Value,
    done: T,
}

impl Unfinished {
    /// The file `NAME.unfinished.json`, and what it holds where the experiment goes on.
    fn begin<T: DeserializeOwned>(
        results: &Results,
        name: &str,
        again: &Again,
        of: serde_json::Value,
    ) -> Result<(Self, Option<T>)> {
        let path = results.folder.join(format!("{name}.unfinished.json"));
        let done = match (path.exists(), again.resume) {
            (false, true) => {
                return Err(Error::model(&path, "no such file", "that of an interrupted run, for --resume"));
            }
            (true, false) if !again.overwrite => {
                let expected = "--resume to go on with it, or --overwrite to start anew";
                return Err(Error::model(&path, "an interrupted run", expected));
            }
            (true, true) => {
                let text = std::fs::read_to_string(&path).map_err(Error::io(&path, "read"))?;
                let kept: Kept<T> = serde_json::from_str(&text)
                    .map_err(|e| Error::model(&path, format!("a damaged file ({e})"), "an interrupted run"))?;
                if kept.of != of {
                    return Err(Error::model(&path, "a run with other settings or data", "the same command again"));
                }
                Some(kept.done)
            }
            _ => None,
        };
        Ok((Self { path, of }, done))
    }

    fn keep<T: Serialize>(&self, done: &T) -> Result<()> {
        let kept = Kept { of: self.of.clone(), done };
        let text = serde_json::to_string(&kept).map_err(|e| Error::Other(format!("an unfinished run as JSON: {e}")))?;
        files::write_bytes(&self.path, text.as_bytes())
    }

    /// The file that an interruption leaves.
    fn saved(&self) -> Option<PathBuf> {
        self.path.exists().then(|| self.path.clone())
    }

    /// The results are written: nothing is unfinished any more.
    fn end(self) -> Result<()> {
        match self.path.exists() {
            true => std::fs::remove_file(&self.path).map_err(Error::io(&self.path, "remove")),
            false => Ok(()),
        }
    }
}
