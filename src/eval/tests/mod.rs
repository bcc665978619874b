//! Metrics beside references and closed forms, and the report that is made of them.

#[cfg(feature = "urdf")]
mod links;
mod metrics;
mod metrics_more;
mod mode_gap;
mod report;
mod trust;
