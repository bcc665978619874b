//! `ebmotion train`.

use super::args::{ReadArgs, TrainArgs, key_value};
use super::console::Console;
use super::output::{self, Inputs};
use super::telemetry::Telemetry;
use ebmotion::anomaly::Detector;
use ebmotion::forecast::{Dataset, Model, RunConfig, Unfamiliar};
use ebmotion::trajectory::{Frames, Recording};
use ebmotion::{Error, Result};
use ebmotion_logs::files;
use std::path::Path;

/// Fewer validation episodes than this say little about the rate on others.
const FEW_EPISODES: usize = 10;

pub(super) fn run(args: &TrainArgs, console: &mut Console) -> Result<()> {
    let config = resolve(args)?;
    if args.print_config {
        return output::print(&config_text(&config)?);
    }
    let Some(path) = args.output.as_deref() else {
        return Err(Error::config("output", "nothing", "the file that the model is written to"));
    };
    let device = args.device.open()?;
    let [checkpoint, settings, telemetry] =
        ["checkpoint", "config.toml", "telemetry.jsonl"].map(|suffix| output::beside(path, suffix));
    let outputs = [path, &checkpoint, &settings, &telemetry];
    Inputs::new(Recording::files(&args.logs)?.iter().chain(&args.config)).spared_by(outputs)?;
    output::check_model(path, &checkpoint, args.resume, args.overwrite)?;
    let dataset = Dataset::read(&args.logs, &config)?.on(device);
    console.notes(&dataset.frames.notes);
    let config = config.for_data(&dataset)?;
    let split = &dataset.split;
    console.say(&format!(
        "{} channels at {} Hz; episodes: {} training, {} validation, {} kept for the report",
        dataset.frames.channels.len(),
        dataset.frames.rate_hz,
        split.train.len(),
        split.validation.len(),
        split.test.len()
    ));
    console.say(&format!("chunks of {} frames, {} steps", config.model.frames().1, config.train.steps));
    files::write_bytes(&settings, config_text(&config)?.as_bytes())?;
    console.stop_on_interrupt()?;
    let mut sink = Telemetry::new(&telemetry, args.resume, console);
    let model = match Model::train(&dataset, &config, Some(&checkpoint), args.resume, &mut sink) {
        Err(Error::Interrupted { step, saved }) => {
            console.say("to go on: the same command with --resume");
            return Err(Error::Interrupted { step, saved });
        }
        other => other?,
    };
    save(&model, &dataset, path, console)?;
    std::fs::remove_file(&checkpoint).map_err(Error::io(&checkpoint, "remove"))?;
    let outcome = &model.info().outcome;
    let best = outcome.best_validation.map_or(String::new(), |b| format!(", best validation {b:.4}"));
    console.say(&format!(
        "{}: weights of step {} of {}{best}, {:.0} s",
        path.display(),
        outcome.best_step,
        outcome.steps,
        model.info().train_seconds
    ));
    console.say(&format!("next: ebmotion report {} LOG... -o report/", path.display()));
    Ok(())
}

/// Writes the model, with a calibration for anomalies where its episodes are long enough.
pub(super) fn save(model: &Model, dataset: &Dataset, path: &Path, console: &mut Console) -> Result<()> {
    model.save(path)?;
    match Detector::fit(model, dataset) {
        Ok(detector) => {
            detector.attach(path)?;
            let episodes = dataset.split.validation.len();
            if episodes < FEW_EPISODES {
                let rough = "false-alarm rates of `ebmotion anomaly` will be rough: calibrated on";
                console.say(&format!("{rough} {episodes} episodes"));
            }
            Ok(())
        }
        // Such a model forecasts all the same.
        Err(e @ (Error::Data { .. } | Error::Config { .. })) => {
            console.say(&format!("without a calibration for `ebmotion anomaly`: {e}"));
            Ok(())
        }
        Err(e) => Err(e),
    }
}

/// Preset, then file, then command line.
fn resolve(args: &TrainArgs) -> Result<RunConfig> {
    let mut config = RunConfig::preset(&args.preset)?;
    if let Some(path) = &args.config {
        let text = std::fs::read_to_string(path).map_err(Error::io(path, "read"))?;
        let changes: serde_json::Value =
            toml::from_str(&text).map_err(|e| Error::config(path.display().to_string(), e, "TOML"))?;
        config = config.with(&changes)?;
    }
    for pair in &args.set {
        let (key, value) = key_value("--set", pair)?;
        config = config.with_one(key, value)?;
    }
    if let Some(seed) = args.seed {
        config.seed = seed;
    }
    args.frames.apply(&mut config);
    args.read.apply(&mut config);
    Ok(config)
}

/// The settings as TOML; settings without a value are left out.
fn config_text(config: &RunConfig) -> Result<String> {
    let body = toml::to_string(config).map_err(Error::unwritable("settings", "TOML"))?;
    Ok(format!("# Settings of `ebmotion train`, as resolved. Use with --config.\n\n{body}"))
}

/// Logs as a model needs them: read with its settings (but for those given now), at its rate, with its channels. What
/// its training left out is in other logs, or what is asked about: nothing is left out.
pub(super) fn read_frames_for(
    model: &Model,
    logs: &[std::path::PathBuf],
    read: &ReadArgs,
) -> Result<(RunConfig, Frames)> {
    read_frames_but(model, logs, read, Vec::new())
}

/// The settings of a model's training for other logs: read as the options say, no episode left out.
pub(super) fn settings_of(model: &Model, read: &ReadArgs) -> RunConfig {
    let mut config = model.info().config.clone();
    config.data.exclude_episodes = Vec::new();
    read.apply(&mut config);
    config
}

/// As [`read_frames_for`], without the episodes `exclude`.
pub(super) fn read_frames_but(
    model: &Model,
    logs: &[std::path::PathBuf],
    read: &ReadArgs,
    exclude: Vec<String>,
) -> Result<(RunConfig, Frames)> {
    let mut config = settings_of(model, read);
    config.data.exclude_episodes = exclude;
    config.data.rate_hz = Some(model.info().rate_hz);
    let frames = model.frames(logs, &config.data)?;
    Ok((config, frames))
}

/// Says what lies far outside what training saw; refuses it where that was asked for.
pub(super) fn say_unfamiliar(found: &[Unfamiliar], strict: bool, console: &Console) -> Result<()> {
    if let (Some(first), true) = (found.first(), strict) {
        return Err(Error::data("values of the log", first, "values like those of the training, by --strict"));
    }
    found.iter().for_each(|found| console.say(&format!("warning: {found}")));
    Ok(())
}
