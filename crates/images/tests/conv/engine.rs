//! The engine beside the tensor operations.

use super::{examples, largest, network};
use candle_core::Tensor;
use ebmotion::Result;
use ebmotion::energy::{Energy, Evaluated, by_autograd};
use ebmotion::model::{Activation, Fixed, Network};
use ebmotion::noise::Noise;
use ebmotion::sample::langevin::Langevin;
use ebmotion::sample::{Transition, Unadjusted};
use ebmotion_images::model::{ConvConfig, ConvEnergy};

const CPU: candle_core::Device = super::CPU;

/// The paper's networks scaled down, odd images, all activations, with and without contexts and norms.
pub fn configs() -> Vec<ConvConfig> {
    let swish = |c: ConvConfig| ConvConfig { activation: Activation::Swish, ..c };
    let odd = |c: ConvConfig, height, width| ConvConfig { height, width, ..c };
    let free = |c: ConvConfig| ConvConfig { spectral_norm: false, ..c };
    vec![
        ConvConfig::mnist(0).scaled(0.25).unwrap(),
        ConvConfig::mnist(10).scaled(0.3).unwrap(),
        swish(odd(ConvConfig::dsprites(3).scaled(0.2).unwrap(), 19, 33)),
        odd(ConvConfig::cifar10_conditional(10).scaled(0.15).unwrap(), 16, 16),
        swish(odd(ConvConfig::cifar10_conditional(4).scaled(0.07).unwrap(), 13, 18)),
        free(odd(ConvConfig::cifar10_large().scaled(0.1).unwrap(), 8, 9)),
    ]
}

#[test]
fn value_and_gradients_equal_those_of_the_tensor_operations() {
    for (i, config) in configs().into_iter().enumerate() {
        for rows in [1, 3, 18] {
            let net = network(config.clone(), 3);
            let (x, context) = examples(&config, rows);
            let exact = by_autograd(|x| Network::energy(&net, x, context.as_ref()), &x).unwrap();
            let fast = net.evaluate(&x, context.as_ref()).unwrap();
            let scale = largest(&exact.energy).max(1.0);
            let off = largest(&(&exact.energy - &fast.energy).unwrap());
            assert!(off < 1e-5 * scale, "{i}, {rows}: energy off by {off} of {scale}");
            let (scale, off) = (largest(&exact.grad), largest(&(&exact.grad - &fast.grad).unwrap()));
            assert!(scale > 0.0 && off < 1e-5 * scale, "{i}, {rows}: gradient off by {off} of {scale}");

            let (energy, grad) = net.value_and_gradient(&x, context.as_ref()).unwrap();
            assert!(
                largest(&(&exact.energy - &energy).unwrap()) < 1e-5 * largest(&exact.energy).max(1.0),
                "{i}, {rows}"
            );
            assert!(largest(&(&exact.grad - &grad).unwrap()) < 1e-5 * scale, "{i}, {rows}: gradient by hand");

            let weights: Vec<f32> = (0..rows).map(|b| 0.5 - b as f32 * 0.3).collect();
            let learned = net.learn(&x, context.as_ref(), &mut |_| Ok(weights.clone())).unwrap();
            let weights = Tensor::from_vec(weights, rows, &CPU).unwrap();
            let loss = (Network::energy(&net, &x, context.as_ref()).unwrap() * weights).unwrap().sum_all().unwrap();
            let store = loss.backward().unwrap();
            assert_eq!(learned.len(), net.parameters().len());
            for ((name, var), fast) in net.parameters().iter().zip(&learned) {
                let exact = store.get(var.as_tensor()).unwrap();
                assert_eq!(exact.dims(), fast.dims(), "{name}");
                // Sums over all pixels of all images, in another order.
                let (scale, off) = (largest(exact), largest(&(exact - fast).unwrap()));
                assert!(off < 3e-5 * scale.max(1e-3), "{i}, {rows}, {name}: off by {off} of {scale}");
            }
        }
    }
}

/// The same energy without its program, so that chains go step by step.
struct Steps<'a>(Fixed<'a, ConvEnergy>);

impl Energy for Steps<'_> {
    fn energy(&self, x: &Tensor) -> Result<Tensor> {
        self.0.energy(x)
    }

    fn evaluate(&self, x: &Tensor) -> Result<Evaluated> {
        self.0.evaluate(x)
    }
}

#[test]
fn chains_are_those_of_single_steps() {
    let config = ConvConfig::mnist(10).scaled(0.2).unwrap();
    let net = network(config.clone(), 5);
    let (x, context) = examples(&config, 37);
    let fixed = || Fixed { network: &net, context: context.as_ref() };
    let sampler: Unadjusted<Langevin> = Unadjusted(Langevin::calibrated(1e-2));
    let (fast, _) = sampler.run_from(&fixed(), &x, 5, &mut Noise::new(1)).unwrap();
    let (slow, _) = sampler.run_from(&Steps(fixed()), &x, 5, &mut Noise::new(1)).unwrap();
    // Five steps of numbers near 1, each rounded.
    let off = largest(&(&fast.x - &slow.x).unwrap());
    assert!(off < 5e-6, "off by {off}");
    let off = largest(&(&fast.at.energy - &slow.at.energy).unwrap());
    assert!(off < 1e-5 * largest(&slow.at.energy).max(1.0), "energies off by {off}");
}
