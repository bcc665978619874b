//! An energy of one's own, sampled by HMC: a ring of radius 2 in the plane.
//!
//!     cargo run --release --example custom_energy

use candle_core::{DType, Device, Tensor};
use ebmotion::Result;
use ebmotion::energy::Energy;
use ebmotion::noise::Noise;
use ebmotion::sample::hmc::Leapfrog;
use ebmotion::sample::{ChainState, Metropolis, Transition};

/// `E(x) = (|x| - radius)^2 / (2 width^2)`. The gradient comes from autograd until somebody needs it faster.
struct Ring {
    radius: f64,
    width: f64,
}

impl Energy for Ring {
    fn energy(&self, x: &Tensor) -> Result<Tensor> {
        let radius = x.sqr()?.sum(1)?.sqrt()?;
        Ok(((radius - self.radius)?.sqr()? * (0.5 / (self.width * self.width)))?)
    }
}

fn main() -> Result<()> {
    let ring = Ring { radius: 2.0, width: 0.1 };
    let mut noise = Noise::new(7);
    let hmc = Metropolis(Leapfrog { step: 0.1, leapfrogs: 10, jitter: 0.1 });
    let start = noise.normal((256, 2), DType::F64, &Device::Cpu)?; // 256 chains
    let end = hmc.run(&ring, &ChainState::start(&ring, &start)?, 200, &mut noise)?;
    let radius = end.x.sqr()?.sum(1)?.sqrt()?.to_vec1::<f64>()?;
    let mean = radius.iter().sum::<f64>() / radius.len() as f64;
    let std = (radius.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / radius.len() as f64).sqrt();
    println!("mean radius {mean:.3} (about 2), spread {std:.3} (about 0.1)");
    assert!((mean - 2.0).abs() < 0.05 && (std - 0.1).abs() < 0.03);
    Ok(())
}
