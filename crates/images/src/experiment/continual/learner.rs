//! What every method of the comparison is: it sees a task's images once, in batches, and later scores all classes.

use super::perceptron::Perceptron;
use super::plan::Plan;
use crate::image::Images;
use candle_core::{Device, Tensor};
use ebmotion::Result;
use ebmotion::model::Parameters;
use ebmotion::noise::Noise;
use ebmotion::train::{Adam, AdamConfig, Clip, Decay};
use std::ops::Range;

/// The images of a task's classes.
pub(super) struct Task {
    /// `(N, H W)`, in `[0, 1]`.
    pub(super) x: Tensor,
    /// Their labels.
    pub(super) labels: Vec<usize>,
    /// The classes of the task.
    pub(super) classes: Range<usize>,
}

impl Task {
    /// The images of `classes`.
    pub(super) fn new(images: &Images, classes: Range<usize>) -> Result<Self> {
        let wanted: Vec<u32> = classes.clone().map(|c| c as u32).collect();
        let chosen = images.of_classes(&wanted)?;
        let labels = chosen.known_labels()?.iter().map(|l| *l as usize).collect();
        let x = Tensor::from_vec(chosen.to_unit(), (chosen.len(), chosen.size()), &Device::Cpu)?;
        Ok(Self { x, labels, classes })
    }

    /// Every image once, in random order, in batches of `size`; what is left over at the end is a smaller batch.
    pub(super) fn batches(&self, size: usize, noise: &mut Noise) -> Result<Vec<(Tensor, Vec<usize>)>> {
        let order = noise.permutation(self.labels.len());
        let mut batches = Vec::new();
        for rows in order.chunks(size) {
            let index: Vec<u32> = rows.iter().map(|i| *i as u32).collect();
            let x = self.x.index_select(&Tensor::new(index, &Device::Cpu)?, 0)?;
            batches.push((x, rows.iter().map(|i| self.labels[*i]).collect()));
        }
        Ok(batches)
    }
}

/// A method.
pub(super) trait Learner {
    /// Learns the next task, from its images alone and each of them once.
    fn learn(&mut self, task: &Task, noise: &mut Noise) -> Result<()>;

    /// How likely each of the `classes` classes is for each row of `x`, `(N, classes)`; only the order counts.
    fn scores(&self, x: &Tensor) -> Result<Vec<Vec<f32>>>;

    /// Trainable numbers.
    fn parameters(&self) -> usize;
}

/// Adam for one task of `steps` steps, its rate falling along half a cosine: the same for every method.
pub(super) struct Descent {
    adam: Adam,
    step: u64,
    steps: u64,
}

impl Descent {
    pub(super) fn new(plan: &Plan, parameters: &Parameters, steps: usize) -> Result<Self> {
        let config = AdamConfig {
            learning_rate: plan.learning_rate,
            beta1: 0.9,
            beta2: 0.999,
            weight_decay: 0.0,
            warmup_steps: 0,
            decay: Decay::Cosine,
            clip: Clip::None,
            whitening: None,
        };
        Ok(Self { adam: Adam::new(config, parameters)?, step: 0, steps: steps as u64 })
    }

    pub(super) fn step(&mut self, parameters: &Parameters, gradients: Vec<Tensor>) -> Result<()> {
        let gradients: Vec<Option<Tensor>> = gradients.into_iter().map(Some).collect();
        self.adam.step(parameters, &gradients, self.step, self.steps)?;
        self.step += 1;
        Ok(())
    }
}

/// Softmax of the first `among` numbers of each row.
pub(super) fn softmax(rows: &[Vec<f32>], among: Range<usize>) -> Vec<Vec<f32>> {
    let one = |row: &Vec<f32>| {
        let row = &row[among.clone()];
        let top = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let weights: Vec<f32> = row.iter().map(|v| (v - top).exp()).collect();
        let sum: f32 = weights.iter().sum();
        weights.into_iter().map(|w| w / sum).collect()
    };
    rows.iter().map(one).collect()
}

/// Gradient at the outputs `(B, width)` of the mean cross entropy between `targets` and the softmax over the outputs of
/// `among`; 0 elsewhere. `targets` are probabilities over `among`.
pub(super) fn cross_entropy_gradient(
    outputs: &[Vec<f32>],
    targets: impl Fn(usize, usize) -> f32,
    among: Range<usize>,
    factor: f32,
) -> Vec<Vec<f32>> {
    let scale = factor / outputs.len() as f32;
    let mut gradient = vec![vec![0.0; outputs.first().map_or(0, Vec::len)]; outputs.len()];
    for (b, share) in softmax(outputs, among.clone()).iter().enumerate() {
        for (class, p) in among.clone().zip(share) {
            gradient[b][class] = (p - targets(b, class)) * scale;
        }
    }
    gradient
}

/// Rows of numbers as a tensor.
pub(super) fn tensor(rows: Vec<Vec<f32>>) -> Result<Tensor> {
    let shape = (rows.len(), rows.first().map_or(0, Vec::len));
    Ok(Tensor::from_vec(rows.concat(), shape, &Device::Cpu)?)
}

/// Outputs of a network for many rows.
pub(super) fn outputs(net: &Perceptron, x: &Tensor) -> Result<Vec<Vec<f32>>> {
    Ok(net.forward(x)?.out.to_vec2()?)
}
