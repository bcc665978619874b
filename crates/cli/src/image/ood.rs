//! `ebmotion image ood`.

use super::super::args::OodArgs;
use super::super::console::Console;
use super::super::output;
use super::results::{Results, ended, fingerprint, printed};
use ebmotion::Result;
use ebmotion_images::experiment::ood::{self, OodConfig, OodData, OodFigures, ScoreRow, SetFigures};
use ebmotion_images::experiment::{DataRecord, Record};
use ebmotion_images::image::grid::Layout;
use ebmotion_images::image::{Images, KNOWN, Part};
use std::time::Instant;

pub(super) fn run(args: &OodArgs, console: &mut Console) -> Result<()> {
    let begun = Instant::now();
    let config = args.common.resolve(OodConfig::default())?;
    if printed(&args.common, &config)? {
        return Ok(());
    }
    let mut results = Results::new(&args.common, "ood", &[], &[args.model.model.as_deref()])?;
    let train = args.common.known(&args.dataset, Part::Train)?;
    let test = args.common.known(&args.dataset, Part::Test)?;
    let model = args.model.load()?;
    let others = others(args)?;
    let all: Vec<&Images> = [&train, &test].into_iter().chain(&others).collect();
    results.spare_images(all.iter().copied())?;
    let records: Vec<DataRecord> = all.iter().map(|images| DataRecord::of(images)).collect();
    let journal = results.journal("ood", &args.again, &(&config, records, fingerprint(args.model.path()?)?))?;
    console.stop_on_interrupt()?;
    let data = OodData { train: &train, test: &test, others: &others };
    let outcome = ood::run(&model, data, &config, (&results.folder, &journal), console);
    let (figures, shown) = ended(outcome, &journal, console)?;
    let grid = results.grid("ood", &shown, Layout::of(&shown, config.shown))?;
    let json = results.json("ood", &Record::new("ood", &config, &all, begun.elapsed().as_secs_f64(), &figures))?;
    let text = text(&figures);
    let table = results.text("ood.txt", &text)?;
    journal.end()?;
    console.say(&format!("{}, {}, {}", table.display(), grid.display(), json.display()));
    output::print(&text)
}

/// All other known sets that are there: their test parts, else their training parts.
fn others(args: &OodArgs) -> Result<Vec<Images>> {
    let mut found = Vec::new();
    for known in KNOWN.iter().filter(|k| k.name != args.dataset) {
        let there = |part: &Part| args.common.data.iter().any(|folder| known.is_in(folder, *part));
        if let Some(part) = [Part::Test, Part::Train].into_iter().find(there) {
            found.push(args.common.known(known.name, part)?);
        }
    }
    Ok(found)
}

fn text(figures: &OodFigures) -> String {
    let mut text = String::new();
    if !figures.trials.is_empty() {
        text += "noise level by training images against damaged ones, least AUROC\n";
        for trial in &figures.trials {
            let parts = figures.damages.iter().zip(&trial.auroc);
            let parts: Vec<String> = parts.map(|(damage, auroc)| format!("{damage} {auroc:.3}")).collect();
            let chosen = if trial.at == figures.at { "  (chosen)" } else { "" };
            text += &format!("  {:<6} {:.3}: {}{chosen}\n", trial.at, trial.worst, parts.join(", "));
        }
        text += "\n";
    }
    let [images, name] = [figures.sets[0].images.to_string(), figures.sets[0].name.clone()];
    text += &format!(
        "{images} images of {name} told from other sets by lower scores; energy at noise level {}\n\n",
        figures.at
    );
    text += &table("AUROC", figures, |t| t.auroc, |r| Some(r.mean_auroc));
    text += &table("average precision", figures, |t| t.average_precision, |_| None);
    text += &table("false positive rate at 95 % true positives", figures, |t| t.fpr_at_95_tpr, |_| None);
    for row in &figures.rows {
        let Some(bits) = &row.bits_per_dimension else { continue };
        let parts = figures.sets.iter().zip(bits).map(|(set, b)| format!("{} {b:.3}", set.name));
        text += &format!("{}, bits per dimension: {}\n", row.score, parts.collect::<Vec<_>>().join(", "));
    }
    text
}

/// A row a set, a column a score.
fn table(
    title: &str,
    figures: &OodFigures,
    of: impl Fn(&SetFigures) -> f64,
    last: impl Fn(&ScoreRow) -> Option<f64>,
) -> String {
    let heads: Vec<String> = figures
        .rows
        .iter()
        .map(|row| match row.at {
            Some(at) if at != figures.at => format!("at {at}"),
            _ => row.score.replace("energy_of_classes", "by class").replace("energies_of_all_levels", "all levels"),
        })
        .collect();
    let line = |name: &str, values: &[Option<f64>]| {
        let cells = heads.iter().zip(values).map(|(head, value)| {
            let width = head.len().max(6);
            value.map_or(format!("{:>width$}", ""), |v| format!("{v:>width$.3}"))
        });
        format!("{name:<22} {}\n", cells.collect::<Vec<_>>().join("  ")).trim_end().to_string() + "\n"
    };
    let mut text =
        format!("{title}\n{:<22} {}\n", "", heads.iter().map(|h| format!("{h:>6}")).collect::<Vec<_>>().join("  "));
    for (i, set) in figures.sets[1..].iter().enumerate() {
        text += &line(&set.name, &figures.rows.iter().map(|r| Some(of(&r.told[i]))).collect::<Vec<_>>());
    }
    let means: Vec<Option<f64>> = figures.rows.iter().map(last).collect();
    if means.iter().any(Option::is_some) {
        text += &line("mean", &means);
    }
    text + "\n"
}
