//! Files that are damaged, or made to do damage: a library's panic becomes an error, and sizes have limits.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// Whether a panic of this thread is told as an error, and not on standard error.
    static TOLD: Cell<bool> = const { Cell::new(false) };
}

/// What `work` returns, or the words with which it panicked. They are not printed.
pub(crate) fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            if !TOLD.get() {
                before(panic);
            }
        }));
    });
    let outer = TOLD.replace(true);
    // What a panic leaves half-done is dropped with the file that was read.
    let result = catch_unwind(AssertUnwindSafe(work));
    TOLD.set(outer);
    result.map_err(|panic| {
        let text = panic.downcast_ref::<&str>().map(ToString::to_string);
        text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no reason given".into())
    })
}

/// So many numbers are read whatever the size of the file.
const ALWAYS: u64 = 10_000_000;
/// So many numbers more are read for each byte of the file: more do not come of a recording, whose numbers differ from
/// row to row, but of a file that was made to fill the memory.
const PER_BYTE: u64 = 64;

/// Whether so many numbers cannot come of a recording of so many bytes.
pub(crate) fn too_many(numbers: u64, bytes: u64) -> bool {
    numbers > bytes.saturating_mul(PER_BYTE).saturating_add(ALWAYS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_its_words() {
        assert_eq!(guarded(|| 3), Ok(3));
        assert_eq!(guarded(|| panic!("length {}", -1)), Err::<(), _>("length -1".into()));
        assert_eq!(guarded(|| 4), Ok(4));
    }
}
