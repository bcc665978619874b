//! The fast path of [ebmotion](https://docs.rs/ebmotion): chains, long forecasts and weight gradients of energies on plain
//! numbers, without a tensor library.
//!
//! [`engine`] runs what a program says, [`noise`] draws all random numbers, [`parallel`] divides work among threads without
//! changing an answer, [`error`] is the one error type of all crates of the workspace. Vector instructions (AVX-512, AVX2)
//! are chosen when the program runs.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod engine;
pub mod error;
#[cfg(feature = "cuda")]
#[doc(hidden)]
pub mod gpu;
pub mod noise;
pub mod parallel;
mod simd;

pub use error::{Error, Result};
