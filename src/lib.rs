#![doc = include_str!("../README.md")]

pub mod anomaly;
pub mod energy;
pub mod eval;
pub mod event;
#[cfg(feature = "image")]
pub mod experiment;
pub mod files;
pub mod forecast;
#[cfg(feature = "image")]
pub mod image;
pub mod kinematics;
pub mod model;
pub mod sample;
pub mod settings;
pub mod train;
pub mod trajectory;

#[cfg(feature = "cuda")]
pub(crate) use ebmotion_engine::gpu;
pub use ebmotion_engine::{engine, error, noise, parallel};
pub use error::{Error, Result};
