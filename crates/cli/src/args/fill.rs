//! Arguments of `ebmotion fill`.

use super::text::spans;
use super::{ReadArgs, SamplerArgs, Span};
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ebmotion fill arm.safetensors log.csv -o filled.csv                        every missing stretch of the log
  ebmotion fill arm.safetensors log.csv --gap 2.0s..2.6s -o filled.json      what might have been there instead
  ebmotion fill arm.safetensors log.csv --gap 50f..65f --missing-channels 'q_elbow,q_wrist*' -o filled.csv

Missing are rows that the log's pace lacks, and cells that are empty or no number. They are drawn given all that is
known, before and after; known cells stay as they are. Without --gap, stretches with too few complete frames before them
are left out, with a warning.")]
pub(crate) struct FillArgs {
    /// A model that `train` wrote.
    #[arg(value_name = "MODEL")]
    pub(crate) model: PathBuf,
    /// The log, or `-` for standard input.
    #[arg(value_name = "LOG")]
    pub(crate) log: PathBuf,
    /// A stretch of the episode, from its start (`2.0s..2.6s`, `50f..65f`), that counts as missing; every missing
    /// stretch where it is not given.
    #[arg(long, value_name = "FROM..TO", value_parser = spans)]
    pub(crate) gap: Option<(Span, Span)>,
    /// The channels that count as missing there (comma-separated names, `*` stands for any text); all where it is not
    /// given.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', requires = "gap")]
    pub(crate) missing_channels: Option<Vec<String>>,
    /// Possible values of what is missing.
    #[arg(long, default_value_t = 64)]
    pub(crate) samples: usize,
    /// Seed of the draws.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// The episode of the gap, the last of the log where it is not given; without --gap the only one that is filled.
    #[arg(long, value_name = "ID")]
    pub(crate) episode: Option<String>,
    #[command(flatten)]
    pub(crate) sampler: SamplerArgs,
    /// Where the frames are written: .csv or .json.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: PathBuf,
    #[command(flatten)]
    pub(crate) read: ReadArgs,
}
