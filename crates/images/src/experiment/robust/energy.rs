//! An energy given the class as a classifier: the class of the lowest energy.

use super::{PurificationConfig, Victim};
use crate::experiment::ImageModel;
use crate::experiment::classifier::{in_shape, pixels};
use crate::experiment::draw::{WATCHED, show};
use crate::image::Images;
use crate::sample::Norm;
use candle_core::{DType, Device, Tensor};
use ebmotion::energy::Evaluated;
use ebmotion::event::Sink;
use ebmotion::noise::Noise;
use ebmotion::{Error, Result};

/// Classes scored at once with all images of a batch.
const BATCH: usize = 50;

/// `argmin_y E(x, y) - c_y`, `E` the mean over some noise levels and some fixed draws of noise.
///
/// An energy learned from scores is known up to a constant a class: `c_y` can be fitted on training images.
pub struct EnergyClassifier<'a> {
    model: &'a ImageModel,
    /// Noise level, and the noise that an image is seen through; none for the image as it is.
    views: Vec<(f64, Option<Tensor>)>,
    /// One a class.
    constants: Vec<f64>,
}

/// Energies of a batch for every class.
struct All {
    /// `energies[image][class]`.
    energies: Vec<Vec<f64>>,
    /// Gradient in the pixels, `(classes, B, C, H, W)`.
    gradients: Tensor,
}

impl<'a> EnergyClassifier<'a> {
    /// Judges at `levels` (angles; of an energy without levels only their number matters), through `draws` fixed draws
    /// of noise each, or at the images as they are for 0.
    ///
    /// # Errors
    /// [`Error::Data`] for an energy that is not given the class; [`Error::Config`] for no level or one out of range.
    pub fn new(model: &'a ImageModel, levels: &[f64], draws: usize, noise: &mut Noise) -> Result<Self> {
        if model.classes() < 2 {
            return Err(Error::data("classes of the energy", model.classes(), "at least 2, given to it (conditional)"));
        }
        if levels.is_empty() || levels.iter().any(|t| !(*t > 0.0 && *t < std::f64::consts::FRAC_PI_2)) {
            return Err(Error::config("levels", format!("{levels:?}"), "angles between 0 and pi / 2, at least one"));
        }
        let [c, h, w] = model.shape();
        let mut views = Vec::new();
        for t in levels {
            match draws {
                0 => views.push((*t, None)),
                _ => {
                    for _ in 0..draws {
                        views.push((*t, Some(noise.normal((1, c, h, w), DType::F32, &Device::Cpu)?)));
                    }
                }
            }
        }
        Ok(Self { model, views, constants: vec![0.0; model.classes()] })
    }

    /// The labels, in the order of the classes.
    fn labels(&self) -> &[u32] {
        &self.model.info().classes
    }

    /// The constants.
    pub fn constants(&self) -> &[f64] {
        &self.constants
    }

    /// Fits the constants to labelled images: those of the largest likelihood of the labels under `softmax(c - E)`.
    ///
    /// # Errors
    /// [`Error::Data`] for images or labels that are not the model's.
    pub fn calibrate(&mut self, images: &Images) -> Result<()> {
        self.check(images)?;
        let labels = images.known_labels()?;
        let mut energies = Vec::new();
        for first in (0..images.len()).step_by(BATCH) {
            let chosen: Vec<usize> = (first..(first + BATCH).min(images.len())).collect();
            energies.extend(self.all(&pixels(images, &chosen)?)?.energies);
        }
        let classes: Vec<usize> = labels.iter().filter_map(|l| self.class(*l)).collect();
        self.constants = fitted(&energies, &classes, self.labels().len());
        Ok(())
    }

    /// Fails where images or their labels are not the model's.
    ///
    /// # Errors
    /// [`Error::Data`].
    pub fn check(&self, images: &Images) -> Result<()> {
        in_shape(images, self.model.shape())?;
        match images.known_labels()?.iter().find(|l| self.class(**l).is_none()) {
            Some(label) => {
                let expected = format!("one of {:?}, the model's classes", self.labels());
                Err(Error::data(format!("a label of `{}`", images.name), label, expected))
            }
            None => Ok(()),
        }
    }

    fn class(&self, label: u32) -> Option<usize> {
        self.labels().iter().position(|l| *l == label)
    }

    /// Energy of each image given one label each, the mean over all views, and its gradient in the pixels.
    fn mean(&self, x: &Tensor, labels: &[Option<u32>]) -> Result<Evaluated> {
        let mut sum: Option<Evaluated> = None;
        for (t, eps) in &self.views {
            let Evaluated { energy, grad } = self.model.evaluate(x, labels, *t, eps.as_ref())?;
            sum = Some(match sum {
                None => Evaluated { energy, grad },
                Some(s) => Evaluated { energy: (s.energy + energy)?, grad: (s.grad + grad)? },
            });
        }
        let Some(sum) = sum else { return Err(Error::config("levels", 0, "at least one")) };
        let part = 1.0 / self.views.len() as f64;
        Ok(Evaluated { energy: (sum.energy * part)?, grad: (sum.grad * part)? })
    }

    fn all(&self, x: &Tensor) -> Result<All> {
        let (count, rows) = (self.labels().len(), x.dim(0)?);
        let each = Tensor::cat(&vec![x; count], 0)?;
        let labels: Vec<Option<u32>> = self.labels().iter().flat_map(|l| std::iter::repeat_n(Some(*l), rows)).collect();
        let Evaluated { energy, grad } = self.mean(&each, &labels)?;
        let flat = energy.to_dtype(DType::F64)?.to_vec1::<f64>()?;
        let energies = (0..rows).map(|b| (0..count).map(|k| flat[k * rows + b]).collect()).collect();
        Ok(All { energies, gradients: grad.reshape([&[count], x.dims()].concat())? })
    }

    fn lowest(&self, energies: &[f64]) -> u32 {
        let value = |k: &usize| energies[*k] - self.constants[*k];
        let best = (0..energies.len()).min_by(|a, b| value(a).total_cmp(&value(b)));
        best.map_or(0, |k| self.labels()[k])
    }

    /// The class of the lowest energy after purification (Du & Mordatch 2019, section 4.4): for each class a chain of
    /// Langevin dynamics in that class's energy, from the image and within `config.radius` of it; then the lowest of
    /// the energies at which they have arrived. A listener to chains is shown those of the first images.
    ///
    /// # Errors
    /// As [`ImageModel::evaluate`]; what the sink returns.
    pub fn purified(
        &self,
        x: &Tensor,
        config: &PurificationConfig,
        noise: &mut Noise,
        sink: &mut dyn Sink,
    ) -> Result<Vec<u32>> {
        let (count, rows) = (self.labels().len(), x.dim(0)?);
        let each = Tensor::cat(&vec![x; count], 0)?;
        let labels: Vec<Option<u32>> = self.labels().iter().flat_map(|l| std::iter::repeat_n(Some(*l), rows)).collect();
        // Of an image the chains of all classes side by side.
        let first =
            (0..rows.min((WATCHED / count).max(1))).flat_map(|b| (0..count).map(move |k| (k * rows + b) as u32));
        let first = Tensor::from_iter(first, &Device::Cpu)?;
        let mut tell = |step: usize, at: &Tensor, energy: &Tensor| -> Result<()> {
            if !sink.watches_chains() {
                return Ok(());
            }
            let pixels = at.index_select(&first, 0)?.flatten_all()?.to_vec1::<f32>()?;
            let images = Images::from_unit("chains", self.model.shape(), &pixels)?;
            show(step, &images, &energy.index_select(&first, 0)?, sink)
        };
        let mut at = each.clone();
        for step in 0..config.steps {
            let Evaluated { energy, grad } = self.mean(&at, &labels)?;
            tell(step, &at, &energy)?;
            // The same noise for all classes, so that their energies differ by the class alone.
            let fresh = noise.normal(x.shape(), DType::F32, &Device::Cpu)?;
            let fresh = Tensor::cat(&vec![&fresh; count], 0)?;
            let moved = ((&at - (grad * (config.step / 2.0))?)? + (fresh * config.step.sqrt())?)?;
            at = Norm::Linf.project(&moved, &each, config.radius)?;
        }
        let energy = self.mean(&at, &labels)?.energy;
        tell(config.steps, &at, &energy)?;
        let flat = energy.to_dtype(DType::F64)?.to_vec1::<f64>()?;
        let one = |b: usize| (0..count).map(|k| flat[k * rows + b]).collect::<Vec<f64>>();
        Ok((0..rows).map(|b| self.lowest(&one(b))).collect())
    }
}

impl Victim for EnergyClassifier<'_> {
    fn classify(&self, x: &Tensor) -> Result<Vec<u32>> {
        Ok(self.all(x)?.energies.iter().map(|e| self.lowest(e)).collect())
    }

    /// With `z_k = c_k - E_k`: `ln sum_(k != y) exp(z_k) - z_y`, whose gradient is that of `E_y` less those of the
    /// other classes' energies in the proportions of `exp(z_k)`.
    fn odds_against(&self, x: &Tensor, labels: &[u32]) -> Result<Evaluated> {
        let All { energies, gradients } = self.all(x)?;
        let (count, rows) = (self.labels().len(), x.dim(0)?);
        let mut weights = vec![0.0f32; count * rows];
        let mut odds = Vec::with_capacity(rows);
        for (b, (energies, label)) in energies.iter().zip(labels).enumerate() {
            let z = |k: usize| self.constants[k] - energies[k];
            let others = || (0..count).filter(|k| self.labels()[*k] != *label);
            let top = others().map(z).fold(f64::NEG_INFINITY, f64::max);
            let total: f64 = others().map(|k| (z(k) - top).exp()).sum();
            others().for_each(|k| weights[k * rows + b] = (-(z(k) - top).exp() / total) as f32);
            let own = self.class(*label).ok_or_else(|| Error::data("class", label, "one of the model's"))?;
            weights[own * rows + b] = 1.0;
            odds.push((top + total.ln() - z(own)) as f32);
        }
        let weights = Tensor::from_vec(weights, (count, rows, 1, 1, 1), &Device::Cpu)?;
        let grad = gradients.broadcast_mul(&weights)?.sum(0)?;
        Ok(Evaluated { energy: Tensor::from_vec(odds, rows, &Device::Cpu)?, grad })
    }
}

/// Rounds of [`fitted`]: far beyond what it takes for constants that differ by some nats.
const ROUNDS: usize = 500;

/// Constants for which the classes are met as often, in the mean of `softmax(c - E)`, as they are there: the largest
/// likelihood, by iterative scaling (Darroch & Ratcliff 1972). Half an image of each class is added, so that a class
/// that is missing keeps a finite constant. Their mean is 0.
fn fitted(energies: &[Vec<f64>], classes: &[usize], count: usize) -> Vec<f64> {
    let mut wanted = vec![0.5; count];
    classes.iter().for_each(|k| wanted[*k] += 1.0);
    let scale = classes.len() as f64 / wanted.iter().sum::<f64>();
    let mut constants = vec![0.0; count];
    for _ in 0..ROUNDS {
        let mut met = vec![f64::MIN_POSITIVE; count];
        for energies in energies {
            let z: Vec<f64> = energies.iter().zip(&constants).map(|(e, c)| c - e).collect();
            let top = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let total: f64 = z.iter().map(|z| (z - top).exp()).sum();
            met.iter_mut().zip(&z).for_each(|(met, z)| *met += (z - top).exp() / total);
        }
        let moved = constants.iter_mut().zip(wanted.iter().zip(&met));
        moved.for_each(|(c, (wanted, met))| *c += (wanted * scale / met).ln());
    }
    let mean = constants.iter().sum::<f64>() / count as f64;
    constants.iter_mut().for_each(|c| *c -= mean);
    constants
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Energies of two classes that differ by a known constant and by noise: the fit finds the constant.
    #[test]
    fn constants_are_found_again() {
        let noise = Noise::new(1).normal((4000, 1), DType::F64, &Device::Cpu);
        let noise: Vec<f64> = noise.and_then(|n| Ok(n.flatten_all()?.to_vec1()?)).unwrap_or_default();
        // Labels drawn from softmax(c - E) with c = (1.5, -1.5): the second class's odds are exp(-3 - (E_2 - E_1)).
        let uniforms = Noise::new(2).uniform((4000, 1), DType::F64, &Device::Cpu);
        let uniforms: Vec<f64> = uniforms.and_then(|n| Ok(n.flatten_all()?.to_vec1()?)).unwrap_or_default();
        let energies: Vec<Vec<f64>> = noise.iter().map(|n| vec![0.0, -3.0 * n]).collect();
        let classes: Vec<usize> = energies
            .iter()
            .zip(&uniforms)
            .map(|(e, uniform)| usize::from(*uniform < 1.0 / (1.0 + (3.0 + e[1] - e[0]).exp())))
            .collect();
        let found = fitted(&energies, &classes, 2);
        // Standard error of a logistic intercept at this spread: some 0.06 for the difference.
        assert!((found[0] - 1.5).abs() < 0.1 && (found[0] + found[1]).abs() < 1e-9, "{found:?}");
    }
}
