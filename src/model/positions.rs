//! The shape of a perceptron, and the products of layers that share their weights over positions.

use super::Activation;
use crate::error::{Error, Result};
use candle_core::Tensor;
use ebmotion_engine::engine::Shared;
use serde::{Deserialize, Serialize};

/// Shape and parts of an [`Mlp`](super::Mlp).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MlpConfig {
    /// Numbers of the flattened input.
    pub inputs: usize,
    /// Numbers of the flattened context; 0 where there is none.
    pub context: usize,
    /// Widths of the hidden layers, all positions together.
    pub hidden: Vec<usize>,
    /// How the first layers share their weights over positions; none where all are fully connected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub positions: Option<Positions>,
    /// Numbers of the output; 1 for an energy.
    pub outputs: usize,
    /// Activation after every layer but the last.
    pub activation: Activation,
    /// Divides every weight but the last by its largest singular value.
    pub spectral_norm: bool,
}

/// Layers that are convolutions over the positions of their input, such as the moments of a chunk of motion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Positions {
    /// Positions, `T`: numbers lie position by position, as many for each.
    pub count: usize,
    /// For each of these layers, from the first on, how many neighbours on either side a position sees.
    pub reach: Vec<usize>,
}

impl MlpConfig {
    /// How layer `l` shares its weights.
    pub(super) fn shared(&self, l: usize) -> Shared {
        let of = |p: &Positions| p.reach.get(l).map(|reach| Shared { positions: p.count, reach: *reach });
        self.positions.as_ref().and_then(of).unwrap_or(Shared::NONE)
    }

    /// Rows and columns of the weight of layer `l`, the first layer's context left out.
    pub(super) fn shape(&self, l: usize) -> (usize, usize) {
        let at = |l: usize| self.hidden.get(l).copied().unwrap_or(self.outputs);
        let inputs = if l == 0 { self.inputs } else { at(l - 1) };
        let shared = self.shared(l);
        (at(l) / shared.positions, shared.window() * (inputs / shared.positions))
    }

    /// Trainable numbers of the network.
    pub fn weights(&self) -> usize {
        let first = self.hidden.first().copied().unwrap_or(self.outputs);
        let matrices: usize = (0..=self.hidden.len()).map(|l| self.shape(l).0 * self.shape(l).1).sum();
        matrices + first * self.context + self.hidden.iter().sum::<usize>() + self.outputs
    }

    pub(super) fn check(&self) -> Result<()> {
        if self.inputs == 0 || self.outputs == 0 || self.hidden.is_empty() || self.hidden.contains(&0) {
            return Err(Error::config("hidden", format!("{:?}", self.hidden), "at least one layer, no width of 0"));
        }
        let Some(positions) = &self.positions else { return Ok(()) };
        let local = positions.reach.len();
        if local >= self.hidden.len() {
            let expected = format!("at least {}: the layer behind the last convolution is fully connected", local + 1);
            return Err(Error::config("hidden layers", self.hidden.len(), expected));
        }
        let widths = std::iter::once(&self.inputs).chain(&self.hidden[..local]);
        if let Some(width) = widths.into_iter().find(|w| positions.count == 0 || !w.is_multiple_of(positions.count)) {
            return Err(Error::config("positions", positions.count, format!("a divisor of a layer's {width}")));
        }
        match self.spectral_norm {
            true => Err(Error::config("spectral_norm", true, "false, for weights that are shared over positions")),
            false => Ok(()),
        }
    }
}

/// `W x` for rows `x` of `(B, inputs)`: at every position the weights times the position's window.
pub(super) fn product(shared: Shared, weight: &Tensor, x: &Tensor) -> Result<Tensor> {
    if shared == Shared::NONE {
        return Ok(x.matmul(&weight.t()?)?);
    }
    let (batch, inputs) = x.dims2()?;
    let (t, reach) = (shared.positions, shared.reach);
    let padded = x.reshape((batch, t, inputs / t))?.pad_with_zeros(1, reach, reach)?;
    let window: Vec<Tensor> = (0..shared.window()).map(|tap| padded.narrow(1, tap, t)).collect::<Result<_, _>>()?;
    let window = Tensor::cat(&window, 2)?.reshape((batch * t, shared.window() * (inputs / t)))?;
    Ok(window.matmul(&weight.t()?)?.reshape((batch, t * weight.dim(0)?))?)
}

/// `W' v`, the transpose of [`product`], for `v` of `(B, outputs)`.
pub(super) fn pulled(shared: Shared, weight: &Tensor, v: &Tensor) -> Result<Tensor> {
    if shared == Shared::NONE {
        return Ok(v.matmul(weight)?);
    }
    let (batch, outputs) = v.dims2()?;
    let (t, reach) = (shared.positions, shared.reach);
    let each = weight.dim(1)? / shared.window();
    let window = v.reshape((batch * t, outputs / t))?.matmul(weight)?.reshape((batch, t, shared.window() * each))?;
    let mut sum = window.narrow(2, 0, each)?.pad_with_zeros(1, 0, 2 * reach)?;
    for tap in 1..shared.window() {
        sum = (sum + window.narrow(2, tap * each, each)?.pad_with_zeros(1, tap, 2 * reach - tap)?)?;
    }
    Ok(sum.narrow(1, reach, t)?.reshape((batch, t * each))?)
}
