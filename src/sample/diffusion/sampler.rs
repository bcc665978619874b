//! The steps from noise to data.

use super::particles::{Particles, Weights};
use super::{Conditions, SamplerConfig, Stop};
use crate::energy::rows::row_sum;
use crate::error::{Error, Result};
use crate::noise::Noise;
use candle_core::{DType, Tensor};

/// A velocity field from data to noise, of arrays `(B, *S)`.
///
/// On the circle `x_t = cos(t) u + sin(t) eps` it is `E[cos(t) eps - sin(t) u | x_t = x]`, 0 everywhere for standard
/// normal data; the denoised estimate is `cos(t) x - sin(t) v`. A closure `(x, t) -> velocity` is one.
pub trait Denoiser {
    /// The velocity at `x`, `(B, *S)`, at the noise angle or place `at`, detached.
    ///
    /// # Errors
    /// The model's.
    fn velocity(&self, x: &Tensor, at: f64) -> Result<Tensor>;
}

impl<F: Fn(&Tensor, f64) -> Result<Tensor>> Denoiser for F {
    fn velocity(&self, x: &Tensor, at: f64) -> Result<Tensor> {
        self(x, at)
    }
}

/// Where a batch is on its way.
#[derive(Debug)]
pub struct Moment<'a> {
    /// Levels left behind.
    pub level: usize,
    /// The noise angle.
    pub at: f64,
    /// The arrays.
    pub x: &'a Tensor,
    /// What they would be without noise, conditions met.
    pub denoised: &'a Tensor,
}

/// A listener to a sampler; its error ends the run.
pub(super) type SamplerWatch<'a> = dyn FnMut(&Moment<'_>) -> Result<()> + 'a;

/// A way from noise to data.
pub struct Sampler<'a> {
    /// Where the velocity is taken, and the steps made there.
    stops: Vec<Stop>,
    /// Scale of the noise that is drawn anew; the start's is the caller's.
    temperature: f64,
    /// What samples have to be besides likely.
    conditions: Conditions<'a>,
    /// Samples that are drawn together; none where each is on its own.
    particles: Option<Particles>,
}

impl<'a> Sampler<'a> {
    /// As the settings say, without conditions.
    ///
    /// # Errors
    /// As [`SamplerConfig::check`].
    pub fn new(config: &SamplerConfig) -> Result<Self> {
        config.check()?;
        Ok(Self::over(config.stops(), config.temperature))
    }

    /// The same under conditions.
    pub fn given(self, conditions: Conditions<'a>) -> Self {
        Self { conditions, ..self }
    }

    /// The same with samples drawn together; none where each is on its own.
    pub fn with_particles(self, particles: Option<Particles>) -> Self {
        Self { particles, ..self }
    }

    /// By given stops.
    pub(crate) fn over(stops: Vec<Stop>, temperature: f64) -> Self {
        Self { stops, temperature, conditions: Conditions::default(), particles: None }
    }

    /// Samples `(B, *S)` from `start` `(B, *S)`: noise at the first stop's level.
    ///
    /// # Errors
    /// The model's; [`Error::Config`] or [`Error::Shape`] for conditions that are none.
    pub fn run(&self, model: &dyn Denoiser, start: Tensor, noise: &mut Noise) -> Result<Tensor> {
        self.run_watched(model, start, noise, None)
    }

    /// As [`Sampler::run`], telling `watch` of every level.
    ///
    /// # Errors
    /// As [`Sampler::run`]; the listener's.
    pub fn run_watched(
        &self,
        model: &dyn Denoiser,
        start: Tensor,
        noise: &mut Noise,
        mut watch: Option<&mut SamplerWatch<'_>>,
    ) -> Result<Tensor> {
        let batch = start.dims().first().copied().unwrap_or(0).max(1);
        self.conditions.check(start.elem_count() / batch)?;
        let mut weights = self.weights(batch)?;
        // Of the stop before: its velocity and, among particles, the cost of the conditions there.
        let (mut x, mut before) = (start, None);
        let mut cost: Option<Tensor> = None;
        let mut level = 0;
        for (i, stop) in self.stops.iter().enumerate() {
            if let Some(replaced) = &self.conditions.replaced {
                x = replaced.put(&x, [stop.at.cos(), stop.at.sin()], noise)?;
            }
            let mut at = self.look(model, &x, stop)?;
            if let Some(weights) = &mut weights {
                let here = self.conditions.cost(&at.estimate, &at.moved, stop)?;
                let gain = match &cost {
                    Some(cost) => (cost - &here)?,
                    None => here.neg()?,
                };
                // A corrector step leaves the twisted model as it is, and with it the weights.
                if i == 0 || !self.stops[i - 1].corrector {
                    weights.add(&gain)?;
                }
                cost = Some(here);
                if let Some(rows) = weights.resample(false, noise)? {
                    let pick = |t: &Tensor| -> Result<Tensor> { Ok(t.index_select(&rows.to_device(t.device())?, 0)?) };
                    x = pick(&x)?;
                    at = Look { velocity: pick(&at.velocity)?, estimate: pick(&at.estimate)?, moved: pick(&at.moved)? };
                    cost = cost.as_ref().map(pick).transpose()?;
                }
            }
            if let (Some(watch), false) = (&mut watch, stop.corrector) {
                watch(&Moment { level, at: stop.at, x: &x, denoised: &at.moved })?;
            }
            level += usize::from(!stop.corrector);
            let last = i + 1 == self.stops.len();
            let mut to = ((&x * stop.keep)? - (&at.velocity * stop.pull)?)?;
            if let Some(before) = before.as_ref().filter(|_| stop.push != 0.0) {
                to = (to + (before * stop.push)?)?;
            }
            if stop.fresh > 0.0 {
                let fresh = stop.fresh * self.temperature;
                let drawn = (noise.normal(x.shape(), x.dtype(), x.device())? * fresh)?;
                if let (Some(weights), false) = (&mut weights, stop.corrector) {
                    weights.add(&at.kernel_ratio(&drawn, stop, fresh)?)?;
                }
                to = (to + drawn)?;
            }
            x = if last && self.conditions.move_estimates() { at.moved } else { to.detach() };
            before = Some(at.velocity);
        }
        if let Some(rows) = weights.map(|mut w| w.resample(true, noise)).transpose()?.flatten() {
            x = x.index_select(&rows.to_device(x.device())?, 0)?;
        }
        Ok(x)
    }

    /// Velocity and denoised estimates at a stop.
    fn look(&self, model: &dyn Denoiser, x: &Tensor, stop: &Stop) -> Result<Look> {
        let velocity = model.velocity(x, stop.at)?.detach();
        let estimate = ((x * stop.scale)? - (&velocity * stop.slope)?)?;
        if !self.conditions.move_estimates() {
            return Ok(Look { velocity, moved: estimate.clone(), estimate });
        }
        let moved = self.conditions.moved(&estimate, stop)?.detach();
        let velocity = (velocity - ((&moved - &estimate)? / stop.slope)?)?;
        Ok(Look { velocity, estimate, moved })
    }

    fn weights(&self, batch: usize) -> Result<Option<Weights>> {
        let Some(particles) = self.particles else { return Ok(None) };
        let between = &self.stops[..self.stops.len().saturating_sub(1)];
        if self.temperature <= 0.0 || between.iter().any(|stop| stop.fresh <= 0.0) {
            return Err(Error::config("sampler.eta", 0, "above 0: particles need noise at every step"));
        }
        Ok(Some(Weights::new(particles, batch)?))
    }
}

/// What a stop sees.
struct Look {
    /// With the conditions' part.
    velocity: Tensor,
    /// Denoised, without conditions and with.
    estimate: Tensor,
    moved: Tensor,
}

impl Look {
    /// Logarithm of the model's step density over that of the step with conditions, `(B,)`, at the step that `drawn`
    /// noise of standard deviation `fresh` led to.
    fn kernel_ratio(&self, drawn: &Tensor, stop: &Stop, fresh: f64) -> Result<Tensor> {
        let apart = ((&self.moved - &self.estimate)? * (stop.pull / stop.slope))?;
        let product = row_sum(&(drawn * &apart)?)?.to_dtype(DType::F64)?;
        let square = row_sum(&apart.sqr()?)?.to_dtype(DType::F64)?;
        Ok(((product + (square * 0.5)?)? * (-1.0 / (fresh * fresh)))?)
    }
}
