//! clap -> one function per verb -> exit code.

mod anomaly;
mod args;
mod bench;
mod console;
mod demo;
mod image;
mod inspect;
mod options;
mod output;
mod predict;
mod report;
mod telemetry;
mod train;
mod view;

use args::{Cli, Verb};
use clap::{CommandFactory, Parser};
use console::Console;
use ebmotion::Result;
use std::io::Write;
use std::process::ExitCode;

/// Parses the command line, does what it says and turns errors into exit codes.
pub(crate) fn run() -> ExitCode {
    let cli = Cli::parse();
    match perform(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut message = format!("error: {error}");
            let mut source = std::error::Error::source(&error);
            while let Some(cause) = source {
                // Most variants already show their cause; say it once.
                let text = cause.to_string();
                if !message.contains(&text) {
                    message.push_str(&format!(": {text}"));
                }
                source = cause.source();
            }
            let _ = writeln!(std::io::stderr(), "{}", options::named(&message));
            ExitCode::from(error.exit_code())
        }
    }
}

fn perform(cli: &Cli) -> Result<()> {
    let mut console = Console::new(cli.quiet);
    match &cli.verb {
        Verb::Inspect(args) => inspect::run(args),
        Verb::Train(args) => train::run(args, &mut console),
        Verb::Predict(args) => predict::run(args, &mut console),
        Verb::Report(args) => report::run(args, &mut console),
        Verb::Anomaly(args) => anomaly::run(args, &mut console),
        Verb::View(args) => view::run(args, &mut console),
        Verb::Demo(args) => demo::run(args, &mut console),
        Verb::Image(args) => image::run(args, &mut console),
        Verb::Bench(args) => bench::run(args),
        Verb::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "ebmotion", &mut text);
            output::print(&String::from_utf8_lossy(&text))
        }
    }
}
