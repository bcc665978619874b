//! How good a forecast is: metrics, their intervals, and the report.
//!
//! [`Evaluator`] holds the true motion and scores one forecaster's [`Futures`] at a time by every row of
//! [`metric::METRICS`]; [`report`] turns the results into files. Nothing here knows how a forecast was made.

mod baselines;
mod bootstrap;
mod compare;
mod context;
mod data;
mod evaluator;
pub mod metric;
mod mode_gap;
mod paired;
pub mod report;
mod result;

pub use baselines::{Baselines, beside, compare_with_baselines, train_seeds};
pub use compare::{CompareOptions, Comparison, compare};
pub use context::{BootstrapSettings, EvalOptions};
pub use data::{Futures, Reference, TestSet};
pub use evaluator::Evaluator;
pub use paired::{Comparisons, Paired, Verdict, compare_with};
pub use result::{MetricResult, Results};
