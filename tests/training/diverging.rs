//! Runs that go astray.

use super::*;
use std::cell::Cell;

/// Regression data whose targets are a million times too large for a while: batches 150 to 219, counted over restarts.
struct Storm(Cell<u64>);

impl BatchSource for Storm {
    fn batch(&self, size: usize, noise: &mut Noise) -> Result<Batch> {
        let count = self.0.replace(self.0.get() + 1);
        let batch = Blobs.batch(size, noise)?;
        let size = if (150..220).contains(&count) { 1e6 } else { 1.0 };
        Ok(Batch { context: Some(batch.x.clone()), x: (batch.x * size)?, start: None })
    }

    fn validation(&self) -> Result<Option<Batch>> {
        Ok(None)
    }
}

#[derive(Default)]
struct Heard(Vec<String>);

impl Sink for Heard {
    fn emit(&mut self, event: &Event<'_>) -> Result<()> {
        if let Event::Warning { text } = event {
            self.0.push((*text).to_string());
        }
        Ok(())
    }
}

#[test]
fn a_run_that_diverges_says_why_and_goes_back_if_it_is_told_to() -> Result<()> {
    let folder = tempfile::tempdir().map_err(Error::io(".", "create a folder in"))?;
    let path = folder.path().join("run.checkpoint");
    let plan = CheckpointPlan { path: path.clone(), resume: false, identity: serde_json::json!({}) };
    let run = |restarts: u64, heard: &mut Heard| -> Result<_> {
        let mut config = settings(300, 1e-3);
        config.divergence = Divergence { factor: 100.0, patience: 20, restarts };
        let net = Mlp::new(mlp(2, 0, 2, Activation::Swish, false), &mut Noise::new(1), DType::F32, &CPU)?;
        let mut objective = Regression { net };
        let outcome = train(&mut objective, &Storm(Cell::new(0)), &config, &Noise::new(1), Some(&plan), heard)?;
        let batch = Blobs.batch(256, &mut Noise::new(5))?;
        let error = objective.validate(&Batch { context: Some(batch.x.clone()), ..batch }, &mut Noise::new(0))?;
        Ok((outcome, error))
    };
    let mut heard = Heard::default();
    match run(0, &mut heard) {
        Err(Error::Diverged { why, step: 170, saved }) => {
            assert!(why.contains("loss") && why.contains("20 steps"), "{why}");
            assert_eq!(saved.as_deref(), Some(path.as_path()));
        }
        other => panic!("{other:?}"),
    }
    // Step 150 is the last good checkpoint; 70 bad batches are three restarts of 20 and the rest of ten.
    let (outcome, error) = run(3, &mut heard)?;
    assert_eq!(outcome.steps, 300);
    assert_eq!(heard.0.len(), 3, "{:?}", heard.0);
    assert!(heard.0.iter().all(|text| text.contains("back to step 150")), "{:?}", heard.0);
    assert!(error < 0.1, "the weights are those of good steps: {error}");
    Ok(())
}
