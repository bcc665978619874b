//! `ebmotion predict`.

use super::args::PredictArgs;
use super::console::Console;
use super::output::{self, Inputs};
use super::train;
use ebmotion::anomaly::Detector;
use ebmotion::forecast::{ConstraintCheck, Constraints, Forecast, Model, Request};
use ebmotion::kinematics::Robot;
use ebmotion::trajectory::{Episode, Frames, Recording};
use ebmotion::{Error, Result};
use std::path::Path;

pub(super) fn run(args: &PredictArgs, console: &mut Console) -> Result<()> {
    let csv = output::is_csv(Some(&args.output))?;
    let inputs = Recording::files(std::slice::from_ref(&args.log))?;
    let [poses, checks] = ["links.csv", "constraints.csv"].map(|ending| args.output.with_extension(ending));
    let checked = args.constraint.as_ref().filter(|_| csv).map(|_| &checks);
    let outputs = [Some(&args.output), args.robot.urdf.as_ref().map(|_| &poses), checked];
    let inputs = Inputs::new(inputs.iter().chain([&args.model]).chain(&args.robot.urdf).chain(&args.constraint));
    inputs.spared_by(outputs.into_iter().flatten())?;
    output::check_writable(&args.output)?;
    let device = args.device.open()?;
    let model = args.sampler.apply(Model::load(&args.model)?)?.on(&device)?;
    let (_, frames) = train::read_frames_for(&model, std::slice::from_ref(&args.log), &args.read)?;
    let drive = args.robot.drive(&frames.channels)?;
    console.notes(&frames.notes);
    let episode = choose(&frames.episodes, args.episode.as_deref())?;
    let rate = frames.rate_hz;
    let horizon = args.horizon.horizon(rate)?;
    let start = args.at.map_or(frames.episodes[episode].time_secs.len(), |at| at.frames(rate));
    let seen = start.saturating_sub(model.forecaster().context_frames())..start;
    let unfamiliar = model.unfamiliar(&frames, episode..episode + 1, seen);
    train::say_unfamiliar(&unfamiliar, args.strict, console)?;
    let unusual = unusual(args, &model, (&frames, episode, start), console)?;
    let request = Request { horizon, samples: args.samples };
    let mut forecast = draw(args, &model, (&frames, episode, start), &request)?;
    forecast.model = args.model.display().to_string();
    forecast.notes.extend(unfamiliar.iter().map(ToString::to_string));
    if let Some((p_value, note)) = unusual {
        forecast.origins.iter_mut().for_each(|origin| origin.p_value = Some(p_value));
        note.iter().for_each(|note| console.say(&format!("warning: {note}")));
        forecast.notes.extend(note);
    }
    match csv {
        true => forecast.write_csv(&args.output)?,
        false => forecast.write_json(&args.output)?,
    }
    console.say(&format!(
        "{}: {} futures of {horizon} frames ({} s) from second {:.2} of `{}` on, at {:.6} s of the log",
        args.output.display(),
        args.samples,
        horizon as f64 / rate,
        start as f64 / rate,
        frames.episodes[episode].id,
        forecast.origins.first().map_or(0.0, |origin| origin.time_secs)
    ));
    forecast.constraints.iter().for_each(|check| console.say(&told(check)));
    if let Some(path) = checked {
        forecast.write_constraints(path)?;
        console.say(&format!("{}: what became of each constraint in every sample", path.display()));
    }
    if let Some(drive) = &drive {
        forecast.write_link_poses(drive, &poses)?;
        console.say(&format!("{}: poses of {}", poses.display(), drive.links().join(", ")));
    }
    if !csv {
        console.say(&format!("next: ebmotion view {} -o forecast.rrd", args.output.display()));
    }
    Ok(())
}

/// The futures that are asked for, under constraints where there are some.
fn draw(
    args: &PredictArgs,
    model: &Model,
    (frames, episode, start): (&Frames, usize, usize),
    request: &Request,
) -> Result<Forecast> {
    let Some(path) = &args.constraint else {
        return model.forecast_episode(frames, episode, start, request, args.seed);
    };
    let constraints = constraints(path, model, request.horizon, args.robot.robot()?.as_ref())?;
    model.forecast_episode_constrained(frames, (episode, start), request, &constraints, args.seed)
}

/// The constraints of a TOML file.
fn constraints(path: &Path, model: &Model, horizon: usize, robot: Option<&Robot>) -> Result<Constraints> {
    let text = std::fs::read_to_string(path).map_err(Error::io(path, "read"))?;
    let settings: serde_json::Value =
        toml::from_str(&text).map_err(|e| Error::config(path.display().to_string(), e, "TOML"))?;
    model.constraints(&settings, path, horizon, robot)
}

/// A constraint and what became of it, in a line.
fn told(check: &ConstraintCheck) -> String {
    let ConstraintCheck { name, unit, missed, met, within, .. } = check;
    let worst = missed.iter().copied().fold(0.0, f64::max);
    match within {
        Some(_) => {
            let count = met.iter().filter(|met| **met).count();
            format!("{name}: met in {count} of {} samples, missed by at most {worst:.4} {unit}", met.len())
        }
        None => format!("{name}: a root mean square of at most {worst:.4} {unit}"),
    }
}

/// Motion before a forecast that is as rare as this, as a share of normal motion, is told.
const RARE: f64 = 0.01;

/// How rare motion like that before the forecast is, and what there is to say of it; `None` where the model is not
/// calibrated or the episode has not enough frames to look at.
fn unusual(
    args: &PredictArgs,
    model: &Model,
    (frames, episode, start): (&Frames, usize, usize),
    console: &Console,
) -> Result<Option<(f64, Option<String>)>> {
    let detector = match Detector::load(model, &args.model) {
        Err(e @ Error::Model { .. }) => {
            console.say(&format!("note: how usual the motion before the forecast is cannot be told: {e}"));
            return Ok(None);
        }
        other => other?,
    };
    let Some(found) = detector.before(frames, episode, start)? else { return Ok(None) };
    let channel = found.channel.map_or(String::new(), |c| format!(", channel `{}`", frames.channels[c].name));
    let note = format!(
        "the {:.2} s before the forecast are unfamiliar, p = {:.2e} ({}{channel}): futures may be wrong",
        detector.frames() as f64 / frames.rate_hz,
        found.p_value,
        found.leading
    );
    // Of few normal stretches none is as rare as that: then the strangest of all counts.
    let least = 1.0 / (detector.calibrated_on() + 1) as f64;
    match found.p_value <= RARE.max(least) {
        true if args.strict => {
            Err(Error::data("motion of the log", note, "motion like that of the training, by --strict"))
        }
        rare => Ok(Some((found.p_value, rare.then_some(note)))),
    }
}

/// The episode that is `wanted`, the last where none is.
pub(super) fn choose(episodes: &[Episode], wanted: Option<&str>) -> Result<usize> {
    let found = match wanted {
        None => episodes.len().checked_sub(1),
        // An episode is known by its whole name or by what its file calls it.
        Some(id) => episodes.iter().position(|e| e.id == id || e.id.rsplit('/').next() == Some(id)),
    };
    found.ok_or_else(|| {
        let names: Vec<&str> = episodes.iter().map(|e| e.id.as_str()).take(12).collect();
        let more = if episodes.len() > names.len() { ", ..." } else { "" };
        Error::data("episode", wanted.unwrap_or("none"), format!("one of {}{more}", names.join(", ")))
    })
}
