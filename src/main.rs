//! The command-line tool. Everything it does is in the library; this is only its front door.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    use_one_elementwise_thread();
    cli::run()
}

/// candle's pool for elementwise operations spins while it waits, which costs small networks more than it gains (the
/// ratio is in `benches/README.md`); ebmotion splits the batch over the cores itself. A value that the user has set stays.
#[allow(unsafe_code)]
fn use_one_elementwise_thread() {
    const KEY: &str = "CANDLE_NUM_THREADS";
    if std::env::var_os(KEY).is_none() {
        // SAFETY: the first statement of `main`: no other thread exists yet that could read the environment.
        unsafe { std::env::set_var(KEY, "1") };
    }
}
