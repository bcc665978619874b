//! What a metric is.

use crate::error::Result;
use crate::eval::context::EvalContext;
use crate::eval::data::Futures;
use crate::eval::result::MetricResult;
use serde::{Deserialize, Serialize};

/// What a metric compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// The distribution of predictions with the distribution of real motion; real motion itself gives its floor.
    Distance,
    /// Each prediction with what really followed; there is no floor.
    Score,
    /// Nothing: what predictions are like, where neither less nor more is better. There is no floor and no winner.
    Description,
}

/// A metric's name and meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MetricSpec {
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
pub(crate) trait Metric: Sync {
    /// Its name and meaning.
    fn spec(&self) -> &'static MetricSpec;

    /// Computes what depends on the truth alone.
    ///
    /// # Errors
    /// [`crate::Error`] when the metric cannot be computed from this test set.
    fn prepare(&self, eval: &EvalContext) -> Result<Box<dyn PreparedMetric>>;
}

/// A [`Metric`] that knows the truth.
pub(crate) trait PreparedMetric {
    /// Judges one forecaster; `futures` fits the test set.
    ///
    /// # Errors
    /// [`crate::Error`] when the metric cannot be computed from these futures.
    fn score(&self, eval: &EvalContext, futures: &Futures) -> Result<MetricResult>;

    /// What real motion scores against real motion, `None` for a metric without a floor.
    ///
    /// # Errors
    /// As [`PreparedMetric::score`].
    fn floor(&self, _: &EvalContext) -> Result<Option<MetricResult>> {
        Ok(None)
    }
}
