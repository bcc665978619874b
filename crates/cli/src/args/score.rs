//! Arguments of `ebmotion score`.

use super::read::ReadArgs;
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ebmotion score arm.safetensors logs/
  ebmotion score arm.safetensors logs/ -o episodes.csv
  ebmotion score arm.safetensors logs/ --json | jq -r '.episodes[] | select(.suspect).episode'

Every episode is given the probability that normal motion is as strange (p-value, by the validation
episodes of the training), the joint and the seconds at fault, and the cause. Many episodes are
asked at once: suspects are chosen so that at most the share --false-discoveries of them is
expected to be normal (Benjamini and Hochberg 1995). The last line is the command that trains
without them. Exit status 0, also where there are suspects.")]
pub(crate) struct ScoreArgs {
    /// A model that `train` wrote.
    #[arg(value_name = "MODEL")]
    pub(crate) model: PathBuf,
    /// Log files, folders of them, patterns in quotes (`'run*.csv'`), or `-` for standard input.
    #[arg(required = true, value_name = "LOG")]
    pub(crate) logs: Vec<PathBuf>,
    /// Expected share of normal episodes among the suspects, at most.
    #[arg(long, value_name = "SHARE", default_value_t = 0.05)]
    pub(crate) false_discoveries: f64,
    /// Episodes in the table, the worst first.
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    pub(crate) worst: usize,
    /// Prints every episode as JSON instead of the table.
    #[arg(long)]
    pub(crate) json: bool,
    /// Where every episode is written: .csv or .json.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) read: ReadArgs,
}
