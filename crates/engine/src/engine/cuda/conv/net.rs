//! A network on a GPU, and what a batch leaves there.

use super::kernels::{Act, Map, Rows};
use super::plan::{Between, GpuState};
use super::pool::{Array, Pool, address};
use crate::engine::Nonlinearity;
use crate::engine::conv::{ConvLayers, Reach, Stage};
use crate::engine::cuda::Mode;
use crate::error::{Error, Result};
use candle_core::cuda_backend::CudaDevice;
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaView};
use std::rc::Rc;

/// A network's numbers on the GPU, all in f32.
#[derive(Debug)]
pub struct Numbers<'a> {
    /// Weights of each filter of each stage, `(outputs, rows, columns, inputs)`: channels innermost.
    pub filters: Vec<CudaView<'a, f32>>,
    /// The head's weight, `(channels,)`.
    pub head: CudaView<'a, f32>,
    /// Modulations, `(images, modulations)` or one row ([`ConvLayers::modulations`]).
    pub rows: CudaView<'a, f32>,
    /// Each image has a row of its own.
    pub each: bool,
}

/// What a stage keeps for the way down.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) from: Map,
    pub(super) to: Map,
    pub(super) filters: Vec<Between>,
    /// First place of its modulations.
    pub(super) first: usize,
    /// What came in, where it came from the stage before.
    pub(super) before: Option<Rc<Array>>,
    /// What the first convolution read, where that is not what came in.
    pub(super) read: Option<Array>,
    /// Within a block: sums of the first convolution, what the second one read.
    pub(super) inner: Option<(Array, Option<Array>)>,
    /// The last sums as they were before the gain, where the weights are to be learned.
    pub(super) sums: Option<Array>,
    /// The last sums as the activation reads them.
    pub(super) z: Array,
}

/// A batch on its way: what stands between up and down.
#[derive(Debug)]
pub struct Up {
    pub(super) x: u64,
    pub(super) images: usize,
    pub(super) learns: bool,
    pub(super) stages: Vec<Kept>,
    pub(super) last: Rc<Array>,
    /// Sums over pixels of the rectified channels, `(images, channels)`.
    pub(super) sums: Array,
}

/// Gradients of a weighted sum of energies.
#[derive(Debug)]
pub struct ConvGradients {
    /// In the images, channels innermost, where they were asked for.
    pub x: Option<CudaSlice<f32>>,
    /// In each filter, laid as [`Numbers::filters`]; none unless the way up was for learning.
    pub filters: Vec<CudaSlice<f32>>,
    /// In the modulations, `(images, modulations)`; as the filters.
    pub rows: Option<CudaSlice<f32>>,
}

/// A network on a GPU: its shape, and memory. What it computes is a function of the weights that each call brings.
#[derive(Debug, Clone)]
pub struct Net {
    pub(super) layers: ConvLayers,
    pub(super) mode: Mode,
    pub(super) pool: Pool,
}

pub(super) fn act(of: Nonlinearity) -> Act {
    match of {
        Nonlinearity::Swish => Act(2, 0.0),
        Nonlinearity::Leaky(leak) => Act(1, leak),
    }
}

impl Net {
    /// The network of these shapes (the weights within are not read).
    pub fn new(layers: ConvLayers, mode: Mode, pool: Pool) -> Self {
        Self { layers, mode, pool }
    }

    pub(super) fn take(&self, gpu: &GpuState, map: Map) -> Result<Array> {
        self.pool.take(&gpu.device, map.numbers())
    }

    pub(super) fn rectify(&self) -> i32 {
        self.layers.rectify.map_or(0, |of| act(of).0)
    }

    pub(super) fn rows(&self, gpu: &GpuState, numbers: &Numbers<'_>) -> Rows {
        Rows(address(&gpu.device, &numbers.rows), self.layers.modulations() as i32, numbers.each.into())
    }

    pub(super) fn check(&self, x: &CudaView<'_, f32>, numbers: &Numbers<'_>) -> Result<usize> {
        let wrong = |what, found: usize, expected: String| Err(Error::Shape { what, found: vec![found], expected });
        let images = x.len() / self.layers.numbers();
        if images == 0 || x.len() != images * self.layers.numbers() {
            return wrong("images", x.len(), format!("whole images of {} numbers", self.layers.numbers()));
        }
        self.fits(images, numbers)?;
        Ok(images)
    }

    /// Compares the numbers of so many images with the network's shapes.
    pub(super) fn fits(&self, images: usize, numbers: &Numbers<'_>) -> Result<()> {
        let wrong = |what, found: usize, expected: String| Err(Error::Shape { what, found: vec![found], expected });
        let rows = if numbers.each { images } else { 1 } * self.layers.modulations();
        if numbers.rows.len() != rows {
            return wrong("modulations", numbers.rows.len(), format!("{rows}"));
        }
        let (mut from, mut weights) = ((self.layers.height, self.layers.width), numbers.filters.iter());
        for stage in &self.layers.stages {
            for filter in stage.filters() {
                let taps = match filter.reach {
                    Reach::Window { kernel, .. } => kernel * kernel,
                    Reach::Whole => from.0 * from.1,
                };
                let expected = filter.inputs * filter.outputs * taps;
                let found = weights.next().map_or(0, CudaView::len);
                if found != expected {
                    return wrong("weight of a convolution", found, format!("{expected}"));
                }
            }
            from = stage.size(from);
        }
        let channels = self.layers.stages.last().map_or(0, Stage::outputs);
        if numbers.head.len() != channels || weights.next().is_some() {
            return wrong("head of a network", numbers.head.len(), format!("{channels}, behind the last filter"));
        }
        Ok(())
    }
}

impl Up {
    /// Sums over pixels of the rectified channels, `(images, channels)`: the energy is their product with the head, and
    /// its bias.
    pub fn sums(&self, device: &CudaDevice) -> Result<CudaSlice<f32>> {
        Ok(self.sums.copy(device)?)
    }
}
