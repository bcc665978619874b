//! Scores forecasters against one test set, by every metric of the table.

use super::bootstrap::ResamplingUnits;
use super::context::{EvalContext, EvalOptions};
use super::data::{Futures, TestSet};
use super::metric::{self, LinkErrors, METRICS, MetricSpec, PreparedMetric};
use super::result::{MetricResult, Results};
use crate::error::{Error, Result};
use crate::kinematics::Drive;
use crate::noise::Noise;
use crate::trajectory::Normaliser;

/// Scores any number of forecasters against one test set; what depends on the truth alone is computed once.
pub(crate) struct Evaluator<'a> {
    eval: EvalContext<'a>,
    prepared: Vec<(&'static MetricSpec, Box<dyn PreparedMetric>)>,
    links: Option<LinkErrors>,
}

impl<'a> Evaluator<'a> {
    /// Checks the test set and prepares every metric.
    ///
    /// # Errors
    /// As [`TestSet::validate`]; [`Error::Config`] for a stride or a number of segments of 0.
    pub fn new(test: &'a TestSet, options: EvalOptions) -> Result<Self> {
        test.validate()?;
        let settings = &options.bootstrap;
        for (key, value) in [
            ("bootstrap.frame_stride", settings.frame_stride),
            ("bootstrap.window_stride", settings.window_stride),
            ("max_segments", options.max_segments),
        ] {
            if value == 0 {
                return Err(Error::config(key, value, "at least 1"));
            }
        }
        let units = ResamplingUnits::new(&test.episode);
        let reference_units = ResamplingUnits::new(&test.reference.episode);
        let noise = Noise::new(settings.seed);
        let replicates = settings.replicates.max(settings.window_replicates);
        let weights = units.resample(replicates, &mut noise.fork(0));
        let reference_weights = reference_units.resample(replicates, &mut noise.fork(1));
        let eval = EvalContext { test, options, units, reference_units, weights, reference_weights };
        let prepared =
            METRICS.iter().map(|metric| Ok((metric.spec(), metric.prepare(&eval)?))).collect::<Result<Vec<_>>>()?;
        Ok(Self { eval, prepared, links: None })
    }

    /// Measures the places of a robot's links, too, in mm; `normaliser` is that of the z-scores.
    ///
    /// # Errors
    /// [`Error::Data`] for a drive of other channels.
    pub fn with_links(mut self, drive: Drive, normaliser: &Normaliser) -> Result<Self> {
        self.links = Some(LinkErrors::new(&self.eval, drive, normaliser)?);
        Ok(self)
    }

    /// All metrics of one forecaster.
    ///
    /// # Errors
    /// [`Error::Shape`] when `futures` does not fit the test set, [`Error::NonFinite`] when it holds NaN or infinity.
    pub fn evaluate(&self, futures: &Futures) -> Result<Results> {
        self.eval.test.validate_futures(futures)?;
        let score = |(spec, metric): &(&'static MetricSpec, Box<dyn PreparedMetric>)| {
            Ok((spec.name.to_string(), checked(spec, metric.score(&self.eval, futures)?)?))
        };
        let mut results: Results = self.prepared.iter().map(score).collect::<Result<_>>()?;
        if let Some(links) = &self.links {
            for (spec, result) in links.score(&self.eval, futures)? {
                results.insert(spec.name.to_string(), checked(spec, result)?);
            }
        }
        Ok(results)
    }

    /// When to trust a forecaster: its error at less coverage, and that of the sample of the lowest energy where its
    /// samples have `energies`, `(n, s)`.
    ///
    /// # Errors
    /// [`Error::NonFinite`] for a figure that is not finite.
    pub fn trust(&self, futures: &Futures, energies: Option<&[f64]>) -> Result<Results> {
        let found = metric::trust(&self.eval, futures, energies);
        let checked = |(name, result): (String, MetricResult)| match result.mean.is_finite() {
            true => Ok((name, result)),
            false => Err(Error::NonFinite { what: format!("trust by `{name}`"), value: result.mean, step: 0 }),
        };
        found.into_iter().map(checked).collect()
    }

    /// The floor of the metrics that have one: the real reference windows scored as if they were a forecast.
    ///
    /// # Errors
    /// As [`Evaluator::evaluate`].
    pub fn floor(&self) -> Result<Results> {
        let mut floors = Results::new();
        for (spec, metric) in &self.prepared {
            if let Some(floor) = metric.floor(&self.eval)? {
                floors.insert(spec.name.to_string(), checked(spec, floor)?);
            }
        }
        Ok(floors)
    }

    /// What the bootstrap resamples, in words for the protocol.
    pub fn resampling_unit(&self) -> &'static str {
        if self.eval.units.blocks { "blocks of one episode (the only test episode)" } else { "test episodes" }
    }
}

/// A figure that is not finite never leaves: the data passed the checks, so this is an overflow.
fn checked(spec: &MetricSpec, result: MetricResult) -> Result<MetricResult> {
    let all = result.per_step.iter().enumerate().map(|(t, v)| (*v, t + 1));
    let all = all.chain([(result.mean, 0), (result.interval[0], 0), (result.interval[1], 0)]);
    for (value, step) in all {
        if !value.is_finite() {
            return Err(Error::NonFinite { what: format!("metric `{}`", spec.name), value, step: step as u64 });
        }
    }
    Ok(result)
}
