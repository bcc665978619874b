//! A variational autoencoder given the class, as a classifier: the class with the highest bound is the answer.

use super::learner::{Descent, Learner, Task, tensor};
use super::perceptron::Perceptron;
use super::plan::Plan;
use candle_core::{D, DType, Device, Tensor};
use ebmotion::Result;
use ebmotion::noise::Noise;

/// Encoder and decoder, each with one hidden layer and the class among its inputs; pixels are Bernoulli
/// (Kingma & Welling 2014, appendix C).
pub(super) struct Vae {
    encoder: Perceptron,
    decoder: Perceptron,
    latent: usize,
    classes: usize,
    plan: Plan,
}

/// A batch's code, `(B, latent)` each.
struct Code {
    mean: Tensor,
    log_variance: Tensor,
}

impl Vae {
    pub(super) fn new(
        pixels: usize,
        hidden: usize,
        classes: usize,
        latent: usize,
        plan: &Plan,
        noise: &mut Noise,
    ) -> Result<Self> {
        let encoder = Perceptron::new(&[pixels + classes, hidden, 2 * latent], DType::F32, noise)?;
        let decoder = Perceptron::new(&[latent + classes, hidden, pixels], DType::F32, noise)?;
        Ok(Self { encoder, decoder, latent, classes, plan: plan.clone() })
    }

    /// A row a label, 1 at the label.
    fn one_hot(&self, labels: &[usize]) -> Result<Tensor> {
        tensor(labels.iter().map(|l| (0..self.classes).map(|c| f32::from(u8::from(c == *l))).collect()).collect())
    }

    fn code(&self, out: &Tensor) -> Result<Code> {
        Ok(Code { mean: out.narrow(1, 0, self.latent)?, log_variance: out.narrow(1, self.latent, self.latent)? })
    }
}

/// `1 / (1 + exp(-t))`.
fn sigmoid(t: &Tensor) -> Result<Tensor> {
    Ok(((t * 0.5)?.tanh()? * 0.5)?.affine(1.0, 0.5)?)
}

impl Learner for Vae {
    fn learn(&mut self, task: &Task, noise: &mut Noise) -> Result<()> {
        let batches = task.batches(self.plan.batch, noise)?;
        let mut encoding = Descent::new(&self.plan, &self.encoder.parameters, batches.len())?;
        let mut decoding = Descent::new(&self.plan, &self.decoder.parameters, batches.len())?;
        for (x, labels) in &batches {
            let class = self.one_hot(labels)?;
            let encoded = self.encoder.forward(&Tensor::cat(&[x, &class], 1)?)?;
            let Code { mean, log_variance } = self.code(&encoded.out)?;
            let spread = (&log_variance * 0.5)?.exp()?;
            let eps = noise.normal(mean.dims(), DType::F32, &Device::Cpu)?;
            let z = (&mean + (&spread * &eps)?)?;
            let decoded = self.decoder.forward(&Tensor::cat(&[&z, &class], 1)?)?;
            let share = 1.0 / labels.len() as f64;
            // Of the cross entropy at the pixels' logits.
            let at_out = ((sigmoid(&decoded.out)? - x)? * share)?;
            let deltas = self.decoder.deltas(&decoded, &at_out)?;
            let at_z = self.decoder.at_input(&deltas)?.narrow(1, 0, self.latent)?;
            // Of the divergence (mean^2 + variance - 1 - log variance) / 2.
            let weight = self.plan.strength * share;
            let at_mean = (&at_z + (&mean * weight)?)?;
            let through = ((at_z * eps)? * (spread * 0.5)?)?;
            let at_log_variance = (through + log_variance.exp()?.affine(0.5 * weight, -0.5 * weight)?)?;
            let at_code = Tensor::cat(&[&at_mean, &at_log_variance], 1)?;
            let encoder_deltas = self.encoder.deltas(&encoded, &at_code)?;
            decoding.step(&self.decoder.parameters, self.decoder.gradients(&decoded, &deltas)?)?;
            encoding.step(&self.encoder.parameters, self.encoder.gradients(&encoded, &encoder_deltas)?)?;
        }
        Ok(())
    }

    /// The bound with the code's mean in the place of its draws: no chance in the answer.
    fn scores(&self, x: &Tensor) -> Result<Vec<Vec<f32>>> {
        let mut rows = vec![Vec::new(); x.dim(0)?];
        for class in 0..self.classes {
            let one_hot = self.one_hot(&vec![class; rows.len()])?;
            let Code { mean, log_variance } =
                self.code(&self.encoder.forward(&Tensor::cat(&[x, &one_hot], 1)?)?.out)?;
            let out = self.decoder.forward(&Tensor::cat(&[&mean, &one_hot], 1)?)?.out;
            // log p = x t - log(1 + exp(t)), the latter as max(t, 0) + log(1 + exp(-|t|)).
            let soft = (out.relu()? + (out.abs()?.neg()?.exp()? + 1.0)?.log()?)?;
            let pixels = ((x * &out)? - soft)?.sum(D::Minus1)?;
            let apart = (((mean.sqr()? + log_variance.exp()?)? - &log_variance)? - 1.0)?.sum(D::Minus1)?;
            let bound = (pixels - (apart * (0.5 * self.plan.strength))?)?.to_vec1::<f32>()?;
            rows.iter_mut().zip(bound).for_each(|(row, b)| row.push(b));
        }
        Ok(rows)
    }

    fn parameters(&self) -> usize {
        self.encoder.parameters.count() + self.decoder.parameters.count()
    }
}
