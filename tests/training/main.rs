//! Networks, objectives and the trainer: gradients against finite differences, known densities, exact resuming, and a
//! second user whose arrays are images.

use candle_core::{DType, Device, Tensor};
use ebmotion::energy::{ConditionalEnergy, Energy, by_autograd};
use ebmotion::event::{Event, Silent, Sink};
use ebmotion::model::{Activation, Fixed, Leveled, Mlp, MlpConfig, MlpEnergy, Network, Positions};
use ebmotion::noise::Noise;
use ebmotion::train::objective::{Contrastive, ContrastiveConfig, Denoising, Form, Regression};
use ebmotion::train::{
    AdamConfig, Archive, Batch, BatchSource, CheckpointPlan, Clip, Decay, Divergence, Objective, Outcome, TrainConfig,
    Whitening, train,
};
use ebmotion::{Error, Result};
use std::path::Path;

mod contexts;
mod diverging;
mod gradients;
mod learning;
mod resuming;
#[path = "../support/stop.rs"]
mod stop;

const CPU: Device = Device::Cpu;

fn mlp(inputs: usize, context: usize, outputs: usize, activation: Activation, spectral_norm: bool) -> MlpConfig {
    MlpConfig { inputs, context, hidden: vec![24, 16], outputs, activation, positions: None, spectral_norm }
}

fn settings(steps: u64, learning_rate: f64) -> TrainConfig {
    TrainConfig {
        steps: steps.into(),
        batch: 64,
        optimizer: AdamConfig {
            learning_rate,
            beta1: 0.9,
            beta2: 0.999,
            weight_decay: 0.0,
            warmup_steps: 10,
            decay: Decay::Cosine,
            clip: Clip::Norm(10.0),
            whitening: None,
        },
        average_decay: 0.99,
        validate_every: 20,
        log_every: 10,
        checkpoint_every: 10,
        divergence: Divergence::default(),
        compact_checkpoints: false,
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

impl BatchSource for Blobs {
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

impl BatchSource for Rows {
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
