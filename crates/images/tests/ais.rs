//! Annealed importance sampling on densities whose constants are known.

#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

#[path = "../../../tests/support/mod.rs"]
mod support;

use candle_core::Tensor;
use ebmotion::energy::analytic::{Diagonal, Gaussian};
use ebmotion::energy::compose::MixtureEnergy;
use ebmotion::energy::{Energy, Evaluated};
use ebmotion::noise::Noise;
use ebmotion::sample::Metropolis;
use ebmotion::sample::hmc::Leapfrog;
use ebmotion_images::sample::Ais;
use support::normal;

/// An energy with a constant added: `ln Z` is less by it.
struct Shifted<E>(E, f64);

impl<E: Energy> Energy for Shifted<E> {
    fn energy(&self, x: &Tensor) -> ebmotion::Result<Tensor> {
        Ok((self.0.energy(x)? + self.1)?)
    }

    fn evaluate(&self, x: &Tensor) -> ebmotion::Result<Evaluated> {
        let at = self.0.evaluate(x)?;
        Ok(Evaluated { energy: (at.energy + self.1)?, grad: at.grad })
    }
}

fn ais(temperatures: usize) -> Ais<Metropolis<Leapfrog>> {
    Ais { transition: Metropolis(Leapfrog { step: 0.4, leapfrogs: 4, jitter: 0.3 }), steps: 1, temperatures }
}

const CHAINS: usize = 2000;
/// Minus `ln Z` of the targets below, since their densities are normalised.
const SHIFT: f64 = 3.25;

const MEAN: [f64; 3] = [1.0, -0.5, 0.3];
const COVARIANCE: [f64; 9] = [1.0, 0.6, 0.0, 0.6, 1.5, -0.3, 0.0, -0.3, 0.4];

/// Lower triangle of the covariance: `L L' = C`.
fn gaussian_draws(seed: u64, count: usize) -> Tensor {
    let l11 = (1.5f64 - 0.36).sqrt();
    let l21 = -0.3 / l11;
    let l = [[1.0, 0.0, 0.0], [0.6, l11, 0.0], [0.0, l21, (0.4 - l21 * l21).sqrt()]];
    let rows = support::plain_rows(&normal(seed, &[count, 3]));
    let place = |z: &Vec<f64>| (0..3).map(|i| MEAN[i] + (0..=i).map(|j| l[i][j] * z[j]).sum::<f64>()).collect();
    let rows: Vec<Vec<f64>> = rows.iter().map(place).collect();
    Tensor::new(rows, &candle_core::Device::Cpu).unwrap()
}

/// Two normal densities of five numbers, four standard deviations apart.
fn mixture() -> MixtureEnergy<'static> {
    let part = |mean: f64| Box::new(Diagonal::isotropic(5, mean, 0.8).unwrap()) as Box<dyn Energy>;
    MixtureEnergy::new([(0.3, part(-1.6)), (0.7, part(1.6))]).unwrap()
}

fn mixture_draws(seed: u64, count: usize) -> Tensor {
    let mut noise = Noise::new(seed);
    let indices = noise.indices(count, 10);
    let rows = support::plain_rows(&normal(seed + 1, &[count, 5]));
    let place = |(z, index): (&Vec<f64>, &usize)| {
        let mean = if *index < 3 { -1.6 } else { 1.6 };
        z.iter().map(|v| mean + 0.8 * v).collect::<Vec<f64>>()
    };
    Tensor::new(rows.iter().zip(&indices).map(place).collect::<Vec<_>>(), &candle_core::Device::Cpu).unwrap()
}

/// Name, base, target with `ln Z = -SHIFT`, draws of both.
type Case = (&'static str, Diagonal, Box<dyn Energy>, Tensor, Tensor);

fn cases() -> Vec<Case> {
    let gaussian = Gaussian::from_covariance(&MEAN, &COVARIANCE).unwrap();
    let wide = (normal(3, &[CHAINS, 5]) * 2.0).unwrap();
    vec![
        (
            "gaussian",
            Diagonal::isotropic(3, 0.0, 1.0).unwrap(),
            Box::new(Shifted(gaussian, SHIFT)),
            normal(1, &[CHAINS, 3]),
            gaussian_draws(2, CHAINS),
        ),
        (
            "mixture",
            Diagonal::isotropic(5, 0.0, 2.0).unwrap(),
            Box::new(Shifted(mixture(), SHIFT)),
            wide,
            mixture_draws(4, CHAINS),
        ),
    ]
}

/// With enough temperatures both directions are unbiased to within their standard errors, which are small.
#[test]
fn both_directions_find_the_constant() {
    for (name, base, target, of_base, of_target) in cases() {
        let forward = ais(60).forward(&base, &target, &of_base, &Noise::new(7)).unwrap();
        let backward = ais(60).backward(&base, &target, &of_target, &Noise::new(8)).unwrap();
        for (way, found) in [("forward", &forward), ("backward", &backward)] {
            let z = (found.estimate + SHIFT) / found.std_error;
            assert!(found.std_error < 0.05, "{name} {way}: a standard error of {}", found.std_error);
            assert!(z.abs() < 4.0, "{name} {way}: {} is {z} standard errors off", found.estimate);
            assert!(found.acceptance.unwrap() > 0.6, "{name} {way}: {:?}", found.acceptance);
            assert!(found.effective > 0.2 * CHAINS as f64, "{name} {way}: {}", found.effective);
            assert_eq!(found.chains.len(), CHAINS);
        }
        assert!(forward.mean < -SHIFT && -SHIFT < backward.mean, "{name}: {} {}", forward.mean, backward.mean);
    }
}

/// The weights' mean is exact for any number of temperatures (Neal 2001, section 2). The mean logarithms close in on
/// the constant from both sides as there are more.
#[test]
fn few_temperatures_leave_a_wider_gap_around_the_same_constant() {
    for (name, base, target, of_base, of_target) in cases() {
        let gap = |temperatures: usize| {
            let forward = ais(temperatures).forward(&base, &target, &of_base, &Noise::new(9)).unwrap();
            let backward = ais(temperatures).backward(&base, &target, &of_target, &Noise::new(10)).unwrap();
            let z = (forward.estimate + SHIFT) / forward.std_error;
            assert!(z.abs() < 4.0, "{name}, {temperatures}: {} is {z} standard errors off", forward.estimate);
            assert!(forward.mean < -SHIFT && -SHIFT < backward.mean, "{name}, {temperatures}");
            backward.mean - forward.mean
        };
        let gaps = [5, 20, 80].map(gap);
        // The gap falls about as 1 / temperatures (Neal 2001, section 4): four times as many, at least halved.
        assert!(gaps[1] < 0.5 * gaps[0] && gaps[2] < 0.5 * gaps[1], "{name}: {gaps:?}");
    }
}

#[test]
fn temperatures_rise_from_the_base_to_the_target() {
    let shares: Vec<f64> = (0..=9).map(|k| ais(9).share(k)).collect();
    assert_eq!((shares[0], shares[9]), (0.0, 1.0));
    assert!(shares.windows(2).all(|pair| pair[0] < pair[1]));
    // The same walk from either end.
    assert!((0..=9).all(|k| (shares[k] + shares[9 - k] - 1.0).abs() < 1e-12));
}

#[test]
fn bad_settings_and_infinite_energies_are_refused() {
    let (_, base, target, start, _) = cases().swap_remove(0);
    for wrong in [Ais { steps: 0, ..ais(5) }, Ais { temperatures: 0, ..ais(5) }] {
        assert_eq!(wrong.forward(&base, &target, &start, &Noise::new(0)).unwrap_err().exit_code(), 2);
    }
    let infinite = Shifted(base.clone(), f64::INFINITY);
    let error = ais(5).forward(&base, &infinite, &start, &Noise::new(0)).unwrap_err();
    assert!(error.to_string().contains("step 1"), "{error}");
}
