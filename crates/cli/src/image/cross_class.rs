//! `ebmotion image cross-class`.

use super::super::args::CrossClassArgs;
use super::super::console::Console;
use super::live::Live;
use super::results::{Results, ended, fingerprint, printed};
use ebmotion::Result;
use ebmotion_images::experiment::classifier;
use ebmotion_images::experiment::cross_class::{self, CrossClassConfig};
use ebmotion_images::experiment::generate::{ClassAccuracy, class_accuracy};
use ebmotion_images::experiment::{DataRecord, Record};
use ebmotion_images::image::Part;
use ebmotion_images::image::grid::Layout;
use serde::Serialize;
use std::time::Instant;

#[derive(Serialize)]
struct Figures {
    images: usize,
    moved: f64,
    apart: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    asked: Option<ClassAccuracy>,
}

pub(super) fn run(args: &CrossClassArgs, console: &mut Console) -> Result<()> {
    let begun = Instant::now();
    let config = args.common.resolve(CrossClassConfig::default())?;
    if printed(&args.common, &config)? {
        return Ok(());
    }
    let weights = [args.model.model.as_deref(), args.classifier.as_deref()];
    let mut results = Results::new(&args.common, "cross-class", &[], &weights)?;
    let model = args.model.load_at(&args.place)?;
    let images = args.common.known(&args.dataset, Part::Test)?;
    results.spare_images([&images])?;
    let of = (&config, DataRecord::of(&images), fingerprint(args.model.path()?)?);
    let journal = results.journal("cross-class", &args.again, &of)?;
    console.stop_on_interrupt()?;
    let mut live = Live::new(&args.watched, &results, console)?;
    let outcome = cross_class::run(&model, &images, &config, &journal, &mut live);
    live.finish()?;
    let crossed = ended(outcome, &journal, console)?;
    let picture =
        results.grid("cross-class", &crossed.picture, Layout::of(&crossed.picture, crossed.classes.len() + 1))?;
    let asked = match &args.classifier {
        Some(path) => Some(class_accuracy(&crossed.images, &classifier::load(path)?)?),
        None => None,
    };
    if let Some(asked) = &asked {
        console.say(&format!("{:.1} % of the ends are of the class that was asked for", 100.0 * asked.accuracy));
    }
    let figures = Figures { images: crossed.images.len(), moved: crossed.moved, apart: crossed.apart, asked };
    let record = Record::new("cross-class", &config, &[&images], begun.elapsed().as_secs_f64(), &figures);
    let json = results.json("cross-class", &record)?;
    journal.end()?;
    console.say(&format!("{}, {}", picture.display(), json.display()));
    Ok(())
}
