//! `ebmotion demo`: the whole way on the embedded robot-hand logs.

use super::args::DemoArgs;
use super::console::Console;
use super::telemetry::Telemetry;
use super::{output, train, view};
use crate::embedded;
use ebmotion::eval::{Baselines, CompareOptions, Comparison};
use ebmotion::forecast::{BASELINES, Baseline, Dataset, Forecast, Model, RunConfig};
use ebmotion::trajectory::{Frames, Recording};
use ebmotion::{Error, Result};
use std::time::Instant;

/// Frames predicted: 4 s at 25 Hz.
const HORIZON: usize = 100;
/// Windows in the recording.
const SHOWN: usize = 3;

#[expect(clippy::too_many_lines, reason = "the demo from top to bottom")]
pub(super) fn run(args: &DemoArgs, console: &mut Console) -> Result<()> {
    let begun = Instant::now();
    let device = args.device.open()?;
    let folder = &args.output;
    output::check_folder(folder)?;
    let mut config = RunConfig { seed: args.seed, ..RunConfig::default() };
    // More of the few embedded episodes for learning than the default keeps: enough for test remain.
    config.data.validation_share = 0.05;
    if let Some(steps) = args.steps {
        config.train.steps = steps.into();
    }
    let recording = Recording::from_bytes(embedded::HAND_GESTURES_NAME, embedded::HAND_GESTURES, &config.data.read)?;
    let frames = Frames::resample(&recording, config.data.rate_hz, config.data.rate_tolerance)?;
    let dataset = Dataset::new(frames, &config)?.on(device);
    console.say(&format!(
        "simulated robot hand: {} episodes of 8 s, {} joint angles at {} Hz; {} episodes are kept for the test",
        dataset.frames.episodes.len(),
        dataset.frames.channels.len(),
        dataset.frames.rate_hz,
        dataset.split.test.len()
    ));
    console.stop_on_interrupt()?;
    let telemetry = folder.join("model.telemetry.jsonl");
    let checkpoint = folder.join("model.checkpoint");
    let learn = |resume: bool, console: &mut Console| {
        let sink = &mut Telemetry::new(&telemetry, resume, console);
        Model::train(&dataset, &config, Some(&checkpoint), resume, sink)
    };
    let model = match learn(checkpoint.exists(), console) {
        // The checkpoint of a demo with other settings: this one begins anew.
        Err(Error::Model { path, .. }) if path == checkpoint => learn(false, console),
        other => other,
    };
    if matches!(model, Err(Error::Interrupted { .. })) {
        console.say("to go on: the same command again");
    }
    let model = model?;
    let path = folder.join("model.safetensors");
    train::save(&model, &dataset, &path, console)?;
    std::fs::remove_file(&checkpoint).map_err(Error::io(&checkpoint, "remove"))?;

    let mut options = CompareOptions::new(HORIZON, args.seed);
    (options.shown, options.trust) = (SHOWN, false); // a demonstration is to be quick
    let classic: Vec<&dyn Baseline> = BASELINES.into_iter().filter(|b| b.classic()).collect();
    let comparison = Comparison::with_baselines(
        std::slice::from_ref(&model),
        Vec::new(),
        &dataset,
        &Baselines { rows: &classic, ..Baselines::default() },
        &options,
        console,
    )?;
    comparison.write(folder)?;

    let windows = (0..comparison.shown.origins.len()).filter_map(|window| comparison.shown.window(window));
    let forecasts: Vec<Forecast> = windows
        .map(|mut window| {
            window.model = path.display().to_string();
            // Several windows may be of one episode: each is shown under a name of its own.
            window.origins.iter_mut().for_each(|origin| origin.episode = Some(origin.name()));
            window
        })
        .collect();
    if let Some(first) = forecasts.first() {
        first.write_csv(&folder.join("forecast.csv"))?;
        first.write_json(&folder.join("forecast.json"))?;
    }
    let recorded = view::write(&forecasts, &folder.join("demo.rrd"));
    output::print(&comparison.report.summary_table())?;
    let mut text = String::from("\nopen next\n");
    let mut line =
        |file: &str, what: &str| text.push_str(&format!("  {:<28} {what}\n", folder.join(file).display().to_string()));
    line("report.html", "the whole comparison with its plots, in a browser");
    line("report.md, report.json", "the same to read here and by machine");
    match recorded {
        Ok(()) => line("demo.rrd", "predicted and true hands: rerun demo.rrd (pip install rerun-sdk==0.36.3)"),
        Err(left_out @ Error::LeftOut { .. }) => console.say(&left_out.to_string()),
        Err(other) => return Err(other),
    }
    line("forecast.csv, forecast.json", "20 futures of one test window");
    line("model.safetensors", "the model: ebmotion predict MODEL LOG -o forecast.json, ebmotion anomaly MODEL LOG");
    text.push_str(&format!("\ndone in {:.0} s\n", begun.elapsed().as_secs_f64()));
    output::print(&text)
}
