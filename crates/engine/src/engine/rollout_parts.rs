//! What a rollout is made of.

use super::linear::Linear;
use super::packed::PackedMlp;
use crate::error::{Error, Result};
use std::sync::Arc;

/// One stop on the way down the noise levels: `x <- keep * x - pull * velocity + push * velocity before + fresh * n`.
/// The velocity is taken at this level, the one before at the stop before; `n` is standard normal.
#[derive(Debug, Clone, PartialEq)]
pub struct RolloutStop {
    /// What the level adds to the network's first layer, `(H,)`.
    pub shift: Vec<f32>,
    /// Multiplies the coordinates.
    pub keep: f32,
    /// Multiplies the velocity, which is taken away.
    pub pull: f32,
    /// Multiplies the velocity of the stop before, which is added; 0 at the first stop.
    pub push: f32,
    /// Standard deviation of the noise drawn anew, in units of [`Rollout::temperature`].
    pub fresh: f32,
    /// Multiplies the coordinates in the denoised estimate, `scale * x - slope * velocity`.
    pub scale: f32,
    /// Multiplies the velocity there.
    pub slope: f32,
    /// Variance of the data about the estimate, were they standard normal.
    pub variance: f64,
}

/// A model that continues motion of `channels` channels chunk by chunk.
#[derive(Debug, Clone)]
pub struct Rollout {
    /// Channels, `D`.
    pub channels: usize,
    /// Frames of context, `K`, at least 2.
    pub context: usize,
    /// Frames a chunk, `C`.
    pub chunk: usize,
    /// Standard deviation of each channel's difference of neighbouring frames, by which differences are divided.
    pub delta_std: Vec<f32>,
    /// Differences are limited to plus or minus this.
    pub delta_limit: f32,
    /// Features (last frame, `K - 1` differences) to the first layer's part, `(H, K D)`, bias included.
    pub to_first: Arc<Linear>,
    /// Features to the expected chunk less the last frame, `(C D, K D)`.
    pub to_expected: Arc<Linear>,
    /// Coordinates to the chunk's deviation from what is expected, `(C D, C D)`.
    pub to_frames: Arc<Linear>,
    /// The network over the leading coordinates.
    pub network: Arc<PackedMlp>,
    /// Multiplies the network's gradient.
    pub gain: f32,
    /// Scale of the leading coordinates' noise.
    pub temperature: f32,
    /// The levels, noisiest first.
    pub stops: Vec<RolloutStop>,
}

impl Rollout {
    /// Checks that the model's parts fit each other.
    pub(super) fn check(&self) -> Result<()> {
        let (row, width) = (self.context * self.channels, self.chunk * self.channels);
        let latent = self.network.layers().inputs();
        let first = self.network.layers().hidden[0].outputs;
        let fits = |what, found: Vec<usize>, expected: &[usize]| {
            let told = || format!("{expected:?}");
            if found == expected { Ok(()) } else { Err(Error::Shape { what, found, expected: told() }) }
        };
        let shape = |l: &Linear| vec![l.outputs(), l.inputs()];
        if row == 0 || width == 0 {
            let (found, expected) = (vec![self.channels, self.context, self.chunk], "at least 1 of each".into());
            return Err(Error::Shape { what: "channels, context and chunk of a rollout", found, expected });
        }
        if latent > width {
            let (what, expected) = ("coordinates of a rollout's network", format!("at most {width}"));
            return Err(Error::Shape { what, found: vec![latent], expected });
        }
        fits("deviations of a rollout's differences", vec![self.delta_std.len()], &[self.channels])?;
        fits("features to a rollout's first layer", shape(&self.to_first), &[first, row])?;
        fits("features to a rollout's expected chunk", shape(&self.to_expected), &[width, row])?;
        fits("coordinates to a rollout's frames", shape(&self.to_frames), &[width, width])?;
        self.stops.iter().try_for_each(|stop| fits("shift of a rollout's stop", vec![stop.shift.len()], &[first]))
    }
}
