//! The contract of the objectives of this crate: each learns densities that are known, and goes on after a break to the
//! same bits. A new objective is one row of [`rows::objectives`].

#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

#[path = "../../../../tests/support/known.rs"]
mod known;
#[macro_use]
#[path = "../../../../tests/support/learner.rs"]
mod learner;
#[macro_use]
#[path = "../../../../tests/support/objectives.rs"]
mod contract;
mod rows;
#[path = "../../../../tests/support/stop.rs"]
mod stop;

use ebmotion::noise::Noise;
use ebmotion::train::{BatchSource, Objective};
use ebmotion::{Error, Result};
use ebmotion_images::objective::{Coupling, EnergyMatching, EnergyMatchingConfig, InfoNce, InfoNceConfig};
use known::Draws;
use learner::network;

contract! { info_nce info_nce_around_start info_nce_refined energy_matching }

#[test]
fn settings_that_make_no_sense_are_refused() -> Result<()> {
    type Matching = EnergyMatchingConfig;
    for config in [
        Matching { temperature: 0.0, ..Default::default() },
        Matching { contrast: -1.0, ..Default::default() },
        Matching { onset: 1.0, ..Default::default() },
        Matching { horizon: 0.9, ..Default::default() },
        Matching { steps: 1, ..Default::default() },
        Matching { from_data: 1.1, ..Default::default() },
    ] {
        assert!(EnergyMatching::new(network(0)?, config.clone()).is_err(), "{config:?}");
    }
    // Noise that is paired with examples depends on what those depend on.
    let paired = Matching { coupling: Coupling::Transport, ..Default::default() };
    let mut paired = EnergyMatching::new(network(2)?, paired)?;
    let batch = Draws { conditional: true, held_out: false }.batch(4, &mut Noise::new(1))?;
    assert!(matches!(paired.loss(&batch, &mut Noise::new(1)), Err(Error::Config { .. })));
    assert!(InfoNce::new(network(0)?, InfoNceConfig { negatives: 0, ..Default::default() }).is_err());
    Ok(())
}
