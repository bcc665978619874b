//! What several experiments take.

use crate::args::bench::{Device, device};
use crate::args::text::key_value;
use clap::Args;
use ebmotion::settings::Settings;
use ebmotion::{Error, Result};
use ebmotion_images::experiment::ImageModel;
use ebmotion_images::image::{Images, Known, Part};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};

/// What all experiments take.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// Folder of the sets of images, each in a subfolder of its name; or images of your own. May be repeated: a set is
    /// taken from the first folder that holds it.
    #[arg(long, value_name = "PATH")]
    pub(crate) data: Vec<PathBuf>,
    /// Folder of everything that the experiment makes.
    #[arg(long, short, value_name = "FOLDER", required_unless_present = "print_config")]
    pub(crate) output: Option<PathBuf>,
    /// Settings in a TOML file, in place of the experiment's.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// One setting, in place of the experiment's and the file's; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Seed of everything.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Prints the settings as they are resolved, and stops.
    #[arg(long)]
    pub(crate) print_config: bool,
}

/// What experiments take whose chains can be watched.
#[derive(Debug, Args)]
pub(crate) struct Watched {
    /// Writes some of the chains, step by step, as a rerun recording.
    #[arg(long, value_name = "FILE.rrd")]
    pub(crate) rrd: Option<PathBuf>,
    /// Shows some of the chains in rerun's viewer while they walk (`rerun` must be on the PATH).
    #[arg(long)]
    pub(crate) spawn: bool,
}

/// What experiments take whose chains can walk elsewhere.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// Where chains walk: `cpu`, or `cuda:0` and so on in a build with the feature `cudnn` (GPU.md).
    #[arg(long, default_value = "cpu", value_parser = device)]
    device: Device,
}

/// What experiments take that can go on where they were interrupted.
#[derive(Debug, Args)]
pub(crate) struct Again {
    /// Goes on with an interrupted run.
    #[arg(long)]
    pub(crate) resume: bool,
    /// Starts anew although an interrupted run is there.
    #[arg(long, conflicts_with = "resume")]
    pub(crate) overwrite: bool,
}

impl Common {
    /// The experiment's settings, then the file's, then the command line's; the seed is the setting `seed`.
    pub(crate) fn resolve<C: Serialize + DeserializeOwned>(&self, defaults: C) -> Result<C> {
        let mut config = defaults;
        if let Some(path) = &self.config {
            let text = std::fs::read_to_string(path).map_err(Error::io(path, "read"))?;
            let changes: serde_json::Value =
                toml::from_str(&text).map_err(|e| Error::config(path.display().to_string(), e, "TOML"))?;
            config = config.with(&changes)?;
        }
        for pair in &self.set {
            let (key, value) = key_value("--set", pair)?;
            config = config.with_one(key, value)?;
        }
        if let Some(seed) = self.seed {
            config = config.with_one("seed", &seed.to_string())?;
        }
        Ok(config)
    }

    /// The folder of the results.
    pub(crate) fn output(&self) -> Result<&Path> {
        let missing = || Error::config("--output", "nothing", "the folder of everything that the experiment makes");
        self.output.as_deref().ok_or_else(missing)
    }

    /// A part of a set known by name.
    pub(crate) fn known(&self, name: &str, part: Part) -> Result<Images> {
        let known = Known::named(name).map_err(|e| match e {
            Error::Config { key, found, expected } => {
                Error::Config { key, found, expected: format!("{expected} or dsprites") }
            }
            other => other,
        })?;
        let mut missing = None;
        for folder in &self.data {
            match known.read(folder, part) {
                // Only a set that is not there lets another folder have its turn, not one that is damaged.
                Err(e @ Error::Image { .. }) if !known.is_in(folder, part) => missing = Some(e),
                other => return other,
            }
        }
        Err(missing.unwrap_or_else(|| {
            let expected = format!("the folder that holds the set `{name}`, by itself or in a subfolder of that name");
            Error::config("--data", "nothing", expected)
        }))
    }

    /// A part of a set known by name, or without a name the images that `--data` is.
    pub(crate) fn images(&self, name: Option<&str>, part: Part) -> Result<Images> {
        match (name, &self.data[..]) {
            (Some(name), _) => self.known(name, part),
            (None, [path]) => Images::read(path),
            (None, found) => {
                let expected = "one set of images, or --dataset with a set's name";
                Err(Error::config("--data", format!("{} paths", found.len()), expected))
            }
        }
    }
}

/// The model of an experiment.
#[derive(Debug, Args)]
pub(crate) struct ModelArg {
    /// A model that `ebmotion image train` wrote.
    #[arg(value_name = "MODEL", required_unless_present = "print_config")]
    pub(crate) model: Option<PathBuf>,
}

impl ModelArg {
    /// Where it is.
    pub(crate) fn path(&self) -> Result<&Path> {
        let missing = || Error::config("MODEL", "nothing", "a file that `ebmotion image train` wrote");
        self.model.as_deref().ok_or_else(missing)
    }

    /// Reads it.
    pub(crate) fn load(&self) -> Result<ImageModel> {
        ImageModel::load(self.path()?)
    }

    /// Reads it for chains that walk at a place.
    pub(crate) fn load_at(&self, place: &Place) -> Result<ImageModel> {
        self.load()?.to_device(&place.device.open()?)
    }
}

/// `train` or `test`.
pub(crate) fn part(text: &str) -> std::result::Result<Part, String> {
    [Part::Train, Part::Test].into_iter().find(|p| p.name() == text).ok_or_else(|| "expected `train` or `test`".into())
}
