//! How a model's chunks are drawn, where the command line says otherwise than the model.

use super::text::key_value;
use clap::Args;
use ebmotion::forecast::Model;
use ebmotion::{Error, Result, settings};

#[derive(Debug, Args)]
pub(crate) struct WalkArgs {
    /// How chunks are drawn, in place of the model's own setting; may be repeated. Keys: levels, start, end, guidance,
    /// temperature, churn, corrections, correction_step.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) walk: Vec<String>,
}

impl WalkArgs {
    /// The model as it draws now.
    pub(crate) fn apply(&self, model: Model) -> Result<Model> {
        if self.walk.is_empty() {
            return Ok(model);
        }
        let Some(mut walk) = model.level().map(|level| level.walk()) else {
            return Err(Error::config("--walk", "a model without noise levels", "one of another preset than igebm"));
        };
        for pair in &self.walk {
            let (key, value) = key_value("--walk", pair)?;
            walk = settings::with_one(&walk, key, value)?;
        }
        model.walking(walk)
    }
}
