//! The shape of a network over a chunk's coordinates.

use super::coordinates::ResidualCoordinates;
use crate::error::{Error, Result};
use crate::model::{Activation, MlpConfig, Positions};
use serde::{Deserialize, Serialize};

/// Neighbours on either side that a position sees.
const REACH: usize = 1;

/// First layers that are convolutions over a chunk's time, so that what a movement looks like is learned once for all
/// moments of a chunk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Convolution {
    /// Frames of a position, at least 1: as many, or less where that does not divide the chunk. A position sees its neighbours
    /// on either side.
    pub patch: usize,
    /// For each of these layers, numbers that a position gives.
    pub filters: Vec<usize>,
}

impl Default for Convolution {
    fn default() -> Self {
        Self { patch: 4, filters: vec![128] }
    }
}

impl Convolution {
    /// Positions of a chunk of `frames`.
    fn positions(&self, frames: usize) -> usize {
        let patch = (1..=self.patch.min(frames)).rev().find(|p| frames.is_multiple_of(*p)).unwrap_or(1);
        frames / patch
    }
}

/// The coordinates that such a network is over: told by frames where it convolves over them.
///
/// # Errors
/// [`Error::Config`] for a convolution that is none.
pub(crate) fn coordinates(
    principal: ResidualCoordinates,
    convolution: Option<&Convolution>,
) -> Result<ResidualCoordinates> {
    match convolution {
        None => Ok(principal),
        Some(c) if c.patch == 0 || c.filters.is_empty() || c.filters.contains(&0) => {
            let found = format!("patches of {} frames, filters {:?}", c.patch, c.filters);
            Err(Error::config("convolution", found, "at least 1 frame, one layer and one filter; null for none"))
        }
        Some(_) => principal.by_frames(),
    }
}

/// A network of the leading coordinates and the context, with one output: `convolution`'s layers, then fully connected ones of
/// the widths `hidden`.
pub(crate) fn over(
    coordinates: &ResidualCoordinates,
    convolution: Option<&Convolution>,
    hidden: &[usize],
) -> MlpConfig {
    let count = convolution.map_or(1, |c| c.positions(coordinates.fit().chunk()));
    let filters = convolution.map_or(&[][..], |c| &c.filters);
    MlpConfig {
        inputs: coordinates.latent(),
        context: coordinates.context_width(),
        hidden: filters.iter().map(|f| f * count).chain(hidden.iter().copied()).collect(),
        positions: convolution.map(|_| Positions { count, reach: vec![REACH; filters.len()] }),
        outputs: 1,
        activation: Activation::Swish,
        spectral_norm: false,
    }
}
