//! What an energy must offer to take part in the engine's chains.

use std::ops::Range;

/// Value and gradient of an energy for a tile of chains, in plain slices: how an energy of your own joins the terms
/// that the engine knows ([`super::Term::Custom`]).
pub trait TileEnergy: std::fmt::Debug + Send + Sync {
    /// Numbers of scratch memory that [`TileEnergy::add`] needs for so many chains.
    fn scratch(&self, chains: usize) -> usize {
        let _ = chains;
        0
    }

    /// True where [`TileEnergy::add`] divides its chains among the cores itself: then it gets all chains of a run at
    /// once.
    fn shares(&self) -> bool {
        false
    }

    /// Adds `factor` times the energy to `energy` `(R,)` and `factor` times its gradient to `grad` `(R, F)` for the
    /// chains `chains` (numbers in the batch) at `x` `(R, F)`. Must not allocate; `scratch` holds anything.
    fn add(
        &self,
        chains: Range<usize>,
        x: &[f32],
        factor: f32,
        energy: &mut [f32],
        grad: &mut [f32],
        scratch: &mut [f32],
    );
}
