//! Whether several anomaly scores are higher than normal, all taken together.

use crate::error::{Error, Result};
use nalgebra::{DMatrix, DVector};

/// By how much correlations are drawn towards 0: with few windows they are rough.
const SHRINKAGE: f64 = 0.1;
/// Rounds of the search for the likeliest shift; a handful of scores needs some tens.
const ROUNDS: usize = 200;

/// Normal deviates of several scores over normal windows: standard normal each, correlated.
#[derive(Debug, Clone)]
pub(super) struct OneSided {
    precision: DMatrix<f64>,
}

impl OneSided {
    /// From the deviates of normal windows, `(N, scores)`.
    pub(super) fn correlations(deviates: &[f64], scores: usize) -> Vec<f64> {
        let z = DMatrix::from_row_slice(deviates.len() / scores, scores, deviates);
        let mean = z.row_mean();
        let centred = DMatrix::from_fn(z.nrows(), scores, |i, j| z[(i, j)] - mean[j]);
        let covariance = centred.transpose() * &centred;
        let correlation = |i: usize, j: usize| match (covariance[(i, i)] * covariance[(j, j)]).sqrt() {
            _ if i == j => 1.0,
            scale if scale > 0.0 => (1.0 - SHRINKAGE) * covariance[(i, j)] / scale,
            _ => 0.0,
        };
        (0..scores * scores).map(|k| correlation(k / scores, k % scores)).collect()
    }

    /// From those correlations.
    pub(super) fn new(correlations: &[f64], scores: usize) -> Result<Self> {
        let matrix = DMatrix::from_row_slice(scores, scores, correlations);
        let singular = || Error::data("correlations of the anomaly scores", "a singular matrix", "scores that differ");
        Ok(Self { precision: matrix.cholesky().ok_or_else(singular)?.inverse() })
    }

    /// Each score's part of the log likelihood ratio, nats, of "all shifted up by what suits them best, none down" to
    /// "none shifted": a normal mean that is 0 against one that is nowhere negative (Kudo, "A multivariate analogue of
    /// the one-sided test", Biometrika 50, 1963). A score counts by what it says beyond the others with which it is
    /// correlated.
    pub(super) fn parts(&self, deviates: &[f64]) -> Vec<f64> {
        let z = DVector::from_column_slice(deviates);
        let p = &self.precision;
        let mut shift = DVector::zeros(z.len());
        for _ in 0..ROUNDS {
            for j in 0..z.len() {
                let slope = p.row(j).tr_dot(&(&z - &shift));
                shift[j] = (shift[j] + slope / p[(j, j)]).max(0.0);
            }
        }
        let part = |(weighted, shift): (&f64, &f64)| if *shift > 0.0 { 0.5 * weighted * shift } else { 0.0 };
        (p * z).iter().zip(shift.iter()).map(part).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::Noise;
    use candle_core::{DType, Device};

    fn ratio(correlation: f64, z: &[f64]) -> f64 {
        OneSided::new(&[1.0, correlation, correlation, 1.0], 2).unwrap().parts(z).iter().sum()
    }

    #[test]
    fn two_scores_by_hand() {
        assert!((ratio(0.0, &[3.0, 4.0]) - 12.5).abs() < 1e-9);
        assert!((ratio(0.0, &[3.0, -4.0]) - 4.5).abs() < 1e-9, "what is lower than normal does not count");
        assert_eq!(ratio(0.5, &[-1.0, -2.0]), 0.0);
        // z' S^-1 z / 2 = (4 + 4 - 4) / .75 / 2, and with the other at 0 where it should be at 1: 4 / .75 / 2.
        assert!((ratio(0.5, &[2.0, 2.0]) - 8.0 / 3.0).abs() < 1e-9);
        assert!((ratio(0.5, &[2.0, 0.0]) - 8.0 / 3.0).abs() < 1e-9);
        // Where the second is lower than it may be, the first counts beyond what that makes of it: (2 - 1.5)^2 / .75 /
        // 2.
        assert!((ratio(-0.5, &[2.0, -3.0]) - 1.0 / 6.0).abs() < 1e-9);
        let parts = OneSided::new(&[1.0, 0.5, 0.5, 1.0], 2).unwrap().parts(&[3.0, 0.0]);
        assert!(parts[0] > 0.0 && parts[1] == 0.0, "{parts:?}");
    }

    #[test]
    fn its_distribution_is_a_mixture_of_chi_squares() {
        // Uncorrelated, Kudo's weights are 1/4, 1/2, 1/4: P(T > t) = P(chi_1 > t) / 2 + exp(-t / 2) / 4, T twice the
        // ratio.
        let n = 40_000;
        let normal = Noise::new(3).normal(2 * n, DType::F64, &Device::Cpu).unwrap().to_vec1::<f64>().unwrap();
        let one_sided = OneSided::new(&[1.0, 0.0, 0.0, 1.0], 2).unwrap();
        let above = normal.chunks_exact(2).filter(|z| 2.0 * one_sided.parts(z).iter().sum::<f64>() > 2.706).count();
        let expected = 0.05 + (-1.353_f64).exp() / 4.0;
        let found = above as f64 / n as f64;
        assert!((found - expected).abs() < 3.0 * (expected * (1.0 - expected) / n as f64).sqrt(), "{found} {expected}");
        let correlated: Vec<f64> = normal.chunks_exact(2).flat_map(|z| [z[0], 0.6 * z[0] + 0.8 * z[1]]).collect();
        let correlations = OneSided::correlations(&correlated, 2);
        assert!((correlations[1] - 0.9 * 0.6).abs() < 0.02 && correlations[0] == 1.0, "{correlations:?}");
    }
}
