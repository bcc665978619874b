//! Settings of the experiment.

use super::scene::{Attribute, Scene};
use crate::image::sprites::{COUNTS, SHAPES};
use ebmotion::sample::diffusion::{Eta, SamplerConfig, Solver};
use ebmotion::{Error, Result};
use serde::{Deserialize, Serialize};
use std::f64::consts::FRAC_PI_2;

/// How one network learns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkLearning {
    /// Steps of Adam; at least 1.
    pub steps: u64,
    /// Images a step; at least 1.
    pub batch: usize,
    /// Adam's largest step size; it falls along half a cosine. Positive.
    pub learning_rate: f64,
    /// Channels of the first convolution (of the last but one, of the baseline), of which the others are multiples; at
    /// least 1.
    pub width: usize,
}

/// How images are drawn: over even noise levels, with a share of the noise's variance drawn anew at each. A temperature
/// of 1 draws from the energies' density, 0 goes downhill from the mean image.
pub(super) fn sampler(levels: usize, temperature: f64, noise_share: f64) -> SamplerConfig {
    SamplerConfig {
        levels,
        end: 0.06.into(),
        spacing: 1.0,
        solver: Solver::Ddim,
        eta: Eta::OfNoise { noise_share },
        temperature,
        ..SamplerConfig::default()
    }
}

/// Where in the noise levels the position's energy leaves off: its weight is 1 where all is noise, 0 where there is
/// none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handover {
    /// Noise angle at which the weight is one half, in `(0, pi / 2)`.
    pub angle: f64,
    /// Angles over which it changes most; positive.
    pub width: f64,
    /// Weight of the size's energy less that of any image, where all is noise.
    pub size: f64,
}

impl Handover {
    /// Weight of the position's energy at the noise level of angle `t`.
    pub(super) fn at(&self, t: f64) -> f64 {
        1.0 / (1.0 + ((self.angle - t) / self.width).exp())
    }
}

/// What an energy is shown of chains that went astray.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AstrayConfig {
    /// Share of each batch's told images that is noise around another image, whose way leads to its own all the same;
    /// in `[0, 1]`.
    pub share: f64,
    /// Noise angle from which on that is so, in `(0, pi / 2)`.
    pub lowest: f64,
}

/// Where drawn images are judged: chains that went astray end where their energy is higher.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// Noise angles at which the images' energies are taken, each in `(0, pi / 2)`; at least one. Where there is so
    /// much noise that images of all kinds overlap: below, an energy that has learned by denoising does not say how
    /// likely one kind is beside another.
    pub angles: Vec<f64>,
    /// Draws of noise at each, the same for all images; at least 1.
    pub draws: usize,
}

/// Settings of size x position on pairs that were never seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrossConfig {
    /// Runs, each with weights, test pairs and noise of its own; at least 1.
    pub runs: usize,
    /// Shares of the joint pairs that are trained on, each in `[0, 1]`, the smaller first; at least one.
    pub fractions: Vec<f64>,
    /// Networks of the first share learn for all their steps, those of a further one go on from the share before for
    /// this part of them. In `(0, 1]`.
    pub further: f64,
    /// Share of the pairs of another size and another place that no training ever sees, in `(0, 1)`.
    pub test_share: f64,
    /// The shape of all images.
    pub shape: usize,
    /// Its rotation, in fortieths of a turn.
    pub rotation: usize,
    /// The size that is seen at all places.
    pub size: usize,
    /// Images drawn for each test pair; at least 1.
    pub chains: usize,
    /// So many of them, of the lowest energy, whose mean is compared; at least 1.
    pub kept: usize,
    /// Of the energies given the size.
    pub size_energy: NetworkLearning,
    /// Of the energies given the position.
    pub position_energy: NetworkLearning,
    /// Of the size's, around seen images of any size at the same place.
    pub size_recovery: AstrayConfig,
    /// Of the position's, around images without a sprite.
    pub position_recovery: AstrayConfig,
    /// Of the baseline.
    pub baseline: NetworkLearning,
    /// How images are drawn.
    pub sampler: SamplerConfig,
    /// Which energy speaks where.
    pub handover: Handover,
}

/// Settings of the experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComposeConfig {
    /// Seed of everything.
    pub seed: u64,
    /// Pixels a side: 64, or 32 or 16 as means of the sprites' pixels.
    pub side: usize,
    /// Columns and rows at which a sprite may be, in equal distances: 2, 4, 8, 16 or 32.
    pub positions: usize,
    /// Size x position on pairs that were never seen.
    pub cross: CrossConfig,
    /// Of the energies of all four attributes.
    pub attributes: NetworkLearning,
    /// Images of each composition; at least 1.
    pub samples: usize,
    /// Images drawn for each of the conjunction's, which is the one with the lowest energy; at least 1. Of the others
    /// one each: what they show is how often something comes up.
    pub chains: usize,
    /// Weight of `E(x | attribute) - E(x)` in the compositions; 1 adds the energies as they are.
    pub guidance: f64,
    /// Weight of what is not to be seen.
    pub negation: f64,
    /// How the compositions' images are drawn.
    pub sampler: SamplerConfig,
    /// How images are chosen from several, here and in `cross`.
    pub choice: Choice,
}

impl NetworkLearning {
    /// Checks these settings, which errors name by `key`.
    fn validate(&self, key: &str) -> Result<()> {
        if self.steps == 0 || self.batch == 0 || self.width == 0 {
            let found = format!("steps {}, batch {}, width {}", self.steps, self.batch, self.width);
            return Err(Error::config(key, found, "numbers of at least 1"));
        }
        if !(self.learning_rate > 0.0 && self.learning_rate.is_finite()) {
            return Err(Error::config(format!("{key}.learning_rate"), self.learning_rate, "a positive number"));
        }
        Ok(())
    }

    /// The same for a part of the steps, rounded up.
    pub(super) fn part(&self, share: f64) -> Self {
        Self { steps: (self.steps as f64 * share).ceil() as u64, ..self.clone() }
    }
}

impl Default for ComposeConfig {
    fn default() -> Self {
        Self {
            seed: 0,
            side: 32,
            positions: 8,
            cross: CrossConfig {
                runs: 1,
                fractions: vec![0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0],
                further: 0.2,
                test_share: 0.15,
                shape: 0,
                rotation: 0,
                size: 2,
                chains: 16,
                kept: 4,
                size_energy: NetworkLearning { steps: 3000, batch: 32, learning_rate: 3e-3, width: 20 },
                position_energy: NetworkLearning { steps: 6000, batch: 64, learning_rate: 3e-3, width: 24 },
                size_recovery: AstrayConfig { share: 0.3, lowest: 0.2 },
                position_recovery: AstrayConfig { share: 0.2, lowest: 0.5 },
                baseline: NetworkLearning { steps: 7500, batch: 64, learning_rate: 1e-3, width: 16 },
                sampler: sampler(50, 0.7, 0.5),
                handover: Handover { angle: 0.6, width: 0.1, size: 0.2 },
            },
            attributes: NetworkLearning { steps: 3000, batch: 64, learning_rate: 3e-3, width: 24 },
            samples: 64,
            chains: 8,
            guidance: 3.0,
            negation: 3.0,
            sampler: sampler(40, 1.0, 0.2),
            choice: Choice { angles: vec![1.3, 1.4], draws: 8 },
        }
    }
}

impl ComposeConfig {
    /// The images that are spoken of.
    pub(super) fn scene(&self) -> Scene {
        Scene { side: self.side, positions: self.positions }
    }

    pub(super) fn validate(&self) -> Result<()> {
        if ![16, 32, 64].contains(&self.side) {
            return Err(Error::config("side", self.side, "16, 32 or 64"));
        }
        if ![2, 4, 8, 16, 32].contains(&self.positions) {
            return Err(Error::config("positions", self.positions, "2, 4, 8, 16 or 32"));
        }
        counted(&[("samples", self.samples), ("chains", self.chains)])?;
        self.attributes.validate("attributes")?;
        walk("sampler", &self.sampler)?;
        let choice = &self.choice;
        if choice.draws == 0 || choice.angles.is_empty() || !choice.angles.iter().all(|t| *t > 0.0 && *t < FRAC_PI_2) {
            let expected = "at least one angle between 0 and pi / 2, and at least 1 draw";
            return Err(Error::config("choice", format!("{choice:?}"), expected));
        }
        for (key, weight) in [("guidance", self.guidance), ("negation", self.negation)] {
            if !(weight >= 0.0 && weight.is_finite()) {
                return Err(Error::config(key, weight, "a number that is not negative"));
            }
        }
        self.cross.validate()
    }
}

impl CrossConfig {
    fn validate(&self) -> Result<()> {
        counted(&[
            ("cross.runs", self.runs),
            ("cross.chains", self.chains),
            ("cross.fractions", self.fractions.len()),
        ])?;
        if !self.fractions.iter().all(|f| (0.0..=1.0).contains(f)) || !self.fractions.is_sorted_by(|a, b| a < b) {
            let expected = "shares from 0 to 1, the smaller first";
            return Err(Error::config("cross.fractions", format!("{:?}", self.fractions), expected));
        }
        for (key, recovery) in
            [("cross.size_recovery", &self.size_recovery), ("cross.position_recovery", &self.position_recovery)]
        {
            if !((0.0..=1.0).contains(&recovery.share) && recovery.lowest > 0.0 && recovery.lowest < FRAC_PI_2) {
                let expected = "a share from 0 to 1, an angle above 0 and below pi / 2";
                return Err(Error::config(key, format!("{recovery:?}"), expected));
            }
        }
        if !(self.further > 0.0 && self.further <= 1.0) {
            return Err(Error::config("cross.further", self.further, "above 0, at most 1"));
        }
        if !(self.test_share > 0.0 && self.test_share < 1.0) {
            return Err(Error::config("cross.test_share", self.test_share, "above 0 and below 1"));
        }
        for (key, value, count) in [
            ("cross.shape", self.shape, SHAPES.len()),
            ("cross.size", self.size, Attribute::Size.values()),
            ("cross.rotation", self.rotation, COUNTS[2]),
        ] {
            if value >= count {
                return Err(Error::config(key, value, format!("0 to {}", count - 1)));
            }
        }
        self.size_energy.validate("cross.size_energy")?;
        self.position_energy.validate("cross.position_energy")?;
        self.baseline.validate("cross.baseline")?;
        walk("cross.sampler", &self.sampler)?;
        if self.kept == 0 || self.kept > self.chains {
            return Err(Error::config("cross.kept", self.kept, format!("1 to {}", self.chains)));
        }
        let handover = &self.handover;
        if !(handover.width > 0.0
            && handover.width.is_finite()
            && handover.angle.is_finite()
            && handover.size.is_finite())
        {
            let expected = "a positive width, all else finite";
            return Err(Error::config("cross.handover", format!("{handover:?}"), expected));
        }
        Ok(())
    }
}

/// Refuses counts of 0.
fn counted(counts: &[(&str, usize)]) -> Result<()> {
    match counts.iter().find(|(_, count)| *count == 0) {
        Some((key, _)) => Err(Error::config(*key, 0, "at least 1")),
        None => Ok(()),
    }
}

/// Checks the settings of a way down the noise levels, which errors name by `key`.
fn walk(key: &str, sampler: &SamplerConfig) -> Result<()> {
    if sampler.levels < 2 {
        return Err(Error::config(format!("{key}.levels"), sampler.levels, "at least 2"));
    }
    if !(0.0..=1.0).contains(&sampler.temperature) {
        return Err(Error::config(format!("{key}.temperature"), sampler.temperature, "0 to 1"));
    }
    sampler.check().map_err(|e| match e {
        Error::Config { key: inner, found, expected } => {
            Error::Config { key: inner.replacen("sampler", key, 1), found, expected }
        }
        other => other,
    })
}
