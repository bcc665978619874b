//! Learning an energy from images.

mod config;
mod pictures;

pub use super::learning::Learning;
pub use config::{Architecture, IMAGE_PRESETS, ImageTrainConfig};

use super::DataRecord;
use super::classify::{NoiseProbe, accuracy};
use super::history::Remembering;
use super::model::{ImageModel, ImageModelInfo, Learned};
use crate::image::Images;
use candle_core::{Device, Tensor};
use ebmotion::event::Sink;
use ebmotion::noise::Noise;
use ebmotion::settings::Settings;
use ebmotion::train::{CheckpointPlan, Objective, Outcome, train};
use ebmotion::{Error, Result};
use pictures::{Moved, Pictures};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// Streams of a run's noise.
const WEIGHTS: u64 = 1;
const STEPS: u64 = 2;
const SPLIT: u64 = 3;
const JUDGED: u64 = 4;

/// Trains an energy on images; with a `checkpoint` the run is saved there from time to time and when the sink asks to
/// stop, and with `resume` it goes on from there to the same weights, to the last bit. Weights and batches are on
/// `device` while it learns; the model comes back to the CPU.
///
/// # Errors
/// [`Error::Config`] for settings out of range; [`Error::Data`] when images and settings do not fit; as [`train()`].
#[expect(clippy::too_many_lines, reason = "a training from top to bottom")]
pub fn run(
    images: &Images,
    config: &ImageTrainConfig,
    device: &Device,
    checkpoint: Option<&Path>,
    resume: bool,
    sink: &mut dyn Sink,
) -> Result<ImageModel> {
    let begun = Instant::now();
    config.check()?;
    let noise = Noise::new(config.seed);
    let chosen = match config.classes.is_empty() {
        true => images.clone(),
        false => images.of_classes(&config.classes)?,
    };
    let mut classes = chosen.labels().map(<[u32]>::to_vec).unwrap_or_default();
    classes.sort_unstable();
    classes.dedup();
    if config.conditional {
        chosen.known_labels().map_err(|e| match e {
            Error::Data { what, found, expected } => {
                Error::Data { what, found, expected: format!("{expected}, or the setting conditional=false") }
            }
            other => other,
        })?;
    }
    if config.validation >= chosen.len() {
        let expected = format!("at most {}, one image less than there are", chosen.len() - 1);
        return Err(Error::config("validation", config.validation, expected));
    }
    let order = noise.fork(SPLIT).permutation(chosen.len());
    let (validation, training) = order.split_at(config.validation);
    let scale = if config.learning.in_pixels() { [0.0, 1.0] } else { moments(&chosen, training)? };
    let network = config.network(chosen.shape(), if config.conditional { classes.len() } else { 0 })?;
    let mut info = ImageModelInfo::new(network, config.learning.leveled(), classes, scale, DataRecord::of(&chosen));
    info.settings = config.as_json()?;
    let plan = checkpoint.map(|path| CheckpointPlan {
        path: path.to_path_buf(),
        resume,
        identity: serde_json::json!({ "settings": info.settings, "data": info.data }),
    });
    let source = Pictures {
        images: &chosen,
        info: &info,
        train: training.to_vec(),
        validation: validation.to_vec(),
        dropout: config.label_dropout,
        chains: config.learning.in_pixels(),
        augment: config.augment,
    };
    let energy = info.fresh(&mut noise.fork(WEIGHTS), device)?;
    let steps = noise.fork(STEPS);
    let shape = chosen.shape();
    let context = [info.classes.len()];
    let context = info.conditional.then_some(&context[..]);
    let moved = (!config.augment.is_none()).then(|| Arc::new(Moved { augment: config.augment, shape }) as Arc<_>);
    let mut taught = |objective: &mut dyn Objective| -> Result<(Outcome, Vec<Vec<Tensor>>)> {
        let mut run = Remembering::new(objective, config.history.clone(), config.train.total()?);
        let outcome = train(&mut run, &source, &config.train, &steps, plan.as_ref(), sink)?;
        Ok((outcome, run.kept))
    };
    let (energy, (outcome, kept)) = match energy {
        Learned::Levels(energy) => {
            let mut objective = config.learning.over_levels(energy)?;
            let ended = taught(objective.as_mut())?;
            (Learned::Levels(objective.into_learned()), ended)
        }
        Learned::Single(energy) => {
            let mut objective = config.learning.over(energy, &shape, context, moved)?;
            let ended = taught(objective.as_mut())?;
            (Learned::Single(objective.into_learned()), ended)
        }
    };
    let validation = validation.to_vec();
    let home = |weights: Vec<Tensor>| weights.into_iter().map(|t| Ok(t.to_device(&Device::Cpu)?)).collect();
    let kept = kept.into_iter().map(home).collect::<Result<_>>()?;
    let mut model = ImageModel::new(info, config.learning.clone(), energy, kept);
    if model.classes() > 0 {
        let noise = noise.fork(JUDGED);
        let accuracy = accuracy(&model, &chosen, &validation, &NoiseProbe::default(), &noise)?;
        model.info_mut().validation_accuracy = Some(accuracy);
    }
    model.info_mut().train_seconds = outcome.earlier_seconds + begun.elapsed().as_secs_f64();
    model.info_mut().outcome = outcome;
    model.to_device(&Device::Cpu)
}

/// Mean and standard deviation of all pixels of some images, in `[0, 1]`.
fn moments(images: &Images, indices: &[usize]) -> Result<[f64; 2]> {
    let (mut sum, mut squares, mut count) = (0.0, 0.0, 0.0);
    for &i in indices {
        for v in images.row(i) {
            let v = f64::from(*v) / 255.0;
            sum += v;
            squares += v * v;
            count += 1.0;
        }
    }
    let mean: f64 = sum / count;
    let variance: f64 = squares / count - mean * mean;
    match variance > 1e-12 {
        true => Ok([mean, variance.sqrt()]),
        false => Err(Error::data(format!("pixels of `{}`", images.name), "all alike", "images that differ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ebmotion::event::{Event, Silent};

    /// 40 images of 6 x 6, no two alike, of two classes.
    fn images() -> Images {
        let pixels = (0..40 * 36u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let labels = (0..40).map(|i| i % 2).collect();
        Images::new("numbers", [1, 6, 6], pixels, Some(labels)).unwrap()
    }

    fn config(preset: &str) -> ImageTrainConfig {
        let mut config = ImageTrainConfig::preset(preset).unwrap();
        (config.width, config.validation) = (0.1, 8);
        (config.train.steps, config.train.batch, config.train.checkpoint_every) = (6.into(), 8, 2);
        config.augment = crate::image::Augment { shift: 1, flip: true };
        match &mut config.learning {
            Learning::Contrastive(c) => c.steps = 3,
            Learning::Improved(c) => c.contrastive.steps = 3,
            Learning::Recovery(c) => c.steps = 3,
            Learning::EnergyMatching(c) => (c.steps, c.warmup) = (3, 2),
            Learning::Denoising { .. } => {}
        }
        config
    }

    fn weights(model: &ImageModel) -> Vec<Vec<f32>> {
        let values = model.parameters().values().unwrap();
        values.iter().map(|t| t.flatten_all().unwrap().to_vec1().unwrap()).collect()
    }

    /// A sink that asks to stop after a step.
    struct StopAfter(u64, u64);

    impl Sink for StopAfter {
        fn emit(&mut self, event: &Event<'_>) -> Result<()> {
            if let Event::Step { step, .. } = event {
                self.1 = *step;
            }
            Ok(())
        }

        fn stop_requested(&self) -> bool {
            self.1 >= self.0
        }
    }

    #[test]
    fn augmented_runs_go_on_to_the_same_bits() {
        let (images, folder) = (images(), tempfile::tempdir().unwrap());
        for preset in IMAGE_PRESETS {
            let config = config(preset);
            let unbroken = run(&images, &config, &Device::Cpu, None, false, &mut Silent).unwrap();
            let path = folder.path().join(preset);
            let stopped = run(&images, &config, &Device::Cpu, Some(&path), false, &mut StopAfter(3, 0));
            assert!(matches!(stopped, Err(Error::Interrupted { .. })), "{preset}: {:?}", stopped.map(|_| ()));
            let resumed = run(&images, &config, &Device::Cpu, Some(&path), true, &mut Silent).unwrap();
            assert_eq!(weights(&resumed), weights(&unbroken), "{preset}");
            let plain = ImageTrainConfig { augment: crate::image::Augment::default(), ..config };
            let plain = run(&images, &plain, &Device::Cpu, None, false, &mut Silent).unwrap();
            assert_ne!(weights(&plain), weights(&unbroken), "{preset}: augmentation changes what is learned from");
        }
    }

    /// The buffer's chains are moved when they are resumed, those that begin are not.
    #[test]
    fn resumed_chains_are_moved() {
        use crate::model::{ConvConfig, ConvEnergy};
        use ebmotion::train::objective::Contrastive;
        let settings = match ImageTrainConfig::preset("paper").unwrap().learning {
            Learning::Contrastive(c) => {
                ebmotion::train::objective::ContrastiveConfig { steps: 1, step_size: 0.0, noise: 0.0, fresh: 0.0, ..c }
            }
            other => panic!("{other:?}"),
        };
        let network = ConvConfig { height: 6, width: 6, ..ConvConfig::mnist(0).scaled(0.1).unwrap() };
        let network = ConvEnergy::new(network, &mut Noise::new(1), candle_core::DType::F32, &Device::Cpu).unwrap();
        let moved = Moved { augment: crate::image::Augment { shift: 0, flip: true }, shape: [1, 6, 6] };
        let mut objective = Contrastive::new(network, settings, &[1, 6, 6], None).unwrap().augmented(Arc::new(moved));
        let values: Vec<f32> = (0..4 * 36).map(|i| i as f32 / 144.0).collect();
        let start = Tensor::from_vec(values, (4, 1, 6, 6), &Device::Cpu).unwrap();
        let batch = ebmotion::train::Batch { x: start.clone(), context: None, start: Some(start.clone()) };
        let mut chains = || -> Vec<Vec<f32>> {
            objective.loss(&batch, &mut Noise::new(5)).unwrap();
            let state = objective.state().unwrap();
            let x = &state.iter().find(|(name, _)| name == "replay/x").unwrap().1;
            x.flatten_from(1).unwrap().to_vec2().unwrap()
        };
        let own: Vec<Vec<f32>> = start.flatten_from(1).unwrap().to_vec2().unwrap();
        assert_eq!(chains(), own, "an empty buffer: all chains begin");
        let mirrored = |row: &Vec<f32>| row.chunks(6).flat_map(|r| r.iter().rev().copied()).collect::<Vec<f32>>();
        let after = chains();
        assert!(after.iter().zip(&own).all(|(a, b)| a == b || *a == mirrored(b)));
        assert_ne!(after, own, "one of four at least");
    }
}
