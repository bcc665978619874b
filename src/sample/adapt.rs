//! Warm-up: finds the step size and the coordinates in which a Metropolis transition works well.

use super::chain::plain;
use super::hmc::Leapfrog;
use super::langevin::Langevin;
use super::{ChainState, Metropolis, Proposal, StepInfo, Transition};
use crate::energy::Energy;
use crate::energy::affine::{Affine, AffineMap, MapShape};
use crate::energy::rows::rows;
use crate::error::{Error, Result};
use crate::noise::Noise;
use candle_core::Tensor;

/// A proposal with one size that trades boldness against acceptance.
pub trait Tunable: Proposal + Clone {
    /// Mean acceptance probability at which it is most efficient.
    const TARGET: f64;

    /// The size, positive.
    fn step_size(&self) -> f64;

    /// The same proposal with another size.
    fn with_step_size(&self, size: f64) -> Self;

    /// True when its settings would mean something else in other coordinates, so that none may be chosen for it.
    fn tied_to_coordinates(&self) -> bool {
        false
    }
}

impl Tunable for Langevin {
    /// Roberts and Rosenthal, J. R. Stat. Soc. B 60, 1998.
    const TARGET: f64 = 0.574;

    /// The noise; the step follows as half its square.
    fn step_size(&self) -> f64 {
        self.noise
    }

    fn with_step_size(&self, size: f64) -> Self {
        Self { step: size * size / 2.0, noise: size, ..*self }
    }

    fn tied_to_coordinates(&self) -> bool {
        self.bounds.is_some()
    }
}

impl Tunable for Leapfrog {
    /// Hoffman and Gelman 2014, section 4.2, find 0.6 to 0.8 best; the higher costs least where curvature varies.
    const TARGET: f64 = 0.8;

    fn step_size(&self) -> f64 {
        self.step
    }

    fn with_step_size(&self, size: f64) -> Self {
        Self { step: size, ..*self }
    }
}

/// Dual averaging of a step size (Hoffman and Gelman, "The No-U-Turn sampler", JMLR 15, 2014, section 3.2 and
/// Algorithm 5, with its constants).
#[derive(Debug, Clone, Copy)]
pub(crate) struct DualAveraging {
    target: f64,
    shrink_to: f64,
    count: f64,
    mean_error: f64,
    log_step: f64,
    mean_log_step: f64,
}

impl DualAveraging {
    /// Starts at step size `initial` and aims at mean acceptance `target`.
    pub fn new(initial: f64, target: f64) -> Self {
        let log_step = initial.ln();
        let shrink_to = (10.0 * initial).ln();
        Self { target, shrink_to, count: 0.0, mean_error: 0.0, log_step, mean_log_step: 0.0 }
    }

    /// Learns from the mean acceptance probability of one step of all chains.
    pub fn update(&mut self, acceptance: f64) {
        const GAMMA: f64 = 0.05;
        const T0: f64 = 10.0;
        const KAPPA: f64 = 0.75;
        self.count += 1.0;
        let weight = 1.0 / (self.count + T0);
        self.mean_error += weight * (self.target - acceptance - self.mean_error);
        self.log_step = self.shrink_to - self.count.sqrt() / GAMMA * self.mean_error;
        let weight = self.count.powf(-KAPPA);
        self.mean_log_step += weight * (self.log_step - self.mean_log_step);
    }

    /// The size to try next.
    pub fn step_size(&self) -> f64 {
        self.log_step.exp()
    }

    /// The size to keep: the weighted mean of those tried; the initial one before the first update.
    pub fn mean_step_size(&self) -> f64 {
        if self.count > 0.0 { self.mean_log_step.exp() } else { self.log_step.exp() }
    }
}

/// How to warm up.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use ebmotion::energy::{affine::MapShape, analytic::Diagonal};
/// use ebmotion::noise::Noise;
/// use ebmotion::sample::{Metropolis, Transition, adapt::Warmup, hmc::Leapfrog};
///
/// // Scales a hundredfold apart, and a step that suits neither.
/// let energy = Diagonal::new(&[0.0, 0.0], &[10.0, 0.1])?;
/// let start = Tensor::zeros((50, 2), DType::F64, &Device::Cpu)?;
/// let hmc = Metropolis(Leapfrog { step: 1.0, leapfrogs: 5, jitter: 0.1 });
/// let warmup = Warmup { steps: 200, target: None, map: Some(MapShape::Diagonal) };
/// let (energy, transition, state) = warmup.run(&energy, &hmc, &start, &mut Noise::new(1))?;
/// let (_, info) = transition.run_summed(&energy, &state, 20, &mut Noise::new(2))?;
/// assert!(info.acceptance.is_some_and(|share| share > 0.6));
/// # Ok::<(), ebmotion::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Warmup {
    /// Steps in all.
    pub steps: usize,
    /// Mean acceptance to aim at; `None` for the proposal's own [`Tunable::TARGET`].
    pub target: Option<f64>,
    /// Coordinates to look for; `None` keeps those of the energy.
    pub map: Option<MapShape>,
}

impl Warmup {
    /// Moves chains from `x`, `(B, *S)`, while it tunes `transition`.
    ///
    /// All chains share a step size, and the means over them drive it. With [`Warmup::map`], windows of doubling length
    /// each fit new coordinates to the draws of all chains, as in the Stan Reference Manual's warm-up: the first 15 %
    /// of the steps only find the mass of the density, the last 20 % only tune the step size.
    ///
    /// What comes back is warm: the energy in the coordinates found, the transition with the step size found, and the
    /// chains, in those coordinates. `energy.map().to_x(&state.x)` is their places in the coordinates of before.
    ///
    /// # Errors
    /// [`Error::Config`] when there are fewer than 20 steps, the target is not between 0 and 1, or the proposal's
    /// settings only make sense in the energy's own coordinates; [`Error::NonFinite`] when the energy at `x` is;
    /// [`Error::Data`] when no step size is ever accepted.
    pub fn run<'e, P: Tunable>(
        &self,
        energy: &'e dyn Energy,
        transition: &Metropolis<P>,
        x: &Tensor,
        noise: &mut Noise,
    ) -> Result<(Affine<&'e dyn Energy>, Metropolis<P>, ChainState)> {
        let target = self.target.unwrap_or(P::TARGET);
        if self.steps < 20 {
            return Err(Error::config("warmup.steps", self.steps, "20 or more"));
        }
        if !(target > 0.0 && target < 1.0) {
            return Err(Error::config("warmup.target", target, "a number between 0 and 1"));
        }
        if self.map.is_some() && transition.0.tied_to_coordinates() {
            return Err(Error::config("warmup.map", "other coordinates for a proposal with bounds", "none"));
        }
        let features = rows(x)?.dims()[1];
        let mut energy = Affine::new(energy, AffineMap::diagonal(&vec![0.0; features], &vec![1.0; features])?);
        let mut state = ChainState::start(&energy, x)?;
        let mut size = reasonable_step_size(&transition.0, &energy, &state, noise)?;
        let mut averaging = DualAveraging::new(size, target);
        let windows = Windows::new(self.steps);
        let mut draws = Vec::new();
        for done in 1..=self.steps {
            let moved = Metropolis(transition.0.with_step_size(averaging.step_size())).step(&energy, &state, noise)?;
            averaging.update(acceptance(&moved.1)?);
            state = moved.0;
            let Some(shape) = self.map else { continue };
            if windows.collects(done) {
                draws.extend(plain(&energy.map().to_x(&state.x)?.flatten_all()?)?);
            }
            if windows.ends(done) {
                let map = AffineMap::fit(&draws, features, shape)?;
                draws.clear();
                let z = map.to_z(&energy.map().to_x(&state.x)?)?;
                energy = energy.with_map(map);
                state = ChainState::start(&energy, &z)?;
                size = reasonable_step_size(&transition.0.with_step_size(1.0), &energy, &state, noise)?;
                averaging = DualAveraging::new(size, target);
            }
        }
        let transition = Metropolis(transition.0.with_step_size(averaging.mean_step_size()));
        Ok((energy, transition, state))
    }
}

/// Which steps of a warm-up serve to fit coordinates.
#[derive(Debug)]
struct Windows {
    from: usize,
    ends: Vec<usize>,
}

impl Windows {
    fn new(steps: usize) -> Self {
        let (from, to) = (steps * 15 / 100, steps - steps / 5);
        let mut ends = Vec::new();
        let mut length = 25.min(to - from);
        let mut end = from + length;
        // A window that the next, twice as long, would not fit behind takes all that is left.
        while end + 2 * length <= to {
            ends.push(end);
            length *= 2;
            end += length;
        }
        ends.push(to);
        Self { from, ends }
    }

    fn collects(&self, done: usize) -> bool {
        done > self.from && self.ends.last().is_some_and(|end| done <= *end)
    }

    fn ends(&self, done: usize) -> bool {
        self.ends.contains(&done)
    }
}

/// Doubles or halves the size until one step's mean acceptance crosses a half (Hoffman and Gelman 2014, Algorithm 4).
fn reasonable_step_size<P: Tunable>(
    proposal: &P,
    energy: &dyn Energy,
    state: &ChainState,
    noise: &mut Noise,
) -> Result<f64> {
    // A factor of 2^60 to either side is beyond any scale that f64 samples well.
    const TRIES: usize = 60;
    let mut size = proposal.step_size();
    let mut trial = |size: f64| {
        let (_, info) = Metropolis(proposal.with_step_size(size)).step(energy, state, noise)?;
        acceptance(&info)
    };
    let bold = trial(size)? > 0.5;
    for _ in 0..TRIES {
        size = if bold { size * 2.0 } else { size / 2.0 };
        if (trial(size)? > 0.5) != bold {
            return Ok(size);
        }
    }
    if bold {
        return Ok(size); // flat: every size is accepted
    }
    Err(Error::data("the warm-up's step size", format!("rejections down to {size:e}"), "an energy smooth at its start"))
}

fn acceptance(info: &StepInfo) -> Result<f64> {
    Ok(info.mean_acceptance()?.unwrap_or(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A response curve whose answer is known: acceptance exp(-size) is 0.8 at size -ln 0.8.
    #[test]
    fn dual_averaging_finds_the_size_of_a_known_response() {
        for initial in [1e-3, 0.1, 10.0] {
            let mut averaging = DualAveraging::new(initial, 0.8);
            for _ in 0..1000 {
                averaging.update((-averaging.step_size()).exp());
            }
            let error = averaging.mean_step_size() / -(0.8f64.ln()) - 1.0;
            assert!(error.abs() < 0.05, "from {initial}: {error}");
        }
    }

    #[test]
    fn windows_double_and_cover_the_middle() {
        let windows = Windows::new(1000);
        assert_eq!((windows.from, windows.ends.as_slice()), (150, &[175, 225, 325, 800][..]));
        assert!(!windows.collects(150) && windows.collects(151) && windows.collects(800) && !windows.collects(801));
        for steps in 20..400 {
            let windows = Windows::new(steps);
            assert_eq!(windows.ends.last(), Some(&(steps - steps / 5)));
            assert!(windows.from < windows.ends[0] && windows.ends.is_sorted());
        }
    }
}
