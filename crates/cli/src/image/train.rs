//! `ebmotion image train`.

use super::super::args::ImageTrainArgs;
use super::super::console::Console;
use super::super::output;
use super::super::telemetry::Telemetry;
use super::results::{Results, printed};
use ebmotion::train::Outcome;
use ebmotion::{Error, Result};
use ebmotion_images::experiment::generate::{self, GenerateConfig};
use ebmotion_images::experiment::train::{self, ImageTrainConfig};
use ebmotion_images::experiment::{ImageModel, Journal, Record};
use ebmotion_images::image::Part;
use ebmotion_images::image::grid::Layout;
use serde::Serialize;
use std::time::Instant;

#[derive(Serialize)]
struct Figures<'a> {
    parameters: usize,
    outcome: &'a Outcome,
    validation_accuracy: Option<f64>,
    train_seconds: f64,
}

pub(super) fn run(args: &ImageTrainArgs, console: &mut Console) -> Result<()> {
    let begun = Instant::now();
    let config = args.common.resolve(ImageTrainConfig::preset(&args.preset)?)?;
    if printed(&args.common, &config)? {
        return Ok(());
    }
    let device = args.device.open()?;
    let others = ["model.safetensors", "model.checkpoint", "model.telemetry.jsonl"];
    let mut results = Results::new(&args.common, "train", &others, &[])?;
    let path = results.folder.join("model.safetensors");
    let checkpoint = output::beside(&path, "checkpoint");
    output::check_model(&path, &checkpoint, args.again.resume, args.again.overwrite)?;
    let images = args.common.images(args.dataset.as_deref(), Part::Train)?;
    results.spare_images([&images])?;
    console.stop_on_interrupt()?;
    let mut sink = Telemetry::new(&output::beside(&path, "telemetry.jsonl"), args.again.resume, console);
    let model = match train::run(&images, &config, &device, Some(&checkpoint), args.again.resume, &mut sink) {
        Err(Error::Interrupted { step, saved }) => {
            console.say("to go on: the same command with --resume");
            return Err(Error::Interrupted { step, saved });
        }
        other => other?,
    };
    model.save(&path)?;
    std::fs::remove_file(&checkpoint).map_err(Error::io(&checkpoint, "remove"))?;
    finish(&model.to_device(&device)?, &config, &results, &images, begun, console)?;
    console.say(&format!("next: ebmotion image generate {} -o generated/", path.display()));
    Ok(())
}

fn finish(
    model: &ImageModel,
    config: &ImageTrainConfig,
    results: &Results,
    images: &ebmotion_images::image::Images,
    begun: Instant,
    console: &mut Console,
) -> Result<()> {
    let settings = GenerateConfig { seed: config.seed, strips: 0, ..GenerateConfig::default() };
    let drawn = generate::run(model, &settings, &Journal::none(), console)?.images;
    let grid = results.grid("train", &drawn, Layout::of(&drawn, 10))?;
    let info = model.info();
    let (parameters, outcome) = (model.parameters().count(), &info.outcome);
    let validation_accuracy = info.validation_accuracy;
    let figures = Figures { parameters, outcome, validation_accuracy, train_seconds: info.train_seconds };
    let record = Record::new("train", config, &[images], begun.elapsed().as_secs_f64(), &figures);
    let json = results.json("train", &record)?;
    let mut best = outcome.best_validation.map_or(String::new(), |b| format!(", best validation {b:.4}"));
    if let Some(accuracy) = validation_accuracy {
        best += &format!(", {:.1} % of the validation images in their class", 100.0 * accuracy);
    }
    console.say(&format!(
        "{parameters} parameters, weights of step {} of {}{best}, {:.0} s: {}, {}",
        outcome.best_step,
        outcome.steps,
        info.train_seconds,
        grid.display(),
        json.display()
    ));
    Ok(())
}
