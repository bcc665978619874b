//! Energies of single attributes, added: what Du & Mordatch 2019 call compositionality.
//!
//! Two questions. Do two energies, one given the size and one given the position, make images of pairs that neither has seen,
//! and with less error than one network of both ([`Cross`])? And what do four energies make together, by and, or, not
//! ([`Composition`])?
//!
//! All energies are [`ebmotion::model::Leveled`] convolutional networks that learn by denoising; of several, each network is added,
//! the standard normal that they all hold counts once.

mod attributes;
mod config;
mod cross;
mod deconvolution;
mod draw;
mod expert;
mod scene;
#[cfg(test)]
mod tests;

pub use attributes::Composition;
pub use config::{AstrayConfig, Choice, ComposeConfig, CrossConfig, Handover, NetworkLearning};
pub use cross::{Cross, CrossRow, Estimate};
pub use scene::Attribute;

use crate::experiment::Journal;
use crate::image::Images;
use ebmotion::Result;
use ebmotion::event::Sink;
use ebmotion::noise::Noise;
use expert::Shelf;
use serde::Serialize;

/// What was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ComposeFigures {
    /// Size x position on pairs that were never seen.
    pub cross: Cross,
    /// Four energies together.
    pub compositions: Vec<Composition>,
    /// Trainable numbers of the four energies.
    pub parameters: usize,
}

/// Figures and pictures.
#[derive(Debug)]
pub struct ComposeResult {
    /// What was measured.
    pub figures: ComposeFigures,
    /// Name, images and images side by side of each picture.
    pub pictures: Vec<(&'static str, Images, usize)>,
}

/// The images of all pairs of size and position: what results call the experiment's data. The images of the four attributes
/// are drawn as they are needed.
///
/// # Errors
/// [`ebmotion::Error::Config`] for settings out of range.
pub fn data(config: &ComposeConfig) -> Result<Images> {
    config.validate()?;
    cross::data(config)
}

/// Learns all energies and the baseline, and draws from them. What is kept are the networks; images are drawn anew.
///
/// # Errors
/// [`ebmotion::Error::Config`] for settings out of range; [`ebmotion::Error::Interrupted`] when the sink asks to stop; as
/// [`Journal::begin`] for what was kept.
pub fn run(config: &ComposeConfig, journal: &Journal, sink: &mut dyn Sink) -> Result<ComposeResult> {
    config.validate()?;
    let noise = Noise::new(config.seed);
    let mut shelf = Shelf { journal, sink };
    let (cross, picture) = cross::run(config, &noise.fork(0), &mut shelf)?;
    let columns = cross::SHOWN.min(cross.test_pairs);
    let mut pictures = vec![("cross", picture, columns)];
    let compositions = attributes::run(config, &noise.fork(1), &mut shelf)?;
    pictures.extend(compositions.pictures.into_iter().map(|(name, images)| (name, images, 16)));
    let figures = ComposeFigures { cross, compositions: compositions.figures, parameters: compositions.parameters };
    Ok(ComposeResult { figures, pictures })
}
