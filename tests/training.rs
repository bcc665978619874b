//! Networks, objectives and the trainer: gradients against finite differences, known densities, exact resuming, and a
//! second user whose arrays are images.

use candle_core::{DType, Device, Tensor};
use ebmotion::energy::{ConditionalEnergy, Energy, by_autograd};
use ebmotion::error::{Error, Result};
use ebmotion::event::{Event, Silent, Sink};
use ebmotion::model::{Activation, Fixed, LevelEnergy, Mlp, MlpConfig, MlpEnergy, Network};
use ebmotion::noise::Noise;
use ebmotion::train::objective::{Contrastive, ContrastiveConfig, Denoising, Form, Regression};
use ebmotion::train::{AdamConfig, Batch, CheckpointPlan, Clip, Decay, Objective, Source, TrainConfig, train};
use std::path::Path;

const CPU: Device = Device::Cpu;

fn mlp(inputs: usize, context: usize, outputs: usize, activation: Activation, spectral_norm: bool) -> MlpConfig {
    MlpConfig { inputs, context, hidden: vec![24, 16], outputs, activation, spectral_norm }
}

fn settings(steps: u64, learning_rate: f64) -> TrainConfig {
    TrainConfig {
        steps,
        batch: 64,
        optimizer: AdamConfig {
            learning_rate,
            beta1: 0.9,
            beta2: 0.999,
            weight_decay: 0.0,
            warmup_steps: 10,
            decay: Decay::Cosine,
            clip: Clip::Norm(10.0),
        },
        average_decay: 0.99,
        validate_every: 20,
        log_every: 10,
        checkpoint_every: 10,
    }
}

fn chains(steps: usize) -> ContrastiveConfig {
    ContrastiveConfig {
        form: Form::Softplus,
        energy_l2: 0.1,
        steps,
        step_size: 0.1,
        noise: 0.05,
        gradient_clip: None,
        bounds: None,
        replay: 256,
        fresh: 0.05,
    }
}

/// Two Gaussian blobs in the plane, at (-1, 0) and (1, 0.5), standard deviation 0.2.
struct Blobs;

impl Blobs {
    fn draw(size: usize, noise: &mut Noise) -> Result<Tensor> {
        let side = noise.uniform((size, 1), DType::F32, &CPU)?.ge(0.5)?.to_dtype(DType::F32)?;
        let centre = Tensor::cat(&[side.affine(2.0, -1.0)?, (&side * 0.5)?], 1)?;
        Ok((centre + (noise.normal((size, 2), DType::F32, &CPU)? * 0.2)?)?)
    }
}

impl Source for Blobs {
    fn batch(&self, size: usize, noise: &mut Noise) -> Result<Batch> {
        let x = Self::draw(size, noise)?;
        let start = noise.uniform((size, 2), DType::F32, &CPU)?.affine(4.0, -2.0)?;
        Ok(Batch { x, context: None, start: Some(start) })
    }

    fn validation(&self) -> Result<Option<Batch>> {
        self.batch(256, &mut Noise::new(99)).map(Some)
    }
}

/// 4x4 images of one channel: a bright row whose number is told by the context, as a class would be.
struct Rows;

impl Source for Rows {
    fn batch(&self, size: usize, noise: &mut Noise) -> Result<Batch> {
        let classes = noise.indices(size, 4);
        let mut x = vec![0f32; size * 16];
        let mut context = vec![0f32; size * 4];
        for (b, class) in classes.into_iter().enumerate() {
            x[b * 16 + class * 4..b * 16 + class * 4 + 4].fill(1.0);
            context[b * 4 + class] = 1.0;
        }
        let x = Tensor::from_vec(x, (size, 1, 4, 4), &CPU)?;
        let x = (x + (noise.normal((size, 1, 4, 4), DType::F32, &CPU)? * 0.1)?)?.clamp(0f32, 1f32)?;
        let start = noise.uniform((size, 1, 4, 4), DType::F32, &CPU)?;
        Ok(Batch { x, context: Some(Tensor::from_vec(context, (size, 4), &CPU)?), start: Some(start) })
    }

    fn validation(&self) -> Result<Option<Batch>> {
        self.batch(64, &mut Noise::new(99)).map(Some)
    }
}

fn weights(objective: &dyn Objective) -> Result<Vec<Vec<f32>>> {
    objective.parameters().iter().map(|(_, v)| Ok(v.flatten_all()?.to_vec1::<f32>()?)).collect()
}

#[test]
fn the_analytic_input_gradient_is_the_reference_gradient() -> Result<()> {
    let mut noise = Noise::new(1);
    for activation in [Activation::Swish, Activation::LeakyRelu] {
        for spectral_norm in [false, true] {
            let config = mlp(6, 5, 1, activation, spectral_norm);
            let net = Mlp::new(config, &mut noise, DType::F64, &CPU)?;
            let energy = MlpEnergy { net };
            let x = noise.normal((7, 2, 3), DType::F64, &CPU)?;
            let context = noise.normal((7, 5), DType::F64, &CPU)?;
            let fast = energy.evaluate_given(&x, &context)?;
            let slow = by_autograd(|x| energy.energy_given(x, &context), &x)?;
            assert_eq!(fast.grad.dims(), x.dims());
            for (a, b) in [(&fast.energy, &slow.energy), (&fast.grad, &slow.grad)] {
                let error = (a - b)?.abs()?.flatten_all()?.max(0)?.to_scalar::<f64>()?;
                assert!(error < 1e-12, "{activation:?}, spectral norm {spectral_norm}: {error}");
            }
        }
    }
    Ok(())
}

/// candle's own double backward is silently wrong; the gradient as tensor operations is not (METHOD: mixed second
/// derivatives by central differences of the loss in single weights).
#[test]
fn a_loss_of_the_input_gradient_has_the_right_weight_gradient() -> Result<()> {
    let mut noise = Noise::new(2);
    let net = Mlp::new(mlp(3, 2, 1, Activation::Swish, false), &mut noise, DType::F64, &CPU)?;
    let x = noise.normal((5, 3), DType::F64, &CPU)?;
    let context = noise.normal((5, 2), DType::F64, &CPU)?;
    let loss = || -> Result<Tensor> { Ok(net.value_and_gradient(&x, Some(&context))?.1.sqr()?.sum_all()?) };
    let grads = loss()?.backward()?;
    let step = 1e-5;
    let mut largest: f64 = 0.0;
    for (name, var) in net.parameters().iter() {
        let values = var.flatten_all()?.to_vec1::<f64>()?;
        let Some(gradient) = grads.get(var.as_tensor()) else {
            assert!(name.ends_with("layer2.bias"), "{name} has no gradient"); // the offset of the energy alone
            continue;
        };
        let gradient = gradient.flatten_all()?.to_vec1::<f64>()?;
        for at in [0, values.len() / 2, values.len() - 1] {
            let mut around = [0.0; 2];
            for (value, sign) in around.iter_mut().zip([1.0, -1.0]) {
                let mut moved = values.clone();
                moved[at] += sign * step;
                var.set(&Tensor::from_vec(moved, var.dims(), &CPU)?)?;
                *value = loss()?.to_scalar::<f64>()?;
            }
            var.set(&Tensor::from_vec(values.clone(), var.dims(), &CPU)?)?;
            let numeric = (around[0] - around[1]) / (2.0 * step);
            let error = (numeric - gradient[at]).abs();
            largest = largest.max(gradient[at].abs());
            // Central differences: truncation of order step^2, rounding of order 1e-16 / step.
            assert!(error < 1e-7 * (1.0 + numeric.abs()), "{name}[{at}]: {numeric} against {}", gradient[at]);
        }
    }
    assert!(largest > 1e-3, "the test must see gradients that matter");
    Ok(())
}

#[test]
fn spectral_norm_brings_the_largest_singular_value_to_one() -> Result<()> {
    let mut noise = Noise::new(3);
    let mut net = Mlp::new(mlp(8, 0, 1, Activation::LeakyRelu, true), &mut noise, DType::F64, &CPU)?;
    for _ in 0..200 {
        net.power_iteration()?;
    }
    // The network is at most as steep as its last weight, which is not normalised: leaky ReLU has slope at most 1.
    let last = net.parameters().iter().find(|(n, _)| *n == "layer2.weight").map(|(_, v)| v.as_detached_tensor());
    let bound = last.expect("three layers").sqr()?.sum_all()?.sqrt()?.to_scalar::<f64>()?;
    let x = (noise.normal((500, 8), DType::F64, &CPU)? * 3.0)?;
    let (_, grad) = net.value_and_gradient(&x, None)?;
    let steepest = grad.sqr()?.sum(1)?.sqrt()?.max(0)?.to_scalar::<f64>()?;
    assert!(steepest <= bound * (1.0 + 1e-9), "slope {steepest} above {bound}");
    let plain = Mlp::new(mlp(8, 0, 1, Activation::LeakyRelu, false), &mut Noise::new(3), DType::F64, &CPU)?;
    let free = plain.value_and_gradient(&x, None)?.1.sqr()?.sum(1)?.sqrt()?.max(0)?.to_scalar::<f64>()?;
    assert!((free - steepest).abs() > 1e-6, "normalising changed nothing");
    Ok(())
}

#[test]
fn a_level_energy_is_its_own_gradient_at_every_level() -> Result<()> {
    let mut noise = Noise::new(4);
    let energy = LevelEnergy::new(mlp(4, 3, 1, Activation::Swish, false), &mut noise, DType::F64, &CPU)?;
    let (x, context) = (noise.normal((6, 4), DType::F64, &CPU)?, noise.normal((6, 3), DType::F64, &CPU)?);
    let fixed = energy.conditioned(Some(&context), 6)?;
    for t in [0.05f64, 0.5, 1.2] {
        let level = fixed.at(t)?;
        let fast = level.evaluate(&x)?;
        let slow = by_autograd(|x| level.energy(x), &x)?;
        let error = (&fast.grad - &slow.grad)?.abs()?.flatten_all()?.max(0)?.to_scalar::<f64>()?;
        assert!(error < 1e-10, "level {t}: {error}");
        // Context part computed once, level added: the same as both together.
        let angle = Tensor::full(t, (6, 1), &CPU)?;
        let (_, whole) = energy.correction_and_gradient(&x, &angle, Some(&context))?;
        let error = (level.velocity(&x)? - whole)?.abs()?.flatten_all()?.max(0)?.to_scalar::<f64>()?;
        assert!(error < 1e-10, "level {t}: {error}");
    }
    Ok(())
}

/// Denoising score matching on one Gaussian has a closed form: for data N(0, s^2) the optimal velocity at angle t is
/// `x cos t sin t (1 - s^2) / (s^2 cos^2 t + sin^2 t)`.
#[test]
fn denoising_learns_the_scores_of_a_gaussian() -> Result<()> {
    struct Narrow;
    const STD: f64 = 0.5;
    impl Source for Narrow {
        fn batch(&self, size: usize, noise: &mut Noise) -> Result<Batch> {
            Ok(Batch { x: (noise.normal((size, 1), DType::F32, &CPU)? * STD)?, context: None, start: None })
        }
        fn validation(&self) -> Result<Option<Batch>> {
            self.batch(512, &mut Noise::new(7)).map(Some)
        }
    }
    let config = mlp(1, 0, 1, Activation::Swish, false);
    let mut objective = Denoising { energy: LevelEnergy::new(config, &mut Noise::new(5), DType::F32, &CPU)? };
    let mut config = settings(1500, 5e-3);
    config.batch = 256;
    train(&mut objective, &Narrow, &config, &Noise::new(6), None, &mut Silent)?;
    let fixed = objective.energy.conditioned(None, 5)?;
    let x: Vec<f32> = vec![-1.0, -0.4, 0.0, 0.5, 1.0];
    let points = Tensor::from_vec(x.clone(), (5, 1), &CPU)?;
    for t in [0.3f64, 0.8, 1.3] {
        let learned = fixed.at(t)?.velocity(&points)?.flatten_all()?.to_vec1::<f32>()?;
        let (c, s) = (t.cos(), t.sin());
        let slope = c * s * (1.0 - STD * STD) / (STD * STD * c * c + s * s);
        for (x, v) in x.iter().zip(learned) {
            let error = (f64::from(v) - slope * f64::from(*x)).abs();
            // A short run: within a tenth of the velocity's scale, which without learning it is not (slope 0.3 to 0.8).
            assert!(error < 0.1, "level {t}, x {x}: {v} against {}", slope * f64::from(*x));
        }
    }
    Ok(())
}

#[test]
fn contrastive_training_finds_two_blobs_with_every_form_of_the_loss() -> Result<()> {
    for form in [Form::Linear, Form::Softplus, Form::LogSumExp] {
        let network =
            MlpEnergy { net: Mlp::new(mlp(2, 0, 1, Activation::Swish, false), &mut Noise::new(8), DType::F32, &CPU)? };
        let mut objective = Contrastive::new(network, ContrastiveConfig { form, ..chains(20) }, &[2], None)?;
        train(&mut objective, &Blobs, &settings(600, 5e-3), &Noise::new(9), None, &mut Silent)?;
        let points = Tensor::new(&[[-1f32, 0.0], [1.0, 0.5], [0.0, 0.25], [0.0, 1.5], [-1.5, -1.5]], &CPU)?;
        let e = objective.network().energy(&points, None)?.to_vec1::<f32>()?;
        let worst_mode = e[0].max(e[1]);
        for (i, energy) in e.iter().enumerate().skip(2) {
            assert!(*energy > worst_mode, "{form:?}: point {i} has energy {energy}, a mode {worst_mode}; all {e:?}");
        }
    }
    Ok(())
}

/// The same trainer, objective and network on arrays of another shape: conditional 4x4 images.
#[test]
fn an_image_user_needs_nothing_new() -> Result<()> {
    let network =
        MlpEnergy { net: Mlp::new(mlp(16, 4, 1, Activation::Swish, false), &mut Noise::new(10), DType::F32, &CPU)? };
    let config = ContrastiveConfig { bounds: Some((0.0, 1.0)), ..chains(20) };
    let mut objective = Contrastive::new(network, config, &[1, 4, 4], Some(&[4]))?;
    train(&mut objective, &Rows, &settings(400, 3e-3), &Noise::new(11), None, &mut Silent)?;
    // Each class's own image has the lowest energy under its context.
    let images: Vec<f32> = (0..4).flat_map(|c| (0..16).map(move |i| if i / 4 == c { 1.0 } else { 0.0 })).collect();
    let images = Tensor::from_vec(images, (4, 1, 4, 4), &CPU)?;
    for class in 0..4 {
        let mut context = vec![0f32; 16];
        (0..4).for_each(|row| context[row * 4 + class] = 1.0);
        let context = Tensor::from_vec(context, (4, 4), &CPU)?;
        let e = Fixed { network: objective.network(), context: Some(&context) }.energy(&images)?.to_vec1::<f32>()?;
        let best = (0..4).min_by(|a, b| e[*a].total_cmp(&e[*b]));
        assert_eq!(best, Some(class), "energies {e:?}");
    }
    Ok(())
}

/// A sink that asks to stop at a step, as Ctrl-C does.
struct StopAt(u64, bool);

impl Sink for StopAt {
    fn emit(&mut self, event: &Event<'_>) -> Result<()> {
        if let Event::Step { step, .. } = event {
            self.1 = *step >= self.0;
        }
        Ok(())
    }

    fn stop_requested(&self) -> bool {
        self.1
    }
}

fn contrastive() -> Result<Contrastive<MlpEnergy>> {
    let config = mlp(2, 0, 1, Activation::LeakyRelu, true);
    let network = MlpEnergy { net: Mlp::new(config, &mut Noise::new(12), DType::F32, &CPU)? };
    Contrastive::new(network, chains(5), &[2], None)
}

fn denoising() -> Result<Denoising> {
    let config = mlp(2, 0, 1, Activation::Swish, false);
    Ok(Denoising { energy: LevelEnergy::new(config, &mut Noise::new(12), DType::F32, &CPU)? })
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
    let makers: [(&str, Make); 2] =
        [("contrastive", || Ok(Box::new(contrastive()?))), ("denoising", || Ok(Box::new(denoising()?)))];
    for (name, make) in makers {
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
            assert_eq!(again, outcome, "{name} stopped at {stop}");
            assert_eq!(weights(resumed.as_ref())?, weights(unbroken.as_ref())?, "{name} stopped at {stop}");
        }
        // A kill leaves the last periodic checkpoint: break off at 37 by an error, go on from 30.
        struct Kill(u64);
        impl Sink for Kill {
            fn emit(&mut self, event: &Event<'_>) -> Result<()> {
                match event {
                    Event::Step { step, .. } if *step == self.0 => Err(Error::Other("killed".into())),
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
fn a_loss_that_is_not_finite_is_an_error_with_its_step() -> Result<()> {
    struct Poison;
    impl Source for Poison {
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
