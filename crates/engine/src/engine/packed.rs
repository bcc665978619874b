//! A network's weights, packed.

use super::layers::{Layer, Layers};
use super::small_batch::SmallBatch;
use super::spread::Spread;
use crate::error::Result;
use crate::parallel;
use crate::simd::Isa;
use std::sync::OnceLock;

/// A network's weights as the engine reads them. Made once per change of the weights.
///
/// Each of the two layouts is made when it is first needed: one for tiles of chains, one for a few chains.
#[derive(Debug)]
pub struct PackedMlp {
    isa: Isa,
    layers: Layers,
    wide: OnceLock<Vec<(Spread, Spread)>>,
    small_batch: OnceLock<Vec<SmallBatch>>,
}

impl PackedMlp {
    /// Packs `layers` for this machine.
    ///
    /// # Errors
    /// As [`Layers::check`].
    pub fn new(layers: Layers) -> Result<Self> {
        Self::at_isa(layers, Isa::best())
    }

    pub(crate) fn at_isa(layers: Layers, isa: Isa) -> Result<Self> {
        layers.check()?;
        Ok(Self { isa, layers, wide: OnceLock::new(), small_batch: OnceLock::new() })
    }

    /// The weights in the open.
    pub fn layers(&self) -> &Layers {
        &self.layers
    }

    pub(crate) fn isa(&self) -> Isa {
        self.isa
    }

    /// Makes the layout for tiles on so many threads, before workers need it, who would make it on one.
    pub(super) fn widen(&self, threads: usize) -> &[(Spread, Spread)] {
        let hidden = &self.layers.hidden;
        let pack = |l: usize| Spread::pack(self.isa, &hidden[l]);
        self.wide.get_or_init(|| parallel::map(threads, hidden.len(), pack))
    }

    /// Forward and backward products of each hidden layer.
    pub(super) fn wide(&self) -> &[(Spread, Spread)] {
        self.widen(1)
    }

    /// The layout for a few chains.
    pub(super) fn small_batch(&self) -> &[SmallBatch] {
        self.small_batch.get_or_init(|| {
            let pack = |l: &Layer| SmallBatch::pack(self.isa, l.outputs, l.inputs, |o, i| l.weight[o * l.inputs + i]);
            self.layers.hidden.iter().map(pack).collect()
        })
    }

    /// Energy parts that one evaluation leaves.
    pub(crate) fn parts(&self) -> usize {
        self.layers.head.len().div_ceil(self.isa.outputs())
    }
}
