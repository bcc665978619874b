//! Convolutional networks of images on the card: cuDNN's convolutions, and between them kernels of our own (`kernels.cu`) that do all
//! that lies between two convolutions in one sweep.
//!
//! What [`crate::engine::conv`] is on the CPU: value, input gradient and weight gradient of the same
//! [`ConvLayers`](crate::engine::conv::ConvLayers). Numbers lie as there, pixel by pixel with a channel a lane.

mod cudnn;
mod down;
mod geometry;
mod kernels;
mod net;
mod plan;
mod pool;
mod up;

pub use net::{Gradients, Net, Numbers, Up};
pub use pool::Pool;
