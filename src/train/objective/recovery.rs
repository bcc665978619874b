//! Diffusion recovery likelihood: at every noise level, the energy of what a noisier array came from.
//!
//! With `x' = a x + s eps` the density of `x` given `x'` is proportional to `exp(-E_t(x) - |x' - a x|^2 / (2 s^2))`
//! (Gao et al. 2021, "Learning energy-based models by diffusion recovery likelihood", eq. 8-9; theirs is the energy of
//! `a x`). It has one narrow mode where `E_t` has many, so short chains from `x'` reach it, and raising the likelihood
//! of the true `x` against them fits `E_t` (eq. 10) to the density at level `t`.

use super::contrastive::{energy_score, mean};
use super::difference::twice;
use crate::energy::compose::Sum;
use crate::energy::constraint::Goal;
use crate::energy::coordinates::Coordinates;
use crate::error::{Error, Result};
use crate::model::{Leveled, Network, Parameters};
use crate::noise::Noise;
use crate::sample::langevin::Langevin;
use crate::sample::{Transition, Unadjusted};
use crate::train::{Batch, EnergyObjective, Gradients, Loss, Objective};
use candle_core::{DType, Device, Tensor};
use serde::{Deserialize, Serialize};

/// Where the noise levels lie.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spacing {
    /// All angles as often, and `x'` noisier by the same angle everywhere.
    #[default]
    Even,
    /// Angles by their logarithms, and `x'` noisier by the same factor everywhere: for data that lie in fewer
    /// dimensions than they have (images), whose curvature at level `t` is that of the noise, `1 / sin^2 t`, where the
    /// chain's must not be above `2 / step`.
    Geometric,
}

/// Settings of [`Recovery`]. Noise levels are angles `t` of `x_t = cos(t) u + sin(t) eps`, as of [`Leveled`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RecoveryConfig {
    /// `x'` is noisier than `x` by this part of the way from `lowest` to `highest`; at least 1. The fewer, the more
    /// modes the density of `x` given `x'` has.
    pub levels: usize,
    /// Angle of the least noise at which the energy is learned, in `(0, highest)`. The energy's scale goes as its
    /// cotangent, which makes small angles hard to learn: at 0.1 the tests' energies vary by a nat from seed to seed.
    pub lowest: f64,
    /// Angle of the most noise, below pi / 2.
    pub highest: f64,
    /// What "part of the way" means.
    pub spacing: Spacing,
    /// Langevin steps from `x'`, at least 1.
    pub steps: usize,
    /// Step in units of the variance of `x` given `x'` for a standard normal `x`, positive: at 1, the chain of a normal
    /// would forget its start in one step or two.
    pub step_size: f64,
}

impl Default for RecoveryConfig {
    fn default() -> Self {
        Self { levels: 4, lowest: 0.2, highest: 1.54, spacing: Spacing::Even, steps: 20, step_size: 0.3 }
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

    /// The angle at a share of the way from the lowest to the highest, and that of its `x'`.
    fn angles(&self, share: f64) -> (f64, f64) {
        let (t, noisier) = match self.spacing {
            Spacing::Even => {
                let range = self.highest - self.lowest;
                let t = self.lowest + range * share;
                (t, t + range / self.levels as f64)
            }
            Spacing::Geometric => {
                let range = self.highest / self.lowest;
                let t = self.lowest * range.powf(share);
                (t, t * range.powf(1.0 / self.levels as f64))
            }
        };
        (t, noisier.min(MOST))
    }
}

/// Largest angle of an `x'`: all but noise.
const MOST: f64 = 1.565;

/// Fits a [`Leveled`] energy by recovery likelihood: the same energy as denoising fits, by contrast in place of scores.
#[derive(Debug, Clone)]
pub struct Recovery<N> {
    energy: Leveled<N>,
    config: RecoveryConfig,
}

/// True arrays at their levels, and what chains made of their noisier neighbours.
struct Recovered {
    /// `(B, *S)`.
    x: Tensor,
    /// `(B, 1)`.
    angles: Tensor,
    /// `(B, *S)` each.
    samples: Vec<Tensor>,
}

impl<N: Network> Recovery<N> {
    /// For an energy and settings.
    ///
    /// # Errors
    /// [`Error::Config`] for settings out of range.
    pub fn new(energy: Leveled<N>, config: RecoveryConfig) -> Result<Self> {
        config.check()?;
        Ok(Self { energy, config })
    }

    /// The energy.
    pub fn energy(&self) -> &Leveled<N> {
        &self.energy
    }

    /// Settings.
    pub fn config(&self) -> &RecoveryConfig {
        &self.config
    }

    /// The energy, taken out.
    pub fn into_energy(self) -> Leveled<N> {
        self.energy
    }

    /// Each part of a batch gets a level of its own, drawn from its share of the range, and `draws` chains a row.
    fn recover(&self, batch: &Batch, draws: usize, noise: &mut Noise) -> Result<Recovered> {
        let c = &self.config;
        let u = &batch.x;
        let rows = u.dim(0)?;
        let width = u.elem_count() / rows.max(1);
        let (dtype, device) = (u.dtype(), u.device().clone());
        let parts = c.levels.min(rows);
        let uniforms = noise.uniform(parts, DType::F64, &Device::Cpu)?.to_vec1::<f64>()?;
        let eps = [noise.normal(u.shape(), dtype, &device)?, noise.normal(u.shape(), dtype, &device)?];
        let all = Coordinates::new(&(0..width).collect::<Vec<_>>())?;
        let (mut xs, mut angles, mut samples) = (Vec::new(), Vec::new(), vec![Vec::new(); draws]);
        for (part, uniform) in uniforms.into_iter().enumerate() {
            let (from, to) = (part * rows / parts, (part + 1) * rows / parts);
            let cut = |t: &Tensor| t.narrow(0, from, to - from);
            let (t, noisier) = c.angles((part as f64 + uniform) / parts as f64);
            let a = noisier.cos() / t.cos();
            let variance = 1.0 - a * a;
            let x = ((cut(u)? * t.cos())? + (cut(&eps[0])? * t.sin())?)?;
            let noisier = ((&x * a)? + (cut(&eps[1])? * variance.sqrt())?)?;
            let context = batch.context.as_ref().map(&cut).transpose()?;
            let level = self.energy.at(t, context.as_ref())?;
            let bond = Goal::new(all.clone(), &(&noisier / a)?.flatten_from(1)?, a * a / (2.0 * variance))?;
            // The variance of `x` given `x'` is 1 / (1 + a^2 / s^2) = s^2 for a standard normal `x`.
            let sampler = Unadjusted(Langevin::calibrated(c.step_size * variance));
            for drawn in &mut samples {
                let energy = Sum::new().with(&level).with(&bond);
                drawn.push(sampler.run_from(&energy, &noisier, c.steps, &mut noise.split_off())?.0.x);
            }
            xs.push(x);
            angles.push(Tensor::full(t, (to - from, 1), &device)?.to_dtype(dtype)?);
        }
        let samples = samples.iter().map(|parts| Ok(Tensor::cat(parts, 0)?)).collect::<Result<_>>()?;
        Ok(Recovered { x: Tensor::cat(&xs, 0)?, angles: Tensor::cat(&angles, 0)?, samples })
    }
}

impl<N: Network> EnergyObjective<Leveled<N>> for Recovery<N> {
    fn into_learned(self: Box<Self>) -> Leveled<N> {
        self.into_energy()
    }
}

impl<N: Network> Objective for Recovery<N> {
    fn name(&self) -> &'static str {
        "recovery"
    }

    fn parameters(&self) -> &Parameters {
        self.energy.parameters()
    }

    fn prepare(&mut self) -> Result<()> {
        self.energy.network_mut().prepare()
    }

    /// The contrast of `E_t` weighted by `tan t`, which is that of the network's own part of it: so weighted, no
    /// level's gradient drowns the others' (the paper's code weighs its levels to the same end).
    fn loss(&mut self, batch: &Batch, noise: &mut Noise) -> Result<Loss> {
        let at = self.recover(batch, 1, noise)?;
        let context = self.energy.context(&at.angles, batch.context.as_ref())?;
        let energies = |x: &Tensor| self.energy.network().energy(x, Some(&context));
        let total = ((energies(&at.x)? - energies(&at.samples[0])?)?.mean_all()? * self.energy.gain())?;
        let figures = vec![("energy_gap", -mean(&total)?)];
        Ok(Loss { total, figures })
    }

    fn gradients(&mut self, batch: &Batch, noise: &mut Noise) -> Result<Option<Gradients>> {
        if !self.energy.network().learns(&batch.x) {
            return Ok(None);
        }
        let at = self.recover(batch, 1, noise)?;
        let context = twice(Some(&self.energy.context(&at.angles, batch.context.as_ref())?))?;
        let rows = at.x.dim(0)?;
        let one = (self.energy.gain() / rows as f64) as f32;
        let slopes: Vec<f32> = [one, -one].into_iter().flat_map(|s| std::iter::repeat_n(s, rows)).collect();
        let mut loss = 0.0;
        let x = Tensor::cat(&[&at.x, &at.samples[0]], 0)?;
        let all = self.energy.network().learn(&x, context.as_ref(), &mut |outputs| {
            loss = outputs.iter().zip(&slopes).map(|(g, s)| f64::from(g * s)).sum();
            Ok(slopes.clone())
        })?;
        Ok(Some(Gradients::of(loss, all, vec![("energy_gap", -loss)])))
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
        self.energy.network_mut().restore(&|name| Parameters::required(name, get(name)))
    }
}
