//! The report: every figure beside its interval and its floor, and how it was made.
//!
//! [`Report`] is the content; `report.json` is exactly that. The other files are views of it.

#[cfg(feature = "plot")]
mod canvas;
mod content;
#[cfg(feature = "plot")]
mod curves;
mod format;
mod horizons;
mod html;
mod markdown;
#[cfg(feature = "plot")]
mod plot;
mod summary;
mod trust;
mod verdict;
mod write;

pub(crate) use content::{BootstrapProtocol, Figure, SUBJECT};
pub use content::{Cost, Protocol, Report};
pub(crate) use html::html;
pub(crate) use markdown::markdown;
#[cfg(feature = "plot")]
pub(crate) use plot::{ForecastPanel, forecast_figure, metric_figures};
#[cfg(test)]
pub(crate) use verdict::{Passage, verdict};
