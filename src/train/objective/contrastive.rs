//! The paper's objective: low energy for data, high energy for what the chains find (Du & Mordatch 2019, section 3).

use super::chains::{Augmentation, ContrastiveConfig, Form};
use crate::energy::rows::column;
use crate::error::{Error, Result};
use crate::model::{Fixed, Network, Parameters};
use crate::noise::Noise;
use crate::sample::Transition;
use crate::sample::buffer::{Replay, ReplayBatch};
use crate::train::{Batch, EnergyObjective, Gradients, Loss, Objective};
use candle_core::{D, DType, Tensor};
use std::sync::Arc;

/// Contrastive divergence with a replay buffer, for any [`Network`].
#[derive(Debug, Clone)]
pub struct Contrastive<N> {
    network: N,
    config: ContrastiveConfig,
    replay: Option<Replay>,
    augmentation: Option<Arc<dyn Augmentation>>,
    x_shape: Vec<usize>,
    context_shape: Option<Vec<usize>>,
}

impl<N: Network> Contrastive<N> {
    /// For arrays of shape `x_shape` given contexts of `context_shape` (both without the batch).
    ///
    /// # Errors
    /// [`Error::Config`] for settings out of range.
    pub fn new(
        network: N,
        config: ContrastiveConfig,
        x_shape: &[usize],
        context_shape: Option<&[usize]>,
    ) -> Result<Self> {
        if config.steps == 0 {
            return Err(Error::config("steps", 0, "at least 1 Langevin step"));
        }
        if !(0.0..=1.0).contains(&config.fresh) {
            return Err(Error::config("fresh", config.fresh, "a probability, 0 to 1"));
        }
        if !(config.energy_l2 >= 0.0 && config.energy_l2.is_finite()) {
            return Err(Error::config("energy_l2", config.energy_l2, "a number that is not negative"));
        }
        let replay = match config.replay {
            0 => None,
            capacity => Some(Replay::new(capacity, x_shape, context_shape)?),
        };
        let (x_shape, context_shape) = (x_shape.to_vec(), context_shape.map(<[usize]>::to_vec));
        Ok(Self { network, config, replay, augmentation: None, x_shape, context_shape })
    }

    /// The same with chains changed when they are resumed. Without a buffer none are.
    pub fn augmented(self, augmentation: Arc<dyn Augmentation>) -> Self {
        Self { augmentation: Some(augmentation), ..self }
    }

    /// The network.
    pub fn network(&self) -> &N {
        &self.network
    }

    /// The network, taken out.
    pub fn into_network(self) -> N {
        self.network
    }

    /// Settings.
    pub fn config(&self) -> &ContrastiveConfig {
        &self.config
    }

    /// The network, as the trainer prepares it.
    pub(super) fn network_mut(&mut self) -> &mut N {
        &mut self.network
    }

    /// Where the chains of a step start.
    pub(super) fn begin(&self, batch: &Batch, noise: &mut Noise) -> Result<Begun> {
        let Some(start) = &batch.start else {
            return Err(unstarted());
        };
        let Some(replay) = &self.replay else {
            return Ok(Begun { x: start.clone(), context: batch.context.clone(), drawn: None });
        };
        let drawn = replay.draw(start, batch.context.as_ref(), self.config.fresh, noise)?;
        let x = match &self.augmentation {
            None => drawn.x.clone(),
            Some(augmentation) => {
                let changed = augmentation.augment(&drawn.x, noise)?;
                let resumed: Vec<u8> = drawn.slots.iter().map(|slot| u8::from(slot.is_some())).collect();
                let resumed = column(&Tensor::new(resumed, changed.device())?, &changed)?;
                resumed.broadcast_as(changed.shape())?.where_cond(&changed, &drawn.x)?
            }
        };
        // A resumed chain brings its own context: it must not meet another's.
        Ok(Begun { x, context: drawn.context.clone(), drawn: Some(drawn) })
    }

    /// Writes the chains of a step back, which have come to `x`; figures for telemetry.
    pub(super) fn keep(&mut self, begun: &Begun, x: &Tensor) -> Result<Vec<(&'static str, f64)>> {
        let (Some(replay), Some(drawn)) = (&mut self.replay, &begun.drawn) else { return Ok(Vec::new()) };
        replay.write_back(drawn, x, self.config.steps as u64)?;
        Ok(vec![
            ("replay_age", replay.mean_age()),
            ("replay_filled", replay.len() as f64),
            ("replay_resumed", drawn.resumed() as f64),
        ])
    }

    /// Draws the samples of a step and writes their chains back.
    fn walk(&mut self, batch: &Batch, noise: &mut Noise) -> Result<Walked> {
        let begun = self.begin(batch, noise)?;
        let energy = Fixed { network: &self.network, context: begun.context.as_ref() };
        let (end, info) = self.config.sampler().run_from(&energy, &begun.x, self.config.steps, noise)?;
        let mut figures = vec![("chain_moved", info.moved), ("chain_gradient_norm", info.gradient_norm)];
        figures.extend(self.keep(&begun, &end.x)?);
        Ok(Walked { x: end.x, context: begun.context, figures })
    }

    /// [`Contrastive::combine`] in plain numbers: the loss, and its derivative in each energy, data first.
    pub(super) fn slopes(&self, data: &[f32], samples: &[f32]) -> (f64, Vec<f32>) {
        let (n, m) = (data.len() as f64, samples.len() as f64);
        let plus: Vec<f64> = data.iter().map(|e| f64::from(*e)).collect();
        let minus: Vec<f64> = samples.iter().map(|e| f64::from(*e)).collect();
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let (mut loss, mut up, mut down) = (mean(&plus), vec![1.0 / n; plus.len()], vec![0.0; minus.len()]);
        match self.config.form {
            Form::Linear => {
                loss -= mean(&minus);
                down.fill(-1.0 / m);
            }
            Form::Softplus => {
                let gaps: Vec<f64> = plus.iter().zip(&minus).map(|(a, b)| a - b).collect();
                loss = mean(&gaps.iter().map(|d| d.max(0.0) + (-d.abs()).exp().ln_1p()).collect::<Vec<_>>());
                for (i, d) in gaps.iter().enumerate() {
                    up[i] = 1.0 / (1.0 + (-d).exp()) / n;
                    down[i] = -up[i];
                }
            }
            Form::LogSumExp => {
                let least = minus.iter().copied().fold(f64::INFINITY, f64::min);
                let weights: Vec<f64> = minus.iter().map(|e| (least - e).exp()).collect();
                let total: f64 = weights.iter().sum();
                loss += total.ln() - least - m.ln();
                down.iter_mut().zip(weights).for_each(|(d, w)| *d = -w / total);
            }
        }
        let l2 = self.config.energy_l2;
        if l2 > 0.0 {
            loss += l2 * (mean(&plus.iter().map(|e| e * e).collect::<Vec<_>>()));
            loss += l2 * (mean(&minus.iter().map(|e| e * e).collect::<Vec<_>>()));
            up.iter_mut().zip(&plus).for_each(|(s, e)| *s += 2.0 * l2 * e / n);
            down.iter_mut().zip(&minus).for_each(|(s, e)| *s += 2.0 * l2 * e / m);
        }
        (loss, up.into_iter().chain(down).map(|s| s as f32).collect())
    }

    /// The loss of the energies of data and samples, each `(B,)`.
    pub(super) fn combine(&self, data: &Tensor, samples: &Tensor) -> Result<Tensor> {
        let main = match self.config.form {
            Form::Linear => (data.mean_all()? - samples.mean_all()?)?,
            Form::Softplus => {
                // softplus(d) = max(d, 0) + ln(1 + exp(-|d|)), which never overflows.
                let d = (data - samples)?;
                (d.relu()? + (d.abs()?.neg()?.exp()? + 1.0)?.log()?)?.mean_all()?
            }
            Form::LogSumExp => {
                let n = samples.elem_count() as f64;
                let lse = samples.neg()?.log_sum_exp(D::Minus1)?;
                (data.mean_all()? + (lse - n.ln())?)?
            }
        };
        if self.config.energy_l2 == 0.0 {
            return Ok(main);
        }
        let l2 = (data.sqr()?.mean_all()? + samples.sqr()?.mean_all()?)?;
        Ok((main + (l2 * self.config.energy_l2)?)?)
    }
}

/// Chains that begin a step.
pub(super) struct Begun {
    pub(super) x: Tensor,
    pub(super) context: Option<Tensor>,
    drawn: Option<ReplayBatch>,
}

fn unstarted() -> Error {
    Error::data("batch", "no starts of chains", "a source that says where they start, for contrastive training")
}

/// Samples of one step.
struct Walked {
    x: Tensor,
    context: Option<Tensor>,
    figures: Vec<(&'static str, f64)>,
}

impl Walked {
    fn energies(&mut self, data: f64, samples: f64) {
        self.figures.push(("energy_data", data));
        self.figures.push(("energy_samples", samples));
        self.figures.push(("energy_gap", samples - data));
    }
}

impl<N: Network> EnergyObjective<N> for Contrastive<N> {
    fn into_learned(self: Box<Self>) -> N {
        self.into_network()
    }
}

impl<N: Network> Objective for Contrastive<N> {
    fn name(&self) -> &'static str {
        "contrastive"
    }

    fn parameters(&self) -> &Parameters {
        self.network.parameters()
    }

    fn prepare(&mut self) -> Result<()> {
        self.network.prepare()
    }

    fn loss(&mut self, batch: &Batch, noise: &mut Noise) -> Result<Loss> {
        let mut walked = self.walk(batch, noise)?;
        let samples = self.network.energy(&walked.x, walked.context.as_ref())?;
        let data = self.network.energy(&batch.x, batch.context.as_ref())?;
        walked.energies(mean(&data)?, mean(&samples)?);
        Ok(Loss { total: self.combine(&data, &samples)?, figures: walked.figures })
    }

    /// Data and samples as one batch of the network's own way to its weights' gradient.
    fn gradients(&mut self, batch: &Batch, noise: &mut Noise) -> Result<Option<Gradients>> {
        if !self.network.learns(&batch.x) {
            return Ok(None);
        }
        let mut walked = self.walk(batch, noise)?;
        let rows = batch.x.dim(0)?;
        let x = Tensor::cat(&[&batch.x, &walked.x], 0)?;
        let context = match (&batch.context, &walked.context) {
            (Some(a), Some(b)) => Some(Tensor::cat(&[a, b], 0)?),
            _ => None,
        };
        let mut loss = 0.0;
        let all = self.network.learn(&x, context.as_ref(), &mut |energies| {
            let (data, samples) = energies.split_at(rows);
            let (value, slopes) = self.slopes(data, samples);
            loss = value;
            let mean = |e: &[f32]| e.iter().map(|v| f64::from(*v)).sum::<f64>() / e.len() as f64;
            walked.energies(mean(data), mean(samples));
            Ok(slopes)
        })?;
        Ok(Some(Gradients::of(loss, all, walked.figures)))
    }

    /// The energy score of two chains against the example; energies themselves cannot be compared between two states of
    /// a network.
    fn validate(&self, batch: &Batch, noise: &mut Noise) -> Result<f64> {
        let Some(start) = &batch.start else {
            return Err(unstarted());
        };
        let energy = Fixed { network: &self.network, context: batch.context.as_ref() };
        let sampler = self.config.sampler();
        let (one, _) = sampler.run_from(&energy, start, self.config.steps, &mut noise.split_off())?;
        let (two, _) = sampler.run_from(&energy, start, self.config.steps, &mut noise.split_off())?;
        energy_score(&one.x, &two.x, &batch.x)
    }

    fn state(&self) -> Result<Vec<(String, Tensor)>> {
        let mut tensors = self.network.state();
        if let Some(replay) = &self.replay {
            tensors.extend(replay.to_tensors()?.into_iter().map(|(name, t)| (format!("replay/{name}"), t)));
        }
        Ok(tensors)
    }

    fn restore(&mut self, get: &dyn Fn(&str) -> Option<Tensor>) -> Result<()> {
        self.network.restore(&|name| Parameters::required(name, get(name)))?;
        if let Some(replay) = &mut self.replay {
            let tensors: Vec<(String, Tensor)> = ["place", "age", "x", "context"]
                .iter()
                .filter_map(|name| Some((name.to_string(), get(&format!("replay/{name}"))?)))
                .collect();
            *replay = Replay::from_tensors(&tensors, &self.x_shape, self.context_shape.as_deref())?;
        }
        Ok(())
    }
}

/// Mean energy score of two independent draws against what came (Gneiting & Raftery 2007, eq. 21), which only the true
/// conditional distribution minimises; all `(B, *S)`, distances in root mean squares over a row.
///
/// # Errors
/// [`Error::Tensor`] when shapes differ.
pub fn energy_score(one: &Tensor, two: &Tensor, x: &Tensor) -> Result<f64> {
    let distance =
        |a: &Tensor, b: &Tensor| -> Result<f64> { mean(&(a - b)?.flatten_from(1)?.sqr()?.mean(D::Minus1)?.sqrt()?) };
    Ok(0.5 * (distance(one, x)? + distance(two, x)? - distance(one, two)?))
}

pub(super) fn mean(values: &Tensor) -> Result<f64> {
    Ok(values.to_dtype(DType::F64)?.mean_all()?.to_scalar()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Activation, Mlp, MlpConfig, MlpEnergy, Positions};
    use candle_core::Device;

    fn objective(
        form: Form,
        context: usize,
        (spectral_norm, positions): (bool, Option<Positions>),
        activation: Activation,
    ) -> Contrastive<MlpEnergy> {
        let config = MlpConfig {
            inputs: 12,
            context,
            hidden: vec![40, 24, 18],
            outputs: 1,
            activation,
            positions,
            spectral_norm,
        };
        let mut net = Mlp::new(config, &mut Noise::new(1), DType::F32, &Device::Cpu).unwrap();
        net.power_iteration().unwrap();
        let settings = ContrastiveConfig {
            form,
            energy_l2: 0.3,
            steps: 3,
            step_size: 0.1,
            noise: 0.05,
            gradient_clip: None,
            bounds: None,
            replay: 0,
            fresh: 1.0,
        };
        let shape = (context > 0).then_some([context]);
        Contrastive::new(MlpEnergy { net }, settings, &[3, 4], shape.as_ref().map(|s| &s[..])).unwrap()
    }

    /// 150 examples: more than one tile, and a tail. The tolerance is that of sums of 300 f32 numbers.
    #[test]
    fn the_engines_weight_gradient_is_that_of_differentiation() {
        let mut noise = Noise::new(2);
        let rows = 150;
        let over = |count, reach| (false, Some(Positions { count, reach }));
        for (form, context, kind, activation) in [
            (Form::Linear, 0, (false, None), Activation::Swish),
            (Form::Softplus, 5, (false, None), Activation::LeakyRelu),
            (Form::LogSumExp, 35, (true, None), Activation::Swish),
            (Form::Softplus, 7, over(4, vec![1, 0]), Activation::Swish),
            (Form::Linear, 0, over(2, vec![2]), Activation::LeakyRelu),
        ] {
            let mut draw = |shape: (usize, usize, usize)| noise.normal(shape, DType::F32, &Device::Cpu).unwrap();
            let x = draw((rows, 3, 4));
            let start = draw((rows, 3, 4));
            let contexts = draw((rows, 1, context.max(1))).squeeze(1).unwrap();
            let batch = Batch { x, context: (context > 0).then_some(contexts), start: Some(start) };
            let mut one = objective(form, context, kind, activation);
            let mut two = one.clone();
            let loss = one.loss(&batch, &mut Noise::new(3)).unwrap();
            let fast = two.gradients(&batch, &mut Noise::new(3)).unwrap().expect("a perceptron learns by the engine");
            let value = loss.total.to_scalar::<f32>().unwrap();
            assert!((f64::from(value) - fast.loss).abs() < 1e-5, "{form:?}: {value} and {}", fast.loss);
            for ((name, a), (other, b)) in loss.figures.iter().zip(&fast.figures) {
                assert!(name == other && (a - b).abs() < 1e-5, "{form:?} {name}: {a} and {b}");
            }
            let store = loss.total.backward().unwrap();
            for ((name, var), fast) in one.parameters().iter().zip(&fast.by_parameter) {
                let exact = store.get(var.as_tensor()).unwrap();
                let fast = fast.as_ref().unwrap();
                assert_eq!(exact.dims(), fast.dims(), "{name}");
                let largest = exact.abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
                let away = (exact - fast).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
                assert!(largest > 0.0 && away < 2e-5 * largest.max(0.1), "{form:?} {name}: off by {away} of {largest}");
            }
        }
    }
}
