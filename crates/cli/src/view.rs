//! `ebmotion view`: forecasts as rerun recordings.

use super::args::ViewArgs;
use super::console::Console;
use super::output::Inputs;
use ebmotion::Result;
use ebmotion::forecast::Forecast;
use std::path::Path;

pub(super) fn run(args: &ViewArgs, console: &mut Console) -> Result<()> {
    Inputs::new([&args.forecast]).spared_by(&args.output)?;
    let forecasts = Forecast::read_json_of(&args.forecast)?;
    if let Some(path) = &args.output {
        write(&forecasts, path)?;
        console.say(&format!("{}: open it with `rerun {}`", path.display(), path.display()));
    }
    if args.spawn {
        spawn(&forecasts)?;
    }
    Ok(())
}

#[cfg(not(feature = "rerun"))]
pub(super) fn left_out() -> ebmotion::Error {
    ebmotion::Error::LeftOut { what: "recordings", feature: "rerun" }
}

#[cfg(not(feature = "rerun"))]
pub(super) fn write(_: &[Forecast], _: &Path) -> Result<()> {
    Err(left_out())
}

#[cfg(not(feature = "rerun"))]
fn spawn(_: &[Forecast]) -> Result<()> {
    Err(left_out())
}

#[cfg(feature = "rerun")]
pub(super) use with_rerun::{refused, spawn, write};

#[cfg(feature = "rerun")]
mod with_rerun {
    use super::{Forecast, Path, Result};
    use crate::embedded;
    use ebmotion::Error;
    use ebmotion::kinematics::Skeleton;
    use ebmotion_viz::{Band, ChannelLabel, Links3d, Scene, Skeleton3d, VizError};

    /// Samples drawn as hands: more would hide each other.
    const HANDS: usize = 6;

    pub(crate) fn write(forecasts: &[Forecast], path: &Path) -> Result<()> {
        ebmotion_viz::write(&scenes(forecasts)?, path).map_err(refused)
    }

    pub(crate) fn spawn(forecasts: &[Forecast]) -> Result<()> {
        ebmotion_viz::spawn(&scenes(forecasts)?).map_err(refused)
    }

    /// An error of a recording as ours.
    pub(crate) fn refused(error: VizError) -> Error {
        match error {
            VizError::Io { path, action, source } => Error::Io { path, action, source },
            other => Error::unsupported("rerun", "take the recording", other),
        }
    }

    fn scenes(forecasts: &[Forecast]) -> Result<Vec<Scene>> {
        let hand = embedded::hand_skeleton()?;
        let several = forecasts.len() > 1;
        forecasts.iter().map(|f| scene(f, &hand, several)).collect()
    }

    /// The first window of a forecast; one of `several` is named by its time too.
    fn scene(f: &Forecast, hand: &Skeleton, several: bool) -> Result<Scene> {
        let names: Vec<&str> = f.channels.iter().map(|c| c.name.as_str()).collect();
        let [_, samples, horizon, d] = f.futures.shape();
        let rows = |values: &[f64]| -> Vec<Vec<f64>> { values.chunks_exact(d).map(<[f64]>::to_vec).collect() };
        let origin = &f.origins[0];
        let (history, truth) = (rows(&origin.history), rows(&origin.truth));
        let futures: Vec<Vec<Vec<f64>>> = (0..samples).map(|s| rows(f.futures.future(0, s))).collect();
        let skeleton = if hand.matches(&names) {
            let point = |p: [f64; 3]| p.map(|v| v as f32);
            let draw = |frames: &[Vec<f64>]| -> Result<Vec<Vec<[f32; 3]>>> {
                let pose = |frame: &Vec<f64>| Ok(hand.points(&names, frame)?.into_iter().map(point).collect());
                frames.iter().map(pose).collect()
            };
            Some(Skeleton3d {
                links: hand.links(),
                history: draw(&history)?,
                truth: if truth.is_empty() { None } else { Some(draw(&truth)?) },
                samples: futures.iter().take(HANDS).map(|s| draw(s)).collect::<Result<_>>()?,
            })
        } else {
            None
        };
        let energies = f.energies.as_ref();
        Ok(Scene {
            name: if several { origin.name() } else { origin.episode.clone().unwrap_or_default() },
            rate_hz: f.rate_hz,
            channels: f
                .channels
                .iter()
                .map(|c| ChannelLabel { name: c.name.clone(), unit: c.unit.clone().unwrap_or_default() })
                .collect(),
            history,
            truth: if truth.is_empty() { None } else { Some(truth) },
            samples: futures,
            energies: energies.map(|e| e.chunks_exact(horizon).take(samples).map(<[f64]>::to_vec).collect()),
            skeleton,
            bands: f
                .constraints
                .iter()
                .flat_map(|check| &check.bands)
                .map(|(channel, frames, range)| Band { channel: *channel, frames: *frames, range: *range })
                .collect(),
            links: links(f),
        })
    }

    /// Spheres of the constraints, and where the links that they are about go.
    fn links(f: &Forecast) -> Option<Links3d> {
        let point = |p: &[f64; 3]| p.map(|v| v as f32);
        let mut all = Links3d::default();
        for check in &f.constraints {
            all.spheres.extend(check.spheres.iter().map(|(centre, radius)| (point(centre), *radius as f32)));
            let paths = check.paths.iter().flat_map(|(_, paths)| paths);
            all.paths.extend(paths.map(|path| path.iter().map(point).collect::<Vec<_>>()));
        }
        (!all.spheres.is_empty()).then_some(all)
    }
}
