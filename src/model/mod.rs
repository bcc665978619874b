//! Networks that are energies, and the generative networks they are compared with.

mod activation;
mod classifier;
mod conv;
mod cvae;
mod density;
mod field;
mod gru;
mod inception;
mod level;
mod level_features;
mod leveled;
mod mixture;
mod mlp;
mod mlp_energy;
mod network;
mod parameters;
mod pixel_cnn;
mod positions;
mod real_nvp;
mod spectral;

pub use activation::Activation;
pub use classifier::{Classifier, ClassifierConfig};
#[cfg(feature = "cudnn")]
pub use conv::OnGpu;
pub use conv::{ConvConfig, ConvEnergy, StageConfig};
pub use cvae::Cvae;
pub use density::{Generative, Generator};
pub(crate) use field::weigh;
pub use field::{NoisePath, VectorField};
pub use gru::GruMixture;
pub use inception::Inception;
pub use level::{AtLevel, Conditioned, LevelEnergy};
pub(crate) use level_features::{ANGLES, GAIN};
pub(crate) use leveled::times;
pub use leveled::{AtLevelOf, Leveled};
pub use mixture::MixtureDensity;
pub use mlp::Mlp;
pub use mlp_energy::MlpEnergy;
pub use network::{Fixed, Network};
pub use parameters::{Parameters, required, required_count};
pub use pixel_cnn::{PixelCnn, PixelCnnConfig};
pub use positions::{MlpConfig, Positions};
pub use real_nvp::{RealNvp, RealNvpConfig};
