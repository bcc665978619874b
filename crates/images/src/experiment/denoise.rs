//! Taking salt and pepper out of images: chains that start at the damaged images with little noise (Du & Mordatch 2019,
//! section 4.2).

use super::draw::image_sampler;
use super::journal::Journal;
use super::model::ImageModel;
use super::restore::{RestorationError, Sample, Task, chains, errors, mean, side_by_side};
use crate::image::Images;
use crate::image::corrupt;
use ebmotion::Result;
use ebmotion::event::Sink;
use ebmotion::noise::Noise;
use ebmotion::sample::diffusion::SamplerConfig;
use serde::{Deserialize, Serialize};

/// Settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DenoiseConfig {
    /// Seed of the damage and the chains.
    pub seed: u64,
    /// Share of the places that become salt, and as many pepper.
    pub share: f64,
    /// Angles of the noise at which chains may start, the energy's own noise laid over the damage: the one with the least
    /// error on images of the training part is taken for both parts.
    pub starts: Vec<f64>,
    /// Images of each part, evenly spread over it.
    pub count: usize,
    /// Chains an image; their mean is one of the answers.
    pub samples: usize,
    /// The energy is given the image's class, where it can be.
    pub conditional: bool,
    /// How images are drawn.
    pub sampler: SamplerConfig,
    /// Images shown of the test part.
    pub shown: usize,
}

impl Default for DenoiseConfig {
    fn default() -> Self {
        let sampler = SamplerConfig { levels: 20, ..image_sampler() };
        let starts = vec![0.6, 0.8, 1.0];
        Self { seed: 0, share: 0.05, starts, count: 200, samples: 4, conditional: false, sampler, shown: 12 }
    }
}

/// What was found.
#[derive(Debug, Serialize)]
pub struct Denoised {
    /// The angle that was taken.
    pub start: f64,
    /// Errors of the mean of all chains on the training images by angle.
    pub by_start: Vec<(f64, f64)>,
    /// Errors of both parts.
    pub table: Vec<RestorationError>,
}

/// Mends images of each part. The picture's columns: damaged, a chain, the mean of all chains, the median filter, the truth.
///
/// # Errors
/// [`ebmotion::Error::Data`] for images that the model does not take; as [`super::draw`]; [`ebmotion::Error::Interrupted`] when the sink
/// asks to stop; as [`Journal::begin`] for what was kept.
pub fn run(
    model: &ImageModel,
    train: &Images,
    test: &Images,
    config: &DenoiseConfig,
    journal: &Journal,
    sink: &mut dyn Sink,
) -> Result<(Denoised, Images)> {
    let noise = Noise::new(config.seed);
    let all_pixels = vec![true; train.size()];
    let samples = Sample::both(model, [train, test], config.count, config.conditional, &noise)?;
    let damage = |sample: &Sample| -> Result<Vec<f32>> {
        let mut damaged = sample.truth.clone();
        corrupt::salt_and_pepper(&mut damaged, model.shape(), config.share, &mut sample.noise.fork(0))?;
        Ok(damaged)
    };
    let mut mend = |sample: &Sample, damaged: &[f32], from: f64| {
        let task = Task { damaged, labels: &sample.labels, from: Some(from), known: None };
        let journal = journal.within(&format!("{} from {from}", sample.part));
        chains(model, &task, config.samples, &config.sampler, &sample.noise.fork(1), &journal, sink)
    };
    let [first, second] = &samples;
    let damaged = damage(first)?;
    let mut tried = Vec::new();
    for from in &config.starts {
        let all = mend(first, &damaged, *from)?;
        let found = errors(&mean(&all), &first.truth, &all_pixels);
        tried.push((*from, found.iter().sum::<f64>() / found.len() as f64, all));
    }
    let by_start = tried.iter().map(|(from, error, _)| (*from, *error)).collect();
    let best = tried.into_iter().min_by(|a, b| a.1.total_cmp(&b.1));
    let (start, _, all) = best.ok_or_else(|| ebmotion::Error::config("starts", "none", "at least one angle"))?;
    let mut table = Vec::new();
    let mut judge = |sample: &Sample, damaged: Vec<f32>, mut all: Vec<Vec<f32>>| -> Result<[Vec<f32>; 4]> {
        let (mean, median) = (mean(&all), median(&damaged, model.shape()));
        let mut add = |way: &str, found: &[f32]| {
            table.push(RestorationError::new(sample.part, way, &errors(found, &sample.truth, &all_pixels)));
        };
        add("damaged", &damaged);
        add("ebm, one chain", &all[0]);
        add(&format!("ebm, mean of {}", config.samples), &mean);
        add("median of 3 x 3", &median);
        Ok([damaged, all.swap_remove(0), mean, median])
    };
    judge(first, damaged, all)?;
    let damaged = damage(second)?;
    let all = mend(second, &damaged, start)?;
    let [damaged, one, mean, median] = judge(second, damaged, all)?;
    let sets: [&[f32]; 5] = [&damaged, &one, &mean, &median, &second.truth];
    let picture = side_by_side("denoise", model.shape(), &sets, config.shown.min(second.labels.len()))?;
    Ok((Denoised { start, by_start, table }, picture))
}

/// Each pixel the median of the 3 x 3 around it, of what lies inside the image: what one would do without a model.
fn median(pixels: &[f32], [_, height, width]: [usize; 3]) -> Vec<f32> {
    let plane = |plane: &[f32]| -> Vec<f32> {
        let at = |i: usize| {
            let (y, x) = (i / width, i % width);
            let rows = y.saturating_sub(1)..(y + 2).min(height);
            let mut around: Vec<f32> = rows
                .flat_map(|y| plane[y * width + x.saturating_sub(1)..y * width + (x + 2).min(width)].iter().copied())
                .collect();
            around.sort_by(f32::total_cmp);
            let half = around.len() / 2;
            if around.len() % 2 == 1 { around[half] } else { 0.5 * (around[half - 1] + around[half]) }
        };
        (0..plane.len()).map(at).collect()
    };
    pixels.chunks_exact(height * width).flat_map(plane).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_takes_out_a_single_pixel_and_keeps_an_edge() {
        let mut pixels = [vec![0.0; 15], vec![1.0; 10]].concat(); // 5 x 5, the lower two rows white
        let truth = pixels.clone();
        pixels[2] = 1.0;
        assert_eq!(median(&pixels, [1, 5, 5]), truth);
        assert_eq!(median(&[0.0, 0.2, 0.6, 1.0], [1, 2, 2]), vec![0.4; 4]);
    }
}
