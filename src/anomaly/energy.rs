//! The model's own energy of a window, whole and of its large movements.

use super::score::{AnomalyScore, ScoreSpec};
use crate::error::{Error, Result};
use crate::forecast::{Forecaster, LevelForecaster, Model, WindowArray};
use candle_core::{DType, Device, Tensor};

/// Mean energy of a window's chunks, each measured from the energy of its expectation (see [`Forecaster::energy`]).
pub(super) struct WindowEnergy<'a>(pub(super) &'a (dyn Forecaster + Sync));

impl AnomalyScore for WindowEnergy<'_> {
    fn name(&self) -> &'static str {
        "energy"
    }

    fn score(&self, windows: &WindowArray) -> Result<Vec<f64>> {
        let (past, rest) = cut(windows, self.0.context_frames())?;
        let none = || Error::unsupported("this forecaster", "score windows by its energy", "it has none");
        mean(&self.0.energy(&past, &rest)?.ok_or_else(none)?)
    }
}

/// Of models with an energy that knows no noise level.
pub(super) static WINDOW: ScoreSpec = ScoreSpec { fit: |model, _| window(model), restore: |model, _| window(model) };

fn window(model: &Model) -> Result<Option<Box<dyn AnomalyScore + '_>>> {
    let made = model.level().is_none() && has_energy(model)?;
    Ok(made.then(|| Box::new(WindowEnergy(model.forecaster())) as Box<dyn AnomalyScore + '_>))
}

/// Whether a model's forecaster tells the energy of a future: asked of one that stands still.
pub(super) fn has_energy(model: &Model) -> Result<bool> {
    let (forecaster, chunk) = (model.forecaster(), model.info().config.model.frames().1);
    let still = |frames| Tensor::zeros((1, frames, model.info().channels.len()), DType::F32, &Device::Cpu);
    Ok(forecaster.energy(&still(forecaster.context_frames())?, &still(chunk)?)?.is_some())
}

/// Of the other models, which are judged by [`SHAPE`] in its place.
pub(super) static WHOLE: ScoreSpec = ScoreSpec { fit: |model, _| whole(model), restore: |model, _| whole(model) };

fn whole(model: &Model) -> Result<Option<Box<dyn AnomalyScore + '_>>> {
    Ok(model.level().map(|_| Box::new(WindowEnergy(model.forecaster())) as Box<dyn AnomalyScore + '_>))
}

/// Share of a chunk's variance that is its shape: what [`ShapeEnergy`] looks at.
const SHAPE_SHARE: f64 = 0.999;

/// As [`WindowEnergy`], of the principal coordinates that hold 99.9 % of a chunk's variance (chosen among 0.9, 0.95,
/// 0.98, 0.99, 0.995 and
/// 0.999 by corrupted validation windows of four logs).
pub(super) struct ShapeEnergy<'a>(pub(super) &'a LevelForecaster);

impl AnomalyScore for ShapeEnergy<'_> {
    fn name(&self) -> &'static str {
        "shape"
    }

    fn score(&self, windows: &WindowArray) -> Result<Vec<f64>> {
        let (past, rest) = cut(windows, self.0.context_frames())?;
        let leading = self.0.coordinates().holding(SHAPE_SHARE);
        mean(&self.0.energy_of_leading(&past, &rest, leading)?)
    }
}

/// Of models whose energy knows its noise level.
pub(super) static SHAPE: ScoreSpec = ScoreSpec { fit: |model, _| shape(model), restore: |model, _| shape(model) };

fn shape(model: &Model) -> Result<Option<Box<dyn AnomalyScore + '_>>> {
    Ok(model.level().map(|level| Box::new(ShapeEnergy(level)) as Box<dyn AnomalyScore + '_>))
}

/// The first `k` frames `(N, k, D)` and those after them.
fn cut(windows: &WindowArray, k: usize) -> Result<(Tensor, Tensor)> {
    let (n, d) = (windows.len(), windows.channels);
    let rest = windows.context + windows.future - k;
    let past = Tensor::from_vec(windows.cut(0, k), (n, k, d), &Device::Cpu)?;
    Ok((past, Tensor::from_vec(windows.cut(k, rest), (n, rest, d), &Device::Cpu)?))
}

/// Of energies frame by frame, `(N, H)`.
fn mean(energies: &Tensor) -> Result<Vec<f64>> {
    Ok(energies.to_dtype(DType::F64)?.mean(1)?.to_vec1()?)
}
