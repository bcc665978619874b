//! Values of windows summed by episode, so that their mean over any resample of episodes is one weighted sum.

use crate::eval::bootstrap::ResamplingUnits;
use crate::eval::context::EvalContext;
use crate::eval::result::MetricResult;
use ebmotion_engine::parallel;

/// Per episode: sums over its windows, and how many there are.
pub(super) struct Pooled {
    sums: Vec<Vec<f64>>,
    counts: Vec<f64>,
}

impl Pooled {
    /// Sums `window(i, values)`, which writes `width` values, over the windows of each unit.
    pub(super) fn new(
        eval: &EvalContext,
        units: &ResamplingUnits,
        width: usize,
        window: impl Fn(usize, &mut [f64]) + Sync,
    ) -> Self {
        let windows = parallel::map(eval.threads(), units.of_window.len(), |i| {
            let mut values = vec![0.0; width];
            window(i, &mut values);
            values
        });
        let mut sums = vec![vec![0.0; width]; units.count];
        let mut counts = vec![0.0; units.count];
        for (values, unit) in windows.iter().zip(&units.of_window) {
            counts[*unit] += 1.0;
            for (sum, value) in sums[*unit].iter_mut().zip(values) {
                *sum += value;
            }
        }
        Self { sums, counts }
    }

    /// `(width,)`: means over all windows.
    pub(super) fn mean(&self) -> Vec<f64> {
        self.weighted(&vec![1.0; self.counts.len()])
    }

    /// `(width,)`: means with each episode's windows counted as often as its weight says.
    pub(super) fn weighted(&self, weights: &[f64]) -> Vec<f64> {
        let count: f64 = self.counts.iter().zip(weights).map(|(c, w)| c * w).sum();
        let mut means = vec![0.0; self.sums[0].len()];
        for (sums, weight) in self.sums.iter().zip(weights) {
            for (mean, sum) in means.iter_mut().zip(sums) {
                *mean += sum * weight / count;
            }
        }
        means
    }
}

/// `finish(real, other)` turns the means of both sides into the figure and its values per step; the same for each
/// resample of the episodes, `weights` being those of `other`.
pub(super) fn compare(
    eval: &EvalContext,
    real: &Pooled,
    (other, weights): (&Pooled, &[Vec<f64>]),
    finish: impl Fn(&[f64], &[f64]) -> (f64, Vec<f64>),
) -> MetricResult {
    let replicates: Vec<f64> = (0..eval.options.bootstrap.replicates)
        .map(|r| finish(&real.weighted(&eval.weights[r]), &other.weighted(&weights[r])).0)
        .collect();
    let (figure, per_step) = finish(&real.mean(), &other.mean());
    EvalContext::result(figure, per_step, &replicates)
}
