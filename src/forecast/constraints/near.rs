//! Staying near a plan: a log whose times count from the last known frame.

use super::entry::Entry;
use super::kind::{Kind, Run, apart};
use crate::error::{Error, Result};
use crate::forecast::ForecastConditions;
use crate::trajectory::{ReadOptions, Recording};
use serde::Deserialize;
use std::path::Path;
use std::sync::Arc;

/// Rows of a plan may be so many times as far from each other as they usually are.
const GAPS: f64 = 1000.0;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    plan: String,
    /// By how much the plan may be missed, a standard deviation in `unit`.
    std: f64,
    unit: Option<String>,
    channels: Option<String>,
}

#[derive(Debug)]
struct Near {
    name: String,
    unit: String,
    std: f64,
    /// The plan's channels, and what one of their unit is in `unit`.
    channels: Vec<(usize, f64)>,
    /// `(H)`: the plan in each frame, a value for each of them; `None` before it begins and after it ends.
    plan: Vec<Option<Vec<f64>>>,
}

pub(super) fn read(entry: &Entry<'_>) -> Result<Vec<Arc<dyn Kind>>> {
    let file: File = entry.read()?;
    let path = entry.file.parent().unwrap_or(Path::new("")).join(&file.plan);
    let log = Recording::read(&[&path], &ReadOptions { max_gap: GAPS, ..ReadOptions::default() })?;
    let [episode] = &log.episodes[..] else {
        return Err(entry.fault(format!("{} episodes in the plan", log.episodes.len()), "one"));
    };
    let (mut channels, mut columns) = (Vec::new(), Vec::new());
    for channel in entry.matching(file.channels.as_deref().unwrap_or("*"))? {
        let own = &entry.channels[channel];
        let Some(column) = log.channels.iter().position(|c| c.name == own.name) else { continue };
        if log.channels[column].unit != own.unit {
            let unit = |of: &Option<String>| of.clone().unwrap_or("no unit".into());
            let found = format!("`{}` in {} in the plan", own.name, unit(&log.channels[column].unit));
            return Err(entry.fault(found, format!("{}, as in the model", unit(&own.unit))));
        }
        channels.push((channel, 1.0 / entry.factor(file.unit.as_deref(), channel)?));
        columns.push(column);
    }
    if channels.is_empty() {
        return Err(entry.fault("a plan of other channels", "at least one of the model's"));
    }
    let (times, width) = (&episode.time_secs, log.channels.len());
    let at = |frame: usize| {
        let secs = (frame + 1) as f64 / entry.rate_hz;
        let after = times.partition_point(|time| *time < secs - 1e-9);
        let to = *times.get(after)?;
        let before = if to <= secs + 1e-9 { after } else { after.checked_sub(1)? };
        let share = if before == after { 0.0 } else { (secs - times[before]) / (to - times[before]) };
        let value = |column: &usize| {
            let [a, b] = [before, after].map(|row| episode.values[row * width + column]);
            a + share * (b - a)
        };
        Some(columns.iter().map(value).collect())
    };
    let plan: Vec<Option<Vec<f64>>> = (0..entry.horizon).map(at).collect();
    if plan.iter().all(Option::is_none) {
        let expected = format!(
            "times in seconds from the last known frame on, within {:.2} s",
            entry.horizon as f64 / entry.rate_hz
        );
        return Err(Error::data(path.display().to_string(), "a plan that no frame of the forecast lies in", expected));
    }
    let (name, unit) = (entry.name.clone(), file.unit.unwrap_or_default());
    Ok(vec![Arc::new(Near { name, unit, std: entry.positive("std", file.std)?, channels, plan })])
}

impl Kind for Near {
    fn name(&self) -> &str {
        &self.name
    }

    fn unit(&self) -> &str {
        &self.unit
    }

    fn within(&self) -> Option<f64> {
        None
    }

    fn missed(&self, motion: &[f64], run: &Run<'_>) -> Result<f64> {
        let d = run.channels.len();
        let (mut sum, mut count) = (0.0, 0);
        for (frame, plan) in motion[run.history.len()..].chunks_exact(d).zip(&self.plan) {
            for ((channel, scale), value) in self.channels.iter().zip(plan.iter().flatten()) {
                sum += (scale * (frame[*channel] - run.turned(*channel, *value))).powi(2);
                count += 1;
            }
        }
        Ok((sum / count.max(1) as f64).sqrt())
    }

    fn conditions(&self, to: ForecastConditions, run: &Run<'_>) -> Result<ForecastConditions> {
        let apart = apart(self.channels.len());
        let plan = self.plan.iter().enumerate().skip(apart - 1).step_by(apart);
        let cells =
            plan.flat_map(|(frame, plan)| self.channels.iter().zip(plan.iter().flatten()).map(move |c| (frame, c)));
        let observe = |to: ForecastConditions, (frame, ((channel, scale), value)): (usize, (&(usize, f64), &f64))| {
            let std = self.std / scale / (apart as f64).sqrt();
            to.near(*channel, frame, run.turned(*channel, *value), std)
        };
        Ok(cells.fold(to, observe))
    }
}
