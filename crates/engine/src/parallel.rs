//! The same work for many indices or tiles of rows on all cores. Results stand in index order, so the number of threads
//! changes nothing in them.

use crate::error::Result;
use std::cell::Cell;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

thread_local! {
    /// This thread is one of several that share some work: what it calls must not ask for more.
    static BUSY: Cell<bool> = const { Cell::new(false) };
}

/// Threads that new work may use: those of this machine, or 1 within work that is already shared among threads.
pub fn available() -> usize {
    if BUSY.get() { 1 } else { std::thread::available_parallelism().map_or(1, usize::from) }
}

/// `work(0), work(1), ..., work(count - 1)`, on up to `threads` threads; a free one takes the next index.
///
/// ```
/// let squares = ebmotion_engine::parallel::map(2, 4, |i| i * i);
/// assert_eq!(squares, [0, 1, 4, 9]);
/// ```
pub fn map<T: Send>(threads: usize, count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let shared = threads.min(count) > 1;
    let one_thread = || {
        let _busy = Busy::set(shared);
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

/// `work(i, item i)` for items that each call takes for its own, otherwise as [`map`].
pub fn each<I: Send, T: Send>(threads: usize, items: Vec<I>, work: impl Fn(usize, I) -> T + Sync) -> Vec<T> {
    let items: Vec<_> = items.into_iter().map(|item| Mutex::new(Some(item))).collect();
    // Each is taken once: there is always one, and a poisoned lock has nothing in it.
    let take = |i: usize| items[i].lock().unwrap_or_else(PoisonError::into_inner).take();
    map(threads, items.len(), |i| take(i).map(|item| work(i, item))).into_iter().flatten().collect()
}

/// Marks this thread as busy until dropped.
struct Busy(bool);

impl Busy {
    fn set(busy: bool) -> Self {
        Self(BUSY.replace(busy || BUSY.get()))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        BUSY.set(self.0);
    }
}

/// Runs `work` on consecutive tiles of `0..rows` of at most `tile` rows, on all cores.
///
/// The batch is split once per call. `work` gets the tile's range only, so with noise counted by row the answer does
/// not depend on who did what.
///
/// ```
/// let sums = ebmotion_engine::parallel::tiles(10, 4, |rows| Ok(rows.sum::<usize>()))?;
/// assert_eq!(sums, [6, 22, 17]); // rows 0 to 3, 4 to 7, 8 and 9
/// # Ok::<(), ebmotion_engine::Error>(())
/// ```
///
/// # Errors
/// The error of the first tile, in order, that failed.
pub fn tiles<T: Send>(rows: usize, tile: usize, work: impl Fn(Range<usize>) -> Result<T> + Sync) -> Result<Vec<T>> {
    let tile = tile.max(1);
    let range = |i: usize| i * tile..((i + 1) * tile).min(rows);
    map(available(), rows.div_ceil(tile), |i| work(range(i))).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    #[test]
    fn shared_work_does_not_share_again() {
        assert_eq!(map(2, 4, |_| available()), [1; 4]);
        assert_eq!(map(1, 1, |_| available()), [std::thread::available_parallelism().map_or(1, usize::from)]);
    }

    #[test]
    fn every_item_is_taken_once() {
        let mut numbers = [1, 2, 3, 4, 5];
        let doubled = each(3, numbers.iter_mut().collect(), |i, n: &mut usize| {
            *n *= 2;
            *n + i
        });
        assert_eq!((doubled, numbers), (vec![2, 5, 8, 11, 14], [2, 4, 6, 8, 10]));
    }

    #[test]
    fn results_come_in_order_and_the_first_error_wins() {
        assert_eq!(map(3, 5, |i| i * i), map(1, 5, |i| i * i));
        let sums = tiles(10, 3, |r| Ok(r.sum::<usize>())).expect("no tile fails");
        assert_eq!(sums, [3, 12, 21, 9]);
        let failed = tiles(10, 3, |r| if r.start >= 3 { Err(Error::data("tile", r.start, "below 3")) } else { Ok(()) });
        assert_eq!(failed.expect_err("two tiles fail").to_string(), "tile: found 3, expected below 3");
        assert!(tiles(0, 3, |_| Ok(())).expect("nothing to do").is_empty());
    }
}
