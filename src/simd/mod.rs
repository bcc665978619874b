//! Vector units of the processor, chosen when the program runs: AVX-512, AVX2 with FMA, or whatever the compiler takes
//! for granted.
//!
//! A [`Kernel`] is written once over [`Simd`] and compiled for each [`Level`]; [`Level::call`] enters the compiled one.
//! Kernels are leaves: loops over plain numbers. What calls them knows the level only as a value.
//!
//! # Safety
//! Two promises hold everywhere below [`Level::call`], and its caller makes them. The processor has the level's
//! instructions: every [`Level`] at hand comes from [`Level::best`] or [`Level::available`]. And the kernel's pointers
//! are good for what it does with them. Functions that only compute on vectors rest on the first promise alone.

#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
pub(crate) mod math;
pub(crate) mod normal;
mod portable;
#[cfg(test)]
mod tests;

use std::sync::OnceLock;

/// A set of vector instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Vectors of 4 numbers, no instruction beyond those of every processor of this architecture.
    Portable,
    /// Vectors of 8 numbers: AVX2 and FMA.
    Avx2,
    /// Vectors of 16 numbers: AVX-512 F, BW, DQ and VL.
    Avx512,
}

impl Level {
    /// The best level of this machine.
    pub fn best() -> Self {
        static BEST: OnceLock<Level> = OnceLock::new();
        *BEST.get_or_init(|| Self::available().into_iter().next_back().unwrap_or(Level::Portable))
    }

    /// All levels of this machine, the best last.
    pub fn available() -> Vec<Self> {
        let mut levels = vec![Level::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                levels.push(Level::Avx2);
                let wide = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw");
                if wide && is_x86_feature_detected!("avx512dq") && is_x86_feature_detected!("avx512vl") {
                    levels.push(Level::Avx512);
                }
            }
        }
        levels
    }

    /// Short name for reports.
    pub fn name(self) -> &'static str {
        match self {
            Level::Portable => "portable",
            Level::Avx2 => "avx2",
            Level::Avx512 => "avx512",
        }
    }

    /// Numbers of one vector.
    pub fn lanes(self) -> usize {
        match self {
            Level::Portable => 4,
            Level::Avx2 => 8,
            Level::Avx512 => 16,
        }
    }

    /// Outputs that a product computes at once: as many as the registers hold for two vectors of chains.
    pub(crate) fn outputs(self) -> usize {
        match self {
            Level::Portable => 4,
            Level::Avx2 => 6,
            Level::Avx512 => 12,
        }
    }

    /// Runs a kernel compiled for this level.
    ///
    /// # Safety
    /// The level is one of [`Level::available`], and the kernel's own contract holds ([`Kernel::run`]).
    pub(crate) unsafe fn call<K: Kernel>(self, kernel: K) {
        match self {
            // SAFETY: the kernel's contract is the caller's word; the portable level needs no special instruction.
            Level::Portable => unsafe { kernel.run::<portable::Portable>() },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the caller's word for both: the kernel's contract, and AVX2 with FMA.
            Level::Avx2 => unsafe { avx2::enter(kernel) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the caller's word for both: the kernel's contract, and AVX-512.
            Level::Avx512 => unsafe { avx512::enter(kernel) },
            #[cfg(not(target_arch = "x86_64"))]
            // SAFETY: as for the portable level, which stands in.
            _ => unsafe { kernel.run::<portable::Portable>() },
        }
    }
}

/// A loop over plain numbers, written for any vector width.
pub(crate) trait Kernel {
    /// Does the work. Must be `#[inline(always)]`, and so must be all that it calls, so that it is compiled with the
    /// level's instructions.
    ///
    /// # Safety
    /// The processor must have the instructions of `S`, and the kernel's pointers must be good for what it does.
    unsafe fn run<S: Simd>(self);
}

/// Vectors of `LANES` numbers (`F`) or 32-bit integers (`I`).
///
/// # Safety
/// Who implements it promises that no function uses an instruction beyond those that the level's `enter` is compiled
/// with, and that none touches more memory than its pointers are said to be good for.
///
/// Who calls a function promises that the processor has the level's instructions, which holds within a [`Kernel`]. A
/// pointer to numbers must be good for `LANES` of them; it need not be aligned, but is faster if it is.
#[allow(clippy::missing_safety_doc, reason = "all functions have one contract, the trait's")]
pub(crate) unsafe trait Simd: Copy {
    const LANES: usize;
    type F: Copy;
    type I: Copy;

    unsafe fn splat(v: f32) -> Self::F;
    unsafe fn load(p: *const f32) -> Self::F;
    unsafe fn store(p: *mut f32, v: Self::F);
    unsafe fn add(a: Self::F, b: Self::F) -> Self::F;
    unsafe fn sub(a: Self::F, b: Self::F) -> Self::F;
    unsafe fn mul(a: Self::F, b: Self::F) -> Self::F;
    /// `a * b + c`, rounded once where the level has such an instruction.
    unsafe fn mul_add(a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    /// The smaller; `b` where either is NaN.
    unsafe fn min(a: Self::F, b: Self::F) -> Self::F;
    /// The larger; `b` where either is NaN.
    unsafe fn max(a: Self::F, b: Self::F) -> Self::F;
    unsafe fn sqrt(a: Self::F) -> Self::F;
    /// `1 / a` to about 1e-7 for `a` in 1 to 1e38.
    unsafe fn reciprocal(a: Self::F) -> Self::F;
    /// Nearest integer, for magnitudes below 2^22.
    unsafe fn round(a: Self::F) -> Self::F;
    /// `if test { yes } else { no }` lane by lane, with `test = a > b` (false for NaN).
    unsafe fn select_gt(a: Self::F, b: Self::F, yes: Self::F, no: Self::F) -> Self::F;
    /// Sums of the lanes of as many vectors as there are lanes: lane `i` of the result is the sum of `v[i]`.
    ///
    /// # Safety
    /// As for all; `v` is good for `LANES` vectors and aligned as they are.
    unsafe fn sums(v: *const Self::F) -> Self::F;
    /// Stores four vectors interleaved in 128-bit groups, see [`normal`].
    ///
    /// # Safety
    /// As for all; `p` is good for `4 LANES` numbers.
    unsafe fn store_quads(p: *mut f32, v: [Self::F; 4]);

    unsafe fn isplat(v: u32) -> Self::I;
    unsafe fn iload(p: *const u32) -> Self::I;
    unsafe fn iadd(a: Self::I, b: Self::I) -> Self::I;
    unsafe fn isub(a: Self::I, b: Self::I) -> Self::I;
    unsafe fn ixor(a: Self::I, b: Self::I) -> Self::I;
    unsafe fn iand(a: Self::I, b: Self::I) -> Self::I;
    /// High and low half of the 64-bit products of the lanes with `m`.
    unsafe fn mul_wide(a: Self::I, m: u32) -> (Self::I, Self::I);
    /// Logical shift to the left.
    unsafe fn shl<const N: u32>(a: Self::I) -> Self::I;
    /// Logical shift to the right.
    unsafe fn shr<const N: u32>(a: Self::I) -> Self::I;
    /// Shift to the right that copies the sign.
    unsafe fn sar<const N: u32>(a: Self::I) -> Self::I;
    /// Signed integers as numbers.
    unsafe fn to_f32(a: Self::I) -> Self::F;
    /// Numbers as signed integers (of numbers that are integers).
    unsafe fn to_i32(a: Self::F) -> Self::I;
    unsafe fn bits(a: Self::F) -> Self::I;
    unsafe fn from_bits(a: Self::I) -> Self::F;
    /// `if a == 0 { yes } else { no }` lane by lane.
    unsafe fn select_zero(a: Self::I, yes: Self::F, no: Self::F) -> Self::F;
}
