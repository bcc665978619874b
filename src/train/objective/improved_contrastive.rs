//! Contrastive divergence with a loss for what it leaves out: that the samples themselves depend on the weights.
//!
//! Du, Li, Tenenbaum & Mordatch 2021 ("Improved contrastive divergence training of energy-based models", section 3) add
//! the divergence of the samples from the model as a function of the last Langevin step alone: the step is to end at
//! low energy, the energy's own weights held fixed, and the samples are to keep apart, by the nearest-neighbour
//! estimate of their entropy. On calibrated chains that reach the model's density anyway it can only add noise; see
//! `benches/quality/objectives.md`.

use super::contrastive::{Begun, mean};
use super::difference::{CentralDifference, below, twice};
use super::{Augmentation, Contrastive, ContrastiveConfig};
use crate::error::{Error, Result};
use crate::model::{Fixed, Network, Parameters};
use crate::noise::Noise;
use crate::sample::Transition;
use crate::train::{Batch, EnergyObjective, Gradients, Loss, Objective};
use candle_core::Tensor;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Settings of [`ImprovedContrastive`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImprovedConfig {
    /// Chains, buffer and the loss's first two parts.
    pub contrastive: ContrastiveConfig,
    /// Weight of the mean energy where the last step ends, at least 0.
    pub energy: f64,
    /// Weight of the mean log distance to the nearest sample, at least 0. The entropy in nats is the number of
    /// coordinates times it (Kozachenko & Leonenko 1987); the paper weighs it by 1.
    pub entropy: f64,
}

/// [`Contrastive`] whose samples carry a gradient through their last step.
#[derive(Debug, Clone)]
pub struct ImprovedContrastive<N> {
    contrastive: Contrastive<N>,
    energy: f64,
    entropy: f64,
}

impl<N: Network> ImprovedContrastive<N> {
    /// As [`Contrastive::new`].
    ///
    /// # Errors
    /// [`Error::Config`] for settings out of range.
    pub fn new(network: N, config: ImprovedConfig, x_shape: &[usize], context_shape: Option<&[usize]>) -> Result<Self> {
        for (key, value) in [("energy", config.energy), ("entropy", config.entropy)] {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(Error::config(key, value, "a number that is not negative"));
            }
        }
        let contrastive = Contrastive::new(network, config.contrastive, x_shape, context_shape)?;
        Ok(Self { contrastive, energy: config.energy, entropy: config.entropy })
    }

    /// As [`Contrastive::augmented`].
    pub fn augmented(self, augmentation: Arc<dyn Augmentation>) -> Self {
        Self { contrastive: self.contrastive.augmented(augmentation), ..self }
    }

    /// The network.
    pub fn network(&self) -> &N {
        self.contrastive.network()
    }

    /// The network, taken out.
    pub fn into_network(self) -> N {
        self.contrastive.into_network()
    }

    /// Where the chains of a step are before their last.
    fn before(&self, begun: &Begun, noise: &mut Noise) -> Result<Tensor> {
        let config = self.contrastive.config();
        let fixed = Fixed { network: self.network(), context: begun.context.as_ref() };
        Ok(match config.steps - 1 {
            0 => begun.x.clone(),
            steps => config.sampler().run_from(&fixed, &begun.x, steps, noise)?.0.x,
        })
    }

    /// One Langevin step from `x`, where the gradient is `grad`: a graph in what that is one in.
    fn last_step(&self, x: &Tensor, grad: &Tensor, noise: &mut Noise) -> Result<Tensor> {
        let c = self.contrastive.config();
        let grad = match c.gradient_clip {
            Some(clip) => grad.clamp(-clip, clip)?,
            None => grad.clone(),
        };
        let n = noise.normal(x.dims(), x.dtype(), x.device())?;
        let to = ((x - (grad * c.step_size)?)? + (n * c.noise)?)?;
        Ok(match c.bounds {
            Some((lo, hi)) => to.clamp(lo, hi)?,
            None => to,
        })
    }

    /// The derivative of each coordinate of [`ImprovedContrastive::last_step`]'s end in the same of its gradient: 0
    /// where clip or bounds hold it.
    fn slope(&self, grad: &Tensor, end: &Tensor) -> Result<Tensor> {
        let c = self.contrastive.config();
        let mut free = Tensor::full(-c.step_size, end.shape(), end.device())?.to_dtype(end.dtype())?;
        if let Some(clip) = c.gradient_clip {
            free = (free * grad.abs()?.lt(clip)?.to_dtype(end.dtype())?)?;
        }
        if let Some((lo, hi)) = c.bounds {
            free = ((free * end.gt(lo)?.to_dtype(end.dtype())?)? * end.lt(hi)?.to_dtype(end.dtype())?)?;
        }
        Ok(free)
    }

    /// The divergence of samples that a last step has brought to `end`, and its gradient there with the weights held
    /// fixed, times the number of rows.
    fn divergence(&self, end: &Tensor, context: Option<&Tensor>) -> Result<(f64, Tensor)> {
        let at = self.network().evaluate(end, context)?;
        let (distance, apart) = self.spread(end, end, context)?;
        let pull = ((at.grad * self.energy)? - (apart * self.entropy)?)?.detach();
        Ok((self.energy * mean(&at.energy)? - self.entropy * distance, pull))
    }

    /// Mean log distance of each sample to the nearest of `others` but the one in its own row, and its gradient in the
    /// sample. Samples of several contexts are neighbours in the space of both, whose entropy differs from the
    /// conditional one by that of the contexts, a constant. Distances below the step's noise say nothing and count as
    /// it.
    fn spread(&self, x: &Tensor, others: &Tensor, context: Option<&Tensor>) -> Result<(f64, Tensor)> {
        let joint = |x: &Tensor| -> Result<Tensor> {
            let x = x.flatten_from(1)?;
            Ok(match context {
                Some(c) => Tensor::cat(&[&x, &c.flatten_from(1)?], 1)?,
                None => x,
            })
        };
        let (a, b) = (joint(x)?, joint(others)?);
        let rows = a.dim(0)?;
        if rows < 2 {
            return Err(Error::data("samples of a step", rows, "two or more, to be each other's neighbours"));
        }
        let squares = |t: &Tensor| t.sqr()?.sum_keepdim(1);
        let distances = (a.matmul(&b.t()?)? * -2.0)?.broadcast_add(&squares(&a)?)?.broadcast_add(&squares(&b)?.t()?)?;
        let itself = (Tensor::eye(rows, x.dtype(), x.device())? * f64::from(f32::MAX / 4.0))?;
        let away = (&a - b.index_select(&(distances + itself)?.argmin(1)?, 0)?)?;
        let noise = self.contrastive.config().noise;
        let square = (away.sqr()?.sum_keepdim(1)? + (noise * noise).max(1e-12))?;
        let width = x.elem_count() / rows;
        let grad = away.narrow(1, 0, width)?.broadcast_div(&square)?;
        Ok((0.5 * mean(&square.log()?)?, grad.reshape(x.dims())?))
    }
}

impl<N: Network> EnergyObjective<N> for ImprovedContrastive<N> {
    fn into_learned(self: Box<Self>) -> N {
        self.into_network()
    }
}

impl<N: Network> Objective for ImprovedContrastive<N> {
    fn name(&self) -> &'static str {
        "improved_contrastive"
    }

    fn parameters(&self) -> &Parameters {
        self.contrastive.parameters()
    }

    fn prepare(&mut self) -> Result<()> {
        self.contrastive.network_mut().prepare()
    }

    fn loss(&mut self, batch: &Batch, noise: &mut Noise) -> Result<Loss> {
        let begun = self.contrastive.begin(batch, noise)?;
        let context = begun.context.as_ref();
        let before = self.before(&begun, noise)?;
        let (_, grad) = self.network().value_and_gradient(&before, context)?;
        let moving = self.last_step(&before, &grad, noise)?;
        let end = moving.detach();
        // d/dw of E(x(w)) with E held fixed is dE/dx dx/dw: linear in x(w), so no second differentiation is needed.
        let (own, pull) = self.divergence(&end, context)?;
        let rows = end.dim(0)? as f64;
        let divergence = (((pull * (moving - &end)?)?.sum_all()? / rows)? + own)?;
        let samples = self.network().energy(&end, context)?;
        let data = self.network().energy(&batch.x, batch.context.as_ref())?;
        let mut figures = vec![("divergence", own), ("energy_gap", mean(&samples)? - mean(&data)?)];
        let total = (self.contrastive.combine(&data, &samples)? + divergence)?;
        if mean(&total)?.is_finite() {
            figures.extend(self.contrastive.keep(&begun, &end)?);
        }
        Ok(Loss { total, figures })
    }

    /// The last step's part as a difference of energies, so that all is one batch of the network's own way to its
    /// weights' gradient.
    fn gradients(&mut self, batch: &Batch, noise: &mut Noise) -> Result<Option<Gradients>> {
        if !self.network().learns(&batch.x) {
            return Ok(None);
        }
        let begun = self.contrastive.begin(batch, noise)?;
        let context = begun.context.as_ref();
        let before = self.before(&begun, noise)?;
        let grad = self.network().evaluate(&before, context)?.grad;
        let end = self.last_step(&before, &grad, noise)?;
        let (own, pull) = self.divergence(&end, context)?;
        let (data, rows) = (batch.x.dim(0)?, end.dim(0)?);
        let around = CentralDifference::new(&before, &(pull * self.slope(&grad, &end)?)?, CentralDifference::DISTANCE)?;
        let x = Tensor::cat(&[&batch.x, &end, &around.points], 0)?;
        let context = below(&[batch.context.as_ref(), context, twice(context)?.as_ref()])?;
        let (mut loss, mut gap) = (0.0, 0.0);
        let all = self.network().learn(&x, context.as_ref(), &mut |energies| {
            let (data, samples) = energies[..data + rows].split_at(data);
            let (value, mut slopes) = self.contrastive.slopes(data, samples);
            slopes.extend(around.coefficients(1.0 / (rows as f64 * 2.0 * CentralDifference::DISTANCE)));
            let mean = |e: &[f32]| e.iter().map(|v| f64::from(*v)).sum::<f64>() / e.len() as f64;
            (loss, gap) = (value + own, mean(samples) - mean(data));
            Ok(slopes)
        })?;
        let mut figures = vec![("divergence", own), ("energy_gap", gap)];
        if loss.is_finite() {
            figures.extend(self.contrastive.keep(&begun, &end)?);
        }
        Ok(Some(Gradients::of(loss, all, figures)))
    }

    fn validate(&self, batch: &Batch, noise: &mut Noise) -> Result<f64> {
        self.contrastive.validate(batch, noise)
    }

    fn state(&self) -> Result<Vec<(String, Tensor)>> {
        self.contrastive.state()
    }

    fn restore(&mut self, get: &dyn Fn(&str) -> Option<Tensor>) -> Result<()> {
        self.contrastive.restore(get)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Activation, Mlp, MlpConfig, MlpEnergy};
    use crate::train::objective::Form;
    use candle_core::{DType, Device};

    /// Central differences of `mean E_fixed(x(w)) - mean ln distance`, `x(w)` the end of the last step, in single
    /// weights.
    #[test]
    #[expect(clippy::too_many_lines, reason = "one case and its formula, from top to bottom")]
    fn the_last_steps_gradient_is_that_of_finite_differences() -> Result<()> {
        let device = Device::Cpu;
        let config = MlpConfig {
            inputs: 3,
            context: 2,
            hidden: vec![7, 5],
            outputs: 1,
            activation: Activation::Swish,
            positions: None,
            spectral_norm: false,
        };
        let make = || -> Result<_> {
            let net = Mlp::new(config.clone(), &mut Noise::new(1), DType::F64, &device)?;
            let contrastive = ContrastiveConfig {
                form: Form::Linear,
                energy_l2: 0.0,
                steps: 1,
                step_size: 2.0,
                noise: 0.2,
                gradient_clip: None,
                bounds: None,
                replay: 0,
                fresh: 1.0,
            };
            let config = ImprovedConfig { contrastive, energy: 7.0, entropy: 4.0 };
            ImprovedContrastive::new(MlpEnergy { net }, config, &[3], Some(&[2]))
        };
        let (mut objective, fixed) = (make()?, make()?);
        let mut noise = Noise::new(2);
        let mut draw = |width| noise.normal((6, width), DType::F64, &device);
        let start = draw(3)?;
        let batch = Batch { x: start.clone(), context: Some(draw(2)?), start: Some(start.clone()) };
        let context = batch.context.as_ref();
        // With data and samples in the same place, what remains of the loss is the divergence.
        let end = |objective: &ImprovedContrastive<MlpEnergy>| {
            let (_, grad) = objective.network().value_and_gradient(&start, context)?;
            objective.last_step(&start, &grad, &mut Noise::new(3))
        };

        let batch = Batch { x: end(&objective)?.detach(), ..batch.clone() };
        let grads = objective.loss(&batch, &mut Noise::new(3))?.total.backward()?;
        let value = |objective: &ImprovedContrastive<MlpEnergy>| -> Result<f64> {
            let x = end(objective)?;
            Ok(7.0 * mean(&fixed.network().energy(&x, context)?)? - 4.0 * objective.spread(&x, &batch.x, context)?.0)
        };
        let mut largest = 0.0f64;
        for (name, var) in objective.parameters().iter() {
            let values = var.flatten_all()?.to_vec1::<f64>()?;
            let Some(grad) = grads.get(var.as_tensor()) else { continue };
            let grad = grad.flatten_all()?.to_vec1::<f64>()?;
            for at in [0, values.len() / 2, values.len() - 1] {
                let moved = |by: f64| -> Result<f64> {
                    let mut values = values.clone();
                    values[at] += by;
                    var.set(&Tensor::from_vec(values, var.dims(), &device)?)?;
                    value(&objective)
                };
                let numeric = (moved(1e-5)? - moved(-1e-5)?) / 2e-5;
                moved(0.0)?;
                largest = largest.max(numeric.abs());
                assert!((numeric - grad[at]).abs() < 1e-7 * (1.0 + numeric.abs()), "{name}: {numeric}, {}", grad[at]);
            }
        }
        assert!(largest > 1e-3, "the test must see gradients that matter");
        Ok(())
    }
}
