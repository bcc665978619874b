//! Convolutional energies: the engine beside tensor operations, PyTorch and finite differences; counts; learning.

#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

use candle_core::{DType, Device, Tensor};
use ebmotion::model::Network;
use ebmotion::noise::Noise;
use ebmotion_images::model::{ConvConfig, ConvEnergy};

mod counts;
mod denoising;
mod engine;
mod golden;
#[cfg(feature = "cudnn")]
mod gpu;
#[path = "../../../../tests/support/gradients.rs"]
mod gradients;
mod learning;

const CPU: Device = Device::Cpu;

fn largest(t: &Tensor) -> f32 {
    t.abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar::<f32>().unwrap()
}

/// A network with all its weights drawn anew, so that nothing is near zero.
fn network(config: ConvConfig, seed: u64) -> ConvEnergy {
    let mut noise = Noise::new(seed);
    let mut net = ConvEnergy::new(config, &mut noise, DType::F32, &CPU).unwrap();
    for (name, var) in net.parameters().iter() {
        let scale = if name.ends_with("context") || name.ends_with("modulation") { 0.3 } else { 0.1 };
        let old = if name.ends_with("modulation") { var.as_detached_tensor() } else { var.zeros_like().unwrap() };
        let new = (old + (noise.normal(var.shape(), DType::F32, &CPU).unwrap() * scale).unwrap()).unwrap();
        var.set(&new).unwrap();
    }
    for _ in 0..3 {
        net.prepare().unwrap();
    }
    net
}

/// Images in `[0, 1]`, and contexts where the network has any.
fn examples(config: &ConvConfig, rows: usize) -> (Tensor, Option<Tensor>) {
    let mut noise = Noise::new(7);
    let x = noise.uniform((rows, config.channels, config.height, config.width), DType::F32, &CPU).unwrap();
    let context = (config.context > 0).then(|| noise.normal((rows, config.context), DType::F32, &CPU).unwrap());
    (x, context)
}
