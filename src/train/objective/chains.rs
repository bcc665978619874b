//! The chains of contrastive objectives: settings, and what may change them between two steps.

use crate::error::Result;
use crate::noise::Noise;
use crate::sample::Unadjusted;
use crate::sample::langevin::Langevin;
use candle_core::Tensor;
use serde::{Deserialize, Serialize};

/// Settings of [`super::Contrastive`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContrastiveConfig {
    /// How the energies become a loss.
    pub form: Form,
    /// Weight of `mean E+^2 + mean E-^2`, which keeps energies near 0; at least 0.
    pub energy_l2: f64,
    /// Langevin steps a batch.
    pub steps: usize,
    /// Multiplier of the gradient in a step.
    pub step_size: f64,
    /// Standard deviation of a step's noise.
    pub noise: f64,
    /// Largest element of a gradient in a step.
    pub gradient_clip: Option<f64>,
    /// Box that chains stay in.
    pub bounds: Option<(f64, f64)>,
    /// Chains in the replay buffer; 0 for none.
    pub replay: usize,
    /// Probability that a chain starts afresh instead of from the buffer, in `[0, 1]`.
    pub fresh: f64,
}

impl ContrastiveConfig {
    /// The chain of one batch.
    pub fn sampler(&self) -> Unadjusted<Langevin> {
        Unadjusted(Langevin {
            step: self.step_size,
            noise: self.noise,
            gradient_clip: self.gradient_clip,
            bounds: self.bounds,
        })
    }
}

/// A random change of chains that are resumed from the replay buffer, so that they leap between modes that Langevin
/// steps do not connect (Du et al. 2021, section 3.3): one under which data stay data.
pub trait Augmentation: std::fmt::Debug + Send + Sync {
    /// Chains `(B, *S)`, changed.
    ///
    /// # Errors
    /// [`crate::Error::Tensor`]; [`crate::Error::Shape`] for chains that are not of its kind.
    fn augment(&self, x: &Tensor, noise: &mut Noise) -> Result<Tensor>;
}

/// How the energies of data and samples become a loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// `mean E+ - mean E-` (eq. 2).
    Linear,
    /// `mean softplus(E+ - E-)`: bounded below, the most stable of the three in the released code.
    Softplus,
    /// `mean E+ + ln mean exp(-E-)`: samples weighted by their importance under the model.
    LogSumExp,
}
