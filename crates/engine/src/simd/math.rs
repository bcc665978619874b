//! Elementary functions on vectors, to about 1e-7 of their value. The polynomials are those of Cephes (Moshier 1992,
//! `expf`, `logf`, `sinf`, `cosf`).

use super::Simd;

/// `c[0] x^n + ... + c[n]`.
///
/// # Safety
/// As for the functions of [`Simd`].
#[inline(always)]
unsafe fn polynomial<S: Simd, const N: usize>(x: S::F, c: [f32; N]) -> S::F {
    // SAFETY: vectors alone, and the caller's word for the instructions.
    unsafe {
        let mut sum = S::splat(c[0]);
        let mut i = 1;
        while i < N {
            sum = S::mul_add(sum, x, S::splat(c[i]));
            i += 1;
        }
        sum
    }
}

/// `exp(x)`; arguments are limited to +-87, where the result is near the ends of what f32 can hold. NaN stays NaN.
///
/// # Safety
/// As for the functions of [`Simd`].
#[inline(always)]
pub(crate) unsafe fn exp<S: Simd>(x: S::F) -> S::F {
    // SAFETY: vectors alone, and the caller's word for the instructions.
    unsafe {
        // The limits come first, so that a NaN in `x`, the second argument, comes through.
        let x = S::max(S::splat(-87.0), S::min(S::splat(87.0), x));
        let n = S::round(S::mul(x, S::splat(std::f32::consts::LOG2_E)));
        // ln 2 in two parts, the first exact in few bits.
        let r = S::mul_add(n, S::splat(-0.693_359_4), x);
        let r = S::mul_add(n, S::splat(2.121_944_4e-4), r);
        let p =
            polynomial::<S, 6>(r, [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5]);
        let p = S::add(S::mul_add(p, S::mul(r, r), r), S::splat(1.0));
        let scale = S::shl::<23>(S::iadd(S::to_i32(n), S::isplat(127)));
        S::mul(p, S::from_bits(scale))
    }
}

/// `1 / (1 + exp(-x))`.
///
/// # Safety
/// As for the functions of [`Simd`].
#[inline(always)]
pub(crate) unsafe fn sigmoid<S: Simd>(x: S::F) -> S::F {
    // SAFETY: vectors alone, and the caller's word for the instructions.
    unsafe { S::reciprocal(S::add(S::splat(1.0), exp::<S>(S::sub(S::splat(0.0), x)))) }
}

/// `ln u` for `u` in (0, 1), given `v = 1 - u` to full precision as well.
///
/// # Safety
/// As for the functions of [`Simd`].
#[inline(always)]
pub(crate) unsafe fn ln_unit<S: Simd>(u: S::F, v: S::F) -> S::F {
    // SAFETY: vectors alone, and the caller's word for the instructions.
    unsafe {
        // u = m 2^e with m in [sqrt(1/2), sqrt 2).
        let above = S::isub(S::bits(u), S::isplat(0x3f35_04f3));
        let e = S::sar::<23>(above);
        let m = S::from_bits(S::isub(S::bits(u), S::shl::<23>(e)));
        // Next to 1 the rounding of u would be all that is left of m - 1.
        let f = S::select_zero(e, S::sub(S::splat(0.0), v), S::sub(m, S::splat(1.0)));
        let p = polynomial::<S, 9>(
            f,
            [
                7.037_683_6e-2,
                -1.151_461e-1,
                1.167_699_9e-1,
                -1.242_014_1e-1,
                1.424_932_3e-1,
                -1.666_805_8e-1,
                2.000_071_5e-1,
                -2.499_999_4e-1,
                3.333_333e-1,
            ],
        );
        let f2 = S::mul(f, f);
        let e = S::to_f32(e);
        let tail = S::mul_add(e, S::splat(-2.121_944_4e-4), S::mul(S::mul(p, f2), f));
        let tail = S::mul_add(f2, S::splat(-0.5), tail);
        S::mul_add(e, S::splat(0.693_359_4), S::add(f, tail))
    }
}

/// Sine and cosine of `2 pi (turn + 0.5) / 2^32`, `turn` an unsigned integer.
///
/// # Safety
/// As for the functions of [`Simd`].
#[inline(always)]
pub(crate) unsafe fn sin_cos_turn<S: Simd>(turn: S::I) -> (S::F, S::F) {
    // SAFETY: vectors alone, and the caller's word for the instructions.
    unsafe {
        let quadrant = S::shr::<30>(S::iadd(turn, S::isplat(1 << 29)));
        let rest = S::isub(turn, S::shl::<30>(quadrant));
        let x = S::mul(S::add(S::to_f32(rest), S::splat(0.5)), S::splat(std::f32::consts::TAU / 4_294_967_296.0));
        let x2 = S::mul(x, x);
        let p = polynomial::<S, 3>(x2, [-1.951_529_6e-4, 8.332_161e-3, -1.666_665_5e-1]);
        let sin = S::mul_add(S::mul(p, x2), x, x);
        let p = polynomial::<S, 3>(x2, [2.443_315_7e-5, -1.388_731_6e-3, 4.166_664_6e-2]);
        let cos = S::add(S::mul_add(S::mul(p, x2), x2, S::mul(x2, S::splat(-0.5))), S::splat(1.0));
        // Odd quadrants swap the two; the signs follow.
        let even = S::iand(quadrant, S::isplat(1));
        let (s, c) = (S::select_zero(even, sin, cos), S::select_zero(even, cos, sin));
        let sign = S::isplat(2);
        let flip_sin = S::shl::<30>(S::iand(quadrant, sign));
        let flip_cos = S::shl::<30>(S::iand(S::iadd(quadrant, S::isplat(1)), sign));
        (S::from_bits(S::ixor(S::bits(s), flip_sin)), S::from_bits(S::ixor(S::bits(c), flip_cos)))
    }
}
