//! Annealing from a standard normal through an energy's noise levels.

use super::LikelihoodConfig;
use crate::experiment::draw::{WATCHED, denoised, show};
use crate::experiment::{ImageModel, Journal, advance};
use crate::sample::{Annealing, AnnealingPath, LogRatio};
use candle_core::{DType, Device, Tensor};
use ebmotion::Result;
use ebmotion::energy::Energy;
use ebmotion::energy::analytic::Diagonal;
use ebmotion::event::{Event, Sink};
use ebmotion::noise::Noise;
use ebmotion::sample::hmc::Leapfrog;
use ebmotion::sample::{ChainState, Metropolis, Transition};
use serde::Serialize;

/// Spread of the steps' sizes about their mean, so that no trajectory closes on itself.
const JITTER: f64 = 0.2;
/// Chains that find the sizes of steps.
const PILOTS: usize = 8;
/// Trajectories in which they find the first.
const FIRST: usize = 20;
/// How much a size's logarithm follows the difference to the acceptance aimed at.
const GAIN: f64 = 0.5;

/// Levels whose chains are kept as one piece.
const PIECE: usize = 50;

/// A bound on `ln Z` by one direction.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bounds {
    /// Logarithm of the mean weight, nats: the bound.
    pub estimate: f64,
    /// Its standard error by the spread of the weights.
    pub std_error: f64,
    /// Mean logarithm of the weights: the looser bound, whose expectation is one whatever the number of chains.
    pub mean: f64,
    /// Chains, and how many they are worth.
    pub chains: usize,
    /// `(sum w)^2 / sum w^2`.
    pub effective: f64,
    /// Mean probability of acceptance of a trajectory; none where there was no trajectory.
    pub acceptance: Option<f64>,
}

impl From<&LogRatio> for Bounds {
    fn from(found: &LogRatio) -> Self {
        Self {
            estimate: found.estimate,
            std_error: found.std_error,
            mean: found.mean,
            chains: found.chains.len(),
            effective: found.effective,
            acceptance: found.acceptance,
        }
    }
}

/// Where the chains of a direction came out, and the logarithms of their weights.
pub(super) struct Ends {
    pub(super) x: Tensor,
    logs: Vec<f64>,
}

impl Ends {
    /// Of chains `(B, *S)`.
    pub(super) fn new(x: Tensor, logs: Vec<f64>) -> Self {
        Self { x, logs }
    }

    /// Chains drawn by their weights, one for each of `uniforms` in (0, 1).
    pub(super) fn drawn(&self, uniforms: &[f64]) -> Result<Tensor> {
        let top = self.logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<f64> = self.logs.iter().map(|l| (l - top).exp()).collect();
        let sum: f64 = weights.iter().sum();
        let draw = |uniform: &f64| {
            let mut left = uniform * sum;
            let found = weights.iter().position(|w| {
                left -= w;
                left <= 0.0
            });
            found.unwrap_or(weights.len() - 1) as u32
        };
        let chosen: Vec<u32> = uniforms.iter().map(draw).collect();
        Ok(self.x.index_select(&Tensor::new(chosen, self.x.device())?, 0)?)
    }
}

/// An energy by its level.
pub(super) type AtLevel<'a> = dyn Fn(f64) -> Result<Box<dyn Energy + 'a>> + 'a;

/// A standard normal, then an energy's levels from the highest to the one at which it is wanted.
pub(super) struct Levels<'a> {
    at: &'a AtLevel<'a>,
    shape: [usize; 3],
    angles: Vec<f64>,
    /// Hamiltonian Monte Carlo at each.
    ways: Vec<Metropolis<Leapfrog>>,
    trajectories: usize,
    /// Whose chains a listener is shown.
    shown: Option<&'a ImageModel>,
}

impl<'a> Levels<'a> {
    /// Levels with sizes of steps that chains of their own have found, level by level.
    pub(super) fn adapted(
        at: &'a AtLevel<'a>,
        shape: [usize; 3],
        config: &LikelihoodConfig,
        noise: &Noise,
        journal: &Journal,
        sink: &mut dyn Sink,
    ) -> Result<Self> {
        let [first, last] = [config.highest, config.at].map(|t| t.tan().ln());
        let part = |k: usize| k as f64 / (config.levels - 1) as f64;
        let angles: Vec<f64> = (0..config.levels).map(|k| (first + (last - first) * part(k)).exp().atan()).collect();
        let way = |step: f64| Metropolis(Leapfrog { step, leapfrogs: config.leapfrogs, jitter: JITTER });
        let (mut x, mut size) = (normal(shape, PILOTS, &mut noise.fork(0))?, config.step);
        let mut ways = Vec::with_capacity(angles.len());
        sink.emit(&Event::Begin { phase: "step sizes", total: angles.len() as u64 })?;
        while ways.len() < angles.len() {
            let levels = ways.len()..(ways.len() + PIECE).min(angles.len());
            let work = || {
                let (mut x, mut size, mut sizes) = (x.clone(), size, Vec::new());
                for k in levels.clone() {
                    if k > levels.start {
                        advance(sink, k, angles.len(), "")?;
                    }
                    let (energy, mut local) = (at(angles[k])?, noise.fork(1 + k as u64));
                    let mut step = 0.0;
                    for _ in 0..if k == 0 { FIRST } else { 1 } {
                        step = size * angles[k].sin();
                        let (end, info) = way(step).run_from(&energy, &x, 1, &mut local)?;
                        x = end.x;
                        size *= (GAIN * (info.acceptance.unwrap_or(config.acceptance) - config.acceptance)).exp();
                    }
                    sizes.push(step);
                }
                Ok([x, Tensor::new(sizes, &Device::Cpu)?, Tensor::new(&[size], &Device::Cpu)?])
            };
            let [end, sizes, last] = journal.array(&format!("step sizes {}", levels.start), work)?;
            ways.extend(sizes.to_vec1()?.into_iter().map(way));
            (x, size) = (end, last.to_vec1::<f64>()?.iter().sum());
            advance(sink, ways.len(), angles.len(), "")?;
        }
        sink.emit(&Event::End)?;
        Ok(Self { at, shape, angles, ways, trajectories: config.trajectories, shown: None })
    }

    /// The same, whose energies are the model's: a listener is shown its chains.
    pub(super) fn shown(self, model: &'a ImageModel) -> Self {
        Self { shown: Some(model), ..self }
    }

    /// Tells a sink what the chains at stage `k` look like: what the energy takes the images denoised the noise to be.
    fn tell(&self, step: usize, k: usize, state: &ChainState, sink: &mut dyn Sink) -> Result<()> {
        let (Some(model), Some(level), true) = (self.shown, k.checked_sub(1), sink.watches_chains()) else {
            return Ok(());
        };
        let (t, count) = (self.angles[level], WATCHED.min(state.x.dim(0)?));
        let images = denoised(&state.x, &state.at.grad, t)?;
        let images = model.images("chains", &images.narrow(0, 0, count)?)?;
        show(step, &images, &state.at.energy.narrow(0, 0, count)?, sink)
    }

    /// The lower bound, and the chains' ends.
    pub(super) fn forward(
        &self,
        phase: &str,
        chains: usize,
        noise: &Noise,
        journal: &Journal,
        sink: &mut dyn Sink,
    ) -> Result<(Bounds, Ends)> {
        let start = normal(self.shape, chains, &mut noise.fork(0))?;
        let run = self.along(phase, Annealing::forward(self, &start)?, &noise.fork(1), journal, sink)?;
        let found = run.ratio();
        Ok(((&found).into(), Ends::new(run.x, found.chains)))
    }

    /// The upper bound, from draws of the last level.
    pub(super) fn backward(
        &self,
        phase: &str,
        draws: &Tensor,
        noise: &Noise,
        journal: &Journal,
        sink: &mut dyn Sink,
    ) -> Result<Bounds> {
        let run = self.along(phase, Annealing::backward(self, draws)?, noise, journal, sink)?;
        Ok((&run.ratio()).into())
    }

    /// A run from its start to its end.
    fn along(
        &self,
        phase: &str,
        mut run: Annealing,
        noise: &Noise,
        journal: &Journal,
        sink: &mut dyn Sink,
    ) -> Result<Annealing> {
        let all = self.stages();
        sink.emit(&Event::Begin { phase, total: all as u64 })?;
        while run.done < all {
            let until = (run.done + PIECE).min(all);
            let work = || {
                let mut run = run.clone();
                let back = run.back;
                run.walk(self, until, noise, &mut |k, state| {
                    self.tell(k - 1, if back { all - k } else { k }, state, sink)?;
                    // A piece that is done is kept before the work stops.
                    if k < until { advance(sink, k, all, "") } else { Ok(()) }
                })?;
                let acceptance = run.acceptance.into_iter().collect();
                let lists = [run.energies, run.logs, acceptance].map(|values| Tensor::new(values, &Device::Cpu));
                let [energies, logs, acceptance] = lists;
                Ok([run.x, energies?, logs?, acceptance?])
            };
            let [x, energies, logs, acceptance] = journal.array(&format!("{phase} {until}"), work)?;
            let acceptance = acceptance.to_vec1::<f64>()?.first().copied();
            let [energies, logs] = [energies.to_vec1()?, logs.to_vec1()?];
            run = Annealing { back: run.back, done: until, x, energies, logs, acceptance };
            advance(sink, until, all, "")?;
        }
        sink.emit(&Event::End)?;
        Ok(run)
    }

    /// Chains after `steps` trajectories in the energy of the last level.
    pub(super) fn mixed(&self, x: &Tensor, steps: usize, noise: &mut Noise) -> Result<Tensor> {
        match (self.angles.last(), self.ways.last()) {
            (Some(t), Some(way)) if steps > 0 => Ok(way.run_from(&(self.at)(*t)?, x, steps, noise)?.0.x),
            _ => Ok(x.clone()),
        }
    }
}

impl AnnealingPath for Levels<'_> {
    fn stages(&self) -> usize {
        self.angles.len()
    }

    fn energy(&self, k: usize) -> Result<Box<dyn Energy + '_>> {
        match k.checked_sub(1) {
            None => Ok(Box::new(Diagonal::isotropic(self.shape.iter().product(), 0.0, 1.0)?)),
            Some(level) => (self.at)(self.angles[level]),
        }
    }

    fn walk(
        &self,
        k: usize,
        energy: &dyn Energy,
        from: &ChainState,
        noise: &mut Noise,
    ) -> Result<(ChainState, Option<f64>)> {
        let (end, info) = self.ways[k - 1].run_summed(energy, from, self.trajectories, noise)?;
        Ok((end, info.acceptance))
    }
}

fn normal([c, h, w]: [usize; 3], chains: usize, noise: &mut Noise) -> Result<Tensor> {
    noise.normal((chains, c, h, w), DType::F32, &Device::Cpu)
}
