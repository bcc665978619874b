//! The command-line tool: clap -> one function per verb -> exit code. Everything it does is in the library; this is
//! only its front door.

mod anomaly;
mod args;
mod bench;
mod console;
mod convert;
mod demo;
mod embedded;
mod fill;
mod image;
mod inspect;
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
use mimalloc::MiMalloc;
use std::io::Write;
use std::process::ExitCode;

/// Training allocates and frees tensors of megabytes at every step. The system's allocator may give them back to the
/// kernel each time, which then clears them anew: up to half of a training's time (`benches/README.md`).
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    use_one_tensor_thread();
    keep_freed_memory();
    run()
}

/// Memory once had stays with the process: given back, it would be cleared by the kernel anew for the next step's
/// tensors, which was a quarter of a training's time (`benches/README.md`).
#[allow(unsafe_code)]
fn keep_freed_memory() {
    /// `mi_option_purge_delay` of mimalloc 2 and 3, which the bindings do not name; -1 is never.
    const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
    // SAFETY: sets a number of the allocator that is linked in; no other thread exists yet.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, -1) };
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
