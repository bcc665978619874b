//! Loops over vectors of any width.

/// A loop over plain numbers, written for any vector width.
pub(crate) trait Kernel {
    /// Does the work. Must be `#[inline(always)]`, and so must be all that it calls, so that it is compiled with the
    /// ISA's instructions.
    ///
    /// # Safety
    /// The processor must have the instructions of `S`, and the kernel's pointers must be good for what it does.
    unsafe fn run<S: Simd>(self);
}

/// Vectors of `LANES` numbers (`F`) or 32-bit integers (`I`).
///
/// # Safety
/// Who implements it promises that no function uses an instruction beyond those that the ISA's `enter` is compiled
/// with, and that none touches more memory than its pointers are said to be good for.
///
/// Who calls a function promises that the processor has the ISA's instructions, which holds within a [`Kernel`]. A
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
    /// `a * b + c`, rounded once where the ISA has such an instruction.
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
    /// Stores four vectors interleaved in 128-bit groups, see [`normal`](super::normal).
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
