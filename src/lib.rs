//! Learns how a robot moves from its logs and draws what may come next.
//!
//! A model is an *energy*: a number that a network gives to a stretch of motion, low where the motion is like that in
//! the logs. Forecasts are drawn from it, anomalies stand out by it, and a goal or a limit is one more energy added.
//!
//! Five types carry most programs:
//!
//! | type | is |
//! |---|---|
//! | [`forecast::Dataset`] | logs as frames of one rate, split by episode into training, validation and test |
//! | [`forecast::RunConfig`] | everything that decides what is learned; a file or one line changes it |
//! | [`forecast::Model`] | a trained model: trains, saves, loads, forecasts |
//! | [`forecast::ForecastConditions`] | what a forecast has to be besides likely: a joint held, a goal, an energy |
//! | [`forecast::Forecast`] | possible futures in the log's own units, with quantiles, CSV and JSON |
//!
//! From a log to a forecast with one joint held, in one program:
//!
//! ```
//! use ebmotion::event::Silent;
//! use ebmotion::forecast::{Dataset, ForecastConditions, Model, Request, RunConfig};
//!
//! # fn main() -> ebmotion::Result<()> {
//! // For real use leave the steps to the data.
//! let config = RunConfig::default().with_one("train.steps", "20")?;
//! let dataset = Dataset::read(&["data/hand_gestures/hand_gestures.csv.gz"], &config)?;
//! let model = Model::train(&dataset, &config, None, false, &mut Silent)?;
//!
//! let past = &dataset.frames.episodes[dataset.split.test[0]].values;
//! let held = ForecastConditions::new().hold(3, 0..25, 0.2); // the fourth joint stays at 0.2 rad for a second
//! let forecast = model.forecast_given(past, &Request { horizon: 25, samples: 64 }, &held, 7)?;
//!
//! let quantiles = forecast.quantiles(&[0.05, 0.5, 0.95])?;
//! for (channel, name) in [(2, "its neighbour"), (3, "the joint that is held")] {
//!     let [low, middle, high] = [0, 1, 2].map(|q| quantiles[[0, q, 24, channel]]);
//!     println!("{name} after 1 s: {low:.2}, {middle:.2}, {high:.2} rad");
//! }
//! # assert!((quantiles[[0, 1, 24, 3]] - 0.2).abs() < 1e-3);
//! # Ok(())
//! # }
//! ```
//!
//! The parts, from the ground up:
//!
//! | module | holds |
//! |---|---|
//! | [`energy`] | energies, their sums, mixtures, constraints and coordinates |
//! | [`sample`] | chains (Langevin, MALA, HMC) and [`sample::diffusion`], the one way down noise levels |
//! | [`model`] | networks that are energies, and networks to compare with |
//! | [`train`] | objectives, the trainer, exact resuming |
//! | [`trajectory`] | logs, frames, windows: the crate `ebmotion-logs` |
//! | [`kinematics`], [`robot`] | robots and where their links are: the crate `ebmotion-robot`; what channels mean to them |
//! | [`forecast`] | models of motion and baselines |
//! | [`eval`] | metrics, paired comparison, the report |
//! | [`anomaly`] | which stretches are unlike the training motion |
//!
//! A program that embeds this crate should set `RAYON_NUM_THREADS=1`: batches are cut over the cores here, and one
//! thread for each tensor operation is faster. A robot that only forecasts needs none of this: `ebmotion-runtime` reads
//! a model file and gives the same numbers without a tensor library.
//!
//! Features: `plot` draws the report's figures, `cuda` and `cudnn` use an NVIDIA GPU. By default there are none.
#![cfg_attr(docsrs, feature(doc_cfg))]

/// Files that unit tests share with `tests/` and `benches/` name the crate as those do.
#[cfg(test)]
extern crate self as ebmotion;

pub mod anomaly;
pub mod energy;
pub mod eval;
pub mod event;
pub mod forecast;
pub mod model;
pub mod robot;
pub mod sample;
pub mod settings;
pub mod train;

pub(crate) use ebmotion_engine::error;
pub use ebmotion_engine::{Error, Result};
pub(crate) use ebmotion_logs::files;

/// Robot logs, frames of one rate, windows: the crate `ebmotion-logs`, whole.
pub use ebmotion_logs as trajectory;

/// Robots and where their links are: the crate `ebmotion-robot`, whole. With the feature `urdf` it reads URDF files.
pub use ebmotion_robot as kinematics;

/// Random numbers that are a function of a key, a draw, a chain and a position.
pub mod noise {
    pub use ebmotion_engine::noise::Noise;
}

/// The programs in README and guide run as tests.
#[cfg(doctest)]
mod documents {
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../docs/guide.md")]
    struct Guide;
}
