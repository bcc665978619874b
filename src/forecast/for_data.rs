//! A run's settings with those in place that its episodes decide.

use super::auto::{self, CHUNK};
use super::config::{ModelConfig, RunConfig};
use super::dataset::Dataset;
use crate::error::Result;
use crate::settings::Auto;

impl RunConfig {
    /// These settings with those in place that are left to the data, each written as `"auto"`:
    ///
    /// - `model.chunk`: so long that the training episodes hold as many chunks, one after the other, as a chunk holds
    ///   numbers, `sqrt(frames / channels)`: 8, 16, 24 or 32 frames, and at most what the shortest episode holds
    ///   (unless short ones are left out);
    /// - `sampler.end` and `sampler.guidance`: by the length of the chunk, with its square root from 0.335 (8 frames)
    ///   to 0.67 (32 frames) and with its square from 0.70 to 1.5;
    /// - `train.steps`: 30 passes over the training windows, from 1,000 to 12,000 steps; without whitening 50, from
    ///   4,500 to 20,000.
    ///
    /// # Errors
    /// As [`Dataset::listed`].
    pub fn for_data(&self, dataset: &Dataset) -> Result<Self> {
        let mut config = self.clone();
        if let ModelConfig::Denoising(model) = &mut config.model {
            let chunk = chunk(model.chunk, model.context, dataset);
            model.chunk = Auto::Set(chunk);
            config.sampler = auto::sampler(config.sampler, chunk);
        }
        if config.train.steps == Auto::Auto {
            let (context, chunk) = config.model.frames();
            let windows = dataset.listed(&dataset.split.train, context, chunk, 1)?.len();
            let whitened = config.train.optimizer.whitening.is_some();
            config.train.steps = Auto::Set(auto::steps(windows, config.train.batch, whitened));
        }
        Ok(config)
    }
}

/// `asked`, or where that is left to the data what the training episodes bear.
pub(crate) fn chunk(asked: Auto<usize>, context: usize, dataset: &Dataset) -> usize {
    if let Auto::Set(chunk) = asked {
        return chunk;
    }
    let frames = |e: &usize| dataset.frames.episodes[*e].values.len() / dataset.frames.channels.len();
    let split = &dataset.split;
    let all: usize = split.train.iter().map(frames).sum();
    let bears = (all as f64 / dataset.frames.channels.len() as f64).sqrt() as usize;
    let shortest = split.train.iter().chain(&split.validation).map(frames).min().unwrap_or(0);
    let chunk = (bears / CHUNK[0] * CHUNK[0]).clamp(CHUNK[0], CHUNK[1]);
    match dataset.skip_short {
        true => chunk,
        false => chunk.min(shortest.saturating_sub(context).max(1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::Noise;
    use crate::trajectory::{Channel, Episode, Frames};
    use candle_core::{DType, Device};

    fn motion(lengths: &[usize], channels: usize) -> Result<Dataset> {
        let channel = |c| Channel { name: format!("q{c}"), unit: None, period: None };
        let episode = |(e, frames): (usize, &usize)| -> Result<Episode> {
            let values = Noise::new(e as u64).normal(frames * channels, DType::F64, &Device::Cpu)?.to_vec1()?;
            Ok(Episode {
                id: e.to_string(),
                time_secs: (0..*frames).map(|t| t as f64 / 25.0).collect(),
                values: values.into(),
            })
        };
        let episodes = lengths.iter().enumerate().map(episode).collect::<Result<_>>()?;
        let channels = (0..channels).map(channel).collect();
        Dataset::new(
            Frames {
                channels,
                rate_hz: 25.0,
                episodes,
                sources: Vec::new(),
                notes: Vec::new(),
                parts: Default::default(),
            },
            &RunConfig::default(),
        )
    }

    #[test]
    fn little_motion_gets_short_chunks_and_short_trainings() -> Result<()> {
        // 10 episodes, 7 of them for training: 700 frames of 2 channels bear sqrt(350) = 18 frames a chunk.
        let few = RunConfig::default().for_data(&motion(&[100; 10], 2)?)?;
        assert_eq!(few.model.frames(), (8, 16));
        let drawn = few.sampler;
        assert!((drawn.end() - 0.474).abs() < 1e-3 && (drawn.guidance() - 0.8625).abs() < 1e-9, "{drawn:?}");
        let other = RunConfig::preset("temporal")?.for_data(&motion(&[100; 10], 2)?)?;
        let ModelConfig::Denoising(model) = &other.model else { panic!("an energy for every noise level") };
        assert!(model.convolution.is_some());
        assert_eq!(other.sampler, drawn, "however it is learned, it is drawn alike");
        // 7 * (100 - 23) windows, 30 passes, batches of 128: below the least.
        assert_eq!(few.train.steps, Auto::Set(1000));
        assert_eq!(RunConfig::default().for_data(&motion(&[100; 10], 30)?)?.model.frames(), (8, 8));
        let more = RunConfig::default().for_data(&motion(&[3000; 10], 2)?)?;
        assert_eq!(more.model.frames(), (8, 32));
        assert_eq!(more.train.steps, Auto::Set((30 * 7 * (3000 - 39u64)).div_ceil(128)));
        let mut uneven = [1000; 10];
        uneven[..9].fill(20);
        let short = RunConfig::default().for_data(&motion(&uneven, 1)?)?;
        assert_eq!(short.model.frames(), (8, 12), "what the shortest episode holds");
        let adam = RunConfig::default().with_one("train.optimizer.whitening", "null")?;
        assert_eq!(adam.for_data(&motion(&[100; 10], 2)?)?.train.steps, Auto::Set(4500));
        let mut own = RunConfig::default();
        for (key, value) in [("model.chunk", "3"), ("sampler.end", "0.1"), ("sampler.guidance", "1.2")] {
            own = own.with_one(key, value)?;
        }
        let own = own.with_one("train.steps", "7")?;
        assert_eq!(own.for_data(&motion(&[100; 10], 2)?)?, own);
        assert_eq!(few.for_data(&motion(&[3000; 10], 2)?)?, few, "once chosen they stay");
        Ok(())
    }
}
