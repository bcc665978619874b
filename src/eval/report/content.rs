//! The content of a report.

use crate::error::{Error, Result};
use crate::eval::context::{BootstrapSettings, EvalOptions};
use crate::eval::evaluator::Evaluator;
use crate::eval::metric;
use crate::eval::paired::Comparisons;
use crate::eval::result::Results;
use crate::files::FileRecord;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The forecaster that the verdict is about, where the report has it.
pub(crate) const SUBJECT: &str = "ebm";

/// The content of `report.json`. Keys are sorted, so the same results give the same bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Results by forecaster and metric.
    pub forecasters: BTreeMap<String, Results>,
    /// What real motion scores against real motion, for the distances.
    pub floor: Results,
    /// When to trust each forecaster. By what orders the windows (`spread` of the samples, their mean `energy`; `error`
    /// is the best order there can be), the mean energy score of the surest 10 %, 20 % and so on to 100 % of the
    /// windows as values per step, their mean as the figure. `ade_lowest_energy`: average displacement of the sample of
    /// the lowest energy.
    #[serde(default)]
    pub trust: BTreeMap<String, Results>,
    /// How much better `ebm` is than each of the others, by metric, on the same resamples.
    #[serde(default)]
    pub comparisons: BTreeMap<String, Comparisons>,
    /// How the figures were made.
    pub protocol: Protocol,
    /// What each forecaster costs.
    pub cost: BTreeMap<String, Cost>,
}

/// What a forecaster costs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Wall-clock time of its training or fit, seconds; 0 where there is none.
    pub train_seconds: f64,
    /// Trainable parameters.
    pub parameters: usize,
    /// Network evaluations per predicted chunk.
    pub evaluations_per_chunk: usize,
    /// Wall-clock time of all samples of one window over the whole horizon, milliseconds.
    pub ms_per_window: f64,
}

/// How a report's figures were made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Protocol {
    /// Program and version, see [`Protocol::program`].
    pub program: String,
    /// The files, each with its SHA-256.
    pub data: Vec<FileRecord>,
    /// Episodes per split ("train", "validation", "test").
    pub episodes: BTreeMap<String, usize>,
    /// Windows per split, and "reference" for the floor.
    pub windows: BTreeMap<String, usize>,
    /// Channel names, in order.
    pub channels: Vec<String>,
    /// Frames per second.
    pub rate_hz: f64,
    /// Context frames.
    pub context: usize,
    /// Predicted frames.
    pub horizon: usize,
    /// Samples per window of the forecasters that draw any.
    pub samples: usize,
    /// Seeds by purpose.
    pub seeds: BTreeMap<String, u64>,
    /// What each metric means.
    pub(crate) metrics: BTreeMap<String, MetricProtocol>,
    /// How the intervals were made.
    pub(crate) bootstrap: BootstrapProtocol,
    /// Anything else a reader should know, one sentence each.
    pub notes: Vec<String>,
}

/// A metric's meaning, as the report states it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MetricProtocol {
    /// Unit.
    pub unit: String,
    /// What it compares.
    pub kind: metric::Kind,
    /// True where less is better; false for a description, which is not judged.
    pub lower_is_better: bool,
    /// True where real motion has a figure too.
    pub has_floor: bool,
    /// Where the formula comes from.
    pub source: String,
    /// How the figure is computed.
    pub definition: String,
}

/// How the intervals were made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct BootstrapProtocol {
    /// What is resampled.
    pub unit: String,
    /// Coverage of the intervals.
    pub level: f64,
    /// The method, in words.
    pub method: String,
    /// Segments a side in an energy distance, at most.
    pub max_segments: usize,
    /// Seed, replicates and strides.
    pub settings: BootstrapSettings,
}

impl Protocol {
    /// This program and its version.
    pub fn program() -> String {
        format!("{} {}", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
    }

    /// The meaning of every metric.
    pub(crate) fn metrics() -> BTreeMap<String, MetricProtocol> {
        metric::specs()
            .map(|spec| {
                let protocol = MetricProtocol {
                    unit: spec.unit.into(),
                    kind: spec.kind,
                    lower_is_better: spec.lower_is_better,
                    has_floor: spec.kind == metric::Kind::Distance,
                    source: spec.source.into(),
                    definition: spec.definition.into(),
                };
                (spec.name.to_string(), protocol)
            })
            .collect()
    }
}

impl BootstrapProtocol {
    /// Of the evaluation that gave the figures.
    pub fn new(evaluator: &Evaluator, options: &EvalOptions) -> Self {
        Self {
            unit: evaluator.resampling_unit().into(),
            level: 0.95,
            method:
                "episodes drawn with replacement, the same draws for all forecasters; interval = figure + quantiles of \
                    (replicate - mean of replicates), not below 0; a forecaster trained with several seeds draws as \
                    many of them in each resample; a gain over another forecaster is called better or worse where the \
                    interval of the difference on common resamples excludes 0; frechet_position and frechet_velocity \
                    replicates average every frame_stride-th step, frechet_window replicates every window_stride-th"
                    .into(),
            max_segments: options.max_segments,
            settings: options.bootstrap.clone(),
        }
    }
}

/// A picture of the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Figure {
    /// Stem of its file: `plots/<name>.svg`.
    pub name: String,
    /// Heading.
    pub title: String,
    /// What it shows, in a sentence or two.
    pub caption: String,
    /// The whole SVG document.
    pub svg: String,
    /// True where it should take the page's whole width.
    pub wide: bool,
}

impl Report {
    /// Refuses figures that are not finite: JSON has no word for them.
    ///
    /// # Errors
    /// [`Error::NonFinite`] naming the first such figure by its path in `report.json`.
    pub fn validate(&self) -> Result<()> {
        let mut figures = vec![("protocol.rate_hz".to_string(), self.protocol.rate_hz)];
        let floor = self.floor.iter().map(|(metric, result)| (format!("floor.{metric}"), result));
        let scored = self.forecasters.iter().flat_map(|(name, results)| {
            results.iter().map(move |(metric, result)| (format!("forecasters.{name}.{metric}"), result))
        });
        for (path, result) in floor.chain(scored) {
            figures.push((format!("{path}.mean"), result.mean));
            figures.extend(result.interval.iter().map(|v| (format!("{path}.interval"), *v)));
            figures.extend(result.per_step.iter().enumerate().map(|(t, v)| (format!("{path}.per_step[{t}]"), *v)));
        }
        for (name, cost) in &self.cost {
            figures.push((format!("cost.{name}.train_seconds"), cost.train_seconds));
            figures.push((format!("cost.{name}.ms_per_window"), cost.ms_per_window));
        }
        match figures.into_iter().find(|(_, value)| !value.is_finite()) {
            Some((what, value)) => Err(Error::NonFinite { what, value, step: 0 }),
            None => Ok(()),
        }
    }

    /// The bytes of `report.json`: indented, keys in a fixed order.
    ///
    /// # Errors
    /// As [`Report::validate`].
    pub fn to_json(&self) -> Result<String> {
        self.validate()?;
        let json = serde_json::to_string_pretty(self);
        json.map(|text| text + "\n").map_err(Error::unwritable("the report", "JSON"))
    }

    /// Forecasters as tables and plots order them: the subject first.
    pub(super) fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.forecasters.keys().map(String::as_str).collect();
        names.sort_by_key(|name| *name != SUBJECT);
        names
    }

    /// Name and figure of the best forecaster of a metric; none of a description.
    pub(super) fn best(&self, metric: &metric::MetricSpec) -> Option<(&str, f64)> {
        if metric.kind == metric::Kind::Description {
            return None;
        }
        let figures = self.names().into_iter().filter_map(|n| Some((n, self.forecasters[n].get(metric.name)?.mean)));
        let better = |a: f64, b: f64| if metric.lower_is_better { a < b } else { a > b };
        figures.reduce(|best, next| if better(next.1, best.1) { next } else { best })
    }
}
