//! Samplers against closed forms. Tolerances are four standard errors of the estimates themselves, by their effective
//! sample size, or exactly where draws are independent. Seeds are fixed.

#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

mod support;

use candle_core::{DType, Device, Tensor};
use ebmotion::energy::Energy;
use ebmotion::energy::affine::MapShape;
use ebmotion::energy::analytic::{Diagonal, Gaussian};
use ebmotion::energy::clamp::Clamped;
use ebmotion::energy::compose::{MixtureEnergy, Scaled, Sum};
use ebmotion::energy::constraint::Goal;
use ebmotion::energy::coordinates::Coordinates;
use ebmotion::noise::Noise;
use ebmotion::sample::adapt::{Tunable, Warmup};
use ebmotion::sample::diagnose::Diagnosis;
use ebmotion::sample::hmc::Leapfrog;
use ebmotion::sample::langevin::Langevin;
use ebmotion::sample::{ChainState, Metropolis, Transition, Unadjusted};
use ebmotion::{Error, Result};
use support::gumbel::Gumbel;
use support::{Draws, GUMBEL, assert_mean, exact_gumbel, normal, plain_rows};

/// Leaves `warm` steps out and keeps `steps` of 64 chains from a wide start.
fn draws(energy: &dyn Energy, sampler: &dyn Transition, features: usize, warm: usize, steps: usize) -> Draws {
    let mut noise = Noise::new(77);
    let start = ChainState::start(energy, &normal(1, &[64, features])).unwrap();
    let state = sampler.run(energy, &start, warm, &mut noise).unwrap();
    Draws::record(energy, sampler, &state, steps, &mut noise)
}

/// The exact samplers that the tests below go through.
fn exact(lambda: f64) -> [(&'static str, Box<dyn Transition>); 2] {
    let step = lambda.sqrt() * 0.8;
    [
        ("mala", Box::new(Metropolis(Langevin::calibrated(lambda)))),
        ("hmc", Box::new(Metropolis(Leapfrog { step, leapfrogs: 3, jitter: 0.2 }))),
    ]
}

/// Eq. 1 on `E = x^2 / (2 s^2)` is the autoregression `x' = (1 - lambda / (2 s^2)) x + sqrt(lambda) n`. Its stationary
/// variance is `lambda / (1 - (1 - lambda / (2 s^2))^2) = s^2 / (1 - lambda / (4 s^2))`: too wide. MALA with the same
/// step is not.
#[test]
fn ula_has_its_known_bias_and_mala_has_none() {
    for s in [0.7, 1.5] {
        let target = Diagonal::new(&[0.0], &[s]).unwrap();
        for lambda in [0.1, 0.5, 1.0_f64] {
            let biased = s * s / (1.0 - lambda / (4.0 * s * s));
            let square = |sampler: &dyn Transition| draws(&target, sampler, 1, 200, 2000).of(|x| x[0] * x[0]);
            let ula = square(&Unadjusted(Langevin::calibrated(lambda)));
            assert_mean(&format!("ULA, s {s}, lambda {lambda}"), &ula, biased, 0.0);
            let mala = square(&Metropolis(Langevin::calibrated(lambda)));
            assert_mean(&format!("MALA, s {s}, lambda {lambda}"), &mala, s * s, 0.0);
            if lambda >= 1.0 {
                // The test can tell them apart.
                let error = Diagnosis::of(&ula).mcse_mean;
                assert!((support::mean(&ula) - s * s).abs() > 8.0 * error, "s {s}, lambda {lambda}");
            }
        }
    }
}

#[test]
fn a_correlated_gaussian_in_five_dimensions_is_drawn_exactly() {
    // A A^T + I / 2 for a fixed A: condition number about 5.
    let a = plain_rows(&normal(4, &[5, 5]));
    let n = 5;
    let covariance: Vec<f64> = (0..n * n)
        .map(|at| {
            let (i, j) = (at / n, at % n);
            (0..n).map(|k| a[i][k] * a[j][k]).sum::<f64>() * 0.1 + if i == j { 0.5 } else { 0.0 }
        })
        .collect();
    let mean = [1.0, -2.0, 0.0, 3.0, 0.5];
    let target = Gaussian::from_covariance(&mean, &covariance).unwrap();
    for (name, sampler) in exact(0.6) {
        let draws = draws(&target, sampler.as_ref(), n, 300, 1500);
        for i in 0..n {
            let coordinate = draws.of(|x| x[i]);
            assert!(Diagnosis::of(&coordinate).rhat_rank < 1.01, "{name} {i}");
            assert_mean(&format!("{name}: mean {i}"), &coordinate, mean[i], 0.0);
            for j in 0..=i {
                let product = draws.of(|x| (x[i] - mean[i]) * (x[j] - mean[j]));
                assert_mean(&format!("{name}: covariance {i} {j}"), &product, covariance[n * i + j], 0.0);
            }
        }
    }
}

/// With `x` drawn exactly from the target and `x'` one step away, detailed balance means that `(x, x')` and `(x', x)`
/// have one distribution: `f(x) g(x') - g(x) f(x')` has mean 0 for any `f` and `g`. The rows are independent, so its
/// standard error is exact.
#[test]
fn one_step_from_equilibrium_is_reversible() {
    let n = 200_000;
    let target = Gumbel::new(&[0.5], &[0.8]).unwrap();
    let x = exact_gumbel(n, 0.5, 0.8, &mut Noise::new(10));
    let from = ChainState::start(&target, &x).unwrap();
    let largest_z = |sampler: &dyn Transition| {
        let (to, info) = sampler.step(&target, &from, &mut Noise::new(11)).unwrap();
        if let Some(acceptance) = info.mean_acceptance().unwrap() {
            assert!(acceptance > 0.3 && acceptance < 0.97, "too easy or too hard: {acceptance}");
        }
        let (a, b) = (plain_rows(&from.x), plain_rows(&to.x));
        type Function = fn(f64) -> f64;
        let functions: [(Function, Function); 4] = [
            (|_| 1.0, |x| x),
            (|_| 1.0, |x| x * x),
            (|x| x, |x| x * x),
            (|x| (2.0 * x).sin(), |x| f64::from(u8::from(x > 0.0))),
        ];
        functions
            .into_iter()
            .map(|(f, g)| {
                let d: Vec<f64> = a.iter().zip(&b).map(|(a, b)| f(a[0]) * g(b[0]) - g(a[0]) * f(b[0])).collect();
                let mean = d.iter().sum::<f64>() / n as f64;
                let variance = d.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n as f64;
                (mean / (variance / n as f64).sqrt()).abs()
            })
            .fold(0.0, f64::max)
    };
    let langevin = Langevin::calibrated(0.8);
    let samplers: Vec<(&str, Box<dyn Transition>)> = vec![
        ("mala", Box::new(Metropolis(langevin))),
        ("mala, clipped", Box::new(Metropolis(Langevin { gradient_clip: Some(0.4), ..langevin }))),
        ("mala, noise alone", Box::new(Metropolis(Langevin { step: 0.0, ..langevin }))),
        ("mala, too little noise", Box::new(Metropolis(Langevin { noise: 0.4, ..langevin }))),
        ("hmc", Box::new(Metropolis(Leapfrog { step: 0.7, leapfrogs: 3, jitter: 0.0 }))),
        ("hmc, jitter", Box::new(Metropolis(Leapfrog { step: 0.7, leapfrogs: 3, jitter: 0.4 }))),
    ];
    for (name, sampler) in samplers {
        let z = largest_z(sampler.as_ref());
        assert!(z < 4.0, "{name}: {z} standard errors");
    }
    let z = largest_z(&Unadjusted(langevin));
    assert!(z > 8.0, "the test does not see that ULA is not reversible: {z}");
}

/// Truncated normal on (a, b): mean `(phi(a) - phi(b)) / Z`, second moment `1 + (a phi(a) - b phi(b)) / Z`.
#[test]
fn mala_in_a_box_draws_from_the_restricted_density() {
    let (a, b) = (-0.3, 1.2);
    let phi = |x: f64| (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt();
    let n = 10_000;
    let h = (b - a) / n as f64;
    // Midpoint rule: error of the order h^2.
    let z: f64 = (0..n).map(|i| phi(a + h * (i as f64 + 0.5)) * h).sum();
    let target = Diagonal::isotropic(2, 0.0, 1.0).unwrap();
    let start = ChainState::start(&target, &Tensor::full(0.4, (64, 2), &Device::Cpu).unwrap()).unwrap();
    let langevin = Langevin { bounds: Some((a, b)), ..Langevin::calibrated(0.3) };
    let mut noise = Noise::new(6);
    let sampler = Metropolis(langevin);
    let warm = sampler.run(&target, &start, 200, &mut noise).unwrap();
    let draws = Draws::record(&target, &sampler, &warm, 2000, &mut noise);
    for i in 0..2 {
        assert_mean("mean in the box", &draws.of(|x| x[i]), (phi(a) - phi(b)) / z, 0.0);
        let second = 1.0 + (a * phi(a) - b * phi(b)) / z;
        assert_mean("second moment in the box", &draws.of(|x| x[i] * x[i]), second, 0.0);
    }
    // Without the accept rule the same settings clip.
    let end = Unadjusted(langevin).run(&target, &start, 50, &mut noise).unwrap();
    let rows = plain_rows(&end.x).concat();
    assert!(rows.iter().all(|x| (a..=b).contains(x)) && rows.contains(&a) && rows.contains(&b));
}

/// Densities multiply: precisions add and weigh the means. A factor on the energy is an inverse temperature.
#[test]
fn sums_and_factors_of_energies_draw_from_products_and_powers() {
    let one = Diagonal::new(&[1.0, 0.0], &[1.0, 2.0]).unwrap();
    let two = Diagonal::new(&[-1.0, 3.0], &[0.5, 1.0]).unwrap();
    let goal = Goal::new(Coordinates::new(&[1]).unwrap(), &Tensor::new(&[2.0], &Device::Cpu).unwrap(), 1.5).unwrap();
    // Precisions: 1 + 4; 1/4 + 1, and with the goal's 2 * 1.5 more.
    let product = ([(1.0 - 4.0) / 5.0, 3.0 / 1.25], [1.0 / 5.0, 1.0 / 1.25]);
    let pulled = ([product.0[0], (3.0 + 2.0 * 3.0) / 4.25], [product.1[0], 1.0 / 4.25]);
    let cold = ([1.0, 0.0], [1.0 / 2.5, 4.0 / 2.5]);
    type Case<'a> = (&'static str, Box<dyn Energy + 'a>, ([f64; 2], [f64; 2]));
    let cases: Vec<Case> = vec![
        ("sum", Box::new(Sum::new().with(one.clone()).with(two.clone())), product),
        ("total", Box::new(Sum::new().with(&one).with(&two).with(goal)), pulled),
        ("scaled", Box::new(Scaled { energy: one.clone(), factor: 2.5 }), cold),
    ];
    for (case, energy, (mean, variance)) in cases {
        for (name, sampler) in exact(0.3) {
            let draws = draws(energy.as_ref(), sampler.as_ref(), 2, 200, 1000);
            for i in 0..2 {
                assert_mean(&format!("{case}, {name}: mean {i}"), &draws.of(|x| x[i]), mean[i], 0.0);
                let square = draws.of(|x| (x[i] - mean[i]).powi(2));
                assert_mean(&format!("{case}, {name}: variance {i}"), &square, variance[i], 0.0);
            }
        }
    }
}

#[test]
fn a_mixture_is_drawn_with_the_moments_of_its_parts() {
    let part = |mean: f64, s: f64| Box::new(Diagonal::new(&[mean], &[s]).unwrap()) as Box<dyn Energy>;
    let mixture = MixtureEnergy::new([(0.3, part(-1.2, 0.6)), (0.7, part(1.0, 0.9))]).unwrap();
    let mean = 0.3 * -1.2 + 0.7;
    let second = 0.3 * (1.44 + 0.36) + 0.7 * (1.0 + 0.81);
    let third = 0.3 * (-1.728 - 3.0 * 1.2 * 0.36) + 0.7 * (1.0 + 3.0 * 0.81);
    for (name, sampler) in exact(0.8) {
        let draws = draws(&mixture, sampler.as_ref(), 1, 200, 2000);
        for (k, expected) in [(1, mean), (2, second), (3, third)] {
            assert_mean(&format!("{name}: moment {k}"), &draws.of(|x| x[0].powi(k)), expected, 0.0);
        }
    }
}

/// Given `x_h`, a Gaussian's other coordinates have mean `m_f + C_fh C_hh^-1 (x_h - m_h)` and covariance
/// `C_ff - C_fh C_hh^-1 C_hf`. Half of the chains hold other values than the rest.
#[test]
fn clamped_chains_draw_from_the_conditional_density() {
    let mean = [1.0, -1.0, 0.5];
    let c = [2.0, 0.8, -0.5, 0.8, 1.0, 0.3, -0.5, 0.3, 1.5];
    let target = Gaussian::from_covariance(&mean, &c).unwrap();
    let held = [2.0, -3.0];
    let template: Vec<f64> = (0..64).flat_map(|chain| [0.0, held[chain % 2], 0.0]).collect();
    let template = Tensor::from_vec(template, (64, 3, 1), &Device::Cpu).unwrap();
    let clamped = Clamped::new(&target, Coordinates::new(&[2, 0]).unwrap(), &template).unwrap();
    for (name, sampler) in exact(0.8) {
        let draws = draws(&clamped, sampler.as_ref(), 2, 200, 2000);
        for (half, value) in held.into_iter().enumerate() {
            let pick = |f: &dyn Fn(&[f64]) -> f64| -> Vec<Vec<f64>> {
                draws.of(f).into_iter().enumerate().filter(|(chain, _)| chain % 2 == half).map(|(_, d)| d).collect()
            };
            let pull = (value - mean[1]) / c[4];
            let expected = [mean[2] + c[5] * pull, mean[0] + c[1] * pull];
            for i in 0..2 {
                assert_mean(&format!("{name}: mean {i} at {value}"), &pick(&|x| x[i]), expected[i], 0.0);
            }
            let covariance = [c[8] - c[5] * c[5] / c[4], c[2] - c[5] * c[1] / c[4], c[0] - c[1] * c[1] / c[4]];
            for (k, (i, j)) in [(0, 0), (0, 1), (1, 1)].into_iter().enumerate() {
                let product = pick(&|x| (x[i] - expected[i]) * (x[j] - expected[j]));
                assert_mean(&format!("{name}: covariance {i} {j} at {value}"), &product, covariance[k], 0.0);
            }
        }
    }
}

/// `E = x - ln x`, the gamma density `x exp(-x)` of mean 2 and variance 2, and NaN for negative `x`.
struct Gamma;

impl Energy for Gamma {
    fn energy(&self, x: &Tensor) -> Result<Tensor> {
        Ok((x - x.log()?)?.sum(1)?)
    }
}

#[test]
fn proposals_without_an_energy_are_rejected_and_the_rest_stays_exact() {
    let start = ChainState::start(&Gamma, &Tensor::full(2.0, (64, 1), &Device::Cpu).unwrap()).unwrap();
    for (name, sampler) in exact(2.0) {
        let mut noise = Noise::new(12);
        let state = sampler.run(&Gamma, &start, 200, &mut noise).unwrap();
        let draws = Draws::record(&Gamma, sampler.as_ref(), &state, 3000, &mut noise);
        assert!(draws.rows.iter().flatten().all(|x| x[0] > 0.0));
        assert_mean(&format!("{name}: mean"), &draws.of(|x| x[0]), 2.0, 0.0);
        assert_mean(&format!("{name}: variance"), &draws.of(|x| (x[0] - 2.0).powi(2)), 2.0, 0.0);
    }
}

#[test]
fn a_diverged_chain_is_an_error_with_its_step() {
    let start = ChainState::start(&Gamma, &Tensor::full(2.0, (64, 1), &Device::Cpu).unwrap()).unwrap();
    let sampler = Unadjusted(Langevin::calibrated(0.3));
    let Err(Error::NonFinite { step, value, .. }) = sampler.run(&Gamma, &start, 500, &mut Noise::new(1)) else {
        panic!("64 chains stayed positive for 500 steps");
    };
    assert!(value.is_nan() && step > 0);
    // The named step is the first bad one.
    assert!(sampler.run(&Gamma, &start, step as usize, &mut Noise::new(1)).is_ok());
    assert!(sampler.run(&Gamma, &start, step as usize + 1, &mut Noise::new(1)).is_err());
    let outside = Tensor::full(-1.0, (2, 1), &Device::Cpu).unwrap();
    assert!(matches!(ChainState::start(&Gamma, &outside), Err(Error::NonFinite { step: 0, .. })));
}

/// Warm-up on a Gaussian with standard deviations from 0.01 to 30 and a correlation of 0.95, from a start far off.
fn warms<P: Tunable>(name: &str, sampler: Metropolis<P>, map: Option<MapShape>, ess_floor: f64) {
    let mean = [5.0, -3.0, 0.0];
    let s = [0.01, 0.01, 30.0];
    let covariance =
        [s[0] * s[0], 0.95 * s[0] * s[1], 0.0, 0.95 * s[0] * s[1], s[1] * s[1], 0.0, 0.0, 0.0, s[2] * s[2]];
    let target = Gaussian::from_covariance(&mean, &covariance).unwrap();
    let mut noise = Noise::new(31);
    let warmup = Warmup { steps: 2000, target: None, map };
    let (energy, transition, state) = warmup.run(&target, &sampler, &normal(2, &[32, 3]), &mut noise).unwrap();
    let draws = Draws::record(&energy, &transition, &state, 1000, &mut noise);
    // 400 steps tune the last coordinates; dual averaging then errs by some hundredths.
    assert!((draws.acceptance - P::TARGET).abs() < 0.05, "{name}: acceptance {}", draws.acceptance);
    let x: Vec<Vec<Vec<f64>>> = draws
        .rows
        .iter()
        .map(|rows| {
            let z = Tensor::new(rows.clone(), &Device::Cpu).unwrap();
            plain_rows(&energy.map().to_x(&z).unwrap())
        })
        .collect();
    let draws = Draws { rows: x, ..draws };
    for i in 0..3 {
        let coordinate = draws.of(|x| x[i]);
        let ess = Diagnosis::of(&coordinate).ess_mean;
        assert!(ess > ess_floor, "{name}: ESS {ess} of coordinate {i}");
        assert_mean(&format!("{name}: mean {i}"), &coordinate, mean[i], 0.0);
        assert_mean(&format!("{name}: variance {i}"), &draws.of(|x| (x[i] - mean[i]).powi(2)), s[i] * s[i], 0.0);
    }
    let product = draws.of(|x| (x[0] - mean[0]) * (x[1] - mean[1]));
    assert_mean(&format!("{name}: covariance"), &product, 0.95 * s[0] * s[1], 0.0);
}

#[test]
fn warm_up_finds_scales_correlations_and_step_size() {
    let hmc = Metropolis(Leapfrog { step: 1.0, leapfrogs: 4, jitter: 0.2 });
    let mala = Metropolis(Langevin::calibrated(1.0));
    // Of 32000 draws. Whitened coordinates mix in a few steps. Scaled ones keep variances 1.95 and 0.05 across the
    // diagonals: the step is small against the longer by their ratio of 39 for MALA, and by its root for HMC.
    warms("hmc, dense", hmc, Some(MapShape::Dense), 5_000.0);
    warms("mala, dense", mala, Some(MapShape::Dense), 4_000.0);
    warms("hmc, diagonal", hmc, Some(MapShape::Diagonal), 3_000.0);
    warms("mala, diagonal", mala, Some(MapShape::Diagonal), 100.0);
}

#[test]
fn warm_up_keeps_coordinates_when_told_to_and_refuses_nonsense() {
    let target = Diagonal::isotropic(2, 0.0, 3.0).unwrap();
    let x = normal(1, &[16, 2]);
    let mala = Metropolis(Langevin::calibrated(1e-3));
    let warmup = Warmup { steps: 300, target: Some(0.7), map: None };
    let (energy, transition, state) = warmup.run(&target, &mala, &x, &mut Noise::new(3)).unwrap();
    let z = energy.map().to_x(&state.x).unwrap();
    assert_eq!(plain_rows(&z), plain_rows(&state.x));
    let draws = Draws::record(&energy, &transition, &state, 300, &mut Noise::new(4));
    assert!((draws.acceptance - 0.7).abs() < 0.08, "{}", draws.acceptance);
    let boxed = Metropolis(Langevin { bounds: Some((-9.0, 9.0)), ..mala.0 });
    let refused = |warmup: Warmup, sampler| warmup.run(&target, sampler, &x, &mut Noise::new(3)).is_err();
    assert!(refused(Warmup { steps: 19, ..warmup }, &mala));
    assert!(refused(Warmup { target: Some(1.0), ..warmup }, &mala));
    assert!(refused(Warmup { map: Some(MapShape::Diagonal), ..warmup }, &boxed));
    assert!(!refused(warmup, &boxed));
}

/// Chains in single precision, as in training, have the same moments.
#[test]
fn single_precision_chains_have_the_right_moments() {
    let target = Gumbel::new(&[0.0, 0.0], &[1.0, 1.0]).unwrap();
    for (name, sampler) in exact(0.8) {
        let mut noise = Noise::new(21);
        let x = normal(1, &[64, 2]).to_dtype(DType::F32).unwrap();
        let start = ChainState::start(&target, &x).unwrap();
        let warm = sampler.run(&target, &start, 200, &mut noise).unwrap();
        let draws = Draws::record(&target, sampler.as_ref(), &warm, 1000, &mut noise);
        assert_mean(&format!("{name}: mean"), &draws.of(|x| x[0]), GUMBEL[0], 0.0);
        assert_mean(&format!("{name}: variance"), &draws.of(|x| (x[0] - GUMBEL[0]).powi(2)), GUMBEL[1], 0.0);
    }
}
