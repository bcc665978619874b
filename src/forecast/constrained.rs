//! Forecasts that keep to the constraints of a file: drawn under them, then moved by as little as keeps hard limits.

use super::conditions::{ForecastConditions, Units};
use super::constraints::{ConstraintCheck, Constraints, Hard, LinkGoal, Projection, Run, difference};
use super::future_array::FutureArray;
use super::{Forecast, Forecaster, LevelForecaster, Model, Request};
use crate::error::{Error, Result};
use crate::noise::Noise;
use crate::trajectory::Frames;
use candle_core::Tensor;
use ebmotion_engine::parallel;
use nalgebra::DMatrix;

/// One free sample is drawn for as many samples that need values of joints for a link's place.
const PER_FREE: usize = 4;
/// The least by which a joint counts as free to differ, in its standard deviations.
const SPREAD: f64 = 0.1;
/// Limits are kept with this share of room, and so that numbers of six decimals keep them too.
const ROOM: f64 = 1e-4;
const DECIMAL: f64 = 5e-7;

/// What the model's z-scores are in the channels' units.
struct Scales {
    units: Units,
    d: usize,
}

impl Model {
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
        let mut pins: Vec<Vec<(usize, usize, f64)>> = Vec::new();
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
        hard.keep(&mut values, request.horizon, (&run, &scales.units.scale), &pins)?;
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
    ) -> Result<Vec<Vec<(usize, usize, f64)>>> {
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
            let taken = |pin: &(usize, usize, f64)| pin.0 == goal.frame;
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
    fn values(&self, conditions: &ForecastConditions, pins: &[Vec<(usize, usize, f64)>]) -> DMatrix<f64> {
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

impl Hard {
    /// Where a channel can be in a frame by its limits alone.
    fn reachable(&self, channel: usize, frame: usize, run: &Run<'_>) -> [f64; 2] {
        let [position, velocity, acceleration] = self.bounds[channel];
        let (last, steps) = (run.last(0, channel), (frame + 1) as f64);
        let speed = last - run.last(1, channel);
        let mut reach = position.unwrap_or([f64::NEG_INFINITY, f64::INFINITY]);
        let mut narrow = |low: f64, high: f64| reach = [reach[0].max(low), reach[1].min(high)];
        if let Some([low, high]) = velocity {
            narrow(last + low * steps, last + high * steps);
        }
        if let Some([low, high]) = acceleration {
            let gain = steps * (steps + 1.0) / 2.0;
            narrow(last + speed * steps + low * gain, last + speed * steps + high * gain);
        }
        // Where nothing can be, the check before says so.
        if reach[0] <= reach[1] { reach } else { [last, last] }
    }

    /// The bounds of a channel in units of its `scale`, narrower by the room that is left.
    fn narrowed(&self, channel: usize, scale: f64) -> [Option<[f64; 2]>; 3] {
        let mut bounds = self.bounds[channel];
        for (order, bound) in bounds.iter_mut().enumerate() {
            if let Some([low, high]) = bound {
                let range = if high.is_finite() && low.is_finite() { *high - *low } else { 0.0 };
                let room = (ROOM * range).max(2.0 * f64::from(1 << order) * DECIMAL).min(0.25 * range.max(1e-5));
                *bound = Some([(*low + room) / scale, (*high - room) / scale]);
            }
        }
        bounds
    }

    /// Checks that what was asked can be met together after the motion before.
    fn check(&self, run: &Run<'_>, scales: &[f64]) -> Result<()> {
        self.check_pins(run)?;
        let mut projection = Projection::default();
        for (channel, scale) in scales.iter().enumerate() {
            let bounds = self.narrowed(channel, *scale);
            if bounds.iter().all(Option::is_none) {
                continue;
            }
            let name = &run.channels[channel].name;
            let unit = run.channels[channel].unit.as_deref().unwrap_or("");
            let (last, speed) = (run.last(0, channel), (run.last(0, channel) - run.last(1, channel)) * run.rate_hz);
            let past = [run.last(1, channel) / scale, last / scale];
            let still = vec![last / scale; run.horizon];
            if projection.run(&still, past, &bounds, |_| false).is_none() {
                let from = self.from[channel].iter().find(|from| !from.is_empty()).cloned().unwrap_or_default();
                let found = format!("`{name}`, which the log leaves at {last:.4} {unit} with {speed:.3} {unit}/s");
                return Err(Error::data(
                    from,
                    found,
                    format!("motion that can be kept within {}", self.told(channel, run)),
                ));
            }
            let mut pins: Vec<_> = self.pins.iter().filter(|pin| pin.1 == channel).collect();
            pins.sort_by_key(|pin| pin.0);
            for count in 1..=pins.len() {
                let some = &pins[..count];
                let mut wanted = still.clone();
                some.iter().for_each(|pin| wanted[pin.0] = pin.2 / scale);
                if projection.run(&wanted, past, &bounds, |t| some.iter().any(|pin| pin.0 == t)).is_none() {
                    let (frame, _, value, from) = some[count - 1];
                    let secs = (frame + 1) as f64 / run.rate_hz;
                    let before = match count {
                        1 => format!("{last:.4} {unit} and {speed:.3} {unit}/s at the log's end"),
                        _ => format!(
                            "{:.4} {unit} at {:.2} s, by {}",
                            some[count - 2].2,
                            (some[count - 2].0 + 1) as f64 / run.rate_hz,
                            some[count - 2].3
                        ),
                    };
                    let found = format!("`{name}` at {value:.4} {unit} at {secs:.2} s, after {before}");
                    let expected = format!("what can be reached by then within {}", self.told(channel, run));
                    return Err(Error::data(from.clone(), found, expected));
                }
            }
        }
        Ok(())
    }

    /// Checks pins against each other and against the ends of the range.
    fn check_pins(&self, run: &Run<'_>) -> Result<()> {
        for (i, (frame, channel, value, from)) in self.pins.iter().enumerate() {
            let name = &run.channels[*channel].name;
            let unit = run.channels[*channel].unit.as_deref().unwrap_or("");
            let secs = (frame + 1) as f64 / run.rate_hz;
            if let Some((.., other, by)) =
                self.pins[..i].iter().find(|p| (p.0, p.1) == (*frame, *channel) && p.2 != *value)
            {
                let found = format!("`{name}` at {value:.4} {unit} at {secs:.2} s");
                return Err(Error::data(from.clone(), found, format!("{other:.4} {unit}, by {by}")));
            }
            let [low, high] = self.bounds[*channel][0].unwrap_or([f64::NEG_INFINITY, f64::INFINITY]);
            if !(low..=high).contains(value) {
                let found = format!("`{name}` at {value:.4} {unit}");
                let expected = format!("a value from {low:.4} to {high:.4} {unit}, by {}", self.from[*channel][0]);
                return Err(Error::data(from.clone(), found, expected));
            }
        }
        Ok(())
    }

    /// A channel's limits in words.
    fn told(&self, channel: usize, run: &Run<'_>) -> String {
        let unit = run.channels[channel].unit.as_deref().unwrap_or("");
        let word = |(order, bound): (usize, &Option<[f64; 2]>)| {
            bound.map(|[low, high]| {
                let [low, high] = [low, high].map(|v| v * run.rate_hz.powi(order as i32));
                match order {
                    0 => format!("{low:.4} to {high:.4} {unit}"),
                    1 => format!("{high:.3} {unit}/s"),
                    _ => format!("{high:.2} {unit}/s^2"),
                }
            })
        };
        self.bounds[channel].iter().enumerate().filter_map(word).collect::<Vec<_>>().join(", ")
    }

    /// Moves samples `(S, H, D)` to the nearest that keep the limits and leave what is pinned as it is. A sample that
    /// cannot keep them with the joints of its links' goals keeps them without.
    fn keep(
        &self,
        values: &mut [f64],
        horizon: usize,
        (run, scales): (&Run<'_>, &[f64]),
        pins: &[Vec<(usize, usize, f64)>],
    ) -> Result<()> {
        let d = scales.len();
        let width = horizon * d;
        for (channel, value) in self.pins.iter().map(|pin| ((pin.0, pin.1), pin.2)) {
            values.iter_mut().skip(channel.0 * d + channel.1).step_by(width).for_each(|v| *v = value);
        }
        let samples = values.len() / width;
        let moved = parallel::tiles(samples, 1, |rows| {
            let (s, mut projection) = (rows.start, Projection::default());
            let mut sample = values[s * width..(s + 1) * width].to_vec();
            let own = pins.get(s).map_or(&[][..], Vec::as_slice);
            let mut wanted = vec![0.0; horizon];
            for (channel, scale) in scales.iter().enumerate() {
                let bounds = self.narrowed(channel, *scale);
                if bounds.iter().all(Option::is_none) {
                    continue;
                }
                let column = sample.iter().skip(channel).step_by(d);
                wanted.iter_mut().zip(column).for_each(|(to, v)| *to = v / scale);
                let past = [run.last(1, channel) / scale, run.last(0, channel) / scale];
                let held = |t: usize| self.pins.iter().any(|pin| (pin.0, pin.1) == (t, channel));
                let by_link = |t: usize| own.iter().any(|pin| (pin.0, pin.1) == (t, channel));
                let mut found = projection.run(&wanted, past, &bounds, |t| held(t) || by_link(t)).is_some();
                if !found && own.iter().any(|pin| pin.1 == channel) {
                    found = projection.run(&wanted, past, &bounds, held).is_some();
                }
                let none = || {
                    let what = format!("limits of `{}` in sample {s}", run.channels[channel].name);
                    Error::data(what, "no motion", format!("one within {}", self.told(channel, run)))
                };
                if !found {
                    return Err(none());
                }
                let motion = projection.motion();
                for (t, to) in sample.iter_mut().skip(channel).step_by(d).enumerate() {
                    if !held(t) {
                        *to = motion[t] * scale;
                    }
                }
                if !self.kept(channel, &sample, run) {
                    return Err(none());
                }
            }
            Ok(sample)
        })?;
        values.copy_from_slice(&moved.concat());
        Ok(())
    }

    /// Whether a sample keeps the limits of a channel.
    fn kept(&self, channel: usize, sample: &[f64], run: &Run<'_>) -> bool {
        let of: Vec<f64> = sample.iter().skip(channel).step_by(run.channels.len()).copied().collect();
        let past = [run.last(1, channel), run.last(0, channel)];
        let within = |(order, bound): (usize, &Option<[f64; 2]>)| {
            let [low, high] = bound.unwrap_or([f64::NEG_INFINITY, f64::INFINITY]);
            (0..of.len()).all(|t| (low..=high).contains(&difference(order, &of, past, t)))
        };
        self.bounds[channel].iter().enumerate().all(within)
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
