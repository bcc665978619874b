//! Every ISA against f64.

use super::{Isa, Kernel, Simd, math, normal};

struct Map<'a> {
    function: u8,
    x: &'a [f32],
    out: &'a mut [f32],
}

impl Kernel for Map<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // SAFETY: the test's slices are as long, whole vectors of every ISA.
        unsafe {
            for i in (0..self.x.len()).step_by(S::LANES) {
                let x = S::load(self.x.as_ptr().add(i));
                let y = match self.function {
                    0 => math::exp::<S>(x),
                    1 => math::sigmoid::<S>(x),
                    _ => math::ln_unit::<S>(x, S::sub(S::splat(1.0), x)),
                };
                S::store(self.out.as_mut_ptr().add(i), y);
            }
        }
    }
}

struct Sums<'a>(&'a [f32], &'a mut [f32]);

impl Kernel for Sums<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // SAFETY: the test gives 16 rows of 16 numbers and room for 16 sums; no ISA has more lanes.
        unsafe {
            let mut v = [S::splat(0.0); 16];
            for (i, v) in v.iter_mut().enumerate().take(S::LANES) {
                *v = S::load(self.0.as_ptr().add(16 * i));
            }
            S::store(self.1.as_mut_ptr(), S::sums(v.as_ptr()));
        }
    }
}

#[test]
fn functions_agree_with_f64_at_every_level() {
    type Case = (u8, f64, f64, fn(f64) -> f64);
    let cases: [Case; 3] =
        [(0, -87.0, 87.0, f64::exp), (1, -40.0, 40.0, |x| 1.0 / (1.0 + (-x).exp())), (2, 1e-9, 0.999, f64::ln)];
    for isa in Isa::available() {
        for (function, lo, hi, exact) in cases {
            let n = 64_000;
            let x: Vec<f32> = (0..n).map(|i| (lo + (hi - lo) * f64::from(i) / f64::from(n - 1)) as f32).collect();
            let mut out = vec![0f32; x.len()];
            // SAFETY: an ISA of this machine; both slices are as long, whole vectors of every ISA.
            unsafe { isa.call(Map { function, x: &x, out: &mut out }) };
            for (x, y) in x.iter().zip(&out) {
                let expected = exact(f64::from(*x));
                let error = (f64::from(*y) - expected).abs() / expected.abs();
                // 1 - x is itself rounded in the test of the logarithm: next to 1 it is off by more.
                assert!(error < 3e-7, "{isa:?} {function} at {x}: {y} instead of {expected}");
            }
        }
        let x = [f32::NAN; 16];
        let mut out = [0f32; 16];
        // SAFETY: as above.
        unsafe { isa.call(Map { function: 1, x: &x, out: &mut out }) };
        assert!(out.iter().all(|y| y.is_nan()), "{isa:?} hides a NaN");
    }
}

#[test]
fn sums_of_lanes_are_in_order() {
    let values: Vec<f32> = (0..256).map(|i| (i * i % 97) as f32).collect();
    for isa in Isa::available() {
        let mut out = [0f32; 16];
        // SAFETY: an ISA of this machine; 16 rows of 16 numbers, and room for a vector of any ISA.
        unsafe { isa.call(Sums(&values, &mut out)) };
        for i in 0..isa.lanes() {
            let expected: f32 = values[16 * i..16 * i + isa.lanes()].iter().sum();
            assert_eq!(out[i], expected, "{isa:?} lane {i}");
        }
    }
}

struct Chains<'a>(&'a mut [f32]);

impl Kernel for Chains<'_> {
    #[inline(always)]
    unsafe fn run<S: Simd>(self) {
        // SAFETY: a chunk has room for four vectors of 16 numbers, as many as any ISA's lanes.
        unsafe {
            for (block, out) in self.0.chunks_exact_mut(64).enumerate() {
                for (i, v) in normal::of_chains::<S>(0x1234_5678_9abc_def0, 7, 3, block as u32).into_iter().enumerate()
                {
                    S::store(out.as_mut_ptr().add(i * 16), v);
                }
            }
        }
    }
}

#[test]
fn a_chain_a_lane_and_a_block_a_lane_are_the_same_numbers() {
    for isa in Isa::available() {
        let mut lanes = vec![0f32; 64 * 32];
        // SAFETY: an ISA of this machine; the kernel writes within chunks of 64 numbers, four vectors of at most 16.
        unsafe { isa.call(Chains(&mut lanes)) };
        for lane in 0..isa.lanes() {
            let mut row = vec![0f32; 127];
            let (key, chain) = (0x1234_5678_9abc_def0, 3 + lane as u64);
            normal::Row { key, draw: 7, chain, block: 0, out: &mut row }.fill(isa);
            for (i, value) in row.iter().enumerate() {
                assert_eq!(*value, lanes[i / 4 * 64 + i % 4 * 16 + lane], "{isa:?}, lane {lane}, number {i}");
            }
        }
    }
}
