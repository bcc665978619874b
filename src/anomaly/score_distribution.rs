//! How unusual a score is among those of normal windows.

use statrs::function::erf::erfc_inv;
use std::f64::consts::SQRT_2;

/// Share of the scores beyond which the tail is taken to be exponential, and the fewest different ones it may rest on.
const TAIL: (usize, usize) = (20, 5);

/// Surprise beyond which a normal deviate goes on as its square root: what `f64` holds of the probability ends soon
/// after.
const FAR: f64 = 600.0;

/// How unusual a score is among those of normal windows.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ScoreDistribution {
    /// Ascending.
    scores: Vec<f64>,
    far: Option<Far>,
}

/// The exponential normal.
#[derive(Debug, Clone, PartialEq)]
struct Far {
    from: f64,
    /// `-ln` of the share of scores at or above `from`.
    surprise: f64,
    /// Mean excess over `from`.
    excess: f64,
}

impl ScoreDistribution {
    pub(super) fn new(mut scores: Vec<f64>) -> Self {
        scores.sort_by(f64::total_cmp);
        let (n, k) = (scores.len(), (scores.len() / TAIL.0).max(TAIL.1));
        // Windows overlap, so the same moment may score several of them alike: it counts once.
        let top: Vec<f64> = scores.chunk_by(|a, b| a == b).rev().take(k).map(|alike| alike[0]).collect();
        let far = match top.last() {
            Some(from) if top.len() == k && *from > scores[0] => {
                let above = n - scores.partition_point(|v| v < from);
                let excess = top.iter().map(|v| v - from).sum::<f64>() / k as f64;
                Some(Far { from: *from, surprise: (n as f64 / above as f64).ln(), excess })
            }
            _ => None,
        };
        Self { scores, far }
    }

    /// The scores, ascending.
    pub(super) fn scores(&self) -> &[f64] {
        &self.scores
    }

    /// Share of normal windows at or above `score`, the scored window counted among them: a valid p-value when windows
    /// are exchangeable (Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World", 2005, section 2.2).
    pub(super) fn conformal(&self, score: f64) -> f64 {
        let (n, below) = (self.scores.len(), self.scores.partition_point(|v| *v < score));
        (n - below + 1) as f64 / (n + 1) as f64
    }

    /// `-ln p`, going on exponentially beyond the highest twentieth, so that very strange windows still differ (the
    /// generalised Pareto tail of Pickands 1975 with shape 0).
    pub(super) fn surprise(&self, score: f64) -> f64 {
        match &self.far {
            Some(far) if score > far.from => far.surprise + (score - far.from) / far.excess,
            _ => -self.conformal(score).ln(),
        }
    }

    /// The same as a standard normal deviate: what a normal number exceeds with that probability.
    pub(super) fn deviate(&self, score: f64) -> f64 {
        let surprise = self.surprise(score);
        if surprise > FAR {
            return (2.0 * surprise).sqrt();
        }
        // A score below all others is as likely as half of one in so many.
        let most = 1.0 - 0.5 / (self.scores.len() + 1) as f64;
        SQRT_2 * erfc_inv(2.0 * (-surprise).exp().min(most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p_values_count_the_scores_at_or_above() {
        let normal = ScoreDistribution::new((0..99).rev().map(f64::from).collect());
        assert_eq!(normal.conformal(1000.0), 0.01);
        assert_eq!(normal.conformal(98.0), 0.02);
        assert_eq!(normal.conformal(-1.0), 1.0);
        assert!((normal.surprise(49.0) - 0.51_f64.recip().ln()).abs() < 1e-12);
    }

    #[test]
    fn deviates_are_those_of_the_normal_distribution() {
        let normal = ScoreDistribution::new((0..9999).map(f64::from).collect());
        assert!((normal.deviate(5000.0) - 0.0).abs() < 1e-3);
        // P(X > 1.2816) = 0.1, P(X > -1.2816) = 0.9.
        assert!((normal.deviate(9000.0) - 1.2816).abs() < 1e-3, "{}", normal.deviate(9000.0));
        assert!((normal.deviate(1000.0) + 1.2816).abs() < 1e-3, "{}", normal.deviate(1000.0));
        let mut last = f64::NEG_INFINITY;
        for score in [-5.0, 1.0, 9000.0, 9990.0, 2e4, 1e5, 3e5, 1e6] {
            let z = normal.deviate(score);
            assert!(z.is_finite() && z > last, "{score}: {z}");
            last = z;
        }
    }

    #[test]
    fn scores_that_are_alike_count_once_in_the_tail() {
        let once: Vec<f64> = (0..100).map(f64::from).collect();
        let normal = ScoreDistribution::new(once.clone());
        // The highest moment in ten overlapping windows: five different scores, from 95 on, 2 apart in the mean.
        let often = ScoreDistribution::new([once, vec![99.0; 9]].concat());
        let beyond = often.surprise(109.0) - often.surprise(99.0);
        assert!((beyond - 5.0).abs() < 1e-9 && (normal.surprise(109.0) - normal.surprise(99.0) - beyond).abs() < 1e-9);
        // Fourteen of 109 are at or above 95.
        assert!((often.surprise(95.0 + 1e-9) - (109.0_f64 / 14.0).ln()).abs() < 1e-8);
        // Nothing to go on by.
        assert_eq!(ScoreDistribution::new(vec![1.0; 50]).surprise(2.0), 51.0_f64.ln());
    }

    #[test]
    fn an_exponential_tail_goes_on() {
        // Quantiles of the exponential distribution: -ln p is the score itself.
        let n = 20_000;
        let normal = ScoreDistribution::new((0..n).map(|i| -(1.0 - (i as f64 + 0.5) / n as f64).ln()).collect());
        for score in [1.0, 4.0, 20.0] {
            assert!((normal.surprise(score) - score).abs() < 0.02 * score, "{score}: {}", normal.surprise(score));
        }
    }
}
