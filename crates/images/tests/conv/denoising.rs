//! Denoising of images: its gradient beside that of its loss, and chains at a level.

use super::gradients::{batch, both, compare};
use super::{largest, network};
use ebmotion::Result;
use ebmotion::energy::{Energy, by_autograd};
use ebmotion::model::{Activation, Leveled, MlpEnergy};
use ebmotion::train::objective::Denoising;
use ebmotion_images::model::ConvConfig;

#[test]
fn images_learn_by_difference_and_walk_at_their_level() -> Result<()> {
    let mut config = ConvConfig::mnist(3 + Leveled::<MlpEnergy>::FEATURES).scaled(0.1)?;
    (config.height, config.width, config.activation) = (9, 8, Activation::Swish);
    let batch = batch(&[4, 1, 9, 8], 3);
    let mut objective = Denoising::new(Leveled::over(network(config, 2)));
    let (found, truth) = both(&mut objective, &batch)?;
    let (cosine, ratio) = compare(&found, &truth);
    assert!(cosine > 0.9999 && (ratio - 1.0).abs() < 1e-3, "cosine {cosine}, ratio {ratio}");

    let level = objective.energy.at(0.4, batch.context.as_ref())?;
    let (exact, fast) = (by_autograd(|x| level.energy(x), &batch.x)?, level.evaluate(&batch.x)?);
    for (a, b) in [(&exact.energy, &fast.energy), (&exact.grad, &fast.grad)] {
        let off = largest(&(a - b)?);
        assert!(off < 1e-5 * largest(a).max(1.0), "off by {off} of {}", largest(a));
    }
    assert!(level.program(batch.x.dims())?.is_some());
    Ok(())
}
