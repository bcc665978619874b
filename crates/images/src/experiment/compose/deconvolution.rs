//! The baseline: one network from size and position to the image.

use super::scene::Attribute;
use candle_core::{DType, Device, Tensor, Var};
use ebmotion::model::{Generative, Parameters};
use ebmotion::noise::Noise;
use ebmotion::{Error, Result};

/// Two fully connected layers, then transposed convolutions of 4 x 4 pixels and stride 2 that double the image,
/// rectifiers between them; fitted by mean squared error.
pub(super) struct Deconvolution {
    parameters: Parameters,
    /// Weight `(in, out)` and bias.
    dense: Vec<(Var, Var)>,
    /// Weight `(in, out, 4, 4)` and bias.
    doubling: Vec<(Var, Var)>,
}

/// Pixels a side after the fully connected layers.
const FIRST: usize = 4;

impl Deconvolution {
    /// What it is given.
    pub(super) const ATTRIBUTES: [Attribute; 2] = [Attribute::Size, Attribute::Position];

    /// Weights at random, scaled for rectifiers (He et al. 2015), biases 0. `width` channels before the last layer,
    /// twice as many in each layer above, and a hidden layer of `16 width` units.
    pub(super) fn new(side: usize, width: usize, noise: &mut Noise) -> Result<Self> {
        let mut parameters = Parameters::default();
        let mut add = |name: String, dims: &[usize], fan_in: usize, outputs: usize| -> Result<(Var, Var)> {
            let weight = (noise.normal(dims, DType::F32, &Device::Cpu)? * (2.0 / fan_in as f64).sqrt())?;
            let bias = Tensor::zeros(outputs, DType::F32, &Device::Cpu)?;
            Ok((parameters.add(format!("{name}.weight"), &weight)?, parameters.add(format!("{name}.bias"), &bias)?))
        };
        let doublings = (side / FIRST).ilog2() as usize;
        let channels = |layer: usize| width << (doublings - 1 - layer);
        let inputs = Self::ATTRIBUTES.iter().map(|a| a.width()).sum();
        let (hidden, first) = (16 * width, channels(0) * FIRST * FIRST);
        let dense = vec![
            add("dense0".into(), &[inputs, hidden], inputs, hidden)?,
            add("dense1".into(), &[hidden, first], hidden, first)?,
        ];
        let mut doubling = Vec::new();
        for layer in 0..doublings {
            let outputs = if layer + 1 < doublings { channels(layer + 1) } else { 1 };
            let from = channels(layer);
            // Of the 4 x 4 weights of a channel, 2 x 2 reach a pixel.
            doubling.push(add(format!("deconv{layer}"), &[from, outputs, 4, 4], 4 * from, outputs)?);
        }
        Ok(Self { parameters, dense, doubling })
    }

    /// Images `(B, 1, side, side)` of contexts `(B, C)`, as networks see them.
    pub(super) fn forward(&self, context: &Tensor) -> Result<Tensor> {
        let mut h = context.clone();
        for (weight, bias) in &self.dense {
            h = h.matmul(weight.as_tensor())?.broadcast_add(bias.as_tensor())?.relu()?;
        }
        let rows = h.dim(0)?;
        h = h.reshape((rows, h.dim(1)? / (FIRST * FIRST), FIRST, FIRST))?;
        for (i, (weight, bias)) in self.doubling.iter().enumerate() {
            if i > 0 {
                h = h.relu()?;
            }
            let side = 2 * h.dim(2)?;
            // Two more rows and columns come out than go in twice: the outer ones are cut off.
            let out = h.contiguous()?.conv_transpose2d(weight.as_tensor(), 0, 0, 2, 1)?;
            let out = out.narrow(2, 1, side)?.narrow(3, 1, side)?;
            h = out.broadcast_add(&bias.as_tensor().reshape((1, bias.dim(0)?, 1, 1))?)?;
        }
        Ok(h)
    }

    /// Trainable numbers.
    pub(super) fn count(&self) -> usize {
        self.parameters.count()
    }
}

impl Generative for Deconvolution {
    fn name(&self) -> &'static str {
        "deconvolution"
    }

    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn loss(&self, x: &Tensor, context: Option<&Tensor>, _: &mut Noise) -> Result<Tensor> {
        let context = context.ok_or_else(|| Error::Shape {
            what: "context",
            found: Vec::new(),
            expected: "(B, ...): this network is conditional".into(),
        })?;
        Ok((self.forward(context)? - x)?.sqr()?.flatten_from(1)?.mean(1)?)
    }
}
