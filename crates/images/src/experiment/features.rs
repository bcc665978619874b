//! Networks in whose features sets of images are compared: Inception-v3 with weights of the user's, or a classifier
//! trained here. What is measured by the one is never called as what is measured by the other.

use super::classifier::{self, in_shape, pixels};
use super::{Journal, advance};
use crate::image::Images;
use crate::model::{Classifier, Inception};
use candle_core::{Device, Tensor};
use ebmotion::event::{Event, Sink};
use ebmotion::{Error, Result};
use std::path::Path;

/// Batches that are kept as one piece.
const PIECE: usize = 64;

/// A network that knows images.
#[derive(Debug, Clone)]
pub enum Features {
    /// Inception-v3, for figures that may be compared with published ones.
    Inception(Box<Inception>),
    /// A classifier from `ebmotion image classifier`, for figures that may be compared with each other.
    Classifier(Box<Classifier>),
}

impl Features {
    /// Reads a safetensors file of torchvision's state dictionary of Inception-v3, or of the like-named network of
    /// pytorch-fid.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be read; [`Error::Model`] when it is damaged or of another network.
    pub fn inception(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(Error::io(path, "read"))?;
        let expected = "Inception-v3's weights by torchvision's names, as safetensors";
        let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu)
            .map_err(|e| Error::model(path, format!("no safetensors file ({e})"), expected))?;
        let missing = |name: &str| Error::model(path, format!("no tensor `{name}`"), expected);
        let network = Inception::new(&|name| tensors.get(name).cloned().ok_or_else(|| missing(name)));
        let network = network.map_err(|e| match e {
            Error::Shape { found, expected, .. } => {
                Error::model(path, format!("a tensor of shape {found:?}"), expected)
            }
            other => other,
        })?;
        Ok(Self::Inception(Box::new(network)))
    }

    /// Reads a classifier's file.
    ///
    /// # Errors
    /// As [`classifier::load`].
    pub fn classifier(path: &Path) -> Result<Self> {
        Ok(Self::Classifier(Box::new(classifier::load(path)?)))
    }

    /// The network in a few words.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Inception(net) if net.of_published_distances() => {
                "Inception-v3 of published distances (1008 classes)"
            }
            Self::Inception(_) => "Inception-v3 of torchvision",
            Self::Classifier(_) => "a classifier from `ebmotion image classifier`",
        }
    }

    /// Last hidden layer of each image, `(N, F)`.
    ///
    /// # Errors
    /// [`Error::Data`] for images that do not fit; [`Error::Interrupted`] when the sink asks to stop; as
    /// [`Journal::begin`] for what was kept.
    pub fn features(&self, images: &Images, journal: &Journal, sink: &mut dyn Sink) -> Result<Tensor> {
        self.each(images, "features", journal, sink, |net, x| match net {
            Self::Inception(net) => Ok(net.evaluate(&Inception::resized(x)?)?.0),
            Self::Classifier(net) => net.features(x),
        })
    }

    /// Logits of the network's classes for each image, `(N, K)`.
    ///
    /// # Errors
    /// As [`Features::features`].
    pub fn logits(&self, images: &Images, journal: &Journal, sink: &mut dyn Sink) -> Result<Tensor> {
        self.each(images, "classes", journal, sink, |net, x| match net {
            Self::Inception(net) => Ok(net.evaluate(&Inception::resized(x)?)?.1),
            Self::Classifier(net) => net.logits(x),
        })
    }

    fn each(
        &self,
        images: &Images,
        phase: &str,
        journal: &Journal,
        sink: &mut dyn Sink,
        work: impl Fn(&Self, &Tensor) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let chunk = match self {
            Self::Inception(_) if ![1, 3].contains(&images.shape()[0]) => {
                let what = format!("channels of `{}`", images.name);
                return Err(Error::data(what, images.shape()[0], "1 or 3, for Inception-v3"));
            }
            Self::Inception(_) => 8,
            Self::Classifier(net) => {
                let c = net.config();
                in_shape(images, [c.channels, c.height, c.width])?;
                200
            }
        };
        sink.emit(&Event::Begin { phase, total: images.len() as u64 })?;
        let order: Vec<usize> = (0..images.len()).collect();
        let (mut parts, mut done) = (Vec::new(), 0);
        for (i, piece) in order.chunks(chunk * PIECE).enumerate() {
            let [part] = journal.array(&format!("{phase} {i}"), || {
                let mut rows = Vec::new();
                for (k, chosen) in piece.chunks(chunk).enumerate() {
                    // A piece that is done is kept before the work stops.
                    if k > 0 {
                        advance(sink, done + k * chunk, images.len(), "")?;
                    }
                    rows.push(work(self, &pixels(images, chosen)?)?.detach());
                }
                Ok([Tensor::cat(&rows, 0)?])
            })?;
            parts.push(part);
            done += piece.len();
            advance(sink, done, images.len(), "")?;
        }
        sink.emit(&Event::End)?;
        Ok(Tensor::cat(&parts, 0)?)
    }
}
