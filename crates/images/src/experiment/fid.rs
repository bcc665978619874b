//! Fréchet distance of two sets of images in a network's features (Heusel et al. 2017, "GANs trained by a two
//! time-scale update rule converge to a local Nash equilibrium", eq. 6): that of Gaussians with the sets' means and
//! covariances.

use super::features::Features;
use super::journal::Journal;
use crate::image::Images;
use candle_core::{DType, Tensor};
use ebmotion::eval::metric::frechet_distance;
use ebmotion::event::Sink;
use ebmotion::noise::Noise;
use ebmotion::{Error, Result};
use serde::{Deserialize, Serialize};

/// Settings of the experiment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FidConfig {
    /// Seed of the choice of images and of the halves.
    pub seed: u64,
    /// At most so many images of each set, drawn without repetition; 0 for all.
    pub images: usize,
}

/// What was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FidFigures {
    /// What `distance` is called: `FID` with Inception-v3's weights alone.
    pub name: &'static str,
    /// The network.
    pub network: &'static str,
    /// Squared Fréchet distance of samples and reference.
    pub distance: f64,
    /// The same of one half of the reference and the other: what no samples can be expected to fall below.
    pub floor: f64,
    /// Numbers of a feature.
    pub features: usize,
    /// Images of the reference, and samples.
    pub images: [usize; 2],
    /// What makes the figures less than they seem.
    pub warnings: Vec<String>,
}

/// Compares `samples` with `reference`.
///
/// # Errors
/// [`Error::Data`] for images that do not fit the network, fewer than 2 samples or fewer than 4 images of reference;
/// [`Error::Interrupted`] when the sink asks to stop; as [`Journal::begin`] for what was kept.
pub fn run(
    network: &Features,
    reference: &Images,
    samples: &Images,
    config: &FidConfig,
    journal: &Journal,
    sink: &mut dyn Sink,
) -> Result<FidFigures> {
    let noise = Noise::new(config.seed);
    let reference = some(reference, config.images, &mut noise.named("reference"))?;
    let samples = some(samples, config.images, &mut noise.named("samples"))?;
    for (images, least) in [(&reference, 4), (&samples, 2)] {
        if images.len() < least {
            return Err(Error::data(format!("images of `{}`", images.name), images.len(), format!("at least {least}")));
        }
    }
    let real = network.features(&reference, &journal.within("reference"), sink)?;
    let made = network.features(&samples, &journal.within("samples"), sink)?;
    let distance = between(&real, &made)?;
    // They stand in random order.
    let half = real.dim(0)? / 2;
    let floor = between(&real.narrow(0, 0, half)?, &real.narrow(0, half, half)?)?;
    let (features, images) = (real.dim(1)?, [real.dim(0)?, made.dim(0)?]);
    let mut warnings = Vec::new();
    for (of, count) in [("reference", images[0]), ("samples", images[1]), ("each half of the reference", half)] {
        if count <= features {
            warnings.push(format!(
                "{of}: {count} images for {features} features, so the covariance has not full rank and the figure \
                    hangs on the number of images"
            ));
        }
    }
    if matches!(network, Features::Inception(net) if !net.of_published_distances()) {
        warnings.push("published distances are measured with other weights (pytorch-fid's)".into());
    }
    let name = match network {
        Features::Inception(_) => "FID",
        Features::Classifier(_) => "Fréchet distance of classifier features",
    };
    Ok(FidFigures { name, network: network.name(), distance, floor, features, images, warnings })
}

/// At most `most` images in random order; all for 0.
pub(super) fn some(images: &Images, most: usize, noise: &mut Noise) -> Result<Images> {
    let order = noise.permutation(images.len());
    let count = if most == 0 { order.len() } else { most.min(order.len()) };
    images.select(&order[..count])
}

fn between(one: &Tensor, two: &Tensor) -> Result<f64> {
    let ((mean1, covariance1), (mean2, covariance2)) = (gaussian(one)?, gaussian(two)?);
    frechet_distance(&mean1, &covariance1, &mean2, &covariance2)
}

/// Mean `(F,)` and covariance `(F, F)` (divisor N - 1) of features `(N, F)`, in f64.
fn gaussian(features: &Tensor) -> Result<(Vec<f64>, Vec<f64>)> {
    let x = features.to_dtype(DType::F64)?;
    let mean = x.mean_keepdim(0)?;
    let centred = x.broadcast_sub(&mean)?;
    let covariance = (centred.t()?.contiguous()?.matmul(&centred)? / (x.dim(0)? as f64 - 1.0))?;
    Ok((mean.flatten_all()?.to_vec1()?, covariance.flatten_all()?.to_vec1()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Classifier, ClassifierConfig};
    use candle_core::Device;
    use ebmotion::event::Silent;

    /// Means 0 and (3, 4), both covariances the unit matrix but for sampling errors of order `1 / sqrt(N)`.
    #[test]
    fn two_clouds_are_as_far_apart_as_their_means() -> Result<()> {
        let mut noise = Noise::new(1);
        let one = noise.normal((20_000, 2), DType::F64, &Device::Cpu)?;
        let two = noise.normal((20_000, 2), DType::F64, &Device::Cpu)?;
        let two = two.broadcast_add(&Tensor::new(&[3.0, 4.0], &Device::Cpu)?)?;
        let (mean, covariance) = gaussian(&two)?;
        assert!((mean[0] - 3.0).abs() < 0.03 && (covariance[0] - 1.0).abs() < 0.04 && covariance[1].abs() < 0.03);
        assert!((between(&one, &two)? - 25.0).abs() < 0.3);
        assert!(between(&one, &one)? < 1e-9);
        Ok(())
    }

    #[test]
    fn a_set_is_nearer_to_itself_than_to_its_negative_and_names_say_what_was_measured() -> Result<()> {
        let shape =
            ClassifierConfig { channels: 1, height: 6, width: 6, classes: 2, convolutions: vec![[4, 3]], dense: 8 };
        let network = Features::Classifier(Box::new(Classifier::new(shape, &mut Noise::new(1), DType::F32)?));
        let pixels: Vec<u8> = (0..40 * 36).map(|i| ((i * i) % 97) as u8).collect();
        let negative: Vec<u8> = pixels.iter().map(|v| 255 - v).collect();
        let [one, two] = [("one", pixels), ("two", negative)].map(|(name, p)| Images::new(name, [1, 6, 6], p, None));
        let (one, two) = (one?, two?);
        let config = FidConfig::default();
        let same = run(&network, &one, &one, &config, &Journal::none(), &mut Silent)?;
        assert!(same.distance < 1e-6 && same.floor > same.distance && same.warnings.is_empty(), "{same:?}");
        assert!(run(&network, &one, &two, &config, &Journal::none(), &mut Silent)?.distance > 10.0 * same.floor);
        assert_eq!((same.name, same.features, same.images), ("Fréchet distance of classifier features", 8, [40, 40]));
        let few = run(&network, &one, &two, &FidConfig { images: 8, ..config.clone() }, &Journal::none(), &mut Silent)?;
        assert_eq!((few.images, few.warnings.len()), ([8, 8], 3));
        assert!(run(&network, &one, &two, &FidConfig { images: 1, ..config }, &Journal::none(), &mut Silent).is_err());
        Ok(())
    }
}
