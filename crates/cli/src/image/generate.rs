//! `ebmotion image generate`.

use super::super::args::GenerateArgs;
use super::super::console::Console;
use super::live::Live;
use super::results::{Results, ended, fingerprint, printed};
use ebmotion::Result;
use ebmotion_images::experiment::Record;
use ebmotion_images::experiment::classifier;
use ebmotion_images::experiment::generate::{self, ClassAccuracy, GenerateConfig, class_accuracy};
use ebmotion_images::image::Part;
use ebmotion_images::image::grid::Layout;
use serde::Serialize;
use std::time::Instant;

#[derive(Serialize)]
struct Figures {
    images: usize,
    /// Euclidean distance in pixels of 0 to 1 to the nearest training image, of the first images.
    #[serde(skip_serializing_if = "Option::is_none")]
    nearest_distances: Option<Vec<f64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    asked: Option<ClassAccuracy>,
}

pub(super) fn run(args: &GenerateArgs, console: &mut Console) -> Result<()> {
    let begun = Instant::now();
    let config = args.common.resolve(GenerateConfig::default())?;
    if printed(&args.common, &config)? {
        return Ok(());
    }
    let weights = [args.model.model.as_deref(), args.classifier.as_deref()];
    let mut results = Results::new(&args.common, "generate", &["film.png", "neighbours.png"], &weights)?;
    let model = args.model.load_at(&args.place)?;
    let known = match args.dataset.is_some() || !args.common.data.is_empty() {
        true => Some(args.common.images(args.dataset.as_deref(), Part::Train)?),
        false => None,
    };
    results.spare_images(&known)?;
    let journal = results.journal("generate", &args.again, &(&config, fingerprint(args.model.path()?)?))?;
    console.stop_on_interrupt()?;
    let mut live = Live::new(&args.watched, &results, console)?;
    let outcome = generate::run(&model, &config, &journal, &mut live);
    live.finish()?;
    let drawn = ended(outcome, &journal, console)?;
    let grid = results.grid("generate", &drawn.images, Layout::of(&drawn.images, 10))?;
    results.archive("generate", &drawn.images)?;
    if let Some(film) = &drawn.film {
        results.grid("film", film, Layout::of(film, config.frames))?;
    }
    let mut nearest_distances = None;
    if let Some(known) = &known {
        model.check_fits(known)?;
        let (beside, distances) = generate::neighbours(&drawn.images, known, config.neighbours)?;
        results.grid("neighbours", &beside, Layout::of(&beside, 4))?;
        nearest_distances = Some(distances);
    }
    let asked = match &args.classifier {
        Some(path) => Some(class_accuracy(&drawn.images, &classifier::load(path)?)?),
        None => None,
    };
    if let Some(asked) = &asked {
        console.say(&format!("{:.1} % of the images are of the class that was asked for", 100.0 * asked.accuracy));
    }
    let figures = Figures { images: drawn.images.len(), nearest_distances, asked };
    let data: Vec<_> = std::iter::once(&drawn.images).chain(&known).collect();
    let json =
        results.json("generate", &Record::new("generate", &config, &data, begun.elapsed().as_secs_f64(), &figures))?;
    journal.end()?;
    console.say(&format!("{}, {}", grid.display(), json.display()));
    Ok(())
}
