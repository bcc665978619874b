//! A recurrent network with a mixture over the next frame.

use crate::error::{Error, Result};
use crate::forecast::roll::in_tiles;
use crate::forecast::{Forecaster, Request};
use crate::model::{Generative, GruMixture};
use crate::noise::Noise;
use candle_core::{Device, Tensor};

/// Reads the context frame by frame, then draws frame after frame from the mixture of its state.
#[derive(Debug, Clone)]
pub struct Recurrent {
    net: GruMixture,
    context: usize,
    channels: usize,
}

impl Recurrent {
    /// Reads `context` frames, at least 2, of `channels` channels.
    ///
    /// # Errors
    /// [`Error::Config`] for a shorter context.
    pub fn new(net: GruMixture, context: usize, channels: usize) -> Result<Self> {
        if context < 2 {
            return Err(Error::config("context of gru_mdn", context, "at least 2"));
        }
        Ok(Self { net, context, channels })
    }
}

impl Forecaster for Recurrent {
    fn name(&self) -> &str {
        "gru_mdn"
    }

    fn context_frames(&self) -> usize {
        self.context
    }

    fn parameters(&self) -> usize {
        self.net.parameters().count()
    }

    fn evaluations_per_chunk(&self) -> usize {
        1
    }

    fn forecast(&self, history: &Tensor, request: &Request, noise: &mut Noise) -> Result<Tensor> {
        let (k, d, horizon) = (self.context, self.channels, request.horizon);
        in_tiles(history, request, noise, [k, d], |tile, noise| {
            let rows = tile.len() / (k * d);
            let past = Tensor::from_slice(tile, (rows, k, d), &Device::Cpu)?;
            let at = |t: usize| Ok::<_, Error>(past.narrow(1, t, 1)?.squeeze(1)?.contiguous()?);
            let mut state = self.net.silent(rows)?;
            let mut frame = at(0)?;
            for t in 1..k {
                let next = at(t)?;
                state = self.net.step(&state, &frame, &next)?.detach();
                frame = next;
            }
            let mut drawn = Vec::with_capacity(horizon);
            for t in 0..horizon {
                let next = self.net.next(&state, &frame, noise)?.detach();
                if t + 1 < horizon {
                    state = self.net.step(&state, &frame, &next)?.detach();
                }
                frame = next.clone();
                drawn.push(next);
            }
            let futures = Tensor::stack(&drawn, 1)?.flatten_all()?.to_vec1::<f32>()?;
            match futures.iter().position(|v| !v.is_finite()) {
                Some(i) => {
                    let (what, value) = ("forecast of `gru_mdn`".to_string(), f64::from(futures[i]));
                    Err(Error::NonFinite { what, value, step: (i / d % horizon) as u64 })
                }
                None => Ok(futures),
            }
        })
    }
}
