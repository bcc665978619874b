//! Diffusion and flow matching over whitened residuals.

use super::latent::{self, LatentConfig};
use super::spec::{Baseline, BaselineRun};
use crate::error::Result;
use crate::forecast::{DenoisingConfig, Forecaster, ResidualCoordinates, auto, network};
use crate::model::{MlpConfig, NoisePath, VectorField};
use crate::sample::diffusion::SamplerConfig;
use crate::settings::{Auto, Settings};
use crate::train::Whitening;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What the network gives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum Head {
    Diffusion(FieldConfig),
    Flow(FieldConfig),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FieldConfig {
    /// Exponent of each coordinate's variance by which its error is weighted, as the energy's.
    weighting: f64,
}

/// The rows of `flow` and `diffusion`.
pub(super) struct FieldBaseline {
    name: &'static str,
    path: NoisePath,
}

pub(super) static FLOW: FieldBaseline = FieldBaseline { name: "flow", path: NoisePath::Line };
pub(super) static DIFFUSION: FieldBaseline = FieldBaseline { name: "diffusion", path: NoisePath::Circle };

impl FieldBaseline {
    fn config(&self) -> LatentConfig<Head> {
        let of = FieldConfig { weighting: 0.5 };
        let sampler = SamplerConfig { temperature: 0.95, ..SamplerConfig::default() };
        let base = |head| LatentConfig {
            latent: 1024,
            hidden: Auto::Auto,
            context_noise: 0.5,
            steps: Auto::Auto,
            sampler: Some(sampler),
            ..LatentConfig::of(head)
        };
        match self.path {
            NoisePath::Circle => base(Head::Diffusion(of)),
            NoisePath::Line => LatentConfig {
                weight_decay: 0.03,
                whitening: Some(Whitening::default()),
                sampler: Some(SamplerConfig { end: 0.245.into(), guidance: 1.0.into(), ..sampler }),
                ..base(Head::Flow(of))
            },
        }
    }
}

impl Baseline for FieldBaseline {
    fn name(&self) -> &str {
        self.name
    }

    fn is_trained(&self) -> bool {
        true
    }

    fn settings(&self) -> Result<Value> {
        self.config().as_json()
    }

    fn check(&self, settings: &Value) -> Result<()> {
        LatentConfig::<Head>::from_json(settings).map(|_| ())
    }

    fn fit(&self, settings: &Value, run: &mut BaselineRun<'_>) -> Result<Box<dyn Forecaster + Sync>> {
        let config = LatentConfig::<Head>::from_json(settings)?;
        latent::fit(self.name, &config, run, |coordinates, chunk, noise| {
            let (Head::Diffusion(head) | Head::Flow(head)) = &config.head;
            let sampler = auto::sampler(config.sampler.unwrap_or_default(), chunk);
            let field = VectorField::new(field(coordinates, &config.hidden), self.path, sampler, noise)?;
            Ok(field.weighted(coordinates.weights(head.weighting)?))
        })
    }
}

/// The network of a vector field, whose output is as wide as its input. Where no widths are given it has as many layers
/// as the default energy's and, as far as whole numbers go, as many weights.
fn field(coordinates: &ResidualCoordinates, hidden: &Auto<Vec<usize>>) -> MlpConfig {
    let of = |hidden: &[usize]| {
        let net = network::over(coordinates, None, hidden);
        MlpConfig { outputs: net.inputs, ..net }
    };
    if let Auto::Set(hidden) = hidden {
        return of(hidden);
    }
    let default = DenoisingConfig::default();
    let most = default.network(coordinates).weights();
    let like = |width: usize| vec![width; default.hidden.len()];
    let widest = default.hidden.iter().copied().max().unwrap_or(1);
    of(&like((1..=widest).rev().find(|width| of(&like(*width)).weights() <= most).unwrap_or(1)))
}

#[cfg(test)]
mod tests {
    use super::super::spec::{CONTEXT, VAR_RIDGE};
    use super::super::var_fit::VarFit;
    use super::*;
    use crate::noise::Noise;
    use candle_core::{DType, Device};

    /// What a field is wider at its output it is narrower within.
    #[test]
    fn fields_have_as_many_weights_as_the_energy() -> Result<()> {
        let (channels, context) = (6, CONTEXT);
        let default = DenoisingConfig::default();
        for chunk in [4, 32] {
            let windows = Noise::new(1).normal((400, (context + chunk) * channels), DType::F32, &Device::Cpu)?;
            let windows = windows.flatten_all()?.to_vec1::<f32>()?;
            let fit = VarFit::fit(&windows, channels, context, chunk, VAR_RIDGE)?;
            for row in [&FLOW, &DIFFUSION] {
                let (name, config) = (row.name, row.config());
                let coordinates = ResidualCoordinates::new(fit.clone(), config.latent)?;
                let (own, energy) = (field(&coordinates, &config.hidden), default.network(&coordinates));
                assert_eq!((own.inputs, own.outputs), (energy.inputs, energy.inputs));
                assert_eq!(own.hidden.len(), energy.hidden.len());
                let share = own.weights() as f64 / energy.weights() as f64;
                assert!(share <= 1.0 && share > 0.99, "{name}, chunks of {chunk}: {share}");
                assert_eq!(
                    field(&coordinates, &Auto::Set(vec![384; 3])).hidden,
                    [384; 3],
                    "widths that are given stay"
                );
            }
        }
        Ok(())
    }
}
