//! The contract of objectives: each learns densities that are known, and goes on after a break to the same bits. The
//! test that includes this file has the table, `rows::objectives`.

use super::known::{CHAINS, Draws, Mixture, rows_of, total_variation};
use super::learner::{Learner, Row};
use super::rows::objectives;
use super::stop::StopAt;
use candle_core::{Device, Tensor};
use ebmotion::energy::Energy;
use ebmotion::event::Silent;
use ebmotion::noise::Noise;
use ebmotion::train::{
    AdamConfig, Batch, BatchSource, CheckpointPlan, Clip, Decay, Divergence, Objective, Outcome, TrainConfig, train,
};
use ebmotion::{Error, Result};
use std::time::Instant;

const CPU: Device = Device::Cpu;

fn settings(row: &Row, steps: u64) -> TrainConfig {
    TrainConfig {
        steps: steps.into(),
        batch: row.batch,
        optimizer: AdamConfig {
            learning_rate: row.learning_rate,
            beta1: 0.9,
            beta2: 0.99,
            weight_decay: 0.0,
            warmup_steps: 50,
            decay: Decay::Cosine,
            clip: Clip::Norm(10.0),
            whitening: None,
        },
        average_decay: 0.99,
        validate_every: 10,
        log_every: 100,
        checkpoint_every: 10,
        divergence: Divergence::default(),
        compact_checkpoints: false,
    }
}

/// Root mean square, nats, of `E + ln p` around its mean over a grid's points within 4 nats of the highest density.
fn energy_rms(learner: &dyn Learner, context: Option<[f64; 2]>, target: &Mixture) -> Result<f64> {
    let points: Vec<[f64; 2]> =
        (0..41 * 41).map(|i| [(i / 41) as f64, (i % 41) as f64].map(|v| -2.0 + 0.1 * v)).collect();
    let highest = points.iter().map(|x| target.density(*x)).fold(0.0, f64::max);
    let notable: Vec<[f64; 2]> =
        points.into_iter().filter(|x| target.density(*x) > highest * (-4.0f64).exp()).collect();
    let x = Tensor::from_vec(notable.iter().flatten().map(|v| *v as f32).collect(), (notable.len(), 2), &CPU)?;
    let context = context.map(|c| rows_of(c, notable.len())).transpose()?;
    let energies = learner.learned(context.as_ref(), notable.len())?.energy(&x)?.to_vec1::<f32>()?;
    let off: Vec<f64> = energies.iter().zip(&notable).map(|(e, x)| f64::from(*e) + target.density(*x).ln()).collect();
    let mean = off.iter().sum::<f64>() / off.len() as f64;
    Ok((off.iter().map(|o| (o - mean).powi(2)).sum::<f64>() / off.len() as f64).sqrt())
}

/// Total variation and energy RMS, the mean over four directions given a context.
fn judge(learner: &dyn Learner, conditional: bool) -> Result<(f64, f64)> {
    let one = |context: Option<[f64; 2]>, target: Mixture| -> Result<(f64, f64)> {
        let target = target.blurred(learner.angle());
        let contexts = context.map(|c| rows_of(c, CHAINS)).transpose()?;
        let energy = learner.learned(contexts.as_ref(), CHAINS)?;
        Ok((total_variation(energy.as_ref(), &target)?, energy_rms(learner, context, &target)?))
    };
    if !conditional {
        return one(None, Mixture::square());
    }
    let mut sum = (0.0, 0.0);
    for angle in [0.4, 1.9, 3.5, 5.2f64] {
        let (variation, rms) = one(Some([angle.cos(), angle.sin()]), Mixture::pair(angle))?;
        sum = (sum.0 + variation / 4.0, sum.1 + rms / 4.0);
    }
    Ok(sum)
}

pub(crate) fn learns(name: &str, conditional: bool) -> Result<()> {
    let row = objectives().into_iter().find(|row| row.name == name).unwrap();
    let bounds = if conditional { row.pair } else { row.square };
    let mut learner = (row.make)(&[2], if conditional { 2 } else { 0 }, row.steps)?;
    let before = judge(learner.as_ref(), conditional)?;
    let begun = Instant::now();
    let source = Draws { conditional, held_out: false };
    train(learner.as_mut(), &source, &settings(&row, row.steps), &Noise::new(2), None, &mut Silent)?;
    let seconds = begun.elapsed().as_secs_f64();
    let after = judge(learner.as_ref(), conditional)?;
    let density = if conditional { "pair" } else { "square" };
    println!(
        "\n| {name} | {density} | {:.2} | {:.2} | {:.2} | {:.2} | {} | {seconds:.1} |",
        before.0, after.0, before.1, after.1, row.steps
    );
    assert!(after.0 < bounds.0 && bounds.0 < before.0, "total variation {} after {}", after.0, before.0);
    assert!(after.1 < bounds.1 && bounds.1 < before.1, "the energy is off by {} nats after {}", after.1, before.1);
    Ok(())
}

/// Two tests a row of the table.
macro_rules! contract {
    ($($name:ident)*) => {
        $(mod $name {
            #[test]
            fn learns_the_square() -> ebmotion::Result<()> {
                crate::contract::learns(stringify!($name), false)
            }

            #[test]
            fn learns_a_pair_given_its_direction() -> ebmotion::Result<()> {
                crate::contract::learns(stringify!($name), true)
            }
        })*

        #[test]
        fn every_row_is_tested() {
            let names: Vec<&str> = rows::objectives().iter().map(|row| row.name).collect();
            assert_eq!(names, [$(stringify!($name)),*]);
        }
    };
}

fn weights(learner: &dyn Learner) -> Result<Vec<Vec<f32>>> {
    learner.parameters().iter().map(|(_, v)| Ok(v.flatten_all()?.to_vec1::<f32>()?)).collect()
}

#[test]
fn a_resumed_run_ends_in_the_same_bits() -> Result<()> {
    let folder = tempfile::tempdir().map_err(Error::io("a temporary folder", "create"))?;
    for (row, conditional) in objectives().into_iter().flat_map(|row| [(row.clone(), false), (row, true)]) {
        let (source, config, noise) = (Draws { conditional, held_out: true }, settings(&row, 24), Noise::new(3));
        let make = || (row.make)(&[2], if conditional { 2 } else { 0 }, config.total().unwrap());
        let mut unbroken = make()?;
        let outcome = train(unbroken.as_mut(), &source, &config, &noise, None, &mut Silent)?;
        assert!(outcome.best_validation.is_some());
        // Once within the warm-up of energy matching, once after it.
        for stop in [3, 17] {
            let path = folder.path().join(format!("{}-{conditional}-{stop}", row.name));
            let plan = |resume| CheckpointPlan { path: path.clone(), resume, identity: serde_json::json!(row.name) };
            let mut sink = StopAt(stop, false);
            let stopped = train(make()?.as_mut(), &source, &config, &noise, Some(&plan(false)), &mut sink);
            assert!(matches!(stopped, Err(Error::Interrupted { step, .. }) if step == stop), "{stopped:?}");
            let mut resumed = make()?;
            let again = train(resumed.as_mut(), &source, &config, &noise, Some(&plan(true)), &mut Silent)?;
            assert_eq!(Outcome { earlier_seconds: 0.0, ..again }, outcome, "{}", row.name);
            assert_eq!(weights(resumed.as_ref())?, weights(unbroken.as_ref())?, "{}", row.name);
        }
    }
    Ok(())
}

/// The same numbers as images of one channel: an objective does not look at the shape.
#[test]
fn images_are_learned_as_rows_are() -> Result<()> {
    struct Images(Draws);
    impl BatchSource for Images {
        fn batch(&self, size: usize, noise: &mut Noise) -> Result<Batch> {
            let batch = self.0.batch(size, noise)?;
            let image = |t: &Tensor| t.reshape((size, 1, 2, 1));
            let start = batch.start.as_ref().map(image).transpose()?;
            Ok(Batch { x: image(&batch.x)?, context: batch.context, start })
        }
        fn validation(&self) -> Result<Option<Batch>> {
            self.batch(64, &mut Noise::new(99)).map(Some)
        }
    }
    for row in objectives() {
        let config = settings(&row, 12);
        let (mut rows, mut images) = ((row.make)(&[2], 2, 12)?, (row.make)(&[1, 2, 1], 2, 12)?);
        let draws = || Draws { conditional: true, held_out: true };
        let one = train(rows.as_mut(), &draws(), &config, &Noise::new(3), None, &mut Silent)?;
        let two = train(images.as_mut(), &Images(draws()), &config, &Noise::new(3), None, &mut Silent)?;
        assert_eq!(one, two, "{}", row.name);
        assert_eq!(weights(rows.as_ref())?, weights(images.as_ref())?, "{}", row.name);
    }
    Ok(())
}

#[test]
fn what_is_not_finite_is_an_error_and_changes_no_weight() -> Result<()> {
    struct Poison;
    impl BatchSource for Poison {
        fn batch(&self, size: usize, noise: &mut Noise) -> Result<Batch> {
            let batch = Draws { conditional: false, held_out: false }.batch(size, noise)?;
            Ok(Batch { x: (batch.x * f64::NAN)?, ..batch })
        }
        fn validation(&self) -> Result<Option<Batch>> {
            Ok(None)
        }
    }
    for row in objectives() {
        let mut learner = (row.make)(&[2], 0, 8)?;
        let before = weights(learner.as_ref())?;
        let result = train(learner.as_mut(), &Poison, &settings(&row, 8), &Noise::new(1), None, &mut Silent);
        assert!(matches!(result, Err(Error::NonFinite { .. })), "{}: {result:?}", row.name);
        assert_eq!(before, weights(learner.as_ref())?, "{}", row.name);
    }
    Ok(())
}

/// Asks that `objective` refuses to learn from `batch`, and to be judged by it, for want of `part`.
pub fn lacks(objective: &mut dyn Objective, batch: &Batch, part: &str) -> Result<()> {
    let results = [
        objective.loss(batch, &mut Noise::new(1)).map(|_| ()),
        objective.validate(batch, &mut Noise::new(1)).map(|_| ()),
    ];
    for result in results {
        let error = result.expect_err("the batch lacks something");
        assert!(matches!(error, Error::Data { .. }) && error.exit_code() == 2, "{error:?}");
        assert!(error.to_string().contains(part), "{error}");
    }
    Ok(())
}
