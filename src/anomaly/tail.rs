//! How unusual a score is among those of normal windows.

use statrs::function::erf::erfc_inv;
use std::f64::consts::SQRT_2;

/// Share of the scores beyond which the tail is taken to be exponential, and the fewest it may rest on.
const TAIL: (usize, usize) = (20, 5);

/// Surprise beyond which a normal deviate goes on as its square root: what `f64` holds of the probability ends soon after.
const FAR: f64 = 600.0;

/// Scores of normal windows, ascending.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tail(pub(super) Vec<f64>);

impl Tail {
    pub(super) fn new(mut scores: Vec<f64>) -> Self {
        scores.sort_by(f64::total_cmp);
        Self(scores)
    }

    /// Share of normal windows at or above `score`, the judged window counted among them: a valid p-value when windows
    /// are exchangeable (Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World", 2005, section 2.2).
    pub(super) fn conformal(&self, score: f64) -> f64 {
        let below = self.0.partition_point(|v| *v < score);
        (self.0.len() - below + 1) as f64 / (self.0.len() + 1) as f64
    }

    /// `-ln p`, going on exponentially beyond the highest twentieth, so that very strange windows still differ (the
    /// generalised Pareto tail of Pickands 1975 with shape 0).
    pub(super) fn surprise(&self, score: f64) -> f64 {
        let n = self.0.len();
        let k = (n / TAIL.0).max(TAIL.1);
        if k < n {
            let from = self.0[n - k];
            let excess = self.0[n - k..].iter().map(|v| v - from).sum::<f64>() / k as f64;
            if score > from && excess > 0.0 {
                return (n as f64 / k as f64).ln() + (score - from) / excess;
            }
        }
        -self.conformal(score).ln()
    }

    /// The same as a standard normal deviate: what a normal number exceeds with that probability.
    pub(super) fn deviate(&self, score: f64) -> f64 {
        let surprise = self.surprise(score);
        if surprise > FAR {
            return (2.0 * surprise).sqrt();
        }
        // A score below all others is as likely as half of one in so many.
        let most = 1.0 - 0.5 / (self.0.len() + 1) as f64;
        SQRT_2 * erfc_inv(2.0 * (-surprise).exp().min(most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_values_count_the_scores_at_or_above() {
        let tail = Tail::new((0..99).rev().map(f64::from).collect());
        assert_eq!(tail.conformal(1000.0), 0.01);
        assert_eq!(tail.conformal(98.0), 0.02);
        assert_eq!(tail.conformal(-1.0), 1.0);
        assert!((tail.surprise(49.0) - 0.51_f64.recip().ln()).abs() < 1e-12);
    }

    #[test]
    fn deviates_are_those_of_the_normal_distribution() {
        let tail = Tail::new((0..9999).map(f64::from).collect());
        assert!((tail.deviate(5000.0) - 0.0).abs() < 1e-3);
        // P(X > 1.2816) = 0.1, P(X > -1.2816) = 0.9.
        assert!((tail.deviate(9000.0) - 1.2816).abs() < 1e-3, "{}", tail.deviate(9000.0));
        assert!((tail.deviate(1000.0) + 1.2816).abs() < 1e-3, "{}", tail.deviate(1000.0));
        let mut last = f64::NEG_INFINITY;
        for score in [-5.0, 1.0, 9000.0, 9990.0, 2e4, 1e5, 3e5, 1e6] {
            let z = tail.deviate(score);
            assert!(z.is_finite() && z > last, "{score}: {z}");
            last = z;
        }
    }

    #[test]
    fn an_exponential_tail_goes_on() {
        // Quantiles of the exponential distribution: -ln p is the score itself.
        let n = 20_000;
        let tail = Tail::new((0..n).map(|i| -(1.0 - (i as f64 + 0.5) / n as f64).ln()).collect());
        for score in [1.0, 4.0, 20.0] {
            assert!((tail.surprise(score) - score).abs() < 0.02 * score, "{score}: {}", tail.surprise(score));
        }
    }
}
