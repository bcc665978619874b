//! How good a forecast is: metrics, their intervals, and the report.
//!
//! [`Evaluator`] holds the true motion and scores one forecaster's [`Futures`] at a time by every row of
//! [`metric::METRICS`]; [`report`] turns the results into files. Nothing here knows how a forecast was made.

mod bootstrap;
mod compare;
mod data;
mod evaluator;
pub mod metric;
mod mode_gap;
mod paired;
pub mod report;

pub use compare::{CompareOptions, Comparison, ShownWindow, compare};
pub use data::{Futures, Reference, TestSet};
pub use evaluator::{BootstrapSettings, Evaluator, MetricResult, Options, Results};
pub use paired::{Comparisons, Paired, Verdict, compare_with};
