//! Convolutional networks of images on the GPU: cuDNN's convolutions, and between them kernels of our own
//! (`kernels.cu`) that do all that lies between two convolutions in one sweep.
//!
//! What [`crate::engine::conv`] is on the CPU: value, input gradient and weight gradient of the same
//! [`ConvLayers`](crate::engine::conv::ConvLayers). Numbers lie as there, pixel by pixel with a channel a lane.
//!
//! # Safety
//! Kernels and cuDNN get arrays on the GPU as plain addresses. What makes that sound:
//!
//! - **Lengths.** The network's check has compared what the caller brings (images, weights, modulations, head) with the
//!   layers. All other maps come from [`Pool`], as long as their sizes say.
//! - **Initialised.** An array of the pool holds anything. Each is written by the first work that gets its address.
//! - **Order.** All work on a GPU is in one stream. So memory may go back to the pool, or be freed, before the work
//!   that reads it is done: whoever writes it next does so later in the same stream.
//! - **Life.** What the caller brings must stay until the call down is made; the docs of [`Net::up`] ask for it.
//!
//! Blocks elsewhere say "maps of these sizes" where they rest on this.

mod cudnn;
mod down;
mod geometry;
mod kernels;
mod net;
mod plan;
mod pool;
mod up;

pub use net::{ConvGradients, Net, Numbers, Up};
pub use pool::Pool;
