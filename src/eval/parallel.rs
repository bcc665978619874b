//! The same work for many indices on all threads; results stand in index order, so threads change nothing in them.

use std::sync::atomic::{AtomicUsize, Ordering};

/// `work(0), work(1), ..., work(count - 1)`, on up to `threads` threads.
pub(crate) fn map<T: Send>(threads: usize, count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let one_thread = || {
        let mut done = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                return done;
            }
            done.push((index, work(index)));
        }
    };
    let mut results: Vec<(usize, T)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (1..threads.min(count)).map(|_| scope.spawn(one_thread)).collect();
        let mut all = one_thread();
        for worker in workers {
            match worker.join() {
                Ok(part) => all.extend(part),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all
    });
    results.sort_unstable_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Threads of this machine.
pub(crate) fn available() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
