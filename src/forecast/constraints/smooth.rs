//! Smooth motion: accelerations cost as much as normal numbers of a standard deviation would.

use super::entry::Entry;
use super::kind::{Kind, Run, apart};
use super::project::difference;
use crate::error::Result;
use crate::forecast::{ForecastConditions, Observation};
use serde::Deserialize;
use std::sync::Arc;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// Standard deviation of accelerations, `unit` a second squared.
    acceleration: f64,
    unit: Option<String>,
    channels: Option<String>,
}

#[derive(Debug)]
struct Smooth {
    name: String,
    unit: String,
    std: f64,
    /// `(D,)`: what one of a channel's unit is in `unit`; `None` for a channel that is left alone.
    scale: Vec<Option<f64>>,
}

pub(super) fn read(entry: &Entry<'_>) -> Result<Vec<Arc<dyn Kind>>> {
    let file: File = entry.read()?;
    let mut scale = vec![None; entry.channels.len()];
    for channel in entry.matching(file.channels.as_deref().unwrap_or("*"))? {
        scale[channel] = Some(1.0 / entry.factor(file.unit.as_deref(), channel)?);
    }
    let std = entry.positive("acceleration", file.acceleration)?;
    let unit = format!("{}/s^2", file.unit.unwrap_or_default());
    Ok(vec![Arc::new(Smooth { name: entry.name.clone(), unit, std, scale })])
}

impl Kind for Smooth {
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
        for (channel, scale) in self.scale.iter().enumerate().filter_map(|(c, s)| s.map(|s| (c, s))) {
            let of: Vec<f64> = motion.iter().skip(run.history.len() + channel).step_by(d).copied().collect();
            let past = [run.last(1, channel), run.last(0, channel)];
            let faster = |t: usize| scale * difference(2, &of, past, t) * run.rate_hz.powi(2);
            sum += (0..of.len()).map(|t| faster(t).powi(2)).sum::<f64>();
            count += of.len();
        }
        Ok((sum / count.max(1) as f64).sqrt())
    }

    fn conditions(&self, to: ForecastConditions, run: &Run<'_>) -> Result<ForecastConditions> {
        let channels: Vec<(usize, f64)> =
            self.scale.iter().enumerate().filter_map(|(c, s)| s.map(|s| (c, s))).collect();
        let apart = apart(channels.len());
        let frames = (2..run.horizon).step_by(apart);
        let cells = frames.flat_map(|t| channels.iter().map(move |c| (t, *c)));
        let observe = |to: ForecastConditions, (t, (c, scale)): (usize, (usize, f64))| {
            let std = self.std / (scale * run.rate_hz.powi(2) * (apart as f64).sqrt());
            to.observe(Observation { summands: vec![(t - 2, c, 1.0), (t - 1, c, -2.0), (t, c, 1.0)], value: 0.0, std })
        };
        Ok(cells.fold(to, observe))
    }
}
