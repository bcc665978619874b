//! Generative networks over whitened residuals, as the energy is: diffusion, flow matching, mixtures, autoencoders.

use super::spec::{BATCH, BaselineRun, CONTEXT, VAR_RIDGE, training};
use super::var_fit::VarFit;
use crate::error::{Error, Result};
use crate::forecast::roll::in_tiles;
use crate::forecast::{ChunkSource, DenoisingConfig, Forecaster, Limits, Request, ResidualCoordinates, auto, for_data};
use crate::model::{Generative, Generator};
use crate::noise::Noise;
use crate::sample::diffusion::SamplerConfig;
use crate::settings::{Auto, Settings};
use crate::train::Whitening;
use crate::train::objective::GenerativeLoss;
use candle_core::{DType, Device, Tensor};
use serde::{Deserialize, Serialize};

/// Settings of a generative network over whitened residuals, `H` being those of what it gives. The defaults were chosen
/// on validation episodes: `benches/quality/forecast.md`, Tuning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LatentConfig<H> {
    /// Frames drawn at once; left to the data: as many as the motion bears, as the energy's.
    pub(super) chunk: Auto<usize>,
    /// Coordinates the network draws, at most; the rest stays Gaussian.
    pub(super) latent: usize,
    /// Widths of the fully connected hidden layers. Left to the program (diffusion and flow matching): as many as the
    /// default energy has, of one width that makes as many weights.
    pub(super) hidden: Auto<Vec<usize>>,
    /// As [`DenoisingConfig::context_noise`].
    pub(super) context_noise: f64,
    /// Training steps of batches of 128; left to the data: as many as there are windows for
    /// ([`RunConfig::for_data`](crate::forecast::RunConfig::for_data)).
    pub(super) steps: Auto<u64>,
    /// Learning rate at its largest.
    pub(super) learning_rate: f64,
    /// Decoupled weight decay.
    pub(super) weight_decay: f64,
    /// How weight matrices learn, where not by Adam.
    pub(super) whitening: Option<Whitening>,
    /// What the network gives.
    pub(super) head: H,
    /// How diffusion and flow matching draw; the others' draws have no steps. Weights do not depend on it.
    pub(super) sampler: Option<SamplerConfig>,
}

impl<H> LatentConfig<H> {
    /// Three layers of 384, Adam, 4500 steps: a start for the rest.
    pub(super) fn of(head: H) -> Self {
        Self {
            chunk: Auto::Auto,
            latent: 64,
            hidden: Auto::Set(vec![384; 3]),
            context_noise: 1.0,
            steps: Auto::Set(4500),
            learning_rate: 1e-3,
            weight_decay: 0.01,
            whitening: None,
            head,
            sampler: None,
        }
    }

    /// Widths of the hidden layers, where nothing else decides them.
    pub(super) fn widths(&self) -> Vec<usize> {
        self.hidden.clone().or(DenoisingConfig::default().hidden)
    }
}

/// Fits the network that `make` makes, from the coordinates, the frames of a chunk and the noise of initial weights.
pub(super) fn fit<H: Clone + Serialize, G: Generative + Generator + 'static>(
    name: &'static str,
    config: &LatentConfig<H>,
    run: &mut BaselineRun<'_>,
    make: impl FnOnce(&ResidualCoordinates, usize, &mut Noise) -> Result<G>,
) -> Result<Box<dyn Forecaster + Sync>> {
    let dataset = run.dataset;
    let chunk = for_data::chunk(config.chunk, CONTEXT, dataset);
    let windows = dataset.windows(&dataset.split.train, CONTEXT, chunk, 1)?;
    let validation = dataset.windows(&dataset.split.validation, CONTEXT, chunk, 1)?;
    let steps = config.steps.or(auto::steps(windows.len(), BATCH, config.whitening.is_some()));
    let fit = VarFit::fit(&windows.values, windows.channels, CONTEXT, chunk, VAR_RIDGE)?;
    let limits = Limits::seen(&windows, &dataset.frames.channels);
    let coordinates = ResidualCoordinates::new(fit, config.latent)?.within(limits);
    let noise = auto::context_noise(config.context_noise, chunk);
    let source = ChunkSource::new(&coordinates, &windows, &validation, noise)?;
    let mut objective = GenerativeLoss { model: make(&coordinates, chunk, &mut run.weights())? };
    // The weights depend on all settings but on how is drawn from them.
    let identity = LatentConfig { sampler: None, ..config.clone() }.as_json()?;
    let settings = training(steps, config.learning_rate, (config.weight_decay, config.whitening.clone()));
    run.train(&identity, &mut objective, &source, &settings)?;
    Ok(Box::new(LatentForecaster::new(name, coordinates, objective.model)))
}

/// Draws the leading coordinates of each chunk from a [`Generator`], the others from the standard normal, and rolls on,
/// chunk by chunk.
pub(crate) struct LatentForecaster<G> {
    name: &'static str,
    coordinates: ResidualCoordinates,
    generator: G,
}

impl<G: Generator> LatentForecaster<G> {
    /// `generator` draws `coordinates.latent()` numbers given `coordinates.context_width()` numbers.
    pub fn new(name: &'static str, coordinates: ResidualCoordinates, generator: G) -> Self {
        Self { name, coordinates, generator }
    }
}

impl<G: Generator> Forecaster for LatentForecaster<G> {
    fn name(&self) -> &str {
        self.name
    }

    fn context_frames(&self) -> usize {
        self.coordinates.fit().context()
    }

    fn parameters(&self) -> usize {
        self.generator.count()
    }

    fn evaluations_per_chunk(&self) -> usize {
        self.generator.evaluations()
    }

    fn forecast(&self, history: &Tensor, request: &Request, noise: &mut Noise) -> Result<Tensor> {
        let fit = self.coordinates.fit();
        let (k, d, chunk) = (fit.context(), fit.channels(), fit.chunk());
        let (width, latent, horizon) = (self.coordinates.width(), self.coordinates.latent(), request.horizon);
        in_tiles(history, request, noise, [k, d], |tile, noise| {
            let rows = tile.len() / (k * d);
            let mut past = tile.to_vec();
            let mut futures = vec![0f32; rows * horizon * d];
            for begun in (0..horizon).step_by(chunk) {
                let (context, expected) = self.coordinates.expect(&past)?;
                let leading = self.generator.draw(&context, noise)?;
                let coordinates = match width - latent {
                    0 => leading,
                    rest => Tensor::cat(&[&leading, &noise.normal((rows, rest), DType::F32, &Device::Cpu)?], 1)?,
                };
                let drawn = self.coordinates.decode(&coordinates, &expected)?.flatten_all()?.to_vec1::<f32>()?;
                if let Some(bad) = drawn.iter().find(|v| !v.is_finite()) {
                    let what = format!("forecast of `{}`", self.name);
                    return Err(Error::NonFinite { what, value: f64::from(*bad), step: begun as u64 });
                }
                let kept = chunk.min(horizon - begun) * d;
                for (r, frames) in drawn.chunks_exact(width).enumerate() {
                    futures[(r * horizon + begun) * d..][..kept].copy_from_slice(&frames[..kept]);
                    let row = &mut past[r * k * d..(r + 1) * k * d];
                    slide(row, frames);
                }
            }
            self.coordinates.limits().apply(&mut futures, tile, horizon);
            Ok(futures)
        })
    }
}

/// Moves the window `row` on by `frames`, which may be longer than it.
pub(super) fn slide(row: &mut [f32], frames: &[f32]) {
    let (kept, new) = (row.len().saturating_sub(frames.len()), frames.len().min(row.len()));
    row.copy_within(row.len() - kept.., 0);
    row[kept..].copy_from_slice(&frames[frames.len() - new..]);
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_window_slides_over_short_and_long_chunks() {
        let mut row = [1.0, 2.0, 3.0, 4.0];
        super::slide(&mut row, &[5.0]);
        assert_eq!(row, [2.0, 3.0, 4.0, 5.0]);
        super::slide(&mut row, &[6.0, 7.0, 8.0, 9.0, 10.0, 11.0]);
        assert_eq!(row, [8.0, 9.0, 10.0, 11.0]);
    }
}
