//! `ebmotion image classifier`.

use super::super::args::ClassifierArgs;
use super::super::console::Console;
use super::super::output;
use super::results::{Results, ended, printed};
use ebmotion::Result;
use ebmotion_images::experiment::classifier::{self, ClassifierFigures, TrainingConfig};
use ebmotion_images::experiment::{DataRecord, Record};
use ebmotion_images::image::Part;
use std::time::Instant;

pub(super) fn run(args: &ClassifierArgs, console: &mut Console) -> Result<()> {
    let begun = Instant::now();
    let mut config = args.common.resolve(TrainingConfig::default())?;
    config.attack.radius = args.adversarial.unwrap_or(config.attack.radius);
    if printed(&args.common, &config)? {
        return Ok(());
    }
    let mut results = Results::new(&args.common, "classifier", &["classifier.safetensors"], &[])?;
    let [train, test] = [Part::Train, Part::Test].map(|part| args.common.known(&args.dataset, part));
    let (train, test) = (train?, test?);
    results.spare_images([&train, &test])?;
    let of = (&config, [&train, &test].map(DataRecord::of));
    let journal = results.journal("classifier", &args.again, &of)?;
    console.stop_on_interrupt()?;
    let outcome = classifier::run(&train, &test, &config, &journal, console);
    let (classifier, figures) = ended(outcome, &journal, console)?;
    let model = results.place("classifier.safetensors")?;
    classifier::save(&classifier, &model, &config, &train)?;
    let seconds = begun.elapsed().as_secs_f64();
    let json = results.json("classifier", &Record::new("classifier", &config, &[&train, &test], seconds, &figures))?;
    let text = text(&figures, &test.name);
    let table = results.text("classifier.txt", &text)?;
    journal.end()?;
    console.say(&format!("{}, {}, {}", model.display(), table.display(), json.display()));
    output::print(&text)
}

fn text(figures: &ClassifierFigures, test: &str) -> String {
    let mut text = format!("{} trainable numbers\n{:10} {:>8}\n", figures.parameters, "class", "accuracy");
    for (class, accuracy) in figures.per_class.iter().enumerate() {
        let accuracy = accuracy.map_or("-".into(), |a| format!("{:.2}", 100.0 * a));
        text += &format!("{class:<10} {accuracy:>8}\n");
    }
    text + &format!("{:10} {:>8.2}  per cent of {test}\n", "all", 100.0 * figures.accuracy)
}
