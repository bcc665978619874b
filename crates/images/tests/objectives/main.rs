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

use candle_core::Tensor;
use ebmotion::model::{MlpEnergy, Network, Parameters};
use ebmotion::noise::Noise;
use ebmotion::train::{Batch, BatchSource, Objective};
use ebmotion::{Error, Result};
use ebmotion_images::objective::{Around, Coupling, EnergyMatching, EnergyMatchingConfig, InfoNce, InfoNceConfig};
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

/// A network that gives its energy and no more.
struct Bare(MlpEnergy);

impl Network for Bare {
    fn parameters(&self) -> &Parameters {
        self.0.parameters()
    }

    fn energy(&self, x: &Tensor, context: Option<&Tensor>) -> Result<Tensor> {
        self.0.energy(x, context)
    }
}

#[test]
fn what_an_objective_needs_of_batches_and_networks_is_asked_for() -> Result<()> {
    let batch = Draws { conditional: false, held_out: false }.batch(4, &mut Noise::new(1))?;
    let plain = Batch { start: None, ..batch.clone() };
    let around = InfoNceConfig { around: Around::Start, ..Default::default() };
    contract::lacks(&mut InfoNce::new(network(0)?, around)?, &plain, "no starts of chains")?;
    let mut bare = EnergyMatching::new(Bare(network(0)?), EnergyMatchingConfig::default())?;
    let error = bare.loss(&batch, &mut Noise::new(1)).expect_err("no gradient as a graph");
    assert!(matches!(error, Error::Unsupported { .. }), "{error:?}");
    assert!(error.to_string().contains("this network cannot give its input gradient as a graph"), "{error}");
    Ok(())
}
