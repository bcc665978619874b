//! The command-line tool. Everything it does is in the library; this is only its front door.

mod cli;

use mimalloc::MiMalloc;
use std::process::ExitCode;

/// Training allocates and frees tensors of megabytes at every step. The system's allocator may give them back to the kernel
/// each time, which then clears them anew: up to half of a training's time (`benches/README.md`).
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    use_one_tensor_thread();
    keep_freed_memory();
    cli::run()
}

/// Memory once had stays with the process: given back, it would be cleared by the kernel anew for the next step's tensors, which
/// was a quarter of a training's time (`benches/README.md`).
#[allow(unsafe_code)]
fn keep_freed_memory() {
    /// `mi_option_purge_delay` of mimalloc 2 and 3, which the bindings do not name; -1 is never.
    const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
    // SAFETY: sets a number of the allocator that is linked in; no other thread exists yet.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, -1) };
}

/// One thread for each tensor operation: at the sizes of these networks waking the others costs more than they do (the
/// ratios are in `benches/README.md`), and ebmotion cuts the batch over the cores itself. It also makes a training run's
/// bits independent of the number of cores. A value that the user has set stays.
#[allow(unsafe_code)]
fn use_one_tensor_thread() {
    // candle's own variable falls back to this one.
    const KEY: &str = "RAYON_NUM_THREADS";
    if std::env::var_os(KEY).is_none() {
        // SAFETY: the first statement of `main`: no other thread exists yet that could read the environment.
        unsafe { std::env::set_var(KEY, "1") };
    }
}
