//! Two energies added: the product of their densities. A prior over positions, and a wish where to be.
//!
//!     cargo run --release --example compose

use candle_core::{DType, Device, Tensor};
use ebmotion::Result;
use ebmotion::energy::analytic::Diagonal;
use ebmotion::energy::compose::{Scaled, Sum};
use ebmotion::energy::constraint::Goal;
use ebmotion::energy::coordinates::Coordinates;
use ebmotion::noise::Noise;
use ebmotion::sample::langevin::Langevin;
use ebmotion::sample::{ChainState, Metropolis, Transition};

fn main() -> Result<()> {
    let cpu = Device::Cpu;
    let prior = Diagonal::new(&[0.0, 0.0], &[1.0, 0.5])?;
    // The first coordinate should be near 3: 0.5 * (x - 3)^2, and twice as strongly.
    let goal = Goal::new(Coordinates::new(&[0])?, &Tensor::new(&[3f64], &cpu)?, 0.5)?;
    let both = Sum::new().with(prior).with(Scaled { energy: goal, factor: 2.0 });

    let mut noise = Noise::new(1);
    let mala = Metropolis(Langevin::calibrated(0.3));
    let start = noise.normal((1000, 2), DType::F64, &cpu)?;
    let end = mala.run(&both, &ChainState::start(&both, &start)?, 300, &mut noise)?;
    let mean = end.x.mean(0)?.to_vec1::<f64>()?;
    // Precisions 1 and 2 of Gaussians at 0 and 3: the product's mean is 2.
    println!("mean ({:.2}, {:.2}), expected (2, 0)", mean[0], mean[1]);
    assert!((mean[0] - 2.0).abs() < 0.1 && mean[1].abs() < 0.1);
    Ok(())
}
