//! The training loop.

use super::checkpoint::State;
use super::fused::Blend;
use super::{Adam, AdamConfig, Batch, CheckpointPlan, Gradients, Objective, Source};
use crate::error::{Error, Result};
use crate::event::{Event, Sink};
use crate::noise::Noise;
use candle_core::{DType, Tensor};
use serde::{Deserialize, Serialize};

/// Settings of a training run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Steps of the optimizer.
    pub steps: u64,
    /// Examples a step.
    pub batch: usize,
    /// The optimizer.
    pub optimizer: AdamConfig,
    /// Decay of the weights' moving average, in `[0, 1)`; the average is what is validated and kept.
    pub average_decay: f64,
    /// Steps between two validations.
    pub validate_every: u64,
    /// Steps between two lines of telemetry.
    pub log_every: u64,
    /// Steps between two checkpoints, where checkpoints are kept.
    pub checkpoint_every: u64,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// Steps done, those before a resume included.
    pub steps: u64,
    /// Best validation figure, and its step; `None` where nothing was held out.
    pub best_validation: Option<f64>,
    /// Step of the kept weights.
    pub best_step: u64,
}

const BATCH_NOISE: u64 = 0;
const LOSS_NOISE: u64 = 1;
const VALIDATION_NOISE: u64 = u64::MAX;

/// Trains `objective` on `source`; on return its weights are the averaged ones of the best validation (of the last step
/// where nothing is held out). Step `k` draws from `noise.fork(k)` alone.
///
/// # Errors
/// [`Error::Config`] for settings out of range; [`Error::NonFinite`] naming the step when loss or gradient is not
/// finite; [`Error::Interrupted`] after saving, when the sink asks to stop; whatever source, objective and sink return.
pub fn train(
    objective: &mut dyn Objective,
    source: &dyn Source,
    config: &TrainConfig,
    noise: &Noise,
    plan: Option<&CheckpointPlan>,
    sink: &mut dyn Sink,
) -> Result<Outcome> {
    check(config)?;
    let mut adam = Adam::new(config.optimizer.clone(), objective.parameters())?;
    let weights = objective.parameters().values()?;
    let mut state = State { step: 0, average: copies(&weights)?, best_weights: weights, best: None, best_step: 0 };
    if let Some(plan) = plan.filter(|p| p.resume && p.path.exists()) {
        state = plan.load(objective, &mut adam, config)?;
    }
    let device = objective.parameters().device();
    let held_out = source.validation()?.map(|batch| batch.to_device(&device)).transpose()?;
    sink.emit(&Event::Begin { phase: objective.name(), total: config.steps })?;
    sink.emit(&Event::Step { step: state.step, note: "" })?;
    let mut smooth: Option<f64> = None;
    while state.step < config.steps {
        let step = state.step;
        let local = noise.fork(step);
        let batch = source.batch(config.batch, &mut local.fork(BATCH_NOISE))?.to_device(&device)?;
        objective.prepare()?;
        let gradients = gradients(objective, &batch, &mut local.fork(LOSS_NOISE))?;
        let value = gradients.loss;
        if !value.is_finite() {
            return Err(Error::NonFinite { what: format!("{} loss", objective.name()), value, step });
        }
        let norm = adam.step(objective.parameters(), &gradients.by_parameter, step, config.steps)?;
        update_average(objective, &mut state.average, config.average_decay, step)?;
        state.step += 1;
        smooth = Some(smooth.map_or(value, |s| 0.98 * s + 0.02 * value));

        let last = state.step == config.steps;
        let mut figures = vec![("loss", value), ("gradient_norm", norm)];
        figures.push(("learning_rate", adam.learning_rate(step, config.steps)));
        figures.extend(gradients.figures);
        let mut validated = false;
        if let Some(batch) = held_out.as_ref().filter(|_| last || state.step.is_multiple_of(config.validate_every)) {
            let figure =
                with_weights(objective, &state.average, |o| o.validate(batch, &mut noise.fork(VALIDATION_NOISE)))?;
            if !figure.is_finite() {
                return Err(Error::NonFinite { what: "validation figure".into(), value: figure, step: state.step });
            }
            figures.push(("validation", figure));
            validated = true;
            if state.best.is_none_or(|best| figure < best) {
                state.best = Some(figure);
                state.best_step = state.step;
                state.best_weights = copies(&state.average)?; // the average goes on in place
            }
        }
        if validated || last || state.step.is_multiple_of(config.log_every) {
            sink.emit(&Event::Figures { phase: objective.name(), step: state.step, values: &figures })?;
        }
        let note = match (smooth, state.best) {
            (Some(loss), Some(best)) => format!("loss {loss:.4}  best validation {best:.4}"),
            (Some(loss), None) => format!("loss {loss:.4}"),
            (None, _) => String::new(),
        };
        sink.emit(&Event::Step { step: state.step, note: &note })?;
        let stop = sink.stop_requested() && !last;
        let due = stop || last || state.step.is_multiple_of(config.checkpoint_every);
        if let Some(plan) = plan.filter(|_| due) {
            plan.save(objective, &adam, &state, config)?;
        }
        if stop {
            return Err(Error::Interrupted { step: state.step, saved: plan.map(|p| p.path.clone()) });
        }
    }
    sink.emit(&Event::End)?;
    let kept = if held_out.is_some() { &state.best_weights } else { &state.average };
    objective.parameters().set_values(kept)?;
    let best_step = if held_out.is_some() { state.best_step } else { state.step };
    Ok(Outcome { steps: state.step, best_validation: state.best, best_step })
}

/// The objective's own gradient, or that of its loss.
fn gradients(objective: &mut dyn Objective, batch: &Batch, noise: &mut Noise) -> Result<Gradients> {
    if let Some(gradients) = objective.gradients(batch, &mut noise.clone())? {
        return Ok(gradients);
    }
    let loss = objective.loss(batch, noise)?;
    let value = loss.total.to_dtype(DType::F64)?.to_scalar::<f64>()?;
    let mut by_parameter = Vec::with_capacity(objective.parameters().len());
    if value.is_finite() {
        let store = loss.total.backward()?;
        by_parameter
            .extend(objective.parameters().iter().map(|(_, var)| store.get(var.as_tensor()).map(Tensor::detach)));
    }
    Ok(Gradients { loss: value, by_parameter, figures: loss.figures })
}

fn check(config: &TrainConfig) -> Result<()> {
    for (key, value) in [
        ("steps", config.steps),
        ("batch", config.batch as u64),
        ("validate_every", config.validate_every),
        ("log_every", config.log_every),
        ("checkpoint_every", config.checkpoint_every),
    ] {
        if value == 0 {
            return Err(Error::config(key, value, "at least 1"));
        }
    }
    let o = &config.optimizer;
    for (key, value) in [("beta1", o.beta1), ("beta2", o.beta2), ("average_decay", config.average_decay)] {
        if !(0.0..1.0).contains(&value) {
            return Err(Error::config(key, value, "at least 0 and below 1"));
        }
    }
    if !(o.learning_rate > 0.0 && o.learning_rate.is_finite()) {
        return Err(Error::config("learning_rate", o.learning_rate, "a positive number"));
    }
    if !(o.weight_decay >= 0.0 && o.weight_decay.is_finite()) {
        return Err(Error::config("weight_decay", o.weight_decay, "a number that is not negative"));
    }
    Ok(())
}

fn copies(tensors: &[Tensor]) -> Result<Vec<Tensor>> {
    tensors.iter().map(|t| Ok(t.copy()?)).collect()
}

/// Moving average whose decay grows with the steps done, so that the first weights are soon forgotten.
fn update_average(objective: &dyn Objective, average: &mut [Tensor], decay: f64, step: u64) -> Result<()> {
    let decay = decay.min((1.0 + step as f64) / (10.0 + step as f64));
    for ((_, var), mean) in objective.parameters().iter().zip(average) {
        Blend { keep: decay, add: 1.0 - decay, square: false }.apply(mean, &var.as_detached_tensor())?;
    }
    Ok(())
}

/// Runs `work` with other weights in place, then puts the objective's own back.
fn with_weights<T>(
    objective: &dyn Objective,
    weights: &[Tensor],
    work: impl FnOnce(&dyn Objective) -> Result<T>,
) -> Result<T> {
    let own = objective.parameters().values()?;
    objective.parameters().set_values(weights)?;
    let result = work(objective);
    objective.parameters().set_values(&own)?;
    result
}
