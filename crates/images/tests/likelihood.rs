//! Networks whose likelihoods are exact: what must hold of them whatever their weights, and that they learn.

#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

use candle_core::{DType, Device, Tensor};
use ebmotion::Result;
use ebmotion::event::Silent;
use ebmotion::model::Generative;
use ebmotion::noise::Noise;
use ebmotion::train::objective::GenerativeLoss;
use ebmotion::train::{AdamConfig, Batch, BatchSource, Clip, Decay, Divergence, TrainConfig, train};
use ebmotion_images::model::{PixelCnn, PixelCnnConfig, RealNvp, RealNvpConfig};

/// A network whose weights are far from their start, so that nothing holds only because they are small.
fn pixel_cnn(shape: [usize; 3], levels: usize) -> PixelCnn {
    let config = PixelCnnConfig { width: 6, layers: 2, mixture: 3, levels };
    let net = PixelCnn::new(shape, config, &mut Noise::new(1), DType::F64).unwrap();
    stirred(net.parameters(), 0.3);
    net
}

fn stirred(parameters: &ebmotion::model::Parameters, by: f64) {
    let mut noise = Noise::new(2);
    for (_, var) in parameters.iter() {
        let eps = noise.normal(var.dims(), var.dtype(), &Device::Cpu).unwrap();
        var.set(&(var.as_detached_tensor() + (eps * by).unwrap()).unwrap()).unwrap();
    }
}

/// Every image of `shape` and `levels`.
fn all_images(shape: [usize; 3], levels: usize) -> Tensor {
    let size: usize = shape.iter().product();
    let count = levels.pow(size as u32);
    let digit = |image: usize, place: usize| image / levels.pow(place as u32) % levels;
    let value = |i: usize| digit(i / size, i % size) as f64 / (levels - 1) as f64;
    let values: Vec<f64> = (0..count * size).map(value).collect();
    Tensor::from_vec(values, (count, shape[0], shape[1], shape[2]), &Device::Cpu).unwrap()
}

fn bits(net: &impl Generative, x: &Tensor, seed: u64) -> Vec<f64> {
    net.loss(x, None, &mut Noise::new(seed)).unwrap().to_vec1::<f64>().unwrap()
}

/// Sums of up to 256 numbers in f64: only rounding is left.
#[test]
fn probabilities_of_all_images_sum_to_one() {
    for (shape, levels) in [([1, 2, 2], 2), ([1, 1, 1], 256), ([1, 3, 1], 4), ([3, 1, 2], 2), ([3, 1, 1], 5)] {
        let size: usize = shape.iter().product();
        let net = pixel_cnn(shape, levels);
        let all = bits(&net, &all_images(shape, levels), 0);
        let sum: f64 = all.iter().map(|b| (-b * size as f64).exp2()).sum();
        assert!((sum - 1.0).abs() < 1e-10, "{shape:?} with {levels} levels: {sum}");
        assert!(all.iter().any(|b| (b - all[0]).abs() > 0.01), "{shape:?}: all alike");
    }
}

/// A pixel's probability depends on each pixel before it, by some way, and on none after it.
#[test]
fn a_pixel_depends_on_all_earlier_ones_within_reach_and_on_no_later_one() {
    let (height, width) = (4, 5);
    let net = pixel_cnn([1, height, width], 256);
    let x = Noise::new(3).uniform((1, 1, height, width), DType::F64, &Device::Cpu).unwrap();
    let at = |x: &Tensor| net.log_probabilities(x).unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap();
    let before = at(&x);
    let plain = x.flatten_all().unwrap().to_vec1::<f64>().unwrap();
    for changed in 0..height * width {
        let mut other = plain.clone();
        other[changed] = 1.0 - other[changed];
        let after = at(&Tensor::from_vec(other, x.shape(), &Device::Cpu).unwrap());
        for pixel in 0..height * width {
            let moved = (after[pixel] - before[pixel]).abs() > 1e-12;
            // Two layers after the first reach four rows up and as far to the left: all of the image but its far right.
            let near = (changed % width).abs_diff(pixel % width) <= 3;
            match pixel < changed {
                true => assert!(!moved, "pixel {pixel} sees {changed}, which comes later"),
                false if near => assert!(moved, "pixel {pixel} does not see {changed}"),
                false => {}
            }
        }
    }
    let color = pixel_cnn([3, 2, 2], 256);
    let x = Noise::new(4).uniform((1, 3, 2, 2), DType::F64, &Device::Cpu).unwrap();
    let shown = color.log_probabilities(&x).unwrap();
    assert_eq!(shown.dims(), [1, 2, 2]);
}

fn real_nvp(shape: [usize; 3]) -> RealNvp {
    let config = RealNvpConfig { couplings: 6, hidden: vec![8] };
    let [c, h, w] = shape;
    let examples = Noise::new(5).uniform((20, c, h, w), DType::F64, &Device::Cpu).unwrap();
    let flow = RealNvp::new(shape, &config, &examples, &mut Noise::new(6), DType::F64).unwrap();
    stirred(flow.parameters(), 0.2);
    flow
}

#[test]
fn a_flow_is_undone_by_its_inverse() {
    for shape in [[1, 2, 3], [3, 2, 2], [1, 1, 2]] {
        let flow = real_nvp(shape);
        let [c, h, w] = shape;
        let x = Noise::new(7).uniform((9, c, h, w), DType::F64, &Device::Cpu).unwrap();
        let (z, _) = flow.forward(&x).unwrap();
        let back = flow.inverse(&z).unwrap();
        let far = (back - x).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f64>().unwrap();
        // Rounding of some 1e-16, stretched by scales of up to exp(2) a coupling.
        assert!(far < 1e-9, "{shape:?}: {far}");
    }
}

/// Central differences of step 1e-5 are off by some 1e-9 of the entries.
#[test]
fn a_flows_log_determinant_is_that_of_its_jacobian() {
    let (shape, size) = ([1, 2, 3], 6);
    let flow = real_nvp(shape);
    let x = Noise::new(8).uniform((1, 6), DType::F64, &Device::Cpu).unwrap().affine(0.8, 0.1).unwrap();
    let image = |row: &[f64]| Tensor::from_vec(row.to_vec(), (1, 1, 2, 3), &Device::Cpu).unwrap();
    let at = |row: &[f64]| flow.forward(&image(row)).unwrap().0.flatten_all().unwrap().to_vec1::<f64>().unwrap();
    let row = x.flatten_all().unwrap().to_vec1::<f64>().unwrap();
    let mut jacobian = nalgebra::DMatrix::zeros(size, size);
    for j in 0..size {
        let moved = |step: f64| {
            let mut other = row.clone();
            other[j] += step;
            at(&other)
        };
        for (i, (up, down)) in moved(1e-5).iter().zip(moved(-1e-5)).enumerate() {
            jacobian[(i, j)] = (up - down) / 2e-5;
        }
    }
    let numeric = jacobian.determinant().abs().ln();
    let exact = flow.forward(&image(&row)).unwrap().1.to_vec1::<f64>().unwrap()[0];
    assert!((numeric - exact).abs() < 1e-5, "{numeric} {exact}");
    // Every number moves the last one by some way.
    assert!((0..size).all(|j| (0..size).any(|i| i != j && jacobian[(i, j)].abs() > 1e-3)));
}

/// A density over two pixels adds up to 1: the mean of `p` over uniform points is the integral over the unit square.
/// The logit lets a little of it lie outside.
#[test]
fn a_density_of_two_pixels_integrates_to_one() {
    let config = RealNvpConfig { couplings: 4, hidden: vec![8] };
    let spread = Noise::new(9).uniform((500, 1, 1, 2), DType::F64, &Device::Cpu).unwrap().affine(0.4, 0.3).unwrap();
    let flow = RealNvp::new([1, 1, 2], &config, &spread, &mut Noise::new(10), DType::F64).unwrap();
    let n = 400;
    let grid: Vec<f64> = (0..n * n).flat_map(|i| [i / n, i % n].map(|k| (k as f64 + 0.5) / n as f64)).collect();
    let x = Tensor::from_vec(grid, (n * n, 1, 1, 2), &Device::Cpu).unwrap();
    let densities = flow.log_density(&x).unwrap().exp().unwrap();
    let integral = densities.mean_all().unwrap().to_scalar::<f64>().unwrap();
    assert!((integral - 1.0).abs() < 0.02, "{integral}");
}

/// Stripes of two levels, up or across, beginning with either: four images of 16 pixels.
struct Stripes;

impl BatchSource for Stripes {
    fn batch(&self, size: usize, noise: &mut Noise) -> Result<Batch> {
        let kinds = noise.indices(size, 4);
        let pixel = |kind: usize, p: usize| {
            f32::from(u8::from((if kind < 2 { p / 4 } else { p % 4 } + kind).is_multiple_of(2)))
        };
        let values: Vec<f32> = kinds.iter().flat_map(|kind| (0..16).map(move |p| pixel(*kind, p))).collect();
        let x = Tensor::from_vec(values, (size, 1, 4, 4), &Device::Cpu)?;
        Ok(Batch { x, context: None, start: None })
    }

    fn validation(&self) -> Result<Option<Batch>> {
        Ok(None)
    }
}

fn trained<M: Generative>(model: M) -> f64 {
    let config = TrainConfig {
        steps: 400.into(),
        batch: 32,
        optimizer: AdamConfig {
            learning_rate: 1e-2,
            beta1: 0.9,
            beta2: 0.99,
            weight_decay: 0.0,
            warmup_steps: 10,
            decay: Decay::Cosine,
            clip: Clip::Norm(1.0),
            whitening: None,
        },
        average_decay: 0.9,
        validate_every: 1000,
        log_every: 1000,
        checkpoint_every: u64::MAX,
        divergence: Divergence::default(),
        compact_checkpoints: false,
    };
    let mut objective = GenerativeLoss { model };
    train(&mut objective, &Stripes, &config, &Noise::new(1), None, &mut Silent).unwrap();
    let batch = Stripes.batch(64, &mut Noise::new(99)).unwrap();
    let bits = objective.model.loss(&batch.x, None, &mut Noise::new(98)).unwrap();
    f64::from(bits.mean_all().unwrap().to_scalar::<f32>().unwrap())
}

/// Four images, equally likely, are 2 bits: an eighth of a bit a pixel. Nothing that is a probability can do better.
#[test]
fn both_learn_what_can_be_known() {
    let config = PixelCnnConfig { width: 8, layers: 2, mixture: 2, levels: 2 };
    let net = PixelCnn::new([1, 4, 4], config, &mut Noise::new(11), DType::F32).unwrap();
    let bits = trained(net);
    assert!((0.12..0.16).contains(&bits), "{bits}");
    let config = RealNvpConfig { couplings: 6, hidden: vec![32] };
    let examples = Stripes.batch(64, &mut Noise::new(12)).unwrap().x;
    let flow = RealNvp::new([1, 4, 4], &config, &examples, &mut Noise::new(13), DType::F32).unwrap();
    let bits = trained(flow);
    // Two of 256 levels a pixel are of use, which a smooth density has to find: far below the 8 bits of uniform noise.
    assert!((0.125..3.0).contains(&bits), "{bits}");
}

#[test]
fn unfit_images_and_sizes_are_refused() {
    let net = pixel_cnn([1, 2, 2], 2);
    let x = Tensor::zeros((3, 1, 2, 3), DType::F64, &Device::Cpu).unwrap();
    let error = net.loss(&x, None, &mut Noise::new(0)).unwrap_err().to_string();
    assert!(error.contains("(B, 1, 2, 2)"), "{error}");
    assert!(net.loss(&all_images([1, 2, 2], 2), Some(&x), &mut Noise::new(0)).is_err());
    for (width, mixture, levels, key) in
        [(0, 1, 2, "width"), (1, 0, 2, "mixture"), (1, 1, 1, "levels"), (1, 1, 257, "levels")]
    {
        let config = PixelCnnConfig { width, layers: 1, mixture, levels };
        let error = PixelCnn::new([1, 2, 2], config, &mut Noise::new(0), DType::F32).unwrap_err();
        assert!(error.exit_code() == 2 && error.to_string().contains(key), "{error}");
    }
    let config = RealNvpConfig { couplings: 0, hidden: vec![4] };
    let error = RealNvp::new([1, 2, 3], &config, &x, &mut Noise::new(0), DType::F64).unwrap_err();
    assert!(error.to_string().contains("couplings"), "{error}");
}
