//! Activations and their derivatives on vectors.

use super::layers::Nonlinearity;
use crate::simd::{Simd, math};

/// Activation and its derivative.
///
/// # Safety
/// As for the functions of [`Simd`].
#[inline(always)]
pub(crate) unsafe fn activate<S: Simd>(z: S::F, activation: Nonlinearity) -> (S::F, S::F) {
    // SAFETY: vectors alone, and the caller's word for the instructions.
    unsafe {
        match activation {
            Nonlinearity::Swish => {
                // h = z s; h' = s + h (1 - s).
                let s = math::sigmoid::<S>(z);
                let h = S::mul(z, s);
                (h, S::mul_add(h, S::sub(S::splat(1.0), s), s))
            }
            Nonlinearity::Leaky(leak) => {
                // The derivative at 0 is that from above; a NaN stays one.
                let slope = S::select_gt(S::splat(0.0), z, S::splat(leak), S::splat(1.0));
                (S::mul(z, slope), slope)
            }
        }
    }
}

/// The activation's second derivative.
///
/// # Safety
/// As for the functions of [`Simd`].
#[inline(always)]
pub(crate) unsafe fn curvature<S: Simd>(z: S::F, activation: Nonlinearity) -> S::F {
    // SAFETY: vectors alone, and the caller's word for the instructions.
    unsafe {
        match activation {
            Nonlinearity::Swish => {
                // h'' = (1 - s) (2 s + h (1 - 2 s)).
                let (s, one) = (math::sigmoid::<S>(z), S::splat(1.0));
                let twice = S::add(s, s);
                S::mul(S::sub(one, s), S::mul_add(S::mul(z, s), S::sub(one, twice), twice))
            }
            Nonlinearity::Leaky(_) => S::splat(0.0),
        }
    }
}
