//! Sets of images: readers, a generator of sprites, corruptions, grids to look at.
//!
//! Nothing here knows tensors or energies: an image is a row of bytes, an experiment turns rows into batches.

mod augment;
mod convert;
pub mod corrupt;
pub mod grid;
mod known;
mod nearest;
mod read;
mod set;
pub mod sprites;

pub use augment::Augment;
pub use known::{KNOWN, Known, Part};
pub use nearest::{Neighbour, nearest};
pub use set::Images;
