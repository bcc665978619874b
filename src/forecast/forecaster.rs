//! What a forecaster is, what it is asked and what it answers.

use super::conditions::ForecastConditions;
use crate::error::{Error, Result};
use crate::noise::Noise;
use candle_core::{DType, Tensor};

/// What is asked of a [`Forecaster`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// Frames to predict.
    pub horizon: usize,
    /// Possible futures per window.
    pub samples: usize,
}

impl Request {
    /// # Errors
    /// [`Error::Config`] when nothing is asked for.
    pub fn check(&self) -> Result<()> {
        for (key, value) in [("horizon", self.horizon), ("samples", self.samples)] {
            if value == 0 {
                return Err(Error::config(key, value, "at least 1"));
            }
        }
        Ok(())
    }

    /// Batch and numbers of the last `frames` frames of `history`, as `(B, frames, channels)` row-major.
    ///
    /// # Errors
    /// [`Error::Shape`] unless `history` is `(B, K, channels)`, f32, with `B` at least 1 and `K` at least `frames`.
    pub fn contexts(history: &Tensor, frames: usize, channels: usize) -> Result<(usize, Vec<f32>)> {
        let bad = |found: Vec<usize>| Error::Shape {
            what: "history",
            found,
            expected: format!("(B, K, {channels}) f32 with B at least 1 and K at least {frames}"),
        };
        let &[batch, k, d] = history.dims() else { return Err(bad(history.dims().to_vec())) };
        if batch == 0 || k < frames || d != channels || history.dtype() != DType::F32 {
            return Err(bad(history.dims().to_vec()));
        }
        Ok((batch, history.narrow(1, k - frames, frames)?.flatten_all()?.to_vec1::<f32>()?))
    }
}

/// Predicts the future of z-scored motion.
///
/// The report, the command line and the viewer know only this trait; the model and the baselines are told apart by
/// [`Forecaster::name`] alone.
pub trait Forecaster {
    /// Short name, `snake_case`: the key in `report.json`.
    fn name(&self) -> &str;

    /// Frames of history it reads.
    fn context_frames(&self) -> usize;

    /// Trainable parameters.
    fn parameters(&self) -> usize;

    /// Network evaluations (forward, or forward with input gradient) per predicted chunk; 0 where there is no network.
    fn evaluations_per_chunk(&self) -> usize;

    /// Futures `(B, S, H, D)`, f32, z-scored, after `history`, `(B, K, D)`, f32, z-scored, `K` at least
    /// [`Forecaster::context_frames`] (the last frames count). `S` is the requested number of samples, or 1 where the
    /// forecaster knows only one future.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] when the history is too short or has other channels; [`crate::Error::NonFinite`] when a
    /// chain diverges.
    fn forecast(&self, history: &Tensor, request: &Request, noise: &mut Noise) -> Result<Tensor>;

    /// As [`Forecaster::forecast`], under conditions on the z-scored frames.
    ///
    /// # Errors
    /// As [`Forecaster::forecast`]; [`Error::Config`] from a forecaster that takes no conditions; [`Error::Data`] for
    /// conditions that do not fit.
    fn forecast_given(
        &self,
        history: &Tensor,
        request: &Request,
        conditions: &ForecastConditions,
        noise: &mut Noise,
    ) -> Result<Tensor> {
        match conditions.is_empty() {
            true => self.forecast(history, request, noise),
            false => {
                Err(Error::config("conditions", format!("the forecaster `{}`", self.name()), "one that takes them"))
            }
        }
    }

    /// Windows `(B, T, D)`, z-scored, with NaN in their missing cells, which are the same in all of them: `samples` of
    /// each with the missing cells drawn given all others, before and after, `(B, S, T, D)`. At least
    /// [`Forecaster::context_frames`] frames before the first missing cell are complete.
    ///
    /// # Errors
    /// [`Error::Config`] from a forecaster that fills nothing; [`Error::Data`] where nothing is missing, or too little
    /// is known before; [`Error::NonFinite`] when a chain diverges.
    fn fill(&self, _windows: &Tensor, _samples: usize, _noise: &mut Noise) -> Result<Tensor> {
        let found = format!("the forecaster `{}`", self.name());
        Err(Error::config("fill", found, "one that fills gaps (a model without noise levels does not)"))
    }

    /// Energy of given futures `(B, H, D)` after `history`, `(B, H)`, nats: at each frame, that of the chunk it lies
    /// in. `None` from a forecaster that has no energy.
    ///
    /// # Errors
    /// [`Error::Shape`] when the arrays do not fit.
    fn energy(&self, _history: &Tensor, _future: &Tensor) -> Result<Option<Tensor>> {
        Ok(None)
    }
}

#[cfg(test)]
mod example {
    use crate::forecast::{Baseline, Forecaster, Request, baseline::Velocity};
    use crate::noise::Noise;
    use candle_core::{Device, Tensor};

    #[test]
    fn constant_velocity_knows_one_future() -> crate::Result<()> {
        // Two frames of two channels: the first moves by 1 a frame, the second stands still.
        let history = Tensor::new(&[[[0f32, 5.0], [1.0, 5.0]]], &Device::Cpu)?;
        let velocity = Velocity::new(2);
        assert_eq!(<dyn Baseline>::named("velocity")?.name(), velocity.name());
        let futures = velocity.forecast(&history, &Request { horizon: 3, samples: 10 }, &mut Noise::new(1))?;
        assert_eq!(futures.dims(), [1, 1, 3, 2]); // it knows only one future
        assert_eq!(futures.flatten_all()?.to_vec1::<f32>()?, [2.0, 5.0, 3.0, 5.0, 4.0, 5.0]);
        Ok(())
    }
}
