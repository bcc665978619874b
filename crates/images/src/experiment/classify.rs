//! Classes by energy: an image belongs to the class that gives it the lowest energy.

use super::model::{ImageModel, Learned};
use crate::image::Images;
use candle_core::{DType, Device, Tensor};
use ebmotion::noise::Noise;
use ebmotion::{Error, Result};

/// Images evaluated together.
const TILE: usize = 250;

/// Noise levels at which an image's energies are taken. Their sum over the levels is compared; each level takes the same
/// noise for all classes.
#[derive(Debug, Clone, PartialEq)]
pub struct NoiseProbe {
    /// Angles, at least one. An energy without levels takes no notice of them.
    pub levels: Vec<f64>,
    /// Noises at each level, at least 1.
    pub draws: usize,
}

impl Default for NoiseProbe {
    fn default() -> Self {
        Self { levels: vec![0.4, 0.7, 1.0], draws: 1 }
    }
}

/// Energies of standardised images `x` `(B, C, H, W)` given each class, `(B, classes)`, summed over levels and noises.
///
/// # Errors
/// [`Error::Data`] for a model that is not given the class; as [`ImageModel::evaluate_at`].
pub fn energies(model: &ImageModel, x: &Tensor, probe: &NoiseProbe, noise: &mut Noise) -> Result<Tensor> {
    if model.classes() == 0 {
        return Err(Error::data("classes of the model", 0, "an energy that is given the class"));
    }
    let points = match model.learned() {
        Learned::Single(_) => vec![(x.clone(), 1.0)],
        Learned::Levels(_) => {
            let mut points = Vec::new();
            for &t in probe.levels.iter().flat_map(|t| std::iter::repeat_n(t, probe.draws)) {
                let eps = noise.normal(x.dims(), DType::F32, &Device::Cpu)?;
                points.push((((x * t.cos())? + (eps * t.sin())?)?, t));
            }
            points
        }
    };
    let rows = x.dim(0)?;
    let mut columns = Vec::new();
    for class in &model.info().classes {
        let labels = vec![Some(*class); rows];
        let mut sum = Tensor::zeros(rows, DType::F32, &Device::Cpu)?;
        for (at, t) in &points {
            sum = (sum + model.evaluate_at(at, &labels, *t)?.energy)?;
        }
        columns.push(sum);
    }
    Ok(Tensor::stack(&columns, 1)?)
}

/// The class of lowest energy of images `indices`, as labels.
///
/// # Errors
/// As [`energies`].
pub fn classify(
    model: &ImageModel,
    images: &Images,
    indices: &[usize],
    probe: &NoiseProbe,
    noise: &Noise,
) -> Result<Vec<u32>> {
    let mut found = Vec::with_capacity(indices.len());
    for (tile, chunk) in indices.chunks(TILE).enumerate() {
        let x = model.standardised(images, chunk)?;
        let energies = energies(model, &x, probe, &mut noise.from_chain((tile * TILE) as u64))?;
        let best = energies.argmin(1)?.to_vec1::<u32>()?;
        found.extend(best.iter().map(|k| model.info().classes[*k as usize]));
    }
    Ok(found)
}

/// Share of images `indices` whose class of lowest energy is their label.
///
/// # Errors
/// As [`energies`]; [`Error::Data`] for images without labels.
pub fn accuracy(
    model: &ImageModel,
    images: &Images,
    indices: &[usize],
    probe: &NoiseProbe,
    noise: &Noise,
) -> Result<f64> {
    let labels = images.known_labels()?;
    let found = classify(model, images, indices, probe, noise)?;
    let right = indices.iter().zip(&found).filter(|(i, class)| labels[**i] == **class).count();
    Ok(right as f64 / indices.len() as f64)
}
