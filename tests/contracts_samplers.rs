//! What every sampler must do: a new one is one row of [`table`].

#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

mod support;

use candle_core::Tensor;
use ebmotion::Error;
use ebmotion::energy::Energy;
use ebmotion::energy::analytic::Gaussian;
use ebmotion::noise::Noise;
use ebmotion::sample::hmc::Leapfrog;
use ebmotion::sample::langevin::Langevin;
use ebmotion::sample::schedule::{Annealed, NoiseScale, Schedule};
use ebmotion::sample::{ChainState, Metropolis, Place, Proposal, Transition, Unadjusted};
use support::gumbel::Gumbel;
use support::{Draws, GUMBEL, assert_mean, normal, plain_rows};

struct Row {
    name: &'static str,
    sampler: Box<dyn Transition>,
    /// How far off the second moments of the targets below may be, relative. Means may be a third of it off, in
    /// standard deviations. 0 for exact samplers. ULA's bias is of the order of lambda / 4 times the curvature, here up
    /// to 2.2.
    bias: f64,
    /// Evaluations of the gradient per step.
    gradients: usize,
}

fn row(name: &'static str, sampler: impl Transition + 'static, bias: f64, gradients: usize) -> Row {
    Row { name, sampler: Box::new(sampler), bias, gradients }
}

fn table() -> Vec<Row> {
    let calibrated = Langevin::calibrated(0.5);
    let leapfrog = Leapfrog { step: 0.45, leapfrogs: 4, jitter: 0.0 };
    let small = Langevin::calibrated(0.05);
    let annealed =
        Annealed { base: small, step: Schedule::Linear { from: 0.03, to: 0.02 }, noise: NoiseScale::Temperature(1.0) };
    vec![
        row("ula", Unadjusted(small), 0.06, 1),
        row("annealed langevin", annealed, 0.06, 1),
        row("mala", Metropolis(calibrated), 0.0, 1),
        row("mala, clipped", Metropolis(Langevin { gradient_clip: Some(0.5), ..calibrated }), 0.0, 1),
        row("mala, too little noise", Metropolis(Langevin { noise: 0.6, ..calibrated }), 0.0, 1),
        row("mala, random walk", Metropolis(Langevin { step: 0.0, noise: 0.9, ..calibrated }), 0.0, 1),
        row("mala, box beyond reach", Metropolis(Langevin { bounds: Some((-30.0, 60.0)), ..calibrated }), 0.0, 1),
        row("hmc", Metropolis(leapfrog), 0.0, 4),
        row("hmc, jitter", Metropolis(Leapfrog { jitter: 0.5, ..leapfrog }), 0.0, 4),
    ]
}

const MEAN: [f64; 2] = [1.0, -0.5];
const COVARIANCE: [f64; 4] = [1.0, 0.6, 0.6, 1.5];

fn gaussian() -> Gaussian {
    Gaussian::from_covariance(&MEAN, &COVARIANCE).unwrap()
}

fn gumbel() -> Gumbel {
    Gumbel::new(&[0.0, 1.0], &[1.0, 2.0]).unwrap()
}

/// Runs 64 chains, leaves the first 200 steps out and keeps 800. They do not start far to the left of the Gumbel
/// density: its gradient grows exponentially there, and these step sizes reject for long.
fn draws(row: &Row, energy: &dyn Energy) -> Draws {
    let mut noise = Noise::new(2024);
    let start = ChainState::start(energy, &(normal(1, &[64, 2]) * 0.5).unwrap()).unwrap();
    let warm = row.sampler.run(energy, &start, 200, &mut noise).unwrap();
    let draws = Draws::record(energy, row.sampler.as_ref(), &warm, 800, &mut noise);
    assert_eq!(draws.gradients, 800 * row.gradients, "{}", row.name);
    draws
}

#[test]
fn a_gaussian_is_drawn_with_its_mean_and_covariance() {
    for row in table() {
        let draws = draws(&row, &gaussian());
        for i in 0..2 {
            let name = format!("{}: mean {i}", row.name);
            assert_mean(&name, &draws.of(|x| x[i]), MEAN[i], row.bias / 3.0 * COVARIANCE[3 * i].sqrt());
            for j in 0..=i {
                let product = draws.of(|x| (x[i] - MEAN[i]) * (x[j] - MEAN[j]));
                let expected = COVARIANCE[2 * i + j];
                assert_mean(&format!("{}: covariance {i} {j}", row.name), &product, expected, row.bias * expected);
            }
        }
    }
}

#[test]
fn an_asymmetric_density_is_drawn_with_its_moments_and_quantiles() {
    for row in table() {
        let draws = draws(&row, &gumbel());
        for (i, location, scale) in [(0, 0.0, 1.0), (1, 1.0, 2.0)] {
            let z = |x: &[f64]| (x[i] - location) / scale;
            let [mean, variance, third] = GUMBEL;
            assert_mean(&format!("{}: mean {i}", row.name), &draws.of(z), mean, row.bias / 3.0 * variance.sqrt());
            let central = |k: i32| draws.of(|x| (z(x) - mean).powi(k));
            assert_mean(&format!("{}: variance {i}", row.name), &central(2), variance, row.bias * variance);
            assert_mean(&format!("{}: third moment {i}", row.name), &central(3), third, 3.0 * row.bias * third);
            for p in [0.05, 0.5, 0.95_f64] {
                let quantile = -(-p.ln()).ln();
                let below = draws.of(|x| f64::from(u8::from(z(x) <= quantile)));
                assert_mean(&format!("{}: {p}-quantile {i}", row.name), &below, p, row.bias / 3.0);
            }
        }
    }
}

#[test]
fn the_same_noise_gives_the_same_chains() {
    for row in table() {
        let go = |seed: u64| {
            let start = ChainState::start(&gumbel(), &normal(3, &[8, 2])).unwrap();
            plain_rows(&row.sampler.run(&gumbel(), &start, 25, &mut Noise::new(seed)).unwrap().x)
        };
        assert_eq!(go(1), go(1), "{}", row.name);
        assert_ne!(go(1), go(2), "{}", row.name);
    }
}

#[test]
fn a_chain_does_not_depend_on_the_batch_it_runs_in() {
    for row in table() {
        let go = |rows: usize| {
            let start = ChainState::start(&gumbel(), &normal(3, &[32, 2]).narrow(0, 0, rows).unwrap()).unwrap();
            plain_rows(&row.sampler.run(&gumbel(), &start, 25, &mut Noise::new(5)).unwrap().x)
        };
        assert_eq!(go(8), go(32)[..8], "{}", row.name);
    }
}

#[test]
fn the_shape_of_a_row_is_opaque() {
    for row in table() {
        let go = |shape: &[usize]| {
            let start = ChainState::start(&gumbel(), &normal(3, &[8, 2]).reshape(shape).unwrap()).unwrap();
            let end = row.sampler.run(&gumbel(), &start, 10, &mut Noise::new(5)).unwrap();
            assert_eq!((end.x.dims(), end.at.grad.dims()), (shape, shape), "{}", row.name);
            plain_rows(&end.x)
        };
        assert_eq!(go(&[8, 2]), go(&[8, 1, 2, 1]), "{}", row.name);
    }
}

#[test]
fn a_state_holds_energy_and_gradient_of_its_place_and_no_graph() {
    for row in table() {
        let start = ChainState::start(&gaussian(), &normal(3, &[16, 2])).unwrap();
        let (state, info) = row.sampler.step(&gaussian(), &start, &mut Noise::new(5)).unwrap();
        let again = gaussian().evaluate(&state.x).unwrap();
        let gap =
            |a: &Tensor, b: &Tensor| (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f64>().unwrap();
        // The same arithmetic on the same rows, up to the order of sums.
        assert!(gap(&again.energy, &state.at.energy) < 1e-12, "{}", row.name);
        assert!(gap(&again.grad, &state.at.grad) < 1e-12, "{}", row.name);
        for tensor in [&state.x, &state.at.energy, &state.at.grad] {
            assert!(!tensor.track_op(), "{}", row.name);
        }
        let grad = plain_rows(&state.at.grad);
        let norm = grad.iter().map(|g| g.iter().map(|v| v * v).sum::<f64>().sqrt()).sum::<f64>() / 16.0;
        assert!((info.gradient_norm - norm).abs() < 1e-12, "{}", row.name);
        let energy = again.energy.mean_all().unwrap().to_scalar::<f64>().unwrap();
        assert!((info.energy - energy).abs() < 1e-12, "{}", row.name);
        assert!(info.moved > 0.0, "{}", row.name);
        assert_eq!(info.acceptance.map(|a| a.dims().to_vec()), (row.bias == 0.0).then(|| vec![16]), "{}", row.name);
    }
}

/// The cheap way of a proposal is the way of the specification.
#[test]
fn advancing_is_proposing_without_the_ratio() {
    let start = ChainState::start(&gumbel(), &normal(3, &[16, 2])).unwrap();
    let langevin = Langevin { gradient_clip: Some(0.3), bounds: Some((-0.5, 0.5)), ..Langevin::calibrated(0.3) };
    let proposals: [&dyn Proposal; 2] = [&langevin, &Leapfrog { step: 0.1, leapfrogs: 3, jitter: 0.2 }];
    for proposal in proposals {
        let proposed = proposal.propose(&gumbel(), &start, &mut Noise::new(1)).unwrap();
        let (advanced, gradients) = proposal.advance(&gumbel(), &start, &mut Noise::new(1)).unwrap();
        assert_eq!(plain_rows(&proposed.to.x), plain_rows(&advanced.x));
        assert_eq!(proposed.gradients, gradients);
    }
}

#[test]
fn settings_out_of_range_are_refused_with_their_name() {
    let start = ChainState::start(&gumbel(), &normal(3, &[4, 2])).unwrap();
    let ok = Langevin::calibrated(0.1);
    let hmc = Leapfrog { step: 0.1, leapfrogs: 3, jitter: 0.0 };
    let cases: Vec<(&str, Box<dyn Transition>)> = vec![
        ("langevin.step", Box::new(Unadjusted(Langevin { step: f64::NAN, ..ok }))),
        ("langevin.step", Box::new(Metropolis(Langevin { step: -1.0, ..ok }))),
        ("langevin.noise", Box::new(Unadjusted(Langevin { noise: -1.0, ..ok }))),
        ("langevin.noise", Box::new(Metropolis(Langevin { noise: 0.0, ..ok }))),
        ("langevin.gradient_clip", Box::new(Unadjusted(Langevin { gradient_clip: Some(0.0), ..ok }))),
        ("langevin.bounds", Box::new(Unadjusted(Langevin { bounds: Some((1.0, 1.0)), ..ok }))),
        ("hmc.step", Box::new(Metropolis(Leapfrog { step: 0.0, ..hmc }))),
        ("hmc.leapfrogs", Box::new(Metropolis(Leapfrog { leapfrogs: 0, ..hmc }))),
        ("hmc.jitter", Box::new(Metropolis(Leapfrog { jitter: 1.0, ..hmc }))),
    ];
    for (expected, sampler) in cases {
        match sampler.step(&gumbel(), &start, &mut Noise::new(1)) {
            Err(Error::Config { key, .. }) => assert_eq!(key, expected),
            other => panic!("{expected}: {:?}", other.map(|_| "accepted")),
        }
    }
    // Without noise the unadjusted step is gradient descent.
    let (down, info) = Unadjusted(Langevin { noise: 0.0, ..ok }).step(&gumbel(), &start, &mut Noise::new(1)).unwrap();
    assert!(info.energy < start.at.energy.mean_all().unwrap().to_scalar::<f64>().unwrap());
    assert_eq!(down.x.dims(), [4, 2]);
}

#[test]
fn a_schedule_moves_along_the_run() {
    let annealed = Annealed {
        base: Langevin { gradient_clip: Some(0.7), ..Langevin::calibrated(1.0) },
        step: Schedule::Polynomial { from: 0.1, to: 1e-5, power: 2.0 },
        noise: NoiseScale::Temperature(0.25),
    };
    let mut noise = Noise::new(9);
    let mut state = ChainState::start(&gumbel(), &normal(3, &[4, 2])).unwrap();
    let whole = annealed.run(&gumbel(), &state, 7, &mut noise.clone()).unwrap();
    for step in 0..7 {
        let size = 1e-5 + (0.1 - 1e-5) * (1.0 - step as f64 / 6.0).powi(2);
        let langevin = annealed.at(Place { step, of: 7 }).0;
        assert!((langevin.step - size).abs() < 1e-15);
        assert!((langevin.noise - (0.5 * size).sqrt()).abs() < 1e-15);
        assert_eq!(langevin.gradient_clip, Some(0.7));
        state = Unadjusted(langevin).step(&gumbel(), &state, &mut noise).unwrap().0;
    }
    assert_eq!(plain_rows(&whole.x), plain_rows(&state.x));
}
