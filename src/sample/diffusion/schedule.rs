//! Where a sampler stops on its way down the noise levels, and what it does there.

use crate::error::{Error, Result};
use crate::settings::Auto;
use serde::{Deserialize, Serialize};
use std::f64::consts::FRAC_PI_2;

/// Noise angle at which samplers start unless told otherwise: nearly all noise.
pub(crate) const START: f64 = 1.54;
/// Noise angle at which samplers end unless told otherwise: nearly no noise.
pub(crate) const END: f64 = 0.02;

/// How a sampler goes from noise to data, along `x_t = cos(t) u + sin(t) eps`.
///
/// The model is evaluated at `levels` noise angles from `start` down to `end`. The last evaluation gives the sample:
/// the mean of the data that `x` may have come from.
///
/// ```
/// use ebmotion::sample::diffusion::SamplerConfig;
///
/// let config = SamplerConfig { levels: 3, end: 0.1.into(), spacing: 1.0, ..SamplerConfig::default() };
/// assert!(config.check().is_ok());
/// assert!(SamplerConfig { levels: 0, ..config }.check().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SamplerConfig {
    /// Noise levels, at least 1: evaluations of the model, those of corrector steps aside. Of an energy without noise
    /// levels: Langevin steps.
    pub levels: usize,
    /// Noise angle of the first level, above `end` and below pi / 2, where all is noise.
    pub start: f64,
    /// Noise angle of the last level, above 0. The higher it is, the narrower the samples are about each mode. Left to
    /// the program: for forecasts by the length of a chunk ([`crate::forecast::RunConfig::for_data`]), else 0.02.
    pub end: Auto<f64>,
    /// Exponent by which angles are spaced, above 0. 1 spaces them evenly; less puts more of them where there is much
    /// noise.
    pub spacing: f64,
    /// How a step is made.
    pub solver: Solver,
    /// Noise that is drawn anew at each step.
    pub eta: Eta,
    /// Langevin steps at a level before the sampler leaves it.
    pub corrector_steps: usize,
    /// Their size in units of the level's noise variance, in `(0, 1]`.
    pub corrector_size: f64,
    /// How strongly the model is followed against a standard normal, above 0. 1 follows it as it was learned. Left to
    /// the program: for forecasts by the length of a chunk, else 1.
    pub guidance: Auto<f64>,
    /// Scale of all noise, 0 or more, for forecasts above 0. 1 draws from the model, more widens the samples.
    pub temperature: f64,
}

/// How a sampler steps from one noise level to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Solver {
    /// A turn on the circle of noise and denoised estimate, order 1: Song et al. 2021, "Denoising diffusion implicit
    /// models", eq. 12. Exact where the data are one point.
    Ddim,
    /// A straight step in the angle with the velocity of the stop before, order 2 (Adams-Bashforth): the idea of Liu et
    /// al. 2022, "Pseudo numerical methods for diffusion models on manifolds", section 3. Exact where the data are
    /// standard normal.
    Multistep,
}

/// How much noise is drawn anew at a step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Eta {
    /// Share of the standard deviation that the path's posterior has, in `[0, 1]`: 0 follows the probability flow, 1
    /// samples ancestrally (Song et al. 2021, eq. 16).
    OfPosterior(f64),
    /// The same share of the noise at every level.
    OfNoise {
        /// Share of the noise's variance, in `[0, 1]`.
        noise_share: f64,
    },
}

impl Eta {
    /// Nothing is drawn anew.
    pub const NONE: Eta = Eta::OfPosterior(0.0);

    /// Standard deviation of the new noise in a step from angle `t` to `next`.
    fn fresh(self, t: f64, next: f64) -> f64 {
        match self {
            Eta::OfPosterior(share) => share * posterior_std(t, next),
            Eta::OfNoise { noise_share } => noise_share.sqrt() * next.sin(),
        }
    }

    fn share(self) -> f64 {
        match self {
            Eta::OfPosterior(share) => share,
            Eta::OfNoise { noise_share } => noise_share,
        }
    }
}

impl Default for SamplerConfig {
    /// Few evaluations: for models in whitened coordinates.
    fn default() -> Self {
        Self {
            levels: 5,
            start: START,
            end: Auto::Auto,
            spacing: 0.7,
            solver: Solver::Multistep,
            eta: Eta::NONE,
            corrector_steps: 0,
            corrector_size: 0.1,
            guidance: Auto::Auto,
            temperature: 1.0,
        }
    }
}

impl SamplerConfig {
    /// Checks ranges.
    ///
    /// # Errors
    /// [`Error::Config`] naming the setting, as `sampler.NAME`.
    pub fn check(&self) -> Result<()> {
        let wrong =
            |key: &str, found: f64, expected: &str| Err(Error::config(format!("sampler.{key}"), found, expected));
        if self.levels == 0 {
            return Err(Error::config("sampler.levels", 0, "at least 1"));
        }
        let end = self.end();
        if !(end > 0.0 && end < FRAC_PI_2) {
            return wrong("end", end, "an angle above 0 and below pi / 2");
        }
        if !(self.start > end && self.start < FRAC_PI_2) {
            let expected = format!("an angle above the end, {end}, and below pi / 2");
            return Err(Error::config("sampler.start", self.start, expected));
        }
        for (key, value) in [("spacing", self.spacing), ("guidance", self.guidance())] {
            if !(value > 0.0 && value.is_finite()) {
                return wrong(key, value, "a positive number");
            }
        }
        if !(self.temperature >= 0.0 && self.temperature.is_finite()) {
            return wrong("temperature", self.temperature, "0 or a positive number");
        }
        if !(0.0..=1.0).contains(&self.eta.share()) {
            return wrong("eta", self.eta.share(), "0 to 1");
        }
        if !(self.corrector_size > 0.0 && self.corrector_size <= 1.0) {
            return wrong("corrector_size", self.corrector_size, "above 0, at most 1");
        }
        Ok(())
    }

    /// As [`SamplerConfig::check`], for forecasts, whose samples must differ: the temperature is above 0.
    pub(crate) fn check_random(&self) -> Result<()> {
        self.check()?;
        match self.temperature > 0.0 {
            true => Ok(()),
            false => Err(Error::config("sampler.temperature", self.temperature, "a positive number")),
        }
    }

    /// The noise angle of the last level.
    pub fn end(&self) -> f64 {
        self.end.or(END)
    }

    /// How strongly the model is followed.
    pub fn guidance(&self) -> f64 {
        self.guidance.or(1.0)
    }

    /// The stops from `start` on.
    pub(crate) fn stops(&self) -> Vec<Stop> {
        let (start, end, last) = (self.start, self.end(), self.levels.max(1) - 1);
        let left = |i: usize| 1.0 - i as f64 / last.max(1) as f64;
        let angles: Vec<f64> = (0..=last).map(|i| end + (start - end) * left(i).powf(self.spacing)).collect();
        match self.solver {
            Solver::Multistep => self.multistep(&angles),
            Solver::Ddim => self.ddim(&angles),
        }
    }

    /// With new noise a step goes further down than the next level, and the noise leads back up to it.
    ///
    /// Corrector steps stand between the first and the last level. At the first nearly all is noise, which they would
    /// only draw anew; at the last they would leave noise in the sample.
    fn multistep(&self, angles: &[f64]) -> Vec<Stop> {
        let mut stops = Vec::new();
        let mut interrupted = false;
        for (i, pair) in angles.windows(2).enumerate() {
            let (t, next) = (pair[0], pair[1]);
            if i > 0 {
                let correctors = (0..self.corrector_steps).map(|_| Stop::corrector(t, self.corrector_size));
                stops.extend(correctors);
                interrupted |= self.corrector_steps > 0;
            }
            let fresh = self.eta.fresh(t, next);
            let (keep, down) = match fresh > 0.0 {
                true => {
                    let keep = (1.0 - fresh * fresh).max(0.0).sqrt();
                    (keep, t - (next.cos() / keep).min(1.0).acos())
                }
                false => (1.0, t - next),
            };
            let push = extrapolation(down, (i > 0 && !interrupted).then(|| angles[i - 1] - t));
            stops.push(Stop { keep, pull: keep * (down + push), push: keep * push, fresh, ..Stop::angle(t) });
            interrupted = fresh > 0.0;
        }
        for stop in &mut stops {
            stop.guide(self.guidance());
        }
        let end = angles[angles.len() - 1];
        stops.push(Stop { keep: end.cos(), pull: end.sin(), ..Stop::angle(end) });
        stops
    }

    /// Each step puts the denoised estimate and the noise together anew, in the next level's shares. Corrector steps
    /// stand at every level.
    fn ddim(&self, angles: &[f64]) -> Vec<Stop> {
        let mut stops = Vec::new();
        for (i, t) in angles.iter().enumerate() {
            stops.extend((0..self.corrector_steps).map(|_| Stop::corrector(*t, self.corrector_size)));
            let (sin, cos) = t.sin_cos();
            stops.push(match angles.get(i + 1) {
                None => Stop { keep: cos, pull: sin, ..Stop::angle(*t) },
                Some(next) => {
                    let fresh = self.eta.fresh(*t, *next);
                    let kept = (next.sin().powi(2) - fresh * fresh).max(0.0).sqrt();
                    let (keep, pull) = (next.cos() * cos + kept * sin, next.cos() * sin - kept * cos);
                    Stop { keep, pull, fresh, ..Stop::angle(*t) }
                }
            });
        }
        for stop in &mut stops {
            stop.guide(self.guidance());
        }
        stops
    }
}

/// A stop of a sampler: where the velocity `v` is taken, and the factors of
/// `x <- keep x - pull v + push v_before + fresh n`, `n` standard normal.
///
/// The denoised estimate there is `scale x - slope v`. All factors of velocities hold the guidance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Stop {
    /// Noise angle, or place on a straight path.
    pub at: f64,
    /// Multiplies the array.
    pub keep: f64,
    /// Multiplies the velocity taken here.
    pub pull: f64,
    /// Multiplies the velocity of the stop before.
    pub push: f64,
    /// Standard deviation of the noise that is drawn anew.
    pub fresh: f64,
    /// Multiplies the array in the denoised estimate.
    pub scale: f64,
    /// Multiplies the velocity in the denoised estimate.
    pub slope: f64,
    /// Variance of the data about the denoised estimate, were they standard normal.
    pub variance: f64,
    /// A Langevin step that stays at its level.
    pub corrector: bool,
}

impl Stop {
    /// A stop at a noise angle that does not move yet.
    fn angle(t: f64) -> Self {
        let (sin, cos) = t.sin_cos();
        let (scale, slope, variance) = (cos, sin, sin * sin);
        Self { at: t, keep: 1.0, pull: 0.0, push: 0.0, fresh: 0.0, scale, slope, variance, corrector: false }
    }

    /// A Langevin step in the energy whose gradient at angle `t` is `x + cot(t) v` (Song et al. 2021, "Score-based
    /// generative modeling through stochastic differential equations", algorithm 3).
    fn corrector(t: f64, size: f64) -> Self {
        let size = size * t.sin().powi(2);
        let (keep, pull, fresh) = (1.0 - size, size / t.tan(), (2.0 * size).sqrt());
        Self { keep, pull, fresh, corrector: true, ..Self::angle(t) }
    }

    /// Takes the velocity `guidance` times: guidance (Ho & Salimans 2022, "Classifier-free diffusion guidance", eq. 6)
    /// away from the standard normal, whose velocity on the circle is 0.
    fn guide(&mut self, guidance: f64) {
        self.pull *= guidance;
        self.push *= guidance;
        self.slope *= guidance;
    }
}

/// Stops on a straight path `x = s eps + (1 - s) u` at each of `places` (falling shares of noise), with steps of order
/// 2. The last one takes away the noise left. The velocity is that away from the data, `eps - u`.
pub(crate) fn straight(places: &[f64]) -> Vec<Stop> {
    let step = |i: usize| places[i] - places[i + 1];
    let stop = |i: usize, keep: f64, pull: f64, push: f64| {
        let s = places[i];
        let variance = s * s / (s * s + (1.0 - s) * (1.0 - s));
        Stop { at: s, keep, pull, push, fresh: 0.0, scale: 1.0, slope: s, variance, corrector: false }
    };
    let last = places.len() - 1;
    let mut stops: Vec<Stop> = (0..last)
        .map(|i| {
            let push = extrapolation(step(i), i.checked_sub(1).map(step));
            stop(i, 1.0, step(i) + push, push)
        })
        .collect();
    stops.push(stop(last, 1.0, places[last], 0.0));
    stops
}

/// Share of the velocity before in a step of length `way`, where that velocity was taken `before` earlier; without one
/// the step is Euler's.
fn extrapolation(way: f64, before: Option<f64>) -> f64 {
    before.map_or(0.0, |before| way * way / (2.0 * before))
}

/// Standard deviation of the path at angle `s` given the data and the path at the noisier angle `t` (Ho et al. 2020,
/// eq. 7).
fn posterior_std(t: f64, s: f64) -> f64 {
    let kept = (t.cos() / s.cos()).powi(2);
    ((s.sin() / t.sin()).powi(2) * (1.0 - kept)).max(0.0).sqrt()
}
