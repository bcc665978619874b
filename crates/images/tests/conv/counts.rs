//! How many weights the networks of the literature have.

use super::{CPU, network};
use candle_core::DType;
use ebmotion::model::{Activation, Network};
use ebmotion::noise::Noise;
use ebmotion_images::model::{ConvConfig, ConvEnergy, StageConfig};

/// The weights of convolutions, counted by hand: `9 (in out + out out)` for a block, `9 in out` more for a way round.
fn products(config: &ConvConfig) -> usize {
    let mut channels = config.channels;
    let mut sum = 0;
    for stage in &config.stages {
        let width = match stage {
            StageConfig::Conv { width, kernel, .. } => {
                sum += kernel * kernel * channels * width;
                *width
            }
            StageConfig::Block { width, .. } => {
                sum += 9 * width * (channels + width + if channels == *width { 0 } else { channels });
                *width
            }
        };
        channels = width;
    }
    sum
}

#[test]
fn the_networks_have_as_many_weights_as_those_of_the_paper() {
    // The paper's tables say 5.3, 18.6 and 15.7 million. Convolutions alone, then all parameters without contexts.
    let cases = [
        (ConvConfig::cifar10_conditional(0), 5_311_872, 5_315_969),
        (ConvConfig::cifar10_large(), 18_582_912, 18_591_233),
        (ConvConfig { context: 0, ..ConvConfig::imagenet128(0) }, 15_705_792, 15_711_873),
    ];
    for (config, convolutions, all) in cases {
        assert_eq!(products(&config), convolutions);
        let net = ConvEnergy::new(config, &mut Noise::new(0), DType::F32, &CPU).unwrap();
        assert_eq!(net.parameters().count(), all);
    }
    assert_eq!(products(&ConvConfig::imagenet32(0)), 74_321_280);
    let mnist = ConvEnergy::new(ConvConfig::mnist(0), &mut Noise::new(0), DType::F32, &CPU).unwrap();
    assert_eq!(mnist.parameters().count(), 1_246_529);
    let dsprites = ConvEnergy::new(ConvConfig::dsprites(0), &mut Noise::new(0), DType::F32, &CPU).unwrap();
    assert_eq!(dsprites.parameters().count(), 951_297);
}

#[test]
fn widths_scale_and_settings_out_of_range_are_refused() {
    let half = ConvConfig::cifar10_conditional(10).scaled(0.5).unwrap();
    assert_eq!(half.stages[0], StageConfig::Conv { width: 64, kernel: 3, stride: 1, conditional: false });
    assert_eq!(half.stages[3], StageConfig::Block { width: 128, down: true });
    assert!(ConvConfig::mnist(0).scaled(0.0).is_err());
    let small = ConvConfig { height: 3, width: 3, ..ConvConfig::cifar10_conditional(10) };
    assert!(small.check().unwrap_err().to_string().contains("stages.3"), "3 becomes 1, which has no half");
    let text = serde_json::to_string(&half).unwrap();
    assert_eq!(serde_json::from_str::<ConvConfig>(&text).unwrap(), half);
}

#[test]
fn images_and_contexts_that_do_not_fit_are_errors() {
    let config = ConvConfig::mnist(10).scaled(0.1).unwrap();
    let net = network(config.clone(), 1);
    let (x, context) = super::examples(&config, 3);
    let message = |x: &_, c| net.evaluate(x, c).unwrap_err().to_string();
    assert!(message(&x, None).contains("this network is conditional"));
    assert!(message(&x.narrow(2, 0, 27).unwrap(), context.as_ref()).contains("(B, 1, 28, 28)"));
    let two = context.as_ref().unwrap().narrow(0, 0, 2).unwrap();
    assert!(message(&x, Some(&two)).contains("(3, 10)"));
    assert!(net.program(&[3, 1, 28, 28], Some(&two)).is_err());
    let free = network(ConvConfig { context: 0, activation: Activation::Swish, ..config }, 1);
    assert!(free.evaluate(&x, context.as_ref()).unwrap_err().to_string().contains("unconditional"));
}
