//! What every sample keeps to the last digit: limits and pinned cells; and, where it can, spheres.

use super::kind::{Cell, Hard, Kind, Run};
use super::project::{ALL, Projection, difference};
use crate::error::{Error, Result};
use ebmotion_engine::parallel;
use std::sync::Arc;

/// Limits are kept with this share of room, and so that numbers of six decimals keep them too.
const ROOM: f64 = 1e-4;
const DECIMAL: f64 = 5e-7;
/// Times that a sample is led out of spheres at most.
const ROUNDS: usize = 8;

impl Hard {
    /// Where a channel can be in a frame by its limits alone.
    pub(in crate::forecast) fn reachable(&self, channel: usize, frame: usize, run: &Run<'_>) -> [f64; 2] {
        let [position, velocity, acceleration] = self.bounds[channel];
        let (last, steps) = (run.last(0, channel), (frame + 1) as f64);
        let speed = last - run.last(1, channel);
        let mut reach = position.unwrap_or(ALL);
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
    pub(in crate::forecast) fn check(&self, run: &Run<'_>, scales: &[f64]) -> Result<()> {
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
            if projection.run(&still, past, &bounds, |_| ALL, |_| false).is_none() {
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
                if projection.run(&wanted, past, &bounds, |_| ALL, |t| some.iter().any(|pin| pin.0 == t)).is_none() {
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
            if let Some((.., other, by)) = self.pins[..i].iter().find(|p| (p.0, p.1) == (*frame, *channel)) {
                let found = format!("`{name}` at {value:.4} {unit} at {secs:.2} s");
                let expected = format!("one value there: {by} asks for {other:.4} {unit}");
                return Err(Error::data(from.clone(), found, expected));
            }
            let [low, high] = self.bounds[*channel][0].unwrap_or(ALL);
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

    /// Moves samples `(S, H, D)` to the nearest that keep the limits, leave what is pinned as it is and keep out of
    /// spheres where they can. A sample that cannot keep the limits with the joints `links` of its links' goals keeps
    /// them without.
    ///
    /// # Errors
    /// [`Error::Data`] where no motion keeps the limits.
    pub(super) fn keep(
        &self,
        values: &mut [f64],
        (kinds, run, scales): (&[Arc<dyn Kind>], &Run<'_>, &[f64]),
        (samples, links): (usize, &[Vec<Cell>]),
    ) -> Result<()> {
        let (d, width) = (scales.len(), values.len() / samples);
        for (frame, channel, value, _) in &self.pins {
            values.iter_mut().skip(frame * d + channel).step_by(width).for_each(|v| *v = *value);
        }
        let moved = parallel::tiles(samples, 1, |rows| {
            let s = rows.start;
            let mut sample = Sample {
                hard: self,
                run,
                scales,
                values: values[s * width..(s + 1) * width].to_vec(),
                links: links.get(s).map_or(Vec::new(), |pins| pins.iter().map(|pin| (pin.0, pin.1)).collect()),
                ranges: vec![ALL; width],
                projection: Projection::default(),
                wanted: vec![0.0; width / d],
            };
            sample.keep(s)?;
            sample.leave(kinds)?;
            Ok(sample.values)
        })?;
        values.copy_from_slice(&moved.concat());
        Ok(())
    }

    /// Whether a sample keeps the limits of a channel.
    fn kept(&self, channel: usize, sample: &[f64], run: &Run<'_>) -> bool {
        let of: Vec<f64> = sample.iter().skip(channel).step_by(run.channels.len()).copied().collect();
        let past = [run.last(1, channel), run.last(0, channel)];
        let within = |(order, bound): (usize, &Option<[f64; 2]>)| {
            let [low, high] = bound.unwrap_or(ALL);
            (0..of.len()).all(|t| (low..=high).contains(&difference(order, &of, past, t)))
        };
        self.bounds[channel].iter().enumerate().all(within)
    }
}

/// A sample on its way to what is hard.
struct Sample<'a> {
    hard: &'a Hard,
    run: &'a Run<'a>,
    /// `(D,)`: of each channel, its standard deviation.
    scales: &'a [f64],
    /// `(H, D)`
    values: Vec<f64>,
    /// Frames and channels of the joints by which links are at their goals.
    links: Vec<(usize, usize)>,
    /// `(H, D)`: where each cell has to be besides.
    ranges: Vec<[f64; 2]>,
    projection: Projection,
    /// `(H,)`: room for one channel.
    wanted: Vec<f64>,
}

impl Sample<'_> {
    /// Moves it to where the limits are kept.
    fn keep(&mut self, number: usize) -> Result<()> {
        for channel in 0..self.scales.len() {
            if self.hard.bounds[channel].iter().all(Option::is_none) || self.project(channel) {
                continue;
            }
            self.links.retain(|cell| cell.1 != channel);
            if !self.project(channel) {
                let what = format!("limits of `{}` in sample {number}", self.run.channels[channel].name);
                let expected = format!("one within {}", self.hard.told(channel, self.run));
                return Err(Error::data(what, "no motion", expected));
            }
        }
        Ok(())
    }

    /// Moves it out of what it has to keep out of, as far as limits and goals let it.
    fn leave(&mut self, kinds: &[Arc<dyn Kind>]) -> Result<()> {
        let d = self.scales.len();
        for _ in 0..ROUNDS {
            let mut pushed = Vec::new();
            for (t, frame) in self.values.chunks_exact(d).enumerate() {
                let free = |c: usize| !self.pinned(t, c);
                let mut push = |c, by| pushed.push((t * d + c, by));
                kinds.iter().try_for_each(|kind| kind.push(frame, self.scales, &free, &mut push))?;
            }
            let mut channels: Vec<usize> = pushed.iter().map(|(cell, _)| cell % d).collect();
            channels.sort_unstable();
            channels.dedup();
            if channels.is_empty() {
                return Ok(());
            }
            for (cell, by) in pushed {
                let [low, high] = self.hard.bounds[cell % d][0].unwrap_or(ALL);
                let to = (self.values[cell] + by).clamp(low, high);
                self.ranges[cell] = if by > 0.0 { [to, f64::INFINITY] } else { [f64::NEG_INFINITY, to] };
            }
            for channel in channels {
                if !self.project(channel) {
                    // It stays where it is: the limits go first.
                    self.ranges.iter_mut().skip(channel).step_by(d).for_each(|range| *range = ALL);
                }
            }
        }
        Ok(())
    }

    fn pinned(&self, t: usize, channel: usize) -> bool {
        self.hard.pins.iter().any(|pin| (pin.0, pin.1) == (t, channel)) || self.links.contains(&(t, channel))
    }

    /// Moves a channel to the nearest motion that keeps its limits and ranges; false, and nothing is moved, where there
    /// is none.
    fn project(&mut self, channel: usize) -> bool {
        let (d, scale) = (self.scales.len(), self.scales[channel]);
        let bounds = self.hard.narrowed(channel, scale);
        let column = self.values.iter().skip(channel).step_by(d);
        self.wanted.iter_mut().zip(column).for_each(|(to, v)| *to = v / scale);
        let past = [self.run.last(1, channel) / scale, self.run.last(0, channel) / scale];
        let pinned: Vec<bool> = (0..self.wanted.len()).map(|t| self.pinned(t, channel)).collect();
        let range = |t: usize| self.ranges[t * d + channel].map(|v| v / scale);
        let Some(motion) = self.projection.run(&self.wanted, past, &bounds, range, |t| pinned[t]) else { return false };
        let moves: Vec<usize> = (0..motion.len()).filter(|t| !pinned[*t] && motion[*t] != self.wanted[*t]).collect();
        let before: Vec<f64> = moves.iter().map(|t| self.values[t * d + channel]).collect();
        moves.iter().for_each(|t| self.values[t * d + channel] = motion[*t] * scale);
        let kept = self.hard.kept(channel, &self.values, self.run);
        if !kept {
            moves.iter().zip(before).for_each(|(t, value)| self.values[t * d + channel] = value);
        }
        kept
    }
}
