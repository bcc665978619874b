//! Learning images: contrastive gradients, and classes drawn from an energy that denoising has learned.

use super::{CPU, examples, largest, network};
use candle_core::{DType, Tensor};
use ebmotion::Result;
use ebmotion::event::Silent;
use ebmotion::model::{Activation, Network};
use ebmotion::noise::Noise;
use ebmotion::train::objective::{
    Contrastive, ContrastiveConfig, Denoising, Form, ImprovedConfig, ImprovedContrastive, Recovery, RecoveryConfig,
    Spacing,
};
use ebmotion::train::{AdamConfig, Batch, BatchSource, Clip, Decay, Divergence, Objective, TrainConfig, train};
use ebmotion_images::model::{ConvConfig, ConvEnergy, StageConfig, convolutional};
use ebmotion_images::objective::{EnergyMatching, EnergyMatchingConfig};

/// The paper's chains, fewer steps of them.
fn chains(form: Form) -> ContrastiveConfig {
    ContrastiveConfig {
        form,
        energy_l2: 0.1,
        steps: 3,
        step_size: 10.0,
        noise: 0.005,
        gradient_clip: Some(0.01),
        bounds: Some((0.0, 1.0)),
        replay: 50,
        fresh: 0.5,
    }
}

#[test]
fn contrastive_gradients_by_the_engine_are_those_of_the_loss() -> Result<()> {
    let mut config = ConvConfig::cifar10_conditional(3).scaled(0.06)?;
    (config.height, config.width) = (8, 8);
    let (x, context) = examples(&config, 6);
    let start = Noise::new(9).uniform(x.shape(), DType::F32, &CPU)?;
    let batch = Batch { x, context, start: Some(start) };
    let mut one = Contrastive::new(network(config, 1), chains(Form::Softplus), &[3, 8, 8], Some(&[3]))?;
    let mut two = one.clone();
    let loss = one.loss(&batch, &mut Noise::new(3))?;
    let fast = two.gradients(&batch, &mut Noise::new(3))?.unwrap();
    assert!((f64::from(loss.total.to_scalar::<f32>()?) - fast.loss).abs() < 1e-5);
    let store = loss.total.backward()?;
    for ((name, var), found) in one.parameters().iter().zip(&fast.by_parameter) {
        let (exact, found) = (store.get(var.as_tensor()).unwrap(), found.as_ref().unwrap());
        let off = largest(&(exact - found)?);
        assert!(off < 3e-5 * largest(exact).max(0.1), "{name}: off by {off} of {}", largest(exact));
    }
    Ok(())
}

/// Losses of the input gradient, differentiated through its graph and as differences of energies. The latter's own
/// error is of second order in the distance of the points, on networks that are smooth.
#[test]
fn gradients_of_gradients_by_the_engine_are_those_of_the_loss() -> Result<()> {
    let config = ConvConfig { activation: Activation::Swish, spectral_norm: false, ..ConvConfig::mnist(3) };
    let config = ConvConfig { height: 8, width: 8, ..config.scaled(0.1)? };
    let (x, context) = examples(&config, 6);
    let start = Noise::new(9).uniform(x.shape(), DType::F32, &CPU)?;
    let batch = Batch { x, context, start: Some(start) };
    let settings = ImprovedConfig { contrastive: chains(Form::Linear), energy: 30.0, entropy: 1.0 };
    let improved = ImprovedContrastive::new(network(config.clone(), 1), settings, &[1, 8, 8], Some(&[3]))?;
    let settings = EnergyMatchingConfig { warmup: 1, steps: 4, ..Default::default() };
    let matching = EnergyMatching::new(network(config.clone(), 1), settings)?;
    let settings = RecoveryConfig { spacing: Spacing::Geometric, steps: 3, ..Default::default() };
    let energy = convolutional(config, &mut Noise::new(1), DType::F32, &CPU)?;
    let recovery = Recovery::new(energy, settings)?;
    let mut pairs: [[Box<dyn Objective>; 2]; 3] = [
        [Box::new(improved.clone()), Box::new(improved)],
        [Box::new(matching.clone()), Box::new(matching)],
        [Box::new(recovery.clone()), Box::new(recovery)],
    ];
    for [one, two] in &mut pairs {
        for step in 0..2 {
            let name = format!("{}, step {step}", one.name());
            let loss = one.loss(&batch, &mut Noise::new(3))?;
            let fast = two.gradients(&batch, &mut Noise::new(3))?.unwrap();
            let value = f64::from(loss.total.to_scalar::<f32>()?);
            assert!((value - fast.loss).abs() < 1e-4 * (1.0 + value.abs()), "{name}: {value} and {}", fast.loss);
            for ((a, x), (b, y)) in loss.figures.iter().zip(&fast.figures) {
                assert!(a == b && (x - y).abs() < 1e-4 * (1.0 + x.abs()), "{name}, {a}: {x} and {y}");
            }
            let store = loss.total.backward()?;
            for ((weight, var), found) in one.parameters().iter().zip(&fast.by_parameter) {
                // A part of the loss that knows the energy up to a constant does not see the last bias.
                let exact = store.get(var.as_tensor()).cloned().map_or_else(|| var.zeros_like(), Ok)?;
                let off = largest(&(&exact - found.as_ref().unwrap())?);
                assert!(off < 3e-3 * largest(&exact).max(0.01), "{name}, {weight}: {off} of {}", largest(&exact));
            }
        }
        let states = [one.state()?, two.state()?];
        for ((name, a), (_, b)) in states[0].iter().zip(&states[1]) {
            let (a, b) = (a.to_dtype(DType::F32)?, b.to_dtype(DType::F32)?);
            assert!(largest(&(a - b)?) < 1e-4, "{name}: both remember the same");
        }
    }
    Ok(())
}

#[test]
fn a_copy_and_a_restored_network_have_the_same_energy() -> Result<()> {
    let config = ConvConfig::mnist(4).scaled(0.1)?;
    let net = network(config.clone(), 2);
    let (x, context) = examples(&config, 2);
    let energy = |net: &ConvEnergy| -> Result<Vec<f32>> { Ok(net.evaluate(&x, context.as_ref())?.energy.to_vec1()?) };
    assert_eq!(energy(&net)?, energy(&net.to_device(&CPU)?)?);
    let mut fresh = ConvEnergy::new(config, &mut Noise::new(5), DType::F32, &CPU)?;
    fresh.parameters().set_values(&net.parameters().values()?)?;
    assert_ne!(energy(&net)?, energy(&fresh)?, "the vectors of the spectral norms are part of the energy");
    let state = net.state();
    fresh.restore(&|name| Ok(state.iter().find(|(n, _)| n == name).unwrap().1.clone()))?;
    assert_eq!(energy(&net)?, energy(&fresh)?);
    Ok(())
}

/// 8 x 8 images, standardised: class 0 has a bright upper half, class 1 a bright left half; a little noise.
struct Halves;

impl BatchSource for Halves {
    fn batch(&self, size: usize, noise: &mut Noise) -> Result<Batch> {
        let classes = noise.indices(size, 2);
        let mut pixels = Vec::with_capacity(size * 64);
        for class in &classes {
            pixels.extend((0..64).map(|i| if [i / 8, i % 8][*class] < 4 { 1f32 } else { -1.0 }));
        }
        let x = (Tensor::from_vec(pixels, (size, 1, 8, 8), &CPU)?
            + (noise.normal((size, 1, 8, 8), DType::F32, &CPU)? * 0.2)?)?;
        let context: Vec<f32> =
            classes.iter().flat_map(|c| [f32::from(u8::from(*c == 0)), f32::from(u8::from(*c == 1))]).collect();
        Ok(Batch { x, context: Some(Tensor::from_vec(context, (size, 2), &CPU)?), start: None })
    }

    fn validation(&self) -> Result<Option<Batch>> {
        Ok(None)
    }
}

/// Conditional draws by the sampler of the default model: from noise down the levels, `x -= dt grad g`.
#[test]
fn classes_are_drawn_from_what_denoising_has_learned() -> Result<()> {
    let conv = |width, kernel, stride| StageConfig::Conv { width, kernel, stride, conditional: true };
    let config = ConvConfig {
        channels: 1,
        height: 8,
        width: 8,
        context: 2,
        stages: vec![conv(16, 3, 1), conv(32, 4, 2), conv(32, 4, 2)],
        dense: Some(32),
        activation: Activation::Swish,
        spectral_norm: false,
    };
    let energy = convolutional(config, &mut Noise::new(1), DType::F32, &CPU)?;
    let mut objective = Denoising::new(energy);
    let settings = TrainConfig {
        steps: 300.into(),
        batch: 32,
        optimizer: AdamConfig {
            learning_rate: 3e-3,
            beta1: 0.9,
            beta2: 0.99,
            weight_decay: 0.0,
            warmup_steps: 20,
            decay: Decay::Cosine,
            clip: Clip::Norm(5.0),
            whitening: None,
        },
        average_decay: 0.9,
        validate_every: 100,
        log_every: 100,
        checkpoint_every: 1000,
        divergence: Divergence::default(),
        compact_checkpoints: false,
    };
    let judged = Halves.batch(64, &mut Noise::new(8))?;
    let before = objective.validate(&judged, &mut Noise::new(9))?;
    train(&mut objective, &Halves, &settings, &Noise::new(2), None, &mut Silent)?;
    let after = objective.validate(&judged, &mut Noise::new(9))?;
    // The velocity has variance 1. What cannot be known of it is its part along the noise of the data, and the noise at
    // angles where neither shows: below a third.
    assert!(before > 0.9 && after < 0.33, "{after} after {before}");

    let rows = 20;
    for class in 0..2 {
        let context =
            Tensor::from_vec((0..2 * rows).map(|i| f32::from(u8::from(i % 2 == class))).collect(), (rows, 2), &CPU)?;
        let mut x = Noise::new(4).normal((rows, 1, 8, 8), DType::F32, &CPU)?;
        let (first, last, steps) = (1.54, 0.05, 8);
        let dt = (first - last) / steps as f64;
        for step in 0..steps {
            let level = objective.energy.at(first - dt * step as f64, Some(&context))?;
            x = (&x - (level.velocity(&x)? * dt)?)?;
        }
        let pixels = x.mean(0)?.flatten_all()?.to_vec1::<f32>()?;
        let mean = |bright: bool| {
            let of = |i: &usize| ([i / 8, i % 8][class] < 4) == bright;
            (0..64).filter(of).map(|i| pixels[i]).sum::<f32>() / 32.0
        };
        // Exact draws: 1 and -1, each with an error of 0.2 / sqrt(640).
        let (bright, dark) = (mean(true), mean(false));
        assert!((bright - 1.0).abs() < 0.2 && (dark + 1.0).abs() < 0.2, "class {class}: {bright} and {dark}");
    }
    Ok(())
}
