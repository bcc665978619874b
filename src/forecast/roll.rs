//! What forecasters that draw samples share: the batch cut into tiles of chains, one worker a tile.

use super::Request;
use crate::error::{Error, Result};
use crate::noise::Noise;
use candle_core::{Device, Tensor};
use ebmotion_engine::parallel;

/// Chains that one worker rolls out together.
const TILE: usize = 256;

/// Draws every sample of every window as a chain of its own, numbered `window * samples + sample`.
///
/// `roll_out` gets the contexts of some chains, `(R, frames, channels)`, and their noise, and answers with their
/// futures, `(R, horizon, channels)`. The answer does not depend on the number of workers.
///
/// # Errors
/// As [`Request::contexts`] and [`Request::check`]; whatever `roll_out` returns.
pub(super) fn in_tiles(
    history: &Tensor,
    request: &Request,
    noise: &mut Noise,
    [frames, channels]: [usize; 2],
    roll_out: impl Fn(&[f32], &mut Noise) -> Result<Vec<f32>> + Sync,
) -> Result<Tensor> {
    request.check()?;
    let (batch, contexts) = Request::contexts(history, frames, channels)?;
    let width = frames * channels;
    let base = noise.split_off();
    let tiles = parallel::tiles(batch * request.samples, TILE, |chains| {
        let first = chains.start as u64;
        let windows = chains.map(|chain| chain / request.samples);
        let tile: Vec<f32> = windows.flat_map(|w| &contexts[w * width..(w + 1) * width]).copied().collect();
        roll_out(&tile, &mut base.from_chain(first))
    })?;
    let shape = (batch, request.samples, request.horizon, channels);
    Ok(Tensor::from_vec(tiles.concat(), shape, &Device::Cpu)?)
}

/// Where the chunks of a future of `horizon` frames begin; the last one ends with the future and may overlap the one
/// before it.
pub(super) fn chunk_starts(horizon: usize, chunk: usize) -> Vec<usize> {
    (0..horizon.div_ceil(chunk)).map(|c| (c * chunk).min(horizon - chunk)).collect()
}

/// Horizon of `future`, which must be `(batch, H, channels)` with at least one chunk.
///
/// # Errors
/// [`Error::Shape`] otherwise.
pub(super) fn check_future(future: &Tensor, batch: usize, channels: usize, chunk: usize) -> Result<usize> {
    match *future.dims() {
        [b, horizon, d] if b == batch && d == channels && horizon >= chunk => Ok(horizon),
        _ => Err(Error::Shape {
            what: "future",
            found: future.dims().to_vec(),
            expected: format!("({batch}, H, {channels}) with H at least {chunk}"),
        }),
    }
}
