//! Inception score (Salimans et al. 2016, "Improved techniques for training GANs", section 4): how surely a network tells the
//! class of each image, and how evenly the classes are met.

use super::features::Features;
use super::fid::some;
use super::journal::Journal;
use crate::image::Images;
use candle_core::{DType, Tensor};
use ebmotion::event::Sink;
use ebmotion::noise::Noise;
use ebmotion::{Error, Result};
use serde::{Deserialize, Serialize};

/// Settings of the experiment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InceptionScoreConfig {
    /// Seed of the images' order, hence of the parts.
    pub seed: u64,
    /// At most so many images of each set, drawn without repetition; 0 for all.
    pub images: usize,
    /// Parts of equal size, each with a score of its own; what does not fill one up is left out.
    pub splits: usize,
}

impl Default for InceptionScoreConfig {
    fn default() -> Self {
        Self { seed: 0, images: 0, splits: 10 }
    }
}

/// A set's score.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Score {
    /// Mean over the parts, from 1 to the number of classes.
    pub mean: f64,
    /// Standard deviation over the parts (divisor: their number).
    pub std: f64,
    /// Images in all parts.
    pub images: usize,
}

/// What was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct InceptionFigures {
    /// What the score is called: `Inception score` with Inception-v3's weights alone.
    pub name: &'static str,
    /// The network.
    pub network: &'static str,
    /// Number of its classes.
    pub classes: usize,
    /// The samples' score.
    pub samples: Score,
    /// That of real images.
    pub reference: Score,
}

/// Scores `samples`, and real images beside them.
///
/// # Errors
/// [`Error::Config`] for no part, [`Error::Data`] for fewer images than parts or images that do not fit the network;
/// [`Error::Interrupted`] when the sink asks to stop; as [`Journal::begin`] for what was kept.
pub fn run(
    network: &Features,
    reference: &Images,
    samples: &Images,
    config: &InceptionScoreConfig,
    journal: &Journal,
    sink: &mut dyn Sink,
) -> Result<InceptionFigures> {
    if config.splits == 0 {
        return Err(Error::config("splits", 0, "at least 1"));
    }
    let noise = Noise::new(config.seed);
    let mut classes = 0;
    let mut one = |images: &Images, name: &str| -> Result<Score> {
        let images = some(images, config.images, &mut noise.named(name))?;
        if images.len() < config.splits {
            let expected = format!("at least {}, one for each of the parts", config.splits);
            return Err(Error::data(format!("images of `{}`", images.name), images.len(), expected));
        }
        let logits = network.logits(&images, &journal.within(name), sink)?;
        classes = logits.dim(1)?;
        score(&logits, config.splits)
    };
    let (samples, reference) = (one(samples, "samples")?, one(reference, "reference")?);
    let name = match network {
        Features::Inception(_) => "Inception score",
        Features::Classifier(_) => "classifier score",
    };
    Ok(InceptionFigures { name, network: network.name(), classes, samples, reference })
}

/// `exp(mean_x KL(p(y | x), p(y)))` of each of `splits` parts of logits `(N, K)`, `p(y)` the part's own mean.
fn score(logits: &Tensor, splits: usize) -> Result<Score> {
    let rows = logits.to_dtype(DType::F64)?.to_vec2::<f64>()?;
    let logs: Vec<Vec<f64>> = rows.iter().map(|row| log_softmax(row)).collect();
    let size = logs.len() / splits;
    let scores: Vec<f64> = logs.chunks_exact(size).take(splits).map(of_part).collect();
    let count = scores.len() as f64;
    let mean = scores.iter().sum::<f64>() / count;
    let std = (scores.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / count).sqrt();
    Ok(Score { mean, std, images: size * splits })
}

fn log_softmax(row: &[f64]) -> Vec<f64> {
    let top = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let total = top + row.iter().map(|v| (v - top).exp()).sum::<f64>().ln();
    row.iter().map(|v| v - total).collect()
}

fn of_part(logs: &[Vec<f64>]) -> f64 {
    let count = logs.len() as f64;
    let classes = logs.first().map_or(0, Vec::len);
    let mean: Vec<f64> = (0..classes).map(|k| logs.iter().map(|l| l[k].exp()).sum::<f64>() / count).collect();
    let one = |log: &Vec<f64>| log.iter().zip(&mean).map(|(l, m)| term(*l, *m)).sum::<f64>();
    (logs.iter().map(one).sum::<f64>() / count).exp()
}

/// `p (ln p - ln m)`, 0 for a probability that is too small to be told from 0.
fn term(log: f64, mean: f64) -> f64 {
    let p = log.exp();
    if p > 0.0 { p * (log - mean.ln()) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn sure_and_even_is_the_number_of_classes_and_unsure_is_one() -> Result<()> {
        let sure: Vec<f32> = (0..80).flat_map(|i| (0..4).map(move |k| if i % 4 == k { 1000.0 } else { 0.0 })).collect();
        let found = score(&Tensor::from_vec(sure, (80, 4), &Device::Cpu)?, 10)?;
        assert!((found.mean - 4.0).abs() < 1e-12 && found.std < 1e-12 && found.images == 80, "{found:?}");
        let found = score(&Tensor::zeros((25, 4), DType::F32, &Device::Cpu)?, 10)?;
        assert!((found.mean - 1.0).abs() < 1e-12 && found.images == 20, "{found:?}");
        // Three to one for either class, one half in the mean.
        let half = Tensor::new(&[[3f64.ln(), 0.0], [0.0, 3f64.ln()]], &Device::Cpu)?;
        let expected = (0.75 * 1.5f64.ln() + 0.25 * 0.5f64.ln()).exp();
        assert!((score(&half, 1)?.mean - expected).abs() < 1e-12);
        Ok(())
    }
}
