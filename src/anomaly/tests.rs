use super::AnomalyScore;
use super::channel_swap::ChannelSwap;
use super::corruption::{Corruption, changed};
use super::energy::WindowEnergy;
use super::mahalanobis::{Innovation, Mahalanobis, Residuals};
use super::reconstruction::Reconstruction;
use super::score::FRAMES;
use super::score::pieces;
use super::stuck_channel::StuckChannel;
use super::time_reversal::TimeReversal;
use crate::forecast::WindowArray;
use crate::forecast::baseline::VarFit;
use crate::noise::Noise;
use candle_core::{DType, Device};

/// Two channels, the second half the first: a slow wave and a little noise.
fn waves(n: usize, seed: u64) -> WindowArray {
    let mut noise = Noise::new(seed);
    let normal = noise.normal((n, 2 * FRAMES + 1), DType::F64, &Device::Cpu).unwrap().to_vec2::<f64>().unwrap();
    let mut values = Vec::new();
    for e in normal {
        for t in 0..FRAMES {
            let a = (0.3 * t as f64 + 7.0 * e[2 * FRAMES]).sin();
            values.push((a + 0.02 * e[2 * t]) as f32);
            values.push((0.5 * a + 0.02 * e[2 * t + 1]) as f32);
        }
    }
    WindowArray { values, context: 8, future: FRAMES - 8, channels: 2 }
}

fn separated(score: &dyn AnomalyScore, corruption: Corruption) -> f64 {
    let test = waves(200, 2);
    let bad = corruption.apply(&test, &[0.0; 2], &mut Noise::new(3)).unwrap();
    let total = |w: &WindowArray| -> Vec<f64> {
        let columns = if score.by_channel() { 2 } else { 1 };
        let rows = score.score(w).unwrap();
        rows.chunks_exact(columns).map(|r| r.iter().fold(f64::NEG_INFINITY, |a, b| a.max(*b))).collect()
    };
    let scores = [total(&test), total(&bad)].concat();
    let labels: Vec<bool> = (0..400).map(|i| i >= 200).collect();
    crate::eval::metric::Detection::of(&labels, &scores).unwrap().auroc
}

#[test]
fn a_forecaster_without_an_energy_has_no_score_by_it() {
    let velocity = crate::forecast::baseline::Velocity::new(2);
    let refused = WindowEnergy(&velocity).score(&waves(2, 1)).expect_err("no energy");
    assert!(matches!(refused, crate::Error::Unsupported { .. }), "{refused:?}");
    assert_eq!(refused.to_string(), "this forecaster cannot score windows by its energy: it has none");
}

#[test]
fn each_score_sees_what_it_is_for() {
    let training = waves(1000, 1);
    let var = VarFit::fit(&pieces(&training, 16, 8), 2, 8, 8, 1.0).unwrap();
    let residuals = Residuals::new(var).unwrap();
    let channel_swap = ChannelSwap::fit(&training).unwrap();
    let stuck_channel = StuckChannel::fit(&training).unwrap();
    let cases: [(&dyn AnomalyScore, Corruption); 5] = [
        (&Mahalanobis(residuals.clone()), Corruption::Jump),
        (&Innovation(residuals.clone()), Corruption::Jump),
        (&channel_swap, Corruption::Swapped),
        (&stuck_channel, Corruption::Stuck),
        (&Reconstruction::fit(&training), Corruption::Swapped),
    ];
    for (score, corruption) in cases {
        let area = separated(score, corruption);
        assert!(area > 0.95, "{} on {}: {area}", score.name(), corruption.name());
    }
    // Waves have no direction in time and a still joint is nothing to a score of jumps.
    let blind = separated(&TimeReversal { score: Mahalanobis(residuals), frames: (8, 8) }, Corruption::Noisy);
    assert!((blind - 0.5).abs() < 0.15, "{blind}");
}

#[test]
fn time_reversal_changes_its_sign_backwards() {
    let training = waves(300, 1);
    let var = VarFit::fit(&pieces(&training, 16, 8), 2, 8, 8, 1.0).unwrap();
    let residuals = Residuals::new(var).unwrap();
    let reversal = TimeReversal { score: Mahalanobis(residuals), frames: (8, 8) };
    let backwards = Corruption::Reversed.apply(&training, &[0.0; 2], &mut Noise::new(0)).unwrap();
    let (a, b) = (reversal.score(&training).unwrap(), reversal.score(&backwards).unwrap());
    assert!(a.iter().zip(&b).all(|(a, b)| (a + b).abs() < 1e-9 * a.abs().max(1.0)));
    assert!(a.iter().any(|v| v.abs() > 1e-3));
}

#[test]
fn large_movements_are_not_taken_for_exchanged_joints() {
    let (channel_swap, test) = (ChannelSwap::fit(&waves(1000, 1)).unwrap(), waves(200, 2));
    let larger = WindowArray { values: test.values.iter().map(|v| 3.0 * v).collect(), ..test };
    let (own, larger) = (channel_swap.score(&test).unwrap(), channel_swap.score(&larger).unwrap());
    // Whatever the size, the distance grows alike as recorded and exchanged.
    assert!(own.iter().zip(&larger).all(|(a, b)| (a - b).abs() < 0.1), "{own:?} {larger:?}");
    // The second joint is half the first: exchanged, far from that.
    assert!(own.iter().all(|v| *v < -1.0), "{own:?}");
}

#[test]
fn the_channel_at_fault_is_told() {
    let training = waves(1000, 1);
    let stuck_channel = StuckChannel::fit(&training).unwrap();
    let mut test = waves(1, 9);
    (10..FRAMES).for_each(|t| test.values[2 * t + 1] = test.values[19]);
    let scores = stuck_channel.score(&test).unwrap();
    assert!(scores[1] > scores[0] + 3.0, "{scores:?}");
}

fn walk() -> WindowArray {
    let values = Noise::new(5).normal((20, 32 * 3), DType::F32, &Device::Cpu).unwrap();
    let values = values.flatten_all().unwrap().to_vec1().unwrap();
    WindowArray { values, context: 8, future: 24, channels: 3 }
}

/// In how many channels each window differs from what it was.
fn count(a: &WindowArray, b: &WindowArray) -> Vec<usize> {
    changed(a, b).iter().map(Vec::len).collect()
}

#[test]
fn each_corruption_does_what_it_says() {
    let w = walk();
    let of = |c: Corruption| c.apply(&w, &[0.0; 3], &mut Noise::new(2)).unwrap();
    for c in Corruption::ALL {
        assert_eq!(of(c), of(c), "{}", c.name());
        assert_ne!(of(c), w, "{}", c.name());
    }
    let half = |a: &WindowArray| a.cut(0, 16);
    for c in [Corruption::Splice, Corruption::SpliceJump, Corruption::Jump, Corruption::Stuck, Corruption::Drift] {
        assert_eq!(half(&of(c)), half(&w), "{}", c.name());
    }
    for c in [Corruption::Jump, Corruption::Stuck, Corruption::Drift, Corruption::Dropout] {
        assert_eq!(count(&w, &of(c)), vec![1; 20], "{}", c.name());
    }
    let twice = |c: Corruption| c.apply(&of(c), &[0.0; 3], &mut Noise::new(2)).unwrap();
    assert_eq!(twice(Corruption::Swapped), w, "a swap undoes itself");
    assert_eq!(count(&w, &of(Corruption::Swapped)), vec![2; 20]);
    assert_eq!(twice(Corruption::Reversed), w);
}

#[test]
fn a_splice_joins_with_a_step_of_the_other_window() {
    let w = walk();
    let spliced = Corruption::Splice.apply(&w, &[0.0; 3], &mut Noise::new(2)).unwrap();
    let step = |a: &WindowArray, i: usize, c: usize| a.values[i * 96 + 48 + c] - a.values[i * 96 + 45 + c];
    let steps: Vec<f32> = (0..20).map(|i| step(&w, i, 0)).collect();
    for i in 0..20 {
        let own = step(&spliced, i, 0);
        assert!(steps.iter().any(|s| (s - own).abs() < 1e-5), "{i}: {own}");
    }
}
