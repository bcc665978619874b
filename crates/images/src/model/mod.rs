//! Networks of images: convolutional energies, a classifier, Inception-v3, and networks with exact likelihoods.

mod classifier;
mod conv;
mod density;
mod inception;
mod leveled;
mod pixel_cnn;
mod real_nvp;

pub use classifier::{Classifier, ClassifierConfig};
#[cfg(feature = "cudnn")]
pub use conv::OnGpu;
pub use conv::{ConvConfig, ConvEnergy, StageConfig};
pub use inception::Inception;
pub use leveled::{convolutional, on_device};
pub use pixel_cnn::{PixelCnn, PixelCnnConfig};
pub use real_nvp::{RealNvp, RealNvpConfig};
