//! The generative networks that energies are compared with: each learns a distribution whose answer is known.

use crate::Result;
use crate::eval::metric::energy_distance;
use crate::event::Silent;
use crate::model::{
    Activation, Cvae, Generative, Generator, GruMixture, MixtureDensity, MlpConfig, NoisePath, VectorField,
};
use crate::noise::Noise;
use crate::sample::diffusion::SamplerConfig;
use crate::train::objective::GenerativeLoss;
use crate::train::{AdamConfig, Batch, BatchSource, Clip, Decay, Divergence, TrainConfig, train};
use candle_core::{DType, Device, Tensor};

/// `x` is `(c, s c) + 0.2 N(0, I)` with a random sign `s` and a context `c` of 1 or 2: two modes, the mean between
/// them.
fn draw(rows: usize, noise: &mut Noise) -> Result<(Tensor, Tensor)> {
    let context = noise.uniform((rows, 1), DType::F32, &Device::Cpu)?.affine(2.0, 0.5)?.round()?;
    let sign =
        (noise.uniform((rows, 1), DType::F32, &Device::Cpu)?.affine(2.0, -0.5)?.round()? * 2.0)?.affine(1.0, -1.0)?;
    let centre = Tensor::cat(&[&context, &(sign * &context)?], 1)?;
    let x = (centre + (noise.normal((rows, 2), DType::F32, &Device::Cpu)? * 0.2)?)?;
    Ok((x, context))
}

struct TwoModes;

impl BatchSource for TwoModes {
    fn batch(&self, size: usize, noise: &mut Noise) -> Result<Batch> {
        let (x, context) = draw(size, noise)?;
        Ok(Batch { x, context: Some(context), start: None })
    }

    fn validation(&self) -> Result<Option<Batch>> {
        Ok(Some(self.batch(512, &mut Noise::new(77))?))
    }
}

fn config(inputs: usize, context: usize) -> MlpConfig {
    MlpConfig {
        inputs,
        context,
        hidden: vec![64; 2],
        positions: None,
        outputs: 1,
        activation: Activation::Swish,
        spectral_norm: false,
    }
}

fn settings(steps: u64) -> TrainConfig {
    TrainConfig {
        steps: steps.into(),
        batch: 128,
        optimizer: AdamConfig {
            learning_rate: 3e-3,
            beta1: 0.9,
            beta2: 0.999,
            weight_decay: 0.0,
            warmup_steps: 50,
            decay: Decay::Cosine,
            clip: Clip::Norm(1.0),
            whitening: None,
        },
        average_decay: 0.99,
        validate_every: 100,
        log_every: 1000,
        checkpoint_every: u64::MAX,
        divergence: Divergence::default(),
        compact_checkpoints: false,
    }
}

/// Energy distance of draws and data, each with its context as a further coordinate.
fn distance(model: &impl Generator) -> Result<f64> {
    let (x, context) = draw(1500, &mut Noise::new(5))?;
    let (_, asked) = draw(1500, &mut Noise::new(6))?;
    let drawn = model.draw(&asked, &mut Noise::new(7))?;
    let joined =
        |x: &Tensor, c: &Tensor| Ok::<_, crate::Error>(Tensor::cat(&[x, c], 1)?.flatten_all()?.to_vec1::<f32>()?);
    let widen = |v: Vec<f32>| v.into_iter().map(f64::from).collect::<Vec<f64>>();
    energy_distance(&widen(joined(&drawn, &asked)?), &widen(joined(&x, &context)?), 3)
}

fn learns<M: Generative + Generator>(model: M, steps: u64, bound: f64) -> Result<()> {
    let mut objective = GenerativeLoss { model };
    let before = distance(&objective.model)?;
    train(&mut objective, &TwoModes, &settings(steps), &Noise::new(2), None, &mut Silent)?;
    let after = distance(&objective.model)?;
    println!("{}: {before:.4} before, {after:.5} after", objective.model.name());
    assert!(before > 10.0 * bound, "{}: {before} before", objective.model.name());
    assert!(after < bound, "{}: {after} after", objective.model.name());
    Ok(())
}

/// Two draws of 1,500 from the truth are some .001 apart; an autoencoder whose codes collapsed, a Gaussian
/// for each context, was seen to be .104 away.
#[test]
fn each_network_learns_two_modes() -> Result<()> {
    let noise = &mut Noise::new(1);
    let sampler = |levels| SamplerConfig { levels, ..SamplerConfig::default() };
    learns(VectorField::new(config(2, 1), NoisePath::Circle, sampler(10), noise)?, 1500, 0.015)?;
    learns(VectorField::new(config(2, 1), NoisePath::Line, sampler(20), noise)?, 1500, 0.015)?;
    learns(MixtureDensity::new(config(1, 0), 4, 2, noise)?, 800, 0.01)?;
    learns(Cvae::new([2, 1, 2], &[64, 64], [1.0, 0.5], noise)?, 1500, 0.05)
}

/// A random walk with steps of +-1 (in units of the delta's deviation): the recurrent mixture's draws have both steps.
#[test]
fn the_recurrent_mixture_learns_a_walk() -> Result<()> {
    struct Walk;
    impl BatchSource for Walk {
        fn batch(&self, size: usize, noise: &mut Noise) -> Result<Batch> {
            let steps = noise.uniform((size, 12, 1), DType::F32, &Device::Cpu)?.affine(2.0, -0.5)?.round()?;
            let jitter = (noise.normal((size, 12, 1), DType::F32, &Device::Cpu)? * 0.01)?;
            let frames = (steps.affine(0.2, -0.1)? + jitter)?.cumsum(1)?;
            let (context, x) = (frames.narrow(1, 0, 4)?.contiguous()?, frames.narrow(1, 4, 8)?.contiguous()?);
            Ok(Batch { x, context: Some(context), start: None })
        }

        fn validation(&self) -> Result<Option<Batch>> {
            Ok(None)
        }
    }
    let model = GruMixture::new(&[0.1], 16, 3, 0.0, &mut Noise::new(1))?;
    let mut objective = GenerativeLoss { model };
    train(&mut objective, &Walk, &settings(400), &Noise::new(2), None, &mut Silent)?;
    let net = objective.model;
    let frame = Tensor::zeros((2000, 1), DType::F32, &Device::Cpu)?;
    let state = net.step(&net.silent(2000)?, &(&frame - 0.1)?, &frame)?;
    let next = net.next(&state, &frame, &mut Noise::new(3))?.flatten_all()?.to_vec1::<f32>()?;
    let near = |centre: f32| next.iter().filter(|v| (*v - centre).abs() < 0.05).count() as f64 / 2000.0;
    let (up, down) = (near(0.1), near(-0.1));
    // Half each; a least-squares network would say 0. The standard error of a share of 2,000 is .011.
    assert!(up + down > 0.97 && (up - 0.5).abs() < 0.08, "{up} up, {down} down");
    Ok(())
}
