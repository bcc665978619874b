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
mod verdict;
mod write;

pub use content::{BootstrapProtocol, Cost, Figure, MetricProtocol, Protocol, Report, SUBJECT};
#[cfg(feature = "plot")]
pub use curves::{AxisLabels, curves};
pub use html::html;
pub use markdown::markdown;
#[cfg(feature = "plot")]
pub use plot::{ForecastPanel, forecast_figure, metric_figures};
pub use summary::summary_table;
pub use verdict::{Passage, verdict};
pub use write::FILES;
