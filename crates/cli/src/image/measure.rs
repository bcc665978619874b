//! `ebmotion image fid` and `ebmotion image inception-score`: sets of images in a network's features.

use super::super::args::{Common, MeasureArgs};
use super::super::console::Console;
use super::super::output;
use super::results::{Results, ended, fingerprint, printed};
use ebmotion::{Error, Result};
use ebmotion_images::experiment::features::Features;
use ebmotion_images::experiment::fid::{self, FidConfig};
use ebmotion_images::experiment::inception_score::{self, InceptionScoreConfig};
use ebmotion_images::experiment::{DataRecord, Journal, Record};
use ebmotion_images::image::Images;
use serde::Serialize;
use std::time::Instant;

pub(super) fn fid(args: &MeasureArgs, console: &mut Console) -> Result<()> {
    let begun = Instant::now();
    let config = args.common.resolve(FidConfig::default())?;
    let Some(with) = With::read(args, "fid", &config)? else { return Ok(()) };
    console.stop_on_interrupt()?;
    let outcome = fid::run(&with.network, &with.reference, &with.samples, &config, &with.journal, console);
    let figures = ended(outcome, &with.journal, console)?;
    let mut text = format!(
        "{}: {:.4}\nfloor (one half of the reference against the other): {:.4}\n{} samples, {} images of {}; {} \
            features of {}\n",
        figures.name,
        figures.distance,
        figures.floor,
        figures.images[1],
        figures.images[0],
        with.reference.name,
        figures.features,
        figures.network,
    );
    figures.warnings.iter().for_each(|warning| text += &format!("note: {warning}\n"));
    with.leave(&config, begun, &figures, &text, console)
}

pub(super) fn inception_score(args: &MeasureArgs, console: &mut Console) -> Result<()> {
    let begun = Instant::now();
    let config = args.common.resolve(InceptionScoreConfig::default())?;
    let Some(with) = With::read(args, "inception-score", &config)? else { return Ok(()) };
    console.stop_on_interrupt()?;
    let outcome = inception_score::run(&with.network, &with.reference, &with.samples, &config, &with.journal, console);
    let figures = ended(outcome, &with.journal, console)?;
    let line = |of: &str, s: &inception_score::Score| {
        format!("{of:24} {:>8.4} +- {:.4}  ({} images)\n", s.mean, s.std, s.images)
    };
    let text = format!("{}, 1 to {}, of {}\n", figures.name, figures.classes, figures.network)
        + &line("samples", &figures.samples)
        + &line(&with.reference.name, &figures.reference);
    with.leave(&config, begun, &figures, &text, console)
}

/// What both are given.
struct With {
    name: &'static str,
    results: Results,
    reference: Images,
    samples: Images,
    network: Features,
    journal: Journal,
}

impl With {
    /// `None` when only the settings were asked for.
    fn read(args: &MeasureArgs, name: &'static str, config: &impl Serialize) -> Result<Option<Self>> {
        let common: &Common = &args.common;
        if printed(common, config)? {
            return Ok(None);
        }
        let weights = [&args.samples, &args.inception, &args.classifier].map(Option::as_deref);
        let mut results = Results::new(common, name, &[], &weights)?;
        let reference = common.images(args.dataset.as_deref(), args.part)?;
        let samples = args.samples.as_deref().ok_or_else(|| {
            Error::config("--samples", "nothing", "the images that are compared with those of --data: a file or folder")
        })?;
        let samples = Images::read(samples)?;
        results.spare_images([&reference, &samples])?;
        let (network, path) = match (&args.inception, &args.classifier) {
            (Some(path), _) => (Features::inception(path)?, path),
            (None, Some(path)) => (Features::classifier(path)?, path),
            (None, None) => {
                let expected =
                    "--inception FILE (Inception-v3's weights) or --classifier FILE (see `image classifier`)";
                return Err(Error::config("--inception, --classifier", "neither", expected));
            }
        };
        let of = (config, [&reference, &samples].map(DataRecord::of), fingerprint(path)?);
        let journal = results.journal(name, &args.again, &of)?;
        Ok(Some(Self { name, results, reference, samples, network, journal }))
    }

    fn leave(
        self,
        config: &impl Serialize,
        begun: Instant,
        figures: &impl Serialize,
        text: &str,
        console: &Console,
    ) -> Result<()> {
        let (name, sets) = (self.name, [&self.reference, &self.samples]);
        let record = Record::new(name, config, &sets, begun.elapsed().as_secs_f64(), figures);
        let json = self.results.json(name, &record)?;
        let table = self.results.text(&format!("{name}.txt"), text)?;
        self.journal.end()?;
        console.say(&format!("{}, {}", table.display(), json.display()));
        output::print(text)
    }
}
