//! One energy for each attribute, and how it learns.

use super::config::NetworkLearning;
use super::scene::{Attribute, Scene, SceneBatches, context, nothing};
use crate::experiment::Journal;
use crate::image::sprites::Sprite;
use crate::model::{ConvConfig, ConvEnergy, StageConfig, convolutional};
use candle_core::{DType, Device, Tensor};
use ebmotion::Result;
use ebmotion::event::{Event, Sink};
use ebmotion::model::{Activation, AtLevelOf};
use ebmotion::noise::Noise;
use ebmotion::train::objective::Denoising;
use ebmotion::train::{self, AdamConfig, Clip, Decay, Divergence, Objective, TrainConfig};

/// Where the networks of an unfinished experiment are kept.
pub(super) struct Shelf<'a> {
    pub(super) journal: &'a Journal,
    pub(super) sink: &'a mut dyn Sink,
}

impl Shelf<'_> {
    /// Trains an objective, or takes it from the shelf. `name` is the file's and the phase's.
    pub(super) fn learn(
        &mut self,
        name: &str,
        objective: &mut dyn Objective,
        source: &SceneBatches<'_>,
        learning: &NetworkLearning,
        noise: &Noise,
    ) -> Result<()> {
        let plan = self.journal.plan(name)?;
        let warmup_steps = 100.min(learning.steps / 10);
        let config = TrainConfig {
            steps: learning.steps.into(),
            batch: learning.batch,
            optimizer: AdamConfig {
                learning_rate: learning.learning_rate,
                beta1: 0.9,
                beta2: 0.99,
                weight_decay: 0.0,
                warmup_steps,
                decay: Decay::Cosine,
                clip: Clip::Norm(1.0),
                whitening: None,
            },
            average_decay: 0.995,
            validate_every: learning.steps,
            log_every: 100,
            checkpoint_every: 500,
            divergence: Divergence::default(),
            compact_checkpoints: false,
        };
        let mut sink = Named { name, sink: &mut *self.sink };
        train::train(objective, source, &config, noise, plan.as_ref(), &mut sink).map(|_| ())
    }
}

/// Calls every phase by a name.
struct Named<'a> {
    name: &'a str,
    sink: &'a mut dyn Sink,
}

impl Sink for Named<'_> {
    fn emit(&mut self, event: &Event<'_>) -> Result<()> {
        self.sink.emit(&match event {
            Event::Begin { total, .. } => Event::Begin { phase: self.name, total: *total },
            Event::Figures { step, values, .. } => Event::Figures { phase: self.name, step: *step, values },
            other => other.clone(),
        })
    }

    fn stop_requested(&self) -> bool {
        self.sink.stop_requested()
    }
}

/// `E_t(x | attribute)` of images.
pub(super) struct Expert {
    attribute: Attribute,
    objective: Denoising<ConvEnergy>,
}

/// What an energy's network is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Convolutions whose only stride is at most the distance of two places, summed over the pixels: knows shapes, not
    /// places. What it has learned at one place it has learned everywhere.
    Local,
    /// Convolutions that halve the image and a layer over all of it: knows places.
    Placed,
}

fn config(kind: Kind, width: usize, scene: Scene, context: usize) -> ConvConfig {
    let side = scene.side;
    let conv = |width, kernel, stride| StageConfig::Conv { width, kernel, stride, conditional: true };
    let (stages, dense) = match kind {
        Kind::Local => {
            let stride = if (side / scene.positions).is_multiple_of(4) { 2 } else { 1 };
            let kernel = side / 8 + 1;
            let first = if stride == 2 { 4 } else { kernel };
            (vec![conv(width, first, stride), conv(width, kernel, 1), conv(width, kernel, 1)], None)
        }
        Kind::Placed => {
            let halvings = side.ilog2() as usize - 3;
            let stages = (0..halvings).map(|i| conv(if i == 0 { width } else { 2 * width }, 4, 2)).collect();
            (stages, Some(4 * width))
        }
    };
    ConvConfig {
        channels: 1,
        height: side,
        width: side,
        context,
        stages,
        dense,
        activation: Activation::Swish,
        spectral_norm: false,
    }
}

impl Expert {
    /// A fresh energy given an attribute.
    pub(super) fn new(kind: Kind, scene: Scene, attribute: Attribute, width: usize, noise: &Noise) -> Result<Self> {
        let config = config(kind, width, scene, attribute.width());
        let energy = convolutional(config, &mut noise.fork(0), DType::F32, &Device::Cpu)?;
        Ok(Self { attribute, objective: Denoising::new(energy) })
    }

    /// The same, shown what chains that went astray look like from an angle on ([`Denoising::recovering`]).
    pub(super) fn recovering(self, lowest: f64) -> Result<Self> {
        Ok(Self { objective: self.objective.recovering(lowest)?, ..self })
    }

    /// Learns by denoising from `source`, whose only attribute is the energy's.
    pub(super) fn learn(
        &mut self,
        name: &str,
        source: &SceneBatches<'_>,
        learning: &NetworkLearning,
        noise: &Noise,
        shelf: &mut Shelf<'_>,
    ) -> Result<()> {
        shelf.learn(name, &mut self.objective, source, learning, &noise.fork(1))
    }

    /// The energy at the noise level of angle `t` given the attribute of each sprite.
    pub(super) fn at(&self, t: f64, sprites: &[Sprite]) -> Result<AtLevelOf<'_, ConvEnergy>> {
        self.objective.energy.at(t, Some(&context(&[self.attribute], sprites)?))
    }

    /// The energy at the noise level of angle `t` of images of which nothing is told.
    pub(super) fn of_any(&self, t: f64) -> Result<AtLevelOf<'_, ConvEnergy>> {
        self.objective.energy.at(t, Some(&nothing(&[self.attribute], 1)?))
    }

    /// Trainable numbers.
    pub(super) fn parameters(&self) -> usize {
        self.objective.energy.parameters().count()
    }
}

/// Shape of a batch of `rows` images.
pub(super) fn shape(scene: Scene, rows: usize) -> (usize, usize, usize, usize) {
    (rows, 1, scene.side, scene.side)
}

/// Row sums of squares halved: the energy of a standard normal, which every `E_t` is that has learned nothing.
pub(super) fn half_square(x: &Tensor) -> Result<Tensor> {
    Ok((x.sqr()?.flatten_from(1)?.sum(1)? * 0.5)?)
}
