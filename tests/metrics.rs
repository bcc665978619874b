//! Metrics against published-style references, closed forms and each other.

use ebmotion::eval::metric::{
    auroc, average_precision, energy_distance, fpr_at_95_tpr, frechet_distance,
};
use ebmotion::eval::{Evaluator, Futures, Options, Reference, TestSet};
use ebmotion::noise::Noise;
use ebmotion::Result;

#[test]
#[ignore = "timing"]
fn timing() -> Result<()> {
    use candle_core::{DType, Device, Tensor};
    let (n, s, h, d, k) = (760, 20, 100, 24, 8);
    let t0 = std::time::Instant::now();
    let normal = |shape: &[usize], seed| -> Result<Vec<f32>> {
        Ok(Noise::new(seed).normal(shape, DType::F32, &Device::Cpu)?.flatten_all()?.to_vec1::<f32>()?)
    };
    let test = TestSet {
        context: normal(&[n, k, d], 1)?, truth: normal(&[n, h, d], 2)?, episode: (0..n).map(|i| i / 19).collect(),
        context_frames: k, horizon: h, channels: d, velocity_std: vec![1.4; d],
        reference: Reference { context: normal(&[n, k, d], 3)?, future: normal(&[n, h, d], 4)?, episode: (0..n).map(|i| i / 19).collect() },
    };
    let samples = normal(&[n, s, h, d], 5)?;
    println!("data {:?}", t0.elapsed());
    let t0 = std::time::Instant::now();
    let evaluator = Evaluator::new(&test, Options::default())?;
    println!("prepare {:?}", t0.elapsed());
    let t0 = std::time::Instant::now();
    let floor = evaluator.floor()?;
    println!("floor {:?}", t0.elapsed());
    for (k, r) in floor { println!("{k} {} {:?}", r.mean, r.interval); }
    let t0 = std::time::Instant::now();
    let r = evaluator.evaluate(&Futures { samples: &samples, n, s, h, d })?;
    println!("evaluate {:?}", t0.elapsed());
    for (k, r) in r { println!("{k} {} {:?}", r.mean, r.interval); }
    // VAR
    use ebmotion::forecast::{Forecaster, Request, baseline::*};
    let windows = normal(&[40_000, 16, d], 6)?;
    let t0 = std::time::Instant::now();
    let fit = VarFit::fit(&windows, d, 8, 8, 10.0)?;
    println!("fit {:?}", t0.elapsed());
    let t0 = std::time::Instant::now();
    let hist = Tensor::from_vec(test.context.clone(), (n, k, d), &Device::Cpu)?;
    Var::sampled(fit).forecast(&hist, &Request { horizon: h, samples: s }, &mut Noise::new(1))?;
    println!("forecast {:?}", t0.elapsed());
    let _ = (auroc, average_precision, energy_distance, fpr_at_95_tpr, frechet_distance);
    Ok(())
}
