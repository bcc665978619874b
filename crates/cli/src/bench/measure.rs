//! What the measurements share.

use ebmotion::Result;
use ebmotion::event::Silent;
use ebmotion::model::{Activation, MlpConfig};
use ebmotion::noise::Noise;
use ebmotion::train::{AdamConfig, Batch, BatchSource, Divergence, Objective, TrainConfig, train};
use std::time::Instant;

/// A perceptron of widths `dims`.
pub(super) fn config(dims: &[usize]) -> MlpConfig {
    MlpConfig {
        inputs: dims[0],
        context: 0,
        hidden: dims[1..dims.len() - 1].to_vec(),
        outputs: 1,
        activation: Activation::Swish,
        positions: None,
        spectral_norm: false,
    }
}

/// To two decimals.
pub(super) fn round(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

/// Median seconds of `repeats` runs of `work`, after one that is not counted.
pub(super) fn median_secs(repeats: usize, mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    work()?;
    let mut secs = Vec::with_capacity(repeats);
    for _ in 0..repeats {
        let begin = Instant::now();
        work()?;
        secs.push(begin.elapsed().as_secs_f64());
    }
    secs.sort_by(f64::total_cmp);
    Ok(secs[secs.len() / 2])
}

/// The same batch again and again: assembling batches is not what is measured.
pub(super) struct Same(pub(super) Batch);

impl BatchSource for Same {
    fn batch(&self, _: usize, _: &mut Noise) -> Result<Batch> {
        Ok(self.0.clone())
    }

    fn validation(&self) -> Result<Option<Batch>> {
        Ok(None)
    }
}

/// Runs the trainer that `train` uses: loss, weight gradient, update, average, checks.
pub(super) fn steps_of(
    steps: u64,
    objective: &mut dyn Objective,
    source: &Same,
    optimizer: &AdamConfig,
    batch: usize,
) -> Result<()> {
    let plan = TrainConfig {
        steps: steps.into(),
        batch,
        optimizer: optimizer.clone(),
        average_decay: 0.999,
        validate_every: steps,
        log_every: steps,
        checkpoint_every: steps,
        divergence: Divergence::default(),
        compact_checkpoints: false,
    };
    train(objective, source, &plan, &Noise::new(2), None, &mut Silent).map(|_| ())
}
