//! How a model's chunks are drawn, where the command line says otherwise than the model.

use super::text::key_value;
use clap::Args;
use ebmotion::forecast::Model;
use ebmotion::settings::Settings;
use ebmotion::{Error, Result};

#[derive(Debug, Args)]
pub(crate) struct SamplerArgs {
    /// How chunks are drawn, in place of the model's own setting; may be repeated. Keys: levels, start, end, spacing,
    /// solver, eta, corrector_steps, corrector_size, guidance, temperature.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) sampler: Vec<String>,
}

impl SamplerArgs {
    /// The model as it draws now.
    pub(crate) fn apply(&self, model: Model) -> Result<Model> {
        if self.sampler.is_empty() {
            return Ok(model);
        }
        let Some(mut sampler) = model.level().map(|level| level.sampler()) else {
            let expected = "one of another preset than igebm";
            return Err(Error::config("--sampler", "a model without noise levels", expected));
        };
        for pair in &self.sampler {
            let (key, value) = key_value("--sampler", pair)?;
            sampler = sampler.with_one(key, value)?;
        }
        model.with_sampler(sampler)
    }
}
