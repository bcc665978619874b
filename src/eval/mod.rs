//! How good a forecast is: metrics, their intervals, and the report.
//!
//! [`Comparison::of`] holds the true motion and scores one forecaster's futures at a time by every metric; a
//! [`Comparison`] writes the results as files ([`report`]). Nothing here knows how a forecast was made.

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
#[cfg(test)]
mod tests;

pub use baselines::Baselines;
pub use compare::{CompareOptions, Comparison};
pub use context::{BootstrapSettings, EvalOptions};
pub(crate) use data::{Futures, Reference, TestSet};
pub(crate) use evaluator::Evaluator;
#[cfg(test)]
pub(crate) use paired::compare_with;
pub use paired::{Paired, Verdict};
pub use result::MetricResult;
pub(crate) use result::Results;
