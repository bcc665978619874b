//! A convolutional network as a term of the engine's chains.

use super::super::layers::Rows;
use super::super::plan::RunOptions;
use super::super::tile::TileEnergy;
use super::net::PackedConv;
use crate::error::{Error, Result};
use std::ops::Range;
use std::sync::Arc;

/// The energy of images under a packed network, each with its modulations: a [`super::super::Term::Custom`].
#[derive(Debug, Clone)]
pub struct ImageTerm {
    net: Arc<PackedConv>,
    rows: Rows,
}

impl ImageTerm {
    /// `rows` as in [`PackedConv::evaluate`].
    ///
    /// # Errors
    /// [`Error::Shape`] when they are not those of the network.
    pub fn new(net: Arc<PackedConv>, rows: Rows) -> Result<Self> {
        let expected = net.layers().modulations();
        if rows.width != expected {
            let found = vec![rows.width];
            return Err(Error::Shape { what: "modulations of an image", found, expected: format!("{expected}") });
        }
        Ok(Self { net, rows })
    }
}

impl TileEnergy for ImageTerm {
    fn shares(&self) -> bool {
        true
    }

    fn add(&self, chains: Range<usize>, x: &[f32], factor: f32, energy: &mut [f32], grad: &mut [f32], _: &mut [f32]) {
        self.net.add(chains.start, x, &self.rows, factor, (energy, grad), &RunOptions::default());
    }
}
