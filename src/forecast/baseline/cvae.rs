//! A conditional variational autoencoder over whitened residuals.

use super::latent::{self, LatentConfig};
use super::spec::{Baseline, BaselineRun};
use crate::error::Result;
use crate::forecast::Forecaster;
use crate::model::Cvae;
use crate::settings::{Auto, Settings};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What the network gives.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum Head {
    Cvae {
        /// Numbers of the code.
        code: usize,
        /// Weight of the divergence from the prior.
        kl_weight: f64,
        /// Nats of it a number of the code that cost nothing.
        free_nats: f64,
    },
}

/// The row of `cvae`.
pub(super) struct CvaeBaseline;

impl Baseline for CvaeBaseline {
    fn name(&self) -> &str {
        "cvae"
    }

    fn is_trained(&self) -> bool {
        true
    }

    fn settings(&self) -> Result<Value> {
        let head = Head::Cvae { code: 16, kl_weight: 1.0, free_nats: 0.1 };
        LatentConfig { chunk: Auto::Set(8), latent: 16, ..LatentConfig::of(head) }.as_json()
    }

    fn check(&self, settings: &Value) -> Result<()> {
        LatentConfig::<Head>::from_json(settings).map(|_| ())
    }

    fn fit(&self, settings: &Value, run: &mut BaselineRun<'_>) -> Result<Box<dyn Forecaster + Sync>> {
        let config = LatentConfig::<Head>::from_json(settings)?;
        latent::fit("cvae", &config, run, |coordinates, _, noise| {
            let Head::Cvae { code, kl_weight, free_nats } = config.head;
            let sizes = [coordinates.latent(), coordinates.context_width(), code];
            Cvae::new(sizes, &config.widths(), [kl_weight, free_nats], noise)
        })
    }
}
