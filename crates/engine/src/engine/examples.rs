//! What the weights learn from.

use super::layers::{Layers, Rows};
use crate::error::{Error, Result};

/// Examples to learn from.
#[derive(Debug, Clone, Copy)]
pub struct Examples<'a> {
    /// What the first layer adds, bias included: `(B, H)` or `(1, H)`.
    pub first: &'a Rows,
    /// `(B, F)`.
    pub x: &'a [f32],
    /// `(B, C)`, what `first` was made of; empty without a context.
    pub context: &'a [f32],
}

impl Examples<'_> {
    /// Examples, of which there are some, of a network.
    pub(super) fn batch(&self, layers: &Layers) -> usize {
        self.x.len() / layers.inputs()
    }

    pub(super) fn check(&self, layers: &Layers) -> Result<()> {
        let (width, batch) = (layers.inputs(), self.batch(layers));
        let wrong = |what, found: usize, expected: String| Err(Error::Shape { what, found: vec![found], expected });
        if batch == 0 || self.x.len() != batch * width {
            return wrong("examples", self.x.len(), format!("whole rows of {width} numbers"));
        }
        if !self.context.len().is_multiple_of(batch) {
            return wrong("contexts", self.context.len(), format!("{batch} whole rows"));
        }
        let outputs = layers.hidden[0].outputs;
        if self.first.width != outputs {
            return wrong("first layer's part", self.first.width, format!("rows of {outputs} numbers"));
        }
        if self.first.count() != 1 && self.first.count() != batch {
            return wrong("first layer's part", self.first.count(), format!("1 or {batch} rows"));
        }
        Ok(())
    }
}
