//! The gradient in the images as tensor operations: convolutions forwards only, on any device, and a graph in the
//! weights.
//!
//! With stride 1 the gradient is a convolution with flipped, transposed weights, for which libraries have their fastest
//! kernels; and since it is written out, a loss of it can be differentiated once more (candle's own double backward
//! cannot).

use super::energy::{ConvEnergy, Stage};
use super::graph::{halved, pick, zeros};
use candle_core::{D, Tensor};
use ebmotion::Result;
use ebmotion::model::Activation;
use ebmotion_engine::engine::conv::Reach;

/// What a stage leaves for its way down.
struct Kept {
    /// Weights as they multiply.
    weights: Vec<Tensor>,
    rows: Vec<Tensor>,
    /// Derivatives of the activations: within a block, at the end.
    slopes: Vec<Tensor>,
    /// Shape of what came in.
    from: Vec<usize>,
}

/// The gradient in what a convolution reads, of shape `from`, given that in its sums.
fn pull(weight: &Tensor, reach: Reach, delta: &Tensor, from: &[usize]) -> Result<Tensor> {
    let (kernel, stride) = match reach {
        Reach::Whole => return Ok(delta.flatten_from(1)?.matmul(&weight.flatten_from(1)?)?.reshape(from)?),
        Reach::Window { kernel, stride } => (kernel, stride),
    };
    let ((up, _), (left, _)) = (zeros(from[2], kernel, stride), zeros(from[3], kernel, stride));
    if stride == 1 {
        let flipped = weight.flip(&[2, 3])?.transpose(0, 1)?.contiguous()?;
        let last = kernel - 1;
        let delta = delta.pad_with_zeros(2, last - up, up)?.pad_with_zeros(3, last - left, left)?;
        return Ok(delta.conv2d(&flipped, 0, 1, 1, 1)?);
    }
    // With the zeros around the image; pixels that no window reaches lie behind.
    let mut all = delta.contiguous()?.conv_transpose2d(weight, 0, 0, stride, 1)?;
    for (dim, first) in [(2, up), (3, left)] {
        let short = (first + from[dim]).saturating_sub(all.dim(dim)?);
        all = all.pad_with_zeros(dim, 0, short)?.narrow(dim, first, from[dim])?;
    }
    Ok(all)
}

/// The gradient in pixels of shape `from` given that in the means of 2 x 2 of them.
fn spread(delta: &Tensor, from: &[usize]) -> Result<Tensor> {
    let (_, _, height, width) = delta.dims4()?;
    let all = (delta.upsample_nearest2d(2 * height, 2 * width)? * 0.25)?;
    Ok(all.pad_with_zeros(2, 0, from[2] - 2 * height)?.pad_with_zeros(3, 0, from[3] - 2 * width)?)
}

impl Stage {
    /// As [`Stage::apply`], keeping what the way down needs.
    fn up(&self, x: &Tensor, context: Option<&Tensor>, act: Activation, graph: bool) -> Result<(Tensor, Kept)> {
        let rows = self.modulations(context, graph)?;
        let weights = self.filters.iter().map(|f| f.effective(graph)).collect::<Result<Vec<_>>>()?;
        let apply = |part: usize, x: &Tensor| self.filters[part].apply(x, &weights[part]);
        let mut slopes = Vec::new();
        let z = match self.shape.down {
            None => {
                let z = apply(0, x)?;
                let z = rows.get(1).map_or(Ok(z.clone()), |gain| z.broadcast_mul(gain))?;
                z.broadcast_add(&rows[0])?
            }
            Some(down) => {
                let (h, slope) = act.apply_with_slope(&apply(0, &x.broadcast_add(&rows[0])?)?)?;
                slopes.push(slope);
                let way = apply(1, &h.broadcast_add(&rows[1])?)?.broadcast_mul(&rows[2])?;
                let round = if weights.len() > 2 { apply(2, x)? } else { x.clone() };
                let sum = (way + round)?;
                if down { halved(&sum)? } else { sum }
            }
        };
        let (h, slope) = act.apply_with_slope(&z)?;
        slopes.push(slope);
        Ok((h, Kept { weights, rows, slopes, from: x.dims().to_vec() }))
    }

    /// From the gradient in what the stage gives to that in what it reads.
    fn down(&self, delta: &Tensor, kept: &Kept) -> Result<Tensor> {
        let pull = |part: usize, delta: &Tensor, from: &[usize]| {
            pull(&kept.weights[part], self.filters[part].shape.reach, delta, from)
        };
        let delta = (delta * &kept.slopes[kept.slopes.len() - 1])?;
        let Some(down) = self.shape.down else {
            let delta = kept.rows.get(1).map_or(Ok(delta.clone()), |gain| delta.broadcast_mul(gain))?;
            return pull(0, &delta, &kept.from);
        };
        let middle = kept.slopes[0].dims();
        let delta = if down { spread(&delta, middle)? } else { delta };
        let within = (pull(1, &delta.broadcast_mul(&kept.rows[2])?, middle)? * &kept.slopes[0])?;
        let way = pull(0, &within, &kept.from)?;
        let round = if kept.weights.len() > 2 { pull(2, &delta, &kept.from)? } else { delta };
        Ok((way + round)?)
    }
}

impl ConvEnergy {
    /// Energy `(B,)` and gradient `(B, channels, height, width)`; graphs in the weights where `graph`.
    pub(super) fn by_hand(&self, x: &Tensor, context: Option<&Tensor>, graph: bool) -> Result<(Tensor, Tensor)> {
        let activation = self.config.activation;
        let (mut h, mut all) = (x.clone(), Vec::new());
        for stage in &self.stages {
            let (next, kept) = stage.up(&h, context, activation, graph)?;
            all.push(kept);
            h = next;
        }
        let (rectified, slope) = match (self.config.dense, activation) {
            (Some(_), _) => (h.clone(), h.ones_like()?),
            (None, Activation::Swish) => activation.apply_with_slope(&h)?,
            (None, Activation::LeakyRelu) => (h.relu()?, h.detach().gt(0f64)?.to_dtype(h.dtype())?),
        };
        let head = pick(&self.head, graph);
        let sums = rectified.sum(D::Minus1)?.sum(D::Minus1)?;
        let energy = sums.matmul(&head.t()?)?.broadcast_add(&pick(&self.head_bias, graph))?.squeeze(1)?;
        let mut delta = slope.broadcast_mul(&head.unsqueeze(2)?.unsqueeze(3)?)?;
        for (stage, kept) in self.stages.iter().zip(&all).rev() {
            delta = stage.down(&delta, kept)?;
        }
        Ok((energy, delta))
    }
}
