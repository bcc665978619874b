//! Sets of images and experiments on learned energies of them: the energies, networks, samplers and trainer of
//! [`ebmotion`] where a batch of arrays is a batch of pictures.
//!
//! [`image`] reads files into rows of bytes. [`experiment`] trains energies of them, draws, mends and judges. The
//! command `ebmotion image` is these functions with arguments read and results written.

mod arrays;
pub mod experiment;
pub mod image;
pub mod model;
pub mod objective;
pub mod sample;
