//! Arguments of the experiments with a classifier or with Inception-v3.

use super::Common;
use clap::Args;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ebmotion image classifier --data images/ -o out/classifier
  ebmotion image classifier --data images/ --adversarial 0.3 -o out/adversarial
  ebmotion image classifier --data images/ --dataset cifar10 --set 'convolutions=[[64,5],[128,3],[256,3]]' -o out/cifar

Leaves classifier.safetensors, which `fid`, `inception-score` and `robust` take.")]
pub(crate) struct ClassifierArgs {
    #[command(flatten)]
    pub(crate) common: Common,
    /// A set known by name.
    #[arg(long, value_name = "NAME", default_value = "mnist")]
    pub(crate) dataset: String,
    /// Trains on images attacked within this distance, the largest change of a pixel in [0, 1]; in place of the setting
    /// `attack.radius`.
    #[arg(long, value_name = "RADIUS")]
    pub(crate) adversarial: Option<f64>,
}
