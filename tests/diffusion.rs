//! The sampler down the noise levels against theory: Gaussians with observations and with energies added, a mixture
//! whose posterior is known, orders of convergence.
#![allow(clippy::unwrap_used)]

use candle_core::{D, DType, Device, Tensor};
use ebmotion::energy::affine::{Affine, AffineMap};
use ebmotion::energy::analytic::Gaussian;
use ebmotion::noise::Noise;
use ebmotion::sample::diffusion::{
    Conditions, Eta, ExtraEnergy, Observations, Particles, Sampler, SamplerConfig, Solver,
};
use nalgebra::{DMatrix, DVector};

const DRAWS: usize = 20_000;
const CPU: Device = Device::Cpu;

/// Many small steps from nearly pure noise: what is left is the method's own error.
fn fine(levels: usize, eta: Eta) -> SamplerConfig {
    SamplerConfig { levels, start: 1.5705, end: 0.005.into(), spacing: 1.0, eta, ..SamplerConfig::default() }
}

/// Standard normal data.
fn round(x: &Tensor, _: f64) -> ebmotion::Result<Tensor> {
    Ok(x.zeros_like()?)
}

fn row(values: &[f64]) -> Tensor {
    Tensor::from_slice(values, (1, values.len()), &CPU).unwrap()
}

/// Draws `(DRAWS, F)` as plain rows.
fn drawn(sampler: &Sampler<'_>, model: &dyn ebmotion::sample::diffusion::Denoiser, width: usize) -> Vec<Vec<f64>> {
    let mut noise = Noise::new(17);
    let start = noise.normal((DRAWS, width), DType::F64, &CPU).unwrap();
    sampler.run(model, start, &mut noise).unwrap().to_vec2::<f64>().unwrap()
}

/// Four frames of two channels: 8 numbers `f = mean + L z`, `z` standard normal, correlated over frames and channels.
fn motion() -> (DVector<f64>, DMatrix<f64>) {
    let at = |i: usize| ((i / 2) as f64, i % 2);
    let covariance = DMatrix::from_fn(8, 8, |i, j| {
        let ((s, c), (t, d)) = (at(i), at(j));
        (-0.4 * (s - t).abs()).exp() * if c == d { 1.0 + 0.5 * c as f64 } else { 0.6 }
    });
    let mean = DVector::from_fn(8, |i, _| 0.3 * i as f64 - 1.0);
    (mean, covariance.cholesky().unwrap().l())
}

/// Holds draws of `f` against a Gaussian: every mean and every covariance within 4 standard errors.
#[track_caller]
fn assert_gaussian(what: &str, draws: &[DVector<f64>], mean: &DVector<f64>, covariance: &DMatrix<f64>) {
    let n = draws.len() as f64;
    let found = draws.iter().sum::<DVector<f64>>() / n;
    let spread = draws.iter().map(|f| (f - &found) * (f - &found).transpose()).sum::<DMatrix<f64>>() / (n - 1.0);
    for i in 0..mean.len() {
        let error = (covariance[(i, i)].max(0.0) / n).sqrt();
        let off = (found[i] - mean[i]).abs();
        assert!(off < 4.0 * error + 1e-6, "{what}: mean {i} is {}, not {} (error {error})", found[i], mean[i]);
        for j in 0..=i {
            let (own, both) = (covariance[(i, i)] * covariance[(j, j)], covariance[(i, j)]);
            let error = ((own + both * both).max(0.0) / n).sqrt();
            let off = (spread[(i, j)] - both).abs();
            // The last level leaves a share sin(end)^2 of the variance out.
            assert!(off < 4.0 * error + 5e-5, "{what}: covariance {i} {j} is {}, not {both}", spread[(i, j)]);
        }
    }
}

/// Mean and covariance of a Gaussian given observations `a f = b` with variances `s`.
fn given(
    (mean, covariance): (&DVector<f64>, &DMatrix<f64>),
    a: &DMatrix<f64>,
    b: &DVector<f64>,
    s: &DVector<f64>,
) -> (DVector<f64>, DMatrix<f64>) {
    let seen = a * covariance * a.transpose() + DMatrix::from_diagonal(s);
    let gain = covariance * a.transpose() * seen.try_inverse().unwrap();
    (mean + &gain * (b - a * mean), covariance - &gain * a * covariance)
}

#[test]
fn a_gaussian_given_observations_is_drawn_exactly() {
    let (mean, l) = motion();
    let covariance = &l * l.transpose();
    let held = |indices: &[usize]| DMatrix::from_fn(indices.len(), 8, |r, c| f64::from(u8::from(indices[r] == c)));
    let mut sum = DMatrix::zeros(2, 8);
    [0, 3, 6].into_iter().for_each(|i| sum[(0, i)] = 1.0);
    (sum[(1, 1)], sum[(1, 7)]) = (1.0, -0.5);
    for (what, a, std) in [
        ("past", held(&[0, 1, 2, 3]), vec![0.0; 4]),
        ("future", held(&[6, 7]), vec![0.0; 2]),
        ("channel", held(&[0, 2, 4, 6]), vec![0.0; 4]),
        ("noisy sums", sum, vec![0.7, 0.2]),
        ("one of each", held(&[1, 6]), vec![0.0, 0.5]),
    ] {
        let b = DVector::from_fn(a.nrows(), |i, _| 0.8 - 0.5 * i as f64);
        let variances = DVector::from_iterator(std.len(), std.iter().map(|s| s * s));
        let (expected, spread) = given((&mean, &covariance), &a, &b, &variances);
        // In whitened coordinates: a (mean + L z) = b.
        let (rows, target) = (&a * &l, &b - &a * &mean);
        let matrix: Vec<f64> = rows.transpose().iter().copied().collect();
        // Steps that draw noise anew are of order 1, the others of order 2.
        let noisy = [(Solver::Multistep, Eta::OfPosterior(1.0), 600), (Solver::Ddim, Eta::OfPosterior(0.5), 600)];
        let others = if what == "one of each" { &noisy[..] } else { &[] };
        for (solver, eta, levels) in [&[(Solver::Multistep, Eta::NONE, 60)], others].concat() {
            let observations = Observations::new(matrix.clone(), row(target.as_slice()), std.clone()).unwrap();
            let conditions = Conditions { observations: Some(observations), ..Conditions::default() };
            let config = SamplerConfig { solver, ..fine(levels, eta) };
            let sampler = Sampler::new(&config).unwrap().given(conditions);
            let draws: Vec<DVector<f64>> =
                drawn(&sampler, &round, 8).into_iter().map(|z| &mean + &l * DVector::from_vec(z)).collect();
            assert_gaussian(&format!("{what}, {solver:?}, {eta:?}"), &draws, &expected, &spread);
            for (i, s) in std.iter().enumerate().filter(|(_, s)| **s == 0.0) {
                let off = draws.iter().map(|f| ((&a * f)[i] - b[i]).abs()).fold(0.0, f64::max);
                assert!(off < 1e-9 + s, "{what}: observation {i} is missed by {off}");
            }
        }
    }
}

/// A quadratic energy makes a product of Gaussians, and an observation with noise is one.
#[test]
fn a_gaussian_with_an_energy_added_is_the_product_of_gaussians() {
    let (mean, l) = motion();
    let covariance = &l * l.transpose();
    let goal = DVector::from_fn(8, |i, _| if i % 2 == 0 { 1.0 } else { -0.5 });
    let precision = DMatrix::from_fn(8, 8, |i, j| if i == j { 2.0 + 0.1 * i as f64 } else { 0.2 });
    let total = covariance.clone().try_inverse().unwrap() + &precision;
    let spread = total.try_inverse().unwrap();
    let expected = &mean + &spread * &precision * (&goal - &mean);
    let energy = Gaussian::from_precision(goal.as_slice(), precision.transpose().as_slice()).unwrap();
    let energy = Affine::new(energy, AffineMap::dense(mean.as_slice(), covariance.as_slice()).unwrap());
    let curvature = (l.transpose() * &precision * &l).symmetric_eigen().eigenvalues.max();
    for (eta, levels) in [(Eta::NONE, 60), (Eta::OfPosterior(1.0), 400)] {
        let energies = vec![ExtraEnergy { energy: &energy, curvature }];
        let conditions = Conditions { energies, steps: Some(12), ..Conditions::default() };
        let sampler = Sampler::new(&fine(levels, eta)).unwrap().given(conditions);
        let draws: Vec<DVector<f64>> =
            drawn(&sampler, &round, 8).into_iter().map(|z| &mean + &l * DVector::from_vec(z)).collect();
        assert_gaussian(&format!("{eta:?}"), &draws, &expected, &spread);
    }
}

/// Two modes, standardised: weights, centres, and the standard deviation within each.
struct Mixture {
    weights: [f64; 2],
    centres: [[f64; 2]; 2],
    std: f64,
}

impl Mixture {
    /// The first coordinate tells the modes apart and has unit variance over both, the second is a little correlated.
    fn new() -> Self {
        let (weights, std): ([f64; 2], f64) = ([0.3, 0.7], 0.4);
        let apart = ((1.0 - std * std) / (weights[0] * weights[1])).sqrt();
        let centres = [[weights[1] * apart, 0.2], [-weights[0] * apart, -0.2 * 3.0 / 7.0]];
        Self { weights, centres, std }
    }

    /// Shares of the modes given arrays with this much of the data and noise of this variance, `(B, 2)`.
    fn shares(&self, x: &Tensor, data: f64, variance: f64) -> ebmotion::Result<Tensor> {
        let of = |k: usize| -> ebmotion::Result<Tensor> {
            let centre = row(&self.centres[k]).affine(data, 0.0)?;
            let square = x.broadcast_sub(&centre)?.sqr()?.sum_keepdim(D::Minus1)?;
            Ok((square * (-0.5 / variance))?.affine(1.0, self.weights[k].ln())?)
        };
        Ok(candle_nn::ops::softmax(&Tensor::cat(&[&of(0)?, &of(1)?], 1)?, 1)?)
    }

    /// The velocity of the path: `(cos(t) x - E[u | x]) / sin(t)`.
    fn velocity(&self, x: &Tensor, t: f64) -> ebmotion::Result<Tensor> {
        let (sin, cos) = t.sin_cos();
        let inner = self.std * self.std;
        let variance = cos * cos * inner + sin * sin;
        let shares = self.shares(x, cos, variance)?;
        let mut denoised = x.zeros_like()?;
        for k in 0..2 {
            let centre = row(&self.centres[k]);
            let away = x.broadcast_sub(&(&centre * cos)?)?;
            let mean = (away * (cos * inner / variance))?.broadcast_add(&centre)?;
            denoised = (denoised + mean.broadcast_mul(&shares.narrow(1, k, 1)?)?)?;
        }
        Ok((((x * cos)? - denoised)? / sin)?)
    }

    /// The weight of the first mode given the first coordinate with noise of standard deviation `std`.
    fn posterior(&self, seen: f64, std: f64) -> f64 {
        let variance = self.std * self.std + std * std;
        let of = |k: usize| self.weights[k] * (-(seen - self.centres[k][0]).powi(2) / (2.0 * variance)).exp();
        of(0) / (of(0) + of(1))
    }

    /// The share of draws in the first mode.
    fn drawn(&self, seen: f64, std: f64, config: &SamplerConfig, particles: Option<Particles>) -> f64 {
        let observations = Observations::new(vec![1.0, 0.0], row(&[seen]), vec![std]).unwrap();
        let conditions = Conditions { observations: Some(observations), ..Conditions::default() };
        let sampler = Sampler::new(config).unwrap().given(conditions).with_particles(particles);
        let draws = drawn(&sampler, &|x: &Tensor, t: f64| self.velocity(x, t), 2);
        draws.iter().filter(|d| d[0] > 0.5 * (self.centres[0][0] + self.centres[1][0])).count() as f64 / DRAWS as f64
    }
}

/// With particles the weights of the modes are the posterior's. A resampled batch tells less than as many independent
/// draws: 4 standard errors of a quarter of them.
#[test]
fn particles_give_modes_their_posterior_weights() {
    let mixture = Mixture::new();
    let particles = Some(Particles { group: DRAWS });
    for (seen, std) in [(-0.3, 0.5), (0.4, 1.0)] {
        let exact = mixture.posterior(seen, std);
        let config = SamplerConfig { solver: Solver::Ddim, ..fine(300, Eta::OfPosterior(1.0)) };
        let found = mixture.drawn(seen, std, &config, particles);
        let error = 4.0 * (exact * (1.0 - exact) * 4.0 / DRAWS as f64).sqrt();
        assert!((found - exact).abs() < error, "{found} of {exact} +- {error}, seen {seen} with {std}");
    }
}

/// Without particles the weights are off, by an amount of first order in what an observation says, `1 / std^2`.
#[test]
fn without_particles_the_error_of_the_weights_falls_with_what_is_seen() {
    let mixture = Mixture::new();
    let config = fine(40, Eta::NONE);
    let error = |std: f64| (mixture.drawn(0.4, std, &config, None) - mixture.posterior(0.4, std)).abs();
    let errors = [0.5, 1.0, 2.0, 4.0].map(error);
    assert!(errors[0] > 0.04 && errors[0] < 0.1, "{errors:?}: the documented size");
    let ratio = errors[1] / errors[3];
    assert!((10.0..26.0).contains(&ratio), "{errors:?}: 16 times less where 16 times less is said");
}

/// Of data that are not standard normal, and not told so, the mean is off by an amount of first order in what their
/// standard deviation differs from 1.
#[test]
fn the_error_of_the_mean_is_of_first_order_in_what_the_variance_differs() {
    let error = |data: f64| {
        let model = move |x: &Tensor, t: f64| -> ebmotion::Result<Tensor> {
            let (sin, cos) = t.sin_cos();
            Ok((x * (sin * cos * (1.0 - data * data) / (cos * cos * data * data + sin * sin)))?)
        };
        let observations = Observations::new(vec![0.6, 0.8], row(&[1.0]), vec![1.0]).unwrap();
        let conditions = Conditions { observations: Some(observations), ..Conditions::default() };
        let sampler = Sampler::new(&fine(100, Eta::NONE)).unwrap().given(conditions);
        // A start and its mirror image: their mean has no noise.
        let start = Tensor::new(&[[0.7f64, -0.4], [-0.7, 0.4]], &CPU).unwrap();
        let ends = sampler.run(&model, start, &mut Noise::new(0)).unwrap().to_vec2::<f64>().unwrap();
        let mean = ends.iter().map(|d| 0.5 * (0.6 * d[0] + 0.8 * d[1])).sum::<f64>();
        (mean - data * data / (data * data + 1.0)).abs()
    };
    let (none, some, twice) = (error(1.0), error(1.05), error(1.1));
    assert!(none < 1e-3, "{none}");
    assert!((1.7..2.3).contains(&(twice / some)), "{some} {twice}");
}

#[test]
fn conditions_that_are_none_are_refused() {
    let says = |result: ebmotion::Result<Observations>, parts: &[&str]| {
        let text = result.unwrap_err().to_string();
        assert!(parts.iter().all(|part| text.contains(part)), "{text}");
    };
    says(Observations::new(vec![1.0, 0.0, 1.0], row(&[0.0, 0.0]), vec![0.0; 2]), &["2 rows of equal length"]);
    says(Observations::new(vec![1.0, 0.0], row(&[0.0, 0.0]), vec![0.0]), &["(B, 1) or (1, 1)"]);
    says(Observations::new(vec![1.0, 0.0], row(&[0.0]), vec![-1.0]), &["standard deviation", "-1"]);
    says(Observations::new(vec![f64::NAN, 0.0], row(&[0.0]), vec![0.0]), &["finite"]);
    let same = vec![1.0, 2.0, 2.0, 4.0 + 1e-9];
    says(Observations::new(same.clone(), row(&[0.0, 0.0]), vec![0.0; 2]), &["follow from others"]);
    assert!(Observations::new(same, row(&[0.0, 0.0]), vec![0.1; 2]).is_ok(), "with noise they may disagree");
    says(Observations::held(4, &[4], row(&[0.0])), &["held coordinate", "below 4"]);
    let refused = |sampler: Sampler<'_>, parts: &[&str]| {
        let start = Tensor::zeros((6, 3), DType::F64, &CPU).unwrap();
        let text = sampler.run(&round, start, &mut Noise::new(0)).unwrap_err().to_string();
        assert!(parts.iter().all(|part| text.contains(part)), "{text}");
    };
    let sampler = || Sampler::new(&SamplerConfig::default()).unwrap();
    let seen = Observations::new(vec![1.0, 0.0], row(&[0.0]), vec![0.0]).unwrap();
    let conditions = Conditions { observations: Some(seen), ..Conditions::default() };
    refused(sampler().given(conditions), &["observed array", "3"]);
    let conditions = Conditions { steps: Some(0), ..Conditions::default() };
    refused(sampler().given(conditions), &["steps", "at least 1"]);
    refused(sampler().with_particles(Some(Particles { group: 3 })), &["sampler.eta", "particles"]);
    let noisy = Sampler::new(&SamplerConfig { eta: Eta::OfPosterior(1.0), ..SamplerConfig::default() }).unwrap();
    refused(noisy.with_particles(Some(Particles { group: 4 })), &["particles.group", "6 rows"]);
    for (config, key) in [
        (SamplerConfig { levels: 0, ..SamplerConfig::default() }, "sampler.levels"),
        (SamplerConfig { end: 1.6.into(), ..SamplerConfig::default() }, "sampler.end"),
        (SamplerConfig { start: 0.01, ..SamplerConfig::default() }, "sampler.start"),
        (SamplerConfig { guidance: 0.0.into(), ..SamplerConfig::default() }, "sampler.guidance"),
        (SamplerConfig { temperature: f64::NAN, ..SamplerConfig::default() }, "sampler.temperature"),
        (SamplerConfig { eta: Eta::OfNoise { noise_share: 2.0 }, ..SamplerConfig::default() }, "sampler.eta"),
        (SamplerConfig { corrector_size: 0.0, ..SamplerConfig::default() }, "sampler.corrector_size"),
    ] {
        let text = config.check().unwrap_err().to_string();
        assert!(text.contains(key), "{text}");
    }
}
