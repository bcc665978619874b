//! Reference posteriors of posteriordb, drawn by HMC and by MALA. Means and second moments of all parameters lie within
//! four standard errors: theirs are those of 10000 reference draws, ours come from the effective sample size.

#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

mod support;

use candle_core::{Device, Tensor};
use ebmotion::energy::affine::MapShape;
use ebmotion::noise::Noise;
use ebmotion::sample::Metropolis;
use ebmotion::sample::adapt::{Tunable, Warmup};
use ebmotion::sample::diagnose::Diagnosis;
use ebmotion::sample::hmc::Leapfrog;
use ebmotion::sample::langevin::Langevin;
use serde_json::Value;
use std::path::Path;
use support::posterior::{EightSchools, Garch, GaussMix, Plain, Posterior};
use support::regression::Regression;
use support::{Draws, mean, normal, plain_rows};

const CHAINS: usize = 32;

fn read(folder: &str, file: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/posteriordb").join(folder).join(file);
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn reproduces<P: Posterior>(folder: &str, model: impl Fn(&Value) -> P) {
    let (data, reference) = (read(folder, "data.json"), read(folder, "reference_summary.json"));
    let posterior = model(&data);
    gradient_is_right(&posterior);
    let hmc = Metropolis(Leapfrog { step: 1.0, leapfrogs: 4, jitter: 0.3 });
    check(&format!("{folder}, hmc"), &posterior, &reference, hmc, 200);
    check(&format!("{folder}, mala"), &posterior, &reference, Metropolis(Langevin::calibrated(1.0)), 1200);
}

/// Central differences: error of the order h^2 times third derivatives, relative to the largest slope around.
fn gradient_is_right(posterior: &dyn Posterior) {
    let (centre, spread) = posterior.start();
    let n = centre.len();
    let mut unused = vec![0.0; n];
    for row in plain_rows(&normal(5, &[4, n])) {
        let u: Vec<f64> = (0..n).map(|i| centre[i] + spread[i] * row[i]).collect();
        let mut grad = vec![0.0; n];
        posterior.energy(&u, &mut grad);
        for i in 0..n {
            let h = 1e-5 * spread[i];
            let mut at = |by: f64| {
                let mut moved = u.clone();
                moved[i] += by;
                posterior.energy(&moved, &mut unused)
            };
            // Slopes per spread, so that all coordinates have one scale.
            let (numeric, analytic) = ((at(h) - at(-h)) / (2.0 * h) * spread[i], grad[i] * spread[i]);
            assert!((numeric - analytic).abs() < 1e-4 * (1.0 + analytic.abs()), "{i}: {numeric}, {analytic}");
        }
    }
}

fn check<P: Tunable>(name: &str, posterior: &dyn Posterior, reference: &Value, sampler: Metropolis<P>, steps: usize) {
    let energy = Plain(posterior);
    let (centre, spread) = posterior.start();
    let n = centre.len();
    let start: Vec<f64> = plain_rows(&normal(8, &[CHAINS, n]))
        .iter()
        .flat_map(|row| (0..n).map(|i| centre[i] + spread[i] * row[i]).collect::<Vec<_>>())
        .collect();
    let start = Tensor::from_vec(start, (CHAINS, n), &Device::Cpu).unwrap();
    let mut noise = Noise::new(40);
    let warmup = Warmup { steps: 400, target: None, map: Some(MapShape::Dense) };
    let (energy, transition, state) = warmup.run(&energy, &sampler, &start, &mut noise).unwrap();
    let draws = Draws::record(&energy, &transition, &state, steps, &mut noise);
    let columns = |rows: &Vec<Vec<f64>>| -> Vec<Vec<f64>> {
        let x = energy.map().to_x(&Tensor::new(rows.clone(), &Device::Cpu).unwrap()).unwrap();
        plain_rows(&x).iter().map(|u| posterior.columns(u)).collect()
    };
    let rows = draws.rows.iter().map(columns).collect();
    let draws = Draws { rows, ..draws };

    let field = |key: &str| support::posterior::numbers(reference, key);
    let (means, sds, squares) = (field("mean"), field("sd"), field("mean_of_squares"));
    let names: Vec<String> = serde_json::from_value(reference["names"].clone()).unwrap();
    let (mut least, mut most, mut worst) = (f64::MAX, 0.0_f64, 0.0_f64);
    for (i, column) in names.iter().enumerate() {
        let value = draws.of(|row| row[i]);
        let square = draws.of(|row| row[i] * row[i]);
        // The reference gives no deviation of the squares; ours has their own.
        let centre = mean(&square);
        let square_sd = mean(&draws.of(|row| (row[i] * row[i] - centre).powi(2))).sqrt();
        let rhat = Diagnosis::of(&value).rhat_rank;
        assert!(rhat < 1.03, "{name}: R-hat {rhat} of {column}");
        for (what, draws, expected, sd) in
            [("mean", value, means[i], sds[i]), ("mean square", square, squares[i], square_sd)]
        {
            let ess = Diagnosis::of(&draws).ess_mean;
            let error = sd * (1.0 / ess + 1.0 / 10_000.0).sqrt();
            let z = (mean(&draws) - expected) / error;
            assert!(z.abs() < 4.0, "{name}: {what} of {column} is {z} standard errors of {error} off {expected}");
            assert!(ess > 1000.0, "{name}: ESS {ess} of the {what} of {column}");
            (least, most, worst) = (least.min(ess), most.max(ess), worst.max(z.abs()));
        }
    }
    eprintln!("{name}: ESS {least:.0} to {most:.0}, acceptance {:.2}, largest deviation {worst:.1}", draws.acceptance);
}

#[test]
fn ar_k() {
    reproduces("arK-arK", Regression::autoregression);
}

#[test]
fn earnings() {
    reproduces("earnings-logearn_height", Regression::earnings);
}

#[test]
fn kidscore_momiq() {
    reproduces("kidiq-kidscore_momiq", Regression::momiq);
}

#[test]
fn kidscore_interaction() {
    reproduces("kidiq-kidscore_interaction", Regression::interaction);
}

#[test]
fn mesquite() {
    reproduces("mesquite-logmesquite_logvash", Regression::mesquite);
}

#[test]
fn nes() {
    reproduces("nes1980-nes", Regression::nes);
}

#[test]
fn sblrc() {
    reproduces("sblrc-blr", Regression::sblrc);
}

#[test]
fn eight_schools() {
    reproduces("eight_schools-eight_schools_noncentered", EightSchools::new);
}

#[test]
fn garch() {
    reproduces("garch-garch11", Garch::new);
}

#[test]
fn low_dim_gauss_mix() {
    reproduces("low_dim_gauss_mix-low_dim_gauss_mix", GaussMix::new);
}
