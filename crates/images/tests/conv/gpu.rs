//! The GPU's numbers beside the CPU's. Needs the feature `cudnn` and an NVIDIA GPU:
//! `cargo test --release -p ebmotion-images --features cudnn --test conv gpu -- --ignored`.

use super::engine::configs;
use super::{CPU, examples, largest, network};
use candle_core::{Device, Tensor};
use ebmotion::Result;
use ebmotion::energy::Energy;
use ebmotion::model::Network;
use ebmotion::noise::Noise;
use ebmotion_engine::engine::cuda::{Gpu, Mode};

fn gpu() -> Result<Device> {
    Ok(Gpu::open(0)?.device())
}

/// Largest difference, relative to the largest number.
fn away(found: &Tensor, expected: &Tensor) -> Result<f32> {
    Ok(largest(&(found.to_device(&CPU)? - expected)?) / largest(expected).max(1e-3))
}

#[test]
#[ignore = "needs an NVIDIA GPU"]
fn values_and_gradients_on_a_card_are_those_of_the_cpu() -> Result<()> {
    let gpu = gpu()?;
    for (i, config) in configs().into_iter().enumerate() {
        let here = network(config.clone(), i as u64);
        let there = here.to_device(&gpu)?;
        for rows in [1, 5] {
            let (x, context) = examples(&config, rows);
            let (on, given) = (x.to_device(&gpu)?, context.as_ref().map(|c| c.to_device(&gpu)).transpose()?);
            let expected = here.evaluate(&x, context.as_ref())?;
            let found = there.on_gpu(given.as_ref(), Mode::F32)?.evaluate(&on)?;
            let off = [away(&found.energy, &expected.energy)?, away(&found.grad, &expected.grad)?];
            assert!(off.iter().all(|o| *o < 1e-3), "network {i}, {rows} images: {off:?}");
            let coefficients: Vec<f32> = (0..rows).map(|b| b as f32 - 1.5).collect();
            let mut factors = |_: &[f32]| Ok(coefficients.clone());
            let expected = here.learn(&x, context.as_ref(), &mut factors)?;
            let found = there.learn_at(&on, given.as_ref(), Mode::F32, &mut factors)?;
            for ((name, _), (found, expected)) in here.parameters().iter().zip(found.iter().zip(&expected)) {
                let off = away(found, expected)?;
                assert!(off < 2e-3, "network {i}, {rows} images, {name}: {off}");
            }
        }
    }
    Ok(())
}

#[test]
#[ignore = "needs an NVIDIA GPU"]
fn normal_numbers_on_a_card_are_those_of_the_cpu() -> Result<()> {
    let gpu = gpu()?;
    for dims in [(3, 7), (64, 3072), (1, 1)] {
        let mut noise = Noise::new(3).from_chain(5);
        let here = noise.clone().normal(dims, candle_core::DType::F32, &CPU)?;
        let there = noise.normal(dims, candle_core::DType::F32, &gpu)?;
        assert!(largest(&(there.to_device(&CPU)? - here)?) < 1e-5);
    }
    Ok(())
}
