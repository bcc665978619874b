//! `ebmotion image compose`.

use super::super::args::ComposeArgs;
use super::super::console::Console;
use super::super::output;
use super::live::Live;
use super::results::{Results, ended, printed};
use ebmotion::Result;
use ebmotion_images::experiment::compose::{self, ComposeConfig, ComposeFigures};
use ebmotion_images::experiment::{DataRecord, Record};
use ebmotion_images::image::grid::Layout;
use std::time::Instant;

pub(super) fn run(args: &ComposeArgs, console: &mut Console) -> Result<()> {
    let begun = Instant::now();
    let config = args.common.resolve(ComposeConfig::default())?;
    if printed(&args.common, &config)? {
        return Ok(());
    }
    let results = Results::new(&args.common, "compose", &[], &[])?;
    let data = compose::data(&config)?;
    let journal = results.journal("compose", &args.again, &(&config, DataRecord::of(&data)))?;
    console.stop_on_interrupt()?;
    let mut live = Live::new(&args.watched, &results, console)?;
    let outcome = compose::run(&config, &journal, &mut live);
    live.finish()?;
    let outcome = ended(outcome, &journal, console)?;
    for (name, images, columns) in &outcome.pictures {
        results.grid(name, images, Layout::of(images, *columns))?;
    }
    let seconds = begun.elapsed().as_secs_f64();
    let json = results.json("compose", &Record::new("compose", &config, &[&data], seconds, &outcome.figures))?;
    let text = text(&outcome.figures);
    let table = results.text("compose.txt", &text)?;
    journal.end()?;
    console.say(&format!("{}, {}", table.display(), json.display()));
    output::print(&text)
}

fn text(figures: &ComposeFigures) -> String {
    let cross = &figures.cross;
    let [size, position, baseline] = cross.parameters;
    let mut text = format!(
        "size x position, {} unseen pairs: mean squared error x 10^4 (standard error); {:.1} of the mean image\n\
         energies of {size} and {position} weights, baseline of {baseline}\n\n\
         {:>7} {:>6} {:>16} {:>16} {:>16} {:>16} {:>16}\n",
        cross.test_pairs,
        1e4 * cross.of_the_mean,
        "joint %",
        "pairs",
        "energies",
        "lowest energy",
        "one draw",
        "baseline",
        "difference",
    );
    for row in &cross.rows {
        let of = |e: &compose::Estimate| format!("{:.2} ({:.2})", 1e4 * e.mean, 1e4 * e.error);
        text += &format!(
            "{:>7} {:>6} {:>16} {:>16} {:>16} {:>16} {:>16}\n",
            100.0 * row.fraction,
            row.joint_pairs,
            of(&row.energies),
            of(&row.lowest),
            of(&row.single),
            of(&row.baseline),
            of(&row.difference),
        );
    }
    text += &format!("\nfour energies, {} weights; share of images in %\n\n", figures.parameters);
    for composition in &figures.compositions {
        let shares = composition.shares.iter().map(|(name, share)| format!("{name} {:.0}", 100.0 * share));
        let shares: Vec<String> = shares.collect();
        text += &format!(
            "{:17} {:>4} images: {}; distance to the nearest sprite {:.3}\n",
            composition.name,
            composition.images,
            shares.join(", "),
            composition.distance,
        );
    }
    text
}
