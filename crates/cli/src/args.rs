//! The command line.

mod anomaly;
mod bench;
mod clean;
mod fill;
mod image;
mod inspect;
mod read;
mod report;
mod robot;
mod sampler;
mod score;
mod text;

pub(crate) use anomaly::AnomalyArgs;
#[cfg(feature = "cuda")]
pub(crate) use bench::Precision;
pub(crate) use bench::{BenchArgs, Device, Workload};
pub(crate) use clean::CleanArgs;
pub(crate) use fill::FillArgs;
pub(crate) use image::{
    Again, ClassifierArgs, Common, ComposeArgs, ContinualArgs, CrossClassArgs, Experiment, GenerateArgs, ImageArgs,
    ImageTrainArgs, LikelihoodArgs, MeasureArgs, MendArgs, OodArgs, RobustArgs, ShowArgs, Watched,
};
pub(crate) use inspect::InspectArgs;
pub(crate) use read::{FrameArgs, ReadArgs};
pub(crate) use report::{ReportArgs, Subset};
pub(crate) use robot::RobotArgs;
pub(crate) use sampler::SamplerArgs;
pub(crate) use score::ScoreArgs;
pub(crate) use text::{Span, key_value};

use bench::device;
use clap::{Args, Parser, Subcommand};
use ebmotion::forecast::RunConfig;
use std::path::PathBuf;
use text::span;

/// Learns an energy-based model from robot logs and answers questions about motion.
#[derive(Debug, Parser)]
#[command(
    version,
    propagate_version = true,
    max_term_width = 100,
    after_help = "\
Examples:
  ebmotion demo
  ebmotion inspect logs/*.csv
  ebmotion convert logs/ all.parquet
  ebmotion train logs/ -o arm.safetensors
  ebmotion predict arm.safetensors logs/last.csv --horizon 4s --samples 64 -o forecast.json
  ebmotion fill arm.safetensors logs/last.csv --gap 2.0s..2.6s -o filled.json
  ebmotion clean arm.safetensors logs/last.csv -o cleaned.csv
  ebmotion report arm.safetensors logs/ -o report/
  ebmotion anomaly arm.safetensors logs/today.csv
  ebmotion score arm.safetensors logs/
  ebmotion view forecast.json -o forecast.rrd

Exit status: 0 done; 2 the input is at fault (the message says where); 130 interrupted; 1 anything else."
)]
pub(crate) struct Cli {
    /// No progress bars and no messages beside errors and asked-for output.
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Shows what a log holds and what is wrong with it: gaps, spikes, stuck channels, wraps and more.
    Inspect(InspectArgs),
    /// Writes logs in another format: CSV, MCAP, Parquet, or a LeRobot dataset.
    Convert(ConvertArgs),
    /// Trains a model on logs.
    Train(TrainArgs),
    /// Draws possible continuations of a log.
    Predict(PredictArgs),
    /// Fills what a log lacks, frames or channels, given what comes before and after.
    Fill(FillArgs),
    /// Takes sensor noise away, without lag.
    Clean(CleanArgs),
    /// Compares a model with baselines on episodes that it has never seen.
    Report(ReportArgs),
    /// Finds what is wrong in a log: stretches that are unlike the motion a model was trained on.
    Anomaly(AnomalyArgs),
    /// Scores every episode of a data set, the worst first: which to leave out, and why.
    Score(ScoreArgs),
    /// Turns forecasts, filled gaps or cleaned logs into a rerun recording.
    View(ViewArgs),
    /// Trains, forecasts, compares and draws on the embedded robot-hand logs: everything at once, no set-up.
    Demo(DemoArgs),
    /// Experiments on images, by the same energies, chains and training.
    Image(ImageArgs),
    /// Measures the chain engine on this machine.
    Bench(BenchArgs),
    /// Prints shell completions.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ebmotion convert log.csv log.parquet
  ebmotion convert runs/ all.csv.gz --channels 'q_*'
  ebmotion convert demos.hdf5 demos.csv --hz 20
  ebmotion convert log.csv sets/arm --rate 30 --task 'pick up the cup'   a LeRobot dataset (version 3.0)
  ebmotion convert sets/arm arm.csv --channels '*,action*'               its actions too

OUT ends in .csv, .csv.gz, .mcap or .parquet, or is a folder without an ending: a LeRobot dataset. Every
number is written such that the same number is read again; times are seconds, units stand after names
(`q_elbow [rad]`).")]
pub(crate) struct ConvertArgs {
    /// Log files, folders of them, patterns in quotes (`'run*.csv'`), or `-` for standard input.
    #[arg(required = true, value_name = "LOG")]
    pub(crate) logs: Vec<PathBuf>,
    /// Where all of them are written, in the format of its ending.
    #[arg(value_name = "OUT")]
    pub(crate) output: PathBuf,
    /// Replaces what is there.
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Frames per second to resample to; the times as recorded where it is not given.
    #[arg(long, value_name = "HZ")]
    pub(crate) rate: Option<f64>,
    /// What the robot does, in words, for a LeRobot dataset; `motion` where it is not given.
    #[arg(long, value_name = "TEXT")]
    pub(crate) task: Option<String>,
    #[command(flatten)]
    pub(crate) read: ReadArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ebmotion train logs/ -o arm.safetensors
  ebmotion train logs/ -o arm.safetensors --set train.steps=8000 --set model.hidden=[512,512]
  ebmotion train logs/ -o arm.safetensors --resume          after Ctrl-C or a crash
  ebmotion train logs/ -o paper.safetensors --preset igebm  the recipe of Du & Mordatch 2019
  ebmotion train logs/ -o arm.safetensors --preset temporal a convolution over time: best within the first half second
  ebmotion train --preset igebm --print-config > run.toml   every setting, to be edited and given with --config

Frames of a chunk and training steps are chosen by how much motion there is unless set (model.chunk, train.steps).

Beside the model stand MODEL.config.toml (the settings as resolved), MODEL.telemetry.jsonl and, until the run has
ended, MODEL.checkpoint.")]
pub(crate) struct TrainArgs {
    /// Log files, folders of them, patterns in quotes (`'run*.csv'`), or `-` for standard input.
    #[arg(value_name = "LOG", required_unless_present = "print_config")]
    pub(crate) logs: Vec<PathBuf>,
    /// Where the model is written.
    #[arg(long, short, value_name = "FILE", required_unless_present = "print_config")]
    pub(crate) output: Option<PathBuf>,
    /// Settings to start from.
    #[arg(long, value_name = "NAME", value_parser = RunConfig::PRESETS, default_value = "denoising")]
    pub(crate) preset: String,
    /// Settings in a TOML file, in place of the preset's.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// One setting, in place of the preset's and the file's; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Seed of split, weights and training.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// Goes on with an interrupted run.
    #[arg(long)]
    pub(crate) resume: bool,
    /// Starts anew although an interrupted run or a model is there.
    #[arg(long, conflicts_with = "resume")]
    pub(crate) overwrite: bool,
    /// Prints the settings as they are resolved, and stops.
    #[arg(long)]
    pub(crate) print_config: bool,
    /// Where training runs: `cpu`, or `cuda:0` and so on in a build with the feature `cuda` (GPU.md).
    #[arg(long, default_value = "cpu", value_parser = device)]
    pub(crate) device: Device,
    #[command(flatten)]
    pub(crate) frames: FrameArgs,
    #[command(flatten)]
    pub(crate) read: ReadArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ebmotion predict arm.safetensors log.csv -o forecast.csv
  ebmotion predict arm.safetensors log.csv --horizon 4s --samples 64 --seed 7 -o forecast.json
  ebmotion predict arm.safetensors log.csv --at 2.5s -o forecast.json   from the middle of the log, beside what followed
  ebmotion predict arm.safetensors log.csv --sampler temperature=1.1 -o forecast.csv   futures that differ more
  ebmotion predict arm.safetensors log.csv --urdf arm.urdf -o forecast.csv   also where the tool goes
  ebmotion predict arm.safetensors log.csv --constraint goal.toml -o forecast.json   within limits, to a goal

With --urdf the poses of the links stand in a second table, FORECAST.links.csv, with the same rows:
metres and quaternions in the frame of the robot's root.

A constraint file (docs/constraints.md) has limits, goals, waypoints, spheres to keep out of, smooth motion and plans to
stay near:
  limits = { velocity = { '*' = 4.0 }, unit = 'rad' }
  goal = { joints = { q_elbow = 0.5 }, unit = 'rad', at = '2s' }
The JSON file says what became of each in every sample; beside a CSV file stands FORECAST.constraints.csv.")]
pub(crate) struct PredictArgs {
    /// A model that `train` wrote.
    #[arg(value_name = "MODEL")]
    pub(crate) model: PathBuf,
    /// The log to be continued, or `-` for standard input.
    #[arg(value_name = "LOG")]
    pub(crate) log: PathBuf,
    /// How far ahead: seconds (`4s`, `400ms`) or frames (`100f`).
    #[arg(long, default_value = "4s", value_parser = span)]
    pub(crate) horizon: Span,
    /// Possible futures.
    #[arg(long, default_value_t = 64)]
    pub(crate) samples: usize,
    /// Seed of the draws.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Episode to be continued; the last of the log where it is not given.
    #[arg(long, value_name = "ID")]
    pub(crate) episode: Option<String>,
    /// Where in the episode the forecast begins, from its start (`2.5s`, `60f`); its end where it is not given.
    #[arg(long, value_name = "TIME", value_parser = span)]
    pub(crate) at: Option<Span>,
    /// Refuses a log whose last frames before the forecast lie far outside what training saw, or are motion of a kind
    /// that one stretch in a hundred is, instead of warning.
    #[arg(long)]
    pub(crate) strict: bool,
    /// What every future must be besides likely: a TOML file with limits, goals and more. Those that contradict each
    /// other or the motion before are refused.
    #[arg(long, value_name = "FILE")]
    pub(crate) constraint: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) sampler: SamplerArgs,
    /// Where the forecast is written: .csv or .json.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Where forecasts are drawn: `cpu`, or `cuda:0` and so on in a build with the feature `cuda` (GPU.md).
    #[arg(long, default_value = "cpu", value_parser = device)]
    pub(crate) device: Device,
    #[command(flatten)]
    pub(crate) robot: RobotArgs,
    #[command(flatten)]
    pub(crate) read: ReadArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ebmotion view forecast.json -o forecast.rrd && rerun forecast.rrd
  ebmotion view forecast.json --spawn")]
pub(crate) struct ViewArgs {
    /// What `predict -o FILE.json` or `fill -o FILE.json` wrote.
    #[arg(value_name = "FORECAST")]
    pub(crate) forecast: PathBuf,
    /// Where the recording is written.
    #[arg(long, short, value_name = "FILE", required_unless_present = "spawn")]
    pub(crate) output: Option<PathBuf>,
    /// Opens rerun's viewer (`rerun` must be on the PATH).
    #[arg(long)]
    pub(crate) spawn: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ebmotion demo
  ebmotion demo -o /tmp/demo --seed 3")]
pub(crate) struct DemoArgs {
    /// Folder of everything that the demo makes.
    #[arg(long, short, value_name = "DIR", default_value = "out/demo")]
    pub(crate) output: PathBuf,
    /// Seed of everything.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Training steps of the model, where fewer or more are wanted than its motion asks for.
    #[arg(long)]
    pub(crate) steps: Option<u64>,
    /// Where training runs: `cpu`, or `cuda:0` and so on in a build with the feature `cuda` (GPU.md).
    #[arg(long, default_value = "cpu", value_parser = device)]
    pub(crate) device: Device,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn spans_are_seconds_or_frames() {
        assert_eq!(span("4s"), Ok(Span::Secs(4.0)));
        assert_eq!(span("400ms"), Ok(Span::Secs(0.4)));
        assert_eq!(span("100f"), Ok(Span::Frames(100)));
        assert_eq!(Span::Secs(0.4).frames(25.0), 10);
        for wrong in ["4", "s", "-1s", "NaNs", "1.5f", ""] {
            assert!(span(wrong).is_err(), "{wrong}");
        }
        assert!(Span::Secs(0.001).horizon(25.0).is_err());
    }
}
