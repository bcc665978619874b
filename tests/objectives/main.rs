//! The contract of the objectives: each learns densities that are known, and goes on after a break to the same bits. A
//! new objective is one row of [`rows::objectives`].

#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

#[path = "../support/known.rs"]
mod known;
#[macro_use]
#[path = "../support/learner.rs"]
mod learner;
#[macro_use]
#[path = "../support/objectives.rs"]
mod contract;
mod rows;
#[path = "../support/stop.rs"]
mod stop;

use ebmotion::Result;
use ebmotion::noise::Noise;
use ebmotion::train::objective::{
    Contrastive, ImprovedConfig, ImprovedContrastive, Recovery, RecoveryConfig, Regression,
};
use ebmotion::train::{Batch, BatchSource};
use known::Draws;
use learner::network;
use rows::{chains, over};

contract! { contrastive improved_contrastive denoising recovery }

#[test]
fn settings_that_make_no_sense_are_refused() -> Result<()> {
    for config in [
        RecoveryConfig { levels: 0, ..Default::default() },
        RecoveryConfig { steps: 0, ..Default::default() },
        RecoveryConfig { lowest: 0.0, ..Default::default() },
        RecoveryConfig { highest: 1.57, ..Default::default() },
        RecoveryConfig { step_size: 0.0, ..Default::default() },
    ] {
        assert!(Recovery::new(over(0)?, config.clone()).is_err(), "{config:?}");
    }
    let improved = ImprovedConfig { contrastive: chains(), energy: 1.0, entropy: -1.0 };
    assert!(ImprovedContrastive::new(network(0)?, improved, &[2], None).is_err());
    assert!(serde_json::from_str::<RecoveryConfig>(r#"{"levels":6,"level":6}"#).is_err(), "an unknown setting");
    Ok(())
}

#[test]
fn what_an_objective_needs_of_batches_is_asked_for() -> Result<()> {
    let plain = Batch { start: None, ..Draws { conditional: false, held_out: false }.batch(4, &mut Noise::new(1))? };
    contract::lacks(&mut Contrastive::new(network(0)?, chains(), &[2], None)?, &plain, "no starts of chains")?;
    contract::lacks(&mut Regression { net: network(0)?.net }, &plain, "no context")
}
