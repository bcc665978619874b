//! Gradients against the reference and against finite differences.

use super::*;

#[test]
fn the_analytic_input_gradient_is_the_reference_gradient() -> Result<()> {
    let mut noise = Noise::new(1);
    for activation in [Activation::Swish, Activation::LeakyRelu] {
        for (spectral_norm, positions) in
            [(false, None), (true, None), (false, Some(over(3, &[0, 2]))), (false, Some(over(2, &[1])))]
        {
            // In f32 the engine's.
            for (dtype, tolerance) in [(DType::F64, 1e-12), (DType::F32, 1e-5)] {
                let hidden = vec![24, 15, 16];
                let config =
                    MlpConfig { hidden, positions: positions.clone(), ..mlp(6, 5, 1, activation, spectral_norm) };
                let net = Mlp::new(config, &mut noise, dtype, &CPU)?;
                let energy = MlpEnergy { net };
                let x = noise.normal((7, 2, 3), dtype, &CPU)?;
                let context = noise.normal((7, 5), dtype, &CPU)?;
                let fast = energy.evaluate_given(&x, &context)?;
                let slow = by_autograd(|x| energy.energy_given(x, &context), &x)?;
                assert_eq!((fast.energy.dims(), fast.grad.dims()), (&x.dims()[..1], x.dims()));
                for (a, b) in [(&fast.energy, &slow.energy), (&fast.grad, &slow.grad)] {
                    let (error, size) = (largest(&(a - b)?)?, largest(b)?);
                    assert!(
                        error < tolerance * (1.0 + size),
                        "{dtype:?}, {activation:?}, spectral norm {spectral_norm}: {error} of {size}"
                    );
                }
                let narrow = x.narrow(1, 0, 1)?;
                let refused = energy.evaluate_given(&narrow, &context);
                assert!(matches!(refused, Err(ebmotion::Error::Shape { .. })), "{dtype:?}: {refused:?}");
            }
        }
    }
    Ok(())
}

fn largest(x: &Tensor) -> Result<f64> {
    Ok(x.abs()?.flatten_all()?.max(0)?.to_dtype(DType::F64)?.to_scalar::<f64>()?)
}

fn over(count: usize, reach: &[usize]) -> Positions {
    Positions { count, reach: reach.to_vec() }
}

/// A convolution's answer moves with its input: the same numbers one position on give the same values one position on,
/// where the ends are not seen.
#[test]
fn positions_share_their_weights() -> Result<()> {
    let (count, each) = (9, 4);
    let config = MlpConfig {
        hidden: vec![count * 6, count * 5, 1],
        positions: Some(over(count, &[1, 1])),
        ..mlp(count * each, 0, 1, Activation::Swish, false)
    };
    let mut noise = Noise::new(4);
    let net = Mlp::new(config.clone(), &mut noise, DType::F64, &CPU)?;
    assert_eq!(net.parameters().count(), config.weights());
    // Weights of 3 positions, biases of all.
    let expected = 6 * 3 * each + count * 6 + 5 * 3 * 6 + count * 5 + (count * 5 + 1) + (1 + 1);
    assert_eq!(net.parameters().count(), expected);
    // Without biases and with the fully connected layer a sum over positions.
    for (name, var) in net.parameters().iter() {
        match name {
            "layer2.weight" => var.set(&var.ones_like()?)?,
            name if name.ends_with("bias") => var.set(&var.zeros_like()?)?,
            _ => {}
        }
    }
    let pattern = noise.normal((1, 2 * each), DType::F64, &CPU)?;
    let at = |position: usize| -> Result<f64> {
        let x = pattern.pad_with_zeros(1, position * each, (count - 2 - position) * each)?;
        Ok(net.forward(&x, None)?.flatten_all()?.to_vec1::<f64>()?[0])
    };
    let middle = at(3)?;
    assert!((middle - at(4)?).abs() < 1e-12 && (middle - at(2)?).abs() < 1e-12, "{middle} {} {}", at(4)?, at(2)?);
    assert!((middle - at(0)?).abs() > 1e-6, "the end is seen: {middle} {}", at(0)?);
    for (wrong, of) in [
        (MlpConfig { positions: Some(over(5, &[1])), ..config.clone() }, "positions"),
        (MlpConfig { positions: Some(over(9, &[1, 1, 1])), ..config.clone() }, "hidden layers"),
        (MlpConfig { spectral_norm: true, ..config.clone() }, "spectral_norm"),
    ] {
        let found = Mlp::new(wrong, &mut noise, DType::F64, &CPU).map(|_| ()).expect_err("no such network").to_string();
        assert!(found.contains(of), "{found}");
    }
    Ok(())
}

/// candle's own double backward is silently wrong; the gradient as tensor operations is not (METHOD: mixed second
/// derivatives by central differences of the loss in single weights).
#[test]
fn a_loss_of_the_input_gradient_has_the_right_weight_gradient() -> Result<()> {
    for positions in [None, Some(over(3, &[1]))] {
        weight_gradient(MlpConfig { hidden: vec![24, 16], positions, ..mlp(3, 2, 1, Activation::Swish, false) })?;
    }
    Ok(())
}

fn weight_gradient(config: MlpConfig) -> Result<()> {
    let mut noise = Noise::new(2);
    let net = Mlp::new(config, &mut noise, DType::F64, &CPU)?;
    let x = noise.normal((5, 3), DType::F64, &CPU)?;
    let context = noise.normal((5, 2), DType::F64, &CPU)?;
    let loss = || -> Result<Tensor> { Ok(net.value_and_gradient(&x, Some(&context))?.1.sqr()?.sum_all()?) };
    let grads = loss()?.backward()?;
    let step = 1e-5;
    let mut largest: f64 = 0.0;
    for (name, var) in net.parameters().iter() {
        let values = var.flatten_all()?.to_vec1::<f64>()?;
        let Some(gradient) = grads.get(var.as_tensor()) else {
            assert!(name.ends_with("layer2.bias"), "{name} has no gradient"); // the offset of the energy alone
            continue;
        };
        let gradient = gradient.flatten_all()?.to_vec1::<f64>()?;
        for at in [0, values.len() / 2, values.len() - 1] {
            let mut around = [0.0; 2];
            for (value, sign) in around.iter_mut().zip([1.0, -1.0]) {
                let mut moved = values.clone();
                moved[at] += sign * step;
                var.set(&Tensor::from_vec(moved, var.dims(), &CPU)?)?;
                *value = loss()?.to_scalar::<f64>()?;
            }
            var.set(&Tensor::from_vec(values.clone(), var.dims(), &CPU)?)?;
            let numeric = (around[0] - around[1]) / (2.0 * step);
            let error = (numeric - gradient[at]).abs();
            largest = largest.max(gradient[at].abs());
            // Central differences: truncation of order step^2, rounding of order 1e-16 / step.
            assert!(error < 1e-7 * (1.0 + numeric.abs()), "{name}[{at}]: {numeric} against {}", gradient[at]);
        }
    }
    assert!(largest > 1e-3, "the test must see gradients that matter");
    Ok(())
}

#[test]
fn spectral_norm_brings_the_largest_singular_value_to_one() -> Result<()> {
    let mut noise = Noise::new(3);
    let mut net = Mlp::new(mlp(8, 0, 1, Activation::LeakyRelu, true), &mut noise, DType::F64, &CPU)?;
    for _ in 0..200 {
        net.power_iteration()?;
    }
    // The network is at most as steep as its last weight, which is not normalised: leaky ReLU has slope at most 1.
    let last = net.parameters().iter().find(|(n, _)| *n == "layer2.weight").map(|(_, v)| v.as_detached_tensor());
    let bound = last.expect("three layers").sqr()?.sum_all()?.sqrt()?.to_scalar::<f64>()?;
    let x = (noise.normal((500, 8), DType::F64, &CPU)? * 3.0)?;
    let (_, grad) = net.value_and_gradient(&x, None)?;
    let steepest = grad.sqr()?.sum(1)?.sqrt()?.max(0)?.to_scalar::<f64>()?;
    assert!(steepest <= bound * (1.0 + 1e-9), "slope {steepest} above {bound}");
    let plain = Mlp::new(mlp(8, 0, 1, Activation::LeakyRelu, false), &mut Noise::new(3), DType::F64, &CPU)?;
    let free = plain.value_and_gradient(&x, None)?.1.sqr()?.sum(1)?.sqrt()?.max(0)?.to_scalar::<f64>()?;
    assert!((free - steepest).abs() > 1e-6, "normalising changed nothing");
    Ok(())
}
