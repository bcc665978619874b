//! Analogue forecasting: the past that looked most like now, and what followed then.
//!
//! Lorenz, "Atmospheric predictability as revealed by naturally occurring analogues", J. Atmos. Sci. 26, 1969; with the
//! difference between now and then carried over at first (the constant-difference operator of Lguensat et al., "The
//! analog data assimilation", Mon. Weather Rev. 145, 2017, section 2, here faded out).

use super::spec::{Baseline, BaselineRun, delta_std};
use crate::error::{Error, Result};
use crate::forecast::roll::in_tiles;
use crate::forecast::{Forecaster, Request, WindowArray};
use crate::noise::Noise;
use crate::settings::Settings;
use candle_core::{D, Device, Tensor};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Frames of which the query is made: the last one and how it came from the one before.
const CONTEXT: usize = 2;

/// Copies the continuation of one of the nearest training moments, segment by segment.
#[derive(Debug, Clone)]
pub(crate) struct Analogue {
    /// `(N, 2 D)`: last frame and delta, each in its own scale.
    keys: Tensor,
    /// `(N,)`: half the squared lengths of the keys.
    lengths: Tensor,
    /// `(N, segment + 1, D)`: the last frame and what followed.
    futures: Vec<f32>,
    /// `(2 D,)`.
    scale: Vec<f32>,
    neighbours: usize,
    segment: usize,
    fade: usize,
    channels: usize,
}

impl Analogue {
    /// From training windows with a context of 2 frames or more and a future of one segment. A delta counts
    /// `velocity_weight` times its deviation in units of `delta_std` (one number a channel), a frame in z units; one of
    /// the `neighbours` nearest is taken at random; the difference to it is faded out linearly over `fade` frames.
    ///
    /// # Errors
    /// [`Error::Data`] when there are fewer windows than neighbours; [`Error::Config`] when there are no neighbours.
    pub fn new(
        windows: &WindowArray,
        delta_std: &[f32],
        velocity_weight: f64,
        neighbours: usize,
        fade: usize,
    ) -> Result<Self> {
        let (n, d) = (windows.len(), windows.channels);
        if neighbours == 0 {
            return Err(Error::config("neighbours", neighbours, "at least 1"));
        }
        if n < neighbours || windows.context < CONTEXT {
            let expected = format!("at least {neighbours}, with a context of {CONTEXT} frames");
            return Err(Error::data("training windows of `analogue`", n, expected));
        }
        let scale: Vec<f32> =
            (0..2 * d).map(|i| if i < d { 1.0 } else { velocity_weight as f32 / delta_std[i - d] }).collect();
        let recent = windows.cut(windows.context - CONTEXT, CONTEXT);
        let keys = Tensor::from_vec(queries(&recent, &scale, d), (n, 2 * d), &Device::Cpu)?;
        let lengths = (keys.sqr()?.sum(D::Minus1)? * 0.5)?;
        let futures = windows.cut(windows.context - 1, windows.future + 1);
        Ok(Self { keys, lengths, futures, scale, neighbours, segment: windows.future, fade, channels: d })
    }
}

/// Settings. The defaults were chosen on validation episodes: `benches/quality/forecast.md`, Tuning.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AnalogueConfig {
    /// Nearest moments of which one is taken.
    neighbours: usize,
    /// Frames copied before the next search.
    segment: usize,
    /// Frames over which the difference to the neighbour is faded out.
    fade: usize,
    /// Weight of a velocity's deviation against a position's.
    velocity_weight: f64,
}

/// The row of `analogue`.
pub(super) struct AnalogueBaseline;

impl Baseline for AnalogueBaseline {
    fn name(&self) -> &str {
        "analogue"
    }

    fn settings(&self) -> Result<Value> {
        AnalogueConfig { neighbours: 20, segment: 50, fade: 8, velocity_weight: 0.1 }.as_json()
    }

    fn check(&self, settings: &Value) -> Result<()> {
        AnalogueConfig::from_json(settings).map(|_| ())
    }

    fn fit(&self, settings: &Value, run: &mut BaselineRun<'_>) -> Result<Box<dyn Forecaster + Sync>> {
        let config = AnalogueConfig::from_json(settings)?;
        let windows = run.dataset.windows(&run.dataset.split.train, CONTEXT, config.segment, 1)?;
        let scale = delta_std(run.dataset);
        Ok(Box::new(Analogue::new(&windows, &scale, config.velocity_weight, config.neighbours, config.fade)?))
    }
}

/// Last frames and scaled deltas of rows of 2 frames.
fn queries(rows: &[f32], scale: &[f32], d: usize) -> Vec<f32> {
    let row = |row: &[f32]| {
        let (before, last) = row.split_at(d);
        let delta = last.iter().zip(before).map(|(a, b)| a - b);
        last.iter().copied().chain(delta).zip(scale).map(|(v, s)| v * s).collect::<Vec<f32>>()
    };
    rows.chunks_exact(CONTEXT * d).flat_map(row).collect()
}

impl Forecaster for Analogue {
    fn name(&self) -> &str {
        "analogue"
    }

    fn context_frames(&self) -> usize {
        CONTEXT
    }

    fn parameters(&self) -> usize {
        0
    }

    fn evaluations_per_chunk(&self) -> usize {
        0
    }

    fn forecast(&self, history: &Tensor, request: &Request, noise: &mut Noise) -> Result<Tensor> {
        let (d, horizon) = (self.channels, request.horizon);
        in_tiles(history, request, noise, [CONTEXT, d], |tile, noise| {
            let rows = tile.len() / (CONTEXT * d);
            let mut recent = tile.to_vec();
            let mut futures = vec![0f32; rows * horizon * d];
            for begun in (0..horizon).step_by(self.segment) {
                let kept = self.segment.min(horizon - begun);
                let query = Tensor::from_vec(queries(&recent, &self.scale, d), (rows, 2 * d), &Device::Cpu)?;
                // Half the squared distance without what is the query's own.
                let away = query.matmul(&self.keys.t()?)?.neg()?.broadcast_add(&self.lengths)?.to_vec2::<f32>()?;
                let draw = noise.next_draw();
                for (r, away) in away.iter().enumerate() {
                    let mut order: Vec<usize> = (0..away.len()).collect();
                    let last = self.neighbours - 1;
                    order.select_nth_unstable_by(last, |a, b| away[*a].total_cmp(&away[*b]));
                    // The set is the same whatever order the selection left it in; sorting makes the choice so too.
                    order[..=last].sort_unstable();
                    let mut u = [0.0];
                    draw.uniform(r as u64, &mut u);
                    let chosen = order[((u[0] * self.neighbours as f64) as usize).min(last)];
                    let then = &self.futures[chosen * (self.segment + 1) * d..][..(self.segment + 1) * d];
                    let now = &recent[(r * CONTEXT + 1) * d..][..d];
                    let out = &mut futures[(r * horizon + begun) * d..][..kept * d];
                    for (t, frame) in out.chunks_exact_mut(d).enumerate() {
                        let part = (1.0 - (t + 1) as f32 / (self.fade + 1) as f32).max(0.0);
                        for (c, value) in frame.iter_mut().enumerate() {
                            *value = then[(t + 1) * d + c] + part * (now[c] - then[c]);
                        }
                    }
                }
                for (r, row) in recent.chunks_exact_mut(CONTEXT * d).enumerate() {
                    let end = begun + kept;
                    let drawn = &futures[(r * horizon + end.saturating_sub(CONTEXT)) * d..(r * horizon + end) * d];
                    super::latent::slide(row, drawn);
                }
            }
            Ok(futures)
        })
    }
}
