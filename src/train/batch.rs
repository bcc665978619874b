//! What is learned from.

use crate::error::Result;
use crate::noise::Noise;
use candle_core::{Device, Tensor};

/// A batch of training examples.
#[derive(Debug, Clone)]
pub struct Batch {
    /// `(B, *S)`: what the energy is learned over.
    pub x: Tensor,
    /// `(B, *C)`: what it is conditional on, if on anything.
    pub context: Option<Tensor>,
    /// `(B, *S)`: where a fresh chain begins, for objectives that run chains; what noise is added to, for denoising
    /// that recovers.
    pub start: Option<Tensor>,
}

impl Batch {
    /// The same batch on a device.
    ///
    /// # Errors
    /// [`crate::Error::Tensor`] when the device has no room.
    pub fn to_device(&self, device: &Device) -> Result<Self> {
        let there = |t: &Option<Tensor>| t.as_ref().map(|t| t.to_device(device)).transpose();
        Ok(Self { x: self.x.to_device(device)?, context: there(&self.context)?, start: there(&self.start)? })
    }
}

/// Where batches come from, on whatever device: the trainer brings them to the weights'.
pub trait BatchSource {
    /// A random training batch; a pure function of the noise.
    ///
    /// # Errors
    /// When the batch cannot be assembled.
    fn batch(&self, size: usize, noise: &mut Noise) -> Result<Batch>;

    /// The held-out examples on which progress is judged, the same at every call; `None` where none are held out.
    ///
    /// # Errors
    /// When the batch cannot be assembled.
    fn validation(&self) -> Result<Option<Batch>>;
}
