//! Beside PyTorch, on the same weights: `tests/data/conv/make.py`.

use super::{CPU, largest};
use candle_core::{DType, Tensor};
use ebmotion::Error;
use ebmotion::energy::by_autograd;
use ebmotion::model::Network;
use ebmotion::noise::Noise;
use ebmotion_images::model::{ConvConfig, ConvEnergy};
use safetensors::SafeTensors;

/// Relative error of f32 sums of some thousand products.
const NEAR: f32 = 1e-5;

fn off(name: &str, what: &str, found: &Tensor, exact: &Tensor) {
    assert_eq!(found.dims(), exact.dims(), "{name}, {what}");
    let (scale, off) = (largest(exact), largest(&(found - exact).unwrap()));
    assert!(off <= NEAR * scale.max(1e-3), "{name}, {what}: off by {off} of {scale}");
}

#[test]
fn energies_and_gradients_are_those_of_pytorch() {
    for name in ["mnist", "dsprites", "cifar10_conditional", "cifar10_large", "imagenet128"] {
        let path = format!("{}/../../tests/data/conv/{name}.safetensors", env!("CARGO_MANIFEST_DIR"));
        let bytes = std::fs::read(path).unwrap();
        let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
        let text = metadata.metadata().as_ref().unwrap()["config"].clone();
        let config: ConvConfig = serde_json::from_str(&text).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let get = |name: &str| {
            let view = file.tensor(name).map_err(|e| Error::data(name, e, "a tensor"))?;
            let numbers: Vec<f32> =
                view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
            Ok(Tensor::from_vec(numbers, view.shape(), &CPU)?)
        };
        let mut net = ConvEnergy::new(config.clone(), &mut Noise::new(0), DType::F32, &CPU).unwrap();
        net.parameters().assign(get).unwrap();
        net.restore(&get).unwrap();

        let (x, context) = (get("x").unwrap(), get("given").ok());
        let (energy, gradient) = (get("energy").unwrap(), get("gradient").unwrap());
        let reference = by_autograd(|x| net.energy(x, context.as_ref()), &x).unwrap();
        off(name, "energy by tensor operations", &reference.energy, &energy);
        off(name, "gradient by tensor operations", &reference.grad, &gradient);
        let fast = net.evaluate(&x, context.as_ref()).unwrap();
        off(name, "energy", &fast.energy, &energy);
        off(name, "gradient", &fast.grad, &gradient);

        let coefficients = get("coefficients").unwrap().to_vec1::<f32>().unwrap();
        let learned = net.learn(&x, context.as_ref(), &mut |_| Ok(coefficients.clone())).unwrap();
        for ((parameter, _), found) in net.parameters().iter().zip(&learned) {
            off(name, parameter, found, &get(&format!("by.{parameter}")).unwrap());
        }
    }
}
