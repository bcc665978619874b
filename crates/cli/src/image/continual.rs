//! `ebmotion image continual`.

use super::super::args::ContinualArgs;
use super::super::console::Console;
use super::super::output;
use super::results::{Results, config_text, ended, printed};
use ebmotion::Result;
use ebmotion_images::experiment::continual::{self, ContinualConfig, MethodRow, Run, TuningTrial};
use ebmotion_images::experiment::{DataRecord, Record};
use ebmotion_images::image::{Images, Part};
use serde::Serialize;
use std::time::Instant;

#[derive(Serialize)]
struct Figures<'a> {
    table: &'a [MethodRow],
    runs: &'a [Run],
}

pub(super) fn run(args: &ContinualArgs, console: &mut Console) -> Result<()> {
    let begun = Instant::now();
    let config = args.common.resolve(ContinualConfig::default())?;
    if printed(&args.common, &config)? {
        return Ok(());
    }
    let tuned: &[&str] = if args.tune { &["tune.json", "tuned.toml"] } else { &[] };
    let mut results = Results::new(&args.common, "continual", tuned, &[])?;
    let train = args.common.known(&args.dataset, Part::Train)?;
    results.spare_images([&train])?;
    if args.tune {
        return tune(args, &config, &train, &results, console);
    }
    let test = args.common.known(&args.dataset, Part::Test)?;
    results.spare_images([&test])?;
    let of = (&config, [&train, &test].map(DataRecord::of));
    let journal = results.journal("continual", &args.again, &of)?;
    console.stop_on_interrupt()?;
    let runs = ended(continual::run(&train, &test, &config, &journal, console), &journal, console)?;
    let table = continual::table(&runs);
    let figures = Figures { table: &table, runs: &runs };
    let seconds = begun.elapsed().as_secs_f64();
    let json = results.json("continual", &Record::new("continual", &config, &[&train, &test], seconds, &figures))?;
    let text = text(&table);
    let table = results.text("continual.txt", &text)?;
    journal.end()?;
    console.say(&format!("{}, {}", table.display(), json.display()));
    output::print(&text)
}

fn tune(
    args: &ContinualArgs,
    config: &ContinualConfig,
    train: &Images,
    results: &Results,
    console: &mut Console,
) -> Result<()> {
    let begun = Instant::now();
    let journal = results.journal("tune", &args.again, &(config, DataRecord::of(train)))?;
    console.stop_on_interrupt()?;
    let (best, trials) = ended(continual::tune(train, config, &journal, console), &journal, console)?;
    let seconds = begun.elapsed().as_secs_f64();
    results.json("tune", &Record::new("continual --tune", config, &[train], seconds, &trials))?;
    let path = results.text("tuned.toml", &config_text(&best)?)?;
    journal.end()?;
    console.say(&format!("next: the same command with --config {} in place of --tune", path.display()));
    output::print(&trial_text(&trials))
}

fn text(table: &[MethodRow]) -> String {
    let mut text = format!("{:12} {:>8} {:>6} {:>5} {:>11}\n", "method", "accuracy", "std", "runs", "parameters");
    for row in table {
        let (mean, std) = (100.0 * row.mean, 100.0 * row.std);
        let (name, runs, parameters) = (row.method.name(), row.runs, row.parameters);
        text += &format!("{name:12} {mean:>8.2} {std:>6.2} {runs:>5} {parameters:>11}\n");
    }
    text
}

/// The five best of each method.
fn trial_text(trials: &[TuningTrial]) -> String {
    let mut text =
        format!("{:12} {:>13} {:>6} {:>9} {:>8}\n", "method", "learning rate", "batch", "strength", "accuracy");
    for method in continual::Method::ALL {
        let mut of: Vec<&TuningTrial> = trials.iter().filter(|t| t.method == method).collect();
        of.sort_by(|a, b| b.accuracy.total_cmp(&a.accuracy));
        for trial in of.iter().take(5) {
            let (plan, accuracy) = (&trial.plan, 100.0 * trial.accuracy);
            let (rate, batch, strength) = (plan.learning_rate, plan.batch, plan.strength);
            text += &format!("{:12} {rate:>13} {batch:>6} {strength:>9} {accuracy:>8.2}\n", method.name());
        }
    }
    text
}
