//! Energy matching: one scalar field that carries noise to the data far from them and is their energy close by.
//!
//! The potential `V` of Balcerak et al. 2025 ("Energy matching: unifying flow matching and energy-based models") does
//! not know the time. At first its negative gradient is fitted to the velocity of straight paths from noise to data
//! (their algorithm 1), then contrastive divergence sharpens it (algorithm 2) with Langevin chains of the temperature
//!
//! ```text
//! e(t) = 0 up to t = onset,  rising in a straight line to `temperature` at t = 1,  `temperature` after that
//! ```
//!
//! In the end `exp(-V / temperature)` is the density of the data up to a constant.

use super::assignment::cheapest;
use crate::arrays::mean;
use candle_core::{D, DType, Tensor};
use ebmotion::model::{Fixed, Network, Parameters};
use ebmotion::noise::Noise;
use ebmotion::sample::langevin::Langevin;
use ebmotion::sample::schedule::{Annealed, NoiseScale, Schedule};
use ebmotion::sample::{Transition, Unadjusted};
use ebmotion::train::objective::{CentralDifference, energy_score};
use ebmotion::train::{Batch, EnergyObjective, Gradients, Loss, Objective};
use ebmotion::{Error, Result};
use serde::{Deserialize, Serialize};

/// Which noise goes to which example.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Coupling {
    /// Any to any.
    Independent,
    /// The cheapest pairing of a batch by squared distance (Tong et al. 2024, "Improving and generalizing flow-based
    /// generative models with minibatch optimal transport", section 3.2). Not with a context: noise would then depend
    /// on it.
    Transport,
}

/// Settings of [`EnergyMatching`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnergyMatchingConfig {
    /// Training steps that only fit velocities.
    pub warmup: u64,
    /// Which noise goes to which example.
    pub coupling: Coupling,
    /// Temperature of the energy in the end, positive, in units of `V`: squared units of `x` per unit of time.
    pub temperature: f64,
    /// Time up to which chains from noise have no noise and, after the warm-up, velocities are fitted; in `(0, 1)`.
    pub onset: f64,
    /// Time at which chains end, at least 1.
    pub horizon: f64,
    /// Langevin steps over that time, at least 2.
    pub steps: usize,
    /// Share of the chains that start at the data, in `[0, 1]`; the others start at noise.
    pub from_data: f64,
    /// Weight of the contrast `(mean V(data) - mean V(samples)) / temperature` after the warm-up, positive. Velocities
    /// have weight 1 a coordinate and pull `V` away from the data's energy where paths still pass; the more weight
    /// here, the less.
    pub contrast: f64,
    /// Box that chains stay in.
    pub bounds: Option<(f64, f64)>,
}

impl Default for EnergyMatchingConfig {
    /// For coordinates of unit scale.
    fn default() -> Self {
        Self {
            warmup: 1000,
            coupling: Coupling::Independent,
            temperature: 0.1,
            onset: 0.8,
            horizon: 2.0,
            steps: 50,
            from_data: 0.5,
            contrast: 1.0,
            bounds: None,
        }
    }
}

impl EnergyMatchingConfig {
    fn check(&self) -> Result<()> {
        for (key, value) in [("temperature", self.temperature), ("contrast", self.contrast)] {
            if !(value > 0.0 && value.is_finite()) {
                return Err(Error::config(key, value, "a positive number"));
            }
        }
        if !(self.onset > 0.0 && self.onset < 1.0) {
            return Err(Error::config("onset", self.onset, "a time between 0 and 1"));
        }
        if !(self.horizon >= 1.0 && self.horizon.is_finite()) {
            return Err(Error::config("horizon", self.horizon, "at least 1"));
        }
        if self.steps < 2 {
            return Err(Error::config("steps", self.steps, "at least 2 Langevin steps"));
        }
        if !(0.0..=1.0).contains(&self.from_data) {
            return Err(Error::config("from_data", self.from_data, "a share, 0 to 1"));
        }
        Ok(())
    }

    fn chain(&self, noise: f64) -> Langevin {
        Langevin { step: self.horizon / self.steps as f64, noise, gradient_clip: None, bounds: self.bounds }
    }

    /// The chain that stays among the data, at the temperature of the energy in the end.
    pub fn stay(&self) -> Unadjusted<Langevin> {
        let base = self.chain(0.0);
        Unadjusted(Langevin { noise: (2.0 * base.step * self.temperature).sqrt(), ..base })
    }

    /// The chain that carries noise to the data, to be run for [`EnergyMatchingConfig::steps`] steps on `V`.
    pub fn sampler(&self) -> Annealed {
        let base = self.chain(0.0);
        let end = 1.0 / self.horizon;
        let schedule = Schedule::Ramp { from: 0.0, to: self.temperature, begin: self.onset * end, end };
        Annealed { base, step: Schedule::Constant { value: base.step }, noise: NoiseScale::Temperatures(schedule) }
    }
}

/// Fits the potential of any [`Network`] that gives its gradient as a graph ([`Network::value_and_gradient`]).
#[derive(Debug, Clone)]
pub struct EnergyMatching<N> {
    network: N,
    config: EnergyMatchingConfig,
    /// Training steps done.
    done: u64,
}

impl<N: Network> EnergyMatching<N> {
    /// For a network and settings.
    ///
    /// # Errors
    /// [`Error::Config`] for settings out of range.
    pub fn new(network: N, config: EnergyMatchingConfig) -> Result<Self> {
        config.check()?;
        Ok(Self { network, config, done: 0 })
    }

    /// The network, whose energy is `V`: divide it by the temperature for an energy in nats.
    pub fn network(&self) -> &N {
        &self.network
    }

    /// The network, taken out.
    pub fn into_network(self) -> N {
        self.network
    }

    /// Settings.
    pub fn config(&self) -> &EnergyMatchingConfig {
        &self.config
    }

    /// Where paths begin: where the source lets chains begin, or standard normal noise.
    fn origin(&self, batch: &Batch, noise: &mut Noise) -> Result<Tensor> {
        match &batch.start {
            Some(start) => Ok(start.clone()),
            None => noise.normal(batch.x.dims(), batch.x.dtype(), batch.x.device()),
        }
    }

    /// Points of straight paths up to time `until`, and the velocity `x - origin` there.
    fn paths(&self, batch: &Batch, until: f64, noise: &mut Noise) -> Result<[Tensor; 2]> {
        let mut origin = self.origin(batch, noise)?;
        let x = &batch.x;
        if self.config.coupling == Coupling::Transport {
            if batch.context.is_some() {
                return Err(Error::config("coupling", "transport with a context", "independent"));
            }
            origin = paired(&origin, x)?;
        }
        let mut shape = vec![1; x.rank()];
        shape[0] = x.dim(0)?;
        let t = (noise.uniform(shape, x.dtype(), x.device())? * until)?;
        let velocity = (x - &origin)?;
        Ok([(origin + velocity.broadcast_mul(&t)?)?, velocity])
    }

    /// Mean squared error a coordinate of `-grad V` against the velocity of paths up to time `until`.
    fn flow(&self, batch: &Batch, until: f64, noise: &mut Noise) -> Result<Tensor> {
        let [at, velocity] = self.paths(batch, until, noise)?;
        let (_, grad) = self.network.value_and_gradient(&at, batch.context.as_ref())?;
        Ok((grad + velocity)?.sqr()?.mean_all()?)
    }

    /// Samples of the present potential for each row of the batch: the first rows' chains start at the data.
    fn samples(&self, batch: &Batch, noise: &mut Noise) -> Result<Tensor> {
        let c = &self.config;
        let rows = batch.x.dim(0)?;
        let from_data = (c.from_data * rows as f64).round() as usize;
        let context = |from: usize, n: usize| batch.context.as_ref().map(|t| t.narrow(0, from, n)).transpose();
        let mut ends = Vec::new();
        if from_data > 0 {
            let context = context(0, from_data)?;
            let energy = Fixed { network: &self.network, context: context.as_ref() };
            ends.push(c.stay().run_from(&energy, &batch.x.narrow(0, 0, from_data)?, c.steps, noise)?.0.x);
        }
        if from_data < rows {
            let n = rows - from_data;
            let context = context(from_data, n)?;
            let energy = Fixed { network: &self.network, context: context.as_ref() };
            let origin = self.origin(batch, noise)?.narrow(0, from_data, n)?;
            ends.push(c.sampler().run_from(&energy, &origin, c.steps, noise)?.0.x);
        }
        Ok(Tensor::cat(&ends, 0)?)
    }
}

/// `origin`, `(B, *S)`, in the order that pairs it most cheaply with `x`.
fn paired(origin: &Tensor, x: &Tensor) -> Result<Tensor> {
    let (a, b) = (x.flatten_from(1)?, origin.flatten_from(1)?);
    let squares = |t: &Tensor| t.sqr()?.sum_keepdim(D::Minus1);
    let costs = (a.matmul(&b.t()?)? * -2.0)?.broadcast_add(&squares(&a)?)?.broadcast_add(&squares(&b)?.t()?)?;
    let costs = costs.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()?;
    let order: Vec<u32> = cheapest(&costs, x.dim(0)?).into_iter().map(|i| i as u32).collect();
    let order = Tensor::from_vec(order, x.dim(0)?, x.device())?;
    Ok(origin.index_select(&order, 0)?)
}

impl<N: Network> EnergyObjective<N> for EnergyMatching<N> {
    fn into_learned(self: Box<Self>) -> N {
        self.into_network()
    }
}

impl<N: Network> Objective for EnergyMatching<N> {
    fn name(&self) -> &'static str {
        "energy_matching"
    }

    fn parameters(&self) -> &Parameters {
        self.network.parameters()
    }

    fn prepare(&mut self) -> Result<()> {
        self.network.prepare()
    }

    fn loss(&mut self, batch: &Batch, noise: &mut Noise) -> Result<Loss> {
        let warm = self.done >= self.config.warmup;
        self.done += 1;
        if !warm {
            return Ok(Loss { total: self.flow(batch, 1.0, noise)?, figures: Vec::new() });
        }
        let flow = self.flow(batch, self.config.onset, noise)?;
        let samples = self.network.energy(&self.samples(batch, noise)?, batch.context.as_ref())?;
        let data = self.network.energy(&batch.x, batch.context.as_ref())?;
        let contrast = ((data.mean_all()? - samples.mean_all()?)? / self.config.temperature)?;
        let figures = vec![("flow", mean(&flow)?), ("energy_gap", -mean(&contrast)?)];
        Ok(Loss { total: (flow + (contrast * self.config.contrast)?)?, figures })
    }

    /// The velocities' part as a difference of energies, so that all is one batch of the network's own way to its
    /// weights' gradient.
    fn gradients(&mut self, batch: &Batch, noise: &mut Noise) -> Result<Option<Gradients>> {
        if !self.network.learns(&batch.x) {
            return Ok(None);
        }
        let warm = self.done >= self.config.warmup;
        self.done += 1;
        let [at, velocity] = self.paths(batch, if warm { self.config.onset } else { 1.0 }, noise)?;
        let context = batch.context.as_ref();
        let error = (self.network.evaluate(&at, context)?.grad + velocity)?;
        let flow = mean(&error.sqr()?)?;
        let around = CentralDifference::new(&at, &error, CentralDifference::DISTANCE)?;
        // d/dw |r|^2 = 2 r . d/dw grad V
        let mut slopes = around.coefficients(1.0 / (error.elem_count() as f64 * CentralDifference::DISTANCE));
        let (mut x, mut contexts) = (vec![around.points], vec![context; 2]);
        let (pairs, rows) = (slopes.len(), batch.x.dim(0)?);
        if warm {
            x.extend([batch.x.clone(), self.samples(batch, noise)?]);
            contexts.extend([context; 2]);
            let one = self.config.contrast / self.config.temperature / rows as f64;
            slopes.extend([one as f32, -one as f32].into_iter().flat_map(|s| std::iter::repeat_n(s, rows)));
        }
        let contexts =
            contexts.into_iter().collect::<Option<Vec<_>>>().map(|parts| Tensor::cat(&parts, 0)).transpose()?;
        let (mut loss, mut figures) = (flow, Vec::new());
        let all = self.network.learn(&Tensor::cat(&x, 0)?, contexts.as_ref(), &mut |energies| {
            if warm {
                let (data, samples) = energies[pairs..].split_at(rows);
                let sum = |e: &[f32]| e.iter().map(|v| f64::from(*v)).sum::<f64>();
                let contrast = (sum(data) - sum(samples)) / rows as f64 / self.config.temperature;
                loss = flow + self.config.contrast * contrast;
                figures = vec![("flow", flow), ("energy_gap", -contrast)];
            }
            Ok(slopes.clone())
        })?;
        Ok(Some(Gradients::of(loss, all, figures)))
    }

    /// The energy score of two chains from noise against the example.
    fn validate(&self, batch: &Batch, noise: &mut Noise) -> Result<f64> {
        let energy = Fixed { network: &self.network, context: batch.context.as_ref() };
        let mut draw = || -> Result<Tensor> {
            let mut noise = noise.split_off();
            let origin = self.origin(batch, &mut noise)?;
            Ok(self.config.sampler().run_from(&energy, &origin, self.config.steps, &mut noise)?.0.x)
        };
        energy_score(&draw()?, &draw()?, &batch.x)
    }

    fn state(&self) -> Result<Vec<(String, Tensor)>> {
        let mut state = self.network.state();
        state.push(("energy_matching.done".into(), Tensor::new(&[self.done as i64], &candle_core::Device::Cpu)?));
        Ok(state)
    }

    fn restore(&mut self, get: &dyn Fn(&str) -> Option<Tensor>) -> Result<()> {
        self.network.restore(&|name| Parameters::required(name, get(name)))?;
        self.done = Parameters::required_count("energy_matching.done", get("energy_matching.done"))?;
        Ok(())
    }
}
