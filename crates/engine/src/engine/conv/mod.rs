//! Convolutional networks of images on plain numbers: value, input gradient and weight gradient.
//!
//! A worker takes a tile of images through all stages and back (`tile.rs`); images never talk, so tiles do not. A
//! convolution is a sweep of register tiles over packed weights (`sweep.rs`, `pass.rs`), the gradient in its input the
//! same sweep with other weights. What follows a sum (gain, bias, activation, a second copy) is done while the sums are
//! at hand (`finish.rs`). The gradient in the weights is a sweep over pixels (`gather.rs`).

mod chains;
mod finish;
mod gather;
mod layers;
mod learn;
mod map;
mod memory;
mod narrow;
mod net;
mod pass;
mod point;
mod sweep;
#[cfg(test)]
mod tests;
mod tile;
mod weights;

pub use chains::ImageTerm;
pub use layers::{ConvLayers, Filter, Reach, Stage};
pub use learn::ConvGradient;
pub use net::{PackedConv, Room};
