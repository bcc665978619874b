//! `ebmotion image likelihood`.

use super::super::args::LikelihoodArgs;
use super::super::console::Console;
use super::super::output;
use super::live::Live;
use super::results::{Results, ended, fingerprint, printed};
use ebmotion::Result;
use ebmotion_images::experiment::likelihood::{self, LikelihoodConfig, LikelihoodFigures};
use ebmotion_images::experiment::{DataRecord, Record};
use ebmotion_images::image::Part;
use ebmotion_images::image::grid::Layout;
use std::time::Instant;

pub(super) fn run(args: &LikelihoodArgs, console: &mut Console) -> Result<()> {
    let begun = Instant::now();
    let config = args.common.resolve(LikelihoodConfig::default())?;
    if printed(&args.common, &config)? {
        return Ok(());
    }
    let mut results = Results::new(&args.common, "likelihood", &[], &[args.model.model.as_deref()])?;
    let test = args.common.known(&args.dataset, Part::Test)?;
    let model = args.model.load()?;
    results.spare_images([&test])?;
    let of = (&config, DataRecord::of(&test), fingerprint(args.model.path()?)?);
    let journal = results.journal("likelihood", &args.again, &of)?;
    console.stop_on_interrupt()?;
    let mut live = Live::new(&args.watched, &results, console)?;
    let outcome = likelihood::run(&model, &test, &config, &journal, &mut live);
    live.finish()?;
    let (figures, ends) = ended(outcome, &journal, console)?;
    let grid = results.grid("likelihood", &ends, Layout::of(&ends, 10))?;
    let record = Record::new("likelihood", &config, &[&test], begun.elapsed().as_secs_f64(), &figures);
    let json = results.json("likelihood", &record)?;
    let text = text(&figures);
    let table = results.text("likelihood.txt", &text)?;
    journal.end()?;
    console.say(&format!("{}, {}, {}", table.display(), grid.display(), json.display()));
    output::print(&text)
}

fn text(figures: &LikelihoodFigures) -> String {
    let mut text = format!("ln Z at noise level {}, nats\n", figures.at);
    text += &format!(
        "{:10} {:>10} {:>10} {:>7} {:>10} {:>9} {:>10}\n",
        "", "truth", "bound", "std", "mean", "effective", "acceptance"
    );
    for constant in &figures.constants {
        let truth = constant.truth.map_or(String::new(), |t| format!("{t:.2}"));
        for (side, b) in [("lower", &constant.lower), ("upper", &constant.upper)] {
            let effective = format!("{:.1}/{}", b.effective, b.chains);
            let acceptance = b.acceptance.map_or("-".into(), |share| format!("{share:.3}"));
            text += &format!(
                "{:10} {truth:>10} {:>10.2} {:>7.2} {:>10.2} {effective:>9} {acceptance:>10}  {side}\n",
                constant.of, b.estimate, b.std_error, b.mean
            );
        }
    }
    let l = &figures.likelihood;
    let [low, high] = l.nats;
    let [bits, more_bits] = l.bits_per_dimension;
    text += &format!(
        "\n{} test images with noise of {:.2} grey levels\n  log-likelihood {low:.2} to {high:.2} nats (standard \
            error over images {:.2})\n",
        l.images, l.noise_grey_levels, l.std_error
    );
    text + &format!("  {bits:.4} to {more_bits:.4} bits per dimension of the noised pixels, in grey levels\n")
}
