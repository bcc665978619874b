//! `ebmotion image show`.

use super::super::args::ShowArgs;
use super::super::console::Console;
use super::super::output;
use super::results::{Results, printed};
use ebmotion::Result;
use ebmotion::noise::Noise;
use ebmotion_images::experiment::Record;
use ebmotion_images::experiment::show::{self, ShowConfig, Shown};
use ebmotion_images::image::grid::Layout;
use std::time::Instant;

pub(super) fn run(args: &ShowArgs, console: &mut Console) -> Result<()> {
    let begun = Instant::now();
    let mut config = args.common.resolve(ShowConfig::default())?;
    config.count = args.count.unwrap_or(config.count);
    if let Some(classes) = &args.classes {
        config.classes.clone_from(classes);
    }
    if printed(&args.common, &config)? {
        return Ok(());
    }
    let mut results = Results::new(&args.common, "show", &[], &[])?;
    let images = match args.dataset.as_deref() {
        Some("dsprites") => show::random_sprites(config.count, &mut Noise::new(config.seed))?,
        name => args.common.images(name, args.part)?,
    };
    results.spare_images([&images])?;
    let (sample, shown) = show::show(&images, &config)?;
    let grid = results.grid("show", &sample, Layout::of(&sample, args.columns))?;
    let seconds = begun.elapsed().as_secs_f64();
    let json = results.json("show", &Record::new("show", &config, &[&images], seconds, &shown))?;
    console.say(&format!("{}, {}", grid.display(), json.display()));
    output::print(&text(&images.name, &shown))
}

fn text(name: &str, shown: &Shown) -> String {
    let [channels, height, width] = shown.shape;
    let mut text = format!(
        "{name}: {} images of {width} x {height} pixels, {}\n  brightness {:.3} +- {:.3}; {:.1} % black, {:.1} % white\n",
        shown.images,
        if channels == 1 { "grey".into() } else { format!("{channels} channels") },
        shown.mean,
        shown.std,
        100.0 * shown.ends[0],
        100.0 * shown.ends[1],
    );
    if shown.repeated > 0 {
        text += &format!("  {} images equal an earlier one\n", shown.repeated);
    }
    let few = shown.per_class.len() <= 20;
    let counts = shown.per_class.iter().enumerate().filter(|(_, n)| **n > 0);
    let named = counts.map(|(label, n)| match shown.classes.get(label) {
        Some(class) => format!("{label} ({class}): {n}"),
        None => format!("{label}: {n}"),
    });
    let named: Vec<String> = named.collect();
    match (named.is_empty(), few) {
        (true, _) => text += "  without labels\n",
        (false, true) => text += &format!("  labels {}\n", named.join(", ")),
        (false, false) => {
            text += &format!("  {} labels, {} to {} images each\n", named.len(), least(shown), most(shown))
        }
    }
    text
}

fn least(shown: &Shown) -> usize {
    shown.per_class.iter().copied().filter(|n| *n > 0).min().unwrap_or(0)
}

fn most(shown: &Shown) -> usize {
    shown.per_class.iter().copied().max().unwrap_or(0)
}
