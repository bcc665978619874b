//! Limits on positions, velocities and accelerations: soft energies for the sampler, then exact bounds.

use super::check::Shown;
use super::entry::Entry;
use super::kind::{Hard, Kind, Run};
use super::project::{ALL, difference};
use crate::energy::differences::Differences;
use crate::error::Result;
use crate::forecast::ForecastConditions;
use crate::kinematics::JointBounds;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    unit: Option<String>,
    position: Option<Of<[f64; 2]>>,
    velocity: Option<Of<f64>>,
    acceleration: Option<Of<f64>>,
    /// Of a soft limit besides, the standard deviation as a share of the limited range.
    soften: Option<f64>,
}

/// The limits of one order, by patterns of names, or `"urdf"`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Of<T> {
    Named(String),
    Channels(BTreeMap<String, T>),
}

/// Limits on the differences of one order, a value or none for each channel.
#[derive(Debug)]
struct Limits {
    name: String,
    unit: String,
    order: usize,
    /// `(D,)`: lowest and highest in the channel's unit, a second for velocities.
    bounds: Vec<Option<[f64; 2]>>,
    /// `(D,)`: what one of a channel's unit is in `unit`.
    scale: Vec<f64>,
    soften: Option<f64>,
}

pub(super) fn read(entry: &Entry<'_>) -> Result<Vec<Arc<dyn Kind>>> {
    let file: File = entry.read()?;
    let unit = file.unit.as_deref();
    let soften = file.soften.map(|share| entry.positive("soften", share)).transpose()?;
    let both = |of: Option<Of<f64>>| match of {
        None => None,
        Some(Of::Named(name)) => Some(Of::Named(name)),
        Some(Of::Channels(map)) => Some(Of::Channels(map.into_iter().map(|(k, v)| (k, [-v, v])).collect())),
    };
    let orders = [
        (0, "position", file.position, lower_and_upper as fn(&JointBounds) -> _),
        (1, "velocity", both(file.velocity), speed),
        (2, "acceleration", both(file.acceleration), |_| None),
    ];
    let mut kinds: Vec<Arc<dyn Kind>> = Vec::new();
    for (order, word, of, in_robot) in orders {
        let Some(of) = of else { continue };
        let mut bounds = vec![None; entry.channels.len()];
        let mut scale = vec![1.0; entry.channels.len()];
        match of {
            Of::Named(name) if name == "urdf" => {
                for (channel, limits) in entry.robot()?.channel_limits(&entry.named())? {
                    bounds[channel] = in_robot(&limits);
                }
            }
            Of::Named(name) => {
                return Err(entry.fault(format!("{word} = \"{name}\""), "\"urdf\", or limits by channel"));
            }
            Of::Channels(map) => {
                for (pattern, [low, high]) in map {
                    if !(low < high && low.is_finite() && high.is_finite()) {
                        let expected = if order == 0 { "the lower end first" } else { "a positive number" };
                        return Err(entry.fault(format!("{word} of `{pattern}` from {low} to {high}"), expected));
                    }
                    for channel in entry.matching(&pattern)? {
                        let factor = entry.factor(unit, channel)?;
                        (bounds[channel], scale[channel]) = (Some([low * factor, high * factor]), 1.0 / factor);
                    }
                }
            }
        }
        if bounds.iter().all(Option::is_none) {
            let expected = "limits of the robot's joints (URDF has none of accelerations)";
            return Err(entry.fault(format!("{word} without any"), expected));
        }
        let own = unit.or_else(|| entry.channels.iter().find_map(|c| c.unit.as_deref())).unwrap_or("");
        let unit = [own.to_string(), format!("{own}/s"), format!("{own}/s^2")][order].clone();
        let name = format!("{word} of {}", entry.name);
        kinds.push(Arc::new(Limits { name, unit, order, bounds, scale, soften }));
    }
    match kinds.is_empty() {
        true => Err(entry.fault("no limit", "position, velocity or acceleration")),
        false => Ok(kinds),
    }
}

fn lower_and_upper(limits: &JointBounds) -> Option<[f64; 2]> {
    let (lower, upper) = (limits.lower, limits.upper);
    (lower.is_some() || upper.is_some()).then(|| [lower.unwrap_or(f64::NEG_INFINITY), upper.unwrap_or(f64::INFINITY)])
}

fn speed(limits: &JointBounds) -> Option<[f64; 2]> {
    limits.velocity.map(|v| [-v, v])
}

impl Limits {
    /// The bounds of a channel in its unit and frames.
    fn in_frames(&self, channel: usize, rate_hz: f64) -> Option<[f64; 2]> {
        self.bounds[channel].map(|bound| bound.map(|v| v / rate_hz.powi(self.order as i32)))
    }
}

impl Kind for Limits {
    fn name(&self) -> &str {
        &self.name
    }

    fn unit(&self) -> &str {
        &self.unit
    }

    fn within(&self) -> Option<f64> {
        Some(0.0)
    }

    fn missed(&self, motion: &[f64], run: &Run<'_>) -> Result<f64> {
        let d = run.channels.len();
        let first = run.history.len() / d;
        let mut worst = 0f64;
        for (channel, bound) in self.bounds.iter().enumerate() {
            let Some([low, high]) = bound else { continue };
            let of: Vec<f64> = motion.iter().skip(first * d + channel).step_by(d).copied().collect();
            let past = [run.last(1, channel), run.last(0, channel)];
            for t in 0..of.len() {
                let value = difference(self.order, &of, past, t) * run.rate_hz.powi(self.order as i32);
                worst = worst.max(self.scale[channel] * (low - value).max(value - high));
            }
        }
        Ok(worst)
    }

    fn conditions(&self, to: ForecastConditions, run: &Run<'_>) -> Result<ForecastConditions> {
        let Some(soften) = self.soften else { return Ok(to) };
        let of = |channel: usize| match self.in_frames(channel, run.rate_hz) {
            Some([low, high]) if low.is_finite() && high.is_finite() => {
                ([low, high], 0.5 / (soften * (high - low)).powi(2))
            }
            // A range that is open at one end has no width to be soft by: the final step keeps it.
            _ => (ALL, 0.0),
        };
        let energy = Differences::new(self.order, (0..run.channels.len()).map(of).collect())?;
        let curvature = energy.curvature();
        Ok(match curvature > 0.0 {
            true => to.energy_over(0..run.horizon, self.order + 1, energy, curvature),
            false => to,
        })
    }

    fn bound(&self, hard: &mut Hard, run: &Run<'_>) {
        for channel in 0..self.bounds.len() {
            if let Some(bound) = self.in_frames(channel, run.rate_hz) {
                hard.narrow(channel, self.order, bound, &self.name);
            }
        }
    }

    fn shown(&self, run: &Run<'_>) -> Shown {
        let band = |(channel, bound): (usize, &Option<[f64; 2]>)| bound.map(|bound| (channel, [0, run.horizon], bound));
        let bands = self.bounds.iter().enumerate().filter_map(band).filter(|_| self.order == 0).collect();
        Shown { bands, ..Shown::default() }
    }
}
