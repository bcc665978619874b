//! Settings that depend on how much motion there is: the length of a chunk and of a training, and how chunks are drawn.
//!
//! A long chunk is one draw from start to end of a movement, where short ones each add their own error; but the
//! covariance of its numbers has to be known, and many passes over few windows learn them by heart. Chosen on
//! validation episodes (`benches/quality/forecast.md`, Tuning).

use crate::sample::diffusion::SamplerConfig;

/// Frames of a chunk: from the first to the second, in steps of the first.
pub(super) const CHUNK: [usize; 2] = [8, 32];
/// Noise angle at which the longest chunks' samplers end; shorter ones' by the square root of their length.
const END: f64 = 0.67;
/// End and guidance of the sampler of missing cells, as a share of those of forecasts (`benches/quality/fill.md`).
const FILLING: f64 = 0.5;
/// Guidance without any motion to learn from, as it were, and of the longest chunks; linear in the frames a channel
/// between, which is in the square of a chunk's length.
const GUIDANCE: [f64; 2] = [0.65, 1.5];
/// Passes over the training windows, where the steps are not given, and steps at least and at most.
const WHITENED: (u64, [u64; 2]) = (30, [1000, 12_000]);
/// The same where all weights learn by Adam, whose steps cost less and do less.
const ADAM: (u64, [u64; 2]) = (50, [4500, 20_000]);

/// These settings with the end and the guidance in place that are left to the length of a chunk. A network that learned
/// from little, by heart, is followed less than it asks for; one that learned from much, and was held back, more.
pub(crate) fn sampler(asked: SamplerConfig, chunk: usize) -> SamplerConfig {
    let share = longest(chunk);
    let end = asked.end.or(END * share.sqrt());
    let guidance = asked.guidance.or(GUIDANCE[0] + (GUIDANCE[1] - GUIDANCE[0]) * share.powi(2));
    SamplerConfig { end: end.into(), guidance: guidance.into(), ..asked }
}

/// How missing cells are drawn by a model whose forecasts are drawn so: what is known after them leaves fewer ways to
/// go, so the sampler goes nearer to the data, and the network is followed half as far from 1.
pub(super) fn filling(forecasts: SamplerConfig) -> SamplerConfig {
    let (end, guidance) = (FILLING * forecasts.end(), 1.0 + FILLING * (forecasts.guidance() - 1.0));
    SamplerConfig { end: end.into(), guidance: guidance.into(), ..forecasts }
}

/// A chunk's length as a share of the longest.
fn longest(chunk: usize) -> f64 {
    (chunk as f64 / CHUNK[1] as f64).min(1.0)
}

/// `asked` for chunks of 8 frames, less by the square of the length for longer ones: they are fed what was predicted
/// less often, and hold more of a movement in themselves.
pub(crate) fn context_noise(asked: f64, chunk: usize) -> f64 {
    asked * (8.0 / chunk as f64).powi(2).min(1.0)
}

/// Training steps for as many windows.
pub(crate) fn steps(windows: usize, batch: usize, whitened: bool) -> u64 {
    let (passes, [least, most]) = if whitened { WHITENED } else { ADAM };
    (passes * windows as u64).div_ceil(batch.max(1) as u64).clamp(least, most)
}
