//! A mixture density network over whitened residuals.

use super::latent::{self, LatentConfig};
use super::spec::{Baseline, BaselineRun};
use crate::error::Result;
use crate::forecast::{Forecaster, network};
use crate::model::{MixtureDensity, MlpConfig};
use crate::settings::Settings;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What the network gives.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum Head {
    Mixture {
        /// Gaussians.
        components: usize,
    },
}

/// The row of `mdn`.
pub(super) struct MixtureBaseline;

impl Baseline for MixtureBaseline {
    fn name(&self) -> &str {
        "mdn"
    }

    fn is_trained(&self) -> bool {
        true
    }

    fn settings(&self) -> Result<Value> {
        LatentConfig { context_noise: 2.0, ..LatentConfig::of(Head::Mixture { components: 8 }) }.as_json()
    }

    fn check(&self, settings: &Value) -> Result<()> {
        LatentConfig::<Head>::from_json(settings).map(|_| ())
    }

    fn fit(&self, settings: &Value, run: &mut BaselineRun<'_>) -> Result<Box<dyn Forecaster + Sync>> {
        let config = LatentConfig::<Head>::from_json(settings)?;
        latent::fit("mdn", &config, run, |coordinates, _, noise| {
            let Head::Mixture { components } = config.head;
            let over = network::over(coordinates, None, &config.widths());
            let net = MlpConfig { inputs: coordinates.context_width(), context: 0, ..over };
            MixtureDensity::new(net, components, coordinates.latent(), noise)
        })
    }
}
