//! The training loop.

use super::checkpoint::State;
use super::divergence::Watch;
use super::fused::Blend;
use super::{Adam, Batch, BatchSource, CheckpointPlan, Gradients, Objective, TrainConfig, Whitening};
use crate::error::{Error, Result};
use crate::event::{Event, Sink};
use crate::noise::Noise;
use candle_core::{DType, Tensor};
use serde::{Deserialize, Serialize};
use std::time::Instant;

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
    /// Seconds that went into the steps before the run was resumed; 0 for one that never stopped. Not written to files.
    #[serde(skip)]
    pub earlier_seconds: f64,
}

const BATCH_NOISE: u64 = 0;
const LOSS_NOISE: u64 = 1;
const VALIDATION_NOISE: u64 = u64::MAX;
/// Less the number of the restart.
const RESTART_NOISE: u64 = u64::MAX;

/// Trains `objective` on `source`; on return its weights are the averaged ones of the best validation (of the last step
/// where nothing is held out). Step `k` draws from `noise.fork(k)` alone.
///
/// # Errors
/// [`Error::Config`] for settings out of range; [`Error::NonFinite`] naming the step when loss or gradient is not
/// finite and [`Error::Diverged`] when they stay far above what they were, both only when there is no restart left
/// ([`Divergence`](super::Divergence)); [`Error::Interrupted`] after saving, when the sink asks to stop; whatever
/// source, objective and sink return.
pub fn train(
    objective: &mut dyn Objective,
    source: &dyn BatchSource,
    config: &TrainConfig,
    noise: &Noise,
    plan: Option<&CheckpointPlan>,
    sink: &mut dyn Sink,
) -> Result<Outcome> {
    check(config)?;
    let total = config.total()?;
    let mut adam = Adam::new(config.optimizer.clone(), objective.parameters())?;
    let weights = objective.parameters().values()?;
    let (best, best_step, restarts) = (None, 0, 0);
    let average = copies(&weights)?;
    let mut state = State { step: 0, average, best_weights: weights, best, best_step, restarts, seconds: 0.0 };
    if let Some(plan) = plan.filter(|p| p.resume && p.path.exists()) {
        state = plan.load(objective, &mut adam, config)?;
        adam.slow_down(pace(state.restarts));
    }
    let earlier_seconds = state.seconds;
    let device = objective.parameters().device();
    let held_out = source.validation()?.map(|batch| batch.to_device(&device)).transpose()?;
    sink.emit(&Event::Begin { phase: objective.name(), total })?;
    sink.emit(&Event::Step { step: state.step, note: "" })?;
    let mut run = Run {
        config,
        total,
        noise,
        plan,
        held_out,
        watch: Watch::new(config.divergence.clone()),
        smooth: None,
        since: Instant::now(),
    };
    while state.step < total {
        let Err(error) = run.step(objective, source, &mut adam, &mut state, sink) else { continue };
        let diverged = matches!(error, Error::Diverged { .. } | Error::NonFinite { .. });
        let again = diverged && state.restarts < config.divergence.restarts;
        let Some(plan) = plan.filter(|p| again && p.path.exists()) else { return Err(error) };
        // The checkpoint was written when all was well; how often the run has gone back is not undone.
        let (from, restarts, seconds) = (state.step, state.restarts + 1, state.seconds);
        state = State { restarts, seconds, ..plan.load(objective, &mut adam, config)? };
        adam.slow_down(pace(restarts));
        run.watch.forgive();
        let note = format!("at step {from}: {error}; back to step {}, restart {restarts}", state.step);
        sink.emit(&Event::Warning { text: &note })?;
    }
    sink.emit(&Event::End)?;
    let kept = if run.held_out.is_some() { &state.best_weights } else { &state.average };
    objective.parameters().set_values(kept)?;
    let best_step = if run.held_out.is_some() { state.best_step } else { state.step };
    Ok(Outcome { steps: state.step, best_validation: state.best, best_step, earlier_seconds })
}

/// Factor of the learning rate after some restarts.
fn pace(restarts: u64) -> f64 {
    0.5f64.powi(restarts.min(1000) as i32)
}

/// What the steps of a run share.
struct Run<'a> {
    config: &'a TrainConfig,
    /// Steps of the run.
    total: u64,
    noise: &'a Noise,
    plan: Option<&'a CheckpointPlan>,
    held_out: Option<Batch>,
    watch: Watch,
    smooth: Option<f64>,
    /// When the seconds of the state were last counted.
    since: Instant,
}

impl Run<'_> {
    /// One step, with all that is due after it.
    #[expect(clippy::too_many_lines, reason = "a step from top to bottom, whose order is the checkpoint's promise")]
    fn step(
        &mut self,
        objective: &mut dyn Objective,
        source: &dyn BatchSource,
        adam: &mut Adam,
        state: &mut State,
        sink: &mut dyn Sink,
    ) -> Result<()> {
        let Run { config, total, noise, plan, held_out, .. } = self;
        let total = *total;
        let step = state.step;
        let local = match state.restarts {
            0 => noise.fork(step),
            again => noise.fork(RESTART_NOISE - again).fork(step),
        };
        let batch =
            source.batch(config.batch, &mut local.fork(BATCH_NOISE))?.to_device(&objective.parameters().device())?;
        objective.prepare()?;
        let gradients = gradients(objective, &batch, &mut local.fork(LOSS_NOISE))?;
        let value = gradients.loss;
        if !value.is_finite() {
            return Err(Error::NonFinite { what: format!("{} loss", objective.name()), value, step });
        }
        let norm = adam.step(objective.parameters(), &gradients.by_parameter, step, total)?;
        update_average(objective, &mut state.average, config.average_decay, step)?;
        state.step += 1;
        let smooth = self.smooth.map_or(value, |s| 0.98 * s + 0.02 * value);
        self.smooth = Some(smooth);
        if let Some(why) = self.watch.step(value, norm) {
            let saved = plan.filter(|p| p.path.exists()).map(|p| p.path.clone());
            return Err(Error::Diverged { why, step: state.step, saved });
        }

        let last = state.step == total;
        let mut figures = vec![("loss", value), ("gradient_norm", norm)];
        figures.push(("learning_rate", adam.learning_rate(step, total)));
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
        let note = match state.best {
            Some(best) => format!("loss {smooth:.4}  best validation {best:.4}"),
            None => format!("loss {smooth:.4}"),
        };
        sink.emit(&Event::Step { step: state.step, note: &note })?;
        let stop = sink.stop_requested() && !last;
        // What is about to diverge is not worth going back to.
        let due = stop || last || state.step.is_multiple_of(config.checkpoint_every) && self.watch.healthy();
        state.seconds += self.since.elapsed().as_secs_f64();
        self.since = Instant::now();
        if let Some(plan) = plan.filter(|_| due) {
            plan.save(objective, adam, state, config)?;
        }
        if stop {
            return Err(Error::Interrupted { step: state.step, saved: plan.map(|p| p.path.clone()) });
        }
        Ok(())
    }
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
        ("steps", config.total()?),
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
    config.divergence.check()?;
    o.whitening.as_ref().map_or(Ok(()), Whitening::check)?;
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
