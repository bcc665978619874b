//! The metrics. A new one is one file with a [`Metric`] and one row of [`METRICS`].

mod auroc;
mod displacement;
mod energy_distance;
mod energy_score;
mod frechet;
mod moments;
mod rmse;
mod score;

pub use auroc::{auroc, average_precision, fpr_at_95_tpr};
pub use energy_distance::energy_distance;
pub use frechet::frechet_distance;

use super::data::Futures;
use super::evaluator::{Ground, MetricResult};
use crate::error::Result;

/// Frames of a window in `frechet_window`.
pub const WINDOW_FRAMES: usize = 5;
/// Frames of a velocity segment in `segment_energy_distance`.
pub const SEGMENT_FRAMES: usize = 8;
/// Samples among which the best is taken in `ade_best20` and `fde_best20`.
pub const BEST_OF: usize = 20;

/// What a metric compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The distribution of predictions with the distribution of real motion; real motion itself gives its floor.
    Distance,
    /// Each prediction with what really followed; there is no floor.
    Score,
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
    /// True where less is better.
    pub lower_is_better: bool,
    /// Distribution against distribution, or prediction against outcome.
    pub kind: Kind,
    /// Where the formula comes from.
    pub source: &'static str,
    /// How the figure and its values per step are computed.
    pub definition: &'static str,
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
pub static METRICS: [&dyn Metric; 8] = [
    &frechet::POSITION,
    &frechet::VELOCITY,
    &frechet::WINDOW,
    &energy_distance::SEGMENT,
    &energy_score::EnergyScore,
    &displacement::ADE,
    &displacement::FDE,
    &rmse::Rmse,
];

/// The specs of [`METRICS`], in order.
pub fn specs() -> impl Iterator<Item = &'static MetricSpec> {
    METRICS.iter().map(|metric| metric.spec())
}
