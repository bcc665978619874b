//! Arguments of the experiments with a classifier or with Inception-v3.

use super::common::{Again, Common, ModelArg, Watched, part};
use clap::Args;
use ebmotion_images::image::Part;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ebmotion image classifier --data images/ -o out/classifier
  ebmotion image classifier --data images/ --adversarial 0.3 -o out/adversarial
  ebmotion image classifier --data images/ --dataset cifar10 --set 'convolutions=[[64,5],[128,3],[256,3]]' -o out/cifar
  ebmotion image classifier --data images/ --adversarial 0.3 -o out/adversarial --resume      after Ctrl-C

Leaves classifier.safetensors, which `fid`, `inception-score` and `robust` take.")]
pub(crate) struct ClassifierArgs {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(flatten)]
    pub(crate) again: Again,
    /// A set known by name.
    #[arg(long, value_name = "NAME", default_value = "mnist")]
    pub(crate) dataset: String,
    /// Trains on images attacked within this distance, the largest change of a pixel in [0, 1]; in place of the setting
    /// `attack.radius`.
    #[arg(long, value_name = "RADIUS")]
    pub(crate) adversarial: Option<f64>,
}

/// Of `ebmotion image fid`.
pub(super) const FID_HELP: &str = "\
Examples:
  ebmotion image fid --data images/ --dataset mnist --samples out/digits/generate.npz --classifier \\
      out/classifier/classifier.safetensors -o out/fid
  ebmotion image fid --data images/ --dataset cifar10 --samples my_samples/ --inception inception.safetensors -o out/fid
  ebmotion image fid --data images/ --dataset cifar10 --samples my_samples/ --inception inception.safetensors -o \\
      out/fid --resume

Samples may be whatever --data may be. The distance has two names: FID by Inception-v3, Fréchet distance of \
classifier features by a classifier; the two cannot be compared. Beside it stands its floor: one half \
of the reference against the other.

Weights of Inception-v3 are not part of this program. Those that published distances are measured with are
pytorch-fid's:
  import torch, safetensors.torch as s
  s.save_file(torch.load('pt_inception-2015-12-05-6726825d.pth', weights_only=True), 'inception.safetensors')
(the file: github.com/mseitzer/pytorch-fid, release fid_weights). torchvision's own serve too, with figures of their
own:
  import torchvision, safetensors.torch as s
  s.save_file(torchvision.models.inception_v3(weights='DEFAULT').state_dict(), 'inception.safetensors')
Images become 299 x 299 pixels by bilinear interpolation without smoothing, as in pytorch-fid.";

/// Of `ebmotion image inception-score`.
pub(super) const SCORE_HELP: &str = "\
Examples:
  ebmotion image inception-score --data images/ --dataset mnist --samples out/digits/generate.npz --classifier \\
      out/classifier/classifier.safetensors -o out/score
  ebmotion image inception-score --data images/ --dataset cifar10 --samples my_samples/ --inception \\
      inception.safetensors -o out/score

exp of the mean divergence of each image's class probabilities from their mean, in 10 parts (mean and standard \
deviation). By Inception-v3 it is called Inception score, by a classifier classifier score. The same of real images \
stands beside it. `ebmotion image fid --help` says where Inception-v3's weights come from.";

#[derive(Debug, Args)]
pub(crate) struct MeasureArgs {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(flatten)]
    pub(crate) again: Again,
    /// The real images: a set known by name; without it --data is the set.
    #[arg(long, value_name = "NAME")]
    pub(crate) dataset: Option<String>,
    /// Which part of a set known by name.
    #[arg(long, value_parser = part, default_value = "train", value_name = "train|test")]
    pub(crate) part: Part,
    /// The images compared with them: a file or folder as --data may be.
    #[arg(long, value_name = "PATH", required_unless_present = "print_config")]
    pub(crate) samples: Option<PathBuf>,
    /// Weights of Inception-v3, as safetensors.
    #[arg(long, value_name = "FILE", conflicts_with = "classifier")]
    pub(crate) inception: Option<PathBuf>,
    /// A classifier from `ebmotion image classifier`.
    #[arg(long, value_name = "FILE", required_unless_present_any = ["inception", "print_config"])]
    pub(crate) classifier: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ebmotion image robust out/mnist/model.safetensors --data images/ -o out/robust \\
    --classifier out/classifier/classifier.safetensors --adversarial out/adversarial/classifier.safetensors
  ebmotion image robust out/mnist/model.safetensors --data images/ -o out/quick --set images=50 --set \\
      purification.steps=0
  ebmotion image robust out/mnist/model.safetensors --data images/ -o out/quick --set images=50 --rrd out/purified.rrd
  ebmotion image robust out/mnist/model.safetensors --data images/ -o out/robust --resume      after Ctrl-C

An image's class is the one given which the energy is lowest. The attack climbs the odds of the other classes by the \
gradient of what judges (projected, from a random start, within a distance of the image); purification is Langevin \
dynamics for each class before the energies are compared, of which the attack does not know: --rrd shows the chains of \
the first images, those of all classes side by side. Leaves robust.json, robust.txt, and a plot for each norm.")]
pub(crate) struct RobustArgs {
    #[command(flatten)]
    pub(crate) model: ModelArg,
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(flatten)]
    pub(crate) again: Again,
    #[command(flatten)]
    pub(crate) watched: Watched,
    /// A set known by name: its test part is attacked, constants are fitted on its training part.
    #[arg(long, value_name = "NAME", default_value = "mnist")]
    pub(crate) dataset: String,
    /// A classifier from `ebmotion image classifier`, attacked beside the energy.
    #[arg(long, value_name = "FILE")]
    pub(crate) classifier: Option<PathBuf>,
    /// One trained against attacks.
    #[arg(long, value_name = "FILE")]
    pub(crate) adversarial: Option<PathBuf>,
}
