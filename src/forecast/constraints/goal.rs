//! Joints that have to be somewhere at a time: goals at the end, waypoints on the way. Links: `link_goal.rs`.

use super::check::Shown;
use super::entry::Entry;
use super::kind::{Hard, Kind, Run};
use super::place::LinkGoal;
use crate::error::Result;
use crate::forecast::{ForecastConditions, Observation};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What may be missed where the file says nothing: angles and lengths in the units of [`Entry::factor`].
const WITHIN: [(&str, f64); 5] = [("rad", 0.02), ("deg", 1.0), ("m", 0.005), ("cm", 0.5), ("mm", 5.0)];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    joints: Option<BTreeMap<String, f64>>,
    link: Option<String>,
    position: Option<[f64; 3]>,
    unit: Option<String>,
    at: Option<String>,
    within: Option<f64>,
    std: Option<f64>,
}

/// Channels at values in one frame.
#[derive(Debug)]
struct Goal {
    name: String,
    unit: String,
    within: f64,
    frame: usize,
    /// Channel, value in its unit, and what one of that is in `unit`.
    cells: Vec<(usize, f64, f64)>,
    /// Of a goal that may be missed, in `unit`; 0 for one that is met exactly.
    std: f64,
}

pub(super) fn read_goal(entry: &Entry<'_>) -> Result<Vec<Arc<dyn Kind>>> {
    read(entry, entry.read()?)
}

pub(super) fn read_waypoint(entry: &Entry<'_>) -> Result<Vec<Arc<dyn Kind>>> {
    let file: File = entry.read()?;
    match file.at.is_some() {
        true => read(entry, file),
        false => Err(entry.fault("no time", "at = \"1.5s\": when the motion passes there")),
    }
}

fn read(entry: &Entry<'_>, file: File) -> Result<Vec<Arc<dyn Kind>>> {
    let frame = entry.frame(file.at.as_deref())?;
    let unit = file.unit.as_deref();
    let usual = WITHIN.iter().find(|(name, _)| Some(*name) == unit).map_or(0.02, |(_, within)| *within);
    let within = entry.positive("within", file.within.unwrap_or(usual))?;
    match (file.joints, file.link, file.position) {
        (Some(joints), None, None) => {
            let mut cells: Vec<(usize, f64, f64)> = Vec::new();
            for (pattern, value) in joints {
                for channel in entry.matching(&pattern)? {
                    let factor = entry.factor(unit, channel)?;
                    if !value.is_finite() || cells.iter().any(|cell| cell.0 == channel) {
                        let expected = "a finite number for each, once";
                        return Err(entry.fault(format!("`{pattern}` = {value}"), expected));
                    }
                    cells.push((channel, value * factor, 1.0 / factor));
                }
            }
            if cells.is_empty() {
                return Err(entry.fault("no joint", "joints = { NAME = VALUE }"));
            }
            let std = file.std.map_or(Ok(0.0), |std| entry.positive("std", std))?;
            let unit = unit.unwrap_or_default().to_string();
            Ok(vec![Arc::new(Goal { name: entry.name.clone(), unit, within, frame, cells, std })])
        }
        (None, Some(link), Some(position)) if file.std.is_none() => {
            Ok(vec![Arc::new(LinkGoal::new(entry, (&link, position), (unit, within), frame)?)])
        }
        _ => Err(entry.fault("another choice of keys", "either joints, or link and position (which takes no std)")),
    }
}

impl Goal {
    fn value(&self, run: &Run<'_>, (channel, value, _): (usize, f64, f64)) -> f64 {
        run.turned(channel, value)
    }
}

impl Kind for Goal {
    fn name(&self) -> &str {
        &self.name
    }

    fn unit(&self) -> &str {
        &self.unit
    }

    fn within(&self) -> Option<f64> {
        Some(self.within)
    }

    fn missed(&self, motion: &[f64], run: &Run<'_>) -> Result<f64> {
        let d = run.channels.len();
        let frame = &motion[run.history.len() + self.frame * d..][..d];
        let miss = |cell: &(usize, f64, f64)| cell.2 * (frame[cell.0] - self.value(run, *cell)).abs();
        Ok(self.cells.iter().map(miss).fold(0.0, f64::max))
    }

    fn conditions(&self, to: ForecastConditions, run: &Run<'_>) -> Result<ForecastConditions> {
        let observe = |to: ForecastConditions, cell: &(usize, f64, f64)| {
            let (value, std) = (self.value(run, *cell), self.std / cell.2);
            to.observe(Observation { summands: vec![(self.frame, cell.0, 1.0)], value, std })
        };
        Ok(self.cells.iter().fold(to, observe))
    }

    fn bound(&self, hard: &mut Hard, run: &Run<'_>) {
        let pin = |cell: &(usize, f64, f64)| (self.frame, cell.0, self.value(run, *cell), self.name.clone());
        if self.std <= 0.0 {
            hard.pins.extend(self.cells.iter().map(pin));
        }
    }

    fn shown(&self, run: &Run<'_>) -> Shown {
        let band = |cell: &(usize, f64, f64)| {
            let (value, within) = (self.value(run, *cell), self.within / cell.2);
            (cell.0, [self.frame, self.frame + 1], [value - within, value + within])
        };
        Shown { bands: self.cells.iter().map(band).collect(), ..Shown::default() }
    }
}
