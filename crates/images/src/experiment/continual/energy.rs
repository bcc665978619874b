//! The two energy-based methods: both are perceptrons of two hidden layers given the class, by gates on their units.

use super::learner::{Descent, Learner, Task, softmax, tensor};
use super::plan::Plan;
use candle_core::{D, DType, Device, Tensor, Var};
use ebmotion::model::Parameters;
use ebmotion::noise::Noise;
use ebmotion::{Error, Result};

/// `E(x, y) = |x - r_y(x)|^2`: how far an image is from what class `y`'s units make of it.
///
/// `r_y` runs through both hidden layers and back through the same weights, so a class has the weights of a perceptron
/// `pixels -> hidden -> hidden` and some biases. The gates are fixed: of each hidden layer a class sees the units that are
/// its own. A later class then moves no weight of an earlier one, and since all energies are in units of pixels, those of
/// classes that were never seen together can still be compared.
///
/// Training lowers the energy of each image for its own class and adds a contrast, `strength` times the cross entropy of
/// `softmax(-E)` over the classes of the current task: the negatives are the task's own, none is kept from before.
pub(super) struct Reconstruction {
    classes: Vec<ClassUnits>,
    plan: Plan,
}

/// A class's own part of the network.
struct ClassUnits {
    parameters: Parameters,
    /// `(pixels, k)`, `(k,)`, `(k, k)`, `(k,)`, `(k,)`, `(pixels,)`: in and out, first layer's bias, between the layers,
    /// second layer's bias, bias of the first layer on the way back, bias of the pixels.
    vars: [Var; 6],
}

/// A batch on its way through.
struct Way {
    first: Tensor,
    second: Tensor,
    back: Tensor,
    out: Tensor,
}

impl Reconstruction {
    pub(super) fn new(pixels: usize, hidden: usize, classes: usize, plan: &Plan, noise: &mut Noise) -> Result<Self> {
        let k = hidden / classes;
        let classes = (0..classes).map(|_| ClassUnits::new(pixels, k, DType::F32, noise)).collect::<Result<_>>()?;
        Ok(Self { classes, plan: plan.clone() })
    }
}

impl ClassUnits {
    fn new(pixels: usize, k: usize, dtype: DType, noise: &mut Noise) -> Result<Self> {
        let mut parameters = Parameters::default();
        let mut add = |name: &str, value: Tensor| parameters.add(name, &value);
        let zeros = |n: usize| Tensor::zeros(n, dtype, &Device::Cpu);
        // The outer weights are used both ways, so the variance is that of the way back to many pixels.
        let outer = (noise.normal((pixels, k), dtype, &Device::Cpu)? * (1.0 / pixels as f64).sqrt())?;
        let inner = (noise.normal((k, k), dtype, &Device::Cpu)? * (2.0 / k as f64).sqrt())?;
        let vars = [
            add("outer", outer)?,
            add("first", zeros(k)?)?,
            add("inner", inner)?,
            add("second", zeros(k)?)?,
            add("back", zeros(k)?)?,
            add("pixels", zeros(pixels)?)?,
        ];
        Ok(Self { parameters, vars })
    }

    fn forward(&self, x: &Tensor) -> Result<Way> {
        let [outer, first, inner, second, back, pixels] = self.vars.each_ref().map(Var::as_detached_tensor);
        let first = x.matmul(&outer)?.broadcast_add(&first)?.relu()?;
        let second = first.matmul(&inner)?.broadcast_add(&second)?.relu()?;
        let back = second.matmul(&inner.t()?)?.broadcast_add(&back)?.relu()?;
        let out = back.matmul(&outer.t()?)?.broadcast_add(&pixels)?;
        Ok(Way { first, second, back, out })
    }

    /// `(B,)`.
    fn energies(&self, x: &Tensor, way: &Way) -> Result<Vec<f32>> {
        Ok((x - &way.out)?.sqr()?.sum(D::Minus1)?.to_vec1()?)
    }

    /// Gradients of a loss by its gradient `(B, pixels)` at what comes out.
    fn gradients(&self, x: &Tensor, way: &Way, at_out: &Tensor) -> Result<Vec<Tensor>> {
        let [outer, _, inner, ..] = self.vars.each_ref().map(Var::as_detached_tensor);
        let open = |t: &Tensor| -> Result<Tensor> { Ok(t.gt(0.0)?.to_dtype(t.dtype())?) };
        let at_back = (at_out.matmul(&outer)? * open(&way.back)?)?;
        let at_second = (at_back.matmul(&inner)? * open(&way.second)?)?;
        let at_first = (at_second.matmul(&inner.t()?)? * open(&way.first)?)?;
        let outer = (at_out.t()?.matmul(&way.back)? + x.t()?.matmul(&at_first)?)?;
        let inner = (at_back.t()?.matmul(&way.second)? + way.first.t()?.matmul(&at_second)?)?;
        Ok(vec![outer, at_first.sum(0)?, inner, at_second.sum(0)?, at_back.sum(0)?, at_out.sum(0)?])
    }
}

impl Learner for Reconstruction {
    fn learn(&mut self, task: &Task, noise: &mut Noise) -> Result<()> {
        let batches = task.batches(self.plan.batch, noise)?;
        let strength = self.plan.strength as f32;
        let of = |c: usize| Descent::new(&self.plan, &self.classes[c].parameters, batches.len());
        let mut descents = task.classes.clone().map(of).collect::<Result<Vec<_>>>()?;
        for (x, labels) in &batches {
            let units = &self.classes[task.classes.clone()];
            let ways = units.iter().map(|u| u.forward(x)).collect::<Result<Vec<_>>>()?;
            let mut falls = vec![vec![0f32; units.len()]; labels.len()];
            for (j, (units, way)) in units.iter().zip(&ways).enumerate() {
                let energies = units.energies(x, way)?;
                falls.iter_mut().zip(energies).for_each(|(row, energy)| row[j] = -energy);
            }
            let shares = softmax(&falls, 0..units.len());
            for (j, (units, way)) in units.iter().zip(&ways).enumerate() {
                // Weight of each image's energy in the gradient: its own class's, and the contrast's.
                let weight = |b: usize| {
                    let own = f32::from(u8::from(labels[b] == task.classes.start + j));
                    vec![2.0 / labels.len() as f32 * (own + strength * (own - shares[b][j]))]
                };
                let weights = tensor((0..labels.len()).map(weight).collect())?;
                let at_out = (&way.out - x)?.broadcast_mul(&weights)?;
                descents[j].step(&units.parameters, units.gradients(x, way, &at_out)?)?;
            }
        }
        Ok(())
    }

    fn scores(&self, x: &Tensor) -> Result<Vec<Vec<f32>>> {
        let mut rows = vec![Vec::with_capacity(self.classes.len()); x.dim(0)?];
        for units in &self.classes {
            let energies = units.energies(x, &units.forward(x)?)?;
            rows.iter_mut().zip(energies).for_each(|(row, energy)| row.push(-energy));
        }
        Ok(rows)
    }

    fn parameters(&self) -> usize {
        self.classes.iter().map(|u| u.parameters.count()).sum()
    }
}

/// `E(x, y)`, one number: a perceptron whose hidden units are multiplied by gates of the class, trained on the contrast
/// of an image's own class with the other classes of the current task (Li et al. 2020, eq. 4, with every such class as a
/// negative). The gates are fixed, 0 or 1 at random.
pub(super) struct Labels {
    parameters: Parameters,
    /// `(pixels, H)`, `(H,)`, `(H, H)`, `(H,)`, `(H, 1)`, `(classes,)`.
    vars: [Var; 6],
    /// `(classes, H)` a layer.
    gates: [Tensor; 2],
    plan: Plan,
}

impl Labels {
    pub(super) fn new(pixels: usize, hidden: usize, classes: usize, plan: &Plan, noise: &mut Noise) -> Result<Self> {
        let share = plan.strength;
        if share <= 0.0 {
            return Err(Error::config("ebm_labels.strength", share, "above 0, at most 1"));
        }
        let mut parameters = Parameters::default();
        let mut add = |name: &str, value: Tensor| parameters.add(name, &value);
        let mut weight = |rows: usize, columns: usize, variance: f64| -> Result<Tensor> {
            Ok((noise.normal((rows, columns), DType::F32, &Device::Cpu)? * variance.sqrt())?)
        };
        let zeros = |n: usize| Tensor::zeros(n, DType::F32, &Device::Cpu);
        // Only a share of the units reaches the next layer.
        let heard = hidden as f64 * share;
        let vars = [
            add("first.weight", weight(pixels, hidden, 2.0 / pixels as f64)?)?,
            add("first.bias", zeros(hidden)?)?,
            add("second.weight", weight(hidden, hidden, 2.0 / heard)?)?,
            add("second.bias", zeros(hidden)?)?,
            add("energy.weight", weight(hidden, 1, 1.0 / heard)?)?,
            add("energy.bias", zeros(classes)?)?,
        ];
        let mut gate = || -> Result<Tensor> {
            Ok(noise.uniform((classes, hidden), DType::F32, &Device::Cpu)?.lt(share)?.to_dtype(DType::F32)?)
        };
        let gates = [gate()?, gate()?];
        Ok(Self { parameters, vars, gates, plan: plan.clone() })
    }

    /// The first layer's units before the gates, `(B, H)`.
    fn first(&self, x: &Tensor) -> Result<Tensor> {
        let [weight, bias] = [&self.vars[0], &self.vars[1]].map(Var::as_detached_tensor);
        Ok(x.matmul(&weight)?.broadcast_add(&bias)?.relu()?)
    }

    /// What a class's gates leave of both layers, `(B, H)` each, and minus its energy, `(B, 1)`.
    fn given(&self, first: &Tensor, class: usize) -> Result<(Tensor, Tensor, Tensor)> {
        let [.., weight, bias, last, last_bias] = self.vars.each_ref().map(Var::as_detached_tensor);
        let first = first.broadcast_mul(&self.gates[0].narrow(0, class, 1)?)?;
        let second = first.matmul(&weight)?.broadcast_add(&bias)?.relu()?;
        let second = second.broadcast_mul(&self.gates[1].narrow(0, class, 1)?)?;
        let fall = second.matmul(&last)?.broadcast_add(&last_bias.narrow(0, class, 1)?)?;
        Ok((first, second, fall))
    }
}

impl Learner for Labels {
    fn learn(&mut self, task: &Task, noise: &mut Noise) -> Result<()> {
        let batches = task.batches(self.plan.batch, noise)?;
        let mut descent = Descent::new(&self.plan, &self.parameters, batches.len())?;
        let classes = self.gates[0].dim(0)?;
        for (x, labels) in &batches {
            let first = self.first(x)?;
            let ways = task.classes.clone().map(|c| self.given(&first, c)).collect::<Result<Vec<_>>>()?;
            let mut falls = vec![Vec::new(); labels.len()];
            for (_, _, fall) in &ways {
                let fall = fall.flatten_all()?.to_vec1::<f32>()?;
                falls.iter_mut().zip(fall).for_each(|(row, f)| row.push(f));
            }
            let shares = softmax(&falls, 0..ways.len());
            let [_, _, weight, _, last, _] = self.vars.each_ref().map(Var::as_detached_tensor);
            let mut at_first = first.zeros_like()?;
            let mut sums = self.vars[2..5].iter().map(|v| Ok(v.zeros_like()?)).collect::<Result<Vec<Tensor>>>()?;
            let mut biases = vec![0f32; classes];
            for (j, (class, (heard, second, _))) in task.classes.clone().zip(&ways).enumerate() {
                let own = |b: usize| f32::from(u8::from(labels[b] == class));
                let at: Vec<f32> = (0..labels.len()).map(|b| (shares[b][j] - own(b)) / labels.len() as f32).collect();
                biases[class] = at.iter().sum();
                let at = Tensor::from_vec(at, (labels.len(), 1), &Device::Cpu)?;
                // What the gates and rectifiers leave is positive exactly where the gradient passes.
                let open = second.gt(0.0)?.to_dtype(DType::F32)?;
                let at_second = (at.matmul(&last.t()?)? * open)?;
                sums[0] = (&sums[0] + heard.t()?.matmul(&at_second)?)?;
                sums[1] = (&sums[1] + at_second.sum(0)?)?;
                sums[2] = (&sums[2] + second.t()?.matmul(&at)?)?;
                let open = heard.gt(0.0)?.to_dtype(DType::F32)?;
                at_first = (at_first + (at_second.matmul(&weight.t()?)? * open)?)?;
            }
            let mut gradients = vec![x.t()?.matmul(&at_first)?, at_first.sum(0)?];
            gradients.append(&mut sums);
            gradients.push(Tensor::from_vec(biases, classes, &Device::Cpu)?);
            descent.step(&self.parameters, gradients)?;
        }
        Ok(())
    }

    fn scores(&self, x: &Tensor) -> Result<Vec<Vec<f32>>> {
        let first = self.first(x)?;
        let mut rows = vec![Vec::new(); x.dim(0)?];
        for class in 0..self.gates[0].dim(0)? {
            let fall = self.given(&first, class)?.2.flatten_all()?.to_vec1::<f32>()?;
            rows.iter_mut().zip(fall).for_each(|(row, f)| row.push(f));
        }
        Ok(rows)
    }

    fn parameters(&self) -> usize {
        self.parameters.count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Central differences of step 1e-6 in f64 are off by some 1e-9 of rounding; no rectifier has its corner within.
    #[test]
    fn gradients_of_the_reconstruction_are_those_of_finite_differences() -> Result<()> {
        let mut noise = Noise::new(5);
        let units = ClassUnits::new(6, 4, DType::F64, &mut noise)?;
        let x = noise.normal((3, 6), DType::F64, &Device::Cpu)?;
        let energy = || -> Result<f64> { Ok((&x - units.forward(&x)?.out)?.sqr()?.sum_all()?.to_scalar::<f64>()?) };
        // Biases away from 0, so that none of the units is closed by symmetry.
        for var in &units.vars[1..] {
            var.set(&(var.as_detached_tensor() + (noise.normal(var.dims(), DType::F64, &Device::Cpu)? * 0.3)?)?)?;
        }
        let way = units.forward(&x)?;
        let gradients = units.gradients(&x, &way, &((&way.out - &x)? * 2.0)?)?;
        let mut moved = 0;
        for (var, gradient) in units.vars.iter().zip(&gradients) {
            let (values, shape) = (var.flatten_all()?.to_vec1::<f64>()?, var.shape().clone());
            for (i, gradient) in gradient.flatten_all()?.to_vec1::<f64>()?.into_iter().enumerate() {
                let at = |step: f64| -> Result<f64> {
                    let mut near = values.clone();
                    near[i] += step;
                    var.set(&Tensor::from_vec(near, &shape, &Device::Cpu)?)?;
                    energy()
                };
                let numeric = (at(1e-6)? - at(-1e-6)?) / 2e-6;
                at(0.0)?;
                assert!((numeric - gradient).abs() < 1e-6, "{numeric} {gradient}");
                moved += usize::from(gradient != 0.0);
            }
        }
        assert!(moved > 40, "only {moved} gradients are not 0");
        Ok(())
    }
}
