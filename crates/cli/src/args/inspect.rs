//! Arguments of `ebmotion inspect`.

use super::read::ReadArgs;
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ebmotion inspect logs/run1.csv
  ebmotion inspect logs/ --json > logs.json
  ebmotion inspect logs/ --page logs.html     every channel as a plot, with what was found marked
  ebmotion inspect logs/ --strict             for CI: exit status 1 where a log is not clean
  ebmotion inspect logs/ --urdf arm.urdf      also values and speeds beyond the joints' limits

A finding is an error (the log is refused, or a value can be no measurement), a warning (a model
would learn the fault) or a note. docs/inspect.md lists all kinds and the form of the JSON.")]
pub(crate) struct InspectArgs {
    /// Log files, folders of them, patterns in quotes (`'run*.csv'`), or `-` for standard input.
    #[arg(required = true, value_name = "LOG")]
    pub(crate) logs: Vec<PathBuf>,
    /// Prints JSON instead of tables.
    #[arg(long)]
    pub(crate) json: bool,
    /// Ends with exit status 1 where there is a warning or an error; notes are let pass.
    #[arg(long)]
    pub(crate) strict: bool,
    /// Writes a page of plots: one HTML file that needs nothing beside itself.
    #[arg(long, value_name = "FILE.html")]
    pub(crate) page: Option<PathBuf>,
    /// The robot as a URDF file: values and speeds beyond its joints' limits are told (docs/robots.md).
    #[arg(long, value_name = "FILE")]
    pub(crate) urdf: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) read: ReadArgs,
}
