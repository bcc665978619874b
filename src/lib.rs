#![doc = include_str!("../README.md")]

pub mod anomaly;
pub mod energy;
pub mod engine;
pub mod error;
pub mod eval;
pub mod event;
pub mod files;
pub mod forecast;
#[cfg(feature = "cuda")]
pub(crate) mod gpu;
pub mod kinematics;
pub mod model;
pub mod noise;
pub mod parallel;
pub mod sample;
pub mod settings;
pub(crate) mod simd;
pub mod train;
pub mod trajectory;

pub use error::{Error, Result};
