//! Experiments on images that are interrupted go on to the same bits; who watches their chains changes nothing.
#![allow(clippy::unwrap_used)]

use candle_core::Device;
use ebmotion::event::{Event, Silent, Sink};
use ebmotion::settings::Settings;
use ebmotion::{Error, Result};
use ebmotion_images::experiment::classifier::{self, TrainingConfig};
use ebmotion_images::experiment::compose::{self, ComposeConfig};
use ebmotion_images::experiment::cross_class::{self, CrossClassConfig};
use ebmotion_images::experiment::denoise::{self, DenoiseConfig};
use ebmotion_images::experiment::features::Features;
use ebmotion_images::experiment::fid::{self, FidConfig};
use ebmotion_images::experiment::generate::{self, GenerateConfig};
use ebmotion_images::experiment::inpaint::{self, InpaintConfig};
use ebmotion_images::experiment::likelihood::{self, LikelihoodConfig};
use ebmotion_images::experiment::ood::{self, OodConfig, OodData};
use ebmotion_images::experiment::robust::{self, RobustConfig};
use ebmotion_images::experiment::train::{self, ImageTrainConfig};
use ebmotion_images::experiment::{ImageModel, Journal};
use ebmotion_images::image::Images;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::fmt::Debug;
use std::path::Path;

/// 6 x 6 pictures of two classes: a bright left or a bright right half, shifted in brightness.
fn halves(count: usize) -> Images {
    let pixel = |i: usize, x: usize| if (x < 3) == i.is_multiple_of(2) { 200 + (i % 50) as u8 } else { (i % 7) as u8 };
    let pixels = (0..count).flat_map(|i| (0..36).map(move |p| pixel(i, p % 6))).collect();
    Images::new("halves", [1, 6, 6], pixels, Some((0..count).map(|i| (i % 2) as u32).collect())).unwrap()
}

/// The experiment's settings but for some.
fn but<C: Default + Serialize + DeserializeOwned>(changes: Value) -> C {
    C::default().with(&changes).unwrap()
}

/// An energy of `halves`, trained for a moment.
fn model() -> ImageModel {
    let config: ImageTrainConfig = but(json!({ "width": 0.1, "validation": 10, "train": { "steps": 20, "batch": 8 } }));
    train::run(&halves(60), &config, &Device::Cpu, None, false, &mut Silent).unwrap()
}

/// Asks to stop after some steps, as Ctrl-C does.
struct StopAfter(u64);

impl Sink for StopAfter {
    fn emit(&mut self, event: &Event<'_>) -> Result<()> {
        if let Event::Step { .. } = event {
            self.0 = self.0.saturating_sub(1);
        }
        Ok(())
    }

    fn stop_requested(&self) -> bool {
        self.0 == 0
    }
}

/// Interrupts an experiment again and again, each time after `patience` more steps, and lets it go on, until it ends.
/// It must give what it gives without interruptions, of which there are at least `least`.
#[track_caller]
fn goes_on<T: PartialEq + Debug>(patience: u64, least: u64, experiment: impl Fn(&Journal, &mut dyn Sink) -> Result<T>) {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("unfinished");
    let begin = |of: &str, resume: bool, overwrite: bool| Journal::begin(&place, &of, resume, overwrite);
    let whole = experiment(&Journal::none(), &mut Silent).unwrap();
    let mut interruptions = 0;
    let ended = loop {
        let journal = begin("this", place.exists(), false).unwrap();
        match experiment(&journal, &mut StopAfter(patience * (interruptions + 1))) {
            Err(Error::Interrupted { .. }) => interruptions += 1,
            other => break other.unwrap(),
        }
        assert!(interruptions < 1000, "it does not get on");
    };
    assert!(interruptions >= least, "{interruptions}");
    assert_eq!(ended, whole);
    // What is kept is found again, and by the same run alone.
    assert!(begin("this", false, false).is_err() && begin("another", true, false).is_err());
    let journal = begin("this", true, false).unwrap();
    assert_eq!(experiment(&journal, &mut Silent).unwrap(), whole);
    damage(&place);
    let error = experiment(&journal, &mut Silent).unwrap_err();
    assert!(matches!(error, Error::Model { .. }), "{error}");
    journal.end().unwrap();
    assert!(!place.exists() && begin("this", true, false).is_err());
}

/// Spoils every piece that is kept, as a sign that they are read.
fn damage(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => damage(&path),
            false => std::fs::write(path, "oops").unwrap(),
        }
    }
}

#[test]
fn drawing_goes_on_to_the_same_bits() {
    let model = model();
    let config: GenerateConfig = but(json!({ "count": 350, "sampler": { "levels": 4 }, "strips": 3, "frames": 3 }));
    goes_on(1, 2, |journal, sink| {
        let drawn = generate::run(&model, &config, journal, sink)?;
        Ok((drawn.images, drawn.film.unwrap()))
    });
}

#[test]
fn mending_goes_on_to_the_same_bits() {
    let (model, images, test) = (model(), halves(150), halves(120));
    let config: InpaintConfig =
        but(json!({ "count": 120, "samples": 2, "sampler": { "levels": 3, "corrector_steps": 1 } }));
    goes_on(1, 3, |journal, sink| inpaint::run(&model, &images, &test, &config, journal, sink));
    let config: DenoiseConfig =
        but(json!({ "count": 20, "samples": 2, "starts": [0.6, 1.0], "sampler": { "levels": 3 } }));
    goes_on(1, 3, |journal, sink| {
        let (found, picture) = denoise::run(&model, &images, &test, &config, journal, sink)?;
        Ok((found.start, found.by_start, found.table, picture))
    });
    let config: CrossClassConfig = but(json!({ "count": 60, "sampler": { "levels": 3 } }));
    goes_on(1, 1, |journal, sink| {
        let crossed = cross_class::run(&model, &images, &config, journal, sink)?;
        Ok((crossed.images, crossed.picture, crossed.moved, crossed.apart))
    });
}

/// Quick settings of `robust`.
fn attacked() -> RobustConfig {
    but(json!({ "images": 60, "steps": 2, "draws": 1, "linf": [0.0, 0.3], "l2": [0.5, 1.0], "calibration": 10 }))
}

#[test]
fn attacks_go_on_to_the_same_bits() {
    let (model, images, config) = (model(), halves(80), attacked());
    let quick: TrainingConfig =
        but(json!({ "convolutions": [[4, 3]], "dense": 8, "train": { "steps": 40, "batch": 20 } }));
    let (classifier, _) = classifier::run(&images, &images, &quick, &Journal::none(), &mut Silent).unwrap();
    let classifiers = [("classifier".to_string(), classifier)];
    goes_on(1, 3, |journal, sink| robust::run(&model, &classifiers, &images, &images, &config, journal, sink));
    goes_on(7, 2, |journal, sink| {
        let (classifier, figures) = classifier::run(&images, &images, &quick, journal, sink)?;
        let weights = classifier.parameters().values()?;
        let weights: Vec<Vec<f32>> = weights.iter().map(|w| Ok(w.flatten_all()?.to_vec1()?)).collect::<Result<_>>()?;
        Ok((weights, figures))
    });
}

#[test]
fn distances_go_on_to_the_same_bits() {
    let quick: TrainingConfig =
        but(json!({ "convolutions": [[4, 3]], "dense": 8, "train": { "steps": 4, "batch": 20 } }));
    let images = halves(60);
    let (classifier, _) = classifier::run(&images, &images, &quick, &Journal::none(), &mut Silent).unwrap();
    let network = Features::Classifier(Box::new(classifier));
    // More than one piece of 64 batches of 200 images.
    let (reference, samples) = (halves(13_000), halves(100));
    goes_on(30, 2, |journal, sink| {
        fid::run(&network, &reference, &samples, &FidConfig { seed: 1, images: 0 }, journal, sink)
    });
}

/// Quick settings of `likelihood`.
fn annealed(levels: usize) -> LikelihoodConfig {
    but(json!({ "levels": levels, "chains": 3, "mixing": 2, "images": 20 }))
}

#[test]
fn bounds_go_on_to_the_same_bits() {
    // More levels than are kept as one piece.
    let (model, test, config) = (model(), halves(30), annealed(60));
    goes_on(20, 5, |journal, sink| likelihood::run(&model, &test, &config, journal, sink));
}

#[test]
fn scores_go_on_to_the_same_bits() {
    let (model, images, test) = (model(), halves(60), halves(20));
    let others = [halves(25)];
    let config: OodConfig = but(json!({
        "levels": [0.3, 0.8], "replicates": 5, "validation": 10, "batch": 7, "shown": 2,
        "pixel_cnn": { "steps": 3, "network": { "width": 4 } },
        "real_nvp": { "steps": 3, "network": { "hidden": [8] } },
    }));
    let data = OodData { train: &images, test: &test, others: &others };
    goes_on(2, 3, |journal, sink| {
        // Trained baselines stay where results are: in a folder of this attempt they are never found.
        let folder = tempfile::tempdir().unwrap();
        ood::run(&model, data, &config, (folder.path(), journal), sink)
    });
}

/// Quick settings of `compose`.
fn composed() -> ComposeConfig {
    let brief = json!({ "steps": 6, "width": 4, "batch": 8 });
    but(json!({
        "side": 16, "positions": 4, "samples": 2, "attributes": brief, "sampler": { "levels": 3 },
        "cross": {
            "fractions": [0.0, 1.0], "size_energy": brief, "position_energy": brief, "baseline": brief,
            "sampler": { "levels": 3 },
        },
    }))
}

#[test]
fn compositions_go_on_to_the_same_bits() {
    let config = composed();
    goes_on(5, 3, |journal, sink| {
        let outcome = compose::run(&config, journal, sink)?;
        Ok((outcome.figures, outcome.pictures))
    });
}

/// Hears where chains are.
#[derive(Default)]
struct Watching {
    /// Step, images and energies.
    told: Vec<(u64, Images, Vec<f64>)>,
}

impl Sink for Watching {
    fn emit(&mut self, event: &Event<'_>) -> Result<()> {
        if let Event::Chains { step, shape, pixels, energies } = event {
            let images = Images::new("told", *shape, pixels.to_vec(), None)?;
            self.told.push((*step, images, energies.to_vec()));
        }
        Ok(())
    }

    fn watches_chains(&self) -> bool {
        true
    }
}

/// Runs an experiment watched and not, which must come to the same. Gives the steps told of each walk, whose chains and
/// energies are as many and move.
#[track_caller]
fn watched<T: PartialEq + Debug>(chains: usize, experiment: impl Fn(&mut dyn Sink) -> Result<T>) -> Vec<Vec<u64>> {
    let mut sink = Watching::default();
    let seen = experiment(&mut sink).unwrap();
    assert_eq!(seen, experiment(&mut Silent).unwrap());
    let mut walks: Vec<Vec<u64>> = Vec::new();
    for (step, images, energies) in &sink.told {
        assert!(images.len() == energies.len() && images.len() <= chains, "{} of {chains}", images.len());
        assert!(energies.iter().all(|e| e.is_finite()), "{energies:?}");
        if *step == 0 {
            walks.push(Vec::new());
        }
        walks.last_mut().unwrap().push(*step);
    }
    assert!(sink.told.windows(2).all(|pair| pair[0].1.pixels() != pair[1].1.pixels()), "chains that stand still");
    walks
}

#[test]
fn annealed_chains_are_told_down_the_levels_and_back() {
    let (model, test, config) = (model(), halves(30), annealed(8));
    let walks = watched(3, |sink| likelihood::run(&model, &test, &config, &Journal::none(), sink));
    // Down all eight levels; back to all but the standard normal, which is no level.
    assert_eq!(walks, [(0..8).collect::<Vec<_>>(), (0..7).collect()]);
}

#[test]
fn purified_chains_are_told_for_every_class() {
    let (model, images, config) = (model(), halves(80), attacked());
    let walks = watched(25, |sink| robust::run(&model, &[], &images, &images, &config, &Journal::none(), sink));
    // Of the first batch, at two radii of two norms: ten steps and the end.
    assert_eq!(walks, vec![(0..11).collect::<Vec<_>>(); 4]);
}

#[test]
fn composed_chains_are_told_walk_by_walk() {
    let config = composed();
    let walks = watched(25, |sink| {
        let outcome = compose::run(&config, &Journal::none(), sink)?;
        Ok((outcome.figures, outcome.pictures))
    });
    // Two shares of pairs, and four compositions.
    assert_eq!(walks, vec![vec![0, 1, 2]; 6]);
}
