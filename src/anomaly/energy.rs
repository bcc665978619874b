//! The model's own energy of a window.

use super::Judge;
use crate::error::Result;
use crate::forecast::{Forecaster, WindowArray};
use candle_core::{DType, Device, Tensor};

/// Mean energy of a window's chunks, each measured from the energy of its expectation (see [`Forecaster::energy`]).
pub struct Energy<'a>(pub &'a (dyn Forecaster + Sync));

impl Judge for Energy<'_> {
    fn name(&self) -> &'static str {
        "energy"
    }

    fn score(&self, windows: &WindowArray) -> Result<Vec<f64>> {
        let (n, d, k) = (windows.len(), windows.channels, self.0.context_frames());
        let frames = windows.context + windows.future;
        let past = Tensor::from_vec(windows.cut(0, k), (n, k, d), &Device::Cpu)?;
        let rest = Tensor::from_vec(windows.cut(k, frames - k), (n, frames - k, d), &Device::Cpu)?;
        match self.0.energy(&past, &rest)? {
            Some(energy) => Ok(energy.to_dtype(DType::F64)?.mean(1)?.to_vec1()?),
            // A forecaster without an energy finds nothing strange.
            None => Ok(vec![0.0; n]),
        }
    }
}
