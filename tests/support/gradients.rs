//! Gradients of denoising beside those of its loss.

use candle_core::{DType, Device, Tensor, Var};
use ebmotion::Result;
use ebmotion::model::Network;
use ebmotion::noise::Noise;
use ebmotion::train::objective::Denoising;
use ebmotion::train::{Batch, Objective};

const CPU: Device = Device::Cpu;

pub fn batch(dims: &[usize], context: usize) -> Batch {
    let mut noise = Noise::new(1);
    let x = noise.normal(dims, DType::F32, &CPU).unwrap();
    let context = noise.normal((dims[0], context), DType::F32, &CPU).unwrap();
    Batch { x, context: Some(context), start: None }
}

/// Cosine of the angle between two gradients, and the ratio of their lengths.
pub fn compare(one: &[Tensor], other: &[Tensor]) -> (f64, f64) {
    let dot = |a: &[Tensor], b: &[Tensor]| -> f64 {
        let of = |(a, b): (&Tensor, &Tensor)| (a * b).unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap();
        a.iter().zip(b).map(|p| f64::from(of(p))).sum()
    };
    (dot(one, other) / (dot(one, one) * dot(other, other)).sqrt(), (dot(one, one) / dot(other, other)).sqrt())
}

/// The objective's own gradient and that of its loss; a parameter that the loss does not depend on has none of 0.
pub fn both<N: Network>(objective: &mut Denoising<N>, batch: &Batch) -> Result<(Vec<Tensor>, Vec<Tensor>)> {
    let fast = objective.gradients(batch, &mut Noise::new(5))?.unwrap();
    let loss = objective.loss(batch, &mut Noise::new(5))?.total;
    let value = f64::from(loss.to_scalar::<f32>()?);
    assert!((fast.loss - value).abs() < 1e-4 * value, "{} beside {value}", fast.loss);
    let store = loss.backward()?;
    let exact = |(_, var): (&str, &Var)| Ok(store.get(var.as_tensor()).cloned().unwrap_or(var.zeros_like()?));
    let exact = objective.parameters().iter().map(exact).collect::<Result<_>>()?;
    Ok((fast.by_parameter.into_iter().map(Option::unwrap).collect(), exact))
}
