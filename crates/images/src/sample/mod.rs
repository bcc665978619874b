//! Annealed importance sampling, and attacks on classifiers.

mod ais;
mod attack;

pub use ais::{Ais, Annealing, AnnealingPath, AnnealingWatch, LogRatio};
pub use attack::{Attack, Norm};
