//! What all scores share: values per window and step, averaged over windows, resampled by episodes.

use super::pooled::Pooled;
use crate::eval::context::EvalContext;
use crate::eval::data::Futures;
use crate::eval::result::MetricResult;

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
    eval: &EvalContext,
    window: impl Fn(usize, &mut [f64]) + Sync,
    finish: impl Fn(&mut [f64]) -> f64,
) -> MetricResult {
    average_of(eval, eval.test.horizon, window, |means| {
        let mut steps = means.to_vec();
        (finish(&mut steps), steps)
    })
}

/// As [`average`], of `width` values a window, from whose averages `finish` makes the figure and its values per step.
pub(super) fn average_of(
    eval: &EvalContext,
    width: usize,
    window: impl Fn(usize, &mut [f64]) + Sync,
    finish: impl Fn(&[f64]) -> (f64, Vec<f64>),
) -> MetricResult {
    let pooled = Pooled::new(eval, &eval.units, width, window);
    let replicates = &eval.weights[..eval.options.bootstrap.replicates];
    let replicates: Vec<f64> = replicates.iter().map(|weights| finish(&pooled.weighted(weights)).0).collect();
    let (figure, per_step) = finish(&pooled.mean());
    EvalContext::result(figure, per_step, &replicates)
}

/// Channel `c` at step `t` of all samples of window `i`, in ascending order.
pub(super) fn sorted_column(futures: &Futures, i: usize, t: usize, c: usize, out: &mut Vec<f32>) {
    let &Futures { samples, s, h, d, .. } = futures;
    out.clear();
    out.extend((0..s).map(|j| samples[((i * s + j) * h + t) * d + c]));
    out.sort_unstable_by(f32::total_cmp);
}

pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
