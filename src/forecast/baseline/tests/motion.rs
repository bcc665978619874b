//! What the tests of forecasters share: a small motion, and tensors as numbers.

use crate::Result;
use crate::noise::Noise;
use candle_core::{DType, Device, Tensor};

pub const CHANNELS: usize = 3;
pub const CONTEXT: usize = 4;
pub const CHUNK: usize = 5;

/// `(n, CONTEXT + CHUNK, CHANNELS)`: noisy oscillations of one frequency per channel, any phase.
pub fn oscillators(n: usize, seed: u64) -> Result<Vec<f32>> {
    let frames = CONTEXT + CHUNK;
    let phase = Noise::new(seed).uniform((n, CHANNELS), DType::F64, &Device::Cpu)?.to_vec2::<f64>()?;
    let noise = Noise::new(seed).fork(1).normal((n, frames, CHANNELS), DType::F64, &Device::Cpu)?;
    let noise = noise.flatten_all()?.to_vec1::<f64>()?;
    let value = |i: usize| {
        let (window, t, c) = (i / (frames * CHANNELS), i / CHANNELS % frames, i % CHANNELS);
        let angle = 0.2 * (c + 1) as f64 * t as f64 + std::f64::consts::TAU * phase[window][c];
        (angle.sin() + 0.05 * noise[i]) as f32
    };
    Ok((0..n * frames * CHANNELS).map(value).collect())
}

pub fn values(tensor: &Tensor) -> Result<Vec<f32>> {
    Ok(tensor.flatten_all()?.to_vec1::<f32>()?)
}
