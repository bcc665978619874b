//! The metrics. A new one is one file with a [`Metric`] and one row of [`METRICS`].

mod apd;
mod auroc;
mod calibration;
mod crps;
mod displacement;
mod energy_distance;
mod energy_score;
mod frechet;
mod limits;
mod moments;
mod pooled;
mod rmse;
mod score;
mod sharpness;
mod spectrum;
mod statistics;
mod variogram;

pub use auroc::{auroc, average_precision, fpr_at_95_tpr};
pub use energy_distance::energy_distance;
pub use frechet::frechet_distance;

use super::data::Futures;
use super::evaluator::{Ground, MetricResult};
use super::mode_gap;
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// Frames of a window in `frechet_window`.
pub const WINDOW_FRAMES: usize = 5;
/// Frames of a velocity segment in `segment_energy_distance`.
pub const SEGMENT_FRAMES: usize = 8;
/// Speed below which motion is at rest in `at_rest_error`: root mean square over channels of the velocity, each over its
/// standard deviation in training.
pub const REST_SPEED: f64 = 0.1;

/// What a metric compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The distribution of predictions with the distribution of real motion; real motion itself gives its floor.
    Distance,
    /// Each prediction with what really followed; there is no floor.
    Score,
    /// Nothing: what predictions are like, where neither less nor more is better. There is no floor and no winner.
    Description,
}

/// A metric's name and meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetricSpec {
    /// Key in `report.json`.
    pub name: &'static str,
    /// Name where a column is narrow, at most 7 characters.
    pub short: &'static str,
    /// Name for people.
    pub title: &'static str,
    /// Unit; `z` is one standard deviation of a channel over the training motion.
    pub unit: &'static str,
    /// True where less is better; false for a description, which is not judged.
    pub lower_is_better: bool,
    /// Distribution against distribution, prediction against outcome, or a description.
    pub kind: Kind,
    /// Where the formula comes from.
    pub source: &'static str,
    /// How the figure and its values per step are computed.
    pub definition: &'static str,
}

impl MetricSpec {
    /// True where the best of several samples counts, so that a wide guess is as good as a right one.
    pub fn best_of_several(&self) -> bool {
        self.name.contains("_best")
    }
}

/// A way of judging forecasts.
pub trait Metric: Sync {
    /// Its name and meaning.
    fn spec(&self) -> &'static MetricSpec;

    /// Computes what depends on the truth alone.
    ///
    /// # Errors
    /// [`crate::Error`] when the metric cannot be computed from this test set.
    fn prepare(&self, ground: &Ground) -> Result<Box<dyn Prepared>>;
}

/// A [`Metric`] that knows the truth.
pub trait Prepared {
    /// Judges one forecaster; `futures` fits the test set.
    ///
    /// # Errors
    /// [`crate::Error`] when the metric cannot be computed from these futures.
    fn score(&self, ground: &Ground, futures: &Futures) -> Result<MetricResult>;

    /// What real motion scores against real motion, `None` for a metric without a floor.
    ///
    /// # Errors
    /// As [`Prepared::score`].
    fn floor(&self, _: &Ground) -> Result<Option<MetricResult>> {
        Ok(None)
    }
}

/// Every metric of the report, in the order of its tables.
pub static METRICS: [&dyn Metric; 22] = [
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

/// The specs of [`METRICS`], in order, and of `mode_gap`, whose windows are its own and which a report has where the logs
/// have labels.
pub fn specs() -> impl Iterator<Item = &'static MetricSpec> {
    METRICS.iter().map(|metric| metric.spec()).chain([&mode_gap::SPEC])
}

/// The specs of the metrics that say who is better: all but the descriptions.
pub fn judged() -> impl Iterator<Item = &'static MetricSpec> {
    specs().filter(|spec| spec.kind != Kind::Description)
}
