//! Arguments of `ebmotion report`.

use super::bench::{Device, device};
use super::read::ReadArgs;
use super::robot::RobotArgs;
use super::sampler::SamplerArgs;
use super::text::{Span, span};
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ebmotion report arm.safetensors logs/ -o report/
  ebmotion report arm.safetensors logs/ --baselines var,fc --horizon 2s -o report/
  ebmotion report arm.safetensors logs/ --seeds 5 --baselines all --keep trainings/ -o report/
  ebmotion report arm.safetensors logs/ --on validation --sampler levels=8 -o seven/   the same model drawn in more \\
      steps
  ebmotion report arm.safetensors logs/ --urdf arm.urdf -o report/             errors at the tool in mm, too

The logs are split by episode exactly as in training, so test episodes are ones that the model has never seen; an
episode that it was trained on is refused as a test episode.")]
pub(crate) struct ReportArgs {
    /// A model that `train` wrote.
    #[arg(value_name = "MODEL")]
    pub(crate) model: PathBuf,
    /// The logs, those of the training or others.
    #[arg(required = true, value_name = "LOG")]
    pub(crate) logs: Vec<PathBuf>,
    /// Baselines: classic (hold,velocity,var,var_sampled,fc), all (also analogue,mdn,gru_mdn,cvae,flow,diffusion),
    /// none, or some of these.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "classic")]
    pub(crate) baselines: Vec<String>,
    /// Changes a baseline's setting, such as flow.sampler.levels=10.
    #[arg(long, value_name = "NAME.KEY=VALUE")]
    pub(crate) baseline_set: Vec<String>,
    /// Episodes that are forecast: those kept for the test, or, to choose settings, those of the validation.
    #[arg(long, value_enum, default_value_t = Subset::Test)]
    pub(crate) on: Subset,
    /// How far ahead: seconds (`4s`, `400ms`) or frames (`100f`).
    #[arg(long, default_value = "4s", value_parser = span)]
    pub(crate) horizon: Span,
    /// Samples a window.
    #[arg(long, default_value_t = 20)]
    pub(crate) samples: usize,
    /// Frames between the starts of two test windows.
    #[arg(long, default_value_t = 5)]
    pub(crate) stride: usize,
    /// Seed of forecasts, baselines and bootstrap.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Training runs a forecaster: the model's settings and every trained baseline are trained anew with further seeds
    /// on the same episodes, figures are means over them, and intervals hold their scatter.
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    pub(crate) seeds: u64,
    /// Folder in which trainings are kept (about 20 bytes a weight, a file each): a report that was interrupted goes on
    /// where it stopped, another report on the same episodes trains nothing anew whose settings are the same.
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<PathBuf>,
    /// Other models of the same logs to show beside, each by its file's name.
    #[arg(long, value_name = "MODEL")]
    pub(crate) beside: Vec<PathBuf>,
    /// Column that labels the frames (a gesture, a task): the report then also says how many forecasts stand between
    /// the ways that motion can take where the label changes.
    #[arg(long, value_name = "COLUMN")]
    pub(crate) label: Option<String>,
    /// Episodes to leave out (comma-separated names, `*` stands for any text) in place of those that the training left
    /// out; `--exclude=` leaves none out.
    #[arg(long, value_name = "EPISODES", value_delimiter = ',')]
    pub(crate) exclude: Option<Vec<String>>,
    #[command(flatten)]
    pub(crate) sampler: SamplerArgs,
    /// Folder of the report.
    #[arg(long, short, value_name = "DIR")]
    pub(crate) output: PathBuf,
    /// Where the models forecast and, with `--seeds`, train: `cpu`, or `cuda:0` and so on in a build with the feature
    /// `cuda` (GPU.md).
    #[arg(long, default_value = "cpu", value_parser = device)]
    pub(crate) device: Device,
    #[command(flatten)]
    pub(crate) robot: RobotArgs,
    #[command(flatten)]
    pub(crate) read: ReadArgs,
}

/// A part of the episodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Subset {
    /// Never seen by training.
    Test,
    /// Seen by training as far as it chooses weights by them.
    Validation,
}
