//! The protocol on sets small enough for a test: what each method must and must not do.

use super::*;
use ebmotion::event::Silent;

/// Four classes of 8 x 8 images, one bright quarter each, with noise: easy for any method that has not forgotten.
fn quarters(count: usize, seed: u64) -> Images {
    let mut noise = Noise::new(seed);
    let draw = noise.next_draw();
    let mut uniform = vec![0.0; 64];
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for i in 0..count {
        let class = i % 4;
        draw.uniform(i as u64, &mut uniform);
        let bright = |p: usize| p / 8 / 4 == class / 2 && p % 8 / 4 == class % 2;
        pixels.extend((0..64).map(|p| (uniform[p] * 100.0) as u8 + if bright(p) { 150 } else { 0 }));
        labels.push(class as u32);
    }
    Images::new("quarters", [1, 8, 8], pixels, Some(labels)).expect("whole images")
}

fn config() -> ContinualConfig {
    let mut config = ContinualConfig { seeds: 1, hidden: 32, latent: 4, ..ContinualConfig::default() };
    for method in Method::ALL {
        let plan = config.plan_mut(method);
        (plan.batch, plan.learning_rate) = (8, 1e-2);
    }
    config
}

/// Asks to stop at once.
struct Stopping;

impl Sink for Stopping {
    fn emit(&mut self, _: &Event<'_>) -> Result<()> {
        Ok(())
    }

    fn stop_requested(&self) -> bool {
        true
    }
}

fn accuracies(config: &ContinualConfig) -> Result<Vec<MethodRow>> {
    let (train, test) = (quarters(800, 1), quarters(200, 2));
    Ok(table(&run(&train, &test, config, &Journal::none(), &mut Silent)?))
}

#[test]
fn energies_keep_what_a_fine_tuned_classifier_forgets() -> Result<()> {
    let rows = accuracies(&config())?;
    assert_eq!(rows.iter().map(|r| r.method).collect::<Vec<_>>(), Method::ALL);
    let mean = |method: Method| rows.iter().find(|r| r.method == method).map(|r| r.mean).unwrap_or_default();
    // Nothing to forget: the task is learnt. Fine-tuned on classes 2 and 3, the classifier knows only these.
    assert!(mean(Method::Joint) > 0.99, "{rows:?}");
    assert!(mean(Method::FineTuning) < 0.6, "{rows:?}");
    assert!(mean(Method::Ebm) > 0.99, "{rows:?}");
    Ok(())
}

#[test]
fn a_run_is_a_function_of_its_seed_alone() -> Result<()> {
    let methods = vec![Method::Si, Method::EbmLabels, Method::Vae];
    let both = ContinualConfig { seeds: 2, methods: methods.clone(), ..config() };
    let (train, test) = (quarters(160, 1), quarters(40, 2));
    let folder = tempfile::tempdir().map_err(Error::io("temporary", "create"))?;
    let begun = |resume: bool| Journal::begin(&folder.path().join("unfinished"), &"both", resume, false);
    // Interrupted after the first wave, and going on.
    let broken = run(&train, &test, &both, &begun(false)?, &mut Stopping);
    assert!(matches!(broken, Err(Error::Interrupted { .. })), "{broken:?}");
    let all = run(&train, &test, &both, &begun(true)?, &mut Silent)?;
    assert_eq!(all.len(), 6);
    // In another order, and without an interruption: the same numbers.
    let reversed = ContinualConfig { methods: methods.into_iter().rev().collect(), ..both.clone() };
    let again = run(&train, &test, &reversed, &Journal::none(), &mut Silent)?;
    assert_eq!(again, all);
    assert_ne!(all[0].accuracy, all[1].accuracy);
    Ok(())
}

#[test]
fn figures_of_tasks_make_the_whole() -> Result<()> {
    let config = ContinualConfig { methods: vec![Method::Ebm], ..config() };
    let runs = run(&quarters(80, 1), &quarters(40, 2), &config, &Journal::none(), &mut Silent)?;
    assert_eq!(runs[0].by_task.iter().map(Vec::len).collect::<Vec<_>>(), [1, 2]);
    // Two tasks of as many images.
    assert!((runs[0].by_task[1].iter().sum::<f64>() / 2.0 - runs[0].accuracy).abs() < 1e-12);
    // Pixels, hidden 32 in 4 parts: a class has 64 x 8 + 8 + 8 x 8 + 8 + 8 + 64 numbers.
    assert_eq!(runs[0].parameters, 4 * 664);
    Ok(())
}

#[test]
fn settings_out_of_range_and_unfit_images_are_refused() {
    let (train, test) = (quarters(40, 1), quarters(20, 2));
    let refused = |config: &ContinualConfig, train: &Images, part: &str| {
        let error = run(train, &test, config, &Journal::none(), &mut Silent).expect_err(part);
        assert!(error.exit_code() == 2 && error.to_string().contains(part), "{error}");
    };
    refused(&ContinualConfig { hidden: 3, ..config() }, &train, "hidden");
    refused(&ContinualConfig { seeds: 0, ..config() }, &train, "seeds");
    let mut wrong = config();
    wrong.ebm_labels.strength = 1.5;
    refused(&wrong, &train, "ebm_labels.strength");
    wrong = config();
    wrong.ewc.learning_rate = f64::NAN;
    refused(&wrong, &train, "ewc.learning_rate");
    let bare = Images::new("bare", [1, 8, 8], vec![0; 64], None).expect("an image");
    refused(&config(), &bare, "labels of `bare`");
    let small = Images::new("small", [1, 4, 4], vec![0; 32], Some(vec![0, 3])).expect("images");
    refused(&config(), &small, "shape");
}

/// The gradients of both energies and of the bound are written out; a descent that follows them from the same start must
/// lower what they are the gradients of. The test of values against differences is the perceptron's.
#[test]
fn every_method_learns_all_classes_at_once() -> Result<()> {
    let config = ContinualConfig { classes_per_task: 4, ..config() };
    for row in accuracies(&config)? {
        assert!(row.mean > 0.95, "{row:?}");
    }
    Ok(())
}

#[test]
fn tuning_takes_the_best_of_the_grid() -> Result<()> {
    let config = ContinualConfig { methods: vec![Method::FineTuning], validation: 40, ..config() };
    let (best, trials) = tune(&quarters(120, 1), &config, &Journal::none(), &mut Silent)?;
    assert_eq!(trials.len(), 6);
    let highest = trials.iter().map(|t| t.accuracy).fold(0.0, f64::max);
    let chosen = trials.iter().find(|t| t.plan == best.fine_tuning).map(|t| t.accuracy);
    assert_eq!(chosen, Some(highest));
    assert_eq!(best.ebm, config.ebm);
    Ok(())
}
