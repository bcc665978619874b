//! Training examples for forecasters, cut from windows of z-scored frames.

use super::coordinates::ResidualCoordinates;
use super::windows::WindowArray;
use crate::error::{Error, Result};
use crate::noise::Noise;
use crate::train::{Batch, BatchSource};
use crate::trajectory::{Normaliser, Windows};
use candle_core::{DType, Device, Tensor};

/// Held-out examples on which a run is validated: enough for a stable figure, few enough to be quick.
const VALIDATION_ROWS: usize = 2048;

/// Windows that are cut from the frames when they are wanted.
#[derive(Debug, Clone)]
pub(crate) struct Cutter<'a> {
    pub windows: Windows<'a>,
    pub normaliser: &'a Normaliser,
}

impl Cutter<'_> {
    /// Those with the numbers `which`, z-scored.
    ///
    /// # Errors
    /// As [`Windows::fill`].
    fn cut(&self, which: &[usize]) -> Result<WindowArray> {
        WindowArray::some(&self.windows, self.normaliser, which.iter().copied())
    }
}

/// The windows that examples are made of. Batches are the same for the same noise, to rounding, whether the windows are
/// at hand or cut as they are drawn.
pub(crate) enum Examples<'w, 'a> {
    /// All at hand.
    All(&'w WindowArray),
    /// Too many for that.
    Cut(Cutter<'a>),
}

impl<'w> From<&'w WindowArray> for Examples<'w, '_> {
    fn from(windows: &'w WindowArray) -> Self {
        Self::All(windows)
    }
}

/// Makes context and `x` of windows, whose numbers among all it is told.
type Making<'a> = dyn Fn(&WindowArray, &[usize]) -> Result<(Tensor, Tensor)> + 'a;

/// What batches are drawn from: context and `x` of every example, or windows of which these are made.
enum Drawn<'a> {
    Made(Tensor, Tensor),
    Cut(Cutter<'a>),
}

impl<'a> Drawn<'a> {
    /// `make` makes context and `x` of windows, whose numbers among all it is told.
    fn new(examples: Examples<'_, 'a>, make: &Making<'_>) -> Result<Self> {
        match examples {
            Examples::Cut(cutter) => Ok(Self::Cut(cutter)),
            Examples::All(windows) => {
                let (context, x) = make(windows, &(0..windows.len()).collect::<Vec<_>>())?;
                Ok(Self::Made(context, x))
            }
        }
    }

    /// Context and `x` of `size` examples, uniform and with replacement.
    fn batch(&self, size: usize, noise: &mut Noise, make: &Making<'_>) -> Result<(Tensor, Tensor)> {
        match self {
            Self::Made(context, x) => {
                let rows = random_rows(size, x, noise)?;
                Ok((context.index_select(&rows, 0)?, x.index_select(&rows, 0)?))
            }
            Self::Cut(cutter) => {
                let rows = noise.indices(size, cutter.windows.len());
                make(&cutter.cut(&rows)?, &rows)
            }
        }
    }
}

/// Examples for an energy over whitened coordinates: `x` is `(B, latent)`, the context the regression's features.
pub(crate) struct ChunkSource<'a> {
    coordinates: ResidualCoordinates,
    drawn: Drawn<'a>,
    held_out: Option<Batch>,
    frames: usize,
    channels: usize,
    delta_std: Tensor,
    context_noise: f64,
}

/// Features and coordinates of windows with the numbers `rows` among all.
fn encoded(coordinates: &ResidualCoordinates, windows: &WindowArray, rows: &[usize]) -> Result<(Tensor, Tensor)> {
    let (context, expected) = coordinates.expect(&windows.cut(0, windows.context))?;
    let chunk = windows.cut(windows.context, windows.future);
    let chunk = Tensor::from_vec(chunk, (windows.len(), coordinates.width()), &Device::Cpu)?;
    let x = coordinates.complete(&coordinates.encode(&chunk, &expected)?, rows, &mut Noise::new(0))?;
    Ok((context, x))
}

impl<'a> ChunkSource<'a> {
    /// Encodes validation windows, and training windows that are at hand. `context_noise` is the largest noise on a
    /// batch's context frames, in standard deviations of the frame-to-frame delta.
    ///
    /// # Errors
    /// As [`ResidualCoordinates::expect`].
    pub fn new<'w>(
        coordinates: &ResidualCoordinates,
        training: impl Into<Examples<'w, 'a>>,
        validation: &WindowArray,
        context_noise: f64,
    ) -> Result<Self> {
        let drawn = Drawn::new(training.into(), &|windows, rows| encoded(coordinates, windows, rows))?;
        let held_out = if validation.is_empty() {
            None
        } else {
            let held = validation.thinned(VALIDATION_ROWS);
            let (context, x) = encoded(coordinates, &held, &(0..held.len()).collect::<Vec<_>>())?;
            Some(Batch { x, context: Some(context), start: None })
        };
        let fit = coordinates.fit();
        let (frames, channels) = (fit.context(), fit.channels());
        let delta_std = Tensor::from_slice(fit.delta_std(), (1, 1, channels), &Device::Cpu)?;
        let coordinates = coordinates.clone();
        Ok(Self { coordinates, drawn, held_out, frames, channels, delta_std, context_noise })
    }
}

impl BatchSource for ChunkSource<'_> {
    fn batch(&self, size: usize, noise: &mut Noise) -> Result<Batch> {
        let make = |windows: &WindowArray, rows: &[usize]| encoded(&self.coordinates, windows, rows);
        let (mut context, x) = self.drawn.batch(size, noise, &make)?;
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
pub(crate) struct FrameSource<'a> {
    drawn: Drawn<'a>,
    held_out: Option<Batch>,
    start_noise: f64,
}

/// Context and future of windows.
fn parted(windows: &WindowArray, _: &[usize]) -> Result<(Tensor, Tensor)> {
    let (n, d) = (windows.len(), windows.channels);
    Ok((
        Tensor::from_vec(windows.cut(0, windows.context), (n, windows.context, d), &Device::Cpu)?,
        Tensor::from_vec(windows.cut(windows.context, windows.future), (n, windows.future, d), &Device::Cpu)?,
    ))
}

impl<'a> FrameSource<'a> {
    /// `start_noise` is the half width of the uniform noise on a chain's start, z units.
    ///
    /// # Errors
    /// [`Error::Data`] when there is no training window.
    pub fn new<'w>(training: impl Into<Examples<'w, 'a>>, validation: &WindowArray, start_noise: f64) -> Result<Self> {
        let training = training.into();
        if matches!(training, Examples::All(windows) if windows.is_empty()) {
            return Err(Error::data("training windows", 0, "at least 1"));
        }
        let drawn = Drawn::new(training, &parted)?;
        let held_out = if validation.is_empty() {
            None
        } else {
            let (context, x) = parted(&validation.thinned(VALIDATION_ROWS), &[])?;
            let start = chain_start(&context, x.dims()[1], start_noise, &mut Noise::new(0))?;
            Some(Batch { x, context: Some(context), start: Some(start) })
        };
        Ok(Self { drawn, held_out, start_noise })
    }
}

impl BatchSource for FrameSource<'_> {
    fn batch(&self, size: usize, noise: &mut Noise) -> Result<Batch> {
        let (context, x) = self.drawn.batch(size, noise, &parted)?;
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
