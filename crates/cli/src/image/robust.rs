//! `ebmotion image robust`.

use super::super::args::RobustArgs;
use super::super::console::Console;
use super::super::output;
use super::live::Live;
use super::results::{Results, ended, fingerprint, printed};
use ebmotion::Result;
use ebmotion::eval::report::Report;
use ebmotion_images::experiment::classifier;
use ebmotion_images::experiment::robust::{self, Curve, RobustConfig, RobustFigures};
use ebmotion_images::experiment::{DataRecord, Record};
use ebmotion_images::image::Part;
use ebmotion_images::sample::Norm;
use std::time::Instant;

const NORMS: [(Norm, &str, &str); 2] =
    [(Norm::Linf, "linf", "largest change of a pixel"), (Norm::L2, "l2", "root of the sum of squared changes")];

/// The file of a norm's curves.
fn plot(short: &str) -> String {
    format!("robust_{short}.svg")
}

pub(super) fn run(args: &RobustArgs, console: &mut Console) -> Result<()> {
    let begun = Instant::now();
    let config = args.common.resolve(RobustConfig::default())?;
    if printed(&args.common, &config)? {
        return Ok(());
    }
    let weights = [&args.model.model, &args.classifier, &args.adversarial].map(Option::as_deref);
    let plots = NORMS.map(|(_, short, _)| plot(short));
    let mut results = Results::new(&args.common, "robust", &plots.each_ref().map(String::as_str), &weights)?;
    let [train, test] = [Part::Train, Part::Test].map(|part| args.common.known(&args.dataset, part));
    let (train, test) = (train?, test?);
    results.spare_images([&train, &test])?;
    let model = args.model.load()?;
    let (mut classifiers, mut weights) = (Vec::new(), vec![fingerprint(args.model.path()?)?]);
    for (name, path) in [("classifier", &args.classifier), ("adversarial classifier", &args.adversarial)] {
        if let Some(path) = path {
            classifiers.push((name.to_string(), classifier::load(path)?));
            weights.push(format!("{name} {}", fingerprint(path)?));
        }
    }
    let of = (&config, [&train, &test].map(DataRecord::of), weights);
    let journal = results.journal("robust", &args.again, &of)?;
    console.stop_on_interrupt()?;
    let mut live = Live::new(&args.watched, &results, console)?;
    let outcome = robust::run(&model, &classifiers, &train, &test, &config, &journal, &mut live);
    live.finish()?;
    let figures = ended(outcome, &journal, console)?;
    for (norm, short, of) in NORMS {
        let drawn: Vec<_> = of_norm(&figures, norm).map(|c| (c.name.clone(), points(c))).collect();
        results.text(
            &plot(short),
            &Report::curves("Accuracy under attack", [of, "share of images classified right"], &drawn)?,
        )?;
    }
    let seconds = begun.elapsed().as_secs_f64();
    let json = results.json("robust", &Record::new("robust", &config, &[&train, &test], seconds, &figures))?;
    let text = text(&figures);
    let table = results.text("robust.txt", &text)?;
    journal.end()?;
    console.say(&format!("{}, {}", table.display(), json.display()));
    output::print(&text)
}

fn of_norm(figures: &RobustFigures, norm: Norm) -> impl Iterator<Item = &Curve> {
    figures.curves.iter().filter(move |c| c.norm == norm)
}

fn points(curve: &Curve) -> Vec<(f64, f64)> {
    curve.radii.iter().copied().zip(curve.accuracy.iter().copied()).collect()
}

fn text(figures: &RobustFigures) -> String {
    let mut text =
        format!("per cent of {} test images classified right, by the distance of the attack\n", figures.images);
    for (norm, _, of) in NORMS {
        let Some(first) = of_norm(figures, norm).next() else { continue };
        let radii: String = first.radii.iter().map(|r| format!(" {r:>6}")).collect();
        text += &format!("\n{of:34}{radii}\n");
        for curve in of_norm(figures, norm) {
            let shares: String = curve.accuracy.iter().map(|a| format!(" {:>6.1}", 100.0 * a)).collect();
            text += &format!("{:34}{shares}\n", curve.name);
        }
    }
    text += "\nattacks:\n";
    for curve in of_norm(figures, Norm::Linf) {
        text += &format!("  {}: {}\n", curve.name, curve.attack);
    }
    text
}
