//! Objectives on densities with a known answer, and on arrays of another shape.

use super::*;

/// A least-squares problem whose inputs go together: along most of their directions Adam gets on slowly.
#[test]
fn whitened_momentum_learns_what_adam_has_hardly_begun() -> Result<()> {
    struct Correlated;
    const INPUTS: usize = 24;
    impl BatchSource for Correlated {
        fn batch(&self, size: usize, noise: &mut Noise) -> Result<Batch> {
            let fixed = |seed: u64| Noise::new(seed).normal((INPUTS, INPUTS), DType::F32, &CPU);
            let scale: Vec<f32> = (0..INPUTS).map(|i| 100f32.powf(-(i as f32) / INPUTS as f32)).collect();
            let drawn = noise.normal((size, INPUTS), DType::F32, &CPU)?;
            let context = drawn.broadcast_mul(&Tensor::new(scale, &CPU)?)?.matmul(&fixed(1)?)?;
            Ok(Batch { x: drawn.matmul(&fixed(2)?)?, context: Some(context), start: None })
        }
        fn validation(&self) -> Result<Option<Batch>> {
            self.batch(512, &mut Noise::new(7)).map(Some)
        }
    }
    let best = |whitening: Option<Whitening>, rate: f64| -> Result<f64> {
        let config = MlpConfig { outputs: INPUTS, hidden: vec![64], ..mlp(INPUTS, 0, 1, Activation::Swish, false) };
        let mut objective = Regression { net: Mlp::new(config, &mut Noise::new(3), DType::F32, &CPU)? };
        let mut config = settings(400, rate);
        config.optimizer.whitening = whitening;
        let outcome = train(&mut objective, &Correlated, &config, &Noise::new(5), None, &mut Silent)?;
        outcome.best_validation.ok_or_else(|| Error::data("held-out examples", 0, "at least 1"))
    };
    let mut adam = f64::INFINITY;
    for rate in [1e-3, 3e-3, 1e-2, 3e-2] {
        adam = adam.min(best(None, rate)?);
    }
    let whitened = best(Some(Whitening { rate: 0.03, ..Whitening::default() }), 1e-2)?;
    assert!(whitened < 0.8 * adam, "{whitened} against Adam's best of four rates, {adam}");
    Ok(())
}

/// Denoising score matching on one Gaussian has a closed form: for data N(0, s^2) the optimal velocity at angle t is
/// `x cos t sin t (1 - s^2) / (s^2 cos^2 t + sin^2 t)`.
#[test]
fn denoising_learns_the_scores_of_a_gaussian() -> Result<()> {
    struct Narrow;
    const STD: f64 = 0.5;
    impl BatchSource for Narrow {
        fn batch(&self, size: usize, noise: &mut Noise) -> Result<Batch> {
            Ok(Batch { x: (noise.normal((size, 1), DType::F32, &CPU)? * STD)?, context: None, start: None })
        }
        fn validation(&self) -> Result<Option<Batch>> {
            self.batch(512, &mut Noise::new(7)).map(Some)
        }
    }
    let config = mlp(1, Leveled::<MlpEnergy>::FEATURES, 1, Activation::Swish, false);
    let net = Mlp::new(config, &mut Noise::new(5), DType::F32, &CPU)?;
    let mut objective = Denoising::new(Leveled::over(MlpEnergy { net }));
    let mut config = settings(1500, 5e-3);
    config.batch = 256;
    train(&mut objective, &Narrow, &config, &Noise::new(6), None, &mut Silent)?;
    let x: Vec<f32> = vec![-1.0, -0.4, 0.0, 0.5, 1.0];
    let points = Tensor::from_vec(x.clone(), (5, 1), &CPU)?;
    for t in [0.3f64, 0.8, 1.3] {
        let learned = objective.energy.at(t, None)?.velocity(&points)?.flatten_all()?.to_vec1::<f32>()?;
        let (c, s) = (t.cos(), t.sin());
        let slope = c * s * (1.0 - STD * STD) / (STD * STD * c * c + s * s);
        for (x, v) in x.iter().zip(learned) {
            let error = (f64::from(v) - slope * f64::from(*x)).abs();
            // A short run: within a tenth of the velocity's scale, which without learning it is not (slope 0.3 to 0.8).
            assert!(error < 0.1, "level {t}, x {x}: {v} against {}", slope * f64::from(*x));
        }
    }
    Ok(())
}

/// Weights multiply the coordinates' squared errors: ones change nothing, a coordinate of weight 0 does not count, and
/// the losses of two weightings add up.
#[test]
fn denoising_weighs_the_coordinates() -> Result<()> {
    let config = mlp(2, Leveled::<MlpEnergy>::FEATURES, 1, Activation::Swish, false);
    let net = MlpEnergy { net: Mlp::new(config, &mut Noise::new(5), DType::F32, &CPU)? };
    let x = Noise::new(1).normal((64, 2), DType::F32, &CPU)?;
    let loss = |x: &Tensor, weights: Option<[f32; 2]>| -> Result<f64> {
        let weights = weights.map(|w| Tensor::new(&w, &CPU)).transpose()?;
        let batch = Batch { x: x.clone(), context: None, start: None };
        let all = Denoising::new(Leveled::over(net.clone()));
        let objective = match weights {
            Some(weights) => all.weighted(weights),
            None => all,
        };
        objective.validate(&batch, &mut Noise::new(2))
    };
    let (all, first, second) = (loss(&x, None)?, loss(&x, Some([2.0, 0.0]))?, loss(&x, Some([0.0, 2.0]))?);
    assert_eq!(all, loss(&x, Some([1.0, 1.0]))?);
    assert!(
        (all - 0.5 * (first + second)).abs() < 1e-6 * all && (first - second).abs() > 1e-3,
        "{all} {first} {second}"
    );
    Ok(())
}

#[test]
fn contrastive_training_finds_two_blobs_with_every_form_of_the_loss() -> Result<()> {
    for form in [Form::Linear, Form::Softplus, Form::LogSumExp] {
        let network =
            MlpEnergy { net: Mlp::new(mlp(2, 0, 1, Activation::Swish, false), &mut Noise::new(8), DType::F32, &CPU)? };
        let mut objective = Contrastive::new(network, ContrastiveConfig { form, ..chains(20) }, &[2], None)?;
        train(&mut objective, &Blobs, &settings(600, 5e-3), &Noise::new(9), None, &mut Silent)?;
        let points = Tensor::new(&[[-1f32, 0.0], [1.0, 0.5], [0.0, 0.25], [0.0, 1.5], [-1.5, -1.5]], &CPU)?;
        let e = objective.network().energy(&points, None)?.to_vec1::<f32>()?;
        let worst_mode = e[0].max(e[1]);
        for (i, energy) in e.iter().enumerate().skip(2) {
            assert!(*energy > worst_mode, "{form:?}: point {i} has energy {energy}, a mode {worst_mode}; all {e:?}");
        }
    }
    Ok(())
}

/// The same trainer, objective and network on arrays of another shape: conditional 4x4 images.
#[test]
fn an_image_user_needs_nothing_new() -> Result<()> {
    let network =
        MlpEnergy { net: Mlp::new(mlp(16, 4, 1, Activation::Swish, false), &mut Noise::new(10), DType::F32, &CPU)? };
    let config = ContrastiveConfig { bounds: Some((0.0, 1.0)), ..chains(20) };
    let mut objective = Contrastive::new(network, config, &[1, 4, 4], Some(&[4]))?;
    train(&mut objective, &Rows, &settings(400, 3e-3), &Noise::new(11), None, &mut Silent)?;
    // Each class's own image has the lowest energy under its context.
    let images: Vec<f32> = (0..4).flat_map(|c| (0..16).map(move |i| if i / 4 == c { 1.0 } else { 0.0 })).collect();
    let images = Tensor::from_vec(images, (4, 1, 4, 4), &CPU)?;
    for class in 0..4 {
        let mut context = vec![0f32; 16];
        (0..4).for_each(|row| context[row * 4 + class] = 1.0);
        let context = Tensor::from_vec(context, (4, 4), &CPU)?;
        let e = Fixed { network: objective.network(), context: Some(&context) }.energy(&images)?.to_vec1::<f32>()?;
        let best = (0..4).min_by(|a, b| e[*a].total_cmp(&e[*b]));
        assert_eq!(best, Some(class), "energies {e:?}");
    }
    Ok(())
}
