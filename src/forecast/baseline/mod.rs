//! Baselines: what an honest report compares with. A new one is one file with a [`Baseline`] and one row of
//! [`BASELINES`].

mod analogue;
mod cvae;
mod fc;
mod field;
mod gru;
mod hold;
mod latent;
mod mdn;
mod spec;
#[cfg(test)]
mod tests;
mod var;
mod var_fit;
mod velocity;

#[cfg(test)]
pub(crate) use hold::Hold;
pub use spec::{Baseline, BaselineRun, Contender};
#[cfg(test)]
pub(crate) use var::Autoregression;
pub(super) use var_fit::DELTA_LIMIT;
pub(crate) use var_fit::VarFit;
#[cfg(test)]
pub(crate) use velocity::Velocity;

use crate::error::{Error, Result};

/// Every baseline, in the order of a report.
pub static BASELINES: [&dyn Baseline; 11] = [
    &hold::HoldBaseline,
    &velocity::VelocityBaseline,
    &var::MEAN,
    &var::SAMPLED,
    &fc::FullyConnectedBaseline,
    &analogue::AnalogueBaseline,
    &mdn::MixtureBaseline,
    &gru::RecurrentBaseline,
    &cvae::CvaeBaseline,
    &field::FLOW,
    &field::DIFFUSION,
];

impl dyn Baseline {
    /// The row of [`BASELINES`] of a name.
    ///
    /// # Errors
    /// [`Error::Config`] naming all for another name.
    pub fn named(name: &str) -> Result<&'static dyn Baseline> {
        BASELINES.iter().copied().find(|b| b.name() == name).ok_or_else(|| {
            let names: Vec<&str> = BASELINES.iter().map(|b| b.name()).collect();
            let expected = format!("classic, all, none, or some of {}", names.join(","));
            Error::config("baselines", format!("`{name}`"), expected)
        })
    }
}
