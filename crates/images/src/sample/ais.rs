//! The normalising constant of an energy, between a lower and an upper bound: annealed importance sampling (Neal,
//! "Annealed importance sampling", Statistics and Computing 11, 2001) and the same run backwards from exact draws
//! (Burda, Grosse & Salakhutdinov, "Accurate and conservative estimates of MRF log-likelihood using reverse annealing",
//! AISTATS 2015; Grosse et al., "Sandwiching the marginal likelihood with bidirectional Monte Carlo", arXiv
//! 1511.02543).
//!
//! With `Z = integral exp(-E)`, a chain walks from a base density, whose `Z` is known and which can be drawn from, to
//! the target along `E_b = (1 - b) E_base + b E_target`, and its weight's mean is `Z_target / Z_base` whatever the
//! number of temperatures. Its logarithm is on average too small (Jensen); backwards, from draws of the target, too
//! large.

use candle_core::{DType, Tensor};
use ebmotion::energy::Energy;
use ebmotion::energy::compose::{Scaled, Sum};
use ebmotion::noise::Noise;
use ebmotion::sample::{ChainState, Transition};
use ebmotion::{Error, Result};

/// Annealing between two energies.
///
/// ```
/// use candle_core::{DType, Device};
/// use ebmotion::energy::{analytic::Diagonal, compose::Scaled};
/// use ebmotion::noise::Noise;
/// use ebmotion::sample::{Metropolis, hmc::Leapfrog};
/// use ebmotion_images::sample::Ais;
///
/// // exp(-4 E) of a standard normal: its integral is known, (2 pi)^-2 * sqrt(2 pi / 4).
/// let base = Diagonal::isotropic(1, 0.0, 1.0)?;
/// let target = Scaled { energy: Diagonal::isotropic(1, 0.0, 1.0)?, factor: 4.0 };
/// let hmc = Metropolis(Leapfrog { step: 0.3, leapfrogs: 3, jitter: 0.1 });
/// let start = Noise::new(1).normal((200, 1), DType::F64, &Device::Cpu)?;
/// let ais = Ais { transition: hmc, steps: 1, temperatures: 50 };
/// let found = ais.forward(&base, &target, &start, &Noise::new(2))?;
/// let tau = std::f64::consts::TAU;
/// assert!((found.estimate - (tau.powi(-2) * (tau / 4.0).sqrt()).ln()).abs() < 0.1);
/// # Ok::<(), ebmotion::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Ais<T> {
    /// Leaves each tempered density as it is: `Metropolis` over [`Leapfrog`](ebmotion::sample::hmc::Leapfrog),
    /// [`Langevin`](ebmotion::sample::langevin::Langevin) and so on. A transition without an accept rule has no such
    /// density, and the bounds no longer hold.
    pub transition: T,
    /// Steps of the transition at each temperature. At least 1.
    pub steps: usize,
    /// Temperatures after the first. At least 1; the gap between the bounds falls about as its inverse.
    pub temperatures: usize,
}

/// How steep the temperatures' sigmoid is: `b` moves slowly near both ends, where the density changes most.
const STEEPNESS: f64 = 4.0;

/// An estimate of `ln (Z_target / Z_base)`.
#[derive(Debug, Clone, PartialEq)]
pub struct LogRatio {
    /// The estimate, nats: of a forward run too small on average, of a backward one too large.
    pub estimate: f64,
    /// Its standard error by the spread of the chains' weights (delta method); says nothing of regions that no chain
    /// found.
    pub std_error: f64,
    /// Mean of the chains' own logarithms, the looser bound on the same side, and without the estimate's dependence on
    /// the number of chains.
    pub mean: f64,
    /// Effective number of chains, `(sum w)^2 / sum w^2`, 1 to their number.
    pub effective: f64,
    /// Each chain's own, `(B,)`.
    pub chains: Vec<f64>,
    /// Mean probability of acceptance over all steps; `None` for a transition without an accept rule.
    pub acceptance: Option<f64>,
}

/// A sequence of energies from a base, whose constant is known, to a target, and how chains move in each.
pub trait AnnealingPath {
    /// Stages after the base; at least 1. The last is the target.
    fn stages(&self) -> usize;

    /// The energy of stage `k` of `0..=stages`.
    ///
    /// # Errors
    /// When it cannot be made.
    fn energy(&self, k: usize) -> Result<Box<dyn Energy + '_>>;

    /// Moves chains in the energy of stage `k` of `1..stages`. The move is reversible, leaves the stage's density as it
    /// is, and does not depend on these chains. Also gives the mean probability of acceptance, where there is an accept
    /// rule.
    ///
    /// # Errors
    /// What energies and transitions return.
    fn walk(
        &self,
        k: usize,
        energy: &dyn Energy,
        from: &ChainState,
        noise: &mut Noise,
    ) -> Result<(ChainState, Option<f64>)>;
}

/// A listener to a run along a path: stages done, where the chains are.
pub type AnnealingWatch<'a> = dyn FnMut(usize, &ChainState) -> Result<()> + 'a;

/// Chains on their way along a path: all that the rest of the way depends on.
#[derive(Debug, Clone)]
pub struct Annealing {
    /// From the target back to the base.
    pub back: bool,
    /// Stages done.
    pub done: usize,
    /// Where the chains are, `(B, *S)`.
    pub x: Tensor,
    /// Their energies there at the stage to which they have come, `(B,)`.
    pub energies: Vec<f64>,
    /// Logarithms of their weights so far, `(B,)`.
    pub logs: Vec<f64>,
    /// Mean probability of acceptance, the stages to come counted as 0; `None` before the first, or without an accept
    /// rule.
    pub acceptance: Option<f64>,
}

impl Annealing {
    /// Chains that start at exact draws `start` `(B, *S)` of the base, for a lower bound on `ln (Z_target / Z_base)`.
    ///
    /// # Errors
    /// [`Error::NonFinite`] when an energy there is not finite; what the path returns.
    pub fn forward(path: &dyn AnnealingPath, start: &Tensor) -> Result<Self> {
        Self::start(path, false, start)
    }

    /// Chains that start at exact draws `start` `(B, *S)` of the target, for an upper bound; see [`Ais::backward`].
    ///
    /// # Errors
    /// As [`Annealing::forward`].
    pub fn backward(path: &dyn AnnealingPath, start: &Tensor) -> Result<Self> {
        Self::start(path, true, start)
    }

    fn start(path: &dyn AnnealingPath, back: bool, start: &Tensor) -> Result<Self> {
        let first = if back { path.stages() } else { 0 };
        let ChainState { x, at } = ChainState::start(&path.energy(first)?, start)?;
        let energies = plain(&at.energy)?;
        Ok(Self { back, done: 0, logs: vec![0.0; energies.len()], x, energies, acceptance: None })
    }

    /// Walks on until `until` stages are done, or all. A walk in parts ends in the same bits as one in a piece.
    ///
    /// # Errors
    /// [`Error::NonFinite`] when an energy at a chain's place is not finite, with the stages done as its step; what the
    /// path and `watch` return.
    pub fn walk(
        &mut self,
        path: &dyn AnnealingPath,
        until: usize,
        noise: &Noise,
        watch: &mut AnnealingWatch<'_>,
    ) -> Result<()> {
        let last = path.stages();
        for j in self.done + 1..=until.min(last) {
            let stage = if self.back { last - j } else { j };
            let energy = path.energy(stage)?;
            let mut state = ChainState::at(&energy, &self.x)?;
            for (log, (a, b)) in self.logs.iter_mut().zip(self.energies.iter().zip(plain(&state.at.energy)?)) {
                *log += a - b;
                if !log.is_finite() {
                    let what = "a chain's weight in annealed importance sampling".into();
                    return Err(Error::NonFinite { what, value: *log, step: j as u64 });
                }
            }
            // At the last stage the weight is complete; a move there would change nothing.
            if j < last {
                let (end, accepted) = path.walk(stage, &energy, &state, &mut noise.fork(j as u64))?;
                if let Some(accepted) = accepted {
                    *self.acceptance.get_or_insert(0.0) += accepted / (last - 1) as f64;
                }
                state = end;
            }
            watch(j, &state)?;
            (self.done, self.energies, self.x) = (j, plain(&state.at.energy)?, state.x);
        }
        Ok(())
    }

    /// The estimate, once all stages are done.
    pub fn ratio(&self) -> LogRatio {
        // The same walk from the other end estimates the inverse ratio.
        summary(&self.logs, self.acceptance, if self.back { -1.0 } else { 1.0 })
    }
}

/// The path of [`Ais`].
struct Geometric<'a, T> {
    ais: &'a Ais<T>,
    base: &'a dyn Energy,
    target: &'a dyn Energy,
}

impl<T: Transition> AnnealingPath for Geometric<'_, T> {
    fn stages(&self) -> usize {
        self.ais.temperatures
    }

    fn energy(&self, k: usize) -> Result<Box<dyn Energy + '_>> {
        let share = self.ais.share(k);
        let parts = [(self.base, 1.0 - share), (self.target, share)];
        let [base, target] = parts.map(|(energy, factor)| Scaled { energy, factor });
        // Where a factor is 0 the other energy may be infinite.
        Ok(match share {
            0.0 => Box::new(base),
            1.0 => Box::new(target),
            _ => Box::new(Sum::new().with(base).with(target)),
        })
    }

    fn walk(
        &self,
        _: usize,
        energy: &dyn Energy,
        from: &ChainState,
        noise: &mut Noise,
    ) -> Result<(ChainState, Option<f64>)> {
        let (end, info) = self.ais.transition.run_summed(energy, from, self.ais.steps, noise)?;
        Ok((end, info.acceptance))
    }
}

impl<T: Transition> Ais<T> {
    /// From exact draws `start` `(B, *S)` of the base to the target: a lower bound on `ln (Z_target / Z_base)`.
    ///
    /// # Errors
    /// [`Error::Config`] without steps or temperatures; [`Error::NonFinite`] when an energy at a chain's place is not
    /// finite, with the temperature's number as its step; what the energies and the transition return.
    pub fn forward(&self, base: &dyn Energy, target: &dyn Energy, start: &Tensor, noise: &Noise) -> Result<LogRatio> {
        let path = self.path(base, target)?;
        let mut run = Annealing::forward(&path, start)?;
        run.walk(&path, self.temperatures, noise, &mut |_, _| Ok(()))?;
        Ok(run.ratio())
    }

    /// From exact draws `start` `(B, *S)` of the target to the base: an upper bound on `ln (Z_target / Z_base)`.
    ///
    /// Draws of the target are exact where it is known or, as in bidirectional Monte Carlo, where data were simulated
    /// from it; with draws of a long chain in their place the bound holds as far as the chain has mixed.
    ///
    /// # Errors
    /// As [`Ais::forward`].
    pub fn backward(&self, base: &dyn Energy, target: &dyn Energy, start: &Tensor, noise: &Noise) -> Result<LogRatio> {
        let path = self.path(base, target)?;
        let mut run = Annealing::backward(&path, start)?;
        run.walk(&path, self.temperatures, noise, &mut |_, _| Ok(()))?;
        Ok(run.ratio())
    }

    /// The share of the target at temperature `k` of `0..=temperatures`: 0 at the first, 1 at the last.
    pub fn share(&self, k: usize) -> f64 {
        let sigmoid = |t: f64| 1.0 / (1.0 + (-t).exp());
        let at = |u: f64| sigmoid(STEEPNESS * (2.0 * u - 1.0));
        match k {
            0 => 0.0,
            k if k >= self.temperatures => 1.0,
            k => (at(k as f64 / self.temperatures as f64) - at(0.0)) / (at(1.0) - at(0.0)),
        }
    }

    fn path<'a>(&'a self, base: &'a dyn Energy, target: &'a dyn Energy) -> Result<Geometric<'a, T>> {
        if self.steps == 0 || self.temperatures == 0 {
            let found = format!("{} steps at {} temperatures", self.steps, self.temperatures);
            return Err(Error::config("annealed importance sampling", found, "at least 1 of each"));
        }
        Ok(Geometric { ais: self, base, target })
    }
}

/// The estimate from the weights' logarithms; with `sign` -1 the weights are those of the inverse ratio.
fn summary(logs: &[f64], acceptance: Option<f64>, sign: f64) -> LogRatio {
    let n = logs.len() as f64;
    let top = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = logs.iter().map(|l| (l - top).exp()).collect();
    let sum: f64 = weights.iter().sum();
    let squares: f64 = weights.iter().map(|w| w * w).sum();
    let mean = sum / n;
    let variance = weights.iter().map(|w| (w - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    LogRatio {
        estimate: sign * (top + mean.ln()),
        std_error: (variance / n).sqrt() / mean,
        mean: sign * logs.iter().sum::<f64>() / n,
        effective: sum * sum / squares,
        chains: logs.iter().map(|l| sign * l).collect(),
        acceptance,
    }
}

fn plain(values: &Tensor) -> Result<Vec<f64>> {
    Ok(values.to_dtype(DType::F64)?.to_vec1()?)
}
