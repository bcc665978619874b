//! Training examples for forecasters, cut from windows of z-scored frames.

use super::coordinates::ResidualCoordinates;
use super::windows::WindowArray;
use crate::error::{Error, Result};
use crate::noise::Noise;
use crate::train::{Batch, BatchSource};
use candle_core::{DType, Device, Tensor};

/// Held-out examples on which a run is validated: enough for a stable figure, few enough to be quick.
const VALIDATION_ROWS: usize = 2048;

/// Examples for an energy over whitened coordinates: `x` is `(B, latent)`, the context the regression's features.
pub(crate) struct ChunkSource {
    context: Tensor,
    x: Tensor,
    held_out: Option<Batch>,
    frames: usize,
    channels: usize,
    delta_std: Tensor,
    context_noise: f64,
}

impl ChunkSource {
    /// Encodes training and validation windows. `context_noise` is the largest noise on a batch's context frames, in
    /// standard deviations of the frame-to-frame delta.
    ///
    /// # Errors
    /// As [`ResidualCoordinates::expect`].
    pub fn new(
        coordinates: &ResidualCoordinates,
        training: &WindowArray,
        validation: &WindowArray,
        context_noise: f64,
    ) -> Result<Self> {
        let encode = |windows: &WindowArray| -> Result<(Tensor, Tensor)> {
            let (context, expected) = coordinates.expect(&windows.cut(0, windows.context))?;
            let chunk = windows.cut(windows.context, windows.future);
            let chunk = Tensor::from_vec(chunk, (windows.len(), coordinates.width()), &Device::Cpu)?;
            let x = coordinates.complete(&coordinates.encode(&chunk, &expected)?, &mut Noise::new(0))?;
            Ok((context, x))
        };
        let (context, x) = encode(training)?;
        let held_out = if validation.is_empty() {
            None
        } else {
            let (context, x) = encode(&validation.thinned(VALIDATION_ROWS))?;
            Some(Batch { x, context: Some(context), start: None })
        };
        let fit = coordinates.fit();
        let delta_std = Tensor::from_slice(fit.delta_std(), (1, 1, fit.channels()), &Device::Cpu)?;
        Ok(Self { context, x, held_out, frames: fit.context(), channels: fit.channels(), delta_std, context_noise })
    }
}

impl BatchSource for ChunkSource {
    fn batch(&self, size: usize, noise: &mut Noise) -> Result<Batch> {
        let rows = random_rows(size, &self.x, noise)?;
        let x = self.x.index_select(&rows, 0)?;
        let mut context = self.context.index_select(&rows, 0)?;
        if self.context_noise > 0.0 {
            // Noise on the frames, as the features see it: on the last frame, and on each delta (in units of its
            // standard deviation) as the difference of two frames' noise.
            let (k, d) = (self.frames, self.channels);
            let level = noise.uniform(1, DType::F64, &Device::Cpu)?.to_vec1::<f64>()?[0] * self.context_noise;
            let frames = (noise.normal((size, k * d), DType::F32, &Device::Cpu)? * level)?.reshape((size, k, d))?;
            let last = frames.narrow(1, k - 1, 1)?.broadcast_mul(&self.delta_std)?;
            let features = match k {
                1 => last,
                _ => Tensor::cat(&[last, (frames.narrow(1, 1, k - 1)? - frames.narrow(1, 0, k - 1)?)?], 1)?,
            };
            context = (context + features.reshape((size, k * d))?)?;
        }
        Ok(Batch { x, context: Some(context), start: None })
    }

    fn validation(&self) -> Result<Option<Batch>> {
        Ok(self.held_out.clone())
    }
}

/// Examples over the frames themselves: `x` is the future `(B, future, D)`, the context the frames before it
/// `(B, context, D)`, and a fresh chain starts at the last context frame plus uniform noise.
pub(crate) struct FrameSource {
    context: Tensor,
    x: Tensor,
    held_out: Option<Batch>,
    start_noise: f64,
}

impl FrameSource {
    /// `start_noise` is the half width of the uniform noise on a chain's start, z units.
    ///
    /// # Errors
    /// [`Error::Data`] when there is no training window.
    pub fn new(training: &WindowArray, validation: &WindowArray, start_noise: f64) -> Result<Self> {
        if training.is_empty() {
            return Err(Error::data("training windows", 0, "at least 1"));
        }
        let tensors = |w: &WindowArray| -> Result<(Tensor, Tensor)> {
            let n = w.len();
            Ok((
                Tensor::from_vec(w.cut(0, w.context), (n, w.context, w.channels), &Device::Cpu)?,
                Tensor::from_vec(w.cut(w.context, w.future), (n, w.future, w.channels), &Device::Cpu)?,
            ))
        };
        let (context, x) = tensors(training)?;
        let held_out = if validation.is_empty() {
            None
        } else {
            let (context, x) = tensors(&validation.thinned(VALIDATION_ROWS))?;
            let start = chain_start(&context, x.dims()[1], start_noise, &mut Noise::new(0))?;
            Some(Batch { x, context: Some(context), start: Some(start) })
        };
        Ok(Self { context, x, held_out, start_noise })
    }
}

impl BatchSource for FrameSource {
    fn batch(&self, size: usize, noise: &mut Noise) -> Result<Batch> {
        let rows = random_rows(size, &self.x, noise)?;
        let (context, x) = (self.context.index_select(&rows, 0)?, self.x.index_select(&rows, 0)?);
        let start = chain_start(&context, x.dims()[1], self.start_noise, noise)?;
        Ok(Batch { x, context: Some(context), start: Some(start) })
    }

    fn validation(&self) -> Result<Option<Batch>> {
        Ok(self.held_out.clone())
    }
}

/// `(size,)` indices of rows of `of`, uniform and with replacement.
fn random_rows(size: usize, of: &Tensor, noise: &mut Noise) -> Result<Tensor> {
    let rows: Vec<u32> = noise.indices(size, of.dims()[0]).into_iter().map(|i| i as u32).collect();
    Ok(Tensor::from_vec(rows, size, &Device::Cpu)?)
}

/// Where the paper's chains begin: the last context frame, repeated, plus `U(-width, width)`; `(B, frames, D)`.
///
/// # Errors
/// [`Error::Tensor`].
pub(crate) fn chain_start(context: &Tensor, frames: usize, width: f64, noise: &mut Noise) -> Result<Tensor> {
    let (b, k, d) = context.dims3()?;
    let last = context.narrow(1, k - 1, 1)?.repeat((1, frames, 1))?;
    let spread = noise.uniform((b, frames, d), context.dtype(), context.device())?.affine(2.0 * width, -width)?;
    Ok((last + spread)?)
}
