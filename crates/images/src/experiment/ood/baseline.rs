//! The likelihoods that an energy is compared with: trained here, on the model's training images, and kept.

use super::super::{DataRecord, Journal};
use super::{OodBaseline, OodBaselineConfig, OodConfig};
use crate::image::Images;
use crate::model::{PixelCnn, RealNvp};
use candle_core::{DType, Device, Tensor};
use ebmotion::event::Sink;
use ebmotion::model::Generative;
use ebmotion::noise::Noise;
use ebmotion::settings::Settings;
use ebmotion::train::objective::GenerativeLoss;
use ebmotion::train::{AdamConfig, Archive, Batch, BatchSource, Clip, Decay, Divergence, TrainConfig, train};
use ebmotion::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::Instant;

/// Images on which a flow's first step is standardised.
const EXAMPLES: usize = 1000;

/// A trained baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaselineRecord {
    /// Which.
    pub name: String,
    /// Trainable numbers.
    pub parameters: usize,
    /// Steps of training, and which of them had the weights kept.
    pub steps: [u64; 2],
    /// Bits per dimension of training images kept for judging.
    pub validation_bits: Option<f64>,
}

/// What a baseline's file says of itself.
#[derive(Serialize, Deserialize)]
struct Header {
    kind: String,
    of: serde_json::Value,
    record: BaselineRecord,
}

/// Batches of images, some of which are kept for judging.
struct Pictures<'a> {
    images: &'a Images,
    train: Vec<usize>,
    validation: Vec<usize>,
}

impl Pictures<'_> {
    fn batch_of(&self, chosen: &[usize]) -> Result<Batch> {
        let mut values = Vec::new();
        self.images.fill_unit(chosen, &mut values);
        let [c, h, w] = self.images.shape();
        let x = Tensor::from_vec(values, (chosen.len(), c, h, w), &Device::Cpu)?;
        Ok(Batch { x, context: None, start: None })
    }
}

impl BatchSource for Pictures<'_> {
    fn batch(&self, size: usize, noise: &mut Noise) -> Result<Batch> {
        let chosen: Vec<usize> = noise.indices(size, self.train.len()).into_iter().map(|i| self.train[i]).collect();
        self.batch_of(&chosen)
    }

    fn validation(&self) -> Result<Option<Batch>> {
        Ok(Some(self.batch_of(&self.validation)?))
    }
}

/// The baseline of a kind, from its file where that is of the same settings and images, else trained now and written.
pub(super) fn trained(
    kind: OodBaseline,
    images: &Images,
    config: &OodConfig,
    noise: &Noise,
    place: (&Path, &Journal),
    sink: &mut dyn Sink,
) -> Result<(Box<dyn Generative>, BaselineRecord)> {
    let noise = noise.named(kind.name());
    let mut order = noise.fork(0).permutation(images.len());
    let Some(rest) = images.len().checked_sub(config.validation).filter(|n| *n > 0) else {
        let expected = format!("1 to {}, so that images to learn from are left", images.len() - 1);
        return Err(Error::config("validation", config.validation, expected));
    };
    let validation = order.split_off(rest);
    let source = Pictures { images, train: order, validation };
    let shape = images.shape();
    let mut weights = noise.fork(1);
    match kind {
        OodBaseline::PixelCnn => {
            let of = &config.pixel_cnn;
            let network = PixelCnn::new(shape, of.network.clone(), &mut weights, DType::F32)?;
            fit(network, of, &source, config, &noise.fork(2), place, sink)
        }
        OodBaseline::RealNvp => {
            let of = &config.real_nvp;
            let examples = source.batch_of(&source.train[..EXAMPLES.min(source.train.len())])?.x;
            let network = RealNvp::new(shape, &of.network, &examples, &mut weights, DType::F32)?;
            fit(network, of, &source, config, &noise.fork(2), place, sink)
        }
    }
}

fn fit<M: Generative + 'static, N: Serialize>(
    network: M,
    of: &OodBaselineConfig<N>,
    source: &Pictures<'_>,
    config: &OodConfig,
    noise: &Noise,
    (folder, journal): (&Path, &Journal),
    sink: &mut dyn Sink,
) -> Result<(Box<dyn Generative>, BaselineRecord)> {
    let name = network.name();
    let (kind, path) = (format!("ood baseline {name} 1"), folder.join(format!("{name}.safetensors")));
    let settings = of.as_json()?;
    let data = serde_json::json!(DataRecord::of(source.images));
    let identity = serde_json::json!({
        "settings": settings, "seed": config.seed, "validation": config.validation, "data": data,
    });
    if path.exists() {
        let archive = Archive::load(&path)?;
        let header: Header = serde_json::from_value(archive.meta.clone())
            .map_err(|e| Error::model(&path, e, "a baseline of `ebmotion image ood`"))?;
        if header.kind == kind && header.of == identity {
            network.parameters().assign(|n| archive.tensor(&path, n))?;
            return Ok((Box::new(network), header.record));
        }
    }
    let train_config = TrainConfig {
        steps: of.steps.into(),
        batch: of.batch,
        optimizer: AdamConfig {
            learning_rate: of.learning_rate,
            beta1: 0.9,
            beta2: 0.99,
            weight_decay: 0.0,
            warmup_steps: (of.steps / 20).min(100),
            decay: Decay::Cosine,
            clip: Clip::Norm(1.0),
            whitening: None,
        },
        average_decay: 0.99,
        validate_every: (of.steps / 10).max(1),
        log_every: 50,
        checkpoint_every: (of.steps / 10).max(1),
        divergence: Divergence::default(),
        compact_checkpoints: false,
    };
    let plan = journal.plan(name)?;
    let begun = Instant::now();
    let mut objective = GenerativeLoss { model: network };
    let outcome = train(&mut objective, source, &train_config, noise, plan.as_ref(), sink)?;
    sink.emit(&ebmotion::event::Event::Figures {
        phase: name,
        step: outcome.steps,
        values: &[("train_seconds", begun.elapsed().as_secs_f64())],
    })?;
    let network = objective.model;
    let record = BaselineRecord {
        name: name.into(),
        parameters: network.parameters().count(),
        steps: [outcome.steps, outcome.best_step],
        validation_bits: outcome.best_validation,
    };
    let header = Header { kind, of: identity, record: record.clone() };
    let meta = header.as_json()?;
    let tensors = network.parameters().iter().map(|(n, var)| (n.to_string(), var.as_detached_tensor())).collect();
    Archive { tensors, meta, ..Archive::default() }.save(&path)?;
    Ok((Box::new(network), record))
}
