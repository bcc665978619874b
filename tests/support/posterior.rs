//! Densities of posteriordb as energies on unconstrained coordinates, written in plain numbers with analytic gradients.

use candle_core::{DType, Device, Tensor};
use ebmotion::Result;
use ebmotion::energy::{Energy, Evaluated};
use serde_json::Value;

/// A density over `u`, a point of R^n. It includes the log-Jacobian of the way from `u` to the model's own parameters.
pub trait Posterior: Sync {
    /// Minus the log density at `u`, up to a constant; adds nothing to `grad` but overwrites it with the gradient.
    fn energy(&self, u: &[f64], grad: &mut [f64]) -> f64;

    /// The columns of the reference draws at `u`.
    fn columns(&self, u: &[f64]) -> Vec<f64>;

    /// Where chains may start: a centre and a spread for each coordinate.
    fn start(&self) -> (Vec<f64>, Vec<f64>);
}

/// A [`Posterior`] as an energy. `energy` is not differentiable by candle; `evaluate` needs no graph.
pub struct Plain<'a>(pub &'a dyn Posterior);

impl Energy for Plain<'_> {
    fn energy(&self, x: &Tensor) -> Result<Tensor> {
        Ok(self.evaluate(x)?.energy)
    }

    fn evaluate(&self, x: &Tensor) -> Result<Evaluated> {
        let (batch, features) = x.dims2()?;
        let points = x.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()?;
        let mut grad = vec![0.0; points.len()];
        let rows = points.chunks_exact(features).zip(grad.chunks_exact_mut(features));
        let energy: Vec<f64> = rows.map(|(u, grad)| self.0.energy(u, grad)).collect();
        Ok(Evaluated {
            energy: Tensor::from_vec(energy, batch, &Device::Cpu)?,
            grad: Tensor::from_vec(grad, (batch, features), &Device::Cpu)?,
        })
    }
}

pub fn numbers(data: &Value, name: &str) -> Vec<f64> {
    data[name].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn logistic(u: f64) -> f64 {
    1.0 / (1.0 + (-u).exp())
}

/// `eight_schools_noncentered`: `u = (z_1 .. z_8, mu, ln tau)`; ln tau has Jacobian tau.
pub struct EightSchools {
    y: Vec<f64>,
    sigma: Vec<f64>,
}

impl EightSchools {
    pub fn new(data: &Value) -> Self {
        Self { y: numbers(data, "y"), sigma: numbers(data, "sigma") }
    }
}

impl Posterior for EightSchools {
    fn energy(&self, u: &[f64], grad: &mut [f64]) -> f64 {
        let n = self.y.len();
        let (mu, tau) = (u[n], u[n + 1].exp());
        let cauchy = (tau / 5.0).powi(2);
        let mut energy = mu * mu / 50.0 + cauchy.ln_1p() - u[n + 1];
        grad[n] = mu / 25.0;
        grad[n + 1] = 2.0 * cauchy / (1.0 + cauchy) - 1.0;
        for j in 0..n {
            let z = u[j];
            let r = (mu + tau * z - self.y[j]) / self.sigma[j];
            energy += 0.5 * (r * r + z * z);
            grad[j] = z + r * tau / self.sigma[j];
            grad[n] += r / self.sigma[j];
            grad[n + 1] += r * tau * z / self.sigma[j];
        }
        energy
    }

    fn columns(&self, u: &[f64]) -> Vec<f64> {
        let n = self.y.len();
        let (mu, tau) = (u[n], u[n + 1].exp());
        u[..n].iter().map(|z| mu + tau * z).chain([mu, tau]).collect()
    }

    fn start(&self) -> (Vec<f64>, Vec<f64>) {
        (vec![0.0; 10], vec![1.0; 10])
    }
}

/// `garch11`: `u = (mu, ln alpha0, logit alpha1, logit (beta1 / (1 - alpha1)))`.
pub struct Garch {
    y: Vec<f64>,
    sigma1: f64,
}

impl Garch {
    pub fn new(data: &Value) -> Self {
        Self { y: numbers(data, "y"), sigma1: data["sigma1"].as_f64().unwrap() }
    }

    /// mu, alpha0, alpha1, beta1 and the share of beta1 in its range.
    fn parameters(u: &[f64]) -> [f64; 5] {
        let (alpha1, share) = (logistic(u[2]), logistic(u[3]));
        [u[0], u[1].exp(), alpha1, (1.0 - alpha1) * share, share]
    }
}

impl Posterior for Garch {
    fn energy(&self, u: &[f64], grad: &mut [f64]) -> f64 {
        let [mu, alpha0, alpha1, beta1, share] = Self::parameters(u);
        // The variance and its derivatives in (mu, alpha0, alpha1, beta1).
        let (mut variance, mut slopes) = (self.sigma1 * self.sigma1, [0.0; 4]);
        let (mut energy, mut by) = (0.0, [0.0; 4]);
        let mut before = None;
        for y in &self.y {
            if let Some(r) = before {
                let r: f64 = r;
                let old = variance;
                variance = alpha0 + alpha1 * r * r + beta1 * old;
                let own = [-2.0 * alpha1 * r, 1.0, r * r, old];
                for (slope, own) in slopes.iter_mut().zip(own) {
                    *slope = own + beta1 * *slope;
                }
            }
            let r = y - mu;
            energy += 0.5 * (variance.ln() + r * r / variance);
            let in_variance = 0.5 * (1.0 / variance - r * r / (variance * variance));
            for (by, slope) in by.iter_mut().zip(slopes) {
                *by += in_variance * slope;
            }
            by[0] -= r / variance;
            before = Some(r);
        }
        // d alpha0 / d u1 = alpha0; d alpha1 / d u2 = a (1 - a), which also shrinks beta1;
        // d beta1 / d u3 = beta1 (1 - share).
        let alpha_slope = alpha1 * (1.0 - alpha1);
        grad[0] = by[0];
        grad[1] = by[1] * alpha0;
        grad[2] = (by[2] - by[3] * share) * alpha_slope;
        grad[3] = by[3] * beta1 * (1.0 - share);
        // The logarithm of their product, alpha0 * a (1 - a) * (1 - a) s (1 - s), is the log-Jacobian.
        energy -= u[1] + alpha1.ln() + 2.0 * (1.0 - alpha1).ln() + share.ln() + (1.0 - share).ln();
        grad[1] -= 1.0;
        grad[2] -= 1.0 - 3.0 * alpha1;
        grad[3] -= 1.0 - 2.0 * share;
        energy
    }

    fn columns(&self, u: &[f64]) -> Vec<f64> {
        Self::parameters(u)[..4].to_vec()
    }

    fn start(&self) -> (Vec<f64>, Vec<f64>) {
        let mean = self.y.iter().sum::<f64>() / self.y.len() as f64;
        (vec![mean, 0.0, 0.0, 0.0], vec![0.5; 4])
    }
}

/// `low_dim_gauss_mix`: `u = (mu1, ln (mu2 - mu1), ln s1, ln s2, logit theta)`.
pub struct GaussMix {
    y: Vec<f64>,
}

impl GaussMix {
    pub fn new(data: &Value) -> Self {
        Self { y: numbers(data, "y") }
    }
}

impl Posterior for GaussMix {
    fn energy(&self, u: &[f64], grad: &mut [f64]) -> f64 {
        let gap = u[1].exp();
        let (mu, s, theta) = ([u[0], u[0] + gap], [u[2].exp(), u[3].exp()], logistic(u[4]));
        let log_weights = [theta.ln() - u[2], (1.0 - theta).ln() - u[3]];
        let (mut energy, mut by_mu, mut by_log_s, mut share) = (0.0, [0.0; 2], [0.0; 2], 0.0);
        for y in &self.y {
            let z = [(y - mu[0]) / s[0], (y - mu[1]) / s[1]];
            let term = [log_weights[0] - 0.5 * z[0] * z[0], log_weights[1] - 0.5 * z[1] * z[1]];
            let ratio = (-(term[0] - term[1]).abs()).exp();
            energy -= term[0].max(term[1]) + ratio.ln_1p();
            let larger = 1.0 / (1.0 + ratio);
            let p = if term[0] > term[1] { [larger, 1.0 - larger] } else { [1.0 - larger, larger] };
            for k in 0..2 {
                by_mu[k] -= p[k] * z[k] / s[k];
                by_log_s[k] += p[k] * (1.0 - z[k] * z[k]);
            }
            share += p[0];
        }
        // Priors N(0, 2) on mu and s, Beta(5, 5) on theta; Jacobians gap, s1, s2 and theta (1 - theta).
        for k in 0..2 {
            energy += (mu[k] * mu[k] + s[k] * s[k]) / 8.0 - u[2 + k];
            by_mu[k] += mu[k] / 4.0;
            by_log_s[k] += s[k] * s[k] / 4.0 - 1.0;
        }
        energy -= 5.0 * (theta.ln() + (1.0 - theta).ln()) + u[1];
        let n = self.y.len() as f64;
        grad[0] = by_mu[0] + by_mu[1];
        grad[1] = by_mu[1] * gap - 1.0;
        grad[2] = by_log_s[0];
        grad[3] = by_log_s[1];
        grad[4] = n * theta - share - 5.0 * (1.0 - 2.0 * theta);
        energy
    }

    fn columns(&self, u: &[f64]) -> Vec<f64> {
        vec![u[0], u[0] + u[1].exp(), u[2].exp(), u[3].exp(), logistic(u[4])]
    }

    /// Both components in their half of the data: the other way round is no mode, mu1 < mu2, but far starts take long.
    fn start(&self) -> (Vec<f64>, Vec<f64>) {
        (vec![-2.0, 1.5, 0.0, 0.0, 0.0], vec![0.3; 5])
    }
}
