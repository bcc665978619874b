//! Settings of the baselines that have any. The defaults were chosen on validation episodes: `benches/quality/forecast.md`, Tuning.

use crate::error::Result;
use crate::sample::diffusion::SamplerConfig;
use crate::settings::{self, Auto};
use crate::train::Whitening;
use serde::{Deserialize, Serialize};

/// Settings of one baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum BaselineConfig {
    /// A generative network over the residual's leading coordinates.
    Latent(LatentConfig),
    /// A recurrent network with a mixture over the next frame.
    Recurrent(RecurrentConfig),
    /// Nearest training moments.
    Analogue(AnalogueConfig),
}

/// Of the networks over whitened residuals.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LatentConfig {
    /// Frames drawn at once; left to the data: as many as the motion bears, as the energy's.
    pub chunk: Auto<usize>,
    /// Coordinates the network draws, at most; the rest stays Gaussian.
    pub latent: usize,
    /// Widths of the fully connected hidden layers. Left to the program (diffusion and flow matching): as many as the
    /// default energy has, of one width that makes as many weights.
    pub hidden: Auto<Vec<usize>>,
    /// As [`DenoisingConfig::context_noise`](crate::forecast::DenoisingConfig::context_noise).
    pub context_noise: f64,
    /// Training steps of batches of 128; left to the data: as many as there are windows for
    /// ([`RunConfig::for_data`](crate::forecast::RunConfig::for_data)).
    pub steps: Auto<u64>,
    /// Learning rate at its largest.
    pub learning_rate: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// How weight matrices learn, where not by Adam.
    pub whitening: Option<Whitening>,
    /// What the network gives.
    pub head: Head,
    /// How diffusion and flow matching draw; the others' draws have no steps. Weights do not depend on it.
    pub sampler: Option<SamplerConfig>,
}

/// Kinds of generative networks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Head {
    /// Diffusion.
    Diffusion(FieldConfig),
    /// Flow matching.
    Flow(FieldConfig),
    /// Mixture density network.
    Mixture {
        /// Gaussians.
        components: usize,
    },
    /// Conditional variational autoencoder.
    Cvae {
        /// Numbers of the code.
        code: usize,
        /// Weight of the divergence from the prior.
        kl_weight: f64,
        /// Nats of it a number of the code that cost nothing.
        free_nats: f64,
    },
}

/// Of diffusion and flow matching.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldConfig {
    /// Exponent of each coordinate's variance by which its error is weighted, as the energy's.
    pub weighting: f64,
}

/// Of the recurrent network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecurrentConfig {
    /// Frames read before a forecast.
    pub context: usize,
    /// Frames of a training window behind its context.
    pub future: usize,
    /// Numbers of the state.
    pub width: usize,
    /// Gaussians.
    pub components: usize,
    /// Largest noise on a training window, in standard deviations of the frame-to-frame delta.
    pub input_noise: f64,
    /// Training steps of batches of 128.
    pub steps: usize,
    /// Learning rate at its largest.
    pub learning_rate: f64,
}

/// Of the nearest neighbours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnalogueConfig {
    /// Nearest moments of which one is taken.
    pub neighbours: usize,
    /// Frames copied before the next search.
    pub segment: usize,
    /// Frames over which the difference to the neighbour is faded out.
    pub fade: usize,
    /// Weight of a velocity's deviation against a position's.
    pub velocity_weight: f64,
}

impl LatentConfig {
    /// What the weights depend on: all but how is drawn from them.
    pub(super) fn learned(&self) -> Result<serde_json::Value> {
        settings::as_json(&Self { sampler: None, ..self.clone() })
    }
}

impl BaselineConfig {
    /// The default settings of a baseline, `None` for one that has none.
    pub fn of(name: &str) -> Option<Self> {
        let latent = |(chunk, steps), latent, context_noise, (weight_decay, whitening), head, sampler| {
            let field = matches!(head, Head::Diffusion { .. } | Head::Flow { .. });
            Self::Latent(LatentConfig {
                chunk,
                latent,
                hidden: if field { Auto::Auto } else { Auto::Set(vec![384; 3]) },
                context_noise,
                steps,
                learning_rate: 1e-3,
                weight_decay,
                whitening,
                head,
                sampler,
            })
        };
        let (adam, whitened) = ((0.01, None), (0.03, Some(Whitening::default())));
        Some(match name {
            "diffusion" => {
                let sampler = SamplerConfig { temperature: 0.95, ..SamplerConfig::default() };
                let head = Head::Diffusion(FieldConfig { weighting: 0.5 });
                latent((Auto::Auto, Auto::Auto), 1024, 0.5, adam, head, Some(sampler))
            }
            "flow" => {
                let (end, guidance, temperature) = (0.245.into(), 1.0.into(), 0.95);
                let sampler = SamplerConfig { end, guidance, temperature, ..SamplerConfig::default() };
                let head = Head::Flow(FieldConfig { weighting: 0.5 });
                latent((Auto::Auto, Auto::Auto), 1024, 0.5, whitened, head, Some(sampler))
            }
            "mdn" => latent((Auto::Auto, 4500.into()), 64, 2.0, adam, Head::Mixture { components: 8 }, None),
            "cvae" => {
                let head = Head::Cvae { code: 16, kl_weight: 1.0, free_nats: 0.1 };
                latent((8.into(), 4500.into()), 16, 1.0, adam, head, None)
            }
            "gru_mdn" => Self::Recurrent(RecurrentConfig {
                context: 16,
                future: 16,
                width: 128,
                components: 5,
                input_noise: 1.0,
                steps: 1500,
                learning_rate: 1e-3,
            }),
            "analogue" => Self::Analogue(AnalogueConfig { neighbours: 20, segment: 50, fade: 8, velocity_weight: 0.1 }),
            _ => return None,
        })
    }

    /// Of a baseline, with changes `(dotted name, value)` such as `("flow.sampler.levels", "10")`; those of other baselines
    /// are passed over.
    ///
    /// # Errors
    /// [`crate::Error::Config`] naming a key that does not exist or whose value is of the wrong type.
    pub fn with(name: &str, changes: &[(String, String)]) -> Result<Option<Self>> {
        let Some(mut config) = Self::of(name) else { return Ok(None) };
        for (key, value) in changes {
            let Some(key) = key.strip_prefix(name).and_then(|rest| rest.strip_prefix('.')) else { continue };
            config = settings::with_one(&config, key, value)?;
        }
        Ok(Some(config))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_changed_by_name_and_unknown_ones_refused() -> Result<()> {
        let set = |key: &str, value: &str| vec![(key.to_string(), value.to_string())];
        let flow = BaselineConfig::with("flow", &set("flow.sampler.levels", "10"))?;
        let Some(BaselineConfig::Latent(LatentConfig { sampler: Some(sampler), .. })) = &flow else {
            panic!("{flow:?}")
        };
        assert_eq!((sampler.levels, sampler.end(), sampler.temperature), (10, 0.245, 0.95));
        assert_eq!(BaselineConfig::with("flow", &set("cvae.head.code", "3"))?, BaselineConfig::of("flow"));
        assert_eq!(BaselineConfig::with("hold", &[])?, None);
        let unknown =
            BaselineConfig::with("flow", &set("flow.head.components", "3")).expect_err("not flow's").to_string();
        assert!(unknown.contains("components") && unknown.contains("weighting"), "{unknown}");
        assert!(BaselineConfig::with("flow", &set("flow.latent", "many")).is_err());
        Ok(())
    }
}
