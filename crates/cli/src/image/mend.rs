//! `ebmotion image inpaint` and `ebmotion image denoise`.

use super::super::args::MendArgs;
use super::super::console::Console;
use super::super::output;
use super::live::Live;
use super::results::{Results, ended, fingerprint, printed};
use ebmotion::Result;
use ebmotion::event::Sink;
use ebmotion_images::experiment::denoise::{self, DenoiseConfig};
use ebmotion_images::experiment::inpaint::{self, InpaintConfig};
use ebmotion_images::experiment::{DataRecord, ImageModel, Journal, Record, RestorationError};
use ebmotion_images::image::grid::Layout;
use ebmotion_images::image::{Images, Part};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Instant;

pub(super) fn inpaint(args: &MendArgs, console: &mut Console) -> Result<()> {
    let work = |task: Task<'_, InpaintConfig>, sink: &mut dyn Sink| {
        inpaint::run(task.model, &task.parts[0], &task.parts[1], task.config, task.journal, sink)
    };
    mend(args, "inpaint", InpaintConfig::default(), work, |table| table, 4, console)
}

pub(super) fn denoise(args: &MendArgs, console: &mut Console) -> Result<()> {
    let work = |task: Task<'_, DenoiseConfig>, sink: &mut dyn Sink| {
        denoise::run(task.model, &task.parts[0], &task.parts[1], task.config, task.journal, sink)
    };
    mend(args, "denoise", DenoiseConfig::default(), work, |found| &found.table, 5, console)
}

/// What one of them is run on.
struct Task<'a, C> {
    model: &'a ImageModel,
    /// The training part of the set, and the test part.
    parts: &'a [Images; 2],
    config: &'a C,
    journal: &'a Journal,
}

/// Runs one of them: `work` gives its figures and its picture of `columns` images a row, `table` the errors among the figures.
fn mend<C: Serialize + DeserializeOwned, F: Serialize>(
    args: &MendArgs,
    name: &str,
    defaults: C,
    work: impl FnOnce(Task<'_, C>, &mut dyn Sink) -> Result<(F, Images)>,
    table: impl FnOnce(&F) -> &[RestorationError],
    columns: usize,
    console: &mut Console,
) -> Result<()> {
    let begun = Instant::now();
    let config = args.common.resolve(defaults)?;
    if printed(&args.common, &config)? {
        return Ok(());
    }
    let mut results = Results::new(&args.common, name, &[], &[args.model.model.as_deref()])?;
    let model = args.model.load_at(&args.place)?;
    let parts = [args.common.known(&args.dataset, Part::Train)?, args.common.known(&args.dataset, Part::Test)?];
    results.spare_images(&parts)?;
    let of = (&config, parts.each_ref().map(DataRecord::of), fingerprint(args.model.path()?)?);
    let journal = results.journal(name, &args.again, &of)?;
    console.stop_on_interrupt()?;
    let mut live = Live::new(&args.watched, &results, console)?;
    let task = Task { model: &model, parts: &parts, config: &config, journal: &journal };
    let outcome = work(task, &mut live);
    live.finish()?;
    let (figures, picture) = ended(outcome, &journal, console)?;
    let seconds = begun.elapsed().as_secs_f64();
    let record = Record::new(name, &config, &[&parts[0], &parts[1]], seconds, &figures);
    let text = text(table(&figures));
    let picture = results.grid(name, &picture, Layout::of(&picture, columns * 3))?;
    let json = results.json(name, &record)?;
    results.text(&format!("{name}.txt"), &text)?;
    journal.end()?;
    console.say(&format!("{}, {}", picture.display(), json.display()));
    output::print(&text)
}

fn text(table: &[RestorationError]) -> String {
    let mut text = format!("{:6} {:20} {:>10} {:>10} {:>7}\n", "part", "way", "error", "std error", "images");
    for row in table {
        let RestorationError { part, way, error, standard_error, images } = row;
        text += &format!("{part:6} {way:20} {error:>10.5} {standard_error:>10.5} {images:>7}\n");
    }
    text
}
