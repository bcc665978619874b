//! A convolutional network's weights as the engine reads them.

use super::super::field::Aligned;
use super::layers::{ConvLayers, Geometry};
use super::pass::Pass;
use crate::error::Result;
use crate::parallel;
use crate::simd::Isa;

/// A filter's forward pass and its backward passes.
pub(super) type Filters = Vec<(Pass, Vec<Pass>)>;

/// Packed weights. Made once per change of the weights.
#[derive(Debug)]
pub(super) struct Weights {
    isa: Isa,
    layers: ConvLayers,
    stages: Vec<Filters>,
    head: Aligned,
    margin: usize,
    /// What memory depends on.
    kind: Vec<usize>,
}

impl Weights {
    /// Packs `layers` for an ISA.
    ///
    /// # Errors
    /// As [`ConvLayers::check`].
    pub(super) fn at_isa(layers: ConvLayers, isa: Isa) -> Result<Self> {
        layers.check()?;
        let mut from = (layers.height, layers.width);
        let mut work = Vec::new();
        for stage in &layers.stages {
            let of_stage: Vec<_> = stage.filters().into_iter().map(|f| (f, Geometry::new(f.reach, from))).collect();
            work.push(of_stage);
            from = stage.size(from);
        }
        let flat: Vec<_> = work.iter().flatten().collect();
        let packed = parallel::map(parallel::available(), flat.len(), |i| {
            let (filter, geometry) = flat[i];
            (Pass::forward(isa, filter, geometry), Pass::backward(isa, filter, geometry))
        });
        let margins = packed.iter().zip(&flat).map(|((forward, backward), (_, g))| {
            let down = backward.iter().map(|pass| pass.margin(g.to)).max().unwrap_or(0);
            forward.margin(g.from).max(down)
        });
        let margin = margins.max().unwrap_or(0);
        let mut packed = packed.into_iter();
        let stages = work.iter().map(|stage| packed.by_ref().take(stage.len()).collect()).collect();
        let mut head = Aligned::new(layers.head.len().next_multiple_of(isa.lanes()));
        head.as_mut_slice()[..layers.head.len()].copy_from_slice(&layers.head);
        let kind = layers.kind(isa);
        Ok(Self { isa, layers, stages, head, margin, kind })
    }

    /// The weights in the open.
    pub(super) fn layers(&self) -> &ConvLayers {
        &self.layers
    }

    pub(super) fn isa(&self) -> Isa {
        self.isa
    }

    pub(super) fn stages(&self) -> &[Filters] {
        &self.stages
    }

    pub(super) fn margin(&self) -> usize {
        self.margin
    }

    pub(super) fn head(&self) -> *const f32 {
        self.head.as_ptr()
    }

    /// What memory depends on.
    pub(super) fn kind(&self) -> &[usize] {
        &self.kind
    }
}
