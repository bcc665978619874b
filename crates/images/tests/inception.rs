//! Inception-v3 against torchvision's and pytorch-fid's networks on weights and images that follow from their names
//! (`tests/data/inception/make.py`).

#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

use candle_core::{Device, Tensor};
use ebmotion::Error;
use ebmotion::Result;
use ebmotion_images::model::Inception;
use std::collections::HashMap;
use std::path::Path;

/// `count` numbers in [-1, 1): SplitMix64 of the place, started at the FNV-1a hash of the name; the upper 24 bits.
fn uniform(name: &str, count: usize) -> Vec<f32> {
    let hash = |state: u64, byte: u8| (state ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3);
    let start = name.bytes().fold(0xCBF2_9CE4_8422_2325, hash);
    let one = |i: u64| {
        let z = start.wrapping_add((i + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 40) as f32 / 8_388_608.0 - 1.0
    };
    (0..count as u64).map(one).collect()
}

fn parameter(name: &str, shape: &[usize]) -> Result<Tensor> {
    let u = Tensor::from_vec(uniform(name, shape.iter().product()), shape, &Device::Cpu)?;
    Ok(match name {
        _ if name.ends_with("bn.weight") => u.affine(0.2, 1.0)?,
        _ if name.ends_with("bn.running_var") => u.affine(0.5, 1.0)?,
        _ if name.ends_with("bias") || name.ends_with("running_mean") => (u * 0.1)?,
        _ => (u * (6.0 / shape[1..].iter().product::<usize>() as f64).sqrt())?,
    })
}

/// Shapes by name, as make.py's networks list them: one a line, the sizes behind the name.
fn shapes() -> HashMap<String, Vec<usize>> {
    let text = std::fs::read_to_string(folder().join("shapes.txt")).unwrap();
    let line = |line: &str| {
        let mut words = line.split_whitespace();
        (words.next().unwrap().to_string(), words.map(|n| n.parse().unwrap()).collect())
    };
    text.lines().map(line).collect()
}

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/inception")
}

fn missing(name: &str) -> Error {
    Error::data("weights", format!("no {name}"), "one of this name")
}

fn network(classes: usize) -> Result<Inception> {
    let mut shapes = shapes();
    shapes.insert("fc.weight".into(), vec![classes, 2048]);
    shapes.insert("fc.bias".into(), vec![classes]);
    Inception::new(&|name| parameter(name, shapes.get(name).ok_or_else(|| missing(name))?))
}

fn image(name: &str, shape: (usize, usize, usize, usize)) -> Tensor {
    let (a, b, c, d) = shape;
    let values = uniform(name, a * b * c * d).into_iter().map(|u| (u + 1.0) / 2.0).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

/// Largest difference over the root mean square of what was expected.
fn difference(found: &Tensor, expected: &Tensor) -> f64 {
    assert_eq!(found.dims(), expected.dims());
    let scale = expected.sqr().unwrap().mean_all().unwrap().to_scalar::<f32>().unwrap().sqrt();
    let most = (found - expected).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
    f64::from(most / scale)
}

#[test]
fn features_and_logits_are_those_of_torchvision_and_of_pytorch_fid() {
    let expected = candle_core::safetensors::load(folder().join("expected.safetensors"), &Device::Cpu).unwrap();
    let colour = Inception::resized(&image("colour", (1, 3, 40, 32))).unwrap();
    let rows: Vec<Tensor> = (0..13).map(|i| colour.get(0).unwrap().get(1).unwrap().get(23 * i).unwrap()).collect();
    // PyTorch places the pixels in single precision: 40 pixels times some 1e-7.
    assert!(difference(&Tensor::stack(&rows, 0).unwrap(), &expected["resized"]) < 1e-5);
    let grey = Inception::resized(&image("grey", (1, 1, 28, 28))).unwrap();
    let large = Tensor::cat(&[colour, grey], 0).unwrap();
    let small = image("small", (2, 3, 75, 107));
    for (name, classes) in [("torchvision", 1000), ("fid", 1008)] {
        let net = network(classes).unwrap();
        assert_eq!((net.classes(), net.of_published_distances()), (classes, name == "fid"));
        for (kind, x) in [("large", &large), ("small", &small)] {
            let (features, logits) = net.evaluate(x).unwrap();
            // Single precision through 48 layers, sums in another order.
            for (part, found) in [("features", features), ("logits", logits)] {
                let off = difference(&found, &expected[&format!("{name}.{kind}.{part}")]);
                assert!(off < 1e-4, "{name}, {kind} images, {part}: {off}");
            }
        }
    }
}

#[test]
fn weights_and_images_that_do_not_fit_are_refused() {
    let shapes = shapes();
    let lacking = Inception::new(&|name| match name.contains("Mixed_7b") {
        true => Err(missing(name)),
        false => parameter(name, &shapes[name]),
    });
    assert!(lacking.unwrap_err().to_string().contains("Mixed_7b"));
    let wrong = Inception::new(&|name| match name == "Mixed_5c.branch_pool.conv.weight" {
        true => parameter(name, &[64, 255, 1, 1]),
        false => parameter(name, &shapes[name]),
    });
    assert!(wrong.unwrap_err().to_string().contains("[64, 256, 1, 1] for `Mixed_5c.branch_pool.conv.weight`"));
    let net = network(1000).unwrap();
    for shape in [(1, 3, 74, 80), (1, 1, 80, 80)] {
        assert!(matches!(net.evaluate(&image("any", shape)), Err(Error::Shape { .. })));
    }
    assert!(matches!(Inception::resized(&image("any", (1, 2, 80, 80))), Err(Error::Shape { .. })));
}
