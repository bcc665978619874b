//! The paper's objective: low energy for data, high energy for what the chains find (Du & Mordatch 2019, section 3).

use crate::error::{Error, Result};
use crate::model::{Fixed, Network, Parameters};
use crate::noise::Noise;
use crate::sample::buffer::Replay;
use crate::sample::langevin::{Langevin, Ula};
use crate::sample::{ChainState, Transition};
use crate::train::{Batch, Loss, Objective};
use candle_core::{D, DType, Tensor};
use serde::{Deserialize, Serialize};

/// How the energies of data and samples become a loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// `mean E+ - mean E-` (eq. 2).
    Linear,
    /// `mean softplus(E+ - E-)`: bounded below, the most stable of the three in the released code.
    Softplus,
    /// `mean E+ + ln mean exp(-E-)`: samples weighted by their importance under the model.
    LogSumExp,
}

/// Settings of [`Contrastive`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContrastiveConfig {
    /// How the energies become a loss.
    pub form: Form,
    /// Weight of `mean E+^2 + mean E-^2`, which keeps energies near 0; at least 0.
    pub energy_l2: f64,
    /// Langevin steps a batch.
    pub steps: usize,
    /// Multiplier of the gradient in a step.
    pub step_size: f64,
    /// Standard deviation of a step's noise.
    pub noise: f64,
    /// Largest element of a gradient in a step.
    pub gradient_clip: Option<f64>,
    /// Box that chains stay in.
    pub bounds: Option<(f64, f64)>,
    /// Chains in the replay buffer; 0 for none.
    pub replay: usize,
    /// Probability that a chain starts afresh instead of from the buffer, in `[0, 1]`.
    pub fresh: f64,
}

impl ContrastiveConfig {
    /// The chain of one batch.
    pub fn sampler(&self) -> Ula {
        crate::sample::Unadjusted(Langevin {
            step: self.step_size,
            noise: self.noise,
            gradient_clip: self.gradient_clip,
            bounds: self.bounds,
        })
    }
}

/// Contrastive divergence with a replay buffer, for any [`Network`].
#[derive(Debug, Clone)]
pub struct Contrastive<N> {
    network: N,
    config: ContrastiveConfig,
    replay: Option<Replay>,
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
        Ok(Self { network, config, replay, x_shape, context_shape })
    }

    /// The network.
    pub fn network(&self) -> &N {
        &self.network
    }

    /// The network, taken out.
    pub fn into_network(self) -> N {
        self.network
    }

    fn combine(&self, data: &Tensor, samples: &Tensor) -> Result<Tensor> {
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
        let Some(start) = &batch.start else {
            return Err(Error::Other("contrastive training needs a source that says where chains start".into()));
        };
        let mut figures = Vec::new();
        let drawn = match &self.replay {
            Some(replay) => Some(replay.draw(start, batch.context.as_ref(), self.config.fresh, noise)?),
            None => None,
        };
        // A resumed chain brings its own context: it must not meet another's.
        let (x, context) = match &drawn {
            Some(drawn) => (&drawn.x, drawn.context.as_ref()),
            None => (start, batch.context.as_ref()),
        };
        let energy = Fixed { network: &self.network, context };
        let chain = ChainState::start(&energy, x)?;
        let (end, info) = self.config.sampler().run_summed(&energy, &chain, self.config.steps, noise)?;
        figures.push(("chain_moved", info.moved));
        figures.push(("chain_gradient_norm", info.gradient_norm));
        let samples = self.network.energy(&end.x, context)?;
        let data = self.network.energy(&batch.x, batch.context.as_ref())?;
        if let (Some(replay), Some(drawn)) = (&mut self.replay, &drawn) {
            replay.write_back(drawn, &end.x, self.config.steps as u64)?;
            figures.push(("replay_age", replay.mean_age()));
            figures.push(("replay_filled", replay.len() as f64));
            figures.push(("replay_resumed", drawn.resumed() as f64));
        }
        let (mean_data, mean_samples) = (mean(&data)?, mean(&samples)?);
        figures.push(("energy_data", mean_data));
        figures.push(("energy_samples", mean_samples));
        figures.push(("energy_gap", mean_samples - mean_data));
        Ok(Loss { total: self.combine(&data, &samples)?, figures })
    }

    /// The energy score of two chains against the example (Gneiting & Raftery 2007, eq. 21), which only the true
    /// conditional distribution minimises; energies themselves cannot be compared between two states of a network.
    fn validate(&self, batch: &Batch, noise: &mut Noise) -> Result<f64> {
        let Some(start) = &batch.start else {
            return Err(Error::Other("contrastive validation needs a source that says where chains start".into()));
        };
        let energy = Fixed { network: &self.network, context: batch.context.as_ref() };
        let chain = ChainState::start(&energy, start)?;
        let sampler = self.config.sampler();
        let one = sampler.run(&energy, &chain, self.config.steps, &mut noise.split_off())?.x;
        let two = sampler.run(&energy, &chain, self.config.steps, &mut noise.split_off())?.x;
        let distance = |a: &Tensor, b: &Tensor| -> Result<f64> {
            mean(&(a - b)?.flatten_from(1)?.sqr()?.mean(D::Minus1)?.sqrt()?)
        };
        Ok(0.5 * (distance(&one, &batch.x)? + distance(&two, &batch.x)? - distance(&one, &two)?))
    }

    fn state(&self) -> Result<Vec<(String, Tensor)>> {
        let mut tensors = self.network.state();
        if let Some(replay) = &self.replay {
            tensors.extend(replay.to_tensors()?.into_iter().map(|(name, t)| (format!("replay/{name}"), t)));
        }
        Ok(tensors)
    }

    fn restore(&mut self, get: &dyn Fn(&str) -> Option<Tensor>) -> Result<()> {
        self.network.restore(&|name| get(name).ok_or_else(|| Error::Other(format!("no tensor `{name}`"))))?;
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

fn mean(values: &Tensor) -> Result<f64> {
    Ok(values.to_dtype(DType::F64)?.mean_all()?.to_scalar()?)
}
