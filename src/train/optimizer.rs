//! Adam with everything a resumed run needs in the open: moments, warm-up, decay, clipping.

use super::fused::{Blend, Descend};
use super::whitening::{Whitened, Whitening};
use crate::error::{Error, Result};
use crate::model::Parameters;
use candle_core::{DType, Tensor, Var};
use ebmotion_engine::parallel;
use serde::{Deserialize, Serialize};

/// How gradients are kept in bounds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Clip {
    /// Not at all.
    None,
    /// The whole gradient is scaled down to this Euclidean norm (Pascanu et al. 2013).
    Norm(f64),
    /// Each element is held within `+-(multiple * sqrt(v) + floor)`, `v` Adam's bias-corrected second moment before
    /// this step, as in the released code of Du & Mordatch 2019 (3 and 0.1 there). The first step is not clipped, nor
    /// are matrices that are whitened.
    Running {
        /// Multiple of the running root mean square.
        multiple: f64,
        /// Added to it.
        floor: f64,
    },
}

/// What the learning rate does after its warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decay {
    /// Stays.
    Constant,
    /// Falls to 1 % along half a cosine (Loshchilov & Hutter 2017, eq. 5).
    Cosine,
}

/// Settings of [`Adam`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdamConfig {
    /// Step size after the warm-up; positive.
    pub learning_rate: f64,
    /// Decay of the first moment, in `[0, 1)`.
    pub beta1: f64,
    /// Decay of the second moment, in `[0, 1)`.
    pub beta2: f64,
    /// Decoupled weight decay (Loshchilov & Hutter 2019); at least 0.
    pub weight_decay: f64,
    /// Steps over which the learning rate rises linearly from 0.
    pub warmup_steps: u64,
    /// What follows the warm-up.
    pub decay: Decay,
    /// How gradients are kept in bounds.
    pub clip: Clip,
    /// How weight matrices learn, where not by Adam.
    #[serde(default)]
    pub whitening: Option<Whitening>,
}

/// Added to the root of the second moment.
const EPSILON: f64 = 1e-8;

/// Numbers or multiplications below which a second thread costs more than it brings.
const WORTH_SHARING: usize = 100_000;

/// What is kept of one parameter between steps.
#[derive(Debug)]
enum Memory {
    /// First and second moment.
    Moments(Tensor, Tensor),
    /// Of a matrix that is whitened.
    Whitened(Whitened),
}

/// Adam (Kingma & Ba 2015, algorithm 1) with decoupled weight decay; matrices by [`Whitening`] where the settings say
/// so.
#[derive(Debug)]
pub struct Adam {
    config: AdamConfig,
    /// One a parameter.
    memory: Vec<Memory>,
    /// Factor of the learning rate.
    pace: f64,
}

impl Adam {
    /// Moments at zero.
    ///
    /// # Errors
    /// [`Error::Tensor`].
    pub fn new(config: AdamConfig, parameters: &Parameters) -> Result<Self> {
        let memory = |v: &Var| -> Result<_> {
            Ok(match config.whitening.as_ref().map(|settings| Whitened::of(v, settings)).transpose()?.flatten() {
                Some(whitened) => Memory::Whitened(whitened),
                None => Memory::Moments(v.zeros_like()?, v.zeros_like()?),
            })
        };
        let memory = parameters.iter().map(|(_, v)| memory(v)).collect::<Result<_>>()?;
        Ok(Self { config, memory, pace: 1.0 })
    }

    /// Learning rate of step `step` (from 0) of a run of `total` steps.
    pub fn learning_rate(&self, step: u64, total: u64) -> f64 {
        let c = &self.config;
        let warmup = ((step + 1) as f64 / c.warmup_steps.max(1) as f64).min(1.0);
        let factor = match c.decay {
            Decay::Constant => 1.0,
            Decay::Cosine => {
                let span = total.saturating_sub(c.warmup_steps).max(1) as f64;
                let done = (step.saturating_sub(c.warmup_steps) as f64 / span).min(1.0);
                0.01 + 0.99 * 0.5 * (1.0 + (std::f64::consts::PI * done).cos())
            }
        };
        c.learning_rate * warmup * factor * self.pace
    }

    /// From now on the learning rate is this times what the settings say.
    pub fn slow_down(&mut self, factor: f64) {
        self.pace = factor;
    }

    /// Moves the weights against the gradient (one a parameter, in their order; `None` is 0) and returns the gradient's
    /// norm before clipping.
    ///
    /// # Errors
    /// [`Error::NonFinite`] when the gradient is not finite (the weights stay as they were); [`Error::Tensor`].
    pub fn step(&mut self, parameters: &Parameters, grads: &[Option<Tensor>], step: u64, total: u64) -> Result<f64> {
        let mut gradients = Vec::with_capacity(parameters.len());
        let mut squares = Vec::with_capacity(parameters.len());
        for ((_, var), g) in parameters.iter().zip(grads) {
            let g = match g {
                Some(g) => g.clone(),
                None => var.zeros_like()?,
            };
            squares.push(g.sqr()?.sum_all()?.to_dtype(DType::F64)?);
            gradients.push(g);
        }
        // On a GPU one wait for all of them.
        let squares = if squares.is_empty() { Vec::new() } else { Tensor::stack(&squares, 0)?.to_vec1::<f64>()? };
        let norm = squares.iter().sum::<f64>().sqrt();
        if !norm.is_finite() {
            return Err(Error::NonFinite { what: "norm of the loss's gradient".into(), value: norm, step });
        }
        let rate = self.learning_rate(step, total);
        let pace = Pace { config: &self.config, step, rate, norm };
        let parts = parameters.iter().zip(gradients).zip(&mut self.memory);
        pace.descend(parts.map(|(((_, var), gradient), memory)| Part { var, gradient, memory }).collect())?;
        Ok(norm)
    }

    /// What is kept between steps, by parameter name.
    ///
    /// # Errors
    /// [`Error::Tensor`].
    pub fn state(&self, parameters: &Parameters) -> Result<Vec<(String, Tensor)>> {
        let mut state = Vec::new();
        for ((name, _), memory) in parameters.iter().zip(&self.memory) {
            let kept = match memory {
                Memory::Moments(m, v) => vec![("m", m.clone()), ("v", v.clone())],
                Memory::Whitened(whitened) => whitened.tensors()?,
            };
            state.extend(kept.into_iter().map(|(kind, tensor)| (key(kind, name), tensor)));
        }
        Ok(state)
    }

    /// Sets what [`Adam::state`] gave.
    ///
    /// # Errors
    /// What `get` returns for a name it does not know.
    pub fn restore(&mut self, parameters: &Parameters, get: impl Fn(&str) -> Result<Tensor>) -> Result<()> {
        for ((name, _), memory) in parameters.iter().zip(&mut self.memory) {
            match memory {
                Memory::Moments(m, v) => (*m, *v) = (get(&key("m", name))?, get(&key("v", name))?),
                Memory::Whitened(whitened) => whitened.restore(|kind| get(&key(kind, name)))?,
            }
        }
        Ok(())
    }
}

/// A parameter, its gradient and what is kept of it.
struct Part<'a> {
    var: &'a Var,
    gradient: Tensor,
    memory: &'a mut Memory,
}

impl Part<'_> {
    /// How long its step takes, next to those of others.
    fn cost(&self) -> usize {
        match &self.memory {
            Memory::Moments(..) => self.var.elem_count(),
            Memory::Whitened(whitened) => whitened.multiplications(),
        }
    }
}

/// What the parameters have in common in one step.
struct Pace<'a> {
    config: &'a AdamConfig,
    step: u64,
    rate: f64,
    /// Of the whole gradient.
    norm: f64,
}

impl Pace<'_> {
    /// Moves all parameters, on the CPU one a thread.
    fn descend(&self, mut parts: Vec<Part<'_>>) -> Result<()> {
        // The longest first, so that threads end at about the same time.
        parts.sort_by_key(|part| std::cmp::Reverse(part.cost()));
        let worth = parts.iter().map(Part::cost).sum::<usize>() > WORTH_SHARING;
        let on_cpu = parts.iter().all(|part| part.var.device().is_cpu());
        let threads = if worth && on_cpu { parallel::available() } else { 1 };
        parallel::each(threads, parts, |_, part| self.part(part)).into_iter().collect()
    }

    fn part(&self, Part { var, gradient, memory }: Part<'_>) -> Result<()> {
        let (c, time) = (self.config, (self.step + 1) as f64);
        let gradient = match c.clip {
            Clip::Norm(limit) if self.norm > limit => (gradient * (limit / self.norm))?,
            _ => gradient,
        };
        let (m, v) = match memory {
            Memory::Whitened(whitened) => {
                return whitened.descend(var, &gradient, self.step, self.rate / c.learning_rate, c.weight_decay);
            }
            Memory::Moments(m, v) => (m, v),
        };
        let gradient = match c.clip {
            Clip::Running { multiple, floor } if self.step > 0 => {
                let before = 1.0 - c.beta2.powf(time - 1.0);
                let bound = ((v.sqrt()? * (multiple / before.sqrt()))? + floor)?;
                gradient.minimum(&bound)?.maximum(&bound.neg()?)?
            }
            _ => gradient,
        };
        Blend { keep: c.beta1, add: 1.0 - c.beta1, square: false }.apply(m, &gradient)?;
        Blend { keep: c.beta2, add: 1.0 - c.beta2, square: true }.apply(v, &gradient)?;
        let (correct1, correct2) = (1.0 - c.beta1.powf(time), 1.0 - c.beta2.powf(time));
        let keep = 1.0 - self.rate * c.weight_decay;
        Descend { keep, rate: self.rate / correct1, correct: correct2, epsilon: EPSILON }.apply(var, m, v)
    }
}

fn key(kind: &str, parameter: &str) -> String {
    format!("adam.{kind}/{parameter}")
}
