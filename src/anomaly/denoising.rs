//! How badly the model takes noise off a window again.

use super::score::{AnomalyScore, ScoreSpec};
use crate::error::Result;
use crate::forecast::{LevelForecaster, Model, WindowArray};
use crate::noise::Noise;
use candle_core::{D, DType, Device, Tensor};

/// Noise angles, as their tangents.
const LEVELS: [f64; 3] = [0.25, 0.5, 1.0];

/// Squared error of the path's velocity (the training loss of a window, Salimans and Ho 2022, appendix D), mean over
/// chunks, coordinates and noise levels tan t = 0.25, 0.5 and 1. The noise is the same for every window.
pub(super) struct DenoisingError<'a>(pub(super) &'a LevelForecaster);

/// Of models whose energy knows its noise level.
pub(super) static SPEC: ScoreSpec = ScoreSpec { fit: |model, _| error_of(model), restore: |model, _| error_of(model) };

fn error_of(model: &Model) -> Result<Option<Box<dyn AnomalyScore + '_>>> {
    Ok(model.level().map(|level| Box::new(DenoisingError(level)) as Box<dyn AnomalyScore + '_>))
}

impl AnomalyScore for DenoisingError<'_> {
    fn name(&self) -> &'static str {
        "denoising"
    }

    fn score(&self, windows: &WindowArray) -> Result<Vec<f64>> {
        let (coordinates, n) = (self.0.coordinates(), windows.len());
        let (k, chunk) = (coordinates.fit().context(), coordinates.fit().chunk());
        let mut total = vec![0.0; n];
        let starts: Vec<usize> = (0..=windows.context + windows.future - k - chunk).step_by(chunk).collect();
        let mut noise = Noise::new(0);
        for start in &starts {
            let (context, expected) = coordinates.expect(&windows.cut(*start, k))?;
            let future = windows.cut(start + k, chunk);
            let u = coordinates.encode(&Tensor::from_vec(future, expected.shape(), &Device::Cpu)?, &expected)?;
            let conditioned = self.0.energy_model().conditioned(Some(&context), n)?;
            for t in LEVELS.map(f64::atan) {
                let eps = noise.normal((1, coordinates.latent()), DType::F32, &Device::Cpu)?.broadcast_as(u.shape())?;
                let x = ((&u * t.cos())? + (&eps * t.sin())?)?;
                let velocity = ((&eps * t.cos())? - (&u * t.sin())?)?;
                let error = (conditioned.at(t)?.velocity(&x)? - velocity)?.sqr()?.mean(D::Minus1)?;
                let error: Vec<f64> = error.to_dtype(DType::F64)?.to_vec1()?;
                total.iter_mut().zip(error).for_each(|(t, e)| *t += e / (starts.len() * LEVELS.len()) as f64);
            }
        }
        Ok(total)
    }
}
