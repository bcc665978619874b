//! What all scores share: values per window and step, averaged over windows, resampled by episodes.

use crate::eval::evaluator::{Ground, MetricResult};
use crate::parallel;

/// Euclidean distance over the square root of the number of channels: the unit is that of one channel.
pub(super) fn distance(a: &[f32], b: &[f32]) -> f64 {
    // Eight partial sums let the compiler use vector registers; f32 holds the sum of a frame's channels to 1e-6.
    let mut sums = [0.0_f32; 8];
    let (heads_a, heads_b) = (a.chunks_exact(8), b.chunks_exact(8));
    let tail: f32 = heads_a.remainder().iter().zip(heads_b.remainder()).map(|(a, b)| (a - b) * (a - b)).sum();
    for (a, b) in heads_a.zip(heads_b) {
        for i in 0..8 {
            sums[i] += (a[i] - b[i]) * (a[i] - b[i]);
        }
    }
    let squared = f64::from(tail) + sums.iter().map(|s| f64::from(*s)).sum::<f64>();
    (squared / a.len() as f64).sqrt()
}

/// Averages `window(i, values)`, which writes one value per step, over the windows, then `finish` turns the averages
/// into per-step values and the figure; the same for each resample of the episodes.
pub(super) fn average(
    ground: &Ground,
    window: impl Fn(usize, &mut [f64]) + Sync,
    finish: impl Fn(&mut [f64]) -> f64,
) -> MetricResult {
    let (horizon, units) = (ground.test.horizon, &ground.units);
    let windows = parallel::map(ground.threads(), units.of_window.len(), |i| {
        let mut values = vec![0.0; horizon];
        window(i, &mut values);
        values
    });
    let mut sums = vec![vec![0.0; horizon]; units.count];
    let mut counts = vec![0.0; units.count];
    for (values, unit) in windows.iter().zip(&units.of_window) {
        counts[*unit] += 1.0;
        for (sum, value) in sums[*unit].iter_mut().zip(values) {
            *sum += value;
        }
    }
    let weighted = |weights: &[f64]| {
        let count: f64 = counts.iter().zip(weights).map(|(c, w)| c * w).sum();
        let mut steps = vec![0.0; horizon];
        for (sums, weight) in sums.iter().zip(weights) {
            for (step, sum) in steps.iter_mut().zip(sums) {
                *step += sum * weight / count;
            }
        }
        let figure = finish(&mut steps);
        (figure, steps)
    };
    let replicates = &ground.weights[..ground.options.bootstrap.replicates];
    let replicates: Vec<f64> = replicates.iter().map(|weights| weighted(weights).0).collect();
    let (figure, per_step) = weighted(&vec![1.0; units.count]);
    Ground::result(figure, per_step, &replicates)
}

pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
