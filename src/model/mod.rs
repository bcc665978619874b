//! Networks that are energies, and the generative networks they are compared with.

mod activation;
mod cvae;
mod density;
mod field;
mod gru;
mod level;
mod level_features;
mod leveled;
mod mixture;
mod mlp;
mod mlp_energy;
mod network;
mod parameters;
mod positions;
mod spectral;

pub use activation::Activation;
pub(crate) use cvae::Cvae;
pub use density::Generative;
pub(crate) use density::Generator;
pub(crate) use field::weigh;
pub(crate) use field::{NoisePath, VectorField};
pub(crate) use gru::GruMixture;
pub(crate) use level::LevelEnergy;
pub(crate) use level_features::{ANGLES, GAIN};
pub(crate) use leveled::times;
pub use leveled::{AtLevelOf, Leveled};
pub(crate) use mixture::MixtureDensity;
pub use mlp::Mlp;
pub use mlp_energy::MlpEnergy;
pub use network::{Fixed, Network};
pub use parameters::Parameters;
pub use positions::{MlpConfig, Positions};
pub use spectral::SpectralNorm;
