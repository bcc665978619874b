//! Forecasts that keep to the constraints of a file: drawn under them, then moved by as little as keeps hard limits.

use super::conditions::{ForecastConditions, Units};
use super::constraints::{Cell, ConstraintCheck, Constraints, Hard, LinkGoal, Run};
use super::future_array::FutureArray;
use super::{Forecast, Forecaster, LevelForecaster, Model, Request};
use crate::error::{Error, Result};
use crate::files;
use crate::kinematics::Robot;
use crate::noise::Noise;
use crate::trajectory::Frames;
use candle_core::Tensor;
use nalgebra::DMatrix;
use serde_json::Value;
use std::path::Path;

/// One free sample is drawn for as many samples that need values of joints for a link's place.
const PER_FREE: usize = 4;
/// The least by which a joint counts as free to differ, in its standard deviations.
const SPREAD: f64 = 0.1;

/// What the model's z-scores are in the channels' units.
struct Scales {
    units: Units,
    d: usize,
}

impl Model {
    /// The entries `settings` of a constraint file (`docs/constraints.md`) for forecasts of `horizon` frames by this
    /// model. `file` names them in messages, and paths in them are relative to its folder. Limits from a URDF file and
    /// constraints on links need a `robot`.
    ///
    /// # Errors
    /// [`Error::Data`] naming the entry, for a key or a value that is none, a unit that does not fit a channel, a
    /// channel or link that is not there, and a time beyond the horizon; those of reading a plan.
    pub fn constraints(
        &self,
        settings: &Value,
        file: &Path,
        horizon: usize,
        robot: Option<&Robot>,
    ) -> Result<Constraints> {
        Constraints::new(settings, file, (&self.info().channels, self.info().rate_hz), horizon, robot)
    }

    /// As [`Model::forecast`], under constraints: joints, goals and spheres of a file. Hard limits are kept in every
    /// sample; [`Forecast::constraints`] says what became of each constraint.
    ///
    /// # Errors
    /// As [`Model::forecast`]; [`Error::Data`] naming the entries that contradict each other, the limits or the motion
    /// before; [`Error::Config`] for another horizon than the constraints', and from a model without noise levels.
    pub fn forecast_constrained(
        &self,
        history: &[f64],
        request: &Request,
        constraints: &Constraints,
        seed: u64,
    ) -> Result<Forecast> {
        request.check()?;
        let Some(level) = self.level() else {
            let found = format!("the forecaster `{}`", self.forecaster().name());
            return Err(Error::config("constraint", found, "a model with noise levels"));
        };
        if request.horizon < constraints.horizon() {
            let expected = format!("at least {}, for which the constraints are", constraints.horizon());
            return Err(Error::config("horizon", request.horizon, expected));
        }
        let (past, turns) = self.z_history(history)?;
        let (d, k) = (turns.len(), level.context_frames());
        let normaliser = &self.info().normaliser;
        let offset = normaliser.mean.iter().zip(&turns).map(|(mean, turn)| mean + turn).collect();
        let scales = Scales { units: Units { offset, scale: normaliser.std.clone() }, d };
        let recent = &history[history.len() - k * d..];
        let run = Run {
            channels: &self.info().channels,
            rate_hz: self.info().rate_hz,
            horizon: constraints.horizon(),
            history: recent,
        };
        let hard = constraints.hard(&run);
        hard.check(&run, &scales.units.scale)?;
        let conditions = constraints.conditions(&run)?;
        let noise = &mut Noise::new(seed);
        let goals = constraints.link_goals();
        let mut pins: Vec<Vec<Cell>> = Vec::new();
        let drawn = match goals.is_empty() {
            true => level.forecast_in(&past, request, (&conditions, &scales.units, None), noise)?,
            false => {
                let free = scales.free(level, &past, request, &conditions, noise)?;
                pins = scales.reached(&goals, &hard, (&free, request), &run)?;
                let values = scales.values(&conditions, &pins);
                let each = Request { samples: 1, ..*request };
                let past = past.broadcast_as((request.samples, k, d))?.contiguous()?;
                let drawn = level.forecast_in(&past, &each, (&conditions, &scales.units, Some(&values)), noise)?;
                drawn.reshape((1, request.samples, request.horizon, d))?
            }
        };
        let mut values = self.units(&self.periods()).restore(&drawn.flatten_all()?.to_vec1::<f32>()?, &turns);
        constraints.keep(&hard, &mut values, (&run, &scales.units.scale), (request.samples, &pins))?;
        let mut forecast = self.empty(history, seed)?;
        forecast.futures = FutureArray::new(values, [1, request.samples, request.horizon, d])?;
        forecast.constraints = constraints.checks(&run, &forecast.futures)?;
        Ok(forecast)
    }

    /// As [`Model::forecast_episode`], under constraints.
    ///
    /// # Errors
    /// As [`Model::forecast_episode`] and [`Model::forecast_constrained`].
    pub fn forecast_episode_constrained(
        &self,
        frames: &Frames,
        (episode, at): (usize, usize),
        request: &Request,
        constraints: &Constraints,
        seed: u64,
    ) -> Result<Forecast> {
        self.of_episode(frames, (episode, at), request, &|history, request| {
            self.forecast_constrained(history, request, constraints, seed)
        })
    }
}

impl Scales {
    /// Some samples in the channels' units that know of all but the links' goals, `(S', H, D)`.
    fn free(
        &self,
        level: &LevelForecaster,
        past: &Tensor,
        request: &Request,
        conditions: &ForecastConditions,
        noise: &mut Noise,
    ) -> Result<Vec<f64>> {
        let mut others = conditions.clone();
        others.observations.retain(|o| !o.value.is_nan());
        let some = Request { samples: request.samples.div_ceil(PER_FREE), ..*request };
        let drawn = level.forecast_in(past, &some, (&others, &self.units, None), noise)?;
        let z = drawn.flatten_all()?.to_vec1::<f32>()?;
        let unit = |(i, z): (usize, &f32)| self.units.offset[i % self.d] + self.units.scale[i % self.d] * f64::from(*z);
        Ok(z.iter().enumerate().map(unit).collect())
    }

    /// For each sample the cells `(frame, channel, value)` that put the links where they have to be.
    fn reached(
        &self,
        goals: &[&LinkGoal],
        hard: &Hard,
        (free, request): (&[f64], &Request),
        run: &Run<'_>,
    ) -> Result<Vec<Vec<Cell>>> {
        let (d, width) = (self.d, request.horizon * self.d);
        let count = free.len() / width;
        let mut pins = vec![Vec::new(); request.samples];
        for (number, goal) in goals.iter().enumerate() {
            let at = |s: usize| &free[s * width + goal.frame * d..][..d];
            let spread: Vec<f64> = (0..d)
                .map(|c| {
                    let mean = (0..count).map(|s| at(s)[c]).sum::<f64>() / count as f64;
                    let variance = (0..count).map(|s| (at(s)[c] - mean).powi(2)).sum::<f64>() / count as f64;
                    (variance + (SPREAD * self.units.scale[c]).powi(2)).sqrt()
                })
                .collect();
            let limits: Vec<[f64; 2]> = (0..d).map(|c| hard.reachable(c, goal.frame, run)).collect();
            // A link of the same frame that was placed before keeps its joints.
            let taken = |pin: &Cell| pin.0 == goal.frame;
            let mut nearest = f64::INFINITY;
            let mut any = false;
            for (s, pins) in pins.iter_mut().enumerate() {
                let mut best: (f64, Vec<f64>) = (f64::INFINITY, Vec::new());
                for attempt in 0..count.min(8) {
                    let mut frame = at((s / PER_FREE + attempt) % count).to_vec();
                    let mut free = vec![true; d];
                    let known = hard.pins.iter().map(|p| (p.0, p.1, p.2)).chain(pins.iter().copied());
                    for (_, channel, value) in known.filter(taken) {
                        (frame[channel], free[channel]) = (value, false);
                    }
                    let away = goal.reach(&mut frame, (&free, &spread, &limits))?;
                    if away < best.0 {
                        best = (away, frame);
                    }
                    if goal.met(away) {
                        break;
                    }
                }
                (nearest, any) = (nearest.min(best.0), any || goal.met(best.0));
                let own = goal.channels.iter().map(|c| (goal.frame, *c, best.1[*c]));
                let new: Vec<_> = own.filter(|pin| !pins.iter().any(|p| (p.0, p.1) == (pin.0, pin.1))).collect();
                pins.extend(new);
            }
            if !any {
                let found = format!("a place that the link misses by at least {nearest:.4} m");
                let expected = match number {
                    0 => "one that it reaches within the limits, with the joints' goals of that time",
                    _ => "one that it reaches within the limits, with the goals before it",
                };
                return Err(Error::data(goal.entry(), found, expected));
            }
        }
        Ok(pins)
    }

    /// The values `(N, S)` of the observations in each sample, z-scored.
    fn values(&self, conditions: &ForecastConditions, pins: &[Vec<Cell>]) -> DMatrix<f64> {
        let observations = &conditions.observations;
        DMatrix::from_fn(observations.len(), pins.len(), |i, s| {
            let observation = &observations[i];
            let offset: f64 = observation.summands.iter().map(|(_, c, w)| w * self.units.offset[*c]).sum();
            let of_link = || {
                let (frame, channel, _) = observation.summands[0];
                pins[s].iter().find(|p| (p.0, p.1) == (frame, channel)).map(|p| p.2)
            };
            let value = if observation.value.is_nan() { of_link() } else { Some(observation.value) };
            value.unwrap_or(offset) - offset
        })
    }
}

impl Constraints {
    /// What became of each constraint in the futures `(1, S, H, D)`.
    fn checks(&self, run: &Run<'_>, futures: &FutureArray) -> Result<Vec<ConstraintCheck>> {
        let [_, samples, ..] = futures.shape();
        let motions: Vec<Vec<f64>> = (0..samples).map(|s| [run.history, futures.future(0, s)].concat()).collect();
        self.check(run, &motions)
    }
}

impl Forecast {
    /// Writes what became of each constraint as a table: `constraint, sample, missed, unit, met`, a row for each
    /// constraint and sample; `met` is empty for a wish.
    ///
    /// # Errors
    /// [`crate::Error::Io`] when the file cannot be written.
    pub fn write_constraints(&self, path: &Path) -> Result<()> {
        let header = ["constraint", "sample", "missed", "unit", "met"].map(str::to_string).to_vec();
        let rows = self.constraints.iter().flat_map(|check| {
            check.missed.iter().enumerate().map(|(s, missed)| {
                let met = check.met.get(s).map_or(String::new(), |met| met.to_string());
                vec![check.name.clone(), s.to_string(), format!("{missed:.6}"), check.unit.clone(), met]
            })
        });
        files::write_csv(path, std::iter::once(header).chain(rows))
    }
}
