//! Networks as plain numbers: layers, their activation, and rows of numbers for chains.

use crate::error::{Error, Result};
use std::sync::Arc;

/// Elementwise activation of a [`Layers`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Nonlinearity {
    /// `z / (1 + exp(-z))`.
    Swish,
    /// `z` above zero, `slope * z` below.
    Leaky(f32),
}

/// One set of weights for all of a row of positions: a convolution over them, zeros beyond its ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shared {
    /// Positions, `T`: numbers come in and go out position by position.
    pub positions: usize,
    /// Neighbours on either side that a position's outputs see too.
    pub reach: usize,
}

impl Shared {
    /// Every number of the layer seen from everywhere, as one position.
    pub const NONE: Shared = Shared { positions: 1, reach: 0 };

    /// Positions whose inputs an output at position `at` sees, `2 reach + 1` wide, of which only some exist.
    pub fn window(&self) -> usize {
        2 * self.reach + 1
    }

    /// Those that exist.
    pub fn seen(&self, at: usize) -> std::ops::Range<usize> {
        at.saturating_sub(self.reach)..(at + self.reach + 1).min(self.positions)
    }
}

/// One layer: fully connected, or the same weights at each of its positions.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// Numbers that come in.
    pub inputs: usize,
    /// Numbers that go out.
    pub outputs: usize,
    /// How positions share the weights; [`Shared::NONE`] where every input meets every output.
    pub shared: Shared,
    /// `(outputs / T, window * inputs / T)`, row-major, as it multiplies: a spectral norm is already divided out.
    pub weight: Vec<f32>,
    /// `(outputs,)`.
    pub bias: Vec<f32>,
}

impl Layer {
    /// Rows and columns of the weight.
    pub fn shape(&self) -> (usize, usize) {
        let t = self.shared.positions.max(1);
        (self.outputs / t, self.shared.window() * (self.inputs / t))
    }

    /// The weights from all inputs of the positions `from` to output `output` of position `at`, which sees them.
    pub(crate) fn taps(&self, (at, output): (usize, usize), from: std::ops::Range<usize>) -> &[f32] {
        let (_, columns) = self.shape();
        let each = self.inputs / self.shared.positions;
        let first = output * columns + (from.start + self.shared.reach - at) * each;
        &self.weight[first..first + from.len() * each]
    }
}

/// A network with one output: hidden layers, each followed by the activation, and a linear head.
///
/// The first layer's bias is not used by a [`Term::Network`](super::Term::Network): what it adds is given row by row,
/// so that a context's part is computed once.
#[derive(Debug, Clone, PartialEq)]
pub struct Layers {
    /// At least one.
    pub hidden: Vec<Layer>,
    /// Weight of the head, `(width of the last hidden layer,)`.
    pub head: Vec<f32>,
    /// Bias of the head.
    pub head_bias: f32,
    /// After every hidden layer.
    pub activation: Nonlinearity,
}

impl Layers {
    /// Numbers of the input.
    pub fn inputs(&self) -> usize {
        self.hidden.first().map_or(0, |l| l.inputs)
    }

    /// Widths from the input to the output of 1.
    pub fn widths(&self) -> Vec<usize> {
        std::iter::once(self.inputs()).chain(self.hidden.iter().map(|l| l.outputs)).chain([1]).collect()
    }

    /// Multiplications of one evaluation of the value.
    pub fn products(&self) -> usize {
        self.hidden.iter().map(|l| l.weight.len() * l.shared.positions).sum::<usize>() + self.head.len()
    }

    /// True where no layer shares weights over positions.
    pub fn fully_connected(&self) -> bool {
        self.hidden.iter().all(|l| l.shared == Shared::NONE)
    }

    /// Checks that every layer fits its neighbours.
    ///
    /// # Errors
    /// [`Error::Shape`] naming the layer's part that does not fit.
    pub fn check(&self) -> Result<()> {
        let wrong = |what, found: usize, expected: String| Err(Error::Shape { what, found: vec![found], expected });
        let Some(last) = self.hidden.last() else {
            return wrong("hidden layers of a network", 0, "at least 1".into());
        };
        let mut inputs = self.inputs();
        for (i, layer) in self.hidden.iter().enumerate() {
            if layer.inputs != inputs || inputs == 0 || layer.outputs == 0 {
                return wrong("inputs of a layer", layer.inputs, format!("{inputs}, layer {i}"));
            }
            let t = layer.shared.positions;
            if t == 0 || !layer.inputs.is_multiple_of(t) || !layer.outputs.is_multiple_of(t) {
                let expected = format!("a divisor of {} and {}, layer {i}", layer.inputs, layer.outputs);
                return wrong("positions of a layer", t, expected);
            }
            let (rows, columns) = layer.shape();
            if layer.weight.len() != rows * columns {
                return wrong("weight of a layer", layer.weight.len(), format!("{}", rows * columns));
            }
            if layer.bias.len() != layer.outputs {
                return wrong("bias of a layer", layer.bias.len(), format!("{}", layer.outputs));
            }
            inputs = layer.outputs;
        }
        if last.shared != Shared::NONE {
            return wrong("positions of the last hidden layer", last.shared.positions, "1".into());
        }
        if self.head.len() != last.outputs {
            return wrong("head of a network", self.head.len(), format!("{}", last.outputs));
        }
        Ok(())
    }
}

/// Numbers for each chain, or one row for all of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows {
    /// Numbers a row.
    pub width: usize,
    /// `(B, width)`, or `(1, width)` for all chains alike.
    pub values: Arc<[f32]>,
}

impl Rows {
    /// `values` holds whole rows of `width`.
    ///
    /// # Errors
    /// [`Error::Shape`] otherwise.
    pub fn new(width: usize, values: Vec<f32>) -> Result<Self> {
        if width == 0 || values.is_empty() || !values.len().is_multiple_of(width) {
            let expected = format!("whole rows of {width} numbers");
            return Err(Error::Shape { what: "rows of an energy's term", found: vec![values.len()], expected });
        }
        Ok(Self { width, values: values.into() })
    }

    /// Number of rows.
    pub fn count(&self) -> usize {
        self.values.len() / self.width
    }

    /// The row of chain `chain`.
    pub fn row(&self, chain: usize) -> &[f32] {
        let row = if self.count() == 1 { 0 } else { chain };
        &self.values[row * self.width..(row + 1) * self.width]
    }
}
