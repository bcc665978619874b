//! Vector units of the processor, chosen when the program runs: AVX-512, AVX2 with FMA, or whatever the compiler takes
//! for granted.
//!
//! A [`Kernel`] is written once over [`Simd`] and compiled for each [`Isa`]; [`Isa::call`] enters the compiled one.
//! Kernels are leaves: loops over plain numbers. What calls them knows the ISA only as a value.
//!
//! # Safety
//! Two promises hold everywhere below [`Isa::call`], and its caller makes them. The processor has the ISA's
//! instructions: every [`Isa`] at hand comes from [`Isa::best`] or [`Isa::available`]. And the kernel's pointers
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
mod vector;

use std::sync::OnceLock;
pub(crate) use vector::{Kernel, Simd};

/// A set of vector instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Isa {
    /// Vectors of 4 numbers, no instruction beyond those of every processor of this architecture.
    Portable,
    /// Vectors of 8 numbers: AVX2 and FMA.
    Avx2,
    /// Vectors of 16 numbers: AVX-512 F, BW, DQ and VL.
    Avx512,
}

impl Isa {
    /// The best ISA of this machine.
    pub fn best() -> Self {
        static BEST: OnceLock<Isa> = OnceLock::new();
        *BEST.get_or_init(|| Self::available().into_iter().next_back().unwrap_or(Isa::Portable))
    }

    /// All ISAs of this machine, the best last.
    pub fn available() -> Vec<Self> {
        let mut isas = vec![Isa::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                isas.push(Isa::Avx2);
                let wide = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw");
                if wide && is_x86_feature_detected!("avx512dq") && is_x86_feature_detected!("avx512vl") {
                    isas.push(Isa::Avx512);
                }
            }
        }
        isas
    }

    /// Short name for reports.
    pub fn name(self) -> &'static str {
        match self {
            Isa::Portable => "portable",
            Isa::Avx2 => "avx2",
            Isa::Avx512 => "avx512",
        }
    }

    /// Numbers of one vector.
    pub fn lanes(self) -> usize {
        match self {
            Isa::Portable => 4,
            Isa::Avx2 => 8,
            Isa::Avx512 => 16,
        }
    }

    /// Outputs that a product computes at once: as many as the registers hold for two vectors of chains.
    pub(crate) fn outputs(self) -> usize {
        match self {
            Isa::Portable => 4,
            Isa::Avx2 => 6,
            Isa::Avx512 => 12,
        }
    }

    /// Runs a kernel compiled for this ISA.
    ///
    /// # Safety
    /// The ISA is one of [`Isa::available`], and the kernel's own contract holds ([`Kernel::run`]).
    pub(crate) unsafe fn call<K: Kernel>(self, kernel: K) {
        match self {
            // SAFETY: the kernel's contract is the caller's word; the portable ISA needs no special instruction.
            Isa::Portable => unsafe { kernel.run::<portable::Portable>() },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the caller's word for both: the kernel's contract, and AVX2 with FMA.
            Isa::Avx2 => unsafe { avx2::enter(kernel) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the caller's word for both: the kernel's contract, and AVX-512.
            Isa::Avx512 => unsafe { avx512::enter(kernel) },
            #[cfg(not(target_arch = "x86_64"))]
            // SAFETY: as for the portable ISA, which stands in.
            _ => unsafe { kernel.run::<portable::Portable>() },
        }
    }
}
