//! Baselines by name, fitted on the training episodes.

use super::settings::{AnalogueConfig, BaselineConfig, Head, LatentConfig, RecurrentConfig};
use super::{Analogue, Autoregression, FullyConnected, Hold, LatentForecaster, Recurrent, VarFit, Velocity};
use crate::error::{Error, Result};
use crate::event::Sink;
use crate::forecast::auto;
use crate::forecast::fit::{STEPS, WEIGHTS};
use crate::forecast::for_data;
use crate::forecast::{
    ChunkSource, Dataset, DenoisingConfig, Forecaster, FrameSource, Limits, ResidualCoordinates, network,
};
use crate::model::{
    Activation, Cvae, Generative, Generator, GruMixture, MixtureDensity, Mlp, MlpConfig, NoisePath, VectorField,
};
use crate::noise::Noise;
use crate::settings::{Auto, as_json};
use crate::train::objective::{GenerativeLoss, Regression};
use crate::train::{AdamConfig, BatchSource, Clip, Decay, Divergence, Objective, TrainConfig, Whitening, train};
use candle_core::{DType, Device};
use std::time::Instant;

/// Names of the baselines, in the order of a report.
pub const BASELINES: [&str; 11] =
    ["hold", "velocity", "var", "var_sampled", "fc", "analogue", "mdn", "gru_mdn", "cvae", "flow", "diffusion"];

/// Those that fit in seconds, and the paper's: the demo's, and a report's unless more are asked for.
pub const CLASSIC: [&str; 5] = ["hold", "velocity", "var", "var_sampled", "fc"];

/// True for a baseline that learns from random batches, so that another seed gives another forecaster.
pub fn is_trained(name: &str) -> bool {
    !["hold", "velocity", "var", "var_sampled", "analogue"].contains(&name)
}

/// A forecaster ready to be compared, and what it took to make it.
pub struct Contender {
    /// The forecaster.
    pub forecaster: Box<dyn Forecaster + Sync>,
    /// Seconds of fitting.
    pub train_seconds: f64,
}

/// Fits the baseline of a name on the training episodes, its settings changed by `changes` as in [`BaselineConfig::with`].
///
/// Where there is a folder in which trainings are `kept`, one that is there is taken, one that was interrupted goes on, and this
/// one is left there.
///
/// # Errors
/// [`Error::Config`] for an unknown name or setting; [`Error::Model`] for a kept training of other settings or episodes; as the fits.
pub fn fit_baseline(
    name: &str,
    dataset: &Dataset,
    changes: &[(String, String)],
    seed: u64,
    kept: Option<&std::path::Path>,
    sink: &mut dyn Sink,
) -> Result<Contender> {
    let begun = Instant::now();
    let mut training = Training { dataset, seed, kept, sink, earlier_seconds: 0.0 };
    let d = dataset.frames.channels.len();
    let forecaster: Box<dyn Forecaster + Sync> = match (name, BaselineConfig::with(name, changes)?) {
        ("hold", _) => Box::new(Hold::new(d)),
        ("velocity", _) => Box::new(Velocity::new(d)),
        ("var", _) => Box::new(Autoregression::mean(autoregression(dataset)?)),
        ("var_sampled", _) => Box::new(Autoregression::sampled(autoregression(dataset)?)),
        ("fc", _) => Box::new(fully_connected(&mut training)?),
        (_, Some(BaselineConfig::Latent(config))) => latent(&mut training, &config)?,
        (_, Some(BaselineConfig::Recurrent(config))) => Box::new(recurrent(&mut training, &config)?),
        (_, Some(BaselineConfig::Analogue(config))) => Box::new(analogue(dataset, &config)?),
        (other, None) => {
            let expected = format!("classic, all, none, or some of {}", BASELINES.join(","));
            return Err(Error::config("baselines", format!("`{other}`"), expected));
        }
    };
    Ok(Contender { forecaster, train_seconds: training.earlier_seconds + begun.elapsed().as_secs_f64() })
}

/// Context of the autoregression and of the networks in its coordinates, as the default model's.
const CONTEXT: usize = 8;
/// Frames that the autoregression draws at once.
const VAR_CHUNK: usize = 8;
const VAR_RIDGE: f64 = 10.0;
const BATCH: usize = 128;
/// Context of the paper's fully connected baseline.
const FC_CONTEXT: usize = 4;

fn autoregression(dataset: &Dataset) -> Result<VarFit> {
    let training = dataset.windows(&dataset.split.train, CONTEXT, VAR_CHUNK, 1)?;
    VarFit::fit(&training.values, training.channels, CONTEXT, VAR_CHUNK, VAR_RIDGE)
}

/// A run's settings: AdamW with warm-up and cosine, averaged weights, the best validation kept.
fn training(steps: u64, learning_rate: f64, (weight_decay, whitening): (f64, Option<Whitening>)) -> TrainConfig {
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

/// What the trainings of all baselines share.
struct Training<'a> {
    dataset: &'a Dataset,
    seed: u64,
    kept: Option<&'a std::path::Path>,
    sink: &'a mut dyn Sink,
    /// Seconds that went into a kept training before.
    earlier_seconds: f64,
}

impl Training<'_> {
    /// Fits `objective`; `settings` are all that its weights depend on besides the episodes and the trainer's own settings.
    fn run(
        &mut self,
        name: &str,
        settings: serde_json::Value,
        objective: &mut dyn Objective,
        source: &dyn BatchSource,
        config: &TrainConfig,
    ) -> Result<()> {
        let plan = self.kept.map(|folder| {
            let path = folder.join(format!("{name}.{}.checkpoint", self.seed));
            self.dataset.plan(&path, true, serde_json::json!({ "seed": self.seed, "settings": settings }))
        });
        let noise = Noise::new(self.seed).fork(STEPS);
        let outcome = train(objective, source, config, &noise, plan.as_ref(), self.sink)?;
        self.earlier_seconds += outcome.earlier_seconds;
        Ok(())
    }
}

fn latent(run: &mut Training<'_>, config: &LatentConfig) -> Result<Box<dyn Forecaster + Sync>> {
    let dataset = run.dataset;
    let chunk = for_data::chunk(config.chunk, CONTEXT, dataset);
    let training = dataset.windows(&dataset.split.train, CONTEXT, chunk, 1)?;
    let validation = dataset.windows(&dataset.split.validation, CONTEXT, chunk, 1)?;
    let steps = config.steps.or(auto::steps(training.len(), BATCH, config.whitening.is_some()));
    let fit = VarFit::fit(&training.values, training.channels, CONTEXT, chunk, VAR_RIDGE)?;
    let limits = Limits::seen(&training, &dataset.frames.channels);
    let coordinates = ResidualCoordinates::new(fit, config.latent)?.within(limits);
    let noise = auto::context_noise(config.context_noise, chunk);
    let source = ChunkSource::new(&coordinates, &training, &validation, noise)?;
    let mut noise = Noise::new(run.seed).fork(WEIGHTS);
    let (width, context) = (coordinates.latent(), coordinates.context_width());
    let mut fit = Fitting { run, source: &source, config, steps };
    match config.head {
        Head::Diffusion(ref head) | Head::Flow(ref head) => {
            let path = if matches!(config.head, Head::Flow(_)) { NoisePath::Line } else { NoisePath::Circle };
            let sampler = auto::sampler(config.sampler.unwrap_or_default(), chunk);
            let net = field(&coordinates, &config.hidden);
            let field = VectorField::new(net, path, sampler, &mut noise)?;
            let field = field.weighted(coordinates.weights(head.weighting)?);
            fit.finish(field.name(), coordinates, field)
        }
        Head::Mixture { components } => {
            let over = network::over(&coordinates, None, &config.hidden.clone().or(DenoisingConfig::default().hidden));
            let net = MlpConfig { inputs: context, context: 0, ..over };
            let mixture = MixtureDensity::new(net, components, width, &mut noise)?;
            fit.finish("mdn", coordinates, mixture)
        }
        Head::Cvae { code, kl_weight, free_nats } => {
            let hidden = config.hidden.clone().or(DenoisingConfig::default().hidden);
            let cvae = Cvae::new([width, context, code], &hidden, [kl_weight, free_nats], &mut noise)?;
            fit.finish("cvae", coordinates, cvae)
        }
    }
}

/// The network of a vector field, whose output is as wide as its input. Where no widths are given it has as many layers as the
/// default energy's and, as far as whole numbers go, as many weights.
fn field(coordinates: &ResidualCoordinates, hidden: &Auto<Vec<usize>>) -> MlpConfig {
    let of = |hidden: &[usize]| {
        let net = network::over(coordinates, None, hidden);
        MlpConfig { outputs: net.inputs, ..net }
    };
    if let Auto::Set(hidden) = hidden {
        return of(hidden);
    }
    let default = DenoisingConfig::default();
    let most = default.network(coordinates).weights();
    let like = |width: usize| vec![width; default.hidden.len()];
    let widest = default.hidden.iter().copied().max().unwrap_or(1);
    of(&like((1..=widest).rev().find(|width| of(&like(*width)).weights() <= most).unwrap_or(1)))
}

/// What the training of every generative network shares.
struct Fitting<'a, 'b> {
    run: &'a mut Training<'b>,
    source: &'a dyn BatchSource,
    config: &'a LatentConfig,
    steps: u64,
}

impl Fitting<'_, '_> {
    fn finish<G: Generative + Generator + 'static>(
        &mut self,
        name: &'static str,
        coordinates: ResidualCoordinates,
        model: G,
    ) -> Result<Box<dyn Forecaster + Sync>> {
        let mut objective = GenerativeLoss { model };
        let config =
            training(self.steps, self.config.learning_rate, (self.config.weight_decay, self.config.whitening.clone()));
        self.run.run(name, self.config.learned()?, &mut objective, self.source, &config)?;
        Ok(Box::new(LatentForecaster::new(name, coordinates, objective.model)))
    }
}

fn recurrent(run: &mut Training<'_>, config: &RecurrentConfig) -> Result<Recurrent> {
    let dataset = run.dataset;
    let training_windows = dataset.windows(&dataset.split.train, config.context, config.future, 1)?;
    let validation = dataset.windows(&dataset.split.validation, config.context, config.future, 4)?;
    let source = FrameSource::new(&training_windows, &validation, 0.0)?;
    let mut noise = Noise::new(run.seed).fork(WEIGHTS);
    let scale = delta_std(dataset);
    let net = GruMixture::new(&scale, config.width, config.components, config.input_noise, &mut noise)?;
    let mut objective = GenerativeLoss { model: net };
    let steps = training(config.steps as u64, config.learning_rate, (0.01, None));
    run.run("gru_mdn", as_json(config)?, &mut objective, &source, &steps)?;
    Recurrent::new(objective.model, config.context, scale.len())
}

fn analogue(dataset: &Dataset, config: &AnalogueConfig) -> Result<Analogue> {
    let windows = dataset.windows(&dataset.split.train, 2, config.segment, 1)?;
    Analogue::new(&windows, &delta_std(dataset), config.velocity_weight, config.neighbours, config.fade)
}

/// Standard deviation of the frame-to-frame delta of z-scored motion; 1 for a channel that never moves.
fn delta_std(dataset: &Dataset) -> Vec<f32> {
    dataset.normaliser.velocity_std.iter().map(|v| if *v > 0.0 { *v as f32 } else { 1.0 }).collect()
}

/// The paper's baseline: 4 frames to the next, three layers of 128, least squares, spectral norm against explosion.
fn fully_connected(run: &mut Training<'_>) -> Result<FullyConnected> {
    let dataset = run.dataset;
    let d = dataset.frames.channels.len();
    let training_windows = dataset.windows(&dataset.split.train, FC_CONTEXT, 1, 1)?;
    let validation = dataset.windows(&dataset.split.validation, FC_CONTEXT, 1, 1)?;
    let source = FrameSource::new(&training_windows, &validation, 0.0)?;
    let mut noise = Noise::new(run.seed).fork(WEIGHTS);
    let config = MlpConfig {
        inputs: FC_CONTEXT * d,
        context: 0,
        hidden: vec![128; 3],
        positions: None,
        outputs: d,
        activation: Activation::LeakyRelu,
        spectral_norm: true,
    };
    let settings = as_json(&config)?;
    let net = Mlp::new(config, &mut noise, DType::F32, &Device::Cpu)?;
    let mut objective = Regression { net };
    let config = TrainConfig { validate_every: 500, ..training(10_000, 1e-3, (0.0, None)) };
    run.run("fc", settings, &mut objective, &source, &config)?;
    FullyConnected::new(objective.net, FC_CONTEXT, d)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a field is wider at its output it is narrower within.
    #[test]
    fn fields_have_as_many_weights_as_the_energy() -> Result<()> {
        let (channels, context) = (6, CONTEXT);
        let default = DenoisingConfig::default();
        for chunk in [4, 32] {
            let windows = Noise::new(1).normal((400, (context + chunk) * channels), DType::F32, &Device::Cpu)?;
            let windows = windows.flatten_all()?.to_vec1::<f32>()?;
            let fit = VarFit::fit(&windows, channels, context, chunk, VAR_RIDGE)?;
            for name in ["flow", "diffusion"] {
                let Some(BaselineConfig::Latent(config)) = BaselineConfig::of(name) else { panic!("{name}") };
                let coordinates = ResidualCoordinates::new(fit.clone(), config.latent)?;
                let (own, energy) = (field(&coordinates, &config.hidden), default.network(&coordinates));
                assert_eq!((own.inputs, own.outputs), (energy.inputs, energy.inputs));
                assert_eq!(own.hidden.len(), energy.hidden.len());
                let share = own.weights() as f64 / energy.weights() as f64;
                assert!(share <= 1.0 && share > 0.99, "{name}, chunks of {chunk}: {share}");
                assert_eq!(
                    field(&coordinates, &Auto::Set(vec![384; 3])).hidden,
                    [384; 3],
                    "widths that are given stay"
                );
            }
        }
        Ok(())
    }
}
