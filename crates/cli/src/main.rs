//! The command-line tool: clap -> one function per verb -> exit code. Everything it does is in the library; this is
//! only its front door.

mod anomaly;
mod args;
mod bench;
mod clean;
mod console;
mod convert;
mod demo;
mod embedded;
mod fill;
mod image;
mod inspect;
mod memory;
mod options;
mod output;
mod predict;
mod report;
mod score;
mod telemetry;
mod train;
mod view;

use args::{Cli, Verb};
use clap::{CommandFactory, Parser};
use console::Console;
use ebmotion::Result;
use std::io::Write;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: memory::Memory = memory::Memory;

fn main() -> ExitCode {
    use_one_tensor_thread();
    memory::keep_freed();
    run()
}

/// One thread for each tensor operation: at the sizes of these networks waking the others costs more than they do (the
/// ratios are in `benches/README.md`), and ebmotion cuts the batch over the cores itself. It also makes a training
/// run's bits independent of the number of cores. A value that the user has set stays.
#[allow(unsafe_code)]
fn use_one_tensor_thread() {
    // candle's own variable falls back to this one.
    const KEY: &str = "RAYON_NUM_THREADS";
    if std::env::var_os(KEY).is_none() {
        // SAFETY: the first statement of `main`: no other thread exists yet that could read the environment.
        unsafe { std::env::set_var(KEY, "1") };
    }
}

/// Parses the command line, does what it says and turns errors into exit codes.
fn run() -> ExitCode {
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
        Verb::Convert(args) => convert::run(args, &mut console),
        Verb::Train(args) => train::run(args, &mut console),
        Verb::Predict(args) => predict::run(args, &mut console),
        Verb::Fill(args) => fill::run(args, &mut console),
        Verb::Clean(args) => clean::run(args, &mut console),
        Verb::Report(args) => report::run(args, &mut console),
        Verb::Anomaly(args) => anomaly::run(args, &mut console),
        Verb::Score(args) => score::run(args, &mut console),
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
