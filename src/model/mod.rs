//! Networks that are energies.

mod activation;
mod level;
mod mlp;
mod mlp_energy;
mod network;
mod parameters;
mod spectral;

pub use activation::Activation;
pub(crate) use level::GAIN;
pub use level::{AtLevel, Conditioned, LevelEnergy};
pub use mlp::{Mlp, MlpConfig};
pub use mlp_energy::MlpEnergy;
pub use network::{Fixed, Network};
pub use parameters::Parameters;
