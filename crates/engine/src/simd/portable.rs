//! Plain arrays of 4 numbers, which compilers turn into the vectors that every processor of an architecture has.

use super::Simd;
use std::array::from_fn;

#[derive(Clone, Copy)]
pub(super) struct Portable;

type F = [f32; 4];
type I = [u32; 4];

// SAFETY: no special instruction is used; pointers are the caller's.
unsafe impl Simd for Portable {
    const LANES: usize = 4;
    type F = F;
    type I = I;

    #[inline(always)]
    unsafe fn splat(v: f32) -> F {
        [v; 4]
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> F {
        // SAFETY: `p` is good for 4 numbers, aligned or not.
        unsafe { p.cast::<F>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: F) {
        // SAFETY: `p` is good for 4 numbers, aligned or not.
        unsafe { p.cast::<F>().write_unaligned(v) }
    }
    #[inline(always)]
    unsafe fn add(a: F, b: F) -> F {
        from_fn(|i| a[i] + b[i])
    }
    #[inline(always)]
    unsafe fn sub(a: F, b: F) -> F {
        from_fn(|i| a[i] - b[i])
    }
    #[inline(always)]
    unsafe fn mul(a: F, b: F) -> F {
        from_fn(|i| a[i] * b[i])
    }
    #[inline(always)]
    unsafe fn mul_add(a: F, b: F, c: F) -> F {
        from_fn(|i| a[i] * b[i] + c[i])
    }
    #[inline(always)]
    unsafe fn min(a: F, b: F) -> F {
        from_fn(|i| if a[i] < b[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    unsafe fn max(a: F, b: F) -> F {
        from_fn(|i| if a[i] > b[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    unsafe fn sqrt(a: F) -> F {
        a.map(f32::sqrt)
    }
    #[inline(always)]
    unsafe fn reciprocal(a: F) -> F {
        a.map(|v| 1.0 / v)
    }
    #[inline(always)]
    unsafe fn round(a: F) -> F {
        // Adding and taking away 1.5 * 2^23 leaves no room for a fraction.
        const SHIFT: f32 = 12_582_912.0;
        a.map(|v| (v + SHIFT) - SHIFT)
    }
    #[inline(always)]
    unsafe fn select_gt(a: F, b: F, yes: F, no: F) -> F {
        from_fn(|i| if a[i] > b[i] { yes[i] } else { no[i] })
    }
    #[inline(always)]
    unsafe fn sums(v: *const F) -> F {
        from_fn(|i| {
            // SAFETY: `v` is good for 4 vectors and aligned as they are; `i` is below 4.
            let x = unsafe { *v.add(i) };
            (x[0] + x[1]) + (x[2] + x[3])
        })
    }
    #[inline(always)]
    unsafe fn store_quads(p: *mut f32, v: [F; 4]) {
        let [a, b, c, d] = v;
        for i in 0..4 {
            // SAFETY: `p` is good for 16 numbers.
            unsafe { Self::store(p.add(4 * i), [a[i], b[i], c[i], d[i]]) };
        }
    }

    #[inline(always)]
    unsafe fn isplat(v: u32) -> I {
        [v; 4]
    }
    #[inline(always)]
    unsafe fn iload(p: *const u32) -> I {
        // SAFETY: `p` is good for 4 integers, aligned or not.
        unsafe { p.cast::<I>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn iadd(a: I, b: I) -> I {
        from_fn(|i| a[i].wrapping_add(b[i]))
    }
    #[inline(always)]
    unsafe fn isub(a: I, b: I) -> I {
        from_fn(|i| a[i].wrapping_sub(b[i]))
    }
    #[inline(always)]
    unsafe fn ixor(a: I, b: I) -> I {
        from_fn(|i| a[i] ^ b[i])
    }
    #[inline(always)]
    unsafe fn iand(a: I, b: I) -> I {
        from_fn(|i| a[i] & b[i])
    }
    #[inline(always)]
    unsafe fn mul_wide(a: I, m: u32) -> (I, I) {
        let wide = a.map(|v| u64::from(v) * u64::from(m));
        (wide.map(|w| (w >> 32) as u32), wide.map(|w| w as u32))
    }
    #[inline(always)]
    unsafe fn shl<const N: u32>(a: I) -> I {
        a.map(|v| v << N)
    }
    #[inline(always)]
    unsafe fn shr<const N: u32>(a: I) -> I {
        a.map(|v| v >> N)
    }
    #[inline(always)]
    unsafe fn sar<const N: u32>(a: I) -> I {
        a.map(|v| ((v as i32) >> N) as u32)
    }
    #[inline(always)]
    unsafe fn to_f32(a: I) -> F {
        a.map(|v| v as i32 as f32)
    }
    #[inline(always)]
    unsafe fn to_i32(a: F) -> I {
        a.map(|v| v as i32 as u32)
    }
    #[inline(always)]
    unsafe fn bits(a: F) -> I {
        a.map(f32::to_bits)
    }
    #[inline(always)]
    unsafe fn from_bits(a: I) -> F {
        a.map(f32::from_bits)
    }
    #[inline(always)]
    unsafe fn select_zero(a: I, yes: F, no: F) -> F {
        from_fn(|i| if a[i] == 0 { yes[i] } else { no[i] })
    }
}
