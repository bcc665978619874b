//! Tiles of rows on all cores: the batch is split once per call, and the answer does not depend on how.

use crate::error::{Error, Result};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Runs `work` on consecutive tiles of `0..rows` of at most `tile` rows and returns the results in order.
///
/// One worker per core takes the next tile when it is free. `work` gets the tile's range only, so with noise indexed by
/// row the result is the same for any number of workers.
///
/// # Errors
/// The error of the first tile, in order, that failed.
pub fn tiles<T: Send>(rows: usize, tile: usize, work: impl Fn(Range<usize>) -> Result<T> + Sync) -> Result<Vec<T>> {
    let tile = tile.max(1);
    let count = rows.div_ceil(tile);
    let range = |i: usize| i * tile..((i + 1) * tile).min(rows);
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(count);
    if workers <= 1 {
        return (0..count).map(|i| work(range(i))).collect();
    }
    let next = AtomicUsize::new(0);
    let mut done: Vec<(usize, Result<T>)> = Vec::with_capacity(count);
    std::thread::scope(|scope| {
        let run = || {
            let mut mine = Vec::new();
            loop {
                let i = next.fetch_add(1, Ordering::Relaxed);
                if i >= count {
                    return mine;
                }
                mine.push((i, work(range(i))));
            }
        };
        let handles: Vec<_> = (0..workers).map(|_| scope.spawn(run)).collect();
        for handle in handles {
            match handle.join() {
                Ok(results) => done.extend(results),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    done.sort_by_key(|(i, _)| *i);
    if done.len() != count {
        return Err(Error::Other(format!("{} of {count} tiles finished", done.len())));
    }
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_order_and_the_first_error_wins() {
        let sums = tiles(10, 3, |r| Ok(r.sum::<usize>())).expect("no tile fails");
        assert_eq!(sums, [3, 12, 21, 9]);
        let failed = tiles(10, 3, |r| if r.start >= 3 { Err(Error::Other(r.start.to_string())) } else { Ok(()) });
        assert_eq!(failed.expect_err("two tiles fail").to_string(), "3");
        assert!(tiles(0, 3, |_| Ok(())).expect("nothing to do").is_empty());
    }
}
