//! Libraries that panic on damaged files: their panic becomes an error.

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
