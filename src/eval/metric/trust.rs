//! When to trust a forecast: its error beside what is known before the truth is, and which sample to take of many.

use super::score::{average, distance, mean};
use super::{apd, energy_score};
use crate::eval::context::EvalContext;
use crate::eval::data::Futures;
use crate::eval::result::{MetricResult, Results};
use ebmotion_engine::parallel;

/// Shares of the windows at which a curve has a value.
pub(crate) const COVERAGE: [f64; 10] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0];

/// What windows are ordered by: how much the samples differ, their mean energy, and the error itself: no order is
/// better than that.
pub(crate) const SIGNALS: [&str; 3] = ["spread", "energy", "error"];

/// Name of the error of the sample of the lowest energy among the results.
pub(crate) const LOWEST_ENERGY: &str = "ade_lowest_energy";

/// Average displacement of each window's sample of the lowest energy: the answer for who needs one future. `energies`
/// are `(n, s)`.
fn of_lowest_energy(eval: &EvalContext, futures: &Futures, energies: &[f64]) -> MetricResult {
    let &Futures { samples, s, h, d, .. } = futures;
    let window = |i: usize, values: &mut [f64]| {
        let own = &energies[i * s..(i + 1) * s];
        let lowest = (0..s).min_by(|a, b| own[*a].total_cmp(&own[*b])).unwrap_or(0);
        let sample = samples[(i * s + lowest) * h * d..][..h * d].chunks_exact(d);
        let real = eval.test.truth[i * h * d..][..h * d].chunks_exact(d);
        values.iter_mut().zip(sample.zip(real)).for_each(|(value, (a, b))| *value = distance(a, b));
    };
    average(eval, window, |steps| mean(steps))
}

/// Risk-coverage curves (Geifman and El-Yaniv, "Selective classification for deep neural networks", NIPS 2017), by the
/// name of what orders the windows ([`SIGNALS`]): the mean energy score of the surest windows at each of [`COVERAGE`],
/// and as the figure the mean over these. With `energies`, `(n, s)`, of a forecaster that has any, also
/// [`LOWEST_ENERGY`].
pub(crate) fn trust(eval: &EvalContext, futures: &Futures, energies: Option<&[f64]>) -> Results {
    let &Futures { n, s, h, .. } = futures;
    let of_windows = |of: &(dyn Fn(usize, &mut [f64]) + Sync)| -> Vec<f64> {
        parallel::map(eval.threads(), n, |i| {
            let mut values = vec![0.0; h];
            of(i, &mut values);
            mean(&values)
        })
    };
    let errors = of_windows(&|i, values| energy_score::of_window(&eval.test.truth, futures, i, values));
    let spread = of_windows(&|i, values| apd::of_window(futures, i, values));
    let energy = energies.map(|all| all.chunks_exact(s).map(mean).collect::<Vec<f64>>());
    let signals = [(s > 1).then_some(spread), energy, Some(errors.clone())];
    let curve = |(name, signal): (&str, Option<Vec<f64>>)| Some((name.to_string(), curve(eval, &errors, &signal?)));
    let lowest = energies.map(|all| (LOWEST_ENERGY.to_string(), of_lowest_energy(eval, futures, all)));
    SIGNALS.into_iter().zip(signals).filter_map(curve).chain(lowest).collect()
}

/// The curve of windows in the order of `signal`, the lowest first.
fn curve(eval: &EvalContext, errors: &[f64], signal: &[f64]) -> MetricResult {
    let mut order: Vec<usize> = (0..errors.len()).collect();
    order.sort_by(|a, b| signal[*a].total_cmp(&signal[*b]));
    let units = &eval.units.of_window;
    let at = |weights: &[f64]| covered(order.iter().map(|i| (errors[*i], weights[units[*i]])));
    let per_step = at(&vec![1.0; eval.units.count]);
    let replicates = &eval.weights[..eval.options.bootstrap.replicates];
    let replicates: Vec<f64> = replicates.iter().map(|weights| mean(&at(weights))).collect();
    EvalContext::result(mean(&per_step), per_step, &replicates)
}

/// Mean errors of the first windows, at each of [`COVERAGE`] of all weight; windows are `(error, weight)`. A window on
/// the border counts by its part.
fn covered(windows: impl Iterator<Item = (f64, f64)> + Clone) -> Vec<f64> {
    let total: f64 = windows.clone().map(|(_, weight)| weight).sum();
    let (mut sum, mut weight, mut means) = (0.0, 0.0, Vec::with_capacity(COVERAGE.len()));
    for (error, own) in windows {
        while let Some(share) = COVERAGE.get(means.len()).filter(|share| weight + own >= *share * total) {
            let part = share * total - weight;
            means.push((sum + part * error) / (share * total));
        }
        (sum, weight) = (sum + own * error, weight + own);
    }
    // Rounding may leave the last one out.
    means.resize(COVERAGE.len(), sum / weight);
    means
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_average_the_first_windows() {
        // Twenty windows of errors 0, 1, .. 19: of the first 10 % the mean is 0.5, of all 9.5.
        let even = covered((0..20).map(|i| (f64::from(i), 1.0)));
        let expected = COVERAGE.map(|share| (20.0 * share - 1.0) / 2.0);
        assert!(even.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{even:?}");
        // Three windows, the middle one drawn twice: at half of the weight the first and half of the middle ones.
        let parts = covered([(1.0, 1.0), (3.0, 2.0), (5.0, 1.0)].into_iter());
        assert!((parts[4] - 2.0).abs() < 1e-12 && (parts[9] - 3.0).abs() < 1e-12, "{parts:?}");
        // A window that was not drawn does not count.
        assert_eq!(covered([(9.0, 0.0), (1.0, 1.0)].into_iter()), vec![1.0; COVERAGE.len()]);
    }
}
