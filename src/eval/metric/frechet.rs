//! Fréchet distance between Gaussians, per step.

use super::moments::{Feature, Gaussian, Moments};
use super::{Kind, Metric, MetricSpec, PreparedMetric, WINDOW_FRAMES};
use crate::error::{Error, Result};
use crate::eval::bootstrap::ResamplingUnits;
use crate::eval::context::EvalContext;
use crate::eval::data::{Futures, Motion};
use crate::eval::result::MetricResult;
use ebmotion_engine::parallel;
use nalgebra::{DMatrix, DVector};

/// Squared Fréchet (2-Wasserstein) distance between two Gaussians,
/// `|mu1 - mu2|² + Tr(C1 + C2 - 2 (C1 C2)^(1/2))` (Dowson and Landau, J. Multivariate Anal. 12, 1982, eq. 4).
///
/// `mu*` are `(d,)`, `cov*` are `(d, d)`, symmetric and positive semi-definite; either may be rank deficient. Rounding
/// below 0 is returned as 0.
///
/// ```
/// use ebmotion::eval::metric::frechet_distance;
///
/// // Means 3 apart; standard deviations 1 and 2 in the first of two directions: 3^2 + (2 - 1)^2.
/// let squared = frechet_distance(&[0.0, 0.0], &[1.0, 0.0, 0.0, 1.0], &[0.0, 3.0], &[4.0, 0.0, 0.0, 1.0])?;
/// assert!((squared - 10.0).abs() < 1e-9);
/// # Ok::<(), ebmotion::Error>(())
/// ```
///
/// # Errors
/// [`Error::Shape`] when the lengths do not fit, [`Error::NonFinite`] when a number is NaN or infinite.
pub fn frechet_distance(mu1: &[f64], cov1: &[f64], mu2: &[f64], cov2: &[f64]) -> Result<f64> {
    let d = mu1.len();
    for (what, values, expected) in [("mu1", mu1, d), ("cov1", cov1, d * d), ("mu2", mu2, d), ("cov2", cov2, d * d)] {
        if values.len() != expected || d == 0 {
            return Err(Error::Shape { what, found: vec![values.len()], expected: format!("{expected} numbers") });
        }
        if let Some(value) = values.iter().find(|v| !v.is_finite()) {
            return Err(Error::NonFinite { what: what.into(), value: *value, step: 0 });
        }
    }
    let gaussian = |mu: &[f64], cov: &[f64]| Gaussian {
        mean: DVector::from_column_slice(mu),
        covariance: DMatrix::from_column_slice(d, d, cov),
    };
    let (one, two) = (gaussian(mu1, cov1), gaussian(mu2, cov2));
    let squared = squared_distance(&one, &eigen_root(&one.covariance), &two);
    match squared.is_finite() {
        true => Ok(squared),
        false => Err(Error::NonFinite { what: "Fréchet distance".into(), value: squared, step: 0 }),
    }
}

/// `root` is any A with A A' = the first covariance: the eigenvalues of A' C2 A are those of C1 C2, so the trace of
/// (C1 C2)^(1/2) is the sum of their square roots.
fn squared_distance(one: &Gaussian, root: &DMatrix<f64>, two: &Gaussian) -> f64 {
    let product = root.transpose() * (&two.covariance * root);
    let product = (&product + product.transpose()) * 0.5;
    // Shifted away from 0: where many eigenvalues are 0, those of the product itself may come out as NaN.
    let shift = product.amax();
    let shifted = &product + DMatrix::identity(product.nrows(), product.ncols()) * shift;
    let eigenvalues = shifted.symmetric_eigenvalues().add_scalar(-shift);
    // Eigenvalues this small are rounding (their square roots would not be small at all): they count as 0.
    let rounding = (eigenvalues.amax() + shift) * f64::EPSILON * eigenvalues.len() as f64;
    let cross: f64 = eigenvalues.iter().filter(|l| **l > rounding).map(|l| l.sqrt()).sum();
    let squared =
        (&one.mean - &two.mean).norm_squared() + one.covariance.trace() + two.covariance.trace() - 2.0 * cross;
    squared.clamp(0.0, f64::INFINITY) // NaN stays NaN
}

/// A with A A' = C for any positive semi-definite C.
fn eigen_root(covariance: &DMatrix<f64>) -> DMatrix<f64> {
    let eigen = covariance.clone().symmetric_eigen();
    let mut root = eigen.eigenvectors;
    for (mut column, value) in root.column_iter_mut().zip(eigen.eigenvalues.iter()) {
        column *= value.max(0.0).sqrt();
    }
    root
}

/// The same, faster where C has full rank: any root serves.
fn quick_root(covariance: DMatrix<f64>) -> DMatrix<f64> {
    match nalgebra::Cholesky::new(covariance.clone()) {
        Some(cholesky) => cholesky.unpack(),
        None => eigen_root(&covariance),
    }
}

/// Fréchet distance of one feature at each step, averaged over the steps.
pub(super) struct Frechet {
    spec: &'static MetricSpec,
    feature: Feature,
}

const SOURCE: &str = "Dowson and Landau, J. Multivariate Anal. 12, 1982, eq. 4; per time step as Du and Mordatch, \
    arXiv 1903.08689 (trajectories)";

pub(super) static POSITION: Frechet = Frechet {
    feature: Feature::Position,
    spec: &MetricSpec {
        name: "frechet_position",
        short: "Fr.pos",
        title: "Fréchet distance of positions",
        unit: "z²",
        lower_is_better: true,
        kind: Kind::Distance,
        source: SOURCE,
        definition: "at each step, a Gaussian with full covariance (divisor n - 1) over the true frames of all test \
            windows and one over the first sample of each window; squared Fréchet distance of the two; mean over steps",
    },
};

pub(super) static VELOCITY: Frechet = Frechet {
    feature: Feature::Velocity,
    spec: &MetricSpec {
        name: "frechet_velocity",
        short: "Fr.vel",
        title: "Fréchet distance of velocities",
        unit: "z²",
        lower_is_better: true,
        kind: Kind::Distance,
        source: SOURCE,
        definition: "as frechet_position, of frame-to-frame differences divided channel by channel by their standard \
            deviation over the training motion; the first difference starts at the last context frame",
    },
};

pub(super) static WINDOW: Frechet = Frechet {
    feature: Feature::Window(WINDOW_FRAMES),
    spec: &MetricSpec {
        name: "frechet_window",
        short: "Fr.win",
        title: "Fréchet distance of 5-frame windows",
        unit: "z²",
        lower_is_better: true,
        kind: Kind::Distance,
        source: SOURCE,
        definition: "as frechet_position, of 5 consecutive frames laid end to end, the last of them at the step; the \
            first four windows reach into the context, which truth and forecast share",
    },
};

impl Metric for Frechet {
    fn spec(&self) -> &'static MetricSpec {
        self.spec
    }

    fn prepare(&self, eval: &EvalContext) -> Result<Box<dyn PreparedMetric>> {
        let (test, settings) = (eval.test, &eval.options.bootstrap);
        let (replicates, stride) = match self.feature {
            Feature::Window(_) => (settings.window_replicates, settings.window_stride),
            _ => (settings.replicates, settings.frame_stride),
        };
        let motion = test.true_motion();
        let zero = vec![0.0; self.feature.width(test.channels)];
        let truth = parallel::map(eval.threads(), test.horizon, |t| {
            let moments =
                |shift: &[f64]| Moments::new(&self.feature, &motion, t, &test.velocity_std, &eval.units, shift);
            let shift = moments(&zero).gaussian().mean;
            let gaussian = moments(shift.as_slice()).gaussian();
            let root = eigen_root(&gaussian.covariance);
            TrueStep { shift, gaussian, root }
        });
        Ok(Box::new(PreparedFrechet { feature: self.feature.clone(), truth, replicates, stride }))
    }
}

/// The truth at one step, everything relative to `shift`.
struct TrueStep {
    shift: DVector<f64>,
    gaussian: Gaussian,
    root: DMatrix<f64>,
}

struct PreparedFrechet {
    feature: Feature,
    truth: Vec<TrueStep>,
    replicates: usize,
    stride: usize,
}

impl PreparedFrechet {
    fn compare(
        &self,
        eval: &EvalContext,
        other: &Motion,
        units: &ResamplingUnits,
        weights: &[Vec<f64>],
    ) -> MetricResult {
        let (test, horizon) = (eval.test, self.truth.len());
        let real = test.true_motion();
        let resampled = |t: usize| (t + 1).is_multiple_of(self.stride) || (horizon < self.stride && t + 1 == horizon);
        let steps = parallel::map(eval.threads(), horizon, |t| {
            let truth = &self.truth[t];
            let moments = |motion: &Motion, units: &ResamplingUnits| {
                Moments::new(&self.feature, motion, t, &test.velocity_std, units, truth.shift.as_slice())
            };
            let others = moments(other, units);
            let point = squared_distance(&truth.gaussian, &truth.root, &others.gaussian());
            if !resampled(t) {
                return (point, None);
            }
            let real = moments(&real, &eval.units);
            let pairs =
                real.resampled(&eval.weights[..self.replicates]).zip(others.resampled(&weights[..self.replicates]));
            let replicates: Vec<f64> = pairs
                .map(|(real, other)| squared_distance(&real, &quick_root(real.covariance.clone()), &other))
                .collect();
            (point, Some(replicates))
        });
        let per_step: Vec<f64> = steps.iter().map(|(point, _)| *point).collect();
        let chosen: Vec<&Vec<f64>> = steps.iter().filter_map(|(_, replicates)| replicates.as_ref()).collect();
        let replicates: Vec<f64> = (0..self.replicates)
            .map(|r| chosen.iter().map(|step| step[r]).sum::<f64>() / chosen.len() as f64)
            .collect();
        let mean = per_step.iter().sum::<f64>() / horizon as f64;
        EvalContext::result(mean, per_step, &replicates)
    }
}

impl PreparedMetric for PreparedFrechet {
    fn score(&self, eval: &EvalContext, futures: &Futures) -> Result<MetricResult> {
        Ok(self.compare(eval, &eval.test.first_samples(futures), &eval.units, &eval.weights))
    }

    fn floor(&self, eval: &EvalContext) -> Result<Option<MetricResult>> {
        let motion = eval.test.reference_motion();
        Ok(Some(self.compare(eval, &motion, &eval.reference_units, &eval.reference_weights)))
    }
}
