//! Runs that stop, go on, or must not go on.

use super::stop::StopAt;
use super::*;

fn contrastive() -> Result<Contrastive<MlpEnergy>> {
    let config = mlp(2, 0, 1, Activation::LeakyRelu, true);
    let network = MlpEnergy { net: Mlp::new(config, &mut Noise::new(12), DType::F32, &CPU)? };
    Contrastive::new(network, chains(5), &[2], None)
}

fn denoising() -> Result<Denoising<MlpEnergy>> {
    let config = mlp(2, Leveled::<MlpEnergy>::FEATURES, 1, Activation::Swish, false);
    let net = Mlp::new(config, &mut Noise::new(12), DType::F32, &CPU)?;
    Ok(Denoising::new(Leveled::over(MlpEnergy { net })))
}

fn plan(path: &Path, resume: bool) -> CheckpointPlan {
    CheckpointPlan { path: path.to_path_buf(), resume, identity: serde_json::json!({"data": "blobs"}) }
}

/// Stopped at any step, or killed and set back to the last checkpoint, a run ends in the same bits as an unbroken one.
#[test]
fn a_resumed_run_is_bit_identical() -> Result<()> {
    let folder = tempfile::tempdir().map_err(Error::io("a temporary folder", "create"))?;
    let mut config = settings(60, 3e-3);
    config.optimizer.clip = Clip::Running { multiple: 3.0, floor: 0.1 };
    config.optimizer.beta1 = 0.0;
    type Make = fn() -> Result<Box<dyn Objective>>;
    let whitening = Whitening { every: 7, ..Whitening::default() };
    let makers: [(&str, Option<Whitening>, Make); 3] = [
        ("contrastive", None, || Ok(Box::new(contrastive()?))),
        ("denoising", None, || Ok(Box::new(denoising()?))),
        ("whitened", Some(whitening), || Ok(Box::new(denoising()?))),
    ];
    for (name, whitening, make) in makers {
        config.optimizer.whitening = whitening;
        let mut unbroken = make()?;
        let outcome = train(unbroken.as_mut(), &Blobs, &config, &Noise::new(13), None, &mut Silent)?;
        for stop in [1, 23, 59] {
            let path = folder.path().join(format!("{name}-{stop}"));
            let stopped = train(
                make()?.as_mut(),
                &Blobs,
                &config,
                &Noise::new(13),
                Some(&plan(&path, false)),
                &mut StopAt(stop, false),
            );
            assert!(matches!(stopped, Err(Error::Interrupted { step, .. }) if step == stop), "{stopped:?}");
            let mut resumed = make()?;
            let again =
                train(resumed.as_mut(), &Blobs, &config, &Noise::new(13), Some(&plan(&path, true)), &mut Silent)?;
            assert!(again.earlier_seconds > 0.0 && outcome.earlier_seconds == 0.0, "{again:?}");
            assert_eq!(Outcome { earlier_seconds: 0.0, ..again }, outcome, "{name} stopped at {stop}");
            assert_eq!(weights(resumed.as_ref())?, weights(unbroken.as_ref())?, "{name} stopped at {stop}");
        }
        // A kill leaves the last periodic checkpoint: break off at 37 by an error, go on from 30.
        struct Kill(u64);
        impl Sink for Kill {
            fn emit(&mut self, event: &Event<'_>) -> Result<()> {
                match event {
                    Event::Step { step, .. } if *step == self.0 => Err(Error::data("run", "killed", "not")),
                    _ => Ok(()),
                }
            }
        }
        let path = folder.path().join(format!("{name}-killed"));
        let killed =
            train(make()?.as_mut(), &Blobs, &config, &Noise::new(13), Some(&plan(&path, false)), &mut Kill(37));
        assert!(killed.is_err());
        let mut resumed = make()?;
        train(resumed.as_mut(), &Blobs, &config, &Noise::new(13), Some(&plan(&path, true)), &mut Silent)?;
        assert_eq!(weights(resumed.as_ref())?, weights(unbroken.as_ref())?, "{name} killed");
    }
    Ok(())
}

/// Averages and moments are rounded to eight bits, weights are not: the run goes on near where it was.
#[test]
fn a_compact_checkpoint_is_smaller_and_a_run_from_it_ends_close_by() -> Result<()> {
    let folder = tempfile::tempdir().map_err(Error::io("a temporary folder", "create"))?;
    let mut unbroken = denoising()?;
    train(&mut unbroken, &Blobs, &settings(60, 3e-3), &Noise::new(13), None, &mut Silent)?;
    let mut sizes = Vec::new();
    for compact in [false, true] {
        let config = TrainConfig { compact_checkpoints: compact, ..settings(60, 3e-3) };
        let path = folder.path().join(format!("{compact}"));
        let run = |objective: &mut Denoising<MlpEnergy>, resume: bool, sink: &mut dyn Sink| {
            train(objective, &Blobs, &config, &Noise::new(13), Some(&plan(&path, resume)), sink)
        };
        assert!(run(&mut denoising()?, false, &mut StopAt(23, false)).is_err());
        sizes.push(std::fs::metadata(&path).map_err(Error::io(&path, "read"))?.len() as f64);
        let mut resumed = denoising()?;
        run(&mut resumed, true, &mut Silent)?;
        let (found, expected) = (weights(&resumed)?, weights(&unbroken)?);
        let pairs = found.iter().flatten().zip(expected.iter().flatten());
        let (off, whole) = pairs.fold((0.0, 0.0), |(off, whole), (a, b)| (off + (a - b).powi(2), whole + b.powi(2)));
        let away = f32::sqrt(off / whole);
        assert!(if compact { away > 0.0 && away < 1e-2 } else { away == 0.0 }, "compact {compact}: {away}");
    }
    // 12 bytes a weight in place of 20, and a header.
    assert!(sizes[1] < 0.85 * sizes[0], "{sizes:?}");
    Ok(())
}

#[test]
fn a_checkpoint_of_another_run_or_a_damaged_one_is_refused() -> Result<()> {
    let folder = tempfile::tempdir().map_err(Error::io("a temporary folder", "create"))?;
    let path = folder.path().join("run.checkpoint");
    let config = settings(20, 3e-3);
    train(&mut denoising()?, &Blobs, &config, &Noise::new(1), Some(&plan(&path, false)), &mut Silent)?;
    let mut other = config.clone();
    other.batch = 32;
    let message = |config: &TrainConfig, plan: &CheckpointPlan| -> Result<String> {
        let mut objective = denoising()?;
        let result = train(&mut objective, &Blobs, config, &Noise::new(1), Some(plan), &mut Silent);
        let error = result.expect_err("a foreign checkpoint must be refused");
        assert_eq!(error.exit_code(), 2);
        Ok(error.to_string())
    };
    let text = message(&other, &plan(&path, true))?;
    assert!(text.contains("batch") && text.contains("64") && text.contains("32"), "{text}");
    let mut foreign = plan(&path, true);
    foreign.identity = serde_json::json!({"data": "others"});
    let text = message(&config, &foreign)?;
    assert!(text.contains("blobs") && text.contains("others"), "{text}");
    let whole = std::fs::read(&path).map_err(Error::io(&path, "read"))?;
    for cut in [0, 7, 200, whole.len() - 1] {
        std::fs::write(&path, &whole[..cut]).map_err(Error::io(&path, "write"))?;
        let text = message(&config, &plan(&path, true))?;
        assert!(text.contains("run.checkpoint") && text.contains("expected"), "{text}");
    }
    Ok(())
}

#[test]
fn a_checkpoint_without_all_that_its_objective_has_kept_is_refused() -> Result<()> {
    let folder = tempfile::tempdir().map_err(Error::io("a temporary folder", "create"))?;
    let path = folder.path().join("run.checkpoint");
    let (config, noise) = (settings(20, 3e-3), Noise::new(1));
    train(&mut contrastive()?, &Blobs, &config, &noise, Some(&plan(&path, false)), &mut Silent)?;
    let whole = Archive::load(&path)?;
    let names: Vec<&String> = whole.tensors.keys().filter(|name| name.contains("spectral")).collect();
    assert!(!names.is_empty());
    for name in names {
        let mut lacking = whole.clone();
        lacking.tensors.remove(name);
        lacking.save(&path)?;
        let resumed = train(&mut contrastive()?, &Blobs, &config, &noise, Some(&plan(&path, true)), &mut Silent);
        let error = resumed.expect_err("a tensor is missing");
        assert!(matches!(error, Error::Model { .. }) && error.exit_code() == 2, "{error:?}");
        let (text, name) = (error.to_string(), name.trim_start_matches("objective/"));
        assert!(text.contains("run.checkpoint: found no tensor") && text.contains(name), "{text}");
    }
    Ok(())
}

#[test]
fn a_loss_that_is_not_finite_is_an_error_with_its_step() -> Result<()> {
    struct Poison;
    impl BatchSource for Poison {
        fn batch(&self, size: usize, noise: &mut Noise) -> Result<Batch> {
            let mut batch = Blobs.batch(size, noise)?;
            batch.context = Some((&batch.x * f64::NAN)?);
            Ok(batch)
        }
        fn validation(&self) -> Result<Option<Batch>> {
            Ok(None)
        }
    }
    let net = Mlp::new(mlp(2, 0, 2, Activation::Swish, false), &mut Noise::new(1), DType::F32, &CPU)?;
    let mut objective = Regression { net };
    let before = weights(&objective)?;
    let result = train(&mut objective, &Poison, &settings(5, 1e-3), &Noise::new(1), None, &mut Silent);
    assert!(matches!(&result, Err(Error::NonFinite { step: 0, .. })), "{result:?}");
    assert_eq!(before, weights(&objective)?, "the weights stay as they were");
    Ok(())
}
