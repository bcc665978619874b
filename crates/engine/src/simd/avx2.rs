//! AVX2 with FMA: 8 numbers a vector.
//!
//! # Safety
//! Every function of the implementation is inlined into a kernel that `enter` was compiled for, and `enter` is called
//! only where the processor has these instructions. So whatever computes on vectors alone is sound. Those that take a
//! pointer pass on the promise of [`Simd`] about it.

use super::{Kernel, Simd};
use std::arch::x86_64::*;

/// Enters a kernel compiled for AVX2.
///
/// # Safety
/// The processor must have the instructions; the kernel's own contract holds.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn enter<K: Kernel>(kernel: K) {
    // SAFETY: the caller's.
    unsafe { kernel.run::<Avx2>() }
}

#[derive(Clone, Copy)]
pub(super) struct Avx2;

// SAFETY: every function only uses the instructions that `enter` asks for.
unsafe impl Simd for Avx2 {
    const LANES: usize = 8;
    type F = __m256;
    type I = __m256i;

    #[inline(always)]
    unsafe fn splat(v: f32) -> __m256 {
        // SAFETY: AVX2, see above.
        unsafe { _mm256_set1_ps(v) }
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> __m256 {
        // SAFETY: AVX2, see above; `p` is good for `LANES` numbers.
        unsafe { _mm256_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: __m256) {
        // SAFETY: AVX2, see above; `p` is good for `LANES` numbers.
        unsafe { _mm256_storeu_ps(p, v) }
    }
    #[inline(always)]
    unsafe fn add(a: __m256, b: __m256) -> __m256 {
        // SAFETY: AVX2, see above.
        unsafe { _mm256_add_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn sub(a: __m256, b: __m256) -> __m256 {
        // SAFETY: AVX2, see above.
        unsafe { _mm256_sub_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn mul(a: __m256, b: __m256) -> __m256 {
        // SAFETY: AVX2, see above.
        unsafe { _mm256_mul_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn mul_add(a: __m256, b: __m256, c: __m256) -> __m256 {
        // SAFETY: AVX2, see above.
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    unsafe fn min(a: __m256, b: __m256) -> __m256 {
        // SAFETY: AVX2, see above.
        unsafe { _mm256_min_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn max(a: __m256, b: __m256) -> __m256 {
        // SAFETY: AVX2, see above.
        unsafe { _mm256_max_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn sqrt(a: __m256) -> __m256 {
        // SAFETY: AVX2, see above.
        unsafe { _mm256_sqrt_ps(a) }
    }
    #[inline(always)]
    unsafe fn reciprocal(a: __m256) -> __m256 {
        // SAFETY: AVX2, see above.
        unsafe { _mm256_div_ps(_mm256_set1_ps(1.0), a) }
    }
    #[inline(always)]
    unsafe fn round(a: __m256) -> __m256 {
        // SAFETY: AVX2, see above.
        unsafe { _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a) }
    }
    #[inline(always)]
    unsafe fn select_gt(a: __m256, b: __m256, yes: __m256, no: __m256) -> __m256 {
        // SAFETY: AVX2, see above.
        unsafe { _mm256_blendv_ps(no, yes, _mm256_cmp_ps::<_CMP_GT_OQ>(a, b)) }
    }
    #[inline(always)]
    unsafe fn sums(v: *const __m256) -> __m256 {
        // SAFETY: AVX2, see above; `v` is good for `LANES` aligned vectors.
        unsafe {
            let ab = _mm256_hadd_ps(*v, *v.add(1));
            let cd = _mm256_hadd_ps(*v.add(2), *v.add(3));
            let ef = _mm256_hadd_ps(*v.add(4), *v.add(5));
            let gh = _mm256_hadd_ps(*v.add(6), *v.add(7));
            let (low, high) = (_mm256_hadd_ps(ab, cd), _mm256_hadd_ps(ef, gh));
            let halves = _mm256_permute2f128_ps::<0x31>(low, high);
            _mm256_add_ps(_mm256_permute2f128_ps::<0x20>(low, high), halves)
        }
    }
    #[inline(always)]
    unsafe fn store_quads(p: *mut f32, [a, b, c, d]: [__m256; 4]) {
        // SAFETY: AVX2, see above; `p` is good for `4 LANES` numbers.
        unsafe {
            let (ab0, ab1) = (_mm256_castps_pd(_mm256_unpacklo_ps(a, b)), _mm256_castps_pd(_mm256_unpackhi_ps(a, b)));
            let (cd0, cd1) = (_mm256_castps_pd(_mm256_unpacklo_ps(c, d)), _mm256_castps_pd(_mm256_unpackhi_ps(c, d)));
            Self::store(p, _mm256_castpd_ps(_mm256_unpacklo_pd(ab0, cd0)));
            Self::store(p.add(8), _mm256_castpd_ps(_mm256_unpackhi_pd(ab0, cd0)));
            Self::store(p.add(16), _mm256_castpd_ps(_mm256_unpacklo_pd(ab1, cd1)));
            Self::store(p.add(24), _mm256_castpd_ps(_mm256_unpackhi_pd(ab1, cd1)));
        }
    }

    #[inline(always)]
    unsafe fn isplat(v: u32) -> __m256i {
        // SAFETY: AVX2, see above.
        unsafe { _mm256_set1_epi32(v as i32) }
    }
    #[inline(always)]
    unsafe fn iload(p: *const u32) -> __m256i {
        // SAFETY: AVX2, see above; `p` is good for `LANES` integers.
        unsafe { _mm256_loadu_si256(p.cast()) }
    }
    #[inline(always)]
    unsafe fn iadd(a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: AVX2, see above.
        unsafe { _mm256_add_epi32(a, b) }
    }
    #[inline(always)]
    unsafe fn isub(a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: AVX2, see above.
        unsafe { _mm256_sub_epi32(a, b) }
    }
    #[inline(always)]
    unsafe fn ixor(a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: AVX2, see above.
        unsafe { _mm256_xor_si256(a, b) }
    }
    #[inline(always)]
    unsafe fn iand(a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: AVX2, see above.
        unsafe { _mm256_and_si256(a, b) }
    }
    #[inline(always)]
    unsafe fn mul_wide(a: __m256i, m: u32) -> (__m256i, __m256i) {
        // SAFETY: AVX2, see above.
        unsafe {
            let m = _mm256_set1_epi32(m as i32);
            let even = _mm256_mul_epu32(a, m);
            let odd = _mm256_mul_epu32(_mm256_srli_epi64::<32>(a), m);
            let high = _mm256_blend_epi32::<0xaa>(_mm256_srli_epi64::<32>(even), odd);
            let low = _mm256_blend_epi32::<0xaa>(even, _mm256_slli_epi64::<32>(odd));
            (high, low)
        }
    }
    #[inline(always)]
    unsafe fn shl<const N: u32>(a: __m256i) -> __m256i {
        // SAFETY: AVX2, see above.
        unsafe { _mm256_sll_epi32(a, _mm_cvtsi32_si128(N as i32)) }
    }
    #[inline(always)]
    unsafe fn shr<const N: u32>(a: __m256i) -> __m256i {
        // SAFETY: AVX2, see above.
        unsafe { _mm256_srl_epi32(a, _mm_cvtsi32_si128(N as i32)) }
    }
    #[inline(always)]
    unsafe fn sar<const N: u32>(a: __m256i) -> __m256i {
        // SAFETY: AVX2, see above.
        unsafe { _mm256_sra_epi32(a, _mm_cvtsi32_si128(N as i32)) }
    }
    #[inline(always)]
    unsafe fn to_f32(a: __m256i) -> __m256 {
        // SAFETY: AVX2, see above.
        unsafe { _mm256_cvtepi32_ps(a) }
    }
    #[inline(always)]
    unsafe fn to_i32(a: __m256) -> __m256i {
        // SAFETY: AVX2, see above.
        unsafe { _mm256_cvtps_epi32(a) }
    }
    #[inline(always)]
    unsafe fn bits(a: __m256) -> __m256i {
        // SAFETY: AVX2, see above.
        unsafe { _mm256_castps_si256(a) }
    }
    #[inline(always)]
    unsafe fn from_bits(a: __m256i) -> __m256 {
        // SAFETY: AVX2, see above.
        unsafe { _mm256_castsi256_ps(a) }
    }
    #[inline(always)]
    unsafe fn select_zero(a: __m256i, yes: __m256, no: __m256) -> __m256 {
        // SAFETY: AVX2, see above.
        unsafe {
            let zero = _mm256_cmpeq_epi32(a, _mm256_setzero_si256());
            _mm256_blendv_ps(no, yes, _mm256_castsi256_ps(zero))
        }
    }
}
