//! What a forecast must be besides likely, in a user's words: limits, goals, waypoints, spheres to keep out of, smooth
//! motion, a plan to stay near.
//!
//! Each kind is a file of its own and a row of [`KINDS`]. To the sampler it is an energy with an analytic gradient, or
//! an observation where it is one exactly ([`super::ForecastConditions`]). Limits and goals are also kept to the last
//! digit: when all is drawn, each sample is moved to the nearest motion that keeps them ([`project`]).

mod check;
mod entry;
mod goal;
mod hard;
mod keep_out;
mod kind;
mod limits;
mod link_goal;
mod near;
mod place;
mod project;
mod smooth;
#[cfg(test)]
mod tests;

pub use check::ConstraintCheck;
pub(super) use kind::{Cell, Hard, Run};
pub(super) use place::LinkGoal;

use super::conditions::ForecastConditions;
use crate::error::{Error, Result};
use crate::kinematics::{Drive, Poses, Robot};
use crate::trajectory::Channel;
use check::Shown;
use entry::Entry;
use kind::Kind;
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;

/// How the entries of one key of the file are read: one entry may be several constraints.
type Read = fn(&Entry<'_>) -> Result<Vec<Arc<dyn Kind>>>;

/// The keys of the file.
const KINDS: [(&str, Read); 6] = [
    ("limits", limits::read),
    ("goal", goal::read_goal),
    ("waypoint", goal::read_waypoint),
    ("keep_out", keep_out::read),
    ("smooth", smooth::read),
    ("near", near::read),
];

/// What a forecast must be besides likely: the entries of a constraint file, checked against a model's channels.
///
/// ```
/// # use ebmotion::forecast::{Dataset, Request, RunConfig};
/// # use ebmotion::{event::Silent, forecast::Model};
/// # fn main() -> ebmotion::Result<()> {
/// # let config = RunConfig::default().with_one("train.steps", "20")?;
/// # let data = Dataset::read(&["data/hand_gestures/hand_gestures.csv.gz"], &config)?;
/// # let model = Model::train(&data, &config, None, false, &mut Silent)?;
/// # let past = data.frames.episodes[0].values.to_vec();
/// let asked = serde_json::json!({ // what `ebmotion predict --constraint` reads as TOML
///     "limits": { "velocity": { "q_FF*": 3.0 }, "unit": "rad" },
///     "goal": [{ "joints": { "q_FFJ3": 0.1, "q_FFJ2": 0.6 }, "unit": "rad", "at": "1s" }],
/// });
/// let request = Request { horizon: 25, samples: 16 };
/// let constraints = model.constraints(&asked, "asked".as_ref(), request.horizon, None)?;
/// let forecast = model.forecast_constrained(&past, &request, &constraints, 7)?;
/// assert!(forecast.constraints.iter().all(|check| check.met.iter().all(|met| *met)));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Constraints {
    kinds: Vec<Arc<dyn Kind>>,
    /// For a horizon of so many frames.
    horizon: usize,
    /// Steps towards the mode of the energies at each noise level, where the file says how many.
    steps: Option<usize>,
}

impl Constraints {
    /// The entries `settings` of a constraint file, `docs/constraints.md`, for forecasts of `horizon` frames of
    /// `channels` at `rate_hz`. `file` names them in messages, and paths in them are relative to its folder. Limits
    /// from a URDF file and constraints on links need a `robot`.
    ///
    /// # Errors
    /// [`Error::Data`] naming the entry, for a key or a value that is none, a unit that does not fit a channel, a
    /// channel or link that is not there, and a time beyond the horizon; those of reading a plan.
    pub(super) fn new(
        settings: &Value,
        file: &Path,
        (channels, rate_hz): (&[Channel], f64),
        horizon: usize,
        robot: Option<&Robot>,
    ) -> Result<Self> {
        let known = || KINDS.map(|(key, _)| key).join(", ");
        let wrong = |found: String| Error::data(file.display().to_string(), found, format!("entries of {}", known()));
        let Some(table) = settings.as_object().filter(|table| !table.is_empty()) else {
            return Err(wrong("none".into()));
        };
        if let Some(unknown) = table.keys().find(|key| *key != "steps" && !KINDS.iter().any(|(k, _)| k == key)) {
            return Err(wrong(format!("`{unknown}`")));
        }
        let mut kinds = Vec::new();
        for (key, read) in KINDS {
            let entries = match table.get(key) {
                None => continue,
                Some(Value::Array(several)) => {
                    several.iter().enumerate().map(|(i, one)| (format!("{key} {}", i + 1), one)).collect()
                }
                Some(one) => vec![(key.to_string(), one)],
            };
            for (name, value) in entries {
                let entry = Entry {
                    name: format!("{name} of {}", file.display()),
                    value,
                    file,
                    channels,
                    rate_hz,
                    horizon,
                    robot,
                };
                kinds.extend(read(&entry)?);
            }
        }
        let steps = match table.get("steps") {
            None => None,
            Some(steps) => match steps.as_u64().filter(|steps| (1..=1000).contains(steps)) {
                Some(steps) => Some(steps as usize),
                None => return Err(wrong(format!("steps = {steps}"))),
            },
        };
        Ok(Self { kinds, horizon, steps })
    }

    /// Frames of the forecasts that they are for.
    pub(super) fn horizon(&self) -> usize {
        self.horizon
    }

    /// What tells the sampler of them.
    pub(super) fn conditions(&self, run: &Run<'_>) -> Result<ForecastConditions> {
        let new = ForecastConditions { steps: self.steps, ..ForecastConditions::new() };
        self.kinds.iter().try_fold(new, |to, kind| kind.conditions(to, run))
    }

    /// What each sample keeps to the last digit.
    pub(super) fn hard(&self, run: &Run<'_>) -> Hard {
        let d = run.channels.len();
        let mut hard = Hard { bounds: vec![[None; 3]; d], from: vec![Default::default(); d], pins: Vec::new() };
        self.kinds.iter().for_each(|kind| kind.bound(&mut hard, run));
        hard
    }

    /// Moves samples `(S, H, D)` to what is hard, as [`Hard::keep`] does.
    pub(super) fn keep(
        &self,
        hard: &Hard,
        values: &mut [f64],
        (run, scales): (&Run<'_>, &[f64]),
        (samples, links): (usize, &[Vec<Cell>]),
    ) -> Result<()> {
        hard.keep(values, (&self.kinds, run, scales), (samples, links))
    }

    /// What became of each in some motions, history and future `(K + H, D)` each.
    pub(super) fn check(&self, run: &Run<'_>, motions: &[Vec<f64>]) -> Result<Vec<ConstraintCheck>> {
        let of = |kind: &Arc<dyn Kind>| -> Result<ConstraintCheck> {
            let missed = motions.iter().map(|motion| kind.missed(motion, run)).collect::<Result<Vec<_>>>()?;
            let within = kind.within();
            let met = within.iter().flat_map(|within| missed.iter().map(move |missed| missed <= within)).collect();
            let Shown { bands, spheres, drive } = kind.shown(run);
            let (name, unit) = (kind.name().into(), kind.unit().into());
            let paths = drive.map_or(Ok(Vec::new()), |drive| paths(&drive, run, motions))?;
            Ok(ConstraintCheck { name, unit, within, missed, met, bands, spheres, paths })
        };
        self.kinds.iter().map(of).collect()
    }

    /// The places that links have to reach.
    pub(super) fn link_goals(&self) -> Vec<&LinkGoal> {
        self.kinds.iter().filter_map(|kind| kind.link_goal()).collect()
    }
}

/// A link, and its places in the frames of some samples.
type LinkPaths = (String, Vec<Vec<[f64; 3]>>);

/// Where the links of a drive are in the frames of the first motions, after their histories.
fn paths(drive: &Drive, run: &Run<'_>, motions: &[Vec<f64>]) -> Result<Vec<LinkPaths>> {
    let mut room = Poses::default();
    let mut all: Vec<_> = drive.links().iter().map(|link| (link.clone(), Vec::new())).collect();
    for motion in motions.iter().take(PATHS) {
        all.iter_mut().for_each(|(_, paths)| paths.push(Vec::new()));
        for frame in motion[run.history.len()..].chunks_exact(run.channels.len()) {
            for ((_, paths), pose) in all.iter_mut().zip(drive.place(frame, &mut room)?) {
                paths.iter_mut().last().into_iter().for_each(|path| path.push(pose.translation.vector.into()));
            }
        }
    }
    Ok(all)
}

/// Samples whose links' paths are kept for pictures.
const PATHS: usize = 6;
