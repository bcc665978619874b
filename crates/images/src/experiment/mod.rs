//! Experiments on images, one file each: settings in, figures and pictures out. The command line only reads arguments
//! and writes what comes back.

pub mod classifier;
pub mod classify;
pub mod compose;
pub mod continual;
pub mod cross_class;
pub mod denoise;
mod draw;
pub mod features;
pub mod fid;
pub mod generate;
mod history;
pub mod inception_score;
pub mod inpaint;
mod journal;
mod learning;
pub mod likelihood;
mod model;
pub mod ood;
mod record;
mod restore;
pub mod robust;
pub mod show;
pub mod train;

pub use draw::{ChainsFrom, Ensemble, draw, image_sampler, tell};
pub use history::History;
pub use journal::Journal;
pub use model::{ImageModel, ImageModelInfo};
pub use record::{DataRecord, Record};
pub use restore::RestorationError;

use journal::advance;
