//! Objectives besides those of [`ebmotion::train::objective`]: each one file.

mod assignment;
mod cross_entropy;
mod energy_matching;
mod info_nce;

pub use cross_entropy::CrossEntropy;
pub use energy_matching::{Coupling, EnergyMatching, EnergyMatchingConfig};
pub use info_nce::{Around, InfoNce, InfoNceConfig};
