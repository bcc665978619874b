//! Denoising without second derivatives: its gradient beside the exact one, and levels of images.

use super::{CPU, largest, network};
use candle_core::{DType, Tensor};
use ebmotion::Result;
use ebmotion::energy::{Energy, by_autograd};
use ebmotion::model::{Activation, ConvConfig, LevelEnergy, Leveled, Mlp, MlpConfig, MlpEnergy, Network};
use ebmotion::noise::Noise;
use ebmotion::train::objective::{Denoising, DenoisingByDifference};
use ebmotion::train::{Adam, AdamConfig, Batch, Clip, Decay, Objective};

fn batch(dims: &[usize], context: usize) -> Batch {
    let mut noise = Noise::new(1);
    let x = noise.normal(dims, DType::F32, &CPU).unwrap();
    let context = noise.normal((dims[0], context), DType::F32, &CPU).unwrap();
    Batch { x, context: Some(context), start: None }
}

/// Cosine of the angle between two gradients, and the ratio of their lengths.
fn compare(one: &[Tensor], other: &[Tensor]) -> (f64, f64) {
    let dot = |a: &[Tensor], b: &[Tensor]| -> f64 {
        let of = |(a, b): (&Tensor, &Tensor)| (a * b).unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap();
        a.iter().zip(b).map(|p| f64::from(of(p))).sum()
    };
    (dot(one, other) / (dot(one, one) * dot(other, other)).sqrt(), (dot(one, one) / dot(other, other)).sqrt())
}

#[test]
fn the_gradient_by_difference_is_that_of_the_loss() -> Result<()> {
    let config = MlpConfig {
        inputs: 6,
        context: 3,
        hidden: vec![32, 32],
        outputs: 1,
        activation: Activation::Swish,
        positions: None,
        spectral_norm: false,
    };
    let exact = LevelEnergy::new(config.clone(), &mut Noise::new(3), DType::F32, &CPU)?;
    let inside = MlpConfig { context: config.context + Leveled::<MlpEnergy>::FEATURES, ..config };
    let net = MlpEnergy { net: Mlp::new(inside, &mut Noise::new(4), DType::F32, &CPU)? };
    net.parameters().set_values(&exact.parameters().values()?)?;
    let batch = batch(&[64, 2, 3], 3);
    let uneven = Tensor::new(&[3f32, 1.5, 0.9, 0.4, 0.2, 0.0], &CPU)?;
    for weights in [None, Some(uneven)] {
        let mut one = Denoising { energy: exact.clone(), weights: weights.clone() };
        let loss = one.loss(&batch, &mut Noise::new(5))?.total;
        let store = loss.backward()?;
        // The bias of the head shifts the energy alone.
        let mut truth = Vec::new();
        for (_, var) in one.parameters().iter() {
            truth.push(store.get(var.as_tensor()).cloned().unwrap_or(var.zeros_like()?));
        }
        for distance in [0.03, 0.05, 0.1] {
            let mut two = DenoisingByDifference::new(Leveled::over(net.clone())).with_distance(distance)?;
            if let Some(weights) = weights.clone() {
                two = two.weighted(weights);
            }
            let fast = two.gradients(&batch, &mut Noise::new(5))?.unwrap();
            let value = f64::from(loss.to_scalar::<f32>()?);
            assert!((fast.loss - value).abs() < 1e-5 * value, "{} beside {value}", fast.loss);
            let found: Vec<Tensor> = fast.by_parameter.into_iter().map(Option::unwrap).collect();
            let (cosine, ratio) = compare(&found, &truth);
            assert!(
                cosine > 0.9999 && (ratio - 1.0).abs() < 1e-3,
                "distance {distance}: cosine {cosine}, ratio {ratio}"
            );
            // The same by differentiating the loss's own graph.
            let total = two.loss(&batch, &mut Noise::new(5))?.total;
            assert!((f64::from(total.to_scalar::<f32>()?) - value).abs() < 1e-5 * value);
            let store = total.backward()?;
            for ((name, var), found) in two.parameters().iter().zip(&found) {
                let exact = store.get(var.as_tensor()).unwrap();
                let off = largest(&(exact - found)?);
                assert!(off < 1e-3 * largest(exact).max(1e-2), "{name}: off by {off} of {}", largest(exact));
            }
        }
    }
    Ok(())
}

#[test]
fn images_learn_by_difference_and_walk_at_their_level() -> Result<()> {
    let mut config = ConvConfig::mnist(3 + Leveled::<MlpEnergy>::FEATURES).scaled(0.1)?;
    (config.height, config.width, config.activation) = (9, 8, Activation::Swish);
    let batch = batch(&[4, 1, 9, 8], 3);
    let mut objective = DenoisingByDifference::new(Leveled::over(network(config, 2)));
    let fast = objective.gradients(&batch, &mut Noise::new(5))?.unwrap();
    let loss = objective.loss(&batch, &mut Noise::new(5))?;
    let store = loss.total.backward()?;
    for ((name, var), found) in objective.parameters().iter().zip(&fast.by_parameter) {
        let (exact, found) = (store.get(var.as_tensor()).unwrap(), found.as_ref().unwrap());
        let off = largest(&(exact - found)?);
        // Differences of energies that nearly cancel: 1e-7 of an energy, over the distance.
        assert!(off < 2e-3 * largest(exact).max(1e-2), "{name}: off by {off} of {}", largest(exact));
    }
    // The exact gradient, of the input gradient written out as a graph in the weights: the loss, posed as the objective poses it.
    let net = objective.energy.network().clone();
    let mut noise = Noise::new(5);
    let t = noise.uniform((4, 1), DType::F32, &CPU)?.affine(1.54, 0.015)?;
    let eps = noise.normal((4, 72), DType::F32, &CPU)?.reshape(batch.x.shape())?;
    let (cos, sin) = (t.cos()?.reshape((4, 1, 1, 1))?, t.sin()?.reshape((4, 1, 1, 1))?);
    let x = (batch.x.broadcast_mul(&cos)? + eps.broadcast_mul(&sin)?)?;
    let target = (eps.broadcast_mul(&cos)? - batch.x.broadcast_mul(&sin)?)?;
    let given = objective.energy.context(&t, batch.context.as_ref())?;
    let (_, grad) = net.value_and_gradient(&x, Some(&given))?;
    let exact = ((grad * objective.energy.gain())? - target)?.sqr()?.mean_all()?;
    let value = f64::from(exact.to_scalar::<f32>()?);
    assert!((fast.loss - value).abs() < 1e-4 * value, "{} beside {value}", fast.loss);
    let store = exact.backward()?;
    let (mut truth, mut found) = (Vec::new(), Vec::new());
    for ((_, var), fast) in objective.parameters().iter().zip(&fast.by_parameter) {
        truth.push(store.get(var.as_tensor()).cloned().unwrap_or(var.zeros_like()?));
        found.push(fast.clone().unwrap());
    }
    let (cosine, ratio) = compare(&found, &truth);
    assert!(cosine > 0.9999 && (ratio - 1.0).abs() < 1e-3, "cosine {cosine}, ratio {ratio}");

    let level = objective.energy.at(0.4, batch.context.as_ref())?;
    let (exact, fast) = (by_autograd(|x| level.energy(x), &batch.x)?, level.evaluate(&batch.x)?);
    for (a, b) in [(&exact.energy, &fast.energy), (&exact.grad, &fast.grad)] {
        let off = largest(&(a - b)?);
        assert!(off < 1e-5 * largest(a).max(1.0), "off by {off} of {}", largest(a));
    }
    assert!(level.program(batch.x.dims())?.is_some());
    Ok(())
}

/// All data are one point `a`. Denoising alone leaves open what happens around another point `b` at little noise; shown noise around
/// `b`, the energy leads from there to `a`.
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
        Ok(DenoisingByDifference::new(Leveled::over(MlpEnergy { net })))
    };
    let rows = |point: [f32; 2], count: usize| Tensor::new(&[point], &CPU)?.broadcast_as((count, 2))?.contiguous();
    let (a, b) = ([1.0, 0.5], [-1.0, 1.0]);
    let data = rows(a, 64)?;
    // Rows that begin where they are learn as ever, to the bit.
    let batch = Batch { x: data.clone(), context: None, start: Some(data.clone()) };
    let numbers = |mut o: DenoisingByDifference<MlpEnergy>, batch: &Batch| -> Result<Vec<Vec<f32>>> {
        let all = o.gradients(batch, &mut Noise::new(5))?.unwrap().by_parameter;
        all.into_iter().map(|g| Ok(g.unwrap().flatten_all()?.to_vec1::<f32>()?)).collect()
    };
    let plain = Batch { start: None, ..batch.clone() };
    assert_eq!(numbers(fresh()?, &plain)?, numbers(fresh()?.recovering(0.3)?, &batch)?);
    assert!(fresh()?.recovering(1.6).is_err());

    let batch = Batch { start: Some(Tensor::cat(&[rows(b, 16)?, rows(a, 48)?], 0)?), ..batch };
    let learned = |mut objective: DenoisingByDifference<MlpEnergy>| -> Result<f32> {
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
