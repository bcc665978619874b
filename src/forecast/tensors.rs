//! The default model's rollouts as tensor operations: the specification of what the engine does, and the way on a
//! device other than the CPU.

use super::baseline::DELTA_LIMIT;
use super::condition_tensors::Here;
use super::conditions::{ForecastConditions, Units};
use super::lookahead::Seen;
use super::{Request, ResidualCoordinates};
use crate::error::{Error, Result};
use crate::model::{LevelEnergy, Parameters};
use crate::noise::Noise;
use crate::sample::diffusion::{Sampler, SamplerConfig};
use candle_core::{DType, Device, Tensor};

/// Chains rolled out together: enough to fill a GPU, few enough for its memory.
const TILE: usize = 65_536;

/// Coordinates, energy and sampler on one device.
#[derive(Debug, Clone)]
pub(super) struct TensorRollout {
    energy: LevelEnergy,
    sampler: SamplerConfig,
    /// `(1, 1, D)`.
    delta_std: Tensor,
    /// `(F, C D)`: regression without its constant.
    coefficients: Tensor,
    /// `(1, C D)`: its constant.
    constant: Tensor,
    /// `(1, C D)`.
    mean: Tensor,
    /// `(C D, C D)`.
    colour: Tensor,
    /// Context, chunk, channels and leading coordinates.
    sizes: [usize; 4],
}

impl TensorRollout {
    /// Copies what a rollout needs to `device`; `energy`'s weights are already there.
    ///
    /// # Errors
    /// [`Error::Tensor`] when the device has no room.
    pub(super) fn new(
        coordinates: &ResidualCoordinates,
        energy: LevelEnergy,
        sampler: SamplerConfig,
        device: &Device,
    ) -> Result<Self> {
        let fit = coordinates.fit();
        let (width, features) = (coordinates.width(), coordinates.context_width());
        let all = Tensor::from_slice(fit.coefficients(), (features + 1, width), &Device::Cpu)?.to_dtype(DType::F32)?;
        let (mean, colour) = coordinates.colouring();
        Ok(Self {
            delta_std: Tensor::from_slice(fit.delta_std(), (1, 1, fit.channels()), device)?,
            coefficients: all.narrow(0, 0, features)?.to_device(device)?.contiguous()?,
            constant: all.narrow(0, features, 1)?.to_device(device)?.contiguous()?,
            mean: mean.to_device(device)?,
            colour: colour.to_device(device)?,
            sizes: [fit.context(), fit.chunk(), fit.channels(), coordinates.latent()],
            energy,
            sampler,
        })
    }

    fn parameters(&self) -> &Parameters {
        self.energy.parameters()
    }

    /// Futures `(B, S, H, D)` of contexts `(B, K, D)`, in the same places and from the same noise as
    /// [`ebmotion_engine::engine::Rollout::run`].
    ///
    /// # Errors
    /// [`Error::NonFinite`] when a chain diverges.
    pub(super) fn run(
        &self,
        contexts: &[f32],
        request: &Request,
        (conditions, units, seen): (&ForecastConditions, &Units, &[Option<Seen>]),
        noise: &Noise,
    ) -> Result<Vec<f32>> {
        let [k, _, d, _] = self.sizes;
        let width = k * d;
        let chains = contexts.len() / width * request.samples;
        let mut futures = Vec::with_capacity(chains * request.horizon * d);
        for first in (0..chains).step_by(TILE) {
            let windows: Vec<usize> = (first..chains.min(first + TILE)).map(|chain| chain / request.samples).collect();
            let tile: Vec<f32> = windows.iter().flat_map(|w| &contexts[w * width..(w + 1) * width]).copied().collect();
            let rows = tile.len() / width;
            let mut history = Tensor::from_vec(tile, (rows, k, d), &self.parameters().device())?;
            let mut noise = noise.from_chain(first as u64);
            let mut drawn = Vec::new();
            for c in 0..request.horizon.div_ceil(self.sizes[1]) {
                let here = Here {
                    first: c * self.sizes[1],
                    chunk: self.sizes[1],
                    seen: seen.get(c).and_then(Option::as_ref),
                    conditions,
                    units,
                };
                let chunk = self.chunk((&history, &windows), &here, &mut noise)?;
                let frames = Tensor::cat(&[&history, &chunk], 1)?;
                history = frames.narrow(1, frames.dim(1)? - k, k)?.contiguous()?;
                drawn.push(chunk);
            }
            futures.extend(Tensor::cat(&drawn, 1)?.narrow(1, 0, request.horizon)?.flatten_all()?.to_vec1::<f32>()?);
        }
        let frame = |at: usize| (at / d % request.horizon) as u64;
        match futures.iter().enumerate().find(|(_, v)| !v.is_finite()) {
            Some((at, bad)) => {
                let what = "forecast of `ebm`".to_string();
                Err(Error::NonFinite { what, value: f64::from(*bad), step: frame(at) })
            }
            None => Ok(futures),
        }
    }

    /// One chunk `(R, C, D)` after histories `(R, K, D)` of the numbers `windows` `(R,)`.
    fn chunk(&self, (history, windows): (&Tensor, &[usize]), here: &Here<'_>, noise: &mut Noise) -> Result<Tensor> {
        let [k, chunk, d, latent] = self.sizes;
        let rows = history.dim(0)?;
        let last = history.narrow(1, k - 1, 1)?;
        let deltas = (history.narrow(1, 1, k - 1)? - history.narrow(1, 0, k - 1)?)?.broadcast_div(&self.delta_std)?;
        let limit = f64::from(DELTA_LIMIT);
        let context = Tensor::cat(&[&last, &deltas.clamp(-limit, limit)?], 1)?.reshape((rows, k * d))?;
        let expected = context.matmul(&self.coefficients)?.broadcast_add(&self.constant)?;
        let start = noise.normal((rows, chunk * d), DType::F32, history.device())?;
        let leading = (start.narrow(1, 0, latent)?.contiguous()? * self.sampler.temperature)?;
        let conditioned = self.energy.conditioned(Some(&context), rows)?;
        let model = |x: &Tensor, t: f64| conditioned.at(t)?.velocity(x);
        let sampler = Sampler::new(&self.sampler)?;
        let base =
            (expected.broadcast_add(&self.mean)? + last.broadcast_as((rows, chunk, d))?.reshape((rows, chunk * d))?)?;
        let rest = chunk * d - latent;
        let coordinates = match here.conditions(&self.colour, &base, (history, windows))? {
            None => {
                let x = sampler.run(&model, leading, noise)?;
                if rest == 0 { x } else { Tensor::cat(&[&x, &start.narrow(1, latent, rest)?.contiguous()?], 1)? }
            }
            // Conditions move all coordinates. Those beyond the leading ones are standard normal; the last level leaves
            // them as they are, as it does without conditions.
            Some(found) => {
                let start = Tensor::cat(&[&leading, &start.narrow(1, latent, rest)?], 1)?;
                let end = self.sampler.end();
                let all = |x: &Tensor, t: f64| -> Result<Tensor> {
                    let velocity = model(&x.narrow(1, 0, latent)?.contiguous()?, t)?;
                    let beyond = x.narrow(1, latent, rest)?;
                    let factor = if t <= end { (t.cos() - 1.0) / t.sin() } else { 0.0 };
                    Ok(Tensor::cat(&[&velocity, &(beyond * factor)?], 1)?)
                };
                let conditions = found.for_sampler();
                sampler.given(conditions).run(&all, start, noise)?
            }
        };
        let residual = (coordinates.matmul(&self.colour)?.broadcast_add(&self.mean)? + expected)?;
        Ok(residual.reshape((rows, chunk, d))?.broadcast_add(&last)?)
    }
}
