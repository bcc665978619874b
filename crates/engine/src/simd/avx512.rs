//! AVX-512: 16 numbers a vector.
//!
//! # Safety
//! Every function of the implementation is inlined into a kernel that `enter` was compiled for, and `enter` is called
//! only where the processor has these instructions. So whatever computes on vectors alone is sound. Those that take a
//! pointer pass on the promise of [`Simd`] about it.

use super::{Kernel, Simd};
use std::arch::x86_64::*;

/// Enters a kernel compiled for AVX-512.
///
/// # Safety
/// The processor must have the instructions; the kernel's own contract holds.
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) unsafe fn enter<K: Kernel>(kernel: K) {
    // SAFETY: the caller's.
    unsafe { kernel.run::<Avx512>() }
}

#[derive(Clone, Copy)]
pub(super) struct Avx512;

// SAFETY: every function only uses the instructions that `enter` asks for.
unsafe impl Simd for Avx512 {
    const LANES: usize = 16;
    type F = __m512;
    type I = __m512i;

    #[inline(always)]
    unsafe fn splat(v: f32) -> __m512 {
        // SAFETY: AVX-512, see above.
        unsafe { _mm512_set1_ps(v) }
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> __m512 {
        // SAFETY: AVX-512, see above; `p` is good for `LANES` numbers.
        unsafe { _mm512_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: __m512) {
        // SAFETY: AVX-512, see above; `p` is good for `LANES` numbers.
        unsafe { _mm512_storeu_ps(p, v) }
    }
    #[inline(always)]
    unsafe fn add(a: __m512, b: __m512) -> __m512 {
        // SAFETY: AVX-512, see above.
        unsafe { _mm512_add_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn sub(a: __m512, b: __m512) -> __m512 {
        // SAFETY: AVX-512, see above.
        unsafe { _mm512_sub_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn mul(a: __m512, b: __m512) -> __m512 {
        // SAFETY: AVX-512, see above.
        unsafe { _mm512_mul_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn mul_add(a: __m512, b: __m512, c: __m512) -> __m512 {
        // SAFETY: AVX-512, see above.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    unsafe fn min(a: __m512, b: __m512) -> __m512 {
        // SAFETY: AVX-512, see above.
        unsafe { _mm512_min_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn max(a: __m512, b: __m512) -> __m512 {
        // SAFETY: AVX-512, see above.
        unsafe { _mm512_max_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn sqrt(a: __m512) -> __m512 {
        // SAFETY: AVX-512, see above.
        unsafe { _mm512_sqrt_ps(a) }
    }
    #[inline(always)]
    unsafe fn reciprocal(a: __m512) -> __m512 {
        // 14 bits from the table, then one step of Newton's method.
        // SAFETY: AVX-512, see above.
        unsafe {
            let r = _mm512_rcp14_ps(a);
            _mm512_fmadd_ps(r, _mm512_fnmadd_ps(a, r, _mm512_set1_ps(1.0)), r)
        }
    }
    #[inline(always)]
    unsafe fn round(a: __m512) -> __m512 {
        // SAFETY: AVX-512, see above.
        unsafe { _mm512_roundscale_ps::<0>(a) }
    }
    #[inline(always)]
    unsafe fn select_gt(a: __m512, b: __m512, yes: __m512, no: __m512) -> __m512 {
        // SAFETY: AVX-512, see above.
        unsafe { _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(a, b), no, yes) }
    }
    #[inline(always)]
    unsafe fn sums(v: *const __m512) -> __m512 {
        // Adds pairs of vectors within 128-bit groups, twice, then the groups: 45 instructions for 16 sums.
        // SAFETY: AVX-512, see above; `v` is good for `LANES` aligned vectors.
        unsafe {
            let mut four = [_mm512_setzero_ps(); 4];
            let mut i = 0;
            while i < 4 {
                // Vectors 4i..4i+4: lane j of each group becomes that group's sum of vector 4i + j.
                let (a, b, c, d) = (*v.add(4 * i), *v.add(4 * i + 1), *v.add(4 * i + 2), *v.add(4 * i + 3));
                let ab = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
                let cd = _mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
                let (ab, cd) = (_mm512_castps_pd(ab), _mm512_castps_pd(cd));
                let low = _mm512_castpd_ps(_mm512_unpacklo_pd(ab, cd));
                let high = _mm512_castpd_ps(_mm512_unpackhi_pd(ab, cd));
                four[i] = _mm512_add_ps(low, high);
                i += 1;
            }
            // Groups of four vectors, transposed and added.
            let ab_low = _mm512_shuffle_f32x4::<0b01_00_01_00>(four[0], four[1]);
            let ab_high = _mm512_shuffle_f32x4::<0b11_10_11_10>(four[0], four[1]);
            let cd_low = _mm512_shuffle_f32x4::<0b01_00_01_00>(four[2], four[3]);
            let cd_high = _mm512_shuffle_f32x4::<0b11_10_11_10>(four[2], four[3]);
            let (ab, cd) = (_mm512_add_ps(ab_low, ab_high), _mm512_add_ps(cd_low, cd_high));
            let even = _mm512_shuffle_f32x4::<0b10_00_10_00>(ab, cd);
            let odd = _mm512_shuffle_f32x4::<0b11_01_11_01>(ab, cd);
            _mm512_add_ps(even, odd)
        }
    }
    #[inline(always)]
    unsafe fn store_quads(p: *mut f32, [a, b, c, d]: [__m512; 4]) {
        // SAFETY: AVX-512, see above; `p` is good for `4 LANES` numbers.
        unsafe {
            let (ab0, ab1) = (_mm512_castps_pd(_mm512_unpacklo_ps(a, b)), _mm512_castps_pd(_mm512_unpackhi_ps(a, b)));
            let (cd0, cd1) = (_mm512_castps_pd(_mm512_unpacklo_ps(c, d)), _mm512_castps_pd(_mm512_unpackhi_ps(c, d)));
            Self::store(p, _mm512_castpd_ps(_mm512_unpacklo_pd(ab0, cd0)));
            Self::store(p.add(16), _mm512_castpd_ps(_mm512_unpackhi_pd(ab0, cd0)));
            Self::store(p.add(32), _mm512_castpd_ps(_mm512_unpacklo_pd(ab1, cd1)));
            Self::store(p.add(48), _mm512_castpd_ps(_mm512_unpackhi_pd(ab1, cd1)));
        }
    }

    #[inline(always)]
    unsafe fn isplat(v: u32) -> __m512i {
        // SAFETY: AVX-512, see above.
        unsafe { _mm512_set1_epi32(v as i32) }
    }
    #[inline(always)]
    unsafe fn iload(p: *const u32) -> __m512i {
        // SAFETY: AVX-512, see above; `p` is good for `LANES` integers.
        unsafe { _mm512_loadu_si512(p.cast()) }
    }
    #[inline(always)]
    unsafe fn iadd(a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: AVX-512, see above.
        unsafe { _mm512_add_epi32(a, b) }
    }
    #[inline(always)]
    unsafe fn isub(a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: AVX-512, see above.
        unsafe { _mm512_sub_epi32(a, b) }
    }
    #[inline(always)]
    unsafe fn ixor(a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: AVX-512, see above.
        unsafe { _mm512_xor_si512(a, b) }
    }
    #[inline(always)]
    unsafe fn iand(a: __m512i, b: __m512i) -> __m512i {
        // SAFETY: AVX-512, see above.
        unsafe { _mm512_and_si512(a, b) }
    }
    #[inline(always)]
    unsafe fn mul_wide(a: __m512i, m: u32) -> (__m512i, __m512i) {
        // SAFETY: AVX-512, see above.
        unsafe {
            let m = _mm512_set1_epi32(m as i32);
            let even = _mm512_mul_epu32(a, m);
            let odd = _mm512_mul_epu32(_mm512_srli_epi64::<32>(a), m);
            let high = _mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64::<32>(even), odd);
            let low = _mm512_mask_blend_epi32(0xaaaa, even, _mm512_slli_epi64::<32>(odd));
            (high, low)
        }
    }
    #[inline(always)]
    unsafe fn shl<const N: u32>(a: __m512i) -> __m512i {
        // SAFETY: AVX-512, see above.
        unsafe { _mm512_slli_epi32::<N>(a) }
    }
    #[inline(always)]
    unsafe fn shr<const N: u32>(a: __m512i) -> __m512i {
        // SAFETY: AVX-512, see above.
        unsafe { _mm512_srli_epi32::<N>(a) }
    }
    #[inline(always)]
    unsafe fn sar<const N: u32>(a: __m512i) -> __m512i {
        // SAFETY: AVX-512, see above.
        unsafe { _mm512_srai_epi32::<N>(a) }
    }
    #[inline(always)]
    unsafe fn to_f32(a: __m512i) -> __m512 {
        // SAFETY: AVX-512, see above.
        unsafe { _mm512_cvtepi32_ps(a) }
    }
    #[inline(always)]
    unsafe fn to_i32(a: __m512) -> __m512i {
        // SAFETY: AVX-512, see above.
        unsafe { _mm512_cvtps_epi32(a) }
    }
    #[inline(always)]
    unsafe fn bits(a: __m512) -> __m512i {
        // SAFETY: AVX-512, see above.
        unsafe { _mm512_castps_si512(a) }
    }
    #[inline(always)]
    unsafe fn from_bits(a: __m512i) -> __m512 {
        // SAFETY: AVX-512, see above.
        unsafe { _mm512_castsi512_ps(a) }
    }
    #[inline(always)]
    unsafe fn select_zero(a: __m512i, yes: __m512, no: __m512) -> __m512 {
        // SAFETY: AVX-512, see above.
        unsafe { _mm512_mask_blend_ps(_mm512_cmpeq_epi32_mask(a, _mm512_setzero_si512()), no, yes) }
    }
}
