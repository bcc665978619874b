//! Linear regressions of posteriordb: `y ~ N(X b, sigma)`, `u = (b, ln sigma)`.

use super::posterior::{Posterior, numbers};
use nalgebra::{DMatrix, DVector};
use serde_json::Value;

/// Density of sigma before data.
#[derive(Clone, Copy)]
pub enum Spread {
    Flat,
    HalfCauchy(f64),
    HalfNormal(f64),
}

/// The likelihood through its sufficient statistics around the least-squares solution.
pub struct Regression {
    solution: DVector<f64>,
    gram: DMatrix<f64>,
    residual: f64,
    count: f64,
    spread: Spread,
    /// Standard deviation of the normal prior of each coefficient.
    prior: Option<f64>,
}

impl Regression {
    fn new(columns: Vec<Vec<f64>>, y: Vec<f64>, spread: Spread, prior: Option<f64>) -> Self {
        let columns: Vec<DVector<f64>> = columns.into_iter().map(DVector::from_vec).collect();
        let x = DMatrix::from_columns(&columns);
        let y = DVector::from_vec(y);
        let solution = x.clone().svd(true, true).solve(&y, 1e-14).unwrap();
        let residual = (&y - &x * &solution).norm_squared();
        Self { gram: x.transpose() * &x, solution, residual, count: y.len() as f64, spread, prior }
    }

    pub fn earnings(data: &Value) -> Self {
        let y = numbers(data, "earn").iter().map(|v| v.ln()).collect();
        let height = numbers(data, "height");
        Self::new(vec![vec![1.0; height.len()], height], y, Spread::Flat, None)
    }

    pub fn momiq(data: &Value) -> Self {
        let iq = numbers(data, "mom_iq");
        Self::new(vec![vec![1.0; iq.len()], iq], numbers(data, "kid_score"), Spread::HalfCauchy(2.5), None)
    }

    pub fn interaction(data: &Value) -> Self {
        let (iq, hs) = (numbers(data, "mom_iq"), numbers(data, "mom_hs"));
        let both = iq.iter().zip(&hs).map(|(a, b)| a * b).collect();
        let columns = vec![vec![1.0; iq.len()], hs, iq, both];
        Self::new(columns, numbers(data, "kid_score"), Spread::HalfCauchy(2.5), None)
    }

    pub fn mesquite(data: &Value) -> Self {
        let [a, b, h, total] = ["diam1", "diam2", "canopy_height", "total_height"].map(|name| numbers(data, name));
        let n = a.len();
        let each = |f: &dyn Fn(usize) -> f64| (0..n).map(|i| f(i).ln()).collect::<Vec<f64>>();
        let columns = vec![
            vec![1.0; n],
            each(&|i| a[i] * b[i] * h[i]),
            each(&|i| a[i] * b[i]),
            each(&|i| a[i] / b[i]),
            each(&|i| total[i]),
            numbers(data, "group"),
        ];
        let y = numbers(data, "weight").iter().map(|v| v.ln()).collect();
        Self::new(columns, y, Spread::Flat, None)
    }

    pub fn nes(data: &Value) -> Self {
        let age = numbers(data, "age_discrete");
        let is = |k: f64| age.iter().map(|a| f64::from(u8::from(*a == k))).collect::<Vec<f64>>();
        let column = |name| numbers(data, name);
        let columns = vec![
            vec![1.0; age.len()],
            column("real_ideo"),
            column("race_adj"),
            is(2.0),
            is(3.0),
            is(4.0),
            column("educ1"),
            column("gender"),
            column("income"),
        ];
        Self::new(columns, column("partyid7"), Spread::Flat, None)
    }

    pub fn sblrc(data: &Value) -> Self {
        let rows: Vec<Vec<f64>> = serde_json::from_value(data["X"].clone()).unwrap();
        let columns = (0..rows[0].len()).map(|j| rows.iter().map(|row| row[j]).collect()).collect();
        Self::new(columns, numbers(data, "y"), Spread::HalfNormal(10.0), Some(10.0))
    }

    pub fn autoregression(data: &Value) -> Self {
        let (y, k) = (numbers(data, "y"), data["K"].as_u64().unwrap() as usize);
        let lags = (1..=k).map(|lag| (k..y.len()).map(|t| y[t - lag]).collect());
        let columns = std::iter::once(vec![1.0; y.len() - k]).chain(lags).collect();
        Self::new(columns, y[k..].to_vec(), Spread::HalfCauchy(2.5), Some(10.0))
    }
}

impl Posterior for Regression {
    fn energy(&self, u: &[f64], grad: &mut [f64]) -> f64 {
        let p = self.solution.len();
        let log_sigma = u[p];
        let precision = (-2.0 * log_sigma).exp();
        let away = DVector::from_iterator(p, u[..p].iter().zip(self.solution.iter()).map(|(a, b)| a - b));
        let pull = &self.gram * &away;
        let squares = self.residual + away.dot(&pull);
        // The Jacobian of ln sigma is sigma.
        let mut energy = (self.count - 1.0) * log_sigma + 0.5 * precision * squares;
        grad[p] = self.count - 1.0 - precision * squares;
        for j in 0..p {
            grad[j] = precision * pull[j];
            if let Some(s) = self.prior {
                energy += 0.5 * (u[j] / s).powi(2);
                grad[j] += u[j] / (s * s);
            }
        }
        let variance = (2.0 * log_sigma).exp();
        match self.spread {
            Spread::Flat => {}
            Spread::HalfCauchy(scale) => {
                let ratio = variance / (scale * scale);
                energy += ratio.ln_1p();
                grad[p] += 2.0 * ratio / (1.0 + ratio);
            }
            Spread::HalfNormal(scale) => {
                energy += 0.5 * variance / (scale * scale);
                grad[p] += variance / (scale * scale);
            }
        }
        energy
    }

    fn columns(&self, u: &[f64]) -> Vec<f64> {
        let p = self.solution.len();
        u[..p].iter().copied().chain([u[p].exp()]).collect()
    }

    /// Least squares, and twice its standard errors; that of ln sigma is 1 / sqrt(2 n).
    fn start(&self) -> (Vec<f64>, Vec<f64>) {
        let variance = self.residual / self.count;
        let inverse = self.gram.clone().try_inverse().unwrap();
        let centre = self.solution.iter().copied().chain([0.5 * variance.ln()]).collect();
        let spread = (0..self.solution.len())
            .map(|j| 2.0 * (variance * inverse[(j, j)]).sqrt())
            .chain([2.0 / (2.0 * self.count).sqrt()]);
        (centre, spread.collect())
    }
}
