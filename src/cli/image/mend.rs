//! `ebmotion image inpaint` and `ebmotion image denoise`.

use super::super::args::MendArgs;
use super::super::console::Console;
use super::super::output;
use super::live::Live;
use super::{Results, printed};
use ebmotion::Result;
use ebmotion::experiment::denoise::{self, DenoiseConfig};
use ebmotion::experiment::inpaint::{self, InpaintConfig};
use ebmotion::experiment::{Mended, Record};
use ebmotion::image::grid::Layout;
use ebmotion::image::{Images, Part};
use serde::Serialize;
use std::time::Instant;

pub(super) fn inpaint(args: &MendArgs, console: &mut Console) -> Result<()> {
    let begun = Instant::now();
    let config = args.common.resolve(InpaintConfig::default())?;
    if printed(&args.common, &config)? {
        return Ok(());
    }
    let results = Results::new(&args.common)?;
    let model = args.model.load()?;
    let parts = parts(args)?;
    console.stop_on_interrupt()?;
    let mut live = Live::new(&args.watched, console)?;
    let (table, picture) = inpaint::run(&model, &parts[0], &parts[1], &config, &mut live)?;
    live.finish()?;
    let seconds = begun.elapsed().as_secs_f64();
    let record = Record::new("inpaint", &config, &[&parts[0], &parts[1]], seconds, &table);
    leave(&results, "inpaint", &record, &table, (&picture, 4), console)
}

pub(super) fn denoise(args: &MendArgs, console: &mut Console) -> Result<()> {
    let begun = Instant::now();
    let config = args.common.resolve(DenoiseConfig::default())?;
    if printed(&args.common, &config)? {
        return Ok(());
    }
    let results = Results::new(&args.common)?;
    let model = args.model.load()?;
    let parts = parts(args)?;
    console.stop_on_interrupt()?;
    let mut live = Live::new(&args.watched, console)?;
    let (found, picture) = denoise::run(&model, &parts[0], &parts[1], &config, &mut live)?;
    live.finish()?;
    let seconds = begun.elapsed().as_secs_f64();
    let record = Record::new("denoise", &config, &[&parts[0], &parts[1]], seconds, &found);
    leave(&results, "denoise", &record, &found.table, (&picture, 5), console)
}

fn parts(args: &MendArgs) -> Result<[Images; 2]> {
    Ok([args.common.known(&args.dataset, Part::Train)?, args.common.known(&args.dataset, Part::Test)?])
}

fn leave<S: Serialize, F: Serialize>(
    results: &Results,
    name: &str,
    record: &Record<'_, S, F>,
    table: &[Mended],
    (picture, columns): (&Images, usize),
    console: &mut Console,
) -> Result<()> {
    let mut text = format!("{:6} {:20} {:>10} {:>10} {:>7}\n", "part", "way", "error", "std error", "images");
    for row in table {
        let Mended { part, way, error, standard_error, images } = row;
        text += &format!("{part:6} {way:20} {error:>10.5} {standard_error:>10.5} {images:>7}\n");
    }
    let picture = results.grid(name, picture, Layout::of(picture, columns * 3))?;
    let json = results.json(name, record)?;
    results.text(&format!("{name}.txt"), &text)?;
    console.say(&format!("{}, {}", picture.display(), json.display()));
    output::print(&text)
}
