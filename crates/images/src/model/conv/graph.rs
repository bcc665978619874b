//! The energy as tensor operations: the reference.

use super::energy::{ConvEnergy, Filter, Stage};
use candle_core::{D, Tensor, Var};
use ebmotion::Result;
use ebmotion::model::Activation;
use ebmotion_engine::engine::conv::Reach;

pub(super) fn pick(var: &Var, graph: bool) -> Tensor {
    if graph { var.as_tensor().clone() } else { var.as_detached_tensor() }
}

/// Zeros before and behind a side.
pub(super) fn zeros(size: usize, kernel: usize, stride: usize) -> (usize, usize) {
    let all = ((size.div_ceil(stride) - 1) * stride + kernel).saturating_sub(size);
    (all / 2, all - all / 2)
}

/// Means of 2 x 2 pixels. An odd last row or column is cut off first: the pool's own gradient there would be wrong.
pub(super) fn halved(x: &Tensor) -> Result<Tensor> {
    let (_, _, height, width) = x.dims4()?;
    Ok(x.narrow(2, 0, height / 2 * 2)?.narrow(3, 0, width / 2 * 2)?.avg_pool2d(2)?)
}

impl Filter {
    /// The weight as it multiplies, `(O, I, rows, columns)`.
    pub(super) fn effective(&self, graph: bool) -> Result<Tensor> {
        let weight = pick(&self.weight, graph);
        let Some(norm) = &self.spectral else { return Ok(weight) };
        let flat = weight.flatten_from(1)?;
        let mut sigma = norm.sigma(&flat)?;
        if self.shape.last {
            sigma = sigma.maximum(&sigma.ones_like()?)?; // only what is above 1 is divided out
        }
        Ok(flat.broadcast_div(&sigma)?.reshape(weight.dims())?)
    }

    /// The convolution of `x` with the weight as it multiplies.
    pub(super) fn apply(&self, x: &Tensor, weight: &Tensor) -> Result<Tensor> {
        match self.shape.reach {
            Reach::Whole => {
                let out = x.flatten_from(1)?.matmul(&weight.flatten_from(1)?.t()?)?;
                Ok(out.unsqueeze(2)?.unsqueeze(3)?)
            }
            Reach::Window { kernel, stride } => {
                let (_, _, height, width) = x.dims4()?;
                let (up, down) = zeros(height, kernel, stride);
                let (left, right) = zeros(width, kernel, stride);
                let x = x.pad_with_zeros(2, up, down)?.pad_with_zeros(3, left, right)?;
                Ok(x.conv2d(weight, 0, stride, 1, 1)?)
            }
        }
    }
}

impl Stage {
    /// Its modulations: each `(B, width, 1, 1)`, or of one row where there is no context.
    pub(super) fn modulations(&self, context: Option<&Tensor>, graph: bool) -> Result<Vec<Tensor>> {
        let all = self.rows(context, graph)?;
        let mut first = 0;
        let mut parts = Vec::new();
        for (width, _) in &self.shape.modulations {
            parts.push(all.narrow(1, first, *width)?.unsqueeze(2)?.unsqueeze(3)?);
            first += width;
        }
        Ok(parts)
    }

    /// All its modulations: `(B, M)`, or `(1, M)` where there is no context.
    pub(super) fn rows(&self, context: Option<&Tensor>, graph: bool) -> Result<Tensor> {
        let base = pick(&self.modulation, graph).unsqueeze(0)?;
        match (&self.context, context) {
            (Some(map), Some(context)) => {
                let context = context.flatten_from(1)?;
                Ok(context.matmul(&pick(map, graph).t()?)?.broadcast_add(&base)?)
            }
            _ => Ok(base),
        }
    }

    fn apply(&self, x: &Tensor, context: Option<&Tensor>, activation: Activation) -> Result<Tensor> {
        let rows = self.modulations(context, true)?;
        let apply = |part: usize, x: &Tensor| self.filters[part].apply(x, &self.filters[part].effective(true)?);
        let Some(down) = self.shape.down else {
            let mut z = apply(0, x)?;
            if let Some(gain) = rows.get(1) {
                z = z.broadcast_mul(gain)?;
            }
            return activation.apply(&z.broadcast_add(&rows[0])?);
        };
        let h = activation.apply(&apply(0, &x.broadcast_add(&rows[0])?)?)?;
        let way = apply(1, &h.broadcast_add(&rows[1])?)?.broadcast_mul(&rows[2])?;
        let round = if self.filters.len() > 2 { apply(2, x)? } else { x.clone() };
        let mut sum = (way + round)?;
        if down {
            sum = halved(&sum)?;
        }
        activation.apply(&sum)
    }
}

impl ConvEnergy {
    /// `(B,)`.
    pub(super) fn graph(&self, x: &Tensor, context: Option<&Tensor>) -> Result<Tensor> {
        let activation = self.config.activation;
        let mut h = x.clone();
        for stage in &self.stages {
            h = stage.apply(&h, context, activation)?;
        }
        if self.config.dense.is_none() {
            h = match activation {
                Activation::Swish => activation.apply(&h)?,
                Activation::LeakyRelu => h.relu()?,
            };
        }
        let sums = h.sum(D::Minus1)?.sum(D::Minus1)?;
        let energy = sums.matmul(&self.head.as_tensor().t()?)?.broadcast_add(self.head_bias.as_tensor())?;
        Ok(energy.squeeze(1)?)
    }
}
