//! A learned energy of images, as a file.

use super::DataRecord;
use super::classifier::in_shape;
use super::learning::Learning;
use crate::image::Images;
use crate::model::{ConvConfig, ConvEnergy, convolutional, on_device};
use candle_core::{DType, Device, Tensor};
use ebmotion::energy::{Energy, Evaluated};
use ebmotion::model::{Leveled, Network, Parameters};
use ebmotion::noise::Noise;
use ebmotion::settings::Settings;
use ebmotion::train::{Archive, Outcome};
use ebmotion::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::Path;

const KIND: &str = "image model";
const VERSION: u32 = 1;

/// What a model file says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageModelInfo {
    kind: String,
    version: u32,
    /// The network; its context counts the classes alone.
    pub network: ConvConfig,
    /// One energy for every noise level, or one for the pixels as they are.
    pub leveled: bool,
    /// The labels it was trained on, in the order of the context's numbers, if it is given the class; else those that
    /// it has seen.
    pub classes: Vec<u32>,
    /// The class is given.
    pub conditional: bool,
    /// Pixels in `[0, 1]` have this subtracted ...
    pub shift: f64,
    /// ... and are then divided by this.
    pub scale: f64,
    /// How it was trained.
    pub settings: serde_json::Value,
    /// On what.
    pub data: DataRecord,
    /// How that ended.
    pub outcome: Outcome,
    /// Share of the validation images whose class of lowest energy ([`super::classify`]) is theirs, where the class is
    /// given.
    pub validation_accuracy: Option<f64>,
    /// Seconds of training by the clock.
    pub train_seconds: f64,
}

/// The two kinds of energy.
#[derive(Debug, Clone)]
pub(super) enum Learned {
    /// `E_t(x | c)` for every noise level `t`.
    Levels(Leveled<ConvEnergy>),
    /// `E(x | c)`.
    Single(ConvEnergy),
}

impl Learned {
    /// A copy on a device, with weights of its own.
    pub(super) fn to_device(&self, device: &Device) -> Result<Self> {
        Ok(match self {
            Learned::Levels(energy) => Learned::Levels(on_device(energy, device)?),
            Learned::Single(energy) => Learned::Single(energy.to_device(device)?),
        })
    }
}

/// A trained energy of images with what it needs to be used on pixels.
#[derive(Debug, Clone)]
pub struct ImageModel {
    info: ImageModelInfo,
    /// How it was learned, of the info's settings.
    learning: Learning,
    energy: Learned,
    /// Weights of before, the oldest first.
    history: Vec<Vec<Tensor>>,
}

impl ImageModelInfo {
    /// Describes a model before it is trained.
    pub(super) fn new(
        network: ConvConfig,
        leveled: bool,
        classes: Vec<u32>,
        scale: [f64; 2],
        data: DataRecord,
    ) -> Self {
        let conditional = network.context > 0;
        let outcome = Outcome { steps: 0, best_validation: None, best_step: 0, earlier_seconds: 0.0 };
        let settings = serde_json::Value::Null;
        let [shift, scale] = scale;
        let (kind, version, train_seconds) = (KIND.into(), VERSION, 0.0);
        Self {
            kind,
            version,
            network,
            leveled,
            classes,
            conditional,
            shift,
            scale,
            settings,
            data,
            outcome,
            validation_accuracy: None,
            train_seconds,
        }
    }

    /// A fresh network of this description.
    pub(super) fn fresh(&self, noise: &mut Noise, device: &Device) -> Result<Learned> {
        let network = self.network.clone();
        Ok(match self.leveled {
            true => Learned::Levels(convolutional(network, noise, DType::F32, device)?),
            false => Learned::Single(ConvEnergy::new(network, noise, DType::F32, device)?),
        })
    }

    /// The context of images of some classes (labels as in the data), `(B, classes)`: a row of zeros and a one, or of
    /// zeros alone where no class is given; `None` for an energy that is not given the class.
    ///
    /// # Errors
    /// [`Error::Data`] for a label that the model was not trained on, or a label of a model that takes none.
    pub fn context(&self, labels: &[Option<u32>]) -> Result<Option<Tensor>> {
        if !self.conditional {
            return match labels.iter().flatten().next() {
                Some(label) => Err(Error::data("class", label, "none: the model was trained without classes")),
                None => Ok(None),
            };
        }
        let width = self.classes.len();
        let mut rows = vec![0.0f32; labels.len() * width];
        for (row, label) in rows.chunks_mut(width).zip(labels) {
            if let Some(label) = label {
                let known = || format!("one of those that the model was trained on: {:?}", self.classes);
                let at = self.classes.iter().position(|c| c == label);
                row[at.ok_or_else(|| Error::data("class", label, known()))?] = 1.0;
            }
        }
        Ok(Some(Tensor::from_vec(rows, (labels.len(), width), &Device::Cpu)?))
    }
}

impl ImageModel {
    pub(super) fn new(info: ImageModelInfo, learning: Learning, energy: Learned, history: Vec<Vec<Tensor>>) -> Self {
        Self { info, learning, energy, history }
    }

    /// This model with each of the weights that were kept on the way (see [`super::History`]), the oldest first, and
    /// itself last: what a walk may go down in turn.
    ///
    /// # Errors
    /// [`Error::Tensor`].
    pub fn members(&self) -> Result<Vec<Self>> {
        let mut all = Vec::with_capacity(self.history.len() + 1);
        for weights in &self.history {
            let energy = self.info.fresh(&mut Noise::new(0), &self.device())?;
            let mut member = Self { energy, history: Vec::new(), ..self.clone() };
            let state = self.network().state();
            let get = |name: &str| state.iter().find(|(n, _)| n == name).map(|(_, t)| t.clone());
            member.network_mut().restore(&|name| Parameters::required(name, get(name)))?;
            member.parameters().set_values(weights)?;
            all.push(member);
        }
        all.push(Self { history: Vec::new(), ..self.clone() });
        Ok(all)
    }

    /// The model with its weights, and so its chains, on a device: a copy, or the same weights where they are there
    /// already. What [`draw`](super::draw::draw) makes comes back to the CPU.
    ///
    /// # Errors
    /// [`Error::Tensor`] when the device has no room.
    pub fn to_device(&self, device: &Device) -> Result<Self> {
        match self.device().same_device(device) {
            true => Ok(self.clone()),
            false => Ok(Self { energy: self.energy.to_device(device)?, ..self.clone() }),
        }
    }

    /// Where the weights are.
    pub fn device(&self) -> Device {
        self.parameters().device()
    }

    fn network(&self) -> &ConvEnergy {
        match &self.energy {
            Learned::Levels(e) => e.network(),
            Learned::Single(e) => e,
        }
    }

    fn network_mut(&mut self) -> &mut ConvEnergy {
        match &mut self.energy {
            Learned::Levels(e) => e.network_mut(),
            Learned::Single(e) => e,
        }
    }

    /// What the file says of itself.
    pub fn info(&self) -> &ImageModelInfo {
        &self.info
    }

    pub(super) fn info_mut(&mut self) -> &mut ImageModelInfo {
        &mut self.info
    }

    /// How it was learned, which says how chains find its low places.
    pub(super) fn learning(&self) -> &Learning {
        &self.learning
    }

    pub(super) fn learned(&self) -> &Learned {
        &self.energy
    }

    /// `[C, H, W]` of its images.
    pub fn shape(&self) -> [usize; 3] {
        let n = &self.info.network;
        [n.channels, n.height, n.width]
    }

    /// Number of classes that it is given one of; 0 for an unconditional energy.
    pub fn classes(&self) -> usize {
        if self.info.conditional { self.info.classes.len() } else { 0 }
    }

    /// The trainable tensors.
    pub fn parameters(&self) -> &Parameters {
        match &self.energy {
            Learned::Levels(e) => e.parameters(),
            Learned::Single(e) => e.parameters(),
        }
    }

    /// Refuses images of another shape.
    ///
    /// # Errors
    /// [`Error::Data`] naming the set.
    pub fn check_fits(&self, images: &Images) -> Result<()> {
        in_shape(images, self.shape())
    }

    /// Images `indices` as the energy sees them, `(B, C, H, W)`.
    ///
    /// # Errors
    /// As [`ImageModel::check_fits`].
    pub fn standardised(&self, images: &Images, indices: &[usize]) -> Result<Tensor> {
        self.check_fits(images)?;
        standardised(images, indices, [self.info.shift, self.info.scale])
    }

    /// Arrays as the energy sees them, of pixels in `[0, 1]`.
    ///
    /// # Errors
    /// [`Error::Tensor`].
    pub fn from_pixels(&self, pixels: &Tensor) -> Result<Tensor> {
        Ok(((pixels - self.info.shift)? / self.info.scale)?)
    }

    /// Pixels of arrays as the energy sees them; not held in `[0, 1]`.
    ///
    /// # Errors
    /// [`Error::Tensor`].
    pub fn to_pixels(&self, x: &Tensor) -> Result<Tensor> {
        Ok(((x * self.info.scale)? + self.info.shift)?)
    }

    /// A set of images of arrays as the energy sees them, held in `[0, 1]`.
    ///
    /// # Errors
    /// As [`Images::from_unit`].
    pub fn images(&self, name: &str, x: &Tensor) -> Result<Images> {
        Images::from_unit(name, self.shape(), &self.to_pixels(x)?.flatten_all()?.to_vec1::<f32>()?)
    }

    /// Context of labels, see [`ImageModelInfo::context`], where the weights are.
    ///
    /// # Errors
    /// As there.
    pub fn context(&self, labels: &[Option<u32>]) -> Result<Option<Tensor>> {
        let context = self.info.context(labels)?;
        Ok(context.map(|c| c.to_device(&self.device())).transpose()?)
    }

    /// Energy, in nats up to a constant, and its gradient in the array, of standardised `x` `(B, C, H, W)` given one
    /// label (or none) an image. An energy of noise levels is that of level `t`, in `(0, pi / 2)`, of whose path
    /// `cos(t) u + sin(t) eps` `x` should be a point; an energy without levels takes no notice of `t`. The answer is
    /// where `x` is.
    ///
    /// # Errors
    /// As [`ImageModelInfo::context`]; [`Error::Shape`].
    pub fn evaluate_at(&self, x: &Tensor, labels: &[Option<u32>], t: f64) -> Result<Evaluated> {
        let context = self.context(labels)?;
        let there = x.to_device(&self.device())?;
        let at = match &self.energy {
            Learned::Levels(energy) => energy.at(t, context.as_ref())?.evaluate(&there)?,
            Learned::Single(energy) => {
                let at = energy.evaluate(&there, context.as_ref())?;
                match &self.learning {
                    Learning::EnergyMatching(c) => {
                        Evaluated { energy: (at.energy / c.temperature)?, grad: (at.grad / c.temperature)? }
                    }
                    _ => at,
                }
            }
        };
        Ok(Evaluated { energy: at.energy.to_device(x.device())?, grad: at.grad.to_device(x.device())? })
    }

    /// Energy of pixels `(B, C, H, W)` in `[0, 1]` and its gradient in them, at noise level `t`: where the energy has
    /// levels, of `cos(t) u + sin(t) eps` for the standardised image `u` and the given noise `eps` (broadcast; none for
    /// 0).
    ///
    /// # Errors
    /// As [`ImageModel::evaluate_at`].
    pub fn evaluate(&self, pixels: &Tensor, labels: &[Option<u32>], t: f64, eps: Option<&Tensor>) -> Result<Evaluated> {
        let u = self.from_pixels(pixels)?;
        let (x, factor) = match (&self.energy, eps) {
            (Learned::Single(_), _) => (u, 1.0),
            (Learned::Levels(_), None) => ((u * t.cos())?, t.cos()),
            (Learned::Levels(_), Some(eps)) => ((u * t.cos())?.broadcast_add(&(eps * t.sin())?)?, t.cos()),
        };
        let at = self.evaluate_at(&x, labels, t)?;
        Ok(Evaluated { energy: at.energy, grad: (at.grad * (factor / self.info.scale))? })
    }

    /// Writes the model whole or not at all.
    ///
    /// # Errors
    /// As [`Archive::save`].
    pub fn save(&self, path: &Path) -> Result<()> {
        let meta = self.info.as_json()?;
        let mut archive = Archive { meta, ..Archive::default() };
        for (name, var) in self.parameters().iter() {
            archive.tensors.insert(format!("weight/{name}"), var.as_detached_tensor());
        }
        for (k, weights) in self.history.iter().enumerate() {
            let named = self.parameters().iter().zip(weights);
            archive.tensors.extend(named.map(|((name, _), t)| (format!("history/{k}/{name}"), t.clone())));
        }
        archive.tensors.extend(self.network().state().into_iter().map(|(name, t)| (format!("state/{name}"), t)));
        archive.save(path)
    }

    /// Reads a model that `ebmotion image train` wrote.
    ///
    /// # Errors
    /// As [`Archive::load`]; [`Error::Model`] for a file of another kind.
    pub fn load(path: &Path) -> Result<Self> {
        let archive = Archive::load(path)?;
        let expected = format!("a {KIND} of version {VERSION}, as `ebmotion image train` writes it");
        let found = archive.meta.get("kind").and_then(|k| k.as_str()).unwrap_or("another").to_string();
        let info: ImageModelInfo = serde_json::from_value(archive.meta.clone())
            .map_err(|e| Error::model(path, format!("a file of kind `{found}`: {e}"), expected.clone()))?;
        if info.kind != KIND || info.version != VERSION {
            return Err(Error::model(path, format!("a {} of version {}", info.kind, info.version), expected));
        }
        if info.conditional && info.classes.len() != info.network.context {
            let found = format!("{} classes and a context of {}", info.classes.len(), info.network.context);
            return Err(Error::model(path, found, "as many of the one as of the other"));
        }
        let energy = info.fresh(&mut Noise::new(0), &Device::Cpu)?;
        let learning = info.settings.get("learning").cloned().unwrap_or_default();
        let learning: Learning = serde_json::from_value(learning)
            .map_err(|e| Error::model(path, format!("settings of learning: {e}"), expected.clone()))?;
        if learning.leveled() != info.leveled {
            return Err(Error::model(path, format!("noise levels: {}", info.leveled), "what its settings say"));
        }
        let mut model = Self { info, learning, energy, history: Vec::new() };
        let get = |name: &str| archive.tensor(path, name);
        model.parameters().assign(|name| get(&format!("weight/{name}")))?;
        model.network_mut().restore(&|name| get(&format!("state/{name}")))?;
        let set = |k: usize| -> Option<Vec<Tensor>> {
            let named = model.parameters().iter();
            named.map(|(name, _)| archive.tensors.get(&format!("history/{k}/{name}")).cloned()).collect()
        };
        let history: Vec<_> = (0..).map_while(set).collect();
        model.history = history;
        Ok(model)
    }
}

/// Images `indices` with the shift subtracted, divided by the scale, `(B, C, H, W)`.
pub(super) fn standardised(images: &Images, indices: &[usize], [shift, scale]: [f64; 2]) -> Result<Tensor> {
    let mut values = Vec::new();
    images.fill_unit(indices, &mut values);
    let (shift, scale) = (shift as f32, scale as f32);
    values.iter_mut().for_each(|v| *v = (*v - shift) / scale);
    let [channels, height, width] = images.shape();
    Ok(Tensor::from_vec(values, (indices.len(), channels, height, width), &Device::Cpu)?)
}
