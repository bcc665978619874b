//! The metrics. A new one is one file with a `Metric` and one row of `METRICS`.

mod apd;
mod auroc;
mod calibration;
mod crps;
mod displacement;
mod energy_distance;
mod energy_score;
mod frechet;
mod limits;
mod links;
mod moments;
mod pooled;
mod rmse;
mod score;
mod sharpness;
mod spec;
mod spectrum;
mod statistics;
mod trust;
mod variogram;

pub(crate) use super::data::{SEGMENT_FRAMES, WINDOW_FRAMES};
pub use auroc::Detection;
#[cfg(test)]
pub(crate) use energy_distance::energy_distance;
pub use frechet::frechet_distance;
pub(super) use links::LinkErrors;
pub(crate) use spec::{Kind, Metric, MetricSpec, PreparedMetric};
pub(crate) use trust::{COVERAGE, LOWEST_ENERGY, SIGNALS, trust};

use super::mode_gap;

/// Every metric of the report, in the order of its tables.
pub(crate) static METRICS: [&dyn Metric; 22] = [
    &frechet::POSITION,
    &frechet::VELOCITY,
    &frechet::WINDOW,
    &energy_distance::SEGMENT,
    &spectrum::SpectralDistance,
    &statistics::JERK,
    &statistics::REST,
    &limits::LimitViolations,
    &energy_score::EnergyScore,
    &crps::Crps,
    &variogram::VariogramScore,
    &calibration::CalibrationError,
    &rmse::Rmse,
    &displacement::ADE_1,
    &displacement::ADE_5,
    &displacement::ADE_20,
    &displacement::FDE_1,
    &displacement::FDE_5,
    &displacement::FDE_20,
    &calibration::Coverage90,
    &sharpness::Sharpness90,
    &apd::Apd,
];

/// Every metric of the report, in the order of its tables, then that of `mode_gap`, which has windows of its own and is
/// in a report where the logs have labels, and those of the links' errors, in one where a robot is known.
pub(crate) fn specs() -> impl Iterator<Item = &'static MetricSpec> {
    METRICS.iter().map(|metric| metric.spec()).chain([&mode_gap::SPEC]).chain(&links::SPECS)
}

/// The specs of the metrics that say who is better: all but the descriptions.
pub(crate) fn judged() -> impl Iterator<Item = &'static MetricSpec> {
    specs().filter(|spec| spec.kind != Kind::Description)
}
