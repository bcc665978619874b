//! When to trust a forecast: curves and the sample of the lowest energy, where the right values are known.

use crate::Result;
use crate::eval::metric::LOWEST_ENERGY;
use crate::eval::{BootstrapSettings, EvalOptions, Evaluator, Futures, Reference, TestSet};

const N: usize = 40;
const H: usize = 8;
const K: usize = 4;

/// One channel that stands still at 0; window `i` has samples at `i + 1`, half as far again, and 0.5.
fn still() -> Result<(TestSet, Vec<f32>)> {
    let episode: Vec<usize> = (0..N).map(|i| i / 4).collect();
    let reference = Reference { context: vec![0.0; N * K], future: vec![0.0; N * H], episode: episode.clone() };
    let test = TestSet {
        context: vec![0.0; N * K],
        truth: vec![0.0; N * H],
        episode,
        context_frames: K,
        horizon: H,
        channels: 1,
        velocity_std: vec![1.0],
        reference,
    };
    let sample = |times: f32, i: usize| vec![times * (i + 1) as f32; H];
    let samples = (0..N).flat_map(|i| [sample(1.0, i), sample(1.5, i), vec![0.5; H]].concat()).collect();
    Ok((test, samples))
}

#[test]
fn the_surest_windows_have_the_least_error_where_the_signal_knows_it() -> Result<()> {
    let (test, samples) = still()?;
    let bootstrap = BootstrapSettings { replicates: 40, window_replicates: 2, ..BootstrapSettings::default() };
    let evaluator = Evaluator::new(&test, EvalOptions { bootstrap, ..EvalOptions::default() })?;
    let futures = Futures { samples: &samples, n: N, s: 3, h: H, d: 1 };
    // Energies that know nothing of the error, and prefer the third sample.
    let energies: Vec<f64> = (0..N).flat_map(|i| [5.0, 4.0, -((i * 17 % N) as f64)]).collect();
    let trust = evaluator.trust(&futures, Some(&energies))?;
    let (spread, error) = (&trust["spread"], &trust["error"]);
    // A window's error grows with its spread, so the order is the best there is.
    assert_eq!(spread.per_step, error.per_step);
    assert!(spread.per_step.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", spread.per_step);
    // With a = i + 1 a window's score is (2.5 a + 0.5) / 3 - (3 a - 1) / 6 = (a + 1) / 3, their mean 21.5 / 3.
    let all = 21.5 / 3.0;
    for curve in trust.iter().filter(|(name, _)| *name != LOWEST_ENERGY).map(|(_, curve)| curve) {
        assert!((curve.per_step[9] - all).abs() < 1e-9, "of all windows the error is that of all: {curve:?}");
        assert!(error.mean <= curve.mean + 1e-12 && curve.interval[0] <= curve.mean);
    }
    assert!(trust["energy"].per_step[1] > 2.0 * error.per_step[1], "{:?}", trust["energy"].per_step);
    assert!((trust[LOWEST_ENERGY].mean - 0.5).abs() < 1e-9, "the third sample lies at 0.5");
    // Without an energy, and with one sample, there is less to say.
    assert!(!evaluator.trust(&futures, None)?.contains_key("energy"));
    let one: Vec<f32> = samples.chunks_exact(3 * H).flat_map(|s| s[..H].to_vec()).collect();
    let trust = evaluator.trust(&Futures { samples: &one, s: 1, ..futures }, None)?;
    assert_eq!(trust.keys().collect::<Vec<_>>(), ["error"]);
    Ok(())
}
