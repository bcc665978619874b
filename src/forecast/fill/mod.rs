//! Missing frames and channels, given what comes before and after; and motion that was seen with noise.
//!
//! Chunks are laid one after the other over the unknown cells until the frames that follow are known. All their
//! coordinates are drawn at once, down the noise levels of one sampler. At each level the network says of every chunk,
//! given the frames before it as they are estimated so far, what it would be without noise; all chunks together are
//! then moved to the nearest coordinates that agree with what is known ([`bridge`]). Where the network is 0 this draws
//! from the exact Gaussian conditional of the autoregression, but for the sampler's end.

mod bridge;
mod clean;
mod noise;
mod of_log;
#[cfg(test)]
mod tests;

use super::ResidualCoordinates;
use super::baseline::VarFit;
use crate::error::{Error, Result};
use crate::noise::Noise;
use crate::sample::diffusion::{Sampler, SamplerConfig};
use bridge::Bridge;
pub(super) use bridge::effect;
use candle_core::{DType, Device, Tensor};
use ebmotion_engine::parallel;
use std::cell::RefCell;

/// Velocity `(N, latent)` of chunks' leading coordinates `(N, latent)` after contexts `(N, K D)` at a noise angle.
type Velocity<'a> = dyn Fn(&Tensor, &Tensor, f64) -> Result<Tensor> + Sync + 'a;

/// What draws the coordinates.
pub(super) struct Draws<'a> {
    pub(super) velocity: &'a Velocity<'a>,
    pub(super) sampler: SamplerConfig,
}

/// What is known of windows, and what the model makes of it.
pub(super) struct Seen<'a> {
    /// `(B, T, D)`, z-scored, with NaN in the missing cells, which are the same in all of them.
    pub(super) windows: &'a Tensor,
    /// Standard deviation of the noise in each channel's cells, z-scored, `(D,)`; 0 where they are known.
    pub(super) noise: &'a [f64],
}

/// Windows whose unknown cells were drawn.
pub(super) struct Filled {
    /// `(B, T, D)`: the mean. The autoregression's is exact; the network's part is the average of how far each draw
    /// lies from the one that the autoregression makes of the same noise (a control variate: Owen 2013, "Monte Carlo
    /// theory, methods and examples", section 8.9).
    pub(super) mean: Tensor,
    /// `(B, S, T, D)`.
    pub(super) draws: Tensor,
}

/// Draws windows of one shape that miss the same cells.
pub(super) struct Filling<'a> {
    coordinates: &'a ResidualCoordinates,
    layout: Layout,
    bridge: Bridge<'a>,
    /// Frames and channels of a window.
    shape: [usize; 2],
}

/// `samples` draws of each window, by the autoregression alone, and by `draws` where given.
///
/// # Errors
/// [`Error::Data`] where windows miss different cells; as [`Filling::new`] and [`Filling::run`].
pub(super) fn filled(
    coordinates: &ResidualCoordinates,
    seen: &Seen<'_>,
    samples: usize,
    draws: Option<&Draws<'_>>,
    noise: &mut Noise,
) -> Result<Filled> {
    let (batch, frames, d) = seen.windows.dims3()?;
    let values = seen.windows.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
    if batch * frames * d == 0 {
        return Err(bad_shape(coordinates, vec![batch, frames, d]));
    }
    let pattern = |window: usize| values[window * frames * d..(window + 1) * frames * d].iter().map(|v| v.is_nan());
    if let Some(other) = (1..batch).find(|w| !pattern(0).eq(pattern(*w))) {
        return Err(Error::data("missing cells", format!("others in window {other}"), "the same in all windows"));
    }
    Filling::new(coordinates, &values[..frames * d], d, seen.noise)?.run(&values, samples, draws, noise)
}

fn bad_shape(coordinates: &ResidualCoordinates, found: Vec<usize>) -> Error {
    let expected = format!("(B, T, {}), B and T at least 1", coordinates.fit().channels());
    Error::Shape { what: "windows to fill", found, expected }
}

impl<'a> Filling<'a> {
    /// For windows `(T, d)` that miss the cells that this one misses (NaN), with noise of these deviations `(d,)`.
    ///
    /// # Errors
    /// [`Error::Shape`] for other channels than the model's; [`Error::Config`] for noise that is none; [`Error::Data`]
    /// where nothing is unknown, and, where no channel has noise, for less than a context of whole frames before the
    /// first missing cell.
    pub(super) fn new(coordinates: &'a ResidualCoordinates, window: &[f32], d: usize, noise: &[f64]) -> Result<Self> {
        let frames = window.len() / d.max(1);
        if d != coordinates.fit().channels() || noise.len() != d || frames == 0 {
            return Err(bad_shape(coordinates, vec![1, frames, d]));
        }
        if let Some(bad) = noise.iter().find(|std| !(std.is_finite() && **std >= 0.0)) {
            return Err(Error::config("noise", bad, "standard deviations: 0 or a positive number each"));
        }
        let layout = Layout::of(coordinates.fit(), window, noise)?;
        let bridge = Bridge::new(coordinates, &layout.noise(window, noise))?;
        Ok(Self { coordinates, layout, bridge, shape: [frames, d] })
    }

    /// Variance of each unknown cell by the autoregression, in the order of cells, `(M,)`.
    pub(super) fn variances(&self) -> Vec<f64> {
        self.bridge.variances()
    }

    /// `samples` draws of each of the windows `(B, T, D)`; with none, only their mean by the autoregression.
    ///
    /// # Errors
    /// [`Error::NonFinite`] for an infinite cell or draw.
    pub(super) fn run(
        &self,
        values: &[f32],
        samples: usize,
        draws: Option<&Draws<'_>>,
        noise: &mut Noise,
    ) -> Result<Filled> {
        let [frames, d] = self.shape;
        let (width, batch) = (frames * d, values.len() / (frames * d));
        if let Some(at) = values.iter().position(|v| v.is_infinite()) {
            let what = "a window to fill".to_string();
            return Err(Error::NonFinite { what, value: f64::from(values[at]), step: (at % width / d) as u64 });
        }
        let noise = noise.split_off();
        let limits = self.coordinates.limits().by_channel();
        let tiles = parallel::tiles(batch, 1, |row| {
            let window = &values[row.start * width..row.end * width];
            let mut noise = noise.from_chain((row.start * samples) as u64);
            let drawn = Drawing::new(&self.bridge, &self.layout.cut(window))?.run(samples, draws, &mut noise)?;
            let put = |cells: &Vec<f32>| self.layout.put(window, &self.bridge.unknown, cells, limits);
            Ok(drawn.iter().map(put).collect::<Vec<_>>())
        })?;
        let (mut means, mut all) = (Vec::new(), Vec::new());
        for tile in tiles {
            let mut rows = tile.into_iter();
            means.extend(rows.next().unwrap_or_default());
            all.extend(rows.flatten());
        }
        if let Some(at) = all.iter().position(|v| !v.is_finite()) {
            let what = "a filled gap".to_string();
            return Err(Error::NonFinite { what, value: f64::from(all[at]), step: (at / d % frames) as u64 });
        }
        let mean = Tensor::from_vec(means, (batch, frames, d), &Device::Cpu)?;
        Ok(Filled { mean, draws: Tensor::from_vec(all, (batch, samples, frames, d), &Device::Cpu)? })
    }
}

/// Where chunks lie over a window.
struct Layout {
    /// Frame of the window at which the context of the first chunk begins.
    begin: usize,
    /// Frames of that context and all chunks, which may reach beyond the window.
    frames: usize,
    channels: usize,
}

impl Layout {
    /// Where any channel has noise, chunks lie over the whole window. Otherwise the first begins with the first
    /// incomplete frame; the last is that after which a whole context is known.
    fn of(fit: &VarFit, window: &[f32], noise: &[f64]) -> Result<Self> {
        let (k, c, d) = (fit.context(), fit.chunk(), fit.channels());
        let frames = window.len() / d;
        let over = |begin: usize, end: usize| Self {
            begin,
            frames: k + (end - begin - k).div_ceil(c).max(1) * c,
            channels: d,
        };
        if noise.iter().any(|std| *std > 0.0) {
            if frames <= k {
                return Err(Error::data("frames of a window", frames, format!("more than {k}")));
            }
            return Ok(over(0, frames));
        }
        let gone: Vec<usize> = (0..window.len()).filter(|cell| window[*cell].is_nan()).map(|cell| cell / d).collect();
        let (Some(first), Some(last)) = (gone.first(), gone.last()) else {
            return Err(Error::data("missing cells", "none", "at least one"));
        };
        let begin = first.checked_sub(k).ok_or_else(|| {
            let expected = format!("at least {k}: the model reads as many before it fills anything");
            Error::data("complete frames before the first missing cell", first, expected)
        })?;
        Ok(over(begin, last + 1 + k))
    }

    /// Cells `(K + m C, D)` of a window; 0 where they are missing or beyond it.
    fn cut(&self, window: &[f32]) -> Vec<f32> {
        let cells = window[self.begin * self.channels..].iter().map(|v| if v.is_nan() { 0.0 } else { *v });
        cells.chain(std::iter::repeat(0.0)).take(self.frames * self.channels).collect()
    }

    /// The deviation of each of those cells' noise, infinite where they are missing.
    fn noise(&self, window: &[f32], noise: &[f64]) -> Vec<f64> {
        let (first, most) = (self.begin * self.channels, self.frames * self.channels);
        let of = |(v, std): (&f32, &f64)| if v.is_nan() { f64::INFINITY } else { *std };
        let there = window[first..].iter().zip(noise.iter().cycle()).map(of);
        there.chain(std::iter::repeat(f64::INFINITY)).take(most).collect()
    }

    /// A window with its unknown cells in place, put back within the `limits` of each channel, which reach to what is
    /// known in the window.
    fn put(&self, window: &[f32], unknown: &[usize], cells: &[f32], limits: &[[f32; 2]]) -> Vec<f32> {
        let mut limits = limits.to_vec();
        for (cell, value) in window.iter().enumerate().filter(|(_, v)| !v.is_nan()) {
            let [low, high] = &mut limits[cell % self.channels];
            (*low, *high) = (low.min(*value), high.max(*value));
        }
        let mut whole = window.to_vec();
        for (cell, value) in unknown.iter().zip(cells) {
            let [low, high] = limits[cell % self.channels];
            if let Some(to) = whole.get_mut(self.begin * self.channels + cell) {
                *to = value.max(low).min(high);
            }
        }
        whole
    }
}

/// The draws of one window.
struct Drawing<'a> {
    bridge: &'a Bridge<'a>,
    /// `(K + m C, D)`: known cells.
    frames: Vec<f32>,
    /// `(1, m C D + N)`: the coordinates nearest to 0 that agree with what is known.
    centre: Tensor,
    /// `(1, M)`: the unknown cells there.
    cells: Tensor,
}

impl<'a> Drawing<'a> {
    fn new(bridge: &'a Bridge<'a>, frames: &[f32]) -> Result<Self> {
        let (centre, cells) = bridge.centre(frames);
        let row = |values: Vec<f64>| -> Result<Tensor> {
            let values: Vec<f32> = values.into_iter().map(|v| v as f32).collect();
            let width = values.len();
            Ok(Tensor::from_vec(values, (1, width), &Device::Cpu)?)
        };
        Ok(Self { bridge, frames: frames.to_vec(), centre: row(centre)?, cells: row(cells)? })
    }

    /// The unknown cells: their mean, then as drawn.
    fn run(&self, samples: usize, draws: Option<&Draws<'_>>, noise: &mut Noise) -> Result<Vec<Vec<f32>>> {
        if samples == 0 {
            return Ok(self.cells.to_vec2::<f32>()?);
        }
        let (_, width) = self.centre.dims2()?;
        let start = noise.normal((samples, width), DType::F32, &Device::Cpu)?;
        let Some(draws) = draws else {
            let drawn = self.unknown_cells(&start.matmul(&self.bridge.basis)?)?;
            return Ok([self.cells.to_vec2::<f32>()?, drawn.to_vec2::<f32>()?].concat());
        };
        let start = (start * draws.sampler.temperature)?;
        // The guidance acts on the network alone, not on what is known.
        let stops = SamplerConfig { guidance: 1.0.into(), ..draws.sampler };
        let now = RefCell::new(self.cells.broadcast_as((samples, self.cells.dim(1)?))?.contiguous()?);
        let model = |x: &Tensor, at: f64| self.velocity(x, at, draws, &now);
        let drawn = Sampler::new(&stops)?.run(&model, start.clone(), noise)?;
        let drawn = self.unknown_cells(&drawn.matmul(&self.bridge.basis)?)?;
        // Without a network the same noise would have come to these, whose mean is known.
        let plain = self.unknown_cells(&start.matmul(&self.bridge.basis)?)?;
        let mean = (&self.cells + (&drawn - plain)?.mean_keepdim(0)?)?;
        Ok([mean.to_vec2::<f32>()?, drawn.to_vec2::<f32>()?].concat())
    }

    /// The velocity whose denoised estimate agrees with what is known. Contexts hold the unknown cells as they are
    /// estimated `now`, which this estimate then replaces.
    fn velocity(&self, x: &Tensor, at: f64, draws: &Draws<'_>, now: &RefCell<Tensor>) -> Result<Tensor> {
        let (rows, width) = x.dims2()?;
        let [_, c, d, chunks] = self.bridge.sizes;
        let (sin, cos) = at.sin_cos();
        let latent = self.bridge.coordinates.latent();
        let contexts = self.contexts(&now.borrow().to_vec2::<f32>()?)?;
        let of_chunks = x.narrow(1, 0, chunks * c * d)?.reshape((rows * chunks, c * d))?;
        let leading = of_chunks.narrow(1, 0, latent)?.contiguous()?;
        let velocity = (draws.velocity)(&leading, &contexts, at)?.pad_with_zeros(1, 0, c * d - latent)?;
        let velocity = velocity.reshape((rows, chunks * c * d))?.pad_with_zeros(1, 0, width - chunks * c * d)?;
        let estimate = ((x * cos)? - (velocity * (sin * draws.sampler.guidance()))?)?;
        let along = estimate.matmul(&self.bridge.basis)?;
        let moved = along.matmul(&self.bridge.basis_rows)?.broadcast_add(&self.centre)?;
        now.replace(self.unknown_cells(&along)?);
        Ok((((x * cos)? - moved)? / sin)?)
    }

    /// The unknown cells `(S, M)` at steps `(S, M)` along the plane's basis.
    fn unknown_cells(&self, along: &Tensor) -> Result<Tensor> {
        Ok(along.matmul(&self.bridge.to_cells)?.broadcast_add(&self.cells)?)
    }

    /// What the network reads before each chunk, `(S m, K D)`, for unknown cells `(S)(M)`.
    fn contexts(&self, cells: &[Vec<f32>]) -> Result<Tensor> {
        let [k, c, d, chunks] = self.bridge.sizes;
        let mut histories = Vec::with_capacity(cells.len() * chunks * k * d);
        let mut frames = self.frames.clone();
        for row in cells {
            self.bridge.unknown.iter().zip(row).for_each(|(cell, value)| frames[*cell] = *value);
            (0..chunks).for_each(|i| histories.extend_from_slice(&frames[i * c * d..(i * c + k) * d]));
        }
        let width = self.bridge.coordinates.fit().feature_width();
        let features = self.bridge.coordinates.fit().features(&histories)?;
        let features = Tensor::from_vec(features, (cells.len() * chunks, width), &Device::Cpu)?;
        Ok(features.narrow(1, 0, width - 1)?.contiguous()?)
    }
}
