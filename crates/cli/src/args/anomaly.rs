//! Arguments of `ebmotion anomaly`.

use super::read::ReadArgs;
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ebmotion anomaly arm.safetensors logs/today.csv
  ebmotion anomaly arm.safetensors logs/ --false-alarms 0.001 -o anomalies.csv
  ebmotion anomaly arm.safetensors logs/ --json | jq '.windows[] | select(.alarm)'

Windows of 48 frames (or of what the model sees at once, where that is more), one every 4, are
given several scores (the model's energy, time running backwards, residuals, joints in each
other's place, joints that stand still) and compared with the validation episodes of the training.
The score is the log likelihood ratio of all of them being higher than usual.")]
pub(crate) struct AnomalyArgs {
    /// A model that `train` wrote.
    #[arg(value_name = "MODEL")]
    pub(crate) model: PathBuf,
    /// Log files, folders of them, patterns in quotes (`'run*.csv'`), or `-` for standard input.
    #[arg(required = true, value_name = "LOG")]
    pub(crate) logs: Vec<PathBuf>,
    /// Share of normal windows that may be called strange.
    #[arg(long, value_name = "SHARE", default_value_t = 0.01)]
    pub(crate) false_alarms: f64,
    /// Stretches in the table, the worst first.
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    pub(crate) worst: usize,
    /// Prints every window as JSON instead of the table.
    #[arg(long)]
    pub(crate) json: bool,
    /// Where every window is written: .csv or .json.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) read: ReadArgs,
}
