//! A forecaster of one's own in the report, beside a baseline: it repeats the last second.
//!
//!     cargo run --release --example own_forecaster

use candle_core::Tensor;
use ebmotion::Result;
use ebmotion::eval::{CompareOptions, Comparison};
use ebmotion::event::Silent;
use ebmotion::forecast::{Baseline, Contender, Dataset, Forecaster, Request, RunConfig};
use ebmotion::noise::Noise;

/// Plays the last `frames` frames again and again.
struct Repeat {
    frames: usize,
}

impl Forecaster for Repeat {
    fn name(&self) -> &str {
        "repeat"
    }

    fn context_frames(&self) -> usize {
        self.frames
    }

    fn parameters(&self) -> usize {
        0
    }

    fn evaluations_per_chunk(&self) -> usize {
        0
    }

    fn forecast(&self, history: &Tensor, request: &Request, _: &mut Noise) -> Result<Tensor> {
        let last = history.narrow(1, history.dims()[1] - self.frames, self.frames)?;
        let again = last.repeat((1, request.horizon.div_ceil(self.frames), 1))?.narrow(1, 0, request.horizon)?;
        Ok(again.unsqueeze(1)?) // one future: (B, 1, H, D)
    }
}

fn main() -> Result<()> {
    let log = concat!(env!("CARGO_MANIFEST_DIR"), "/data/hand_gestures/hand_gestures.csv.gz");
    let config = RunConfig::default();
    let dataset = Dataset::read(&[log], &config)?;
    let baseline = |name| Contender::fit(<dyn Baseline>::named(name)?, &dataset, &[], 0, None, &mut Silent);
    let others = [baseline("hold")?, baseline("var")?];
    let mut options = CompareOptions::new(50, 0);
    options.stride = 25;
    let comparison = Comparison::of(&dataset, &[(&Repeat { frames: 25 }, 0.0)], &others, &options, &mut Silent)?;
    print!("{}", comparison.report.summary_table());
    assert!(comparison.report.forecasters["repeat"]["frechet_velocity"].mean > 0.0);
    Ok(())
}
