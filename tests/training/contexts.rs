//! Energies of different contexts, made comparable by the contrast between them.

use super::*;
use ebmotion::model::Leveled;
use ebmotion::train::objective::Denoising;

/// On a line: context (1, 0) is a normal around -0.8, (0, 1) one around 0.8, standard deviation 0.6 each.
struct Two;

const CENTRE: f64 = 0.8;
const STD: f64 = 0.6;

impl BatchSource for Two {
    fn batch(&self, size: usize, noise: &mut Noise) -> Result<Batch> {
        let right = noise.uniform((size, 1), DType::F32, &CPU)?.ge(0.5)?.to_dtype(DType::F32)?;
        let centre = right.affine(2.0 * CENTRE, -CENTRE)?;
        let x = (centre + (noise.normal((size, 1), DType::F32, &CPU)? * STD)?)?;
        let context = Tensor::cat(&[right.affine(-1.0, 1.0)?, right], 1)?;
        Ok(Batch { x, context: Some(context), start: None })
    }

    fn validation(&self) -> Result<Option<Batch>> {
        Ok(None)
    }
}

fn objective(contrast: f64) -> Result<Denoising<MlpEnergy>> {
    let context = Leveled::<MlpEnergy>::FEATURES + 2;
    let config = MlpConfig { hidden: vec![48, 48], ..mlp(1, context, 1, Activation::Swish, false) };
    let net = Mlp::new(config, &mut Noise::new(1), DType::F32, &CPU)?;
    Denoising::new(Leveled::over(MlpEnergy { net })).contrasted(contrast)
}

#[test]
fn the_difference_of_two_contexts_is_that_of_their_log_densities() -> Result<()> {
    let mut objective = objective(1.0)?;
    let config = TrainConfig { batch: 256, ..settings(1500, 3e-3) };
    train(&mut objective, &Two, &config, &Noise::new(2), None, &mut Silent)?;
    for t in [0.4f64, 0.8, 1.2] {
        let points: Vec<f32> = (-8..=8).map(|i| i as f32 * 0.2).collect();
        let x = Tensor::from_vec(points.clone(), (points.len(), 1), &CPU)?;
        let of = |row: [f32; 2]| -> Result<Vec<f32>> {
            let context = Tensor::new(&[row], &CPU)?.broadcast_as((points.len(), 2))?.contiguous()?;
            Ok(objective.energy.at(t, Some(&context))?.energy(&x)?.to_vec1()?)
        };
        let (left, right) = (of([1.0, 0.0])?, of([0.0, 1.0])?);
        let variance = (t.cos() * STD).powi(2) + t.sin().powi(2);
        for ((x, left), right) in points.iter().zip(&left).zip(&right) {
            // ln p(x | right) - ln p(x | left)
            let exact = 2.0 * f64::from(*x) * t.cos() * CENTRE / variance;
            let found = f64::from(left - right);
            assert!((found - exact).abs() < 0.35, "level {t}, x {x}: {found} where {exact} is right");
        }
    }
    Ok(())
}

#[test]
fn both_ways_to_the_gradient_agree() -> Result<()> {
    let (mut one, mut two) = (objective(0.7)?, objective(0.7)?);
    let batch = Two.batch(90, &mut Noise::new(3))?;
    let loss = one.loss(&batch, &mut Noise::new(4))?;
    let fast = two.gradients(&batch, &mut Noise::new(4))?.expect("a perceptron learns by the engine");
    assert!((f64::from(loss.total.to_scalar::<f32>()?) - fast.loss).abs() < 1e-5);
    assert_eq!(loss.figures.len(), 2);
    for ((name, a), (other, b)) in loss.figures.iter().zip(&fast.figures) {
        assert!(name == other && (a - b).abs() < 1e-5, "{name}: {a} and {b}");
    }
    let store = loss.total.backward()?;
    for ((name, var), fast) in one.parameters().iter().zip(&fast.by_parameter) {
        let exact = store.get(var.as_tensor()).expect("every weight has a part in it");
        let fast = fast.as_ref().expect("the same");
        let largest = exact.abs()?.max_all()?.to_scalar::<f32>()?;
        let away = (exact - fast)?.abs()?.max_all()?.to_scalar::<f32>()?;
        // Differences of outputs of order 1 over twice the distance, in f32.
        assert!(away < 1e-3 * largest.max(0.1), "{name}: off by {away} of {largest}");
    }
    assert!(matches!(objective(-1.0), Err(Error::Config { .. })));
    Ok(())
}
