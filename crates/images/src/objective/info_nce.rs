//! InfoNCE: the energy tells the example from noise around it, context by context.
//!
//! The loss is the cross-entropy of finding the example among `N` negatives by `exp(-E)` (Florence et al. 2021,
//! "Implicit behavioral cloning", eq. 2-4). Its minimiser is `-ln p` up to a constant of each context where the
//! negatives' density is part of the logits (ranking noise-contrastive estimation, Ma & Collins 2018, section 3); see
//! [`Around`].

use crate::arrays::mean;
use candle_core::{D, Tensor};
use ebmotion::model::{Fixed, Network, Parameters};
use ebmotion::noise::Noise;
use ebmotion::sample::langevin::Langevin;
use ebmotion::sample::{Transition, Unadjusted};
use ebmotion::train::{Batch, Gradients, Loss, Objective};
use ebmotion::{Error, Result};
use serde::{Deserialize, Serialize};

/// What the negatives lie around, with a standard deviation of [`InfoNceConfig::spread`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Around {
    /// A centre that itself is the example plus such noise. Example and negatives then are alike given the centre, so
    /// the proposal drops out of the logits (the parallel chains of Besag & Clifford 1989).
    Data,
    /// The source's start of a chain, which must not depend on the example. The logits are `|x - start|^2 / (2
    /// spread^2) - E`.
    Start,
}

/// Settings of [`InfoNce`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InfoNceConfig {
    /// Negatives an example, at least 1.
    pub negatives: usize,
    /// What they lie around.
    pub around: Around,
    /// Standard deviation of the noise that makes them, positive: about that of the data, since the energy learns
    /// nothing of places that no negative reaches.
    pub spread: f64,
    /// Langevin steps that refine them (appendix B.3 of Florence et al.); 0, the default, for none. Refined negatives
    /// sit where the energy is wrong, but their density is no longer known: the energy then is not `-ln p` in nats.
    pub steps: usize,
    /// Multiplier of the gradient in a step.
    pub step_size: f64,
    /// Standard deviation of a step's noise.
    pub noise: f64,
    /// Largest element of a gradient in a step.
    pub gradient_clip: Option<f64>,
    /// Box that refined negatives stay in.
    pub bounds: Option<(f64, f64)>,
    /// Weight of the gradient penalty `mean max(0, |dE/dx|_inf - margin)^2` over all candidates (appendix B.3), at
    /// least 0.
    pub penalty: f64,
    /// Slope that is free of the penalty, nats per unit; at least 0. Must lie above the density's own slopes.
    pub margin: f64,
}

impl Default for InfoNceConfig {
    /// For coordinates of unit scale.
    fn default() -> Self {
        Self {
            negatives: 16,
            around: Around::Data,
            spread: 1.0,
            steps: 0,
            step_size: 0.05,
            noise: 0.1f64.sqrt(),
            gradient_clip: None,
            bounds: None,
            penalty: 0.0,
            margin: 10.0,
        }
    }
}

impl InfoNceConfig {
    fn check(&self) -> Result<()> {
        if self.negatives == 0 {
            return Err(Error::config("negatives", 0, "at least 1"));
        }
        if !(self.spread > 0.0 && self.spread.is_finite()) {
            return Err(Error::config("spread", self.spread, "a positive number"));
        }
        for (key, value) in [("penalty", self.penalty), ("margin", self.margin)] {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(Error::config(key, value, "a number that is not negative"));
            }
        }
        Ok(())
    }
}

/// Learns any [`Network`] by telling examples from noise.
#[derive(Debug, Clone)]
pub struct InfoNce<N> {
    network: N,
    config: InfoNceConfig,
}

/// Example and negatives of a batch, `(B (N + 1), *S)`, the example first in each group of `N + 1` rows.
struct Candidates {
    x: Tensor,
    context: Option<Tensor>,
    /// `(B, N + 1)`: what the logits hold besides `-E`.
    offset: Option<Tensor>,
}

impl<N: Network> InfoNce<N> {
    /// For a network and settings.
    ///
    /// # Errors
    /// [`Error::Config`] for settings out of range.
    pub fn new(network: N, config: InfoNceConfig) -> Result<Self> {
        config.check()?;
        Ok(Self { network, config })
    }

    /// The network.
    pub fn network(&self) -> &N {
        &self.network
    }

    /// The network, taken out.
    pub fn into_network(self) -> N {
        self.network
    }

    fn candidates(&self, batch: &Batch, steps: usize, noise: &mut Noise) -> Result<Candidates> {
        let (c, x) = (&self.config, &batch.x);
        let (rows, dims) = (x.dim(0)?, x.dims());
        let around = match (c.around, &batch.start) {
            (Around::Data, _) => (x + (noise.normal(dims, x.dtype(), x.device())? * c.spread)?)?,
            (Around::Start, Some(start)) => start.clone(),
            (Around::Start, None) => {
                return Err(Error::data(
                    "batch",
                    "no starts of chains",
                    "a source with them, for negatives around them",
                ));
            }
        };
        let width = x.elem_count() / rows;
        let eps = noise.normal((rows, c.negatives * width), x.dtype(), x.device())?;
        let eps = eps.reshape([&[rows * c.negatives], &dims[1..]].concat())?;
        let mut negatives = (repeated(&around, c.negatives)? + (eps * c.spread)?)?;
        if steps > 0 {
            let context = batch.context.as_ref().map(|t| repeated(t, c.negatives)).transpose()?;
            let sampler = Unadjusted(Langevin {
                step: c.step_size,
                noise: c.noise,
                gradient_clip: c.gradient_clip,
                bounds: c.bounds,
            });
            let energy = Fixed { network: &self.network, context: context.as_ref() };
            negatives = sampler.run_from(&energy, &negatives, steps, noise)?.0.x;
        }
        let group = |t: &Tensor, n: usize| t.reshape((rows, n, width));
        let x = Tensor::cat(&[group(x, 1)?, group(&negatives, c.negatives)?], 1)?;
        let offset = match c.around {
            Around::Data => None,
            Around::Start => {
                let away = x.broadcast_sub(&group(&around, 1)?)?.sqr()?.sum(D::Minus1)?;
                Some((away * (0.5 / (c.spread * c.spread)))?)
            }
        };
        let context = batch.context.as_ref().map(|t| repeated(t, c.negatives + 1)).transpose()?;
        Ok(Candidates { x: x.reshape([&[rows * (c.negatives + 1)], &dims[1..]].concat())?, context, offset })
    }

    /// Cross-entropy of the example among the candidates whose energies are `(B (N + 1),)`.
    fn cross_entropy(&self, energies: &Tensor, offset: Option<&Tensor>) -> Result<Tensor> {
        let mut logits = energies.neg()?.reshape(((), self.config.negatives + 1))?;
        if let Some(offset) = offset {
            logits = (logits + offset)?;
        }
        let example = logits.narrow(1, 0, 1)?.squeeze(1)?;
        Ok((logits.log_sum_exp(1)? - example)?.mean_all()?)
    }
}

/// Each row `n` times in a row: `(B, *S)` to `(B n, *S)`.
fn repeated(x: &Tensor, n: usize) -> Result<Tensor> {
    let dims = x.dims();
    let many = x.unsqueeze(1)?.broadcast_as([&[dims[0], n], &dims[1..]].concat())?;
    Ok(many.reshape([&[dims[0] * n], &dims[1..]].concat())?)
}

impl<N: Network> Objective for InfoNce<N> {
    fn name(&self) -> &'static str {
        "info_nce"
    }

    fn parameters(&self) -> &Parameters {
        self.network.parameters()
    }

    fn prepare(&mut self) -> Result<()> {
        self.network.prepare()
    }

    fn loss(&mut self, batch: &Batch, noise: &mut Noise) -> Result<Loss> {
        let all = self.candidates(batch, self.config.steps, noise)?;
        let context = all.context.as_ref();
        if self.config.penalty == 0.0 {
            let total = self.cross_entropy(&self.network.energy(&all.x, context)?, all.offset.as_ref())?;
            return Ok(Loss { total, figures: Vec::new() });
        }
        let (energies, grad) = self.network.value_and_gradient(&all.x, context)?;
        let steepest = grad.flatten_from(1)?.abs()?.max(D::Minus1)?;
        let penalty = (&steepest - self.config.margin)?.relu()?.sqr()?.mean_all()?;
        let entropy = self.cross_entropy(&energies, all.offset.as_ref())?;
        let figures = vec![("cross_entropy", mean(&entropy)?), ("gradient_largest", mean(&steepest)?)];
        Ok(Loss { total: (entropy + (penalty * self.config.penalty)?)?, figures })
    }

    /// All candidates as one batch of the network's own way to its weights' gradient, where no penalty needs another.
    fn gradients(&mut self, batch: &Batch, noise: &mut Noise) -> Result<Option<Gradients>> {
        if self.config.penalty > 0.0 || !self.network.learns(&batch.x) {
            return Ok(None);
        }
        let all = self.candidates(batch, self.config.steps, noise)?;
        let offset = match &all.offset {
            Some(offset) => offset.flatten_all()?.to_vec1::<f32>()?,
            None => vec![0.0; all.x.dim(0)?],
        };
        let group = self.config.negatives + 1;
        let mut loss = 0.0;
        let learned = self.network.learn(&all.x, all.context.as_ref(), &mut |energies| {
            let rows = (energies.len() / group) as f64;
            let mut slopes = Vec::with_capacity(energies.len());
            for (energies, offset) in energies.chunks_exact(group).zip(offset.chunks_exact(group)) {
                let logits: Vec<f64> = energies.iter().zip(offset).map(|(e, o)| f64::from(o - e)).collect();
                let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let total: f64 = logits.iter().map(|l| (l - most).exp()).sum();
                loss += (most + total.ln() - logits[0]) / rows;
                // The cross-entropy's slope in a logit is its probability, less 1 at the example.
                let own = |j: usize| if j == 0 { 1.0 } else { 0.0 };
                let slope = |(j, l): (usize, &f64)| ((own(j) - (l - most).exp() / total) / rows) as f32;
                slopes.extend(logits.iter().enumerate().map(slope));
            }
            Ok(slopes)
        })?;
        Ok(Some(Gradients::of(loss, learned, Vec::new())))
    }

    /// The cross-entropy among negatives that are not refined, since those do not depend on the network.
    fn validate(&self, batch: &Batch, noise: &mut Noise) -> Result<f64> {
        let all = self.candidates(batch, 0, noise)?;
        let energies = self.network.energy(&all.x, all.context.as_ref())?;
        mean(&self.cross_entropy(&energies, all.offset.as_ref())?)
    }

    fn state(&self) -> Result<Vec<(String, Tensor)>> {
        Ok(self.network.state())
    }

    fn restore(&mut self, get: &dyn Fn(&str) -> Option<Tensor>) -> Result<()> {
        self.network.restore(&|name| Parameters::required(name, get(name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};
    use ebmotion::model::{Activation, Mlp, MlpConfig, MlpEnergy};

    /// 40 examples of 6 candidates: more than one tile. The tolerance is that of sums of 240 f32 numbers.
    #[test]
    fn the_engines_weight_gradient_is_that_of_differentiation() -> Result<()> {
        let device = Device::Cpu;
        for (around, context) in [(Around::Data, 0), (Around::Data, 5), (Around::Start, 5)] {
            let config = MlpConfig {
                inputs: 6,
                context,
                hidden: vec![20, 12],
                outputs: 1,
                activation: Activation::Swish,
                positions: None,
                spectral_norm: false,
            };
            let net = Mlp::new(config, &mut Noise::new(1), DType::F32, &device)?;
            let settings = InfoNceConfig { negatives: 5, around, steps: 2, ..Default::default() };
            let mut objective = InfoNce::new(MlpEnergy { net }, settings)?;
            let mut noise = Noise::new(2);
            let mut draw = |width: usize| noise.normal((40, 2, width), DType::F32, &device);
            let (x, start) = (draw(3)?, draw(3)?);
            let contexts = draw(5)?.narrow(1, 0, 1)?.squeeze(1)?;
            let batch = Batch { x, context: (context > 0).then_some(contexts), start: Some(start) };
            let loss = objective.loss(&batch, &mut Noise::new(3))?;
            let fast = objective.gradients(&batch, &mut Noise::new(3))?.expect("a perceptron learns by the engine");
            assert!((mean(&loss.total)? - fast.loss).abs() < 1e-5, "{around:?}: {} and {}", loss.total, fast.loss);
            let store = loss.total.backward()?;
            for ((name, var), fast) in objective.parameters().iter().zip(&fast.by_parameter) {
                let (exact, fast) = (store.get(var.as_tensor()).unwrap(), fast.as_ref().unwrap());
                let largest = exact.abs()?.max_all()?.to_scalar::<f32>()?;
                let away = (exact - fast)?.abs()?.max_all()?.to_scalar::<f32>()?;
                // The energy's own offset has no slope: it shifts all candidates alike.
                assert!(largest > 0.0 || name.ends_with("layer2.bias"), "{around:?} {name}");
                assert!(away < 2e-5 * largest.max(0.1), "{around:?} {name}: off by {away} of {largest}");
            }
        }
        Ok(())
    }

    #[test]
    fn settings_out_of_range_are_refused() {
        let refused = |config: InfoNceConfig| config.check().is_err();
        let usual = InfoNceConfig::default;
        assert!(!refused(usual()));
        assert!(refused(InfoNceConfig { negatives: 0, ..usual() }));
        assert!(refused(InfoNceConfig { spread: 0.0, ..usual() }));
        assert!(refused(InfoNceConfig { penalty: -1.0, ..usual() }));
        assert!(refused(InfoNceConfig { margin: f64::NAN, ..usual() }));
    }
}
