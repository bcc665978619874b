//! What a baseline is, and how one is fitted.

use crate::error::{Error, Result};
use crate::event::Sink;
use crate::forecast::motion::{STEPS, WEIGHTS};
use crate::forecast::{Dataset, Forecaster};
use crate::noise::Noise;
use crate::settings::Settings;
use crate::train::{AdamConfig, BatchSource, Clip, Decay, Divergence, Objective, TrainConfig, Whitening, train};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Instant;

/// A forecaster that a report compares with: fitted on the same training episodes as the model.
///
/// One of your own takes part in [`Comparison`](crate::eval::Comparison) beside those of
/// [`BASELINES`](crate::forecast::BASELINES). `examples/own_baseline.rs` is one.
pub trait Baseline: Sync {
    /// Short name, `snake_case`: that of its forecaster, of its settings and of the files in which trainings are kept.
    fn name(&self) -> &str;

    /// True for one that a report has unless others are asked for: it fits in seconds, or is the paper's.
    fn classic(&self) -> bool {
        false
    }

    /// True for one that learns from random batches, so that another seed gives another forecaster.
    fn is_trained(&self) -> bool {
        false
    }

    /// What the report says of it, where its name and settings do not say enough.
    fn note(&self) -> Option<&str> {
        None
    }

    /// Its default settings: a JSON object, empty where there are none.
    ///
    /// # Errors
    /// [`Error::Unwritable`] for settings that cannot be written as JSON.
    fn settings(&self) -> Result<Value> {
        Ok(json!({}))
    }

    /// Checks the types of settings whose names are known: those of [`Baseline::settings`] with others in their place.
    ///
    /// # Errors
    /// [`Error::Config`] for a value of the wrong type.
    fn check(&self, settings: &Value) -> Result<()> {
        let _ = settings;
        Ok(())
    }

    /// Fits it on the training episodes of `run`'s dataset. `settings` have passed [`Baseline::check`].
    ///
    /// # Errors
    /// [`crate::Error`] when episodes and settings do not fit; as [`BaselineRun::train`].
    fn fit(&self, settings: &Value, run: &mut BaselineRun<'_>) -> Result<Box<dyn Forecaster + Sync>>;
}

/// A forecaster ready to be compared, and what it took to make it.
pub struct Contender {
    /// The forecaster.
    pub forecaster: Box<dyn Forecaster + Sync>,
    /// Seconds of fitting.
    pub train_seconds: f64,
}

/// What a [`Baseline`] is fitted with.
pub struct BaselineRun<'a> {
    /// The episodes; only those for training and validation may be looked at.
    pub dataset: &'a Dataset,
    /// Seed of weights and batches.
    pub seed: u64,
    name: String,
    kept: Option<&'a Path>,
    sink: &'a mut dyn Sink,
    /// Seconds that went into a kept training before.
    earlier_seconds: f64,
}

impl BaselineRun<'_> {
    /// The noise that initial weights are drawn from.
    pub fn weights(&self) -> Noise {
        Noise::new(self.seed).fork(WEIGHTS)
    }

    /// Trains `objective`. Where trainings are kept in a folder, one that is there is taken, one that was interrupted
    /// goes on, and this one is left there. `identity` is all that the weights depend on besides the episodes, the seed
    /// and `config`: a kept training of another identity is refused.
    ///
    /// # Errors
    /// As [`train()`].
    pub fn train(
        &mut self,
        identity: &Value,
        objective: &mut dyn Objective,
        source: &dyn BatchSource,
        config: &TrainConfig,
    ) -> Result<()> {
        let plan = self.kept.map(|folder| {
            let path = folder.join(format!("{}.{}.checkpoint", self.name, self.seed));
            self.dataset.plan(&path, true, json!({ "seed": self.seed, "settings": identity }))
        });
        let noise = Noise::new(self.seed).fork(STEPS);
        let outcome = train(objective, source, config, &noise, plan.as_ref(), self.sink)?;
        self.earlier_seconds += outcome.earlier_seconds;
        Ok(())
    }
}

impl Contender {
    /// Fits a baseline on the training episodes. `changes` are settings `(dotted name, value)` such as
    /// `("flow.sampler.levels", "10")`; those of other baselines are passed over.
    ///
    /// Where there is a folder in which trainings are `kept`, one that is there is taken, one that was interrupted goes
    /// on, and this one is left there.
    ///
    /// # Errors
    /// [`Error::Config`] for an unknown setting or one of the wrong type; [`Error::Model`] for a kept training of other
    /// settings or episodes; as [`Baseline::fit`].
    pub fn fit(
        baseline: &dyn Baseline,
        dataset: &Dataset,
        changes: &[(String, String)],
        seed: u64,
        kept: Option<&Path>,
        sink: &mut dyn Sink,
    ) -> Result<Self> {
        let begun = Instant::now();
        let settings = changed(baseline, changes)?;
        let name = baseline.name().to_string();
        let mut run = BaselineRun { dataset, seed, name, kept, sink, earlier_seconds: 0.0 };
        let forecaster = baseline.fit(&settings, &mut run)?;
        if forecaster.name() != baseline.name() {
            let found = format!("a forecaster `{}` of the baseline `{}`", forecaster.name(), baseline.name());
            return Err(Error::config("baselines", found, "one name for both"));
        }
        Ok(Self { forecaster, train_seconds: run.earlier_seconds + begun.elapsed().as_secs_f64() })
    }
}

/// The settings of a baseline with those of `changes` that are its own in their place.
fn changed(baseline: &dyn Baseline, changes: &[(String, String)]) -> Result<Value> {
    let mut all = baseline.settings()?;
    for (full, value) in changes {
        let Some(key) = full.strip_prefix(baseline.name()).and_then(|rest| rest.strip_prefix('.')) else { continue };
        all = all.with_one(key, value)?;
        baseline.check(&all).map_err(|e| match e {
            Error::Config { found, expected, .. } => Error::config(full, format!("{value} ({found})"), expected),
            other => other,
        })?;
    }
    Ok(all)
}

/// Context of the autoregression and of the networks in its coordinates, as the default model's.
pub(super) const CONTEXT: usize = 8;
/// Ridge penalty of the autoregression.
pub(super) const VAR_RIDGE: f64 = 10.0;
/// Examples a training step.
pub(super) const BATCH: usize = 128;

/// A run's settings: AdamW with warm-up and cosine, averaged weights, the best validation kept.
pub(super) fn training(
    steps: u64,
    learning_rate: f64,
    (weight_decay, whitening): (f64, Option<Whitening>),
) -> TrainConfig {
    TrainConfig {
        steps: steps.into(),
        batch: BATCH,
        optimizer: AdamConfig {
            learning_rate,
            beta1: 0.9,
            beta2: 0.999,
            weight_decay,
            warmup_steps: 200.min(steps / 4),
            decay: Decay::Cosine,
            clip: Clip::Norm(1.0),
            whitening,
        },
        average_decay: 0.999,
        validate_every: 250,
        log_every: 500,
        checkpoint_every: u64::MAX,
        divergence: Divergence::default(),
        compact_checkpoints: false,
    }
}

/// Standard deviation of the frame-to-frame delta of z-scored motion; 1 for a channel that never moves.
pub(super) fn delta_std(dataset: &Dataset) -> Vec<f32> {
    dataset.normaliser.velocity_std.iter().map(|v| if *v > 0.0 { *v as f32 } else { 1.0 }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_changed_by_name_and_unknown_ones_refused() -> Result<()> {
        let set = |key: &str, value: &str| vec![(key.to_string(), value.to_string())];
        let flow = <dyn Baseline>::named("flow")?;
        let settings = changed(flow, &set("flow.sampler.levels", "10"))?;
        let sampler = &settings["sampler"];
        assert_eq!(
            (&sampler["levels"], &sampler["end"], &sampler["temperature"]),
            (&json!(10), &json!(0.245), &json!(0.95))
        );
        assert_eq!(changed(flow, &set("cvae.head.code", "3"))?, flow.settings()?);
        assert_eq!(changed(<dyn Baseline>::named("hold")?, &[])?, json!({}));
        for (key, value, parts) in [
            ("flow.head.components", "3", ["head.components", "weighting"]),
            ("flow.latent", "many", ["flow.latent", "many"]),
            ("flow.head.kind", "mixture", ["flow.head.kind", "mixture"]),
            ("analogue.fade", "-1", ["analogue.fade", "-1"]),
            ("gru_mdn.width", "0.5", ["gru_mdn.width", "0.5"]),
            ("hold.length", "3", ["length", "unknown setting"]),
        ] {
            let baseline = <dyn Baseline>::named(key.split('.').next().unwrap_or_default())?;
            let refused = changed(baseline, &set(key, value)).expect_err(key).to_string();
            assert!(parts.iter().all(|part| refused.contains(part)), "{refused}");
        }
        Ok(())
    }
}
