//! Workers that share one tile: where a batch has fewer tiles than the machine has cores and the weights are larger
//! than a core's cache, each worker takes a part of every layer instead of a part of the batch.

use std::ops::Range;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Looks at the barrier before a worker lets others run: a few times as long as a layer takes.
const SPINS: u32 = 1_000;

/// A team's meeting point.
#[derive(Debug)]
pub(crate) struct Team {
    size: usize,
    arrived: AtomicUsize,
    round: AtomicUsize,
    broken: AtomicBool,
}

/// One worker of a team.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Member<'a> {
    team: &'a Team,
    index: usize,
}

impl Team {
    /// Runs `work` on `size` threads, this one among them, until all are done.
    pub(crate) fn run(size: usize, work: impl Fn(Member<'_>) + Sync) {
        let size = size.max(1);
        let team =
            Team { size, arrived: AtomicUsize::new(0), round: AtomicUsize::new(0), broken: AtomicBool::new(false) };
        // A new thread often begins on its parent's core. Who waits for it here sleeps, so that the system places both
        // on cores of their own; who looked at a barrier again and again would keep it from running.
        let all_here = Barrier::new(size);
        let one = |index: usize| {
            let member = Member { team: &team, index };
            let _leave = Leave(&team);
            all_here.wait();
            work(member);
        };
        std::thread::scope(|scope| {
            let one = &one;
            for index in 1..size {
                scope.spawn(move || one(index));
            }
            one(0);
        });
    }
}

/// A worker that panics must not leave the others waiting.
struct Leave<'a>(&'a Team);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.broken.store(true, Ordering::Release);
        }
    }
}

impl Member<'_> {
    /// True for one worker of the team.
    pub(crate) fn leads(&self) -> bool {
        self.index == 0
    }

    /// This worker's part of `units`.
    pub(crate) fn share(&self, units: usize) -> Range<usize> {
        self.index * units / self.team.size..(self.index + 1) * units / self.team.size
    }

    /// Waits for all workers: what they wrote before is seen by all after.
    pub(crate) fn barrier(&self) {
        let team = self.team;
        if team.size == 1 {
            return;
        }
        let round = team.round.load(Ordering::Acquire);
        if team.arrived.fetch_add(1, Ordering::AcqRel) + 1 == team.size {
            team.arrived.store(0, Ordering::Relaxed);
            team.round.store(round.wrapping_add(1), Ordering::Release);
            return;
        }
        let mut spins = 0;
        while team.round.load(Ordering::Acquire) == round {
            assert!(!team.broken.load(Ordering::Relaxed), "another worker of the team panicked");
            spins += 1;
            if spins < SPINS {
                std::hint::spin_loop();
            } else {
                std::thread::yield_now();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_passes_before_all_have_arrived() {
        for size in [1, 2, 3] {
            let counts: Vec<AtomicUsize> = (0..200).map(|_| AtomicUsize::new(0)).collect();
            Team::run(size, |member| {
                for count in &counts {
                    count.fetch_add(1, Ordering::Relaxed);
                    member.barrier();
                    assert_eq!(count.load(Ordering::Relaxed), size);
                    member.barrier();
                }
            });
            assert!(counts.iter().all(|c| c.load(Ordering::Relaxed) == size));
        }
    }

    #[test]
    fn shares_cover_all_units_once() {
        let seen: Vec<AtomicUsize> = (0..7).map(|_| AtomicUsize::new(0)).collect();
        Team::run(3, |member| {
            for unit in member.share(7) {
                seen[unit].fetch_add(1, Ordering::Relaxed);
            }
        });
        assert!(seen.iter().all(|c| c.load(Ordering::Relaxed) == 1));
    }

    #[test]
    fn a_panic_in_one_worker_ends_the_team() {
        let result = std::panic::catch_unwind(|| {
            Team::run(2, |member| {
                assert!(!member.leads(), "on purpose");
                member.barrier();
            });
        });
        assert!(result.is_err());
    }
}
