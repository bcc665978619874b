//! What the machine could do at most: multiply-adds on registers alone.

use crate::parallel;
use crate::simd::{Isa, Kernel, Simd};
use std::time::Instant;

struct Busy {
    rounds: usize,
    out: f32,
}

impl Kernel for &mut Busy {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // SAFETY: vectors alone, and the caller's word for the instructions; `all` has room for a vector of any ISA.
        unsafe {
            // Twelve independent sums: enough to hide the latency of a multiply-add, few enough for any register file.
            let mut sums = [S::splat(self.out); 12];
            let (a, b) = (S::splat(0.999), S::splat(1e-3));
            for _ in 0..self.rounds {
                let mut i = 0;
                while i < 12 {
                    sums[i] = S::mul_add(sums[i], a, b);
                    i += 1;
                }
            }
            let mut total = sums[0];
            let mut i = 1;
            while i < 12 {
                total = S::add(total, sums[i]);
                i += 1;
            }
            let mut all = [0f32; 16];
            S::store(all.as_mut_ptr(), total);
            self.out = all[..S::LANES].iter().sum();
        }
    }
}

/// Floating-point operations per second that `threads` threads reach together with multiply-adds on registers, in
/// GFLOP/s (a multiply-add counts as two): the best of several short runs. Of an ISA that this machine lacks it is the
/// figure of its best one.
pub fn peak_gflops(isa: Isa, threads: usize) -> f64 {
    const ROUNDS: usize = 2_000_000;
    let (isa, threads) = (isa.min(Isa::best()), threads.max(1));
    let run = || {
        let begin = Instant::now();
        let outs = parallel::map(threads, threads, |i| {
            let mut busy = Busy { rounds: ROUNDS, out: i as f32 };
            // SAFETY: not above the best ISA, so one of this machine; the kernel has no pointers.
            unsafe { isa.call(&mut busy) };
            busy.out
        });
        std::hint::black_box(outs);
        (2 * 12 * isa.lanes() * ROUNDS * threads) as f64 / begin.elapsed().as_secs_f64() / 1e9
    };
    (0..30).map(|_| run()).fold(0.0, f64::max)
}
