//! The engine beside candle's reverse-mode differentiation of the same network, in turns:
//! `cargo bench -p ebmotion --bench autograd`.

use candle_core::{DType, Device, Tensor};
use ebmotion::Result;
use ebmotion::energy::Energy;
use ebmotion::model::{Activation, Fixed, Mlp, MlpConfig, MlpEnergy, Network};
use ebmotion::noise::Noise;
use ebmotion::sample::Transition;
use ebmotion::sample::langevin::Langevin;
use std::time::Instant;

/// The network's value alone: gradients by differentiation, chains step by step.
struct Reference<'a>(&'a MlpEnergy);

impl Energy for Reference<'_> {
    fn energy(&self, x: &Tensor) -> Result<Tensor> {
        Network::energy(self.0, x, None)
    }
}

fn step_secs(energy: &dyn Energy, x: &Tensor, steps: usize) -> Result<f64> {
    let sampler = ebmotion::sample::Unadjusted(Langevin::calibrated(1e-2));
    let begin = Instant::now();
    sampler.run_from(energy, x, steps, &mut Noise::new(1))?;
    Ok(begin.elapsed().as_secs_f64() / steps as f64)
}

fn main() -> Result<()> {
    println!("| network | batch | engine [us] | autograd [us] | ratio |\n|---|---|---|---|---|");
    for dims in [&[192, 512, 512][..], &[240, 128, 128, 128]] {
        let config = MlpConfig {
            inputs: dims[0],
            context: 0,
            hidden: dims[1..].to_vec(),
            outputs: 1,
            activation: Activation::Swish,
            positions: None,
            spectral_norm: false,
        };
        let net = MlpEnergy { net: Mlp::new(config, &mut Noise::new(0), DType::F32, &Device::Cpu)? };
        let fast = Fixed { network: &net, context: None };
        for batch in [1, 16, 64, 256, 1024] {
            let x = Noise::new(2).normal((batch, dims[0]), DType::F32, &Device::Cpu)?;
            let (few, many) = if batch < 256 { (20, 2_000) } else { (5, 100) };
            let mut rounds: Vec<(f64, f64)> = Vec::new();
            for _ in 0..6 {
                rounds.push((step_secs(&fast, &x, many)?, step_secs(&Reference(&net), &x, few)?));
            }
            rounds.remove(0);
            rounds.sort_by(|a, b| (a.1 / a.0).total_cmp(&(b.1 / b.0)));
            let (engine, autograd) = rounds[rounds.len() / 2];
            let name = dims.iter().map(usize::to_string).collect::<Vec<_>>().join("-");
            println!("| {name}-1 | {batch} | {:.0} | {:.0} | {:.1} |", engine * 1e6, autograd * 1e6, autograd / engine);
        }
    }
    Ok(())
}
