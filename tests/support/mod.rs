//! What the tests of energies and samplers share.
#![allow(dead_code)] // each test file uses its own part

use candle_core::{DType, Device, Tensor};
use ebmotion::energy::Energy;
use ebmotion::noise::Noise;
use ebmotion::sample::diagnose::Diagnosis;
use ebmotion::sample::{ChainState, Transition};

pub mod gumbel;
pub mod posterior;
pub mod regression;

/// Draws of a batch of chains: `rows[draw][chain]` is one row of coordinates.
pub struct Draws {
    pub rows: Vec<Vec<Vec<f64>>>,
    pub acceptance: f64,
    pub gradients: usize,
}

impl Draws {
    /// Runs `transition` and keeps the place of all chains after each step.
    pub fn record(
        energy: &dyn Energy,
        transition: &dyn Transition,
        from: &ChainState,
        steps: usize,
        noise: &mut Noise,
    ) -> Self {
        let mut draws = Self { rows: Vec::new(), acceptance: 0.0, gradients: 0 };
        transition
            .run_watched(energy, from, steps, noise, &mut |_, state, info| {
                draws.rows.push(plain_rows(&state.x));
                draws.acceptance += info.mean_acceptance()?.unwrap_or(1.0) / steps as f64;
                draws.gradients += info.gradients;
                Ok(())
            })
            .unwrap();
        draws
    }

    /// A quantity of each draw, as chains of draws.
    pub fn of(&self, quantity: impl Fn(&[f64]) -> f64) -> Vec<Vec<f64>> {
        (0..self.rows[0].len()).map(|chain| self.rows.iter().map(|at| quantity(&at[chain])).collect()).collect()
    }
}

pub fn plain_rows(x: &Tensor) -> Vec<Vec<f64>> {
    x.flatten_from(1).unwrap().to_dtype(DType::F64).unwrap().to_vec2().unwrap()
}

pub fn mean(draws: &[Vec<f64>]) -> f64 {
    draws.iter().flatten().sum::<f64>() / draws.iter().map(Vec::len).sum::<usize>() as f64
}

/// The mean of `draws` lies within four of its own Monte Carlo standard errors of `expected`, and `bias` more.
#[track_caller]
pub fn assert_mean(what: &str, draws: &[Vec<f64>], expected: f64, bias: f64) {
    let (found, Diagnosis { mcse_mean: error, ess_mean, .. }) = (mean(draws), Diagnosis::of(draws));
    assert!(
        (found - expected).abs() < 4.0 * error + bias,
        "{what}: {found} +- {error} (ESS {ess_mean:.0}), expected {expected}"
    );
}

pub fn normal(seed: u64, shape: &[usize]) -> Tensor {
    Noise::new(seed).normal(shape, DType::F64, &Device::Cpu).unwrap()
}

/// Mean and variance of a standard Gumbel density, and its third central moment.
pub const GUMBEL: [f64; 3] = [
    0.577_215_664_901_532_9,                           // Euler's constant
    std::f64::consts::PI * std::f64::consts::PI / 6.0, // zeta(2)
    2.0 * 1.202_056_903_159_594_2,                     // 2 zeta(3)
];

/// `n` exact draws of a Gumbel density, by its quantile function, `(n, 1)`.
pub fn exact_gumbel(n: usize, location: f64, scale: f64, noise: &mut Noise) -> Tensor {
    let u = noise.uniform((n, 1), DType::F64, &Device::Cpu).unwrap();
    u.log().unwrap().neg().unwrap().log().unwrap().affine(-scale, location).unwrap()
}
