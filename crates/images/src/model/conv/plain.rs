//! The energy handed to the engine.

use super::energy::{ConvEnergy, Filter};
use super::graph::pick;
use crate::arrays::plain;
use candle_core::{Device, Tensor};
use ebmotion::energy::Evaluated;
use ebmotion::model::Activation;
use ebmotion::{Error, Result};
use ebmotion_engine::engine::conv::{ConvLayers, PackedConv};
use ebmotion_engine::engine::{self, Rows, RunOptions};

impl Filter {
    /// The gradient in the weight given that in the weight as it multiplies.
    pub(super) fn pull_back(&self, gradient: Tensor) -> Result<Tensor> {
        let Some(norm) = &self.spectral else { return Ok(gradient) };
        let weight = self.weight.as_detached_tensor().flatten_from(1)?;
        let flat = gradient.flatten_from(1)?;
        let divided = norm.pull_back(&weight, &flat)?;
        // A last one's norm is divided out where it is above 1.
        let pulled = match self.shape.last {
            true => norm.sigma(&weight)?.le(1f64)?.broadcast_as(flat.shape())?.where_cond(&flat, &divided)?,
            false => divided,
        };
        Ok(pulled.reshape(self.weight.shape())?)
    }
}

impl ConvEnergy {
    /// The network as it is evaluated now, spectral norms divided out, packed for [`ebmotion_engine::engine::conv`].
    ///
    /// # Errors
    /// [`Error::Tensor`].
    pub fn packed(&self) -> Result<PackedConv> {
        let mut stages = Vec::new();
        for stage in &self.stages {
            let weights = stage.filters.iter().map(|f| plain(&f.effective(false)?)).collect::<Result<Vec<_>>>()?;
            stages.extend(stage.shape.plain(weights));
        }
        let layers = self.layers(stages, plain(&pick(&self.head, false))?, plain(&pick(&self.head_bias, false))?[0]);
        PackedConv::within(&self.room, layers)
    }

    /// The network of these stages and this head for the engines.
    pub(super) fn layers(&self, stages: Vec<engine::conv::Stage>, head: Vec<f32>, head_bias: f32) -> ConvLayers {
        let rectify = match (self.config.dense, self.config.activation) {
            (Some(_), _) => None,
            (None, Activation::Swish) => Some(engine::Nonlinearity::Swish),
            (None, Activation::LeakyRelu) => Some(engine::Nonlinearity::Leaky(0.0)),
        };
        ConvLayers {
            channels: self.config.channels,
            height: self.config.height,
            width: self.config.width,
            stages,
            activation: self.config.activation.plain(),
            rectify,
            head,
            head_bias,
        }
    }

    /// Biases and gains of all stages for each row of the context, as plain rows.
    ///
    /// # Errors
    /// [`Error::Tensor`].
    pub fn rows(&self, context: Option<&Tensor>) -> Result<Rows> {
        let all = self.row_tensor(context)?;
        Rows::new(all.dim(1)?, plain(&all)?)
    }

    /// The same where the weights are, `(B, M)` or `(1, M)`.
    pub(super) fn row_tensor(&self, context: Option<&Tensor>) -> Result<Tensor> {
        let parts = self.stages.iter().map(|s| s.rows(context, false)).collect::<Result<Vec<_>>>()?;
        let most = parts.iter().map(|p| p.dim(0)).collect::<Result<Vec<_>, _>>()?.into_iter().max().unwrap_or(1);
        let same = |p: &Tensor| p.broadcast_as((most, p.dim(1)?));
        Ok(Tensor::cat(&parts.iter().map(same).collect::<Result<Vec<_>, _>>()?, 1)?)
    }

    pub(super) fn evaluate_plain(&self, x: &Tensor, context: Option<&Tensor>) -> Result<Evaluated> {
        let (energy, grad) = self.packed()?.evaluate(&plain(x)?, &self.rows(context)?, &RunOptions::default())?;
        let energy = Tensor::from_vec(energy, x.dim(0)?, &Device::Cpu)?;
        Ok(Evaluated { energy, grad: Tensor::from_vec(grad, x.shape(), &Device::Cpu)? })
    }

    pub(super) fn learn_plain(
        &self,
        x: &Tensor,
        context: Option<&Tensor>,
        coefficients: &mut dyn FnMut(&[f32]) -> Result<Vec<f32>>,
    ) -> Result<Vec<Tensor>> {
        if !self.fast(x) {
            let found = format!("{:?} on {:?}", x.dtype(), x.device().location());
            return Err(Error::data("images to learn from by the engine", found, "f32 on the CPU, as the weights"));
        }
        let (packed, rows) = (self.packed()?, self.rows(context)?);
        let (_, gradient) = packed.learn(&plain(x)?, &rows, |e| coefficients(e), &RunOptions::default())?;
        let images = Tensor::from_vec(gradient.rows, (x.dim(0)?, rows.width), &Device::Cpu)?;
        let mut filters = gradient.filters.into_iter();
        let head = Tensor::from_vec(gradient.head, self.head.shape(), &Device::Cpu)?;
        let head_bias = Tensor::from_vec(vec![gradient.head_bias], 1, &Device::Cpu)?;
        self.gather(&images, context, vec![head, head_bias], |filter| {
            let numbers = filters.next().unwrap_or_default();
            filter.pull_back(Tensor::from_vec(numbers, filter.weight.shape(), &Device::Cpu)?)
        })
    }

    /// The gradients in all parameters, in their order: `of_filter` tells that of the next filter's weight, `images`
    /// are those in the modulations `(B, M)`, `head` those of the head.
    pub(super) fn gather(
        &self,
        images: &Tensor,
        context: Option<&Tensor>,
        head: Vec<Tensor>,
        mut of_filter: impl FnMut(&Filter) -> Result<Tensor>,
    ) -> Result<Vec<Tensor>> {
        let mut all = Vec::with_capacity(self.parameters.len());
        let mut first = 0;
        for stage in &self.stages {
            for filter in &stage.filters {
                all.push(of_filter(filter)?);
            }
            let width = stage.modulation.dim(0)?;
            let rows = images.narrow(1, first, width)?;
            first += width;
            all.push(rows.sum(0)?);
            if let (Some(_), Some(context)) = (&stage.context, context) {
                let context = context.flatten_from(1)?.broadcast_as((images.dim(0)?, self.config.context))?;
                all.push(rows.t()?.contiguous()?.matmul(&context.contiguous()?)?);
            }
        }
        all.extend(head);
        Ok(all)
    }
}
