//! Diffusion recovery likelihood: at every noise level, the energy of what a noisier array came from.
//!
//! With `x' = a x + s eps` the density of `x` given `x'` is proportional to `exp(-E_t(x) - |x' - a x|^2 / (2 s^2))` (Gao et
//! al. 2021, "Learning energy-based models by diffusion recovery likelihood", eq. 8-9; theirs is the energy of `a x`). It
//! has one narrow mode where `E_t` has many, so short chains from `x'` reach it, and raising the likelihood of the true `x`
//! against them fits `E_t` (eq. 10) to the density at level `t`.

use super::contrastive::{energy_score, mean};
use crate::energy::compose::Sum;
use crate::energy::constraint::Goal;
use crate::energy::coordinates::Coordinates;
use crate::error::{Error, Result};
use crate::model::{LevelEnergy, Parameters};
use crate::noise::Noise;
use crate::sample::langevin::Langevin;
use crate::sample::{Transition, Unadjusted};
use crate::train::{Batch, Loss, Objective};
use candle_core::{DType, Device, Tensor};
use serde::{Deserialize, Serialize};

/// Settings of [`Recovery`]. Noise levels are angles `t` of `x_t = cos(t) u + sin(t) eps`, as of [`LevelEnergy`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RecoveryConfig {
    /// `x'` is noisier than `x` by this part of the way from `lowest` to `highest`; at least 1. The fewer, the more modes
    /// the density of `x` given `x'` has.
    pub levels: usize,
    /// Angle of the least noise at which the energy is learned, in `(0, highest)`. The energy's scale goes as its
    /// cotangent, which makes small angles hard to learn: at 0.1 the tests' energies vary by a nat from seed to seed.
    pub lowest: f64,
    /// Angle of the most noise, below pi / 2.
    pub highest: f64,
    /// Langevin steps from `x'`, at least 1.
    pub steps: usize,
    /// Step in units of the variance of `x` given `x'` for a standard normal `x`, positive: at 1, the chain of a normal
    /// would forget its start in one step or two.
    pub step_size: f64,
}

impl Default for RecoveryConfig {
    fn default() -> Self {
        Self { levels: 4, lowest: 0.2, highest: 1.54, steps: 20, step_size: 0.3 }
    }
}

impl RecoveryConfig {
    fn check(&self) -> Result<()> {
        for (key, value) in [("levels", self.levels), ("steps", self.steps)] {
            if value == 0 {
                return Err(Error::config(key, 0, "at least 1"));
            }
        }
        if !(self.lowest > 0.0 && self.highest > self.lowest && self.highest < MOST) {
            let found = format!("{} to {}", self.lowest, self.highest);
            return Err(Error::config("lowest, highest", found, format!("0 < lowest < highest < {MOST}")));
        }
        if !(self.step_size > 0.0 && self.step_size.is_finite()) {
            return Err(Error::config("step_size", self.step_size, "a positive number"));
        }
        Ok(())
    }
}

/// Largest angle of an `x'`: all but noise.
const MOST: f64 = 1.565;

/// Fits a [`LevelEnergy`] by recovery likelihood: the same energy as denoising fits, by contrast in place of scores.
#[derive(Debug, Clone)]
pub struct Recovery {
    energy: LevelEnergy,
    config: RecoveryConfig,
}

/// True arrays at their levels, and what chains made of their noisier neighbours.
struct Recovered {
    /// `(B, F)`.
    x: Tensor,
    /// `(B, 1)`.
    angles: Tensor,
    /// `(B, F)` each.
    samples: Vec<Tensor>,
}

impl Recovery {
    /// For an energy and settings.
    ///
    /// # Errors
    /// [`Error::Config`] for settings out of range.
    pub fn new(energy: LevelEnergy, config: RecoveryConfig) -> Result<Self> {
        config.check()?;
        Ok(Self { energy, config })
    }

    /// The energy.
    pub fn energy(&self) -> &LevelEnergy {
        &self.energy
    }

    /// Settings.
    pub fn config(&self) -> &RecoveryConfig {
        &self.config
    }

    /// The energy, taken out.
    pub fn into_energy(self) -> LevelEnergy {
        self.energy
    }

    /// Each part of a batch gets a level of its own, drawn from its share of the range, and `draws` chains a row.
    fn recover(&self, batch: &Batch, draws: usize, noise: &mut Noise) -> Result<Recovered> {
        let c = &self.config;
        let u = batch.x.flatten_from(1)?;
        let (rows, width) = u.dims2()?;
        let (dtype, device) = (u.dtype(), u.device().clone());
        let parts = c.levels.min(rows);
        let lots = noise.uniform(parts, DType::F64, &Device::Cpu)?.to_vec1::<f64>()?;
        let eps = [noise.normal((rows, width), dtype, &device)?, noise.normal((rows, width), dtype, &device)?];
        let all = Coordinates::new(&(0..width).collect::<Vec<_>>())?;
        let (mut xs, mut angles, mut samples) = (Vec::new(), Vec::new(), vec![Vec::new(); draws]);
        for (part, lot) in lots.into_iter().enumerate() {
            let (from, to) = (part * rows / parts, (part + 1) * rows / parts);
            let cut = |t: &Tensor| t.narrow(0, from, to - from);
            let stride = (c.highest - c.lowest) / c.levels as f64;
            let t = c.lowest + (c.highest - c.lowest) * (part as f64 + lot) / parts as f64;
            let a = (t + stride).min(MOST).cos() / t.cos();
            let variance = 1.0 - a * a;
            let x = ((cut(&u)? * t.cos())? + (cut(&eps[0])? * t.sin())?)?;
            let noisier = ((&x * a)? + (cut(&eps[1])? * variance.sqrt())?)?;
            let context = batch.context.as_ref().map(&cut).transpose()?;
            let level = self.energy.conditioned(context.as_ref(), to - from)?.at(t)?;
            let bond = Goal::new(all.clone(), &(&noisier / a)?, a * a / (2.0 * variance))?;
            // The variance of `x` given `x'` is 1 / (1 + a^2 / s^2) = s^2 for a standard normal `x`.
            let sampler = Unadjusted(Langevin::calibrated(c.step_size * variance));
            for drawn in &mut samples {
                let energy = Sum(&level, &bond);
                drawn.push(sampler.run_from(&energy, &noisier, c.steps, &mut noise.split_off())?.0.x);
            }
            xs.push(x);
            angles.push(Tensor::full(t, (to - from, 1), &device)?.to_dtype(dtype)?);
        }
        let samples = samples.iter().map(|parts| Ok(Tensor::cat(parts, 0)?)).collect::<Result<_>>()?;
        Ok(Recovered { x: Tensor::cat(&xs, 0)?, angles: Tensor::cat(&angles, 0)?, samples })
    }
}

impl Objective for Recovery {
    fn name(&self) -> &'static str {
        "recovery"
    }

    fn parameters(&self) -> &Parameters {
        self.energy.parameters()
    }

    fn prepare(&mut self) -> Result<()> {
        self.energy.network_mut().power_iteration()
    }

    /// The contrast of `E_t` weighted by `tan t`, which is that of the network's own part of it: so weighted, no level's
    /// gradient drowns the others' (the paper's code weighs its levels to the same end).
    fn loss(&mut self, batch: &Batch, noise: &mut Noise) -> Result<Loss> {
        let at = self.recover(batch, 1, noise)?;
        let energies = |x: &Tensor| self.energy.correction(x, &at.angles, batch.context.as_ref());
        let total = (energies(&at.x)? - energies(&at.samples[0])?)?.mean_all()?;
        let figures = vec![("energy_gap", -mean(&total)?)];
        Ok(Loss { total, figures })
    }

    /// The energy score of two chains against the array that their noisier neighbour came from, over all levels.
    fn validate(&self, batch: &Batch, noise: &mut Noise) -> Result<f64> {
        let at = self.recover(batch, 2, noise)?;
        energy_score(&at.samples[0], &at.samples[1], &at.x)
    }

    fn state(&self) -> Result<Vec<(String, Tensor)>> {
        Ok(self.energy.network().state())
    }

    fn restore(&mut self, get: &dyn Fn(&str) -> Option<Tensor>) -> Result<()> {
        self.energy.network_mut().restore(&|name| get(name).ok_or_else(|| Error::Other(format!("no tensor `{name}`"))))
    }
}
