//! `ebmotion image cross-class`.

use super::super::args::CrossClassArgs;
use super::super::console::Console;
use super::live::Live;
use super::{Results, printed};
use ebmotion::Result;
use ebmotion::experiment::Record;
use ebmotion::experiment::cross_class::{self, CrossClassConfig};
use ebmotion::image::Part;
use ebmotion::image::grid::Layout;
use serde::Serialize;
use std::time::Instant;

#[derive(Serialize)]
struct Figures {
    images: usize,
}

pub(super) fn run(args: &CrossClassArgs, console: &mut Console) -> Result<()> {
    let begun = Instant::now();
    let config = args.common.resolve(CrossClassConfig::default())?;
    if printed(&args.common, &config)? {
        return Ok(());
    }
    let results = Results::new(&args.common)?;
    let model = args.model.load()?;
    let images = args.common.known(&args.dataset, Part::Test)?;
    console.stop_on_interrupt()?;
    let mut live = Live::new(&args.watched, console)?;
    let crossed = cross_class::run(&model, &images, &config, &mut live)?;
    live.finish()?;
    let picture =
        results.grid("cross-class", &crossed.picture, Layout::of(&crossed.picture, crossed.classes.len() + 1))?;
    let figures = Figures { images: crossed.images.len() };
    let record = Record::new("cross-class", &config, &[&images], begun.elapsed().as_secs_f64(), &figures);
    let json = results.json("cross-class", &record)?;
    console.say(&format!("{}, {}", picture.display(), json.display()));
    Ok(())
}
