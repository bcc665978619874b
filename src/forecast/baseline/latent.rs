//! Generative networks over whitened residuals, as the energy is: diffusion, flow matching, mixtures, autoencoders.

use crate::error::{Error, Result};
use crate::forecast::roll::in_tiles;
use crate::forecast::{Forecaster, Request, ResidualCoordinates};
use crate::model::Generator;
use crate::noise::Noise;
use candle_core::{DType, Device, Tensor};

/// Draws the leading coordinates of each chunk from a [`Generator`], the others from the standard normal, and rolls on,
/// chunk by chunk.
pub struct LatentForecaster<G> {
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
