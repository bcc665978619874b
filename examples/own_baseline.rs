//! A baseline of one's own in the report: motion that goes back to its mean.
//!
//!     cargo run --release --example own_baseline

use candle_core::{Device, Tensor};
use ebmotion::Result;
use ebmotion::eval::{Baselines, CompareOptions, Comparison};
use ebmotion::event::Silent;
use ebmotion::forecast::{Baseline, BaselineRun, Dataset, Forecaster, Request, RunConfig};
use ebmotion::noise::Noise;
use ebmotion::settings::Settings;
use serde_json::{Value, json};

/// Frame `t` is `decay^t` times the last one, z-scored.
struct Fade {
    decay: f64,
    channels: usize,
}

impl Forecaster for Fade {
    fn name(&self) -> &str {
        "fade"
    }

    fn context_frames(&self) -> usize {
        1
    }

    fn parameters(&self) -> usize {
        1
    }

    fn evaluations_per_chunk(&self) -> usize {
        0
    }

    fn forecast(&self, history: &Tensor, request: &Request, _: &mut Noise) -> Result<Tensor> {
        request.check()?;
        let (batch, last) = Request::contexts(history, 1, self.channels)?;
        let last = Tensor::from_vec(last, (batch, 1, 1, self.channels), &Device::Cpu)?;
        let frame = |t: usize| Ok(last.affine(self.decay.powi(t as i32), 0.0)?);
        Ok(Tensor::cat(&(1..=request.horizon).map(frame).collect::<Result<Vec<_>>>()?, 2)?)
    }
}

/// The row of `fade`: the decay is fitted by least squares, frame to next frame.
pub struct FadeBaseline;

impl Baseline for FadeBaseline {
    fn name(&self) -> &str {
        "fade"
    }

    fn settings(&self) -> Result<Value> {
        Ok(json!({ "stride": 1 })) // a pair of frames every so many
    }

    fn fit(&self, settings: &Value, run: &mut BaselineRun<'_>) -> Result<Box<dyn Forecaster + Sync>> {
        let stride = usize::from_json(&settings["stride"])?;
        let pairs = run.dataset.windows(&run.dataset.split.train, 1, 1, stride)?;
        let (before, after) = (pairs.cut(0, 1), pairs.cut(1, 1));
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
        Ok(Box::new(Fade { decay: dot(&before, &after) / dot(&before, &before), channels: pairs.channels }))
    }
}

fn main() -> Result<()> {
    let log = concat!(env!("CARGO_MANIFEST_DIR"), "/data/hand_gestures/hand_gestures.csv.gz");
    let dataset = Dataset::read(&[log], &RunConfig::default())?;
    let rows: [&dyn Baseline; 3] = [&FadeBaseline, <dyn Baseline>::named("hold")?, <dyn Baseline>::named("var")?];
    let options = CompareOptions { stride: 25, ..CompareOptions::new(50, 0) };
    let baselines = Baselines { rows: &rows, ..Baselines::default() };
    let comparison = Comparison::with_baselines(&[], Vec::new(), &dataset, &baselines, &options, &mut Silent)?;
    print!("{}", comparison.report.summary_table());
    Ok(())
}
