//! How unusual an episode is among normal ones.

use std::f64::consts::PI;

/// The largest p-value that counts: 1 would outweigh all others.
const LARGEST: f64 = 0.99;

/// How unusual normal episodes are by the p-values of their windows, combined: `-ln` of each, which would be
/// exponential if windows and episodes did not differ.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct EpisodeDistribution {
    /// Ascending, at least one.
    surprises: Vec<f64>,
}

impl EpisodeDistribution {
    /// Of the combined p-values of normal episodes, each by the windows of others; none without an episode.
    pub(super) fn new(p: impl IntoIterator<Item = f64>) -> Option<Self> {
        Self::of_surprises(p.into_iter().map(surprise).collect())
    }

    /// Of what [`EpisodeDistribution::surprises`] gave.
    pub(super) fn of_surprises(mut surprises: Vec<f64>) -> Option<Self> {
        surprises.sort_by(f64::total_cmp);
        (!surprises.is_empty()).then_some(Self { surprises })
    }

    /// `-ln` of the p-values, ascending.
    pub(super) fn surprises(&self) -> &[f64] {
        &self.surprises
    }

    /// Episodes that it rests on.
    pub(super) fn count(&self) -> usize {
        self.surprises.len()
    }

    /// Probability that a normal episode is as strange as one whose windows' p-values combine to `p`.
    ///
    /// In the lower half that is a rank among the `n` normal episodes. The upper half is taken to be exponential of
    /// unknown scale: of a new one beyond the `k + 1`-th largest, the excess exceeds `x` with probability
    /// `(1 + x / S)^-k`, `S` being the sum of the `k` excesses, whatever the scale is (an F distribution of 2 and `2 k`
    /// degrees of freedom: Lawless, "Statistical Models and Methods for Lifetime Data", 2003, section 4.1).
    pub(super) fn p_value(&self, p: f64) -> f64 {
        let (t, n) = (surprise(p), self.surprises.len());
        let k = n / 2;
        let tail = &self.surprises[n - k..];
        let rank = |t: f64| (n - self.surprises.partition_point(|v| *v < t) + 1) as f64 / (n + 1) as f64;
        if k == 0 {
            return rank(t);
        }
        let from = self.surprises[n - k - 1];
        let sum: f64 = tail.iter().map(|v| v - from).sum();
        match t > from && sum > 0.0 {
            true => (k + 1) as f64 / (n + 1) as f64 * (1.0 + (t - from) / sum).powf(-(k as f64)),
            false => rank(t),
        }
    }
}

fn surprise(p: f64) -> f64 {
    -p.max(f64::MIN_POSITIVE).ln()
}

/// One p-value of many, whatever their dependence: `P(C > t)` of the mean `t` of their Cauchy deviates.
pub(super) fn combined(p: &[f64]) -> f64 {
    // cot(pi p) = tan(pi (1/2 - p)), without the rounding of the difference.
    let deviate = |p: &f64| 1.0 / (PI * p.clamp(f64::MIN_POSITIVE, LARGEST)).tan();
    let mean = p.iter().map(deviate).sum::<f64>() / p.len() as f64;
    match mean > 0.0 {
        // Far out 1/2 - atan(t) / pi would be a difference of equal numbers.
        true => (1.0 / mean).atan() / PI,
        false => 0.5 - mean.atan() / PI,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::Noise;
    use statrs::distribution::{ContinuousCDF, Normal};

    #[test]
    fn combined_p_values_are_right_by_hand_and_of_windows_that_depend() {
        assert!((combined(&[0.03]) - 0.03).abs() < 1e-12);
        assert!((combined(&[0.2, 0.2, 0.2]) - 0.2).abs() < 1e-12, "one moment counted thrice is one moment");
        // Far below 1/2 it is the harmonic mean: 4 / (1/1e-6 + 3) and the like.
        assert!((combined(&[1e-6, 0.5, 0.5, 0.5]) / 4e-6 - 1.0).abs() < 1e-3);
        assert!((combined(&[1e-300, 0.5]) / 2e-300 - 1.0).abs() < 1e-6);
        assert!(combined(&[1.0, 1.0]) > 0.98 && combined(&[1.0, 1e-9]) < 1e-7);
        // Windows of an episode overlap: normal numbers averaged over neighbours, 20 a run.
        let (runs, windows, overlap) = (20_000, 20, 12);
        let normal = Normal::new(0.0, 1.0).unwrap();
        let mut noise = Noise::new(4);
        let drawn = noise
            .normal((runs, windows + overlap), candle_core::DType::F64, &candle_core::Device::Cpu)
            .unwrap()
            .to_vec2::<f64>()
            .unwrap();
        let p = |run: &Vec<f64>| {
            let mean = |w: &[f64]| w.iter().sum::<f64>() / (overlap as f64).sqrt();
            combined(&run.windows(overlap).map(|w| 1.0 - normal.cdf(mean(w))).collect::<Vec<_>>())
        };
        let found: Vec<f64> = drawn.iter().map(p).collect();
        for level in [0.01, 0.05] {
            let share = found.iter().filter(|p| **p <= level).count() as f64 / runs as f64;
            // Three standard errors above, and not half as many as asked for.
            let error = (level * (1.0 - level) / runs as f64).sqrt();
            assert!(share < 1.15 * level + 3.0 * error && share > 0.5 * level, "{level}: {share}");
        }
    }

    #[test]
    fn p_values_of_episodes_are_right_whatever_their_scale() {
        // Normal episodes whose surprises are exponential, 3 times as wide as they should be; 15 calibrate, one is new.
        let (runs, known) = (20_000, 15);
        let mut noise = Noise::new(6);
        let normal = Normal::new(0.0, 1.0).unwrap();
        let drawn = noise
            .normal((runs, known + 1), candle_core::DType::F64, &candle_core::Device::Cpu)
            .unwrap()
            .to_vec2::<f64>()
            .unwrap();
        // The p-value that a window's calibration would give: its surprise is thrice an exponential number.
        let p = |z: &f64| (1.0 - normal.cdf(*z)).powi(3);
        let of = |run: &Vec<f64>| {
            let distribution = EpisodeDistribution::new(run[..known].iter().map(p)).unwrap();
            distribution.p_value(p(&run[known]))
        };
        let found: Vec<f64> = drawn.iter().map(of).collect();
        for level in [0.5, 0.1, 0.02, 0.005] {
            let share = found.iter().filter(|p| **p <= level).count() as f64 / runs as f64;
            let error = (level * (1.0 - level) / runs as f64).sqrt();
            assert!((share - level).abs() < 4.0 * error + 0.05 * level, "{level}: {share}");
        }
        // By hand: of three, one is beyond the middle one, by 1; a new one is by 3.
        let hand = EpisodeDistribution::of_surprises(vec![2.0, 1.0, 3.0]).unwrap();
        assert!((hand.p_value((-5.0_f64).exp()) - 0.5 / 4.0).abs() < 1e-12);
        assert_eq!(hand.p_value((-1.5_f64).exp()), 0.75);
        // One episode says little, and none nothing.
        assert_eq!(EpisodeDistribution::of_surprises(vec![2.0]).unwrap().p_value(1e-9), 0.5);
        assert!(EpisodeDistribution::new([]).is_none());
    }
}
