//! Energy distance between samples, and between real and predicted segments of velocity.

use super::moments::velocity;
use super::{Kind, Metric, MetricSpec, PreparedMetric, SEGMENT_FRAMES};
use crate::error::Result;
use crate::eval::bootstrap::ResamplingUnits;
use crate::eval::context::EvalContext;
use crate::eval::data::{Futures, Motion};
use crate::eval::result::MetricResult;
use crate::noise::Noise;
use ebmotion_engine::parallel;
use nalgebra::{DMatrix, DVector};

/// Columns of the second sample per block of distances.
const BLOCK: usize = 256;
/// Key of the fixed choice of segments.
const CHOICE: u64 = 0x5e67_3e27;

/// Squared energy distance `2 E|X-Y| - E|X-X'| - E|Y-Y'|` with Euclidean norms (Szekely and Rizzo, J. Stat. Plan.
/// Inference 143, 2013), as a V-statistic: means over all pairs, a point with itself included.
///
/// `x` is `(n, dim)`, `y` is `(m, dim)`, row-major.
///
/// # Errors
/// [`crate::Error::Shape`] when either is empty or no whole number of rows, [`crate::Error::NonFinite`] for NaN or
/// infinity.
#[cfg(test)]
pub(crate) fn energy_distance(x: &[f64], y: &[f64], dim: usize) -> Result<f64> {
    let sample = |what: &'static str, values: &[f64]| {
        if dim == 0 || values.is_empty() || !values.len().is_multiple_of(dim) {
            let expected = format!("a multiple of {dim} numbers, at least one row");
            return Err(crate::Error::Shape { what, found: vec![values.len()], expected });
        }
        if let Some(value) = values.iter().find(|v| !v.is_finite()) {
            return Err(crate::Error::NonFinite { what: what.into(), value: *value, step: 0 });
        }
        let n = values.len() / dim;
        Ok(Sample { points: DMatrix::from_column_slice(dim, n, values), unit: vec![0; n], units: 1 })
    };
    let (x, y) = (sample("x", x)?, sample("y", y)?);
    Ok(Sums::new(&x, &y, &x.within(1), 1).total())
}

/// Points as columns, each belonging to an episode.
struct Sample {
    points: DMatrix<f64>,
    unit: Vec<usize>,
    units: usize,
}

impl Sample {
    fn within(&self, threads: usize) -> Within {
        let mut counts = DVector::zeros(self.units);
        for unit in &self.unit {
            counts[*unit] += 1.0;
        }
        Within { sums: self.pair_sums(self, true, threads), counts }
    }

    /// `(units, other.units)`: sums of distances, through |x-y|² = |x|² + |y|² - 2 x·y so that the work is a matrix
    /// product; `same` says that both are one sample, where a point's distance to itself is exactly 0.
    fn pair_sums(&self, other: &Sample, same: bool, threads: usize) -> DMatrix<f64> {
        let squares = |m: &DMatrix<f64>| -> Vec<f64> { m.column_iter().map(|c| c.norm_squared()).collect() };
        let (own_squares, other_squares) = (squares(&self.points), squares(&other.points));
        let transposed = self.points.transpose();
        let blocks = other.points.ncols().div_ceil(BLOCK);
        let sums = parallel::map(threads, blocks, |block| {
            let first = block * BLOCK;
            let count = BLOCK.min(other.points.ncols() - first);
            let products = &transposed * other.points.columns(first, count);
            let mut sums = DMatrix::zeros(self.units, other.units);
            for (j, column) in (first..).zip(products.column_iter()) {
                let mut to_unit = sums.column_mut(other.unit[j]);
                for (i, product) in column.iter().enumerate() {
                    if !(same && i == j) {
                        let squared = own_squares[i] + other_squares[j] - 2.0 * product;
                        to_unit[self.unit[i]] += squared.max(0.0).sqrt();
                    }
                }
            }
            sums
        });
        sums.iter().fold(DMatrix::zeros(self.units, other.units), |sum, part| sum + part)
    }
}

/// Sums of distances of two samples by pairs of episodes: all that an energy distance and its resamples need.
struct Sums<'a> {
    across: DMatrix<f64>,
    x: &'a Within,
    y: Within,
}

/// A sample's own part of an energy distance.
struct Within {
    /// `(units, units)`: sums of distances.
    sums: DMatrix<f64>,
    /// `(units,)`: points.
    counts: DVector<f64>,
}

impl<'a> Sums<'a> {
    fn new(x: &Sample, y: &Sample, x_within: &'a Within, threads: usize) -> Self {
        Self { across: x.pair_sums(y, false, threads), x: x_within, y: y.within(threads) }
    }

    fn total(&self) -> f64 {
        let ones = |within: &Within| DVector::from_element(within.counts.len(), 1.0);
        self.weighted(&ones(self.x), &ones(&self.y))
    }

    /// With each episode's points counted as often as its weight says.
    fn weighted(&self, x: &DVector<f64>, y: &DVector<f64>) -> f64 {
        let (n, m) = (self.x.counts.dot(x), self.y.counts.dot(y));
        let across = x.dot(&(&self.across * y)) / (n * m);
        let (own_x, own_y) = (x.dot(&(&self.x.sums * x)) / (n * n), y.dot(&(&self.y.sums * y)) / (m * m));
        (2.0 * across - own_x - own_y).max(0.0)
    }
}

pub(super) struct SegmentEnergyDistance;

pub(super) static SEGMENT: SegmentEnergyDistance = SegmentEnergyDistance;

static SPEC: MetricSpec = MetricSpec {
    name: "segment_energy_distance",
    short: "ED.seg",
    title: "Energy distance of 8-frame velocity segments",
    unit: "z",
    lower_is_better: true,
    kind: Kind::Distance,
    source: "Szekely and Rizzo, J. Stat. Plan. Inference 143, 2013 (2 E|X-Y| - E|X-X'| - E|Y-Y'|, V-statistic)",
    definition: "velocities (frame-to-frame differences over their training standard deviation, the first one from the \
        last context frame) are cut into segments of 8 frames along the horizon, frames that fill no segment left out; \
        real segments against those of the first sample of each window. The figure pools all windows and segments (a \
        fixed choice of at most max_segments a side, the same for all forecasters); a step's value compares only the \
        segments that cover it, all windows pooled, so the figure is not the mean of the steps; steps behind the last \
        segment repeat its value",
};

impl Metric for SegmentEnergyDistance {
    fn spec(&self) -> &'static MetricSpec {
        &SPEC
    }

    fn prepare(&self, eval: &EvalContext) -> Result<Box<dyn PreparedMetric>> {
        let choices = choices(eval, eval.test.episode.len());
        let truth = choices
            .iter()
            .map(|choice| {
                let sample = segments(eval, &eval.test.true_motion(), &eval.units, choice);
                let within = sample.within(eval.threads());
                (sample, within)
            })
            .collect();
        Ok(Box::new(PreparedSegments { truth, choices }))
    }
}

/// A segment: window and position along the horizon.
type Place = (usize, usize);

/// Which segments are compared: one choice from all of them (the figure), then one choice per position (the steps).
fn choices(eval: &EvalContext, windows: usize) -> Vec<Vec<Place>> {
    let positions = eval.test.horizon / SEGMENT_FRAMES;
    let choose = |places: Vec<Place>, draw: u64| {
        let mut chosen = Noise::new(CHOICE).fork(draw).permutation(places.len());
        chosen.truncate(eval.options.max_segments);
        chosen.sort_unstable();
        chosen.into_iter().map(|i| places[i]).collect()
    };
    let at = |position: usize| (0..windows).map(move |i| (i, position));
    let mut all = vec![choose((0..positions).flat_map(at).collect(), u64::MAX)];
    all.extend((0..positions).map(|position| choose(at(position).collect(), position as u64)));
    all
}

fn segments(eval: &EvalContext, motion: &Motion, units: &ResamplingUnits, choice: &[Place]) -> Sample {
    let (d, std) = (eval.test.channels, &eval.test.velocity_std);
    let mut points = DMatrix::zeros(SEGMENT_FRAMES * d, choice.len());
    for ((i, position), mut point) in choice.iter().zip(points.column_iter_mut()) {
        for (t, out) in point.as_mut_slice().chunks_exact_mut(d).enumerate() {
            velocity(motion, *i, (position * SEGMENT_FRAMES + t) as isize, std, out);
        }
    }
    Sample { points, unit: choice.iter().map(|(i, _)| units.of_window[*i]).collect(), units: units.count }
}

struct PreparedSegments {
    choices: Vec<Vec<Place>>,
    truth: Vec<(Sample, Within)>,
}

impl PreparedSegments {
    fn compare(
        &self,
        eval: &EvalContext,
        motion: &Motion,
        choices: &[Vec<Place>],
        units: &ResamplingUnits,
        weights: &[Vec<f64>],
    ) -> MetricResult {
        let sums = |index: usize| {
            let (truth, within) = &self.truth[index];
            Sums::new(truth, &segments(eval, motion, units, &choices[index]), within, eval.threads())
        };
        let pooled = sums(0);
        let replicates: Vec<f64> = (0..eval.options.bootstrap.replicates)
            .map(|r| {
                let of = |all: &[Vec<f64>]| DVector::from_column_slice(&all[r]);
                pooled.weighted(&of(&eval.weights), &of(weights))
            })
            .collect();
        let positions: Vec<f64> = (1..choices.len()).map(|index| sums(index).total()).collect();
        let at = |t: usize| positions[(t / SEGMENT_FRAMES).min(positions.len() - 1)];
        EvalContext::result(pooled.total(), (0..eval.test.horizon).map(at).collect(), &replicates)
    }
}

impl PreparedMetric for PreparedSegments {
    fn score(&self, eval: &EvalContext, futures: &Futures) -> Result<MetricResult> {
        let motion = eval.test.first_samples(futures);
        Ok(self.compare(eval, &motion, &self.choices, &eval.units, &eval.weights))
    }

    fn floor(&self, eval: &EvalContext) -> Result<Option<MetricResult>> {
        let motion = eval.test.reference_motion();
        let choices = choices(eval, motion.windows());
        Ok(Some(self.compare(eval, &motion, &choices, &eval.reference_units, &eval.reference_weights)))
    }
}
