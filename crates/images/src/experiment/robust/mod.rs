//! How an energy classifies images that were made to mislead it, beside classifiers: the class of the lowest energy
//! against projected gradient ascent on its own odds.
//!
//! An image that has fallen within some distance counts as fallen within every larger one, since the smaller ball lies
//! in the larger: so only the images that still stand are attacked anew.

mod config;
mod energy;
mod victim;

pub use config::{PurificationConfig, RobustConfig};
pub use energy::EnergyClassifier;
pub use victim::Victim;

use super::classifier::{fits, pixels};
use super::fid::some;
use super::{ImageModel, Journal, advance};
use crate::image::Images;
use crate::model::Classifier;
use crate::sample::{Attack, Norm};
use candle_core::{Device, Tensor};
use ebmotion::Result;
use ebmotion::event::{Event, Silent, Sink};
use ebmotion::noise::Noise;
use serde::Serialize;

/// Accuracy under attack.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Curve {
    /// What judges.
    pub name: String,
    /// What the attack knows of it.
    pub attack: String,
    /// Measure of the distances.
    pub norm: Norm,
    /// Distances.
    pub radii: Vec<f64>,
    /// Share of images whose class is found, at each of them.
    pub accuracy: Vec<f64>,
}

/// What was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RobustFigures {
    /// Test images.
    pub images: usize,
    /// A curve for each that judges and each norm.
    pub curves: Vec<Curve>,
    /// Constants of the classes, nats, added to minus the energies; in the order of the model's labels.
    pub constants: Vec<f64>,
}

/// Images of a batch.
const BATCH: usize = 50;

/// Attacks the energy and the named `classifiers` on images of `test`.
///
/// # Errors
/// [`ebmotion::Error::Config`] for settings out of range; [`ebmotion::Error::Data`] for an energy that is not given the
/// class, images or labels that do not fit; [`ebmotion::Error::Interrupted`] when the sink asks to stop; as
/// [`Journal::begin`] for what was kept.
pub fn run(
    model: &ImageModel,
    classifiers: &[(String, Classifier)],
    train: &Images,
    test: &Images,
    config: &RobustConfig,
    journal: &Journal,
    sink: &mut dyn Sink,
) -> Result<RobustFigures> {
    config.check()?;
    let noise = Noise::new(config.seed);
    let test = some(test, config.images, &mut noise.named("test images"))?;
    for (_, classifier) in classifiers {
        let c = classifier.config();
        fits(&test, [c.channels, c.height, c.width], c.classes)?;
    }
    let mut energy = EnergyClassifier::new(model, &config.levels, config.draws, &mut noise.named("views"))?;
    energy.check(&test)?;
    if config.calibration > 0 {
        energy.calibrate(&some(train, config.calibration, &mut noise.named("calibration"))?)?;
    }
    let mut curves = Vec::new();
    let named = classifiers.iter().map(|(name, victim)| (name.as_str(), victim as &dyn Victim));
    for (n, (name, victim)) in std::iter::once(("energy", &energy as &dyn Victim)).chain(named).enumerate() {
        // Names may be alike.
        let journal = &journal.within(&n.to_string());
        for (norm, radii) in [(Norm::Linf, &config.linf), (Norm::L2, &config.l2)] {
            let purify = (name == "energy" && config.purification.steps > 0).then_some((&energy, &config.purification));
            curves.extend(attacked((name, victim), purify, &test, (norm, radii), config, &noise, journal, sink)?);
        }
    }
    Ok(RobustFigures { images: test.len(), curves, constants: energy.constants().to_vec() })
}

#[allow(clippy::too_many_arguments)]
#[expect(clippy::too_many_lines, reason = "one loop over images and radii, with what it carries from radius to radius")]
fn attacked(
    (name, victim): (&str, &dyn Victim),
    purify: Option<(&EnergyClassifier<'_>, &PurificationConfig)>,
    test: &Images,
    (norm, radii): (Norm, &[f64]),
    config: &RobustConfig,
    noise: &Noise,
    journal: &Journal,
    sink: &mut dyn Sink,
) -> Result<Vec<Curve>> {
    let labels = test.known_labels()?;
    let (mut standing, mut purified) = (vec![0usize; radii.len()], vec![0usize; radii.len()]);
    let phase = format!("{name} {norm:?}");
    let total = test.len().div_ceil(BATCH) * radii.len();
    sink.emit(&Event::Begin { phase: &phase, total: total as u64 })?;
    let journal = journal.within(&phase);
    let (mut done, mut watched) = (0, None);
    for first in (0..test.len()).step_by(BATCH) {
        let chosen: Vec<usize> = (first..(first + BATCH).min(test.len())).collect();
        let x = pixels(test, &chosen)?;
        // The images as they have fallen or still stand, and which of them stand.
        let mut at = x.clone();
        let mut stands: Vec<usize> = (0..chosen.len()).collect();
        for (r, radius) in radii.iter().enumerate() {
            let work = || {
                let noise = noise.named(&phase).fork(r as u64).from_chain(first as u64);
                let mut rows: Vec<Tensor> = (0..chosen.len()).map(|b| at.narrow(0, b, 1)).collect::<Result<_, _>>()?;
                let mut left = vec![0u32; chosen.len()];
                if !stands.is_empty() {
                    let index = Tensor::new(stands.iter().map(|b| *b as u32).collect::<Vec<_>>(), &Device::Cpu)?;
                    let own: Vec<u32> = stands.iter().map(|b| labels[chosen[*b]]).collect();
                    let attack = Attack { norm, radius: *radius, steps: config.steps };
                    let found = attack
                        .run(&x.index_select(&index, 0)?, &mut noise.fork(0), |x| victim.odds_against(x, &own))?;
                    let classes = victim.classify(&found)?;
                    for (i, b) in stands.iter().enumerate() {
                        rows[*b] = found.narrow(0, i, 1)?;
                        left[*b] = u32::from(classes[i] == own[i]);
                    }
                }
                let (at, mut right) = (Tensor::cat(&rows, 0)?, 0);
                if let Some((energy, settings)) = purify {
                    // A listener is shown the first batch that is purified in this run.
                    let shown = *watched.get_or_insert(first) == first;
                    let sink: &mut dyn Sink = if shown { &mut *sink } else { &mut Silent };
                    let classes = energy.purified(&at, settings, &mut noise.fork(1), sink)?;
                    right = classes.iter().zip(&chosen).filter(|(k, i)| **k == labels[**i]).count() as u32;
                }
                Ok([at, Tensor::new(left, &Device::Cpu)?, Tensor::new(&[right], &Device::Cpu)?])
            };
            let [found, left, right] = journal.array(&format!("batch {first} radius {r}"), work)?;
            at = found;
            let left = left.to_vec1::<u32>()?;
            stands = (0..left.len()).filter(|b| left[*b] == 1).collect();
            standing[r] += stands.len();
            purified[r] += right.to_vec1::<u32>()?.iter().sum::<u32>() as usize;
            done += 1;
            advance(sink, done, total, &format!("{radius}: {} of {} stand", stands.len(), chosen.len()))?;
        }
    }
    sink.emit(&Event::End)?;
    let curve = |name: String, attack: &str, right: &[usize]| Curve {
        name,
        attack: attack.into(),
        norm,
        radii: radii.to_vec(),
        accuracy: right.iter().map(|n| *n as f64 / test.len() as f64).collect(),
    };
    let mut curves = vec![curve(name.into(), "on what judges, by its own gradient", &standing)];
    if purify.is_some() {
        let attack = "on the energy without purification, of which it does not know";
        curves.push(curve(format!("{name} after purification"), attack, &purified));
    }
    Ok(curves)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn radii_must_rise() {
        let falling = RobustConfig { l2: vec![1.0, 0.5], ..RobustConfig::default() };
        assert!(falling.check().is_err());
        let config = RobustConfig { steps: 0, ..RobustConfig::default() };
        assert!(config.check().is_err());
        assert!(RobustConfig::default().check().is_ok());
    }
}
