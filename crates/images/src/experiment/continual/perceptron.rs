//! A perceptron whose weight gradients are written out, so that a method may also use their squares or their parts.

use candle_core::{DType, Device, Tensor, Var};
use ebmotion::Result;
use ebmotion::model::Parameters;
use ebmotion::noise::Noise;

/// Layers `x W + b` with rectifiers between them.
pub(super) struct Perceptron {
    pub(super) parameters: Parameters,
    layers: Vec<(Var, Var)>,
}

/// A batch on its way through: what went into each layer, and what came out of the last.
pub(super) struct Pass {
    /// `(B, width)` a layer.
    pub(super) inputs: Vec<Tensor>,
    /// `(B, outputs)`.
    pub(super) out: Tensor,
}

impl Perceptron {
    /// Weights at random, scaled for rectifiers (He et al. 2015), biases 0; `sizes` from the input to the output.
    pub(super) fn new(sizes: &[usize], dtype: DType, noise: &mut Noise) -> Result<Self> {
        let mut parameters = Parameters::default();
        let mut layers = Vec::new();
        for (i, pair) in sizes.windows(2).enumerate() {
            let spread = (2.0 / pair[0] as f64).sqrt();
            let weight = (noise.normal((pair[0], pair[1]), dtype, &Device::Cpu)? * spread)?;
            let bias = Tensor::zeros(pair[1], dtype, &Device::Cpu)?;
            layers.push((parameters.add(format!("{i}.weight"), &weight)?, parameters.add(format!("{i}.bias"), &bias)?));
        }
        Ok(Self { parameters, layers })
    }

    /// Outputs of a batch `(B, inputs)`, with all that a gradient needs.
    pub(super) fn forward(&self, x: &Tensor) -> Result<Pass> {
        let mut inputs = Vec::with_capacity(self.layers.len());
        let mut at = x.clone();
        for (i, (weight, bias)) in self.layers.iter().enumerate() {
            if i > 0 {
                at = at.relu()?;
            }
            inputs.push(at.clone());
            at = at.matmul(&weight.as_detached_tensor())?.broadcast_add(&bias.as_detached_tensor())?;
        }
        Ok(Pass { inputs, out: at })
    }

    /// The loss's gradient at what each layer puts out, before the rectifier, from that at the last `(B, outputs)`.
    pub(super) fn deltas(&self, pass: &Pass, at_out: &Tensor) -> Result<Vec<Tensor>> {
        let mut deltas = vec![at_out.clone()];
        for (i, (weight, _)) in self.layers.iter().enumerate().skip(1).rev() {
            let last = &deltas[deltas.len() - 1];
            // The input of layer i is a rectifier's output: positive exactly where the gradient passes.
            let open = pass.inputs[i].gt(0.0)?.to_dtype(last.dtype())?;
            deltas.push((last.matmul(&weight.as_detached_tensor().t()?)? * open)?);
        }
        deltas.reverse();
        Ok(deltas)
    }

    /// The loss's gradient at the input `(B, inputs)`.
    pub(super) fn at_input(&self, deltas: &[Tensor]) -> Result<Tensor> {
        Ok(deltas[0].matmul(&self.layers[0].0.as_detached_tensor().t()?)?)
    }

    /// The loss's gradient, one tensor a parameter in their order, summed over the batch.
    pub(super) fn gradients(&self, pass: &Pass, deltas: &[Tensor]) -> Result<Vec<Tensor>> {
        sums(&pass.inputs, deltas)
    }

    /// The squared gradients of the batch's single rows, summed: a row's weight gradient is an outer product, so its
    /// square is the outer product of squares.
    pub(super) fn squares(&self, pass: &Pass, deltas: &[Tensor]) -> Result<Vec<Tensor>> {
        let square = |all: &[Tensor]| all.iter().map(|t| Ok(t.sqr()?)).collect::<Result<Vec<_>>>();
        sums(&square(&pass.inputs)?, &square(deltas)?)
    }
}

fn sums(inputs: &[Tensor], deltas: &[Tensor]) -> Result<Vec<Tensor>> {
    let mut all = Vec::with_capacity(2 * deltas.len());
    for (input, delta) in inputs.iter().zip(deltas) {
        all.push(input.t()?.matmul(delta)?);
        all.push(delta.sum(0)?);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Loss `sum(c out)` of a batch.
    fn loss(net: &Perceptron, x: &Tensor, c: &Tensor) -> Result<f64> {
        Ok((net.forward(x)?.out * c)?.sum_all()?.to_scalar::<f64>()?)
    }

    /// Central differences of step 1e-6 in f64 are off by some 1e-10 of rounding and 1e-12 of curvature; a rectifier's
    /// corner within the step would be seen, and is not at this seed.
    #[test]
    fn gradients_are_those_of_finite_differences() -> Result<()> {
        let mut noise = Noise::new(3);
        let net = Perceptron::new(&[5, 7, 6, 3], DType::F64, &mut noise)?;
        let x = noise.normal((4, 5), DType::F64, &Device::Cpu)?;
        let c = noise.normal((4, 3), DType::F64, &Device::Cpu)?;
        let pass = net.forward(&x)?;
        let deltas = net.deltas(&pass, &c)?;
        let gradients = net.gradients(&pass, &deltas)?;
        for ((name, var), gradient) in net.parameters.iter().zip(&gradients) {
            let (values, shape) = (var.flatten_all()?.to_vec1::<f64>()?, var.shape().clone());
            let gradient = gradient.flatten_all()?.to_vec1::<f64>()?;
            for i in (0..values.len()).step_by(3) {
                let at = |step: f64| -> Result<f64> {
                    let mut moved = values.clone();
                    moved[i] += step;
                    var.set(&Tensor::from_vec(moved, &shape, &Device::Cpu)?)?;
                    loss(&net, &x, &c)
                };
                let numeric = (at(1e-6)? - at(-1e-6)?) / 2e-6;
                at(0.0)?;
                assert!((numeric - gradient[i]).abs() < 1e-7, "{name}[{i}]: {numeric} {}", gradient[i]);
            }
        }
        let at_input = net.at_input(&deltas)?.to_vec2::<f64>()?;
        for (row, column) in [(0, 0), (3, 4), (2, 1)] {
            let at = |step: f64| -> Result<f64> {
                let mut moved = x.to_vec2::<f64>()?;
                moved[row][column] += step;
                loss(&net, &Tensor::new(moved, &Device::Cpu)?, &c)
            };
            let numeric = (at(1e-6)? - at(-1e-6)?) / 2e-6;
            assert!((numeric - at_input[row][column]).abs() < 1e-7);
        }
        // Squares are sums over single rows.
        let squares = net.squares(&pass, &deltas)?;
        let mut by_row = vec![0.0; squares.len()];
        for row in 0..4 {
            let pass = net.forward(&x.narrow(0, row, 1)?)?;
            let deltas = net.deltas(&pass, &c.narrow(0, row, 1)?)?;
            for (sum, g) in by_row.iter_mut().zip(net.gradients(&pass, &deltas)?) {
                *sum += g.sqr()?.sum_all()?.to_scalar::<f64>()?;
            }
        }
        for (sum, square) in by_row.iter().zip(&squares) {
            assert!((sum - square.sum_all()?.to_scalar::<f64>()?).abs() < 1e-10 * sum.max(1.0));
        }
        Ok(())
    }
}
