//! Denoising: its gradients beside that of its loss, and chains that have gone astray.

#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

#[path = "support/gradients.rs"]
mod gradients;

use candle_core::{DType, Device, Tensor};
use ebmotion::Result;
use ebmotion::model::{Activation, Leveled, Mlp, MlpConfig, MlpEnergy, Network, Parameters, Positions};
use ebmotion::noise::Noise;
use ebmotion::train::objective::Denoising;
use ebmotion::train::{Adam, AdamConfig, Batch, Clip, Decay, Objective};
use gradients::{batch, both, compare};

const CPU: Device = Device::Cpu;

fn largest(t: &Tensor) -> f32 {
    t.abs().unwrap().flatten_all().unwrap().max(0).unwrap().to_scalar::<f32>().unwrap()
}

/// A perceptron that has no way of its own to the gradient of gradients.
#[derive(Clone)]
struct Plain(MlpEnergy);

impl Network for Plain {
    fn parameters(&self) -> &Parameters {
        self.0.parameters()
    }

    fn energy(&self, x: &Tensor, context: Option<&Tensor>) -> Result<Tensor> {
        self.0.energy(x, context)
    }

    fn value_and_gradient(&self, x: &Tensor, context: Option<&Tensor>) -> Result<(Tensor, Tensor)> {
        self.0.value_and_gradient(x, context)
    }

    fn learn(
        &self,
        x: &Tensor,
        context: Option<&Tensor>,
        coefficients: &mut dyn FnMut(&[f32]) -> Result<Vec<f32>>,
    ) -> Result<Vec<Tensor>> {
        self.0.learn(x, context, coefficients)
    }

    fn learns(&self, x: &Tensor) -> bool {
        self.0.learns(x)
    }
}

#[test]
fn the_gradient_is_that_of_the_loss_exactly_or_by_difference() -> Result<()> {
    let context = 3 + Leveled::<MlpEnergy>::FEATURES;
    let config = MlpConfig {
        inputs: 6,
        context,
        hidden: vec![32, 36],
        outputs: 1,
        activation: Activation::Swish,
        positions: None,
        spectral_norm: false,
    };
    let leaky = MlpConfig { activation: Activation::LeakyRelu, ..config.clone() };
    let normalised = MlpConfig { spectral_norm: true, ..config.clone() };
    let over_time = Positions { count: 2, reach: vec![1] };
    let convolutional = MlpConfig { positions: Some(over_time), hidden: vec![24, 18, 33], ..config.clone() };
    let batch = batch(&[70, 2, 3], 3);
    let uneven = Tensor::new(&[3f32, 1.5, 0.9, 0.4, 0.2, 0.0], &CPU)?;
    let root = Noise::new(8).normal((6, 6), DType::F32, &CPU)?;
    for config in [config, leaky, normalised, convolutional] {
        let mut net = MlpEnergy { net: Mlp::new(config.clone(), &mut Noise::new(4), DType::F32, &CPU)? };
        net.prepare()?;
        for weights in [None, Some(uneven.clone()), Some(root.matmul(&root.t()?)?)] {
            let exact = Denoising::new(Leveled::over(net.clone()));
            let differing = Denoising::new(Leveled::over(Plain(net.clone())));
            let (mut exact, differing) = match weights {
                Some(weights) => (exact.weighted(weights.clone()), differing.weighted(weights)),
                None => (exact, differing),
            };
            let (fast, truth) = both(&mut exact, &batch)?;
            for ((name, _), (fast, truth)) in exact.parameters().iter().zip(fast.iter().zip(&truth)) {
                let off = largest(&(fast - truth)?);
                assert!(off <= 2e-5 * largest(truth), "{config:?}, {name}: off by {off} of {}", largest(truth));
            }
            if config.activation == Activation::LeakyRelu {
                continue; // its slope jumps
            }
            for distance in [0.03, 0.05, 0.1] {
                let (fast, truth) = both(&mut differing.clone().with_distance(distance)?, &batch)?;
                let (cosine, ratio) = compare(&fast, &truth);
                let near = cosine > 0.9999 && (ratio - 1.0).abs() < 1e-3;
                assert!(near, "{config:?}, distance {distance}: cosine {cosine}, ratio {ratio}");
            }
        }
    }
    Ok(())
}

/// All data are one point `a`. Denoising alone leaves open what happens around another point `b` at little noise. Shown
/// noise around `b`, the energy leads from there to `a`.
#[test]
fn an_energy_that_was_shown_where_chains_go_astray_leads_back() -> Result<()> {
    let config = MlpConfig {
        inputs: 2,
        context: Leveled::<MlpEnergy>::FEATURES,
        hidden: vec![32, 32],
        outputs: 1,
        activation: Activation::Swish,
        positions: None,
        spectral_norm: false,
    };
    let fresh = || -> Result<_> {
        let net = Mlp::new(config.clone(), &mut Noise::new(4), DType::F32, &CPU)?;
        Ok(Denoising::new(Leveled::over(MlpEnergy { net })))
    };
    let rows = |point: [f32; 2], count: usize| Tensor::new(&[point], &CPU)?.broadcast_as((count, 2))?.contiguous();
    let (a, b) = ([1.0, 0.5], [-1.0, 1.0]);
    let data = rows(a, 64)?;
    // Rows that begin where they are learn as ever, to the bit.
    let batch = Batch { x: data.clone(), context: None, start: Some(data.clone()) };
    let numbers = |mut o: Denoising<MlpEnergy>, batch: &Batch| -> Result<Vec<Vec<f32>>> {
        let all = o.gradients(batch, &mut Noise::new(5))?.unwrap().by_parameter;
        all.into_iter().map(|g| Ok(g.unwrap().flatten_all()?.to_vec1::<f32>()?)).collect()
    };
    let plain = Batch { start: None, ..batch.clone() };
    assert_eq!(numbers(fresh()?, &plain)?, numbers(fresh()?.recovering(0.3)?, &batch)?);
    assert!(fresh()?.recovering(1.6).is_err());

    let batch = Batch { start: Some(Tensor::cat(&[rows(b, 16)?, rows(a, 48)?], 0)?), ..batch };
    let learned = |mut objective: Denoising<MlpEnergy>| -> Result<f32> {
        let config = AdamConfig {
            learning_rate: 5e-3,
            beta1: 0.9,
            beta2: 0.99,
            weight_decay: 0.0,
            warmup_steps: 10,
            decay: Decay::Cosine,
            clip: Clip::Norm(10.0),
            whitening: None,
        };
        let mut adam = Adam::new(config, objective.parameters())?;
        for step in 0..600 {
            let all = objective.gradients(&batch, &mut Noise::new(100 + step))?.unwrap().by_parameter;
            adam.step(objective.parameters(), &all, step, 600)?;
        }
        // Where noise around `b` at an angle of 0.6 is taken to come from.
        let t = 0.6f64;
        let eps = Noise::new(9).normal((200, 2), DType::F32, &CPU)?;
        let x = ((rows(b, 200)? * t.cos())? + (eps * t.sin())?)?;
        let velocity = objective.energy.at(t, None)?.velocity(&x)?;
        let image = ((&x * t.cos())? - (velocity * t.sin())?)?;
        let mean = image.mean(0)?.to_vec1::<f32>()?;
        Ok(((mean[0] - a[0]).powi(2) + (mean[1] - a[1]).powi(2)).sqrt())
    };
    let (alone, shown) = (learned(fresh()?)?, learned(fresh()?.recovering(0.3)?)?);
    // `b` is 2.06 from `a`.
    assert!(shown < 0.2 && alone > 2.0 * shown, "{alone} without, {shown} with");
    Ok(())
}
