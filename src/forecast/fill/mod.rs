//! Missing frames and channels, given what comes before and after.
//!
//! Chunks are laid one after the other over the missing cells until the frames that follow are known. All their
//! coordinates are drawn at once, down the noise levels of one sampler. At each level the network says of every chunk,
//! given the frames before it as they are estimated so far, what it would be without noise; all chunks together are
//! then moved to the nearest coordinates that agree with what is known ([`bridge`]). Where the network is 0 this draws
//! from the exact Gaussian conditional of the autoregression, but for the sampler's end.

mod bridge;
mod of_log;
#[cfg(test)]
mod tests;

use super::ResidualCoordinates;
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

/// Windows `(B, T, D)`, z-scored, with NaN in the missing cells, which are the same in all of them: their mean and
/// `samples` draws of each, `(B, T, D)` and `(B, S, T, D)`, by the autoregression alone, and by `draws` where given.
///
/// # Errors
/// [`Error::Data`] where nothing is missing, where windows miss different cells, and for less than a context of whole
/// frames before the first missing cell; [`Error::NonFinite`] for an infinite cell or draw.
pub(super) fn filled(
    coordinates: &ResidualCoordinates,
    windows: &Tensor,
    samples: usize,
    draws: Option<&Draws<'_>>,
    noise: &mut Noise,
) -> Result<[Tensor; 2]> {
    let (batch, frames, d) = windows.dims3()?;
    let values = windows.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
    let layout = Layout::of(coordinates, &values, [batch, frames, d])?;
    let bridge = Bridge::new(coordinates, &layout.known(&values))?;
    let noise = noise.split_off();
    let tiles = parallel::tiles(batch, 1, |row| {
        let window = &values[row.start * frames * d..row.end * frames * d];
        let mut noise = noise.from_chain((row.start * samples) as u64);
        let drawn = Drawing::new(&bridge, &layout.cut(window))?.run(samples, draws, &mut noise)?;
        let put = |cells: &Vec<f32>| layout.put(window, &bridge.missing, cells, coordinates.limits().by_channel());
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
    let [means, all] = [(means, vec![batch, frames, d]), (all, vec![batch, samples, frames, d])]
        .map(|(values, shape)| Tensor::from_vec(values, shape, &Device::Cpu));
    Ok([means?, all?])
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
    /// The first chunk begins with the first incomplete frame; the last is that after which a whole context is known.
    fn of(coordinates: &ResidualCoordinates, values: &[f32], [batch, frames, d]: [usize; 3]) -> Result<Self> {
        let fit = coordinates.fit();
        let (k, c) = (fit.context(), fit.chunk());
        if d != fit.channels() || batch * frames == 0 {
            let expected = format!("(B, T, {}), B and T at least 1", fit.channels());
            return Err(Error::Shape { what: "windows to fill", found: vec![batch, frames, d], expected });
        }
        let width = frames * d;
        let pattern = |w: usize| values[w * width..(w + 1) * width].iter().map(|v| v.is_nan());
        if let Some(other) = (1..batch).find(|w| !pattern(0).eq(pattern(*w))) {
            return Err(Error::data("missing cells", format!("others in window {other}"), "the same in all windows"));
        }
        if let Some(at) = values.iter().position(|v| v.is_infinite()) {
            let what = "a window to fill".to_string();
            return Err(Error::NonFinite { what, value: f64::from(values[at]), step: (at % width / d) as u64 });
        }
        let gone: Vec<usize> = pattern(0).enumerate().filter(|(_, gone)| *gone).map(|(cell, _)| cell / d).collect();
        let (Some(first), Some(last)) = (gone.first(), gone.last()) else {
            return Err(Error::data("missing cells", "none", "at least one"));
        };
        let begin = first.checked_sub(k).ok_or_else(|| {
            let expected = format!("at least {k}: the model reads as many before it fills anything");
            Error::data("complete frames before the first missing cell", first, expected)
        })?;
        let reach = last + 1 + k - first;
        Ok(Self { begin, frames: k + reach.div_ceil(c) * c, channels: d })
    }

    /// Cells `(K + m C, D)` of a window; 0 where they are missing or beyond it.
    fn cut(&self, window: &[f32]) -> Vec<f32> {
        let cells = window[self.begin * self.channels..].iter().map(|v| if v.is_nan() { 0.0 } else { *v });
        cells.chain(std::iter::repeat(0.0)).take(self.frames * self.channels).collect()
    }

    /// Whether each of those cells is known.
    fn known(&self, windows: &[f32]) -> Vec<bool> {
        let (first, most) = (self.begin * self.channels, self.frames * self.channels);
        let known = windows[first..].iter().map(|v| !v.is_nan());
        known.chain(std::iter::repeat(false)).take(most).collect()
    }

    /// A window with its missing cells in place, put back within the `limits` of each channel, which reach to what is
    /// known in the window.
    fn put(&self, window: &[f32], missing: &[usize], cells: &[f32], limits: &[[f32; 2]]) -> Vec<f32> {
        let mut limits = limits.to_vec();
        for (cell, value) in window.iter().enumerate().filter(|(_, v)| !v.is_nan()) {
            let [low, high] = &mut limits[cell % self.channels];
            (*low, *high) = (low.min(*value), high.max(*value));
        }
        let mut whole = window.to_vec();
        for (cell, value) in missing.iter().zip(cells) {
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
    /// `(1, m C D)`: the coordinates nearest to 0 that agree with what is known.
    centre: Tensor,
    /// `(1, M)`: the missing cells there.
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

    /// The missing cells: first as the autoregression expects them, then as drawn.
    fn run(&self, samples: usize, draws: Option<&Draws<'_>>, noise: &mut Noise) -> Result<Vec<Vec<f32>>> {
        let (_, width) = self.centre.dims2()?;
        let start = noise.normal((samples, width), DType::F32, &Device::Cpu)?;
        let drawn = match draws {
            None => start,
            Some(draws) => {
                let start = (start * draws.sampler.temperature)?;
                // The guidance acts on the network alone, not on what is known.
                let stops = SamplerConfig { guidance: 1.0.into(), ..draws.sampler };
                let now = RefCell::new(self.cells.broadcast_as((samples, self.cells.dim(1)?))?.contiguous()?);
                let model = |x: &Tensor, at: f64| self.velocity(x, at, draws, &now);
                Sampler::new(&stops)?.run(&model, start, noise)?
            }
        };
        let drawn = self.missing_cells(&drawn.matmul(&self.bridge.basis)?)?;
        Ok([self.cells.to_vec2::<f32>()?, drawn.to_vec2::<f32>()?].concat())
    }

    /// The velocity whose denoised estimate agrees with what is known. Contexts hold the missing cells as they are
    /// estimated `now`, which this estimate then replaces.
    fn velocity(&self, x: &Tensor, at: f64, draws: &Draws<'_>, now: &RefCell<Tensor>) -> Result<Tensor> {
        let (rows, width) = x.dims2()?;
        let [_, c, d, chunks] = self.bridge.sizes;
        let (sin, cos) = at.sin_cos();
        let latent = self.bridge.coordinates.latent();
        let contexts = self.contexts(&now.borrow().to_vec2::<f32>()?)?;
        let leading = x.reshape((rows * chunks, c * d))?.narrow(1, 0, latent)?.contiguous()?;
        let velocity = (draws.velocity)(&leading, &contexts, at)?.pad_with_zeros(1, 0, c * d - latent)?;
        let estimate = ((x * cos)? - (velocity.reshape((rows, width))? * (sin * draws.sampler.guidance()))?)?;
        let along = estimate.matmul(&self.bridge.basis)?;
        let moved = along.matmul(&self.bridge.basis_rows)?.broadcast_add(&self.centre)?;
        now.replace(self.missing_cells(&along)?);
        Ok((((x * cos)? - moved)? / sin)?)
    }

    /// The missing cells `(S, M)` at steps `(S, M)` along the plane's basis.
    fn missing_cells(&self, along: &Tensor) -> Result<Tensor> {
        Ok(along.matmul(&self.bridge.to_cells)?.broadcast_add(&self.cells)?)
    }

    /// What the network reads before each chunk, `(S m, K D)`, for missing cells `(S)(M)`.
    fn contexts(&self, cells: &[Vec<f32>]) -> Result<Tensor> {
        let [k, c, d, chunks] = self.bridge.sizes;
        let mut histories = Vec::with_capacity(cells.len() * chunks * k * d);
        let mut frames = self.frames.clone();
        for row in cells {
            self.bridge.missing.iter().zip(row).for_each(|(cell, value)| frames[*cell] = *value);
            (0..chunks).for_each(|i| histories.extend_from_slice(&frames[i * c * d..(i * c + k) * d]));
        }
        let width = self.bridge.coordinates.fit().feature_width();
        let features = self.bridge.coordinates.fit().features(&histories)?;
        let features = Tensor::from_vec(features, (cells.len() * chunks, width), &Device::Cpu)?;
        Ok(features.narrow(1, 0, width - 1)?.contiguous()?)
    }
}
